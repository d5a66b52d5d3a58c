"""No header field, query or path makes the service fail."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Server

FIELDS = [
    "Accept",
    "Authorization",
    "Content-Encoding",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Origin",
    "Range",
    "Referer",
    "Repr-Digest",
    "Sec-Fetch-Site",
    "Want-Content-Digest",
    "Want-Repr-Digest",
    "X-CSRFToken",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
]
WORDS = [
    *("bytes=", "0-", "-1", ",", ";", "=", '"', "'", "\\", "*", "/", ":", " ", "\t", "W/", "q="),
    *(
        "text/html",
        "application/json",
        "multipart/form-data",
        "boundary=",
        "charset=",
        "filename*=",
    ),
    *("utf-8''", "%ff", "sha-256=:", "sha-512", ":", "Basic ", "Bearer ", "sessionid=", "1e999"),
    *(
        "fileservice_browser=",
        "null",
        "http://",
        "[::1]",
        "Sat, 21 Nov 2026 08:13:08 GMT",
        "9" * 30,
    ),
    *("\x80", "\xff", "é", "(", ")", "<", ">", "{", "}", "&", "#", "?", "0", "-", "+", "_"),
]
values = st.lists(st.sampled_from(WORDS), max_size=8).map("".join).map(str.strip)
methods = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
paths = st.sampled_from(["/", "/files/", "/files/{id}", "/uploads/x", "/certificate", "/x"])
queries = st.text(max_size=12).map(lambda text: quote(text, safe="=&+;%"))
fields = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
bodies = st.sampled_from([None, b"", b"hello"])


@pytest.fixture(scope="module")
def id(server: Server) -> str:
    answer = server.ask("PUT", "/files/a.txt", b"hello", {"Accept": "application/json"})
    found: str = answer.json["files"][0]["id"]
    return found


@given(method=methods, path=paths, query=queries, fields=fields, body=bodies)
def test_no_request_makes_the_service_fail(
    server: Server,
    id: str,
    method: str,
    path: str,
    query: str,
    fields: dict[str, str],
    body: bytes | None,
) -> None:
    answer = server.ask(method, f"{path.format(id=id)}?{query}", body, fields)

    assert answer.status < 500, server.log.read_text()[-3000:]
