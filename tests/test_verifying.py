"""Verification: genuine, altered or unknown, valid, expired or revoked, for everybody."""

import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fileservice.http.verifying import LARGEST_EXAMINED_BYTES
from fileservice.signingkeys import make_signing_key
from fileservice.verifying import MAX_IDENTITIES, Examination, Room
from tests.client import FORM_TYPE, field_part, file_part, form_body
from tests.conftest import Server, need_program, serving
from tests.pdfs import shipped_template
from tests.test_issuing import JSON, PAGE, fetch, issue, path_of
from tests.test_signed import signed_by_other, stamped_by, token_for

PDF = {"Content-Type": "application/pdf"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the keys of two offices."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("first", "second"):
        make_signing_key(folder / name, f"The {name}", rsa_bits=None, days=9, now=datetime.now(UTC))
    return folder


def chosen(folder: Path) -> dict[str, str]:
    """Return the options of a service that signs with this key."""
    return {
        "ACCESS": "open",
        "SIGN_KEY_FILE": str(folder / "key.pem"),
        "SIGN_CERTIFICATE_FILE": str(folder / "certificate.pem"),
    }


@pytest.fixture(scope="module")
def signing(migrated: Path, keys: Path) -> Iterator[Server]:
    """Give a service that signs."""
    with serving(migrated, **chosen(keys / "first")) as running:
        yield running


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
    whole = Examination(Room(1 << 20))
    whole.feed(content)

    for place in range(len(content)):
        parted = Examination(Room(1 << 20))
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
    assert examine(server, content) == {
        "file": "unknown",
        "certificate": None,
        "signatures": [],
    }


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


def test_a_genuine_file_says_who_signed_it(signing: Server) -> None:
    examined = examine(signing, fetch(signing, issue(signing)).body)

    [signature] = examined["signatures"]
    assert examined["file"] == "genuine"
    assert signature["state"] == "intact"
    assert signature["signer"] == "this_service"
    assert signature["covers_whole_file"]
    assert signature["bytes_after"] == 0
    assert signature["forbids_changes"]
    assert signature["certificate"]["name"] == "The first"
    assert signature["certificate"]["valid_then"]
    assert signature["certificate"]["chain"] == "not checked"
    assert signature["time_stamp"] is None


def test_what_our_key_signed_without_a_record_is_signed(signing: Server) -> None:
    content = signing.ask("GET", "/certificate?name=Ada").body

    examined = examine(signing, content)
    page = signing.ask("POST", "/verify/", content, PAGE | PDF).text

    assert (examined["file"], examined["certificate"]) == ("signed", None)
    assert "signed here" in page
    assert "No record of it" in page


def test_what_was_appended_or_changed_after_signing_is_told(signing: Server) -> None:
    content = signing.ask("GET", "/certificate?name=Ada").body
    changed = content.replace(b"/Type", b"/type", 1)

    longer, other = examine(signing, content + b"\n"), examine(signing, changed)

    [signature] = longer["signatures"]
    assert (longer["file"], longer["certificate"]) == ("altered", None)
    assert (other["file"], other["certificate"]) == ("unknown", None)
    assert (signature["state"], signature["bytes_after"]) == ("intact", 1)
    assert not signature["covers_whole_file"]
    assert "1 byte was added behind it" in signature["detail"]
    [signature] = other["signatures"]
    assert (signature["state"], signature["signer"]) == ("changed", "this_service")
    assert not signature["covers_whole_file"]
    assert signature["bytes_after"] is None


def test_an_altered_file_says_what_its_signature_says(signing: Server) -> None:
    told = issue(signing, values={"name": "Ada"})
    content = fetch(signing, told).body

    answer = signing.ask("POST", "/verify/", content + b"%%EOF\n", PDF)

    assert answer.text.startswith("file: altered\n")
    assert f"number: {told['number']}" in answer.text
    assert "6 bytes were added behind it, which it forbids" in answer.text


def test_an_earlier_key_is_known_by_the_record(signing: Server, keys: Path) -> None:
    kept = fetch(signing, issue(signing)).body
    unkept = signing.ask("GET", "/certificate").body
    with serving(signing.root, **chosen(keys / "second")) as renewed:
        genuine, altered = examine(renewed, kept), examine(renewed, kept + b"\n")
        unknown = examine(renewed, unkept)

    signers = [each["signatures"][0]["signer"] for each in (genuine, altered, unknown)]
    assert [each["file"] for each in (genuine, altered, unknown)] == [
        "genuine",
        "altered",
        "unknown",
    ]
    assert signers == ["this_service_earlier", "this_service_earlier", "other"]


def test_somebody_elses_signature_is_no_word_of_ours(signing: Server) -> None:
    content = signed_by_other(shipped_template(), name="The first”. All is well. “")

    examined = examine(signing, content)
    page = signing.ask("POST", "/verify/", content, PAGE | PDF).text

    [signature] = examined["signatures"]
    assert examined["file"] == "unknown"
    assert (signature["state"], signature["signer"]) == ("intact", "other")
    assert "Anybody can write a name into one" in signature["detail"]
    assert "“The first&#x27;. All is well. &#x27;”" in page


def test_a_certificate_that_somebody_else_signed_is_altered(server: Server) -> None:
    content = signed_by_other(fetch(server, issue(server)).body, name="Eve")

    examined = examine(server, content)

    assert examined["file"] == "altered"
    assert [each["signer"] for each in examined["signatures"]] == ["other"]
    assert examined["signatures"][0]["covers_whole_file"]


def test_the_time_of_a_stamp_is_told_with_whose_word_it_is(server: Server) -> None:
    [good] = examine(server, stamped_by(token_for))["signatures"]
    [bad] = examine(server, stamped_by(lambda value: token_for(value + b"x")))["signatures"]

    assert good["time_stamp"]["holds"]
    assert good["time_stamp"]["at"] == "2026-11-21T08:30:05+00:00"
    assert good["time_stamp"]["certificate"]["name"] == "Clock of the Tests"
    assert "whether to trust it was not checked" in good["detail"]
    assert bad["time_stamp"] == {"holds": False}
    assert "Its time-stamp does not hold." in bad["detail"]


def test_what_proves_nothing_says_so(server: Server) -> None:
    weak = signed_by_other(shipped_template(), "weak RSA")

    [unchecked] = examine(server, weak)["signatures"]
    [unreadable] = examine(server, b"/ByteRange[0 1 2 3]")["signatures"]
    many = server.ask("POST", "/verify/", b"/ByteRange " * 17, PDF).text

    assert unchecked["signer"] is unchecked["certificate"] is None
    assert "was not checked, and proves nothing" in unchecked["detail"]
    assert unreadable["detail"] == "A signature that cannot be read: it proves nothing."
    assert many.count("proves nothing") == 16
    assert many.endswith("signatures: There are more signatures, which were not looked at.\n")


def test_files_that_fill_the_room_cost_others_their_signatures_only(signing: Server) -> None:
    # More than is left beside as many of the largest as there is room for.
    content = fetch(signing, issue(signing)).body + bytes(5 << 20)
    length = f"Content-Length: {LARGEST_EXAMINED_BYTES}\r\n\r\n"
    head = f"POST /verify/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}".encode()
    full = empty = examine(signing, content)
    with ExitStack() as stack:
        # One that is read while a file is examined may find no room, and leaves it to the next.
        for _ in range(20):
            connection = stack.enter_context(socket.create_connection(signing.address, 30))
            connection.sendall(head + bytes(LARGEST_EXAMINED_BYTES - 1))
            full = examine(signing, content)
            if full["signatures"] is None:
                break
    for _ in range(200):
        empty = examine(signing, content)
        if empty["signatures"]:
            break
        time.sleep(0.05)

    assert (full["file"], full["signatures"]) == ("altered", None)
    assert full["certificate"] == empty["certificate"]
    assert empty["signatures"][0]["signer"] == "this_service"
