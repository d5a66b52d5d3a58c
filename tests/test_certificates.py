"""Certificates: templates in a folder, compiled once, kept for all, made anew when they change."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fileservice.certificates import (
    NUMBER_LENGTH,
    NUMBER_LETTERS,
    Templates,
    new_number,
    render,
    zone_of,
)
from fileservice.errors import BadValue, NotFound
from fileservice.pdf.errors import BadSideFile, MissingValue, NoPlaceholders
from tests.conftest import Server
from tests.otherhosts import templates_in
from tests.pdfs import checked, page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, 999_999, tzinfo=UTC)
SHIPPED = Path(__file__).parent.parent / "pdf_templates"
ZONE = ZoneInfo("UTC")


def template_of(text: bytes) -> bytes:
    return page_of(b"BT /F1 14 Tf 60 700 Td (%b) Tj ET" % text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "simple.pdf").write_bytes(template_of(b"No. %id% for %name% on %timestamp%"))
    return tmp_path


@pytest.fixture
async def templates(folder: Path) -> AsyncIterator[Templates]:
    opened = templates_in(folder)
    yield opened
    await opened.close()


async def test_a_template_of_the_folder_is_filled(templates: Templates) -> None:
    certificate = await render(templates, "simple", {"name": "Ada"}, now=NOW, zone=ZONE)

    text = text_of(checked(certificate))
    assert "for Ada on 2026-11-21T08:30:05+00:00" in text
    assert len(text.split()[1]) == NUMBER_LENGTH


async def test_the_shipped_template_is_there_in_an_empty_folder(templates: Templates) -> None:
    certificate = await render(templates, "certificate", {}, now=NOW, zone=ZONE)

    assert "2026-11-21T08:30:05+00:00" in text_of(certificate)


async def test_the_folders_template_comes_before_the_shipped_one(
    templates: Templates, folder: Path
) -> None:
    (folder / "certificate.pdf").write_bytes(template_of(b"Mine of %timestamp%"))

    certificate = await render(templates, "certificate", {}, now=NOW, zone=ZONE)

    assert "Mine of 2026" in text_of(certificate)


async def test_the_file_beside_a_template_says_how_it_is_filled(
    templates: Templates, folder: Path
) -> None:
    (folder / "dated.pdf").write_bytes(template_of(b"Mine of %timestamp%"))
    wishes = folder / "dated.template.json"
    texts = []

    for said in (None, "date", "Y", None):
        if said:
            wishes.write_text(json.dumps({"fields": {"timestamp": {"format": said}}}))
        else:
            wishes.unlink(missing_ok=True)
        texts.append(text_of(await render(templates, "dated", {}, now=NOW, zone=ZONE)).strip())

    assert texts[1:3] == ["Mine of Nov. 21, 2026", "Mine of 2026"]
    assert texts[0] == texts[3] == "Mine of 2026-11-21T08:30:05+00:00"


async def test_the_file_beside_a_written_template_holds_too(
    templates: Templates, folder: Path
) -> None:
    (folder / "written.typ").write_text("Mine of %timestamp%")
    (folder / "written.template.json").write_text('{"fields": {"timestamp": {"format": "Y"}}}')

    certificate = await render(templates, "written", {}, now=NOW, zone=ZONE)

    assert text_of(certificate).strip() == "Mine of 2026"


@pytest.mark.parametrize("content", ["{", " " * 40_000])
async def test_a_file_of_wishes_that_is_wrong_is_refused(
    templates: Templates, folder: Path, content: str
) -> None:
    (folder / "wrong.pdf").write_bytes(template_of(b"Mine of %timestamp%"))
    (folder / "wrong.template.json").write_text(content)

    with pytest.raises(BadSideFile):
        await render(templates, "wrong", {}, now=NOW, zone=ZONE)


async def test_the_time_is_that_of_the_zone(templates: Templates) -> None:
    zone = zone_of("Asia/Kathmandu")

    certificate = await render(templates, "certificate", {}, now=NOW, zone=zone)

    assert "2026-11-21T14:15:05+05:45" in text_of(certificate)


@pytest.mark.parametrize(
    "name",
    ["", "../simple", "/etc/passwd", "simple.pdf", "Simple", "a" * 65, "none", ".compiled", "x\0"],
)
async def test_a_name_that_is_none_is_not_found(templates: Templates, name: str) -> None:
    with pytest.raises(NotFound):
        await templates.get(name)


async def test_many_first_requests_compile_once(templates: Templates, folder: Path) -> None:
    found = await asyncio.gather(*(templates.get("simple") for _ in range(20)))

    assert len(set(map(id, found))) == 1
    assert len(list((folder / ".compiled").iterdir())) == 1


async def test_one_who_leaves_does_not_stop_the_others(templates: Templates) -> None:
    first = asyncio.create_task(templates.get("simple"))
    second = asyncio.create_task(templates.get("simple"))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).fields == {"id", "name", "timestamp"}


async def test_a_changed_template_is_compiled_again(templates: Templates, folder: Path) -> None:
    before = await templates.get("simple")
    draft = folder / "draft"
    draft.write_bytes(template_of(b"Other: %other%"))
    draft.replace(folder / "simple.pdf")

    after = await templates.get("simple")

    assert before.fields != after.fields == {"other"}


async def test_another_worker_finds_what_one_compiled(templates: Templates, folder: Path) -> None:
    await templates.get("simple")
    (kept,) = (folder / ".compiled").iterdir()
    # A plan that no compiler makes: it can only have been read.
    form, digest = kept.read_bytes(), kept.name.partition("-")[0]
    kept.write_bytes(form.replace(digest.encode(), b"0" * 64))

    other = templates_in(folder)
    plan = (await other.get("simple")).plan
    await other.close()

    assert plan.digest == "0" * 64


async def test_a_kept_plan_that_is_broken_is_made_anew(templates: Templates, folder: Path) -> None:
    await templates.get("simple")
    (kept,) = (folder / ".compiled").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])

    other = templates_in(folder)

    assert (await other.get("simple")).fields == {"id", "name", "timestamp"}
    await other.close()


async def test_a_folder_that_cannot_be_written_is_no_hindrance(folder: Path) -> None:
    (folder / ".compiled").write_bytes(b"in the way")
    templates = templates_in(folder)

    assert (await templates.get("simple")).fields == {"id", "name", "timestamp"}
    await templates.close()


async def test_a_bad_template_is_read_once_and_refused_each_time(
    templates: Templates, folder: Path
) -> None:
    (folder / "bad.pdf").write_bytes(template_of(b"nothing to fill"))

    refusals = []
    for _ in range(2):
        with pytest.raises(NoPlaceholders) as caught:
            await templates.get("bad")
        refusals.append(caught.value)

    assert refusals[0] is not refusals[1]
    assert refusals[0].detail == refusals[1].detail
    assert len(list((folder / ".compiled").glob("*"))) == 0


async def test_closing_stops_what_is_being_compiled(folder: Path) -> None:
    templates = templates_in(folder)
    waiting = asyncio.create_task(templates.get("simple"))
    await asyncio.sleep(0.05)  # until the child process runs

    await templates.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_missing_value_is_named(templates: Templates) -> None:
    with pytest.raises(MissingValue, match="'name'"):
        await render(templates, "simple", {}, now=NOW, zone=ZONE)


async def test_the_number_cannot_be_given(templates: Templates) -> None:
    with pytest.raises(BadValue, match="number"):
        await render(templates, "simple", {"name": "x", "id": "1"}, now=NOW, zone=ZONE)


def test_numbers_differ_and_have_no_letter_that_looks_like_a_digit() -> None:
    numbers = {new_number() for _ in range(100)}

    assert len(numbers) == 100
    assert set("".join(numbers)) <= set(NUMBER_LETTERS)
    assert not set(NUMBER_LETTERS) & set("ILOU")


@pytest.mark.parametrize(
    "name", ["", "Mars", "../UTC", "/etc/passwd", "Europe", "Europe/", "utc\n", "a" * 9999, "+1"]
)
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="Europe/Berlin"):
        zone_of(name)


def test_get_certificate_is_a_download(server: Server) -> None:
    answer = server.ask("GET", "/certificate?name=Ada%20Lovelace&tz=Europe/Berlin")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="certificate.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.body))
    text = text_of(checked(answer.body))
    assert "Ada Lovelace" in text
    assert "+01:00" in text or "+02:00" in text


def test_head_of_a_certificate_has_its_length_and_no_content(server: Server) -> None:
    answer = server.ask("HEAD", "/certificate")

    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 10_000
    assert answer.body == b""


def test_a_certificate_needs_nothing_but_the_address(server: Server) -> None:
    answer = server.ask("GET", "/certificate")

    assert f"{datetime.now(UTC):%Y-%m-%dT}" in text_of(checked(answer.body))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("name=a&name=b", 400, "bad_request"),
        ("template=certificate&template=other", 400, "bad_request"),
        ("name=%FF", 400, "bad_request"),
        ("&".join(f"v{at}=x" for at in range(65)), 400, "bad_request"),
        ("template=../secret_key", 404, "not_found"),
        ("template=none", 404, "not_found"),
        ("tz=Mars/Olympus", 422, "bad_value"),
        ("nmae=x", 422, "unknown_value"),
        ("timestamp=1999", 422, "unknown_value"),
        ("id=1", 422, "bad_value"),
        ("name=%F0%9F%98%80", 422, "missing_glyph"),
        ("name=%D9%85%D8%AD%D9%85%D8%AF", 422, "missing_glyph"),
        ("name=%00", 422, "bad_value"),
        ("name=" + "x" * 501, 422, "bad_value"),
        ("name=" + "W" * 200, 422, "too_long"),
    ],
)
def test_a_query_that_cannot_be_met_is_refused(
    server: Server, query: str, status: int, code: str
) -> None:
    answer = server.ask("GET", f"/certificate?{query}", headers={"Accept": "application/json"})

    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


def test_only_get_and_head_are_known(server: Server) -> None:
    answer = server.ask("POST", "/certificate")

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
