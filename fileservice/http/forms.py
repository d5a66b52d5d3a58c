"""multipart/form-data as a stream of parts (RFC 7578), each read before the next."""

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import Enum

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from fileservice.disposition import parse_form_data
from fileservice.errors import BadForm, TooLarge, TooManyParts, Truncated, UnsupportedRequest

LARGEST_FORM_PARTS = 64
LARGEST_FIELD_BYTES = 64 << 10
LARGEST_FIELDS_BYTES = 1 << 20  # of all fields of a form together
# Line breaks before the first boundary and after the last; anything else there is refused.
LARGEST_PREAMBLE = 1 << 10
LARGEST_EPILOGUE = 1 << 10
PART_HEADERS = 8
PART_HEADER_BYTES = 4224

# RFC 2046 5.1.1: 1 to 70 of these, the last no space.
BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
CONTENT_TYPE = re.compile(
    rb"multipart/form-data[ \t]*(?P<parameters>(?:;[ \t]*[!#$%&\'*+.^_`|~0-9A-Za-z-]+="
    rb'(?:"[^"\\\x00-\x1f]*"|[^";\x00-\x20]+)[ \t]*)*);?[ \t]*',
    re.IGNORECASE,
)
PARAMETER = re.compile(rb';[ \t]*([^=]+)=(?:"([^"]*)"|([^";\s]+))')
IDENTITY_ENCODINGS = frozenset((b"7bit", b"8bit", b"binary"))


def boundary_of(content_types: list[bytes]) -> bytes:
    """
    Return the boundary that the Content-Type fields of a request name.

    Raises:
        UnsupportedRequest: the request is not multipart/form-data.
        BadForm: there is not exactly one field with exactly one legal boundary.
    """
    if not any(value.lower().startswith(b"multipart/form-data") for value in content_types):
        raise UnsupportedRequest(
            "Send a form as multipart/form-data, or a file as PUT /files/<name>.",
            headers={"Accept-Post": "multipart/form-data"},
        )
    match = CONTENT_TYPE.fullmatch(content_types[0]) if len(content_types) == 1 else None
    if match is None:
        raise BadForm("The Content-Type of the form cannot be read.")
    boundaries = [
        quoted or token
        for name, quoted, token in PARAMETER.findall(match["parameters"])
        if name.lower() == b"boundary"
    ]
    if len(boundaries) != 1 or not BOUNDARY.fullmatch(boundaries[0]):
        raise BadForm("The form needs one boundary of 1 to 70 characters (RFC 2046 5.1.1).")
    boundary: bytes = boundaries[0]
    return boundary


@dataclass(frozen=True, slots=True)
class Part:
    """
    One part of a form.

    Attributes:
        name: of the form field.
        filename: as sent, not cleaned; None where the part is a plain field; empty where the
            browser's file field was left empty.
        start: bytes of the body before its content.
        closing: bytes of the body after its content, were it the last part.
    """

    name: str
    filename: bytes | None
    start: int = 0
    closing: int = 0


class Mark(Enum):
    """What stands between the parts."""

    END_OF_PART = 1
    END_OF_FORM = 2


class Form:
    """
    A form that is read part by part.

    Memory is bounded by one chunk of the body: the parser is fed only when what it found so far
    has been taken.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], boundary: bytes, most_parts: int = LARGEST_FORM_PARTS
    ) -> None:
        self._chunks = chunks
        self._most_parts = most_parts
        self._events: deque[Part | memoryview | Mark] = deque()
        self._closing = b"\r\n--" + boundary + b"--"
        self._headers: list[tuple[bytearray, bytearray]] = []
        self._chunk = b""
        # The first boundary has no line break of its own before it.
        self._tail = b"\r\n"
        self._parts = 0
        self._fed = 0  # bytes of the body before the chunk at hand
        self._headers_end = 0
        self._fields_bytes = 0
        self._preamble = 0
        self._epilogue = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_begin": self._on_header_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=PART_HEADERS,
            max_header_size=PART_HEADER_BYTES,
        )

    async def parts(self) -> AsyncIterator[Part]:
        """
        Yield the parts in their order; read one with `content` or `text` before the next.

        Raises:
            BadForm, TooManyParts: the body is not a form, or too much of one.
            Truncated: it ended before its closing boundary.
        """
        while (event := await self._next()) is not Mark.END_OF_FORM:
            if isinstance(event, Part):
                yield event
        async for chunk in self._chunks:
            self._refuse_epilogue(chunk)

    async def content(self) -> AsyncIterator[memoryview]:
        """Yield the bytes of the part at hand."""
        while isinstance(event := await self._next(), memoryview):
            yield event

    async def text(self) -> str:
        """
        Return the plain field at hand.

        Raises:
            TooLarge: it has more bytes than a field may have, or all fields have together.
            BadForm: it is not UTF-8.
        """
        value = bytearray()
        async for data in self.content():
            value += data
            self._fields_bytes += len(data)
            if len(value) > LARGEST_FIELD_BYTES or self._fields_bytes > LARGEST_FIELDS_BYTES:
                raise TooLarge(f"A field may have {LARGEST_FIELD_BYTES:,} bytes.")
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BadForm("A field of the form is not UTF-8.") from None

    async def _next(self) -> Part | memoryview | Mark:
        while not self._events:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                raise Truncated("The form ended before its closing boundary.")
            self._feed(chunk)
        return self._events.popleft()

    def _feed(self, chunk: bytes) -> None:
        self._chunk = chunk
        if not self._parts:
            # The parser passes over any number of line breaks before the first boundary.
            self._preamble += len(chunk) - len(chunk.lstrip(b"\r\n"))
            if self._preamble > LARGEST_PREAMBLE:
                raise BadForm("The form does not begin with its boundary.")
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise BadForm(f"The form cannot be read: {error}.") from None
        if self._events and self._events[-1] is Mark.END_OF_FORM:
            # The parser stops at the first closing boundary and says nothing of what follows.
            _, _, rest = (self._tail + chunk).partition(self._closing)
            self._refuse_epilogue(rest)
        else:
            short = len(chunk) < len(self._closing)
            self._tail = (self._tail + chunk if short else chunk)[-len(self._closing) :]
        self._fed += len(chunk)

    def _refuse_epilogue(self, rest: bytes) -> None:
        self._epilogue += len(rest)
        if rest.strip(b"\r\n") or self._epilogue > LARGEST_EPILOGUE:
            raise BadForm("Something follows the closing boundary of the form.")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._most_parts:
            raise TooManyParts(f"This form may have {self._most_parts} parts.")
        self._headers = []

    def _on_header_begin(self) -> None:
        self._headers.append((bytearray(), bytearray()))

    def _on_header_field(self, data: bytes, start: int, stop: int) -> None:
        self._headers[-1][0].extend(data[start:stop])

    def _on_header_value(self, data: bytes, start: int, stop: int) -> None:
        self._headers[-1][1].extend(data[start:stop])
        self._headers_end = self._fed + stop + len(b"\r\n\r\n")

    def _on_headers_finished(self) -> None:
        part = part_of([(bytes(n).lower(), bytes(v)) for n, v in self._headers])
        closing = len(self._closing) + len(b"\r\n")
        self._events.append(replace(part, start=self._headers_end, closing=closing))

    def _on_part_data(self, data: bytes, start: int, stop: int) -> None:
        # What the parser held back in its own buffer is not `data` of the chunk: it is reused.
        view = memoryview(data) if data is self._chunk else memoryview(bytes(data))
        self._events.append(view[start:stop])

    def _on_part_end(self) -> None:
        self._events.append(Mark.END_OF_PART)

    def _on_end(self) -> None:
        self._events.append(Mark.END_OF_FORM)


def part_of(headers: list[tuple[bytes, bytes]]) -> Part:
    """
    Return the part with these header fields.

    Raises:
        BadForm: they break RFC 7578 4, or hide something.
    """
    if any(byte in value for _, value in headers for byte in b"\0\n\r"):
        raise BadForm("A header of a part holds a control character.")
    dispositions = [value for name, value in headers if name == b"content-disposition"]
    if len(dispositions) != 1:
        raise BadForm("Every part needs one Content-Disposition.")
    for name, value in headers:
        if name == b"content-transfer-encoding" and value.lower() not in IDENTITY_ENCODINGS:
            raise BadForm("Send the parts unencoded (RFC 7578 4.7).")
    field = parse_form_data(dispositions[0])
    return Part(field.name, field.filename)
