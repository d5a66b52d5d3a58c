"""Every door a file comes in by, over sockets."""

import base64
import hashlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body, raw_exchange
from tests.conftest import Server, need_program, serving

JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ID = "[a-z2-7]{26}"
LIMIT = 100_000


@pytest.fixture(scope="module")
def strict(migrated: Path) -> Iterator[Server]:
    """Give a service with a small limit and little patience."""
    options = {"MAX_UPLOAD_BYTES": str(LIMIT), "BODY_WAIT_SECONDS": "1"}
    with serving(migrated, ACCESS="open", **options) as running:
        yield running


def post(server: Server, body: bytes, **headers: str) -> Answer:
    return server.ask("POST", "/files/", body, {**FORM_TYPE, **headers})


def test_a_form_answers_a_terminal_with_the_link_alone(server: Server) -> None:
    answer = post(server, form_body(file_part(b"a.txt", b"hello")))

    assert answer.status == 201
    assert re.fullmatch(rf"{server.url}/files/{ID}/a\.txt\n", answer.text)
    assert answer.headers["location"] == answer.text.strip()
    assert re.fullmatch(rf'<{server.url}/uploads/{ID}>; rel="edit"', answer.headers["link"])


def test_a_form_answers_a_program_with_what_is_known_of_the_file(server: Server) -> None:
    answer = post(server, form_body(file_part(b"a.txt", b"hello")), **JSON)

    [file] = answer.json["files"]
    assert answer.status == 201
    assert file["name"] == "a.txt"
    assert file["name_changed"] is False
    assert file["size"] == 5
    assert file["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert file["media_type"] == "text/plain"
    assert file["url"].endswith(f"/files/{file['id']}/a.txt")
    assert file["created_at"].endswith("+00:00")


def test_a_form_takes_several_files(server: Server) -> None:
    parts = [file_part(b"%d.txt" % n, b"x" * n) for n in (0, 1, 70_000, 3_000_000)]

    answer = post(server, form_body(*parts), **JSON)

    assert [file["size"] for file in answer.json["files"]] == [0, 1, 70_000, 3_000_000]


def test_fields_beside_the_file_are_passed_over(server: Server) -> None:
    body = form_body(field_part(b"note", b"\xc3\xa9"), file_part(b"a", b"1"), field_part(b"z", b""))

    assert post(server, body, **JSON).json["files"][0]["size"] == 1


def test_put_takes_a_raw_body_under_the_name_of_its_path(server: Server) -> None:
    answer = server.ask("PUT", "/files/na%C3%AFve%20plan.txt", b"x" * 5000, JSON)

    [file] = answer.json["files"]
    assert answer.status == 201
    assert file["name"] == "naïve plan.txt"
    assert file["size"] == 5000


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_048_576, 1_048_577, 5_000_000])
def test_what_went_in_comes_out(server: Server, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]

    url = server.ask("PUT", "/files/x.bin", content).text.strip()

    assert server.ask("GET", url.removeprefix(server.url)).body == content


def test_curl_sends_files_with_its_plain_options(server: Server, tmp_path: Path) -> None:
    curl = need_program("curl")
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7\n" + b"x" * 2_000_000)

    for arguments in (
        ["-F", f"file=@{file}", f"{server.url}/files/"],
        ["-T", str(file), f"{server.url}/files/"],
        ["-T", "-", f"{server.url}/files/report.pdf"],
        ["-T", "-", f"{server.url}/files/"],
    ):
        sent = subprocess.run(
            [curl, "-sSf", *arguments], input=file.read_bytes(), capture_output=True, check=True
        )
        link = sent.stdout.decode().strip()
        got = subprocess.run([curl, "-sSf", link], capture_output=True, check=True)
        assert got.stdout == file.read_bytes()


def test_the_content_tells_the_media_type_and_not_the_client(server: Server) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
    body = form_body(file_part(b"page.html", png))

    assert post(server, body, **JSON).json["files"][0]["media_type"] == "image/png"


def test_a_browser_is_sent_home(server: Server) -> None:
    answer = post(server, form_body(file_part(b"a.txt", b"hello")), **PAGE)

    assert answer.status == 303
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("field", ["Repr-Digest", "Content-Digest"])
def test_a_right_digest_is_accepted_and_a_wrong_one_stores_nothing(
    server: Server, field: str
) -> None:
    before = server.stored()

    right = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    taken = server.ask("PUT", "/files/a", b"hello", {field: f"sha-256=:{right}:"})
    refused = server.ask("PUT", "/files/a", b"hello", {field: f"sha-256=:{wrong}:", **JSON})

    assert taken.status == 201
    assert refused.status == 400
    assert refused.json["code"] == "digest_mismatch"
    assert len(server.stored()) == len(before) + 1


def test_a_form_cut_at_any_byte_stores_nothing(server: Server) -> None:
    body = form_body(field_part(b"a", b"1"), file_part(b"a.txt", b"hello"))
    before = server.stored()

    with server.client() as client:
        for length in range(len(body) - 2):  # the line break after the last boundary may lack
            answer = client.ask("POST", "/files/", body[:length], {**FORM_TYPE, **JSON})
            assert answer.status == 400, length
            assert answer.json["code"] in ("truncated", "bad_form"), length

    assert server.stored() == before


def test_a_form_reads_alike_however_it_is_cut_into_chunks(server: Server) -> None:
    content = b"\r\n--x\r\n------------------------d74496d66958873\r\n-" * 3
    body = form_body(field_part(b"a", b"1"), file_part(b"a.bin", content))
    head = (
        f"POST /files/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: application/json\r\n"
        f"Content-Type: {FORM_TYPE['Content-Type']}\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
    digest = hashlib.sha256(content).hexdigest().encode()

    for size in (1, 2, 3, 7, 61, len(body)):
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        assert digest in raw_exchange(server.address, head + sent), size


FORM = "multipart/form-data; boundary="


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data", 400),
        (FORM, 400),
        (FORM + "x" * 71, 400),
        (FORM + '"a\tb"', 400),
        (FORM + "a; boundary=b", 400),
        (FORM + "other", 400),
        ("application/x-www-form-urlencoded", 415),
        ("application/json", 415),
        ("multipart/mixed; boundary=x", 415),
        ("", 415),
    ],
)
def test_a_body_that_is_no_form_is_refused(server: Server, content_type: str, status: int) -> None:
    body = form_body(file_part(b"a.txt", b"hello"))

    assert post(server, body, **{"Content-Type": content_type}).status == status


def test_the_form_type_is_read_whatever_its_case_and_quotes(server: Server) -> None:
    body = form_body(file_part(b"a.txt", b"hello"), boundary="a b'c")

    answer = post(
        server, body, **{"Content-Type": 'Multipart/Form-Data; charset=utf-8; Boundary="a b\'c"'}
    )

    assert answer.status == 201


HEADER = b"Content-Disposition: form-data; name=file; filename=a\r\n"


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("preamble", b"hello\r\n" + form_body(file_part(b"a", b"1")), "bad_form"),
        ("long preamble", b"\r\n" * 40_000 + form_body(file_part(b"a", b"1")), "bad_form"),
        ("epilogue", form_body(file_part(b"a", b"1")) + b"more", "bad_form"),
        ("long epilogue", form_body(file_part(b"a", b"1")) + b"\r\n" * 40_000, "bad_form"),
        ("second form", form_body(file_part(b"a", b"1")) * 2, "bad_form"),
        ("line feeds only", form_body(file_part(b"a", b"1")).replace(b"\r", b""), "bad_form"),
        ("nine headers", form_body(file_part(b"a", b"1")).replace(
            b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 8 + b"\r\n"), "bad_form"),
        ("long header", form_body(file_part(b"a" * 5000, b"1")), "bad_form"),
        ("no header", form_body(file_part(b"a", b"1")).replace(
            b'Content-Disposition: form-data; name="file"; filename="a"\r\n', b""), "bad_form"),
        ("empty form", form_body(), "no_file"),
        ("empty body", b"", "truncated"),
        ("no file", form_body(field_part(b"a", b"1")), "no_file"),
        ("no file chosen", form_body(file_part(b"", b"")), "no_file"),
        ("nameless file", form_body(file_part(b"", b"bytes")), "bad_form"),
        ("encoded", form_body(file_part(b"a", b"1")).replace(
            b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"), "bad_form"),
        ("NUL in header", form_body(file_part(b"a", b"1")).replace(
            b"\r\n\r\n", b"\r\nX: a\0b\r\n\r\n"), "bad_form"),
        ("folded header", form_body(file_part(b"a", b"1")).replace(
            b"\r\n\r\n", b"\r\n folded\r\n\r\n"), "bad_form"),
        ("two dispositions", form_body(file_part(b"a", b"1")).replace(
            b"\r\n\r\n", b"\r\n" + HEADER + b"\r\n"), "bad_form"),
        ("field not UTF-8", form_body(
            field_part(b"a", b"\xe9"), file_part(b"a", b"1")), "bad_form"),
        ("many parts", form_body(*[file_part(b"a", b"")] * 65), "too_many_parts"),
        ("many fields", form_body(*[field_part(b"a", b"")] * 100_000), "too_many_parts"),
        ("large field", form_body(field_part(b"a", b"x" * 65_537)), "too_large"),
        ("large fields", form_body(*[field_part(b"a", b"x" * 60_000)] * 20), "too_large"),
    ],
)  # fmt: skip
def test_a_broken_form_is_refused_and_stores_nothing(
    server: Server, name: str, body: bytes, code: str
) -> None:
    before = server.stored()

    answer = post(server, body, **JSON)

    assert answer.json["code"] == code, name
    assert answer.status == (413 if code.startswith("too_") else 400)
    assert server.stored() == before


def test_a_bad_file_takes_back_the_good_ones_of_its_form(server: Server) -> None:
    before = server.stored()

    answer = post(server, form_body(file_part(b"good", b"1"), file_part(b"../bad", b"2")), **JSON)

    assert answer.json["code"] == "bad_name"
    assert server.stored() == before


def test_a_large_body_is_refused_before_it_is_read(strict: Server) -> None:
    head = (
        f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\n"
        f"Content-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n"
    )

    answer = raw_exchange(strict.address, head.encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def test_a_client_that_sends_without_asking_sees_the_refusal(strict: Server) -> None:
    answer = strict.ask("PUT", "/files/a", b"x" * 30_000_000)

    assert answer.status == 413
    assert "100,000 bytes" in answer.text


@pytest.mark.parametrize("form", [True, False])
def test_a_body_that_grows_past_the_limit_is_refused_and_leaves_nothing(
    strict: Server, form: bool
) -> None:
    before = strict.stored()
    content = b"x" * (LIMIT + 1)
    body = form_body(file_part(b"a", content)) if form else content
    head = (
        f"{'POST /files/' if form else 'PUT /files/a'} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{strict.port}\r\n"
        f"Content-Type: {FORM_TYPE['Content-Type'] if form else 'text/plain'}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )

    sent = head.encode() + b"%x\r\n%s\r\n" % (len(body), body)
    answer = raw_exchange(strict.address, sent)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert strict.stored() == before


def test_the_files_of_a_form_share_the_limit(strict: Server) -> None:
    before = strict.stored()
    half = b"x" * (LIMIT // 2)

    fitting = post(strict, form_body(file_part(b"a", half), file_part(b"b", half)))
    larger = post(strict, form_body(file_part(b"a", half), file_part(b"b", half + b"x")))

    assert fitting.status == 201
    assert larger.status == 413
    assert "100,000 bytes" in larger.text
    assert len(strict.stored()) == len(before) + 2


def test_a_file_of_exactly_the_limit_is_taken(strict: Server) -> None:
    content = b"x" * LIMIT

    assert strict.ask("PUT", "/files/a", content).status == 201
    assert post(strict, form_body(file_part(b"a", content))).status == 201


def test_a_silent_body_ends_with_408_and_leaves_nothing(strict: Server) -> None:
    before = strict.stored()
    head = f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 9\r\n\r\n"

    answer = raw_exchange(strict.address, head.encode() + b"some")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert strict.stored() == before


def test_a_dripping_body_ends_with_408(strict: Server) -> None:
    head = f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 999\r\n\r\n"
    with socket.create_connection(strict.address, 30) as connection:
        connection.sendall(head.encode())
        connection.settimeout(0.1)  # the drip: a byte each time nothing came
        answer = b""
        while not answer:
            connection.sendall(b"x")
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                continue

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_leaves_nothing(server: Server) -> None:
    before = server.stored()
    head = (
        f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 9999999\r\n\r\n"
    )
    with socket.create_connection(server.address, 30) as connection:
        connection.sendall(head.encode() + b"x" * 5_000_000)
        while server.stored() == before:  # until the draft is there
            assert server.ask("GET", "/livez").status == 200

    while server.stored() != before:
        assert server.ask("GET", "/livez").status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", "/files/a", {"Content-Encoding": "gzip"}, 415),
        ("POST", "/files/", {"Content-Encoding": "br", **FORM_TYPE}, 415),
        ("PUT", "/files/a", {"Content-Range": "bytes 0-4/10"}, 400),
        ("PUT", "/files/a", FORM_TYPE, 415),
        ("PUT", "/files/a", {"Repr-Digest": "nonsense"}, 400),
        ("DELETE", "/files/", {}, 405),
        ("PATCH", "/files/a", {}, 405),
    ],
)
def test_a_request_of_the_wrong_kind_is_refused(
    server: Server, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    before = server.stored()

    answer = server.ask(method, path, b"hello", headers)

    assert answer.status == status
    assert server.stored() == before
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_options_names_the_methods(server: Server) -> None:
    answer = server.ask("OPTIONS", "/files/")

    assert answer.status == 204
    assert answer.headers["allow"] == "POST, PUT, OPTIONS"


def test_a_full_disk_is_told_before_the_body_is_read(migrated: Path) -> None:
    with serving(migrated, ACCESS="open", MIN_FREE_BYTES=str(1 << 60)) as full:
        head = (
            f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{full.port}\r\n"
            "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )

        assert raw_exchange(full.address, head.encode()).startswith(b"HTTP/1.1 507 ")
        assert full.ask("GET", "/readyz").status == 503
        assert full.ask("GET", "/livez").status == 200


def test_the_link_to_keep_tells_and_deletes(server: Server) -> None:
    file = server.ask("PUT", "/files/a.txt", b"hello", JSON).json["files"][0]
    path = file["manage_url"].removeprefix(server.url)

    assert server.ask("GET", path, headers=JSON).json == file
    assert f"sha256: {file['sha256']}" in server.ask("GET", path).text
    assert server.ask("HEAD", path).body == b""
    assert server.ask("DELETE", path).status == 204

    assert server.ask("DELETE", path).status == 404
    assert server.ask("GET", path).status == 404
    assert server.ask("GET", f"/files/{file['id']}").status == 404
    assert not any(blob.name == file["id"] for blob in server.stored())


def test_the_link_to_give_away_cannot_delete(server: Server) -> None:
    file = server.ask("PUT", "/files/a.txt", b"hello", JSON).json["files"][0]

    assert server.ask("DELETE", f"/files/{file['id']}").status == 405
    assert server.ask("DELETE", f"/uploads/{file['id']}").status == 404
    assert server.ask("GET", f"/files/{file['id']}").body == b"hello"


def test_a_problem_is_told_as_the_client_reads_best(server: Server) -> None:
    as_json = server.ask("GET", "/files/nothing", headers=JSON)
    as_page = server.ask("GET", "/files/nothing", headers=PAGE)
    as_text = server.ask("GET", "/files/nothing")

    assert as_json.headers["content-type"] == "application/problem+json"
    assert as_json.json["type"] == "/problems/not_found"
    assert as_json.json["status"] == as_json.status == 404
    assert as_page.headers["content-type"] == "text/html; charset=utf-8"
    assert as_text.text == "Not found: There is no such file.\n"
    assert server.ask("GET", "/problems/not_found").text.startswith("Not found (HTTP 404)")
