"""Whether a certificate is one of ours, by its number or by its file."""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from fileservice.certificates import NUMBER_LENGTH, NUMBER_LETTERS
from fileservice.registry import Issued, Registry

type Verdict = Literal["genuine", "altered", "unknown"]

# A string of 16 bytes, as the /ID of a PDF has two. Programs that change a file keep the first
# (ISO 32000-1 14.4), those that append to it keep the whole trailer.
IDENTITY = re.compile(rb"<[\x00\t\n\f\r ]{0,8}([0-9A-Fa-f]{32})[\x00\t\n\f\r ]{0,8}>")
LONGEST_IDENTITY = 50
MAX_IDENTITIES = 64
# What people write and read out for a letter of Crockford's that it is not.
MISREAD = str.maketrans("OIL", "011", " -\t")


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What a file is.

    Attributes:
        issued: the certificate that it is, or was; None for one that is not ours.
    """

    verdict: Verdict
    issued: Issued | None = None


class Examination:
    """
    A file that is looked through as it comes; none of it is kept.

    Attributes:
        size: bytes so far.
        identities: what may be its /ID, each once, in the order of the file.
    """

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._end = b""
        self.identities: dict[str, None] = {}

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        searched = self._end + chunk
        for match in IDENTITY.finditer(searched):
            identity = match[1].decode().lower()
            self.identities.pop(identity, None)
            self.identities[identity] = None
            if len(self.identities) > MAX_IDENTITIES:
                # The last are the likeliest: the trailer stands at the end.
                del self.identities[next(iter(self.identities))]
        self._end = searched[-LONGEST_IDENTITY:]

    def find(self, registry: Registry) -> Finding:
        """Return what the file is, once all of it was seen."""
        issued = registry.find_by_sha256(self._sha256.hexdigest())
        if issued is not None:
            return Finding("genuine", issued)
        for identity in reversed(self.identities):
            issued = registry.find_by_identity(identity)
            if issued is not None:
                return Finding("altered", issued)
        return Finding("unknown")


def find(registry: Registry, name: str) -> Issued | None:
    """Return the certificate of a number, however it was copied, or of a link to give away."""
    issued = registry.find(name)
    if issued is not None:
        return issued
    number = name.upper().translate(MISREAD)
    if len(number) != NUMBER_LENGTH or not set(number) <= set(NUMBER_LETTERS):
        return None
    return registry.find_by_number(number)
