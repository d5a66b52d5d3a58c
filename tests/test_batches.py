"""A batch: a certificate for each line of a list, all or none, given out together."""

import csv
import hashlib
import io
import json
import re
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fileservice.backlog import MAX_WAITING
from fileservice.batches.ordering import MAX_HELD_BYTES
from fileservice.rosters import MAX_COMPLAINTS, MAX_ROSTER_BYTES
from fileservice.signingkeys import make_signing_key
from tests.client import FORM_TYPE, WAIT_SECONDS, Answer, field_part, file_part, form_body
from tests.conftest import Server, need_program, serving
from tests.lists import (
    CSV,
    JSON,
    JSON_LINES,
    fetch,
    issued,
    order,
    ordered,
    path_of,
    people,
    put_award,
    rows,
    told,
    wait_for,
    waited,
)
from tests.pdfs import checked, page_of, text_of
from tests.rasters import by_pdfium, read
from tests.signatures import VALID, pdfsig

PAGE = {"Accept": "text/html"}
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test
NOWHERE = "a" * 26
THREE = "name,points\nAda Lovelace,7\nCharles / Babbage,\n\nŻółć,=1+1\n".encode()


@pytest.fixture(scope="module")
def awarding(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give an open service that signs, with the template `award`."""
    key = tmp_path_factory.mktemp("key")
    make_signing_key(key, "Office", rsa_bits=None, days=9, now=datetime.now(UTC))
    files = {
        "SIGN_KEY_FILE": str(key / "key.pem"),
        "SIGN_CERTIFICATE_FILE": str(key / "certificate.pem"),
    }
    with serving(migrated, ACCESS="open", **files) as running:
        put_award(running.root)
        yield running


@pytest.fixture(scope="module")
def three(awarding: Server) -> Any:
    """Give a batch of three that is done."""
    return issued(awarding, THREE, tz="Europe/Berlin", expires_at="2099-12-31")


def listing(server: Server, batch: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fetch(server, batch["jsonl_url"]).text.splitlines()]


def test_each_line_becomes_a_certificate_like_any_other(awarding: Server, three: Any) -> None:
    lines = listing(awarding, three)

    assert [line["line"] for line in lines] == [2, 3, 5]
    assert lines[0]["values"] == {"name": "Ada Lovelace", "points": "7"}
    assert lines[1]["values"] == {"name": "Charles / Babbage"}
    for line in lines:
        verified = fetch(awarding, line["verify_url"], JSON).json
        content = fetch(awarding, line["url"]).body
        text = text_of(checked(content))
        assert verified["state"] == "valid"
        assert verified["sha256"] == hashlib.sha256(content).hexdigest()
        assert verified["issued_at"] == three["issued_at"]
        assert verified["expires_at"] == "2100-01-01T00:00:00+01:00"
        assert f"{line['values']['name']} has" in text
        assert line["number"] in text
        assert VALID in pdfsig(content)


def test_the_order_is_answered_with_the_link_to_keep(awarding: Server) -> None:
    answer = order(awarding, people(1))

    assert answer.status == 201
    assert re.fullmatch(f"{awarding.url}/batches/[a-z2-7]{{26}}", answer.headers["location"])
    assert answer.json["url"] == answer.headers["location"]
    assert answer.json["total"] == 1
    assert answer.json["state"] == "waiting"
    assert answer.headers["cache-control"] == "no-store"


def test_a_terminal_gets_the_link_alone_and_the_facts_a_line_each(awarding: Server) -> None:
    url = order(awarding, people(1), {**CSV, "Accept": "*/*"}).text.strip()
    waited(awarding, {"url": url})

    answer = fetch(awarding, url)

    assert "state: done\ntotal: 1\nchecked: 1\ndone: 1\n" in answer.text


@pytest.mark.long
def test_json_lines_are_taken_as_they_come(awarding: Server) -> None:
    content = b'{"name": "Ada", "points": 1.50}\n{"name": "Bob"}\n'

    done = waited(awarding, order(awarding, content, JSON_LINES).json)

    assert done["done"] == 2
    assert [line["values"] for line in listing(awarding, done)] == [
        {"name": "Ada", "points": "1.50"},
        {"name": "Bob"},
    ]


def test_all_go_into_one_archive(awarding: Server, three: Any, tmp_path: Path) -> None:
    answer = fetch(awarding, three["zip_url"])

    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.body)
    path = tmp_path / "c.zip"
    path.write_bytes(answer.body)
    subprocess.run([need_program("unzip"), "-tq", str(path)], check=True, capture_output=True)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "000002 Ada Lovelace.pdf",
            "000003 Charles Babbage.pdf",
            "000005 Żółć.pdf",
        ]
        contents = [archive.read(name) for name in archive.namelist()]
    assert contents == [fetch(awarding, line["url"]).body for line in listing(awarding, three)]


def test_an_archive_is_resumed(awarding: Server, three: Any) -> None:
    whole = fetch(awarding, three["zip_url"])
    etag = whole.headers["etag"]

    part = fetch(awarding, three["zip_url"], {"Range": "bytes=1000-", "If-Range": etag})
    several = fetch(awarding, three["zip_url"], {"Range": "bytes=0-1,5-6"})

    assert part.status == 206
    assert part.body == whole.body[1000:]
    assert part.headers["content-range"] == f"bytes 1000-{len(whole.body) - 1}/{len(whole.body)}"
    assert (several.status, several.body) == (200, whole.body)


@pytest.mark.parametrize("file", ["zip_url", "pdf_url"])
def test_a_copy_that_is_still_right_is_not_sent_again(
    awarding: Server, three: Any, file: str
) -> None:
    etag = fetch(awarding, three[file]).headers["etag"]

    again = fetch(awarding, three[file], {"If-None-Match": etag})

    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == etag


@pytest.mark.parametrize("file", ["zip_url", "pdf_url", "csv_url", "jsonl_url", "url"])
def test_a_head_has_the_fields_and_no_content(awarding: Server, three: Any, file: str) -> None:
    answer = awarding.ask("HEAD", path_of(three[file]))

    assert (answer.status, answer.body) == (200, b"")
    # None where it is not known before all is made.
    assert answer.headers.get("content-length") == fetch(awarding, three[file]).headers.get(
        "content-length"
    )


def test_all_go_into_one_file_to_be_printed(awarding: Server, three: Any) -> None:
    content = checked(fetch(awarding, three["pdf_url"]).body)

    pages = text_of(content).split("\f")[:-1]
    assert [page.split(" has ")[0].strip() for page in pages] == [
        "Ada Lovelace",
        "Charles / Babbage",
        "Żółć",
    ]
    assert b"/ByteRange" not in content


def test_a_spreadsheet_computes_nothing(awarding: Server, three: Any) -> None:
    answer = fetch(awarding, three["csv_url"])

    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["points"] for row in table] == ["7", "", "'=1+1"]
    assert [row["name"] for row in table] == ["Ada Lovelace", "Charles / Babbage", "Żółć"]
    assert {row["state"] for row in table} == {"valid"}


def test_what_is_revoked_is_listed_and_not_given_out(awarding: Server) -> None:
    batch = issued(awarding, people(2))
    before = fetch(awarding, batch["zip_url"]).headers["etag"]
    revoke(awarding, listing(awarding, batch)[0]["number"])

    archive = fetch(awarding, batch["zip_url"])
    merged = text_of(fetch(awarding, batch["pdf_url"]).body)

    assert archive.headers["etag"] != before
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        assert opened.namelist() == ["000003 Name 1.pdf"]
    assert "Name 1" in merged
    assert "Name 0" not in merged
    assert [line["state"] for line in listing(awarding, batch)] == ["revoked", "valid"]


def test_when_all_are_revoked_nothing_is_left_to_give_out(awarding: Server) -> None:
    batch = issued(awarding, people(1))
    revoke(awarding, listing(awarding, batch)[0]["number"])

    assert fetch(awarding, batch["zip_url"]).status == 404
    assert fetch(awarding, batch["pdf_url"]).status == 404


def revoke(server: Server, number: str) -> None:
    [key] = [
        key
        for key, each in rows(server, "SELECT key, number FROM fileservice_certificate")
        if each == number
    ]
    assert server.ask("DELETE", f"/issued/{key}").status == 204


@pytest.mark.parametrize(
    ("content", "headers", "line", "said"),
    [
        ("name,points\nAda,7\n,3\nBob\n", CSV, 4, "The line has 1 cells"),
        ("name,points\nAda,7\n,3\nBob,4\n", CSV, 3, "The template asks for 'name'."),
        ("points\n7\n", CSV, 2, "The template asks for 'name'."),
        ("name,other\nAda,7\n", CSV, 1, "'other' cannot be given"),
        ("id,name\n7,Ada\n", CSV, 1, "'id' cannot be given"),
        ("timestamp,name\n7,Ada\n", CSV, 1, "'timestamp' cannot be given"),
        ('{"name": "Ada"}\n{"name": "Ada", "x": 1}\n', JSON_LINES, 2, "'x' cannot be given"),
        ('{"name": "Ada"}\n{"name": []}\n', JSON_LINES, 2, "neither a text nor a number"),
        ('{"name": "Ada"}\n{"name"\n', JSON_LINES, 2, "no JSON"),
    ],
)
def test_lines_that_are_plainly_wrong_are_said_at_once(
    awarding: Server, content: str, headers: dict[str, str], line: int, said: str
) -> None:
    answer = order(awarding, content.encode(), headers)

    assert answer.status == 422
    assert answer.json["code"] == "bad_list"
    assert answer.json["lines"][0]["line"] == line
    assert said in answer.json["lines"][0]["detail"]
    assert f"Nothing was issued.\nLine {line}: " in answer.json["detail"]


@pytest.mark.parametrize(
    ("content", "headers", "members", "status", "code"),
    [
        (b"name\n", CSV, {}, 422, "bad_list"),
        (b"name,name\n", CSV, {}, 400, "bad_request"),
        (b"\xff", CSV, {}, 400, "bad_request"),
        (b"", CSV, {}, 400, "no_file"),
        (b"name\nAda\n", {"Content-Type": "text/plain"}, {}, 415, "unsupported_type"),
        (b"name\nAda\n", {}, {}, 415, "unsupported_type"),
        (b"name\nAda\n", {**CSV, "Content-Encoding": "gzip"}, {}, 415, "unsupported_type"),
        (b"name\nAda\n", CSV, {"template": "none"}, 404, "not_found"),
        (b"name\nAda\n", CSV, {"tz": "Mars/Phobos"}, 422, "bad_value"),
        (b"name\nAda\n", CSV, {"expires_at": "2020-01-01"}, 422, "bad_value"),
        (b"name\nAda\n", CSV, {"name": "Ada"}, 400, "bad_request"),
        (b"name\nAda\n", {**CSV, "Origin": "http://evil.example"}, {}, 403, "forbidden"),
        (b"name\nAda\n", {**CSV, "Sec-Fetch-Site": "cross-site"}, {}, 403, "forbidden"),
        (b"name\nAda\n", {**CSV, "Sec-Fetch-Site": "same-origin"}, {}, 403, "forbidden"),
    ],
)
def test_what_cannot_be_ordered_is_refused(
    awarding: Server,
    content: bytes,
    headers: dict[str, str],
    members: dict[str, str],
    status: int,
    code: str,
) -> None:
    answer = order(awarding, content, headers, **members)

    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_list_that_is_too_long_is_refused_before_it_comes(awarding: Server) -> None:
    head = (
        f"POST /batches/ HTTP/1.1\r\nHost: {awarding.host}:{awarding.port}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {MAX_ROSTER_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(awarding.address, WAIT_SECONDS) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(1 << 16)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_lines_that_cannot_be_drawn_are_told_and_nothing_is_issued(awarding: Server) -> None:
    content = people(150).decode() + "Ada \U000f0000,1\n" + f"{'w' * 400},2\n"

    refused = waited(awarding, ordered(awarding, content.encode()))

    assert refused["state"] == "refused"
    assert refused["done"] == 0
    assert [each["line"] for each in refused["lines"]] == [152, 153]
    assert "U+F0000" in refused["lines"][0]["detail"]
    assert "too long" in refused["lines"][1]["detail"] or "fit" in refused["lines"][1]["detail"]
    assert listing(awarding, refused) == []
    assert fetch(awarding, refused["zip_url"]).status == 404
    page = fetch(awarding, refused["url"], PAGE)
    assert "Line 152" in page.text


def test_of_many_bad_lines_so_many_are_told(awarding: Server) -> None:
    content = "name\n" + "Ada \U000f0000\n" * 250

    refused = waited(awarding, ordered(awarding, content.encode()))

    assert (refused["state"], refused["checked"]) == ("refused", 100)
    assert [each["line"] for each in refused["lines"]] == list(range(2, MAX_COMPLAINTS + 2))


def test_lists_that_are_coming_in_take_a_bounded_memory(awarding: Server) -> None:
    head = (
        f"POST /batches/ HTTP/1.1\r\nHost: {awarding.host}:{awarding.port}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {MAX_ROSTER_BYTES}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(MAX_HELD_BYTES // MAX_ROSTER_BYTES):
            connection = stack.enter_context(socket.create_connection(awarding.address))
            connection.sendall(head.encode())
        wait_for(lambda: order(awarding, b"name\n").status == 503)
        refused = order(awarding, b"name\n")
    wait_for(lambda: order(awarding, b"name\n").status == 422)

    assert refused.json["code"] == "unavailable"
    assert refused.headers["retry-after"] == "5"


def test_certificates_are_given_out_together_when_all_are_issued(awarding: Server) -> None:
    batch = ordered(awarding, people(3000))

    answers = [fetch(awarding, batch[file], JSON) for file in ("zip_url", "pdf_url")]

    assert [answer.status for answer in answers] == [409, 409]
    assert {answer.json["code"] for answer in answers} == {"not_ready"}
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    awarding.ask("DELETE", path_of(batch["url"]))


@pytest.mark.long
def test_a_stop_leaves_what_is_issued(awarding: Server) -> None:
    batch = ordered(awarding, people(6000))
    waited(awarding, batch, least=1)

    answer = awarding.ask("DELETE", path_of(batch["url"]))

    stopped = told(awarding, batch)
    lines = listing(awarding, batch)
    later = issued(awarding, people(1))
    assert answer.status == 204
    assert stopped["state"] == "stopped"
    assert 0 < stopped["done"] == len(lines) < 6000
    assert later["done"] == 1
    assert told(awarding, batch) == stopped
    assert fetch(awarding, lines[0]["url"]).status == 200
    archive = fetch(awarding, batch["zip_url"])
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        assert len(opened.namelist()) == stopped["done"]


def test_a_batch_that_is_done_stays_done(awarding: Server, three: Any) -> None:
    stopped = awarding.ask("POST", path_of(three["url"]) + "/stop")

    assert (stopped.status, stopped.headers["location"]) == (303, path_of(three["url"]))
    assert told(awarding, three)["state"] == "done"


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/stop")])
def test_another_site_cannot_stop_a_batch(
    awarding: Server, three: Any, method: str, path: str
) -> None:
    forged = {"Origin": "http://evil.example"}

    answer = awarding.ask(method, path_of(three["url"]) + path, headers=forged)

    assert answer.status == 403


@pytest.mark.long
def test_events_tell_how_far_it_is_until_it_is_done(awarding: Server) -> None:
    batch = ordered(awarding, people(1500))

    answer = fetch(awarding, batch["url"], {"Accept": "text/event-stream"})

    events = re.findall(r"event: progress\ndata: (.*)\n\n", answer.text)
    told = [json.loads(event) for event in events]
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.startswith("retry: 1000\n\n")
    assert (told[-1]["state"], told[-1]["done"]) == ("done", 1500)
    assert len(told) > 1
    assert all(first != second for first, second in pairwise(told))


def test_the_page_looks_again_while_there_is_something_to_see(awarding: Server, three: Any) -> None:
    batch = ordered(awarding, people(3000))

    page = fetch(awarding, batch["url"], PAGE).text
    done = fetch(awarding, three["url"], PAGE).text

    assert '<meta http-equiv="refresh"' in page
    assert '<progress max="3000"' in page
    assert f'action="{batch["url"]}/stop"' in page
    assert '<meta http-equiv="refresh"' not in done
    assert three["zip_url"] in done
    awarding.ask("DELETE", path_of(batch["url"]))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/certificates.zip",
        "/certificates.pdf",
        "/certificates.csv",
        "/certificates.jsonl",
    ],
)
def test_an_unknown_batch_is_not_found_whatever_is_asked(awarding: Server, path: str) -> None:
    answer = awarding.ask("GET", f"/batches/{NOWHERE}{path}", headers=JSON)

    assert answer.status == 404
    assert answer.json["detail"] == "There is no such batch."


def test_so_many_lists_wait_and_no_more(awarding: Server) -> None:
    answers = [order(awarding, people(3000)) for _ in range(MAX_WAITING + 2)]

    taken = [answer.json for answer in answers if answer.status == 201]
    for batch in taken:
        awarding.ask("DELETE", path_of(batch["url"]))
    refused = answers[-1]
    assert len(taken) >= MAX_WAITING
    assert refused.status == 503
    assert refused.headers["retry-after"] == "60"
    assert f"{MAX_WAITING} lists wait already" in refused.json["detail"]
    assert order(awarding, people(1)).status == 201


def form(server: Server, *, token_of: Answer | None) -> tuple[bytes, dict[str, str]]:
    """Return a form with a list, as the home page has it."""
    parts, headers = [], dict(FORM_TYPE)
    if token_of is not None:
        token = re.search(r'name="csrf_token" value="([^"]+)"', token_of.text)
        assert token is not None
        parts.append(field_part(b"csrf_token", token[1].encode()))
        headers["Cookie"] = token_of.headers["set-cookie"].split(";")[0]
    parts.append(field_part(b"template", b"award"))
    parts.append(file_part(b"people.csv", people(2), b"list"))
    return form_body(*parts), headers | {"Origin": server.url, **PAGE}


def test_a_browser_gets_from_the_form_to_the_page_of_the_batch(awarding: Server) -> None:
    home = awarding.ask("GET", "/", headers=PAGE)
    body, headers = form(awarding, token_of=home)

    answer = awarding.ask("POST", "/batches/", body, headers)

    assert answer.status == 303
    assert waited(awarding, {"url": answer.headers["location"]})["done"] == 2
    assert 'action="/batches/"' in home.text
    again = awarding.ask("GET", "/", headers={**PAGE, "Cookie": headers["Cookie"]})
    assert answer.headers["location"] in again.text
    assert "Certificates this browser issued" not in again.text


def test_a_form_without_its_token_is_refused(awarding: Server) -> None:
    body, headers = form(awarding, token_of=None)

    assert awarding.ask("POST", "/batches/", body, headers).status == 403


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([field_part(b"template", b"award")], "no_file"),
        ([file_part(b"a.csv", b"name\nAda\n", b"other")], "bad_form"),
        ([file_part(b"a.csv", b"name\nAda\n", b"list")] * 2, "bad_form"),
        ([field_part(b"tz", b"UTC")] * 2, "bad_form"),
    ],
)
def test_a_form_that_says_something_else_is_refused(
    awarding: Server, parts: list[Any], code: str
) -> None:
    answer = awarding.ask("POST", "/batches/", form_body(*parts), JSON | FORM_TYPE)

    assert (answer.status, answer.json["code"]) == (400, code)


def test_a_form_may_bring_json_lines(awarding: Server) -> None:
    content = file_part(b"people.JSONL", b'{"name": "Ada"}\n', b"list")
    body = form_body(field_part(b"template", b"award"), content)

    answer = awarding.ask("POST", "/batches/", body, JSON | FORM_TYPE)

    assert answer.status == 201
    assert answer.json["total"] == 1


@pytest.mark.long
def test_a_code_leads_to_the_certificate_it_is_on(awarding: Server) -> None:
    text = b"BT /F1 14 Tf 60 700 Td (%name%) Tj 0 -200 Td (%qr%) Tj ET"
    (awarding.root / "pdf_templates" / "coded.pdf").write_bytes(page_of(text))

    batch = issued(awarding, b"name\nAda\nGrace\n", template="coded")

    for line in listing(awarding, batch):
        [(link, _)] = read(by_pdfium(fetch(awarding, line["url"]).body))
        assert link == line["verify_url"]
        assert fetch(awarding, link, JSON).json["values"] == line["values"]


@pytest.mark.long
def test_ten_thousand_are_issued_and_given_out(awarding: Server) -> None:
    batch = issued(awarding, people(10_000))

    archive = fetch(awarding, batch["zip_url"])
    merged = fetch(awarding, batch["pdf_url"])

    assert batch["done"] == 10_000
    assert int(archive.headers["content-length"]) == len(archive.body)
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == 10_000
    pages = text_of(checked(merged.body)).split("\f")[:-1]
    assert [int(page.split()[1]) for page in pages] == list(range(10_000))


def test_a_private_service_takes_lists_from_who_may_and_tells_who_has_the_link(
    migrated: Path,
) -> None:
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as private:
        put_award(private.root)
        strange = order(private, people(1))
        known = order(private, people(1), {**CSV, "Authorization": f"Bearer {TOKEN}"})
        done = waited(private, known.json)

        assert strange.status == 401
        assert known.status == 201
        assert done["state"] == "done"
        assert fetch(private, done["zip_url"]).status == 200
