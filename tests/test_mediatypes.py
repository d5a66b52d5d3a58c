"""What a content is."""

import pytest

from fileservice.mediatypes import HEAD_BYTES, media_type

ELF = b"\x7fELF\2\1\1" + bytes(57)


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"%PDF-1.7\n", "a.txt", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "a", "image/png"),
        (b"\x1f\x8b\x08" + bytes(20), "a.tar.gz", "application/gzip"),
        (ELF, "a.png", "application/x-executable"),
        (b"", "a.txt", "text/plain"),
        (b"hello\n", "a", "text/plain"),
        (b"a,b\n", "a.csv", "text/csv"),
        (b"{}", "a.json", "application/json"),
        (b"<svg/>", "a.svg", "image/svg+xml"),
        (b"<html>", "a.html", "text/html"),
        (b"hello", "a.png", "text/plain"),
        (b"hello", "a.txt.gz", "text/plain"),
        (b"\x1b[1mbold", "a.log", "text/plain"),
        (b"a\0b", "a.txt", "application/octet-stream"),
        (b"\x7f", "a.txt", "application/octet-stream"),
        (b"caf\xe9", "a.txt", "application/octet-stream"),
        (b"\xff" * HEAD_BYTES, "a.txt", "application/octet-stream"),
        ("é".encode()[:1] * 1, "a.txt", "application/octet-stream"),
        (b"x" + "é".encode() * (HEAD_BYTES // 2 - 1) + b"\xc3", "a.txt", "text/plain"),
    ],
)
def test_the_content_decides_and_the_name_chooses_among_texts(
    head: bytes, name: str, expected: str
) -> None:
    assert media_type(head, name) == expected
