"""Several files given away together, and as one ZIP file, over sockets."""

import base64
import hashlib
import io
import os
import random
import socket
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fileservice import entries
from fileservice.http.parcelorders import LARGEST_PARCEL_PARTS
from tests.client import (
    FORM_TYPE,
    Answer,
    FormPart,
    field_part,
    file_part,
    form_body,
)
from tests.conftest import Server, manage, need_program, serving

JSON = {"Accept": "application/json"}
OF_JSON = {**JSON, "Content-Type": "application/json"}
SMALL = [("a.txt", b"one"), ("photos/b.jpg", b"\xff\xd8two"), ("photos/empty", b"")]


@pytest.fixture(scope="module")
def own(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="open") as running:
        yield running


def sent(server: Server, *parts: FormPart, path: str = "/parcels/") -> Answer:
    return server.ask("POST", path, form_body(*parts), {**JSON, **FORM_TYPE})


def path_of(url: str) -> str:
    return urlsplit(url).path


def made(server: Server, files: list[tuple[str, bytes]], **fields: str) -> dict[str, str]:
    """Make a parcel of files with paths and return its JSON."""
    parts = [field_part(name.encode(), value.encode()) for name, value in fields.items()]
    for path, content in files:
        parts += [field_part(b"path", path.encode()), file_part(b"x", content)]
    answer = sent(server, *parts)
    assert answer.status == 201, answer.text
    parcel: dict[str, str] = answer.json
    return parcel


def zipped(server: Server, parcel: dict[str, str]) -> Answer:
    return server.ask("GET", path_of(parcel["zip_url"]))


def content_of(archive: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return [(name, opened.read(name)) for name in opened.namelist()]


def key_of(parcel: dict[str, str]) -> str:
    return parcel["manage_url"].rpartition("/")[2]


def looked_at(server: Server, link: str) -> list[dict[str, str]]:
    files: list[dict[str, str]] = server.ask("GET", path_of(link), headers=JSON).json["files"]
    return files


def listed(server: Server, link: str) -> list[str]:
    return [file["path"] for file in looked_at(server, link)]


def test_files_of_a_form_become_a_parcel_with_one_link(own: Server) -> None:
    parcel = made(own, SMALL, name="Trip")

    answer = zipped(own, parcel)

    assert path_of(parcel["zip_url"]).endswith("/Trip.zip")
    assert content_of(answer.body) == SMALL
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="Trip.zip"'
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["accept-ranges"] == "bytes"
    for file in own.ask("GET", path_of(parcel["url"]), headers=JSON).json["files"]:
        assert own.ask("GET", path_of(file["url"])).body == dict(SMALL)[file["path"]]
        assert "manage_url" not in file


def test_a_terminal_gets_the_link_to_give_away_and_a_browser_the_link_to_keep(own: Server) -> None:
    body = form_body(file_part(b"a.txt", b"one"))

    terminal = own.ask("POST", "/parcels/", body, FORM_TYPE)
    browser = own.ask("POST", "/parcels/", body, {**FORM_TYPE, "Accept": "text/html"})

    assert terminal.text == terminal.headers["location"] + "\n"
    keep = terminal.headers["link"].partition(">")[0].removeprefix("<")
    assert listed(own, keep) == ["a.txt"]
    assert browser.status == 303
    page = own.ask("GET", path_of(browser.headers["location"]), headers={"Accept": "text/html"})
    assert "webkitdirectory" in page.text
    page = own.ask("GET", path_of(terminal.headers["location"]), headers={"Accept": "text/html"})
    assert "a.txt" in page.text
    assert "webkitdirectory" not in page.text
    facts = own.ask("GET", path_of(terminal.headers["location"])).text
    assert "count: 1\n" in facts
    assert facts.endswith(" 3 a.txt\n")


def test_the_archive_is_the_same_each_time_and_changes_with_what_is_in_it(own: Server) -> None:
    parcel = made(own, SMALL)
    first, second = zipped(own, parcel), zipped(own, parcel)
    again = own.ask(
        "GET", path_of(parcel["zip_url"]), headers={"If-None-Match": first.headers["etag"]}
    )
    head = own.ask("HEAD", path_of(parcel["zip_url"]))

    removed = own.ask("DELETE", f"/parcels/{key_of(parcel)}/photos/b.jpg")

    assert first.body == second.body
    assert first.headers["etag"] == second.headers["etag"] == head.headers["etag"]
    assert head.headers["content-length"] == str(len(first.body))
    assert (again.status, again.body) == (304, b"")
    assert removed.status == 204
    third = zipped(own, parcel)
    assert third.headers["etag"] != first.headers["etag"]
    assert content_of(third.body) == [SMALL[0], SMALL[2]]
    old = {"If-Range": first.headers["etag"], "Range": "bytes=5-"}
    assert own.ask("GET", path_of(parcel["zip_url"]), headers=old).status == 200
    held = own.ask("GET", path_of(parcel["zip_url"]), headers={"If-Match": first.headers["etag"]})
    assert held.status == 412


@pytest.mark.parametrize("field", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
def test_no_date_tells_of_an_archive(own: Server, field: str) -> None:
    parcel = made(own, SMALL)
    whole = zipped(own, parcel)
    assert "last-modified" not in whole.headers
    for date in (whole.headers["date"], "Thu, 01 Jan 1970 00:00:00 GMT"):
        headers = {field: date, "Range": "bytes=0-3"}
        answer = own.ask("GET", path_of(parcel["zip_url"]), headers=headers)

        assert answer.status == (200 if field == "If-Range" else 206)


def test_any_range_is_that_of_the_whole(own: Server) -> None:
    generator = random.Random(3)  # noqa: S311 - places to look at
    files = [("small", b"x" * 70), ("big", os.urandom(900_000)), ("last", os.urandom(70_000))]
    parcel = made(own, files)
    whole = zipped(own, parcel).body
    with own.client() as client:
        for _ in range(100):
            start = generator.randrange(len(whole))
            stop = generator.randrange(start, len(whole)) + 1
            answer = client.ask(
                "GET",
                path_of(parcel["zip_url"]),
                headers={"Range": f"bytes={start}-{stop - 1}"},
            )
            assert answer.status == 206
            assert answer.body == whole[start:stop]
            assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
        several = client.ask(
            "GET", path_of(parcel["zip_url"]), headers={"Range": "bytes=0-9,800000-800009,-5"}
        )
        beyond = client.ask(
            "GET", path_of(parcel["zip_url"]), headers={"Range": f"bytes={len(whole)}-"}
        )

    assert several.headers["content-type"].startswith("multipart/byteranges")
    for part in (whole[:10], whole[800000:800010], whole[-5:]):
        assert b"\r\n\r\n" + part + b"\r\n--" in several.body
    assert several.headers["content-length"] == str(len(several.body))
    assert beyond.status == 416


def test_other_programs_find_nothing_wrong(own: Server, tmp_path: Path) -> None:
    files = [("Żółć/張.txt", b"one"), ("big", os.urandom(3_000_000)), ("empty", b"")]
    parcel = made(own, files)
    target = tmp_path / "a.zip"
    subprocess.run([need_program("curl"), "-sfo", target, parcel["zip_url"]], check=True)

    for program in (["unzip", "-tq"], ["zip", "-T"]):
        command = [need_program(program[0]), *program[1:], str(target)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
    subprocess.run([need_program("unzip"), "-q", target, "-d", tmp_path / "out"], check=True)
    for path, content in files:
        assert (tmp_path / "out" / path).read_bytes() == content


def test_curl_goes_on_with_an_archive_that_broke_off(own: Server, tmp_path: Path) -> None:
    generator = random.Random(5)  # noqa: S311 - places to break off at
    parcel = made(own, [(f"{n}/file", os.urandom(400_000)) for n in range(5)])
    whole, target = zipped(own, parcel).body, tmp_path / "a.zip"
    for _ in range(5):
        target.write_bytes(whole[: generator.randrange(len(whole))])
        command = [need_program("curl"), "-sf", "-C", "-", "-o", str(target), parcel["zip_url"]]

        subprocess.run(command, check=True)

        assert target.read_bytes() == whole


def test_a_file_deleted_during_a_download_cuts_it(own: Server) -> None:
    # More than the sockets between hold: the last file is not read before it is gone.
    parcel = made(own, [("a", bytes(30 << 20)), ("b", b"b" * 1000)])
    with socket.create_connection(own.address, 30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        target = path_of(parcel["zip_url"])
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = len(connection.recv(100))
        assert own.ask("DELETE", f"/parcels/{key_of(parcel)}/b").status == 204
        while block := connection.recv(1 << 20):
            received += len(block)

    assert 30 << 20 < received < (30 << 20) + 1000
    assert content_of(zipped(own, parcel).body) == [("a", bytes(30 << 20))]


def test_a_bare_body_becomes_a_file_of_the_parcel(own: Server) -> None:
    parcel = made(own, [])

    first = own.ask("PUT", f"/parcels/{key_of(parcel)}/deep/er/a%20b.txt", b"one", JSON)
    again = own.ask("PUT", f"/parcels/{key_of(parcel)}/deep/er/a%20b.txt", b"two", JSON)
    by_id = own.ask("PUT", f"{path_of(parcel['url'])}/c.txt", b"three", JSON)

    assert [answer.status for answer in (first, again, by_id)] == [201, 201, 404]
    assert again.json["files"][0]["name"] == "a b (2).txt"
    assert content_of(zipped(own, parcel).body) == [
        ("deep/er/a b (2).txt", b"two"),
        ("deep/er/a b.txt", b"one"),
    ]


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        (["a.txt"], "a.txt", "a (2).txt"),
        (["a.txt", "a (2).txt", "a (3).txt"], "a.txt", "a (4).txt"),
        (["a"], "a/b", "a (2)/b"),
        (["a", "a (2)/b"], "a/c", "a (2)/c"),
        (["a", "a (2)/b"], "a/b", "a (2)/b (2)"),
        (["a/b"], "a", "a (2)"),
        (["a/b", "a (2)/b"], "a", "a (3)"),
        (["a/b"], "a/c", "a/c"),
        (["a-b/c", "a0"], "a", "a"),
        (["x" * 255], "x" * 255, "x" * 251 + " (2)"),
    ],
)
def test_no_file_has_the_path_of_another_or_of_a_folder(
    own: Server, before: list[str], path: str, after: str
) -> None:
    parcel = made(own, [(each, b"x") for each in before])

    own.ask("PUT", f"/parcels/{key_of(parcel)}/{path.replace(' ', '%20')}", b"y")

    assert set(listed(own, parcel["url"])) == {*before, after}


@pytest.mark.parametrize("path", ["../a", "a/../../b", "%2e%2e/a", "a//b", "a%5cb", "/etc", "a%00"])
def test_a_path_that_leads_elsewhere_is_refused_at_every_door(own: Server, path: str) -> None:
    parcel = made(own, [])
    raw = path.replace("%5c", "\\").replace("%00", "\x01")
    put = own.ask("PUT", f"/parcels/{key_of(parcel)}/{path}", b"x", JSON)
    as_field = [field_part(b"path", raw.encode()), file_part(b"x", b"x")]
    field = sent(own, *as_field, path=f"/parcels/{key_of(parcel)}")
    name = sent(own, file_part(raw.encode(), b"x"), path=f"/parcels/{key_of(parcel)}")
    tus = begun_by_tus(own, parcel, {"path": raw.encode()}, b"x")

    assert [answer.status for answer in (put, field, name, tus)] == [400] * 4
    assert listed(own, parcel["url"]) == []


def test_the_name_of_a_file_may_have_the_folders_that_a_browser_sends(own: Server) -> None:
    answer = sent(own, file_part(b"holiday/day 1/a.jpg", b"one"), file_part(b"b.jpg", b"two"))

    assert [file["path"] for file in answer.json["files"]] == ["b.jpg", "holiday/day 1/a.jpg"]


def test_files_that_are_here_are_put_in_by_their_links_to_keep(own: Server) -> None:
    files = [
        own.ask("PUT", f"/files/{name}", name.encode(), JSON).json["files"][0]
        for name in ("a.txt", "b.txt", "b.txt")
    ]
    keys = [files[0]["manage_url"], path_of(files[1]["manage_url"])]
    body = '{"name": "two", "files": ["%s", "%s"]}' % (*keys,)  # noqa: UP031 - braces of JSON

    parcel = own.ask("POST", "/parcels/", body.encode(), OF_JSON).json
    form = f"file={files[2]['manage_url']}&file={keys[0]}".encode()
    added = own.ask(
        "POST",
        f"/parcels/{key_of(parcel)}/",
        form,
        {**JSON, "Content-Type": "application/x-www-form-urlencoded"},
    )

    assert added.status == 201, added.text
    assert listed(own, parcel["url"]) == ["a.txt", "b (2).txt", "b.txt"]
    assert own.ask("GET", path_of(files[0]["url"])).body == b"a.txt"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"files": ["/uploads/aaaaaaaaaaaaaaaaaaaaaaaaaa"]}', "not_found"),
        ('{"files": ["https://other.example/uploads/aaaaaaaaaaaaaaaaaaaaaaaaaa"]}', "bad_request"),
        ('{"files": ["/files/aaaaaaaaaaaaaaaaaaaaaaaaaa"]}', "bad_request"),
        ('{"files": "a"}', "bad_request"),
        ('{"files": [1]}', "bad_request"),
        ('{"other": 1}', "bad_request"),
        ('{"restricted": "yes"}', "bad_request"),
        ('{"name": 1}', "bad_request"),
        ("[]", "bad_request"),
        ("{", "bad_request"),
        ("[" * 100_000, "bad_request"),
        ('{"name": "a/b"}', "bad_name"),
        ('{"expires_at": "soon"}', "bad_value"),
        ('{"expires_at": "2020-01-01T00:00:00Z"}', "bad_value"),
    ],
)
def test_what_is_no_order_makes_no_parcel(own: Server, body: str, code: str) -> None:
    before = count(own, "fileservice_parcel")

    answer = own.ask("POST", "/parcels/", body.encode(), OF_JSON)

    assert answer.json["code"] == code
    assert count(own, "fileservice_parcel") == before


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ("application/x-www-form-urlencoded", b"name=a&name=b", 400),
        ("application/x-www-form-urlencoded", b"name=%ff", 400),
        ("application/x-www-form-urlencoded", b"restricted=perhaps", 422),
        ("application/x-www-form-urlencoded", b"file=x&" * 10_010, 400),
    ],
)
def test_other_bodies_are_refused(own: Server, kind: str, body: bytes, status: int) -> None:
    answer = own.ask("POST", "/parcels/", body, {**JSON, "Content-Type": kind})

    assert answer.status == status


def count(server: Server, table: str) -> int:
    with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as connection:
        [number] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    found: int = number
    return found


def changed(server: Server, sql: str, *values: object) -> None:
    with (
        closing(sqlite3.connect(server.root / "fileservice.sqlite3", timeout=30)) as connection,
        connection,
    ):
        connection.execute(sql, values)


def begun_by_tus(
    server: Server, parcel: dict[str, str], more: dict[str, bytes], content: bytes | None = None
) -> Answer:
    pairs = {"parcel": key_of(parcel).encode(), "filename": b"name.txt", **more}
    metadata = ",".join(f"{name} {base64.b64encode(v).decode()}" for name, v in pairs.items())
    headers = {
        **JSON,
        "Tus-Resumable": "1.0.0",
        "Upload-Metadata": metadata,
        "Upload-Length": "5",
    }
    if content is not None:
        headers |= {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Length": str(len(content)),
        }
    return server.ask("POST", "/files/", content, headers)


def patched(server: Server, link: str, offset: int, content: bytes) -> Answer:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    return server.ask("PATCH", path_of(link), content, headers)


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({}, "name.txt"),
        ({"path": b"a/b.txt"}, "a/b.txt"),
        ({"relativePath": b"c/d.txt"}, "c/d.txt"),
        ({"relativePath": b"null"}, "name.txt"),
    ],
)
def test_an_upload_by_tus_becomes_a_file_of_the_parcel(
    own: Server, more: dict[str, bytes], path: str
) -> None:
    parcel = made(own, [(path, b"there")])
    begun_by_tus(own, parcel, more, b"whole")

    link = begun_by_tus(own, parcel, more).headers["location"]
    patched(own, link, 0, b"he")
    assert patched(own, link, 2, b"llo").status == 204

    contents = dict(content_of(zipped(own, parcel).body))
    assert contents[path] == b"there"
    assert sorted(contents.values()) == [b"hello", b"there", b"whole"]


def test_an_upload_to_a_parcel_that_is_deleted_ends(own: Server) -> None:
    parcel = made(own, [])
    link = begun_by_tus(own, parcel, {}).headers["location"]
    patched(own, link, 0, b"he")

    assert own.ask("DELETE", f"/parcels/{key_of(parcel)}").status == 204

    assert patched(own, link, 2, b"llo").status == 410
    assert begun_by_tus(own, parcel, {}).status == 404


def test_a_deleted_parcel_is_gone_with_its_files(own: Server) -> None:
    stored = len(own.stored())
    parcel = made(own, [*SMALL, *((f"many/{n}", b"x") for n in range(120))])
    file = own.ask("GET", path_of(parcel["url"]), headers=JSON).json["files"][0]

    by_id = own.ask("DELETE", path_of(parcel["url"]))
    deleted = own.ask("DELETE", f"/parcels/{key_of(parcel)}")
    again = own.ask("DELETE", f"/parcels/{key_of(parcel)}")

    assert [answer.status for answer in (by_id, deleted, again)] == [404, 204, 404]
    for link in (parcel["url"], parcel["manage_url"], parcel["zip_url"], file["url"]):
        assert own.ask("GET", path_of(link)).status == 404
    assert len(own.stored()) == stored
    acts = [act for act, _ in acts_on(own, parcel["id"])]
    assert acts == ["parcel.make", "parcel.delete"]


def acts_on(server: Server, id: str) -> list[tuple[str, str]]:
    sql = "SELECT act, name FROM fileservice_auditentry WHERE object = ? ORDER BY id"
    with closing(sqlite3.connect(server.root / "fileservice.sqlite3")) as connection:
        return connection.execute(sql, (id,)).fetchall()


def test_a_form_deletes_a_parcel_too(own: Server) -> None:
    parcel = made(own, SMALL)

    foreign = own.ask(
        "POST", f"/parcels/{key_of(parcel)}/delete", b"", {"Origin": "https://evil.example"}
    )
    deleted = own.ask("POST", f"/parcels/{key_of(parcel)}/delete", b"")

    assert [foreign.status, deleted.status] == [403, 303]
    assert own.ask("GET", path_of(parcel["url"])).status == 404


def test_a_parcel_whose_time_is_up_is_gone_and_swept_with_its_files(own: Server) -> None:
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    parcel = made(own, SMALL, expires_at=expires)
    assert parcel["expires_at"] == expires
    ids = {str(file["id"]) for file in looked_at(own, parcel["url"])}
    past = "2020-01-01 00:00:00"
    changed(own, "UPDATE fileservice_parcel SET expires_at = ? WHERE id = ?", past, parcel["id"])

    assert zipped(own, parcel).status == 404
    assert own.ask("PUT", f"/parcels/{key_of(parcel)}/a", b"x").status == 404
    done = manage(own.root, "sweep", "--grace", "0")

    assert "parcels 1" in done.stdout + done.stderr
    assert not ids & {path.name for path in own.stored()}
    assert [act for act, _ in acts_on(own, parcel["id"])] == ["parcel.make", "parcel.delete"]


def test_a_restricted_parcel_is_for_its_owner(own: Server) -> None:
    parcel = made(own, SMALL, restricted="true")

    for link in (parcel["url"], parcel["zip_url"]):
        assert own.ask("GET", path_of(link)).status == 404
    kept = own.ask("GET", f"/parcels/{key_of(parcel)}/files.zip")

    assert content_of(kept.body) == SMALL


@pytest.mark.parametrize("change", ["state = 'infected'", "state = 'unscanned'", "restricted = 1"])
def test_a_file_that_is_not_given_out_is_not_in_the_archive(own: Server, change: str) -> None:
    parcel = made(own, SMALL)
    sql = f"UPDATE fileservice_file SET {change} WHERE parcel_id = ? AND path = 'a.txt'"  # noqa: S608
    changed(own, sql, parcel["id"])

    assert content_of(zipped(own, parcel).body) == SMALL[1:]
    assert listed(own, parcel["url"]) == [path for path, _ in SMALL[1:]]
    assert listed(own, parcel["manage_url"]) == [path for path, _ in SMALL]


def test_a_crc_that_nobody_knows_is_computed_and_kept(own: Server) -> None:
    parcel = made(own, SMALL)
    whole = zipped(own, parcel).body
    changed(own, "UPDATE fileservice_file SET crc32 = NULL WHERE parcel_id = ?", parcel["id"])

    assert zipped(own, parcel).body == whole

    known = f"fileservice_file WHERE parcel_id = '{parcel['id']}' AND crc32 IS NOT NULL"
    assert count(own, known) == len(SMALL)


def test_a_parcel_of_nothing_has_no_archive(own: Server) -> None:
    parcel = made(own, [])

    assert zipped(own, parcel).status == 404
    assert own.ask("GET", path_of(parcel["url"]), headers=JSON).json["count"] == 0


def test_a_long_list_comes_in_pages(own: Server) -> None:
    parcel = made(own, [("a.txt", b"x")])
    row = "id, key, name, name_changed, size, sha256, media_type, created_at, sender, state"
    row += ", restricted, crc32, parcel_id, path, finding"
    sql = (
        f"INSERT INTO fileservice_file ({row})"  # noqa: S608 - for a test
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " SELECT 'id' || i, 'key' || i, 'b', 0, 0, ?, 'text/plain', '2026-11-21 00:00:00',"
        " '', 'ready', 0, 0, ?, 'b' || printf('%05d', i), '' FROM n"
    )
    empty = hashlib.sha256().hexdigest()
    changed(own, sql, entries.MAX_ENTRIES - 1, empty, parcel["id"])

    seen, link = [], parcel["url"]
    while link:
        found = own.ask("GET", link.removeprefix(own.url), headers=JSON).json
        seen += [file["path"] for file in found["files"]]
        link = found["next"]
    refused = own.ask("PUT", f"/parcels/{key_of(parcel)}/one-more", b"x", JSON)
    begun = begun_by_tus(own, parcel, {})

    assert len(seen) == len(set(seen)) == entries.MAX_ENTRIES
    assert [refused.status, refused.json["code"]] == [413, "too_many_entries"]
    assert begun.status == 413
    # 30 and 46 bytes and twice the name for each file, one with a byte of content; 22 at the end.
    size = 22 + (30 + 46 + 12) * (entries.MAX_ENTRIES - 1) + 30 + 46 + 10 + 1
    head = own.ask("HEAD", path_of(parcel["zip_url"]))
    assert head.headers["content-length"] == str(size)
    changed(own, "DELETE FROM fileservice_file WHERE id LIKE 'id%'")


def test_a_form_of_too_many_files_stores_none(own: Server) -> None:
    stored = len(own.stored())

    answer = sent(own, *[file_part(b"a", b"x")] * (LARGEST_PARCEL_PARTS + 1))

    assert answer.json["code"] == "too_many_parts"
    assert len(own.stored()) == stored


def test_an_upload_to_a_parcel_goes_on_by_upload_complete(own: Server) -> None:
    parcel = made(own, [])
    begun = own.ask("PUT", f"/parcels/{key_of(parcel)}/a/b.txt", b"he", {"Upload-Complete": "?0"})
    headers = {
        "Upload-Complete": "?1",
        "Upload-Offset": "2",
        "Content-Type": "application/partial-upload",
    }

    own.ask("PATCH", begun.headers["location"], b"llo", headers)

    assert content_of(zipped(own, parcel).body) == [("a/b.txt", b"hello")]


def test_tus_has_an_address_at_the_parcel_itself(own: Server) -> None:
    parcel = made(own, [])
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "5",
        "Upload-Metadata": f"relativePath {base64.b64encode(b'a/b.txt').decode()}",
    }

    begun = own.ask("POST", f"/parcels/{key_of(parcel)}/", None, headers)
    patched(own, begun.headers["location"], 0, b"hello")

    assert content_of(zipped(own, parcel).body) == [("a/b.txt", b"hello")]


def test_a_private_service_lets_nobody_in_but_downloads(migrated: Path) -> None:
    token = "x" * 40
    login = {"Authorization": f"Bearer {token}"}
    with serving(migrated, ACCESS="private", TOKEN=token) as private:
        body = form_body(file_part(b"a.txt", b"one"))
        refused = private.ask("POST", "/parcels/", body, FORM_TYPE)
        parcel = private.ask("POST", "/parcels/", body, {**JSON, **FORM_TYPE, **login}).json
        put = private.ask("PUT", f"/parcels/{key_of(parcel)}/b", b"x")

        assert [refused.status, put.status] == [401, 401]
        assert content_of(zipped(private, parcel).body) == [("a.txt", b"one")]
