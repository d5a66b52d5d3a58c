"""`manage.py certificates issue`: a list in, certificates out, kept like any other."""

import os
import pty
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, environment, manage, serving
from tests.lists import JSON, put_award
from tests.pdfs import checked, page_of, text_of

QR = page_of(b"BT /F1 14 Tf 60 700 Td (For %name%) Tj 0 -200 Td (%qr%) Tj ET")


@pytest.fixture
def root(migrated: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    shutil.copytree(migrated, folder)
    put_award(folder)
    return folder


def listed(root: Path, name: str, content: str) -> str:
    path = root / name
    path.write_text(content)
    return str(path)


def issue(root: Path, people: str, *options: str) -> subprocess.CompletedProcess[str]:
    return manage(root, "certificates", "issue", people, "--template", "award", *options)


# What a list says is read alike over HTTP, which takes no program of its own for each case.
LONG = pytest.mark.long


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

    done = issue(root, listed(root, file, content), "--out", str(out))

    assert done.returncode == 0, done.stderr
    assert "2 certificates are issued" in done.stdout
    first = 2 if file.endswith("csv") else 1
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        names = [f"{first:06} Ada Lovelace.pdf", f"{first + 1:06} Charles Babbage.pdf"]
        assert archive.namelist() == names
        texts = [text_of(checked(archive.read(name))) for name in names]
    assert "Ada Lovelace has 7 of" in texts[0]
    assert "Charles / Babbage has none of" in texts[1]
    assert len({text.split()[-1] for text in texts}) == 2
    assert not list(root.glob(".*.part"))


@pytest.mark.long
def test_what_was_issued_here_the_service_knows(root: Path) -> None:
    out = root / "out.pdf"
    people = listed(root, "people.csv", "name\nAda\n")
    done = issue(root, people, "--out", str(out), "--origin", "https://files.example/")
    path = done.stdout.split()[-1]
    number = text_of(checked(out.read_bytes())).split()[-1]

    with serving(root, ACCESS="open") as server:
        verified = server.ask("GET", f"/verify/{number}", headers=JSON).json
        batch = server.ask("GET", path, headers=JSON).json
        rows = server.ask("GET", f"{path}/certificates.csv").text

    assert (verified["state"], verified["values"]) == ("valid", {"name": "Ada"})
    assert (batch["state"], batch["done"]) == ("done", 1)
    assert f"https://files.example/verify/{number}" in rows


@pytest.mark.long
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,points\nAda,7\n,3\nBob\n", "Line 4: The line has 1 cells"),
        ("name,points\nAda,7\n,3\nBob,4\n", "Line 3: The template asks for 'name'"),
        pytest.param("name,other\nAda,7\n", "Line 1: 'other' cannot be given", marks=LONG),
        pytest.param("name\nAda \U000f0000\n", "Line 2: ", marks=LONG),
        pytest.param("name\n", "has no line for a certificate", marks=LONG),
        pytest.param("name,name\n", "two columns with the name", marks=LONG),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_nothing_is_written(
    root: Path, content: str, said: str
) -> None:
    out = root / "out.zip"
    out.write_bytes(b"the last one")

    done = issue(root, listed(root, "people.csv", content), "--out", str(out))

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_bytes() == b"the last one"
    assert not list(root.glob(".*.part"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["people.csv", "--template", "none"], "There is no template 'none'"),
        pytest.param(["people.csv", "--tz", "Mars/Phobos"], "no time zone", marks=LONG),
        pytest.param(
            ["people.csv", "--expires-at", "2020-01-01"], "The expiry has passed", marks=LONG
        ),
        (["people.csv", "--template", "qr"], "say at which address"),
        (["nobody.csv"], "No such file"),
        (["people.csv", "--processes", "0"], "--processes must be 1 or more"),
        (["people.csv", "--out", "o.txt"], "--out must end in .zip or .pdf"),
        pytest.param(
            ["people.csv", "--out", "nowhere/o.zip"], "There is no folder 'nowhere'", marks=LONG
        ),
    ],
)
def test_what_is_asked_for_wrongly_is_said(root: Path, arguments: list[str], said: str) -> None:
    (root / "pdf_templates" / "qr.pdf").write_bytes(QR)
    people, *options = arguments
    listed(root, "people.csv", "name\nAda\n")

    done = issue(root, str(root / people), "--out", str(root / "out.zip"), *options)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "out.zip").exists()


@pytest.mark.long
def test_a_terminal_sees_how_far_it_is(root: Path) -> None:
    people = listed(root, "people.csv", "name\n" + "Ada\n" * 250)
    ours, theirs = pty.openpty()
    command = ["manage.py", "certificates", "issue", people, "--out", str(root / "o.zip")]

    subprocess.run(
        [sys.executable, *command, "--template", "award"],
        env=environment(root),
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)

    assert "checking [" in shown
    assert f"issuing  [{'#' * 40}] 250 of 250" in shown
