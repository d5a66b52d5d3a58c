"""
A signature behind a filled certificate: PAdES baseline B-B and B-T (ETSI EN 319 142-1).

It certifies: it allows no change at all after it (DocMDP, P 1). It is an incremental update, so it
needs nothing but the certificate's bytes, and those stay as they were.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from fileservice.pdf.cms import Signer
from fileservice.pdf.written import Entries, WrittenFile, dictionary, reference_of

FIELD = b"/FT/Sig/T(Signature)"
# Print and Locked; a rectangle without extent shows nothing and needs no appearance.
INVISIBLE = b"/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132"
NO_CHANGES = (
    b"[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 1/V/1.2>>>>]"
)
# The numbers are known when all else is written, and must not move it.
RANGE = b"[0 %-10d %-10d %-10d]"
RANGE_SIZE = len(RANGE % (0, 0, 0))


@dataclass(frozen=True, slots=True)
class Unsigned:
    """
    A certificate with room for its signature.

    Attributes:
        before: the file up to the room, which begins and ends with an angle bracket.
        room: how many bytes the signature may have.
        after: the file behind the room.
    """

    before: bytes
    room: int
    after: bytes

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what is signed."""
        digest = hashlib.sha256(self.before)
        digest.update(self.after)
        return digest.digest()

    def signed(self, message: bytes) -> bytes:
        """Return the certificate with the CMS message `message`, which must fit."""
        if len(message) > self.room:
            raise ValueError(f"{len(message)} bytes do not fit into {self.room}")
        return b"".join(
            (self.before, b"<%s>" % message.ljust(self.room, b"\0").hex().encode(), self.after)
        )


def sign(content: bytes, signer: Signer, *, signed_at: datetime, reason: str = "") -> bytes:
    """Return the certificate `content`, as this engine filled it, signed; the same for the same."""
    unsigned = prepare(content, room=signer.most_bytes, signed_at=signed_at, reason=reason)
    return unsigned.signed(signer.sign(unsigned.digest).encoded())


def prepare(content: bytes, *, room: int, signed_at: datetime, reason: str = "") -> Unsigned:
    """Return `content` with all of a signature but itself, for which there are `room` bytes."""
    file = WrittenFile(content)
    size = int(file.trailer[b"/Size"])
    signature, widget = size, size + 1
    root = reference_of(file.trailer[b"/Root"])
    catalog = file.entries(root)
    page, entries = _first_page(file, catalog)
    catalog[b"/AcroForm"] = b"<</Fields[%d 0 R]/SigFlags 3>>" % widget
    catalog[b"/Perms"] = b"<</DocMDP %d 0 R>>" % signature
    entries[b"/Annots"] = b"[%s %d 0 R]" % (file.array(entries.get(b"/Annots", b"")), widget)
    head = _signature_head(signed_at, reason)
    hole = 2 * room + len(b"<>")
    bodies = {
        root: dictionary(catalog),
        page: dictionary(entries),
        signature: head + bytes(hole) + b">>",
        widget: b"<<%s%s/P %d 0 R/V %d 0 R>>" % (FIELD, INVISIBLE, page, signature),
    }
    trailer = {**file.trailer, b"/Size": b"%d" % (size + 2), b"/Prev": b"%d" % file.xref}
    written, places = _updated(content, bodies, trailer)
    start = places[signature] + len(b"%d 0 obj\n" % signature) + len(head)
    return _split(written, start, start + hole, room)


def _split(written: bytes, start: int, stop: int, room: int) -> Unsigned:
    """Take the room out, and say around it which bytes are signed."""
    numbers = RANGE % (start, stop, len(written) - stop)
    before = written[: start - RANGE_SIZE - len(b"/Contents")] + numbers + b"/Contents"
    return Unsigned(before, room, written[stop:])


def _first_page(file: WrittenFile, catalog: Entries) -> tuple[int, Entries]:
    number = reference_of(catalog[b"/Pages"])
    while True:
        entries = file.entries(number)
        if b"/Kids" not in entries:
            return number, entries
        number = reference_of(file.array(entries[b"/Kids"]))


def _signature_head(signed_at: datetime, reason: str) -> bytes:
    """Return the signature's dictionary up to where its bytes begin."""
    moment = b"%04d%02d%02d%02d%02d%02d" % signed_at.astimezone(UTC).timetuple()[:6]
    why = b"/Reason<%s>" % f"\ufeff{reason}".encode("utf-16-be").hex().encode() if reason else b""
    return (
        b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:%sZ)%s"
        b"/Reference%s/ByteRange%s/Contents"
    ) % (moment, why, NO_CHANGES, bytes(RANGE_SIZE))


def _updated(
    content: bytes, bodies: dict[int, bytes], trailer: Entries
) -> tuple[bytes, dict[int, int]]:
    """Return `content` with other objects behind it, and where each of them stands."""
    pieces, places, at = [content], {}, len(content)
    for number, body in bodies.items():
        places[number] = at
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        at += len(pieces[-1])
    lines = [b"%d 1\n%010d 00000 n \n" % (number, places[number]) for number in sorted(places)]
    pieces.append(
        b"xref\n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n"
        % (b"".join(lines), dictionary(trailer), at)
    )
    return b"".join(pieces), places
