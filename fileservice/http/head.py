"""The heads of the requests on one connection, read by llhttp in the limits of `framing`."""

from typing import Final

import httptools

from fileservice.http import framing
from fileservice.http.framing import DECISIVE_FIELDS, Refused

MAX_HEAD_BYTES: Final = 32 * 1024  # nginx takes 4 long lines of 8 KiB by default
MAX_FIELDS: Final = 100  # Apache's LimitRequestFields; a browser sends about 20
MAX_URL_BYTES: Final = 8 * 1024  # RFC 9112 3 recommends to take 8000 at least


class HeadReader:
    """
    Reads one head after another. The parser never sees a body.

    Attributes:
        begun: a head has begun and is not complete.
        complete: a head ended in what was fed last.
        method, url, version, fields: the head's; names in lower case, values without the white
            space around them.
        decisive: those of the fields that `framing.read_fields` wants.
        keeps_alive: the client may send another request after this one.
    """

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.begun = False
        self.complete = False
        self.size = 0
        self.tail = b""
        self.method = self.version = ""
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.decisive: list[tuple[bytes, bytes]] = []
        self.keeps_alive = True

    def feed(self, data: bytes) -> bytes:
        """
        Read what of `data` belongs to the head, and return what comes after.

        Raises:
            Refused: this is no head, or too long a one. There is no reading on after that.
        """
        self.complete = False
        stop = framing.end_of_head(self.tail, data)
        room = MAX_HEAD_BYTES + 1 - self.size
        head = data[: stop if stop < room else room]
        self.size += len(head)
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # RFC 9110 7.8: an Upgrade may be ignored. llhttp believes it was heeded.
            self.expect_body()
        except httptools.HttpParserError as error:
            raise framing.refused_by_parser(str(error)) from error
        # A head is read as far as it may be long: who sends it decides who may read the refusal.
        if self.size > MAX_HEAD_BYTES or (
            self.complete and (len(self.url) > MAX_URL_BYTES or len(self.fields) > MAX_FIELDS)
        ):
            raise self._too_long()
        if self.complete:
            self.size, self.tail = 0, b""
        else:
            if self.begun and not self.tail and framing.is_http_0_9(head):
                framing.check_version("0.9")
            self.tail = (self.tail + head)[-3:]
        return data[len(head) :]

    def _too_long(self) -> Refused:
        if len(self.url) > MAX_URL_BYTES:
            return Refused(414, f"The URL is longer than {MAX_URL_BYTES} bytes")
        return Refused(431, f"A head has {MAX_HEAD_BYTES} bytes and {MAX_FIELDS} fields at most")

    def expect_body(self) -> None:
        """Begin anew: the parser waits for a body, which it is not going to see."""
        self.parser = httptools.HttpRequestParser(self)

    def forget(self) -> None:
        """Part from the parser; only the garbage collector could, as the two know each other."""
        del self.parser

    # What the parser calls

    def on_message_begin(self) -> None:
        """Forget the head before this one."""
        self.begun = True
        self.method = self.version = ""
        self.url = b""
        self.fields = []
        self.decisive = []

    def on_url(self, url: bytes) -> None:
        """Take the target, or the next piece of it."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        name = name.lower()
        value = value.rstrip()  # of spaces and tabs; the parser refuses the other white space
        self.fields.append((name, value))
        if name in DECISIVE_FIELDS:
            self.decisive.append((name, value))

    def on_headers_complete(self) -> None:
        """Take what only the parser knows; one that saw an Upgrade is soon thrown away."""
        self.method = self.parser.get_method().decode("ascii")
        self.version = self.parser.get_http_version()
        self.keeps_alive = self.version == "1.1" and self.parser.should_keep_alive()
        self.begun, self.complete = False, True
