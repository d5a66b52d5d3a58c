"""What a browser may do with a file, told by the fields of its answer."""

import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.conftest import Server, need_program
from tests.downloads.given import Given, give

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"


def png() -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


WAVE = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(40)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def test_every_file_is_saved_unless_asked_otherwise(server: Server) -> None:
    for content, name in ((png(), "a.png"), (b"text", "a.txt"), (HTML, "a.html"), (SVG, "a.svg")):
        for query in ("", "?inline=0", "?inline"):
            answer = give(server, content, name).get(query=query)

            assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
            assert answer.headers["content-security-policy"] == SANDBOX


@pytest.mark.parametrize(
    ("content", "name", "content_type"),
    [
        (png(), "a.png", "image/png"),
        ("grüße".encode(), "a.txt", "text/plain; charset=utf-8"),
        (WAVE, "a.wav", "audio/x-wav"),
    ],
)
def test_what_runs_nothing_is_shown_on_request(
    server: Server, content: bytes, name: str, content_type: str
) -> None:
    answer = give(server, content, name).get(query="?inline=1")

    assert answer.headers["content-disposition"] == f'inline; filename="{name}"'
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (HTML, "a.html"),
        (HTML, "a.xhtml"),
        (SVG, "a.svg"),
        (SVG, "a.png"),
        (b"%PDF-1.7\n", "a.pdf"),
        (png(), "a.html"),
        (b"alert(1)", "a.js"),
        (b"\0\1\2", "a.png"),
    ],
)
def test_what_might_run_is_saved_even_on_request(server: Server, content: bytes, name: str) -> None:
    answer = give(server, content, name).get(query="?inline=1")

    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-security-policy"] == SANDBOX


def test_a_kept_copy_stays_under_its_own_policy(server: Server) -> None:
    sound = give(server, WAVE, "a.wav")

    shown = sound.get(query="?inline=1")
    again = sound.get(query="?inline=1", If_None_Match=sound.etag)

    assert again.status == 304
    policy = "content-security-policy"
    assert again.headers[policy] == shown.headers[policy]


def test_every_answer_about_a_file_is_harmless(small: Given) -> None:
    answers = [
        small.get(),
        small.get("HEAD"),
        small.get(query="?inline=1"),
        small.get(Range="bytes=0-0"),
        small.get(Range="bytes=0-0,2-2"),
        small.get(Range="bytes=99-"),
        small.get(If_None_Match=small.etag),
        small.get(If_Match='"other"'),
        small.server.ask("GET", "/files/none"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200, 206, 206, 416, 304, 412, 404]
    for answer in answers:
        assert answer.headers.items() >= SAFE_HEADERS.items()
        assert answer.headers["content-security-policy"] == SANDBOX


@pytest.mark.parametrize("name", ["report.pdf", "prüfung 100%.txt", "день.txt", "a;b=c'd.txt"])
def test_curl_saves_a_file_under_its_name(server: Server, tmp_path: Path, name: str) -> None:
    curl = need_program("curl")
    given = give(server, b"hello", name)

    subprocess.run([curl, "-sSfOJ", f"{server.url}{given.path}"], cwd=tmp_path, check=True)

    [saved] = tmp_path.iterdir()
    assert saved.read_bytes() == b"hello"
    assert saved.suffix == Path(name).suffix
    if name.isascii():
        assert saved.name == name
