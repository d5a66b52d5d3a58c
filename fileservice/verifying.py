"""Whether a certificate is one of ours: by its number, by its file, by the signatures in it."""

import asyncio
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding

from fileservice.certificates import NUMBER_LENGTH, NUMBER_LETTERS
from fileservice.pdf.signed import SeenSignature, see_signatures
from fileservice.pdf.signeddata import Holder, holder_of
from fileservice.registry import Issued, Registry
from fileservice.signingkeys import SigningKey

type Verdict = Literal["genuine", "signed", "altered", "unknown"]
type Signatory = Literal["this service", "this service, earlier", "somebody else"]

# A string of 16 bytes, as the /ID of a PDF has two. Programs that change a file keep the first
# (ISO 32000-1 14.4), those that append to it keep the whole trailer.
IDENTITY = re.compile(rb"<[\x00\t\n\f\r ]{0,8}([0-9A-Fa-f]{32})[\x00\t\n\f\r ]{0,8}>")
LONGEST_IDENTITY = 50
MAX_IDENTITIES = 64
# Of the files that are examined at one time; what has no room is told without its signatures.
MAX_HELD_BYTES = 64 << 20
MAX_AT_ONCE = 2
MAX_WAIT_SECONDS = 10
# What people write and read out for a letter of Crockford's that it is not.
MISREAD = str.maketrans("OIL", "011", " -\t")


@dataclass(frozen=True, slots=True)
class JudgedSignature:
    """
    A signature of a file.

    Attributes:
        signatory: whose key made it; None where that is not certain.
    """

    seen: SeenSignature
    signatory: Signatory | None


@dataclass(frozen=True, slots=True)
class JudgedSignatures:
    """
    The signatures of a file.

    Attributes:
        all: those that were looked at, in the order of the file.
        has_more: whether there are others.
        seal_it: whether our present key signed all of the file as it is.
        outgrown: whether something was added behind all that our present key signed.
    """

    all: tuple[JudgedSignature, ...]
    has_more: bool
    seal_it: bool
    outgrown: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What a file is.

    Attributes:
        issued: the certificate that it is, or was; None for one that is not on record.
        signatures: None where there was no room, or no time, to look at them.
    """

    verdict: Verdict
    issued: Issued | None
    signatures: JudgedSignatures | None


class Room:
    """Bytes that may be held at one time."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> bool:
        """Take `size` bytes if they are left."""
        if size > self.left:
            return False
        self.left -= size
        return True


class Examination:
    """
    A file that is looked through as it comes, and held in memory while there is room.

    Attributes:
        size: bytes so far.
        content: all of them, or None.
        identities: what may be its /ID, each once, in the order of the file.
    """

    def __init__(self, room: Room) -> None:
        self.size = 0
        self.content: bytearray | None = bytearray()
        self.identities: dict[str, None] = {}
        self._room = room
        self._sha256 = hashlib.sha256()
        self._end = b""

    @property
    def sha256(self) -> str:
        """What the bytes so far have, in hexadecimal."""
        return self._sha256.hexdigest()

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        self._hold(chunk)
        searched = self._end + chunk
        for match in IDENTITY.finditer(searched):
            identity = match[1].decode().lower()
            self.identities.pop(identity, None)
            self.identities[identity] = None
            if len(self.identities) > MAX_IDENTITIES:
                # The last are the likeliest: the trailer stands at the end.
                del self.identities[next(iter(self.identities))]
        self._end = searched[-LONGEST_IDENTITY:]

    def _hold(self, chunk: bytes | memoryview) -> None:
        if self.content is None:
            return
        if self._room.take(len(chunk)):
            self.content += chunk
        else:
            self.forget()

    def forget(self) -> None:
        """Hold nothing of the file any more."""
        if self.content is not None:
            self._room.left += len(self.content)
            self.content = None


class Verifying:
    """Says what files are."""

    def __init__(self, registry: Registry, key: SigningKey | None) -> None:
        self._registry = registry
        self._own = holder_of(key.chain[0].public_bytes(Encoding.DER)) if key else None
        self._room = Room(MAX_HELD_BYTES)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    @contextmanager
    def examination(self) -> Iterator[Examination]:
        """Give what looks through one file, which is forgotten at the end of the block."""
        examination = Examination(self._room)
        try:
            yield examination
        finally:
            examination.forget()

    async def find(self, examination: Examination) -> Finding:
        """Return what a file is, once all of it was seen."""
        issued = self._registry.find_by_sha256(examination.sha256)
        if issued is not None:
            return Finding("genuine", issued, await self._signatures(examination, issued))
        issued = self._by_identity(examination)
        signatures = await self._signatures(examination, issued)
        if signatures is not None and signatures.seal_it:
            return Finding("signed", None, signatures)
        if issued is not None or (signatures is not None and signatures.outgrown):
            return Finding("altered", issued, signatures)
        return Finding("unknown", None, signatures)

    def _by_identity(self, examination: Examination) -> Issued | None:
        for identity in reversed(examination.identities):
            issued = self._registry.find_by_identity(identity)
            if issued is not None:
                return issued
        return None

    async def _signatures(
        self, examination: Examination, issued: Issued | None
    ) -> JudgedSignatures | None:
        if examination.content is None:
            return None
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            return None
        try:
            return await asyncio.to_thread(self._judged, examination.content, issued)
        finally:
            self._slots.release()

    def _judged(self, content: bytearray, issued: Issued | None) -> JudgedSignatures:
        seen = see_signatures(content)
        earlier = signer_of(issued) if issued and seen.all else None
        ours = [each for each in seen.all if self._signatory(each.holder, None) == "this service"]
        return JudgedSignatures(
            all=tuple(
                JudgedSignature(each, self._signatory(each.holder, earlier)) for each in seen.all
            ),
            has_more=seen.has_more,
            seal_it=seen.sealing in ours,
            outgrown=any(each.bytes_after for each in ours),
        )

    def _signatory(self, holder: Holder | None, earlier: Holder | None) -> Signatory | None:
        if holder is None:
            return None
        if self._own is not None and holder.key == self._own.key:
            return "this service"
        if earlier is not None and holder.key == earlier.key:
            return "this service, earlier"
        return "somebody else"


def signer_of(issued: Issued) -> Holder | None:
    """Return whom a certificate of ours was signed by when it was issued."""
    signatures = see_signatures(zlib.decompress(issued.own)).all
    return signatures[-1].holder if signatures else None


def find(registry: Registry, name: str) -> Issued | None:
    """Return the certificate of a number, however it was copied, or of a link to give away."""
    issued = registry.find(name)
    if issued is not None:
        return issued
    number = name.upper().translate(MISREAD)
    if len(number) != NUMBER_LENGTH or not set(number) <= set(NUMBER_LETTERS):
        return None
    return registry.find_by_number(number)
