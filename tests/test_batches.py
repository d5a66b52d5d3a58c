"""A batch: a certificate for each line of a list, all or none."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fileservice.batches import Filled, fill_batch
from fileservice.certificates import NUMBER_LENGTH
from fileservice.rosters import Complaint, Entry
from tests.conftest import manage
from tests.otherhosts import templates_in
from tests.pdfs import checked, page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
AWARD = page_of(b"BT /F1 14 Tf 60 700 Td (%name% has %points|none% of %id%) Tj ET")


@pytest.fixture
def root(migrated: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    for file in migrated.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "pdf_templates").mkdir()
    (folder / "pdf_templates" / "award.pdf").write_bytes(AWARD)
    return folder


def listed(root: Path, name: str, content: str) -> str:
    path = root / name
    path.write_text(content)
    return str(path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("people.csv", "name,points\nAda Lovelace,7\nCharles / Babbage,\n"),
        (
            "people.jsonl",
            '{"name": "Ada Lovelace", "points": 7}\n{"name": "Charles / Babbage"}\n',
        ),
    ],
)
def test_a_list_becomes_a_zip_file_of_certificates(root: Path, file: str, content: str) -> None:
    out = root / "out.zip"

    done = manage(
        root, "certificates", listed(root, file, content), "--out", str(out), "--template", "award"
    )

    assert done.returncode == 0, done.stderr
    assert "2 certificates are in" in done.stdout
    first = 2 if file.endswith("csv") else 1
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        names = [f"{first:06} Ada Lovelace.pdf", f"{first + 1:06} Charles Babbage.pdf"]
        assert [" ".join(name.split()) for name in archive.namelist()] == names
        texts = [text_of(checked(archive.read(name))) for name in archive.namelist()]
    assert "Ada Lovelace has 7 of" in texts[0]
    assert "Charles / Babbage has none of" in texts[1]
    assert len({text.split()[-1] for text in texts}) == 2
    assert not list(root.glob(".*.part"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,points\nAda,7\n,3\nBob\n", "line 4: The line has 1 cells"),
        ("name,points\nAda,7\n,3\nBob,4\n", "line 3: The template asks for 'name'"),
        ("name,other\nAda,7\n", "line 2: The template does not ask for 'other'"),
        ("name\nAda \U000f0000\n", "line 2: "),
        ("id,name\n7,Ada\n", "line 2: The number cannot be given"),
        ("name\n", "has no line for a certificate"),
        ("name,name\n", "two columns with the name"),
    ],
)
def test_a_line_that_cannot_be_filled_is_named_and_nothing_is_written(
    root: Path, content: str, said: str
) -> None:
    out = root / "out.zip"
    out.write_bytes(b"the last one")
    people = listed(root, "people.csv", content)

    done = manage(root, "certificates", people, "--out", str(out), "--template", "award")

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_bytes() == b"the last one"
    assert not list(root.glob(".*.part"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["people.csv", "--template", "none"], "There is no template 'none'"),
        (["people.csv", "--tz", "Mars/Phobos"], "no time zone"),
        (["nobody.csv"], "No such file"),
        (["people.csv", "--processes", "0"], "--processes must be 1 or more"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(root: Path, arguments: list[str], said: str) -> None:
    listed(root, "people.csv", "name\nAda\n")
    people, *options = arguments

    done = manage(
        root, "certificates", str(root / people), "--out", str(root / "out.zip"), *options
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_many_entries_come_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "award.pdf").write_bytes(AWARD)
    templates = templates_in(tmp_path)
    template = await templates.get("award")
    entries = [Entry(line, {"name": f"Name {line}"}) for line in range(2, 1003)]
    entries[500] = Entry(502, {})

    filled = list(fill_batch(template, entries, issued_at=NOW, processes=2))

    assert [one.entry.line if isinstance(one, Filled) else one.line for one in filled] == list(
        range(2, 1003)
    )
    assert isinstance(filled[500], Complaint)
    made = [one for one in filled if isinstance(one, Filled)]
    assert {len(one.number) for one in made} == {NUMBER_LENGTH}
    assert len({one.number for one in made}) == 1000
    assert "Name 1002 has none" in text_of(made[-1].content)
    await templates.close()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"name": "Ada"}, "000007 Ada.pdf"),
        ({"full_name": "\u5f20\u4f1f"}, "000007 \u5f20\u4f1f.pdf"),
        ({"course": "x"}, "000007.pdf"),
        ({"name": " "}, "000007.pdf"),
        ({"name": "\x00"}, "000007.pdf"),
        ({"name": "a" * 200}, f"000007 {'a' * 80}.pdf"),
        ({"name": "../../etc"}, "000007 _.. .. etc.pdf"),
    ],
)
def test_a_file_is_named_by_its_line_and_whose_it_is(values: dict[str, str], name: str) -> None:
    assert Filled(Entry(7, values), "", b"").name == name


def test_json_lines_may_have_values_of_their_own_each(root: Path) -> None:
    rows = [{"name": "Ada"}, {"name": "Bob", "points": 1.50}]
    people = listed(root, "people.jsonl", "\n".join(map(json.dumps, rows)))

    done = manage(root, "certificates", people, "--out", str(root / "o.zip"), "--template", "award")

    assert done.returncode == 0, done.stderr
