"""What the signatures of a file prove, without trust in anybody: who signed, and which bytes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from asn1crypto import tsp

from fileservice.pdf.byteranges import (
    MAX_MESSAGE_BYTES,
    MAX_SIGNATURES,
    SignatureDictionary,
    Unreadable,
    find_byte_ranges,
    read_dictionary,
)
from fileservice.pdf.der import NotDer, measure
from fileservice.pdf.signeddata import (
    DIGESTS,
    MALFORMED,
    BadSignedData,
    Holder,
    Malformed,
    SignedData,
    Unsupported,
    read_signed_data,
)

type State = Literal["intact", "changed", "invalid", "unsupported", "unreadable"]

DETACHED = (b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")


@dataclass(frozen=True, slots=True)
class Stamp:
    """
    A time-stamp that holds for the signature it is beside.

    Attributes:
        holder: whose word the time is.
    """

    at: datetime
    holder: Holder


@dataclass(frozen=True, slots=True)
class SeenSignature:
    """
    One signature of a file.

    Attributes:
        state: `intact` holds for its bytes; of `changed` the signer is certain, and that it was
            for other bytes; of the others nothing is.
        why: what else is to be said, as what follows "a signature that"; may be empty.
        bytes_after: how many bytes of the file follow those that it signs.
        holder: who signed; None where that is not certain.
        claimed_at: when, by the signer's own word.
        has_stamp: whether there is a time-stamp, good or not.
        stamp: it, if it holds.
    """

    state: State
    why: str = ""
    bytes_after: int = 0
    forbids_changes: bool = False
    holder: Holder | None = None
    claimed_at: datetime | None = None
    has_stamp: bool = False
    stamp: Stamp | None = None

    @property
    def moment(self) -> datetime | None:
        """When it was made, as well as it is known."""
        return self.stamp.at if self.stamp else self.claimed_at


@dataclass(frozen=True, slots=True)
class SeenSignatures:
    """
    The signatures of a file.

    Attributes:
        all: those that were looked at, in the order of the file.
        has_more: whether there are others.
    """

    all: tuple[SeenSignature, ...]
    has_more: bool

    @property
    def sealing(self) -> SeenSignature | None:
        """
        The one that is alone, and signs all of the file but itself.

        Were there a second /ByteRange, the hole of the first could have been moved there, and the
        same bytes would mean another file.
        """
        if self.has_more or len(self.all) != 1:
            return None
        [only] = self.all
        return only if only.state == "intact" and not only.bytes_after else None


def see_signatures(content: bytes | bytearray) -> SeenSignatures:
    """Look at the first MAX_SIGNATURES signatures of a file, which may be anything."""
    places = find_byte_ranges(content)
    seen = tuple(_see(content, at) for at in places[:MAX_SIGNATURES])
    return SeenSignatures(seen, len(places) > MAX_SIGNATURES)


def _see(content: bytes | bytearray, at: int) -> SeenSignature:
    try:
        dictionary = read_dictionary(content, at)
        return _judged(content, dictionary, _message(dictionary))
    except Unreadable:
        return SeenSignature("unreadable")
    except Malformed as error:
        return SeenSignature("unreadable", str(error))
    except Unsupported as error:
        return SeenSignature("unsupported", str(error))
    except BadSignedData as error:
        return SeenSignature("invalid", str(error))


def _message(dictionary: SignatureDictionary) -> SignedData:
    if dictionary.kind not in DETACHED:
        raise Unsupported("is of a kind that is not known here")
    if len(dictionary.message) > MAX_MESSAGE_BYTES:
        raise Unsupported(f"has more than {MAX_MESSAGE_BYTES:,} bytes")
    signed = read_signed_data(dictionary.message)
    if signed.content is not None or signed.kind != "data":
        raise Unsupported("signs something else than a file")
    return signed


def _judged(
    content: bytes | bytearray, dictionary: SignatureDictionary, signed: SignedData
) -> SeenSignature:
    is_intact = dictionary.fits and _digest(content, dictionary, signed.algorithm) == signed.digest
    return SeenSignature(
        state="intact" if is_intact else "changed",
        bytes_after=len(content) - dictionary.stop if is_intact else 0,
        forbids_changes=dictionary.forbids_changes,
        holder=signed.holder,
        claimed_at=dictionary.claimed_at,
        has_stamp=signed.token is not None,
        stamp=_stamp(signed),
    )


def _digest(content: bytes | bytearray, dictionary: SignatureDictionary, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    with memoryview(content) as view:
        digest.update(view[: dictionary.hole.start])
        digest.update(view[dictionary.hole.stop : dictionary.stop])
    return digest.digest()


def _stamp(signed: SignedData) -> Stamp | None:
    """Return the time-stamp of a signature if it holds: for this one, by one who may stamp."""
    if signed.token is None:
        return None
    try:
        token = read_signed_data(signed.token)
        if token.kind != "tst_info" or not token.content or not token.signs(token.content):
            return None
        measure(token.content)
        return _read_stamp(tsp.TSTInfo.load(token.content, strict=True), token.holder, signed.value)
    except (BadSignedData, NotDer, *MALFORMED):
        return None


def _read_stamp(info: tsp.TSTInfo, holder: Holder, value: bytes) -> Stamp | None:
    imprint, at = info["message_imprint"], info["gen_time"].native
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    is_for_it = (
        algorithm in DIGESTS
        and imprint["hashed_message"].native == hashlib.new(algorithm, value).digest()
    )
    # asn1crypto has a class of its own for the year 0.
    is_in_time = isinstance(at, datetime) and holder.holds_at(at)
    return Stamp(at, holder) if is_for_it and is_in_time and holder.may_stamp else None
