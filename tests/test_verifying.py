"""Verification: genuine, altered or unknown, valid, expired or revoked, for everybody."""

import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fileservice.verifying import MAX_IDENTITIES, Examination
from tests.client import FORM_TYPE, field_part, file_part, form_body
from tests.conftest import Server, need_program
from tests.pdfs import shipped_template
from tests.test_issuing import JSON, PAGE, fetch, issue, path_of

PDF = {"Content-Type": "application/pdf"}


def examine(server: Server, content: bytes) -> Any:
    """Return what is told of a file."""
    answer = server.ask("POST", "/verify/", content, JSON | PDF)
    assert answer.status == 200, answer
    return answer.json


def test_a_number_tells_what_the_certificate_shows(server: Server) -> None:
    told = issue(server, values={"name": "Ada", "course": ""}, tz="Asia/Tokyo")

    answer = server.ask("GET", path_of(server, told["verify_url"]), headers=JSON)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    verified = answer.json
    assert verified["values"] == {"name": "Ada"}
    assert "manage_url" not in verified
    for name in ("state", "number", "issued_at", "url", "sha256", "title"):
        assert verified[name] == told[name]


def test_a_number_is_known_however_it_was_copied(server: Server) -> None:
    told = issue(server)
    number = told["number"]
    misread = number.lower().replace("0", "o").replace("1", "l")
    spaced = "%20".join(number[at : at + 4] for at in range(0, 26, 4))

    for name in (number, misread, spaced, spaced.replace("%20", "-"), told["id"]):
        answer = server.ask("GET", f"/verify/{name}", headers=JSON)

        assert answer.status == 200, name
        assert answer.json["number"] == number


def test_a_terminal_and_a_page_are_told_too(server: Server) -> None:
    told = issue(server, values={"name": "Ada <b>"})
    path = path_of(server, told["verify_url"])

    lines = server.ask("GET", path).text.splitlines()
    page = server.ask("GET", path, headers=PAGE)

    assert "state: valid" in lines
    assert "value of name: Ada <b>" in lines
    assert "This certificate is valid." in page.text
    assert "Ada &lt;b&gt;" in page.text
    assert told["url"] in page.text


def test_one_that_expires_is_expired_then_and_still_given_out(server: Server) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    told = issue(server, expires_at=soon.isoformat())
    path = path_of(server, told["verify_url"])

    before = server.ask("GET", path, headers=JSON).json["state"]
    time.sleep(3.5)  # only the clock can expire it
    after = server.ask("GET", path, headers=JSON).json["state"]

    assert (before, after) == ("valid", "expired")
    assert "has expired" in server.ask("GET", path, headers=PAGE).text
    assert fetch(server, told).status == 200


def test_a_revoked_one_says_why_and_has_no_download(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    content = fetch(server, told).body
    server.ask("DELETE", f"{path_of(server, told['manage_url'])}?reason=wrong+name")

    verified = server.ask("GET", path_of(server, told["verify_url"]), headers=JSON).json

    assert (verified["state"], verified["reason"]) == ("revoked", "wrong name")
    assert verified["revoked_at"]
    assert "url" not in verified
    examined = examine(server, content)
    assert examined["file"] == "genuine"
    assert examined["certificate"]["state"] == "revoked"


def test_the_file_as_issued_is_genuine(server: Server) -> None:
    told = issue(server, values={"name": "Żółć"})

    examined = examine(server, fetch(server, told).body)

    assert examined["file"] == "genuine"
    assert examined["certificate"]["number"] == told["number"]


def test_a_form_is_examined_as_a_body_is(server: Server) -> None:
    told = issue(server)
    content = fetch(server, told).body
    body = form_body(field_part(b"note", b"x"), file_part(b"my certificate.pdf", content))

    answer = server.ask("POST", "/verify/", body, FORM_TYPE)
    page = server.ask("POST", "/verify/", body, FORM_TYPE | PAGE)

    assert answer.text.startswith("file: genuine\n")
    assert f"number: {told['number']}" in answer.text
    assert "as it was issued, byte for byte" in page.text


def test_a_change_of_any_byte_is_told(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    content = fetch(server, told).body
    chosen = random.Random(1)  # noqa: S311 - which bytes to change is no secret
    # The end, where everything of its own is, and some of the block before it.
    places = [*range(len(content) - 300, len(content)), *chosen.sample(range(len(content)), 200)]
    with server.client() as client:
        for place in places:
            changed = bytearray(content)
            changed[place] ^= 1 << chosen.randrange(8)
            examined = client.ask("POST", "/verify/", bytes(changed), JSON | PDF).json

            assert examined["file"] == "altered", place
            assert examined["certificate"]["number"] == told["number"]


@pytest.mark.parametrize("text", ["/ID[<%s><%s>]", "/ID [ < %s > <%s\n> ]", "<%s>%s"])
def test_an_identity_is_found_wherever_the_bytes_are_parted(text: str) -> None:
    content = (text % ("0123456789abcdef" * 2, "FEDCBA9876543210" * 2)).encode()
    whole = Examination()
    whole.feed(content)

    for place in range(len(content)):
        parted = Examination()
        parted.feed(content[:place])
        parted.feed(memoryview(content)[place:])

        assert list(parted.identities) == list(whole.identities)
    assert "0123456789abcdef" * 2 in whole.identities


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_what_was_appended_or_cut_is_told(server: Server, cut: int) -> None:
    content = fetch(server, issue(server)).body

    assert examine(server, content + b"\n" * cut)["file"] == "altered"
    assert examine(server, b"\n" * cut + content)["file"] == "altered"
    assert examine(server, content[cut:])["file"] == "altered"


@pytest.mark.parametrize("options", [[], ["--object-streams=generate"], ["--linearize"]])
def test_one_that_another_program_wrote_anew_is_altered(
    server: Server, tmp_path: Path, options: list[str]
) -> None:
    told = issue(server, values={"name": "Ada"})
    before, after = tmp_path / "before.pdf", tmp_path / "after.pdf"
    before.write_bytes(fetch(server, told).body)
    subprocess.run([need_program("qpdf"), *options, str(before), str(after)], check=True)

    examined = examine(server, after.read_bytes())

    assert examined["file"] == "altered"
    assert examined["certificate"]["number"] == told["number"]


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"%PDF-1.7\n" + b"<0123456789abcdef0123456789abcdef>" * 5000,
        b"<" * 1_000_000,
        b"< " * 1_000_000,
        bytes(range(256)) * 1000,
        shipped_template(),
    ],
)
def test_a_foreign_file_is_unknown(server: Server, content: bytes) -> None:
    assert examine(server, content) == {"file": "unknown", "certificate": None}


def test_what_was_made_without_being_kept_is_unknown(server: Server) -> None:
    assert examine(server, server.ask("GET", "/certificate").body)["file"] == "unknown"


def test_strings_before_the_trailer_hide_nothing(server: Server) -> None:
    content = fetch(server, issue(server)).body
    noise = b"".join(b"<%032x>" % at for at in range(MAX_IDENTITIES * 20))

    assert examine(server, noise + content)["file"] == "altered"


def test_a_file_that_is_too_large_is_refused(server: Server) -> None:
    answer = server.ask("POST", "/verify/", b"\0" * (21 << 20), JSON | PDF)

    assert (answer.status, answer.json["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", PDF, 400, "no_file"),
        (form_body(field_part(b"a", b"b")), FORM_TYPE, 400, "no_file"),
        (form_body(file_part(b"", b"")), FORM_TYPE, 400, "no_file"),
        (b"not a form", FORM_TYPE, 400, "bad_form"),
        (b"x", PDF | {"Content-Encoding": "gzip"}, 415, "unsupported_type"),
    ],
)
def test_no_file_is_no_answer(
    server: Server, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = server.ask("POST", "/verify/", body, JSON | headers)

    assert (answer.status, answer.json["code"]) == (status, code)


def test_there_is_a_form_for_people(server: Server) -> None:
    page = server.ask("GET", "/verify/", headers=PAGE)

    assert 'action="/verify/"' in page.text
    assert "/verify/<number>" in server.ask("GET", "/verify/").text
