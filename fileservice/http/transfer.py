"""Where the body of a request ends: counted, or in chunks (RFC 9112 6 and 7.1)."""

import re
from functools import lru_cache
from typing import Final, Literal

from fileservice.http.framing import MAX_LENGTH, Refused

MAX_SIZE_DIGITS: Final = 16  # of 64 bits; longer ones only overflow somebody's counter
MAX_CHUNK_LINE_BYTES: Final = MAX_SIZE_DIGITS + 1024 + 2  # nobody's extension is longer than 1 KiB
MAX_TRAILER_BYTES: Final = 8 * 1024  # they are only read past

CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]+)(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")
CRLF: Final = b"\r\n"


class SizedBody:
    """A body of as many bytes as Content-Length says."""

    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def complete(self) -> bool:
        """Whether every byte of the body has been seen."""
        return self.left == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of `data` is content, itself if all of it is, and what comes after."""
        content = data[: self.left]
        self.left -= len(content)
        return content, data[len(content) :]


class ChunkedBody:
    """
    A body in chunks; extensions and trailers are checked for form and dropped.

    A trailer must never be taken for a header field: who asks and what is allowed was
    decided when it comes (RFC 9110 6.5.1).
    """

    def __init__(self) -> None:
        self.complete = False
        self.left = 0
        self.line = b""
        self.expects: Literal["size", "end of chunk", "trailer"] = "size"
        self.trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        Return what of `data` is content, and what comes after the body's end.

        Raises:
            Refused: 400 for broken chunks, 413 for a chunk larger than any file, 431 for long
                trailers. Content that was found before in the same `data` is lost.
        """
        pieces = []
        start = 0
        while start < len(data) and not self.complete:
            if self.left:
                pieces.append(data[start : start + self.left])
                start += len(pieces[-1])
                self.left -= len(pieces[-1])
                if not self.left and data.startswith(CRLF, start):
                    # Without this and the cache below, a read of 256 KiB that is full of
                    # chunks of one byte holds the loop for 60 ms instead of 30.
                    self.expects = "size"
                    start += len(CRLF)
            else:
                start = self._feed_line(data, start)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), data[start:]

    def _feed_line(self, data: bytes, start: int) -> int:
        """Take one line, or as much of it as is here or allowed; return where it stops."""
        limit = len(CRLF) if self.expects == "end of chunk" else MAX_CHUNK_LINE_BYTES
        room = start + limit - len(self.line)
        newline = data.find(b"\n", start, room)
        stop = newline + 1 if newline >= 0 else min(room, len(data))
        self.line += data[start:stop]
        if newline >= 0 or len(self.line) == limit:
            line, self.line = self.line, b""
            self._take_line(line)
        return stop

    def _take_line(self, line: bytes) -> None:
        if self.expects == "size":
            self.left = _size_of_chunk(line)
            self.expects = "end of chunk" if self.left else "trailer"
        elif self.expects == "end of chunk":
            if line != CRLF:
                raise Refused(400, "A chunk is longer than its size")
            self.expects = "size"
        else:
            self._take_trailer(line)

    def _take_trailer(self, line: bytes) -> None:
        self.complete = line == CRLF
        self.trailer_bytes += len(line)
        if self.trailer_bytes > MAX_TRAILER_BYTES:
            raise Refused(431, f"The trailers are longer than {MAX_TRAILER_BYTES} bytes")
        if not self.complete and not TRAILER_LINE.fullmatch(line):
            raise Refused(400, "A trailer is not a field")


@lru_cache(maxsize=64)
def _size_of_chunk(line: bytes) -> int:
    match = CHUNK_LINE.fullmatch(line)
    if match is None:
        raise Refused(400, "A chunk does not begin with its size, or with too long an extension")
    digits = match[1]
    if len(digits) > MAX_SIZE_DIGITS or int(digits, 16) > MAX_LENGTH:
        raise Refused(413, "A chunk is larger than any file")
    return int(digits, 16)
