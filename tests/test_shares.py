"""Links with terms: who makes and ends them, and who gets what by them."""

import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body
from tests.conftest import Server, need_program, serving
from tests.rasters import read, shaped
from tests.shares import (
    JSON,
    PAGE,
    at,
    basic,
    cookie_of,
    make,
    path_of,
    rows,
    share,
    state_of,
)

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test
OWN = {"Authorization": f"Bearer {TOKEN}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def test_a_program_gets_the_file_by_the_link(server: Server) -> None:
    shared = share(server)

    answer = server.ask("GET", shared.path)

    assert (answer.status, answer.body) == (200, shared.content)
    assert answer.headers["content-disposition"].startswith('attachment; filename="notes.txt"')
    assert answer.headers["etag"] == f'"{hashlib.sha256(shared.content).hexdigest()}"'
    assert answer.headers["x-robots-tag"] == "noindex"


def test_curl_saves_the_file_under_its_name(server: Server, tmp_path: Path) -> None:
    shared = share(server, b"a report", "report 1.txt".replace(" ", "%20"))

    subprocess.run(
        [need_program("curl"), "-sSfOJ", server.url + shared.path],
        cwd=tmp_path,
        check=True,
        timeout=30,
    )

    assert (tmp_path / "report 1.txt").read_bytes() == b"a report"


def test_a_browser_gets_a_page_that_counts_nothing(server: Server) -> None:
    shared = share(server, max_downloads=3, expires="7d")

    answer = server.ask("GET", shared.path, headers=PAGE)

    assert answer.status == 200
    assert "notes.txt" in answer.text
    assert f'href="{server.url}{shared.path}/notes.txt"' in answer.text
    assert f'src="{server.url}{shared.path}/qr.svg"' in answer.text
    assert re.search(r"<dt>Downloads left</dt>\s*<dd>3</dd>", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert state_of(server, shared) == ("open", 0)


def test_a_program_is_told_what_is_behind_a_link(server: Server) -> None:
    shared = share(server, max_downloads=3)

    answer = server.ask("GET", shared.path, headers=JSON)

    assert answer.json == {
        "name": "notes.txt",
        "size": 12,
        "media_type": "text/plain",
        "sha256": hashlib.sha256(shared.content).hexdigest(),
        "expires_at": None,
        "downloads_left": 3,
        "url": f"{server.url}{shared.path}/notes.txt",
    }
    assert state_of(server, shared) == ("open", 0)


def test_ranges_conditionals_and_digests_are_as_of_any_download(server: Server) -> None:
    shared = share(server)
    tag = server.ask("HEAD", shared.path).headers["etag"]

    part = server.ask("GET", shared.path, headers={"Range": "bytes=5-"})
    fresh = server.ask("GET", shared.path, headers={"If-None-Match": tag})
    past = server.ask("GET", shared.path, headers={"Range": "bytes=99-"})
    shown = server.ask("GET", f"{shared.path}/notes.txt?inline=1")
    digest = server.ask("GET", shared.path, headers={"Want-Content-Digest": "sha-256=1"})

    assert (part.status, part.body) == (206, b"content")
    assert fresh.status == 304
    assert past.status == 416
    assert shown.headers["content-disposition"].startswith("inline")
    assert "content-digest" in digest.headers


def test_a_link_that_was_made_up_or_changed_is_no_link(server: Server) -> None:
    shared = share(server)
    code = shared.path.removeprefix("/s/")
    wrong = [code[:-1], code + "a", code.upper(), shared.id, "a" * 52, "%00", "é".encode().hex()]
    for at_ in range(len(code)):
        other = "a" if code[at_] != "a" else "b"
        wrong.append(code[:at_] + other + code[at_ + 1 :])

    with server.client() as client:
        answers = {client.ask("GET", f"/s/{each}").body for each in wrong}
        statuses = {client.ask("GET", f"/s/{each}/notes.txt").status for each in wrong}
        pictures = {client.ask("GET", f"/s/{each}/qr.svg").status for each in wrong}

    assert len(answers) == 1
    assert b"There is nothing behind this link" in answers.pop()
    assert statuses == pictures == {404}


def test_the_id_of_a_file_is_no_share_of_it(server: Server) -> None:
    shared = share(server)

    assert server.ask("GET", shared.file.replace("/files/", "/s/")).status == 404
    assert server.ask("GET", shared.path.replace("/s/", "/files/")).status == 404


ENDS = [
    ("revoked_at = created_at", "taken back"),
    ("expires_at = datetime('now', '-1 day')", "has passed"),
    ("max_downloads = 1, downloads = 1", "all of them have been made"),
]


@pytest.mark.parametrize(("change", "why"), ENDS)
def test_what_has_ended_says_why_to_everybody(server: Server, change: str, why: str) -> None:
    shared = share(server)
    rows(server, f"UPDATE fileservice_share SET {change} WHERE id = ?", shared.id)  # noqa: S608

    with server.client() as client:
        for method in ("GET", "HEAD"):
            for path in (shared.path, f"{shared.path}/notes.txt"):
                for headers in ({}, JSON, PAGE):
                    answer = client.ask(method, path, headers=headers)
                    assert answer.status == 410
                    assert method == "HEAD" or why in answer.text


@pytest.mark.parametrize(("days", "status"), [(-1, 410), (1, 200)])
def test_an_expiry_is_a_moment(server: Server, days: int, status: int) -> None:
    shared = share(server)
    moment = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days)
    rows(server, "UPDATE fileservice_share SET expires_at = ? WHERE id = ?", str(moment), shared.id)

    assert server.ask("GET", shared.path).status == status


def test_a_share_ends_with_its_file(server: Server) -> None:
    shared = share(server)
    assert server.ask("GET", shared.path).status == 200

    assert server.ask("DELETE", shared.keep).status == 204

    assert server.ask("GET", shared.path).status == 404
    assert rows(server, "SELECT * FROM fileservice_share WHERE id = ?", shared.id) == []
    assert rows(server, "SELECT * FROM fileservice_lease WHERE share_id = ?", shared.id) == []


def test_a_share_gives_out_what_is_restricted(server: Server) -> None:
    shared = share(server)
    id = shared.file.split("/")[2]
    rows(server, "UPDATE fileservice_file SET restricted = 1 WHERE id = ?", id)

    assert server.ask("GET", shared.path).body == shared.content


@pytest.mark.parametrize(
    ("state", "status"), [("unscanned", 503), ("infected", 403), ("withheld", 403)]
)
def test_a_share_gives_out_only_what_is_ready(server: Server, state: str, status: int) -> None:
    shared = share(server)
    id = shared.file.split("/")[2]
    rows(server, "UPDATE fileservice_file SET state = ? WHERE id = ?", state, id)

    assert server.ask("GET", shared.path).status == status
    assert server.ask("GET", shared.path, headers=PAGE).status == status
    assert state_of(server, shared) == ("open", 0)


def test_whoever_has_the_link_to_keep_makes_lists_changes_and_revokes(server: Server) -> None:
    shared = share(server, note="for Ada", max_downloads=2, expires="12h", password="secret")

    told = server.ask("GET", shared.manage, headers=JSON).json
    listed = server.ask("GET", f"{shared.keep}/shares", headers=JSON).json["shares"]
    changes = json.dumps({"max_downloads": None, "note": "", "password": None}).encode()
    changed = server.ask("PATCH", shared.manage, changes, {"Content-Type": "application/json"})
    revoked = server.ask("DELETE", shared.manage)

    assert listed == [told]
    assert told["url"] == server.url + shared.path
    assert told["has_password"] is True
    assert (told["note"], told["max_downloads"], told["downloads"]) == ("for Ada", 2, 0)
    lasts = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(told["created_at"])
    assert timedelta(hours=11.9) < lasts < timedelta(hours=12.1)
    assert changed.status == 200
    assert changed.json | {"expires_at": None} == told | {
        "max_downloads": None,
        "note": "",
        "has_password": False,
        "expires_at": None,
    }
    assert changed.json["expires_at"] == told["expires_at"]
    assert revoked.status == 204
    assert server.ask("GET", shared.path).status == 410
    assert server.ask("GET", shared.manage, headers=JSON).json["state"] == "revoked"


def test_without_the_link_to_keep_nobody_does(server: Server) -> None:
    shared, other = share(server), share(server)
    stranger = f"/uploads/{'a' * 26}/shares"
    given = f"/uploads/{shared.file.split('/')[2]}/shares"
    elsewhere = f"{other.keep}/shares/{shared.id}"

    with server.client() as client:
        for path in (stranger, given):
            assert client.ask("GET", path).status == 404
            assert client.ask("POST", path, b"").status == 404
        for path in (f"{stranger}/{shared.id}", f"{given}/{shared.id}", elsewhere):
            for method in ("GET", "PATCH", "POST", "DELETE"):
                assert client.ask(method, path, b"").status == 404
            assert client.ask("POST", f"{path}/revoke", b"").status == 404
    assert state_of(server, shared) == ("open", 0)


def test_a_page_makes_and_revokes_a_share_without_scripts(server: Server) -> None:
    shared = share(server, note="<b>first</b>")
    fields = form(expires="7d", max_downloads="", password="", note="for Ada")

    made = server.ask("POST", f"{shared.keep}/shares", fields, PAGE | FORM)
    page = server.ask("GET", shared.keep, headers=PAGE).text
    revoked = server.ask("POST", f"{shared.manage}/revoke", b"", PAGE | FORM)

    assert (made.status, path_of(made.headers["location"])) == (303, shared.keep)
    assert page.count("/s/") >= 4
    assert "for Ada" in page
    assert "&lt;b&gt;first" in page
    assert (revoked.status, path_of(revoked.headers["location"])) == (303, shared.keep)
    assert state_of(server, shared)[0] == "revoked"


def test_a_terminal_is_told_the_link_alone(server: Server) -> None:
    shared = share(server)

    made = server.ask("POST", f"{shared.keep}/shares", form(expires="1d"), FORM)
    listed = server.ask("GET", f"{shared.keep}/shares").text

    assert made.status == 201
    assert server.ask("GET", path_of(made.text.strip())).body == shared.content
    assert made.headers["location"] == made.text.strip()
    assert len(listed.splitlines()) == 2


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_can_share_and_revoke_nothing(server: Server, headers: dict[str, str]) -> None:
    shared = share(server)

    asked = [
        server.ask("POST", f"{shared.keep}/shares", b"", headers),
        server.ask("PATCH", shared.manage, b"", headers),
        server.ask("DELETE", shared.manage, headers=headers),
        server.ask("POST", f"{shared.manage}/revoke", b"", headers),
        server.ask("POST", shared.path, b"", headers),
    ]

    assert [answer.status for answer in asked] == [403] * 5
    assert state_of(server, shared) == ("open", 0)


BAD_TERMS: list[dict[str, object]] = [
    {"expires": "yesterday"},
    {"expires": "2020-01-01"},
    {"expires": "0d"},
    {"expires": "9999d"},
    {"expires": "999999w"},
    {"expires": "2027-13-01"},
    {"max_downloads": 0},
    {"max_downloads": -1},
    {"max_downloads": "1.5"},
    {"max_downloads": "\u0661"},
    {"max_downloads": 1_000_001},
    {"max_downloads": 10**4000},
    {"max_downloads": True},
    {"max_downloads": [1]},
    {"note": "x" * 256},
    {"note": "two\nlines"},
    {"note": "\u202e"},
    {"password": "x" * 1025},
    {"owner": "me"},
]


def test_terms_that_cannot_be_are_refused_in_words(server: Server) -> None:
    keep = share(server).keep

    for terms in BAD_TERMS:
        answer = make(server, keep, **terms)
        assert (answer.status, answer.json["code"]) == (400, "bad_request"), terms
        assert len(answer.json["detail"]) > 20
    assert len(server.ask("GET", f"{keep}/shares", headers=JSON).json["shares"]) == 1


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(server: Server, body: bytes) -> None:
    keep = share(server).keep

    answer = server.ask("POST", f"{keep}/shares", body, {"Content-Type": "application/json"})

    assert answer.status == 400


def test_a_day_counts_to_its_end_and_a_moment_is_of_utc(server: Server) -> None:
    keep = share(server).keep
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()

    day = make(server, keep, expires=str(tomorrow)).json["expires_at"]
    moment = make(server, keep, expires=f"{tomorrow}T12:00:00+02:00").json["expires_at"]

    assert day == f"{tomorrow + timedelta(days=1)}T00:00:00+00:00"
    assert moment == f"{tomorrow}T10:00:00+00:00"


def test_one_thing_has_a_bounded_number_of_shares(server: Server) -> None:
    shared = share(server)
    with server.client() as client:
        statuses = [client.ask("POST", f"{shared.keep}/shares", b"").status for _ in range(100)]
        client.ask("DELETE", shared.manage)
        after = client.ask("POST", f"{shared.keep}/shares", b"").status

    assert statuses == [201] * 99 + [422]
    assert after == 201


def test_what_was_done_is_on_record_with_who_did_it(server: Server) -> None:
    shared = share(server)
    server.ask("PATCH", shared.manage, form(note="x"), FORM)
    server.ask("GET", shared.path, headers=at(7))
    server.ask("GET", shared.path, headers=at(7))
    server.ask("DELETE", shared.manage)
    server.ask("DELETE", shared.manage)

    found = rows(
        server,
        "SELECT act, name, sha256, address FROM fileservice_auditentry"
        " WHERE object = ? ORDER BY id",
        shared.id,
    )

    digest = hashlib.sha256(shared.content).hexdigest()
    assert found == [
        ("share.make", "notes.txt", digest, "127.0.0.1"),
        ("share.change", "notes.txt", digest, "127.0.0.1"),
        ("share.download", "notes.txt", digest, "198.51.100.7"),
        ("share.revoke", "notes.txt", digest, "127.0.0.1"),
    ]


def test_a_password_is_asked_for_before_anything_is_told(server: Server) -> None:
    shared = share(server, name="secret%20plan.txt", password="open sesame")

    text = server.ask("GET", shared.path)
    known = server.ask("GET", shared.path, headers=JSON)
    head = server.ask("HEAD", f"{shared.path}/x")
    page = server.ask("GET", shared.path, headers=PAGE)
    direct = server.ask("GET", f"{shared.path}/x", headers=PAGE)

    assert (text.status, known.status, head.status) == (401, 401, 401)
    assert known.json["code"] == "password_needed"
    assert text.headers["www-authenticate"] == 'Basic realm="share", charset="UTF-8"'
    assert (page.status, direct.status) == (200, 200)
    assert "www-authenticate" not in page.headers
    for answer in (text, known, page, direct):
        assert "plan" not in answer.text
        assert hashlib.sha256(shared.content).hexdigest() not in answer.text
    assert state_of(server, shared) == ("open", 0)


def guess_until_paused(server: Server, method: str, *request: Any, **more: Any) -> Answer:
    """Guess until it takes too long for the next one to come after the pause."""
    answers = [server.ask(method, *request, **more) for _ in range(6)]
    return next(answer for answer in answers if answer.status == 429)


def test_curl_shows_the_password_by_basic(server: Server) -> None:
    shared = share(server, password="p\u00e4ss:word")

    wrong = server.ask("GET", shared.path, headers=basic("another") | at(1))
    early = guess_until_paused(server, "GET", shared.path, headers=basic("another") | at(1))
    paused = server.ask("GET", shared.path, headers=basic("p\u00e4ss:word") | at(1))
    right = server.ask("GET", shared.path, headers=basic("p\u00e4ss:word") | at(2))

    assert (wrong.status, early.status, paused.status) == (401, 429, 429)
    assert 1 <= int(early.headers["retry-after"]) <= 33
    assert (right.status, right.body) == (200, shared.content)


def test_a_browser_shows_the_password_by_a_form_once(server: Server) -> None:
    shared = share(server, password="open sesame")
    other = share(server, password="open sesame")

    wrong = server.ask("POST", shared.path, form(password="x"), PAGE | FORM | at(3))
    sender = PAGE | FORM | at(3)
    early = guess_until_paused(server, "POST", shared.path, form(password="x"), sender)
    right = server.ask("POST", shared.path, form(password="open sesame"), PAGE | FORM | at(4))
    cookie = cookie_of(right)
    page = server.ask("GET", shared.path, headers=PAGE | cookie)
    file = server.ask("GET", f"{shared.path}/notes.txt", headers=PAGE | cookie)
    elsewhere = server.ask("GET", f"{other.path}/notes.txt", headers=cookie)

    assert (wrong.status, early.status) == (403, 429)
    assert "not the password" in wrong.text
    assert 'type="password"' in wrong.text
    assert "retry-after" in early.headers
    assert (right.status, right.headers["location"]) == (303, shared.path)
    given = right.headers["set-cookie"]
    assert f"Path={shared.path}" in given
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    assert "open" not in given
    assert "notes.txt" in page.text
    assert file.body == shared.content
    assert elsewhere.status == 401


def test_a_cookie_is_good_for_the_password_that_was_shown(server: Server) -> None:
    shared = share(server, password="first")
    cookie = cookie_of(server.ask("POST", shared.path, form(password="first"), PAGE | FORM))
    assert server.ask("GET", shared.path, headers=cookie).status == 200

    server.ask("PATCH", shared.manage, form(password="second"), FORM)

    assert server.ask("GET", shared.path, headers=cookie).status == 401
    assert server.ask("GET", shared.path, headers=basic("second")).status == 200


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    """Give a private service, that is reached by TLS, with a token."""
    with serving(migrated, ACCESS="private", TOKEN=TOKEN, SECURE_COOKIES="yes") as running:
        yield running


def test_a_password_is_neither_in_the_log_nor_in_the_database(private: Server) -> None:
    shared = share(private, as_who=OWN, password="planted-password-1")
    private.ask("GET", shared.path, headers=basic("planted-password-1"))
    private.ask("GET", shared.path, headers=basic("planted-password-2"))
    private.ask("POST", shared.path, form(password="planted-password-3"), FORM | at(1))
    log = wait_for_log(private, f"{shared.id} from 127.0.0.1.")
    database = b"".join(path.read_bytes() for path in private.root.glob("fileservice.sqlite3*"))

    assert "planted-password" not in log
    assert b"planted-password" not in database
    assert b"scrypt$16384$8$5$" in database


def test_a_share_of_a_private_service_is_for_whoever_has_its_link(private: Server) -> None:
    shared = share(private, as_who=OWN)

    for headers in ({}, OWN, {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}):
        assert private.ask("GET", shared.path, headers=headers).body == shared.content, headers
    assert private.ask("GET", shared.path, headers=JSON).status == 200
    assert private.ask("GET", shared.path, headers=PAGE).status == 200


def test_a_token_is_no_password_of_a_share(private: Server) -> None:
    shared = share(private, as_who=OWN, password="open sesame")

    by_token = private.ask("GET", shared.path, headers=OWN)
    as_password = private.ask("GET", shared.path, headers=basic(TOKEN) | at(1))
    revoked = private.ask("GET", shared.path, headers=basic("fs_" + "A" * 43) | at(2))
    right = private.ask("GET", shared.path, headers=basic("open sesame"))

    assert (by_token.status, as_password.status, revoked.status) == (401, 401, 401)
    assert (right.status, right.body) == (200, shared.content)


def test_a_parcel_is_shared_as_one_zip_file(private: Server) -> None:
    parts = [field_part(b"restricted", b"1"), file_part(b"a.txt", b"one"), file_part(b"b", b"two")]
    sent = private.ask("POST", "/parcels/", form_body(*parts), {**JSON, **OWN, **FORM_TYPE}).json
    key = sent["manage_url"].rpartition("/")[2]
    terms = {"max_downloads": 1, "password": "open sesame"}
    shared = make(private, f"/uploads/{key}", **terms).json
    path, right = path_of(shared["url"]), basic("open sesame")

    known = private.ask("GET", path, headers=JSON | right).json
    whole = private.ask("GET", path, headers=right)
    rest = private.ask("GET", path, headers=right | {"Range": "bytes=9-"})
    other = private.ask("GET", path, headers=right | at(1))
    page = private.ask("GET", f"/parcels/{key}", headers=PAGE).text
    revoked = private.ask("POST", f"{path_of(shared['manage_url'])}/revoke", b"", PAGE | FORM)

    assert sent["restricted"] is True
    with zipfile.ZipFile(io.BytesIO(whole.body)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.txt": b"one",
            "b": b"two",
        }
    assert (known["name"], known["media_type"]) == (f"{sent['name']}.zip", "application/zip")
    assert (rest.status, rest.body) == (206, whole.body[9:])
    assert other.status == 410
    assert shared["url"] in page
    assert f'action="{private.url}/uploads/{key}/shares"' in page
    assert (revoked.status, revoked.headers["location"]) == (303, f"/parcels/{key}#shares")
    assert private.ask("DELETE", f"/parcels/{key}").status == 204
    assert private.ask("GET", path, headers=right).status == 404


def test_cookies_are_for_https_alone_where_the_operator_says_so(private: Server) -> None:
    shared = share(private, as_who=OWN, password="open sesame")

    unlocked = private.ask("POST", shared.path, form(password="open sesame"), PAGE | FORM)
    page = private.ask("GET", shared.path, headers=PAGE | cookie_of(unlocked))

    assert "; Secure" in unlocked.headers["set-cookie"]
    assert "; Secure" in page.headers["set-cookie"]


def wait_for_log(server: Server, line: str) -> str:
    """Return the log once a line is in it."""
    for _ in range(200):
        log = server.log.read_text()
        if line in log:
            return log
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.05)
    raise AssertionError(server.log.read_text())


def test_the_link_is_there_as_a_picture(server: Server) -> None:
    shared = share(server)

    svg = server.ask("GET", f"{shared.path}/qr.svg")
    png = server.ask("GET", f"{shared.path}/qr.png")

    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.body.startswith(b"<svg")
    assert png.headers["content-type"] == "image/png"
    drawn = Image.open(io.BytesIO(png.body)).convert("L")
    [(text, _)] = read(shaped(drawn.tobytes(), *drawn.size))
    assert text == server.url + shared.path
    assert state_of(server, shared) == ("open", 0)


@pytest.mark.parametrize("name", ["qr.png", "qr.svg"])
def test_a_file_that_is_called_like_the_picture_is_given_out(server: Server, name: str) -> None:
    shared = share(server, b"mine", name)

    url = server.ask("GET", shared.path, headers=JSON).json["url"]
    answer = server.ask("GET", path_of(url))

    assert answer.body == b"mine"
    assert f'filename="{name}"' in answer.headers["content-disposition"]


@pytest.mark.long
def test_links_outlive_a_change_of_the_secret_key(migrated: Path) -> None:
    old, new = "k" * 48, "n" * 48
    with serving(migrated, ACCESS="open", SECRET_KEY=old) as server:
        shared = share(server, password="first")
        cookie = cookie_of(server.ask("POST", shared.path, form(password="first"), PAGE | FORM))
        for name in ("fileservice.sqlite3", "fileservice.sqlite3-wal"):
            content = (server.root / name).read_bytes()
            (migrated.parent / f"rotated-{name}").write_bytes(content)
        blobs = {path.relative_to(server.root): path.read_bytes() for path in server.stored()}

    def under(*keys: str) -> tuple[int, int, str]:
        """Return how the old link is answered, by password and cookie, and the link now."""
        options = dict(zip(("SECRET_KEY", "OLD_SECRET_KEY"), keys, strict=False))
        with serving(rotated_root(migrated, blobs), ACCESS="open", **options) as server:
            by_password = server.ask("GET", shared.path, headers=basic("first")).status
            by_cookie = server.ask("GET", shared.path, headers=cookie).status
            url = server.ask("GET", shared.manage, headers=JSON).json["url"]
            assert server.ask("GET", path_of(url), headers=basic("first")).status == 200
            return by_password, by_cookie, path_of(url)

    both = under(new, old)
    assert both[:2] == (200, 200)
    assert both[2] != shared.path
    assert under(new) == (404, 404, both[2])


def rotated_root(migrated: Path, blobs: dict[Path, bytes]) -> Path:
    """Return a copy of what the service had."""
    root = migrated.parent / "rotated"
    for path, content in blobs.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    for name in ("fileservice.sqlite3", "fileservice.sqlite3-wal"):
        (root / name).write_bytes((migrated.parent / f"rotated-{name}").read_bytes())
    return root
