"""Certificates that are kept: issued durably, given out byte for byte, revoked for good."""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pikepdf
import pytest

from fileservice.errors import BadValue
from fileservice.issuing import clean_reason, expiry
from fileservice.signingkeys import make_signing_key
from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body
from tests.conftest import Server, serving
from tests.pdfs import checked, page_of, text_of
from tests.rasters import by_poppler, read
from tests.signatures import VALID, pdfsig

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}
TYPED = {"Content-Type": "application/json"}
FIELDS = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test
NUMBERED = page_of(b"BT /F1 14 Tf 60 700 Td (No. %id% for %name% on %timestamp%) Tj ET")
NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
TWICE = field_part(b"name", b"x")
NOWHERE = "a" * 26


def order(**members: object) -> bytes:
    return json.dumps(members).encode()


def issue(server: Server, **members: object) -> Any:
    """Have a certificate issued and return what is told of it."""
    answer = server.ask("POST", "/certificates/", order(**members), JSON | TYPED)
    assert answer.status == 201, answer
    return answer.json


def path_of(server: Server, url: str) -> str:
    assert url.startswith(server.url)
    return url.removeprefix(server.url)


def fetch(server: Server, told: Any, headers: dict[str, str] | None = None) -> Answer:
    return server.ask("GET", path_of(server, told["url"]), headers=headers)


@pytest.fixture(scope="module")
def numbered(migrated: Path) -> Iterator[Server]:
    """Give an open service with a template that shows the number."""
    with serving(migrated, ACCESS="open") as running:
        folder = running.root / "pdf_templates"
        folder.mkdir(exist_ok=True)
        (folder / "numbered.pdf").write_bytes(NUMBERED)
        yield running


def test_what_is_issued_is_what_is_downloaded(numbered: Server) -> None:
    told = issue(numbered, template="numbered", values={"name": "Żółć Ада"}, tz="Europe/Berlin")

    answer = fetch(numbered, told)

    assert answer.status == 200
    text = text_of(checked(answer.body))
    assert f"No. {told['number']} for Żółć Ада on {told['issued_at']}" in text
    assert told["sha256"] == hashlib.sha256(answer.body).hexdigest()
    assert told["size"] == len(answer.body)
    assert told["values"] == {"name": "Żółć Ада"}
    assert told["state"] == "valid"


def attached(content: bytes) -> Any:
    """Return what the file in a certificate says, and the certificate's own description of it."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        (specification,) = list(pdf.Root.AF)
        assert str(specification.AFRelationship) == "/Data"
        (name,) = list(pdf.attachments)
        file = pdf.attachments[name].get_file()
        assert (name, file.mime_type) == ("certificate.json", "application/json")
        assert file.size == len(file.read_bytes())
        assert file.md5 == hashlib.md5(file.read_bytes(), usedforsecurity=False).digest()
        return json.loads(file.read_bytes())


def test_what_a_certificate_says_is_attached_where_it_is_asked_for(numbered: Server) -> None:
    wish = {"template": "numbered", "values": {"name": "Żółć"}, "tz": "Europe/Berlin"}
    told = issue(numbered, **wish, attach="json", expires_at="2099-12-31")

    content = checked(fetch(numbered, told).body)

    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert f"No. {told['number']} for Żółć" in text_of(content)
    record = attached(content)
    assert record["template_sha256"]
    assert record == {
        **{name: told[name] for name in ("number", "title", "values", "issued_at", "expires_at")},
        "verify_url": told["verify_url"],
        "template_sha256": record["template_sha256"],
    }


def test_nothing_else_can_be_attached(numbered: Server) -> None:
    answer = numbered.ask("POST", "/certificates/", b"attach=xml", JSON | FIELDS)

    assert answer.status == 422
    assert answer.json["code"] == "bad_value"


def test_the_code_on_a_certificate_leads_to_where_it_is_verified(numbered: Server) -> None:
    program = b"BT /F1 14 Tf 60 700 Td (For %name%) Tj 0 -40 Td (%qr.120%) Tj ET"
    (numbered.root / "pdf_templates" / "coded.pdf").write_bytes(page_of(program))
    told = issue(numbered, template="coded", values={"name": "Ada"})

    ((link, _),) = read(by_poppler(checked(fetch(numbered, told).body)))

    assert link == told["verify_url"]
    verified = numbered.ask("GET", path_of(numbered, link), headers=JSON).json
    assert verified["values"] == {"name": "Ada"}
    assert verified["state"] == "valid"


def test_a_code_on_a_certificate_that_is_not_kept_leads_to_nothing(numbered: Server) -> None:
    (numbered.root / "pdf_templates" / "fleeting.pdf").write_bytes(
        page_of(b"BT /F1 14 Tf 60 700 Td (%qr.120%) Tj ET")
    )
    answer = numbered.ask("GET", "/certificate?template=fleeting")

    ((link, _),) = read(by_poppler(checked(answer.body)))

    assert numbered.ask("GET", path_of(numbered, link)).status == 404


def test_the_answer_has_every_link(server: Server) -> None:
    answer = server.ask("POST", "/certificates/", b"name=Ada", JSON | FIELDS)

    told = answer.json
    assert answer.status == 201
    assert answer.headers["location"] == told["url"]
    assert answer.headers["link"] == f'<{told["manage_url"]}>; rel="edit"'
    assert answer.headers["cache-control"] == "no-store"
    assert told["url"] == f"{server.url}/certificates/{told['id']}/certificate.pdf"
    assert told["verify_url"] == f"{server.url}/verify/{told['number']}"
    assert re.fullmatch(f"{server.url}/issued/[a-z2-7]{{26}}", told["manage_url"])


def test_a_terminal_gets_the_link_to_give_away_alone(server: Server) -> None:
    answer = server.ask("POST", "/certificates/", b"name=Ada", FIELDS)

    assert re.fullmatch(f"{server.url}/certificates/[a-z2-7]{{26}}/certificate.pdf\n", answer.text)


def test_a_multipart_form_says_the_same(server: Server) -> None:
    body = form_body(field_part(b"name", "Ада".encode()), field_part(b"tz", b"Asia/Kathmandu"))

    told = server.ask("POST", "/certificates/", body, JSON | FORM_TYPE).json

    assert told["values"] == {"name": "Ада"}
    assert told["issued_at"].endswith("+05:45")


def test_two_that_look_the_same_have_files_of_their_own(server: Server) -> None:
    with ThreadPoolExecutor(16) as threads:
        issued = list(threads.map(lambda _: issue(server, values={"name": "A"}), range(48)))

    contents = [fetch(server, told).body for told in issued]
    assert len({told["number"] for told in issued}) == len(set(contents)) == 48
    assert [hashlib.sha256(c).hexdigest() for c in contents] == [t["sha256"] for t in issued]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", TYPED, 400, "bad_request"),
        (b"[" * 100_000, TYPED, 400, "bad_request"),
        (b"[]", TYPED, 400, "bad_request"),
        (b"\xff", TYPED, 400, "bad_request"),
        (order(name="Ada"), TYPED, 400, "bad_request"),
        (order(values=[]), TYPED, 400, "bad_request"),
        (order(values={"name": 7}), TYPED, 400, "bad_request"),
        (order(values={f"v{at}": "x" for at in range(65)}), TYPED, 400, "bad_request"),
        (order(template=7), TYPED, 400, "bad_request"),
        (b'{"values": {"name": "\\ud800"}}', TYPED, 422, "bad_value"),
        (b'{"template": "\\ud800"}', TYPED, 404, "not_found"),
        (order(values={"id": "1"}), TYPED, 422, "bad_value"),
        (order(values={"timestamp": "1"}), TYPED, 422, "unknown_value"),
        (order(values={"nmae": "x"}), TYPED, 422, "unknown_value"),
        (order(template="none"), TYPED, 404, "not_found"),
        (order(tz="Mars/Olympus"), TYPED, 422, "bad_value"),
        (order(expires_at="soon"), TYPED, 422, "bad_value"),
        (order(expires_at="2001-01-01"), TYPED, 422, "bad_value"),
        (b"name=a&name=b", FIELDS, 400, "bad_request"),
        (b"name=%FF", FIELDS, 400, "bad_request"),
        (b"\xff", FIELDS, 400, "bad_request"),
        (
            form_body(field_part(b"name", b"a"), field_part(b"name", b"b")),
            FORM_TYPE,
            400,
            "bad_form",
        ),
        (form_body(file_part(b"a.pdf", b"x")), FORM_TYPE, 400, "bad_form"),
        (b"x", {"Content-Type": "text/plain"}, 415, "unsupported_type"),
        (b"x", {}, 415, "unsupported_type"),
        (b" " * 300_000, TYPED, 413, "too_large"),
        (b"{}", TYPED | {"Content-Encoding": "gzip"}, 415, "unsupported_type"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused(
    server: Server, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = server.ask("POST", "/certificates/", body, JSON | headers)

    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("", "UTC", None),
        ("2026-12-31", "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31", "Europe/Berlin", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-12-31T12:00:00Z", "Asia/Tokyo", datetime(2026, 12, 31, 12, tzinfo=UTC)),
        ("2026-12-31T12:00:00.9+01:00", "UTC", datetime(2026, 12, 31, 11, tzinfo=UTC)),
        ("2026-12-31T12:00", "Asia/Tokyo", datetime(2026, 12, 31, 3, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_the_first_moment_after(
    text: str, zone: str, expected: datetime | None
) -> None:
    assert expiry(text, ZoneInfo(zone), now=NOW) == expected


@pytest.mark.parametrize(
    "text", ["soon", "2026-11-20", "2026-11-21T08:30:05Z", "9999-12-31", "2026-02-30", "1", "\0"]
)
def test_an_expiry_that_is_none_or_past_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        expiry(text, ZoneInfo("UTC"), now=NOW)


@pytest.mark.parametrize("text", ["x" * 501, "\x00", "a\x1bb", "\ud800"])
def test_a_reason_that_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        clean_reason(text)


def test_a_reason_is_one_line_that_turns_nothing_around() -> None:
    assert clean_reason(" a\r\n b\u202ec ") == "a bc"


@pytest.mark.long
def test_it_is_the_same_after_a_restart_with_another_template_and_no_plan(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        templates = running.root / "pdf_templates"
        templates.mkdir(exist_ok=True)
        (templates / "own.pdf").write_bytes(NUMBERED)
        told = issue(running, template="own", values={"name": "Żółć"})
        before = fetch(running, told).body
        (templates / "own.pdf").write_bytes(NUMBERED.replace(b"No. ", b"Nr. "))
        for plan in (templates / ".compiled").iterdir():
            plan.unlink()
        with serving(running.root, ACCESS="open") as restarted:
            after = restarted.ask("GET", path_of(running, told["url"]))

    assert after.status == 200
    assert after.body == before


def test_where_there_is_a_key_what_is_issued_is_signed(migrated: Path, tmp_path: Path) -> None:
    make_signing_key(tmp_path / "s", "Office", rsa_bits=None, days=9, now=datetime.now(UTC))
    pair = {
        "SIGN_KEY_FILE": str(tmp_path / "s" / "key.pem"),
        "SIGN_CERTIFICATE_FILE": str(tmp_path / "s" / "certificate.pem"),
    }
    with serving(migrated, ACCESS="open", **pair) as running:
        told = issue(running, values={"name": "Żółć"})
        content = fetch(running, told).body
        changed = running.ask("POST", "/verify/", content + b"\n", JSON).json

    assert VALID in pdfsig(content)
    assert hashlib.sha256(content).hexdigest() == told["sha256"]
    assert changed["certificate"]["number"] == told["number"]


@pytest.mark.long
def test_every_worker_knows_what_one_issued(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        told = [issue(running, values={"name": str(at)}) for at in range(6)]

        for one in told * 4:
            assert hashlib.sha256(fetch(running, one).body).hexdigest() == one["sha256"]


def test_a_block_that_is_damaged_or_gone_is_a_500_and_never_other_bytes(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        told = issue(running, values={"name": "Ada"})
        [block] = (running.root / "certificates").iterdir()
        content = bytearray(block.read_bytes())
        content[1000] ^= 1
        block.write_bytes(content)
        damaged = fetch(running, told, JSON)
        block.unlink()
        gone = fetch(running, told, JSON)
        log = running.log.read_text()
        again = issue(running, values={"name": "Ada"})

        assert fetch(running, again).status == 200
        assert fetch(running, told).status == 200

    assert (damaged.status, damaged.json["code"]) == (500, "error")
    assert gone.status == 500
    assert f"certificate {told['id']}: its block {block.name} was changed" in log


def test_a_download_has_the_fields_of_a_file(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})

    answer = fetch(server, told)

    assert answer.headers["etag"] == f'"{told["sha256"]}"'
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="certificate.pdf"'
    assert answer.headers["cache-control"] == "private, no-cache, no-transform"
    assert answer.headers["repr-digest"].startswith("sha-256=:")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_head_tells_the_same_without_content(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    whole = fetch(server, told)

    head = server.ask("HEAD", path_of(server, told["url"]))

    assert head.body == b""
    for name in ("etag", "content-length", "repr-digest", "content-type", "last-modified"):
        assert head.headers[name] == whole.headers[name]


def test_inline_is_shown_where_a_viewer_works(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})

    answer = server.ask("GET", f"{path_of(server, told['url'])}?inline=1")

    assert answer.headers["content-disposition"].startswith("inline")
    assert "sandbox" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("field", "status", "span"),
    [
        ("bytes=0-0", 206, (0, 1)),
        ("bytes=10-19", 206, (10, 20)),
        ("bytes=-7", 206, (-7, None)),
        ("bytes=35000-", 206, (35_000, None)),
        ("bytes=9999999-", 416, None),
        ("lines=1-2", 200, (0, None)),
    ],
)
def test_a_range_is_a_part(
    server: Server, field: str, status: int, span: tuple[int, int | None] | None
) -> None:
    told = issue(server, values={"name": "Ada"})
    whole = fetch(server, told).body

    answer = fetch(server, told, {"Range": field})

    assert answer.status == status
    if span:
        assert answer.body == whole[slice(*span)]


def test_several_ranges_come_in_parts(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    whole = fetch(server, told).body

    answer = fetch(server, told, {"Range": "bytes=0-9,100-109", "Want-Content-Digest": "sha-256=1"})

    assert answer.status == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert whole[:10] in answer.body
    assert whole[100:110] in answer.body
    assert "content-digest" in answer.headers


@pytest.mark.parametrize(
    ("field", "match", "status"),
    [
        ("If-None-Match", True, 304),
        ("If-None-Match", False, 200),
        ("If-Match", True, 200),
        ("If-Match", False, 412),
    ],
)
def test_conditions_hold_for_the_bytes(
    server: Server, field: str, match: bool, status: int
) -> None:
    told = issue(server, values={"name": "Ada"})
    tag = told["sha256"] if match else "0" * 64

    assert fetch(server, told, {field: f'"{tag}"'}).status == status


def test_a_revoked_one_is_gone_and_stays_revoked_for_its_first_reason(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    manage_path = path_of(server, told["manage_url"])

    first = server.ask("DELETE", f"{manage_path}?reason=a+mistake")
    then = server.ask("GET", manage_path, headers=JSON).json
    second = server.ask("DELETE", f"{manage_path}?reason=another")

    assert first.status == second.status == 204
    gone = fetch(server, told, JSON)
    assert (gone.status, gone.json["code"], gone.json["reason"]) == (410, "revoked", "a mistake")
    assert server.ask("HEAD", path_of(server, told["url"])).status == 410
    assert server.ask("GET", manage_path, headers=JSON).json == then
    assert then["state"] == "revoked"
    assert then["revoked_at"]


def test_a_form_revokes_with_a_reason(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    manage_path = path_of(server, told["manage_url"])

    answer = server.ask("POST", f"{manage_path}/revoke", urlencode({"reason": "<b>"}).encode())

    assert (answer.status, answer.headers["location"]) == (303, manage_path)
    page = server.ask("GET", manage_path, headers=PAGE)
    assert "&lt;b&gt;" in page.text
    assert "Revoke for good" not in page.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/certificates/{NOWHERE}"),
        ("GET", f"/certificates/{NOWHERE}/certificate.pdf"),
        ("GET", "/certificates/x"),
        ("GET", f"/issued/{NOWHERE}"),
        ("DELETE", f"/issued/{NOWHERE}"),
        ("POST", f"/issued/{NOWHERE}/revoke"),
        ("GET", f"/verify/{NOWHERE}"),
        ("GET", f"/verify/{'0' * 26}"),
        ("GET", "/verify/%00"),
        ("GET", f"/verify/{'9' * 5000}"),
    ],
)
def test_what_is_unknown_is_told_alike(server: Server, method: str, path: str) -> None:
    answer = server.ask(method, path, headers=JSON)

    assert (answer.status, answer.json["detail"]) == (404, "There is no such certificate.")


def test_links_are_not_rights_to_each_other(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})

    for name in (told["id"], told["number"]):
        assert server.ask("GET", f"/issued/{name}").status == 404
        assert server.ask("DELETE", f"/issued/{name}").status == 404
    assert server.ask("GET", f"/certificates/{told['number']}").status == 404
    key = told["manage_url"].rpartition("/")[2]
    assert key not in server.ask("GET", f"/verify/{told['number']}", headers=JSON).text


def test_a_private_service_issues_for_its_own_and_shows_to_all(migrated: Path) -> None:
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as private:
        stranger = private.ask("POST", "/certificates/", order(), JSON | TYPED)
        mine = {"Authorization": f"Bearer {TOKEN}"}
        told = private.ask("POST", "/certificates/", order(), JSON | TYPED | mine).json

        assert stranger.status == 401
        assert fetch(private, told).status == 200
        assert private.ask("GET", path_of(private, told["verify_url"])).status == 200
        assert private.ask("POST", "/verify/", fetch(private, told).body).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Cookie": "fileservice_browser=x"},
    ],
)
def test_another_site_can_have_nothing_issued(server: Server, headers: dict[str, str]) -> None:
    for body, kind in ((b"name=Ada", FIELDS), (order(), TYPED)):
        assert server.ask("POST", "/certificates/", body, headers | kind).status == 403


def test_another_site_can_revoke_nothing(server: Server) -> None:
    told = issue(server, values={"name": "Ada"})
    manage_path = path_of(server, told["manage_url"])
    foreign = {"Sec-Fetch-Site": "cross-site"}

    assert server.ask("DELETE", manage_path, headers=foreign).status == 403
    assert server.ask("POST", f"{manage_path}/revoke", b"", foreign).status == 403
    assert fetch(server, told).status == 200


def test_a_browser_issues_by_the_form_and_sees_its_own_only(server: Server) -> None:
    home = server.ask("GET", "/", headers=PAGE)
    cookie = home.headers["set-cookie"].partition(";")[0]
    [token] = re.findall(r'formaction="/certificates/" name="csrf_token" value="(\w+)"', home.text)
    body = urlencode({"name": "Grace <Hopper>", "course": "", "csrf_token": token}).encode()
    browser = PAGE | {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}

    answer = server.ask("POST", "/certificates/", body, browser | FIELDS)

    assert answer.status == 303
    page = server.ask("GET", path_of(server, answer.headers["location"]), headers=browser)
    assert "Grace &lt;Hopper&gt;" in page.text
    assert "Grace &lt;Hopper&gt;" in server.ask("GET", "/", headers=browser).text
    assert "Grace &lt;Hopper&gt;" not in server.ask("GET", "/", headers=PAGE).text
    listed = server.ask("GET", "/", headers=JSON | {"Cookie": cookie}).json
    assert len(listed["certificates"]) == 1
