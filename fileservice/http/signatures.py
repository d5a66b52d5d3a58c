"""What is told of the signatures of a file: what was checked, and what was not."""

from datetime import UTC, datetime

from fileservice.http.issuing import shown
from fileservice.pdf.signed import SeenSignature
from fileservice.pdf.signeddata import Holder
from fileservice.verifying import JudgedSignature, JudgedSignatures, Signatory

SIGNATORIES: dict[Signatory, str] = {
    "this service": "Signed with the key of this service.",
    "this service, earlier": "Signed with an earlier key of this service.",
    "somebody else": (
        "Signed with a key that this service does not know, whose signing certificate says"
        " “{name}”. Anybody can write a name into one, and who issued this one was not checked."
    ),
}
CODES: dict[Signatory, str] = {
    "this service": "this_service",
    "this service, earlier": "this_service_earlier",
    "somebody else": "other",
}
QUOTES = str.maketrans("“”„", "'''")
NOT_EXAMINED = "The signatures were not looked at: many files are examined just now. Try again."
HAS_MORE = "There are more signatures, which were not looked at."


def described(signatures: JudgedSignatures | None) -> list[dict[str, object]] | None:
    """Return JSON of each signature."""
    if signatures is None:
        return None
    return [signature_facts(each) for each in signatures.all]


def signature_facts(judged: JudgedSignature) -> dict[str, object]:
    """Return what is known of a signature, for a program."""
    seen = judged.seen
    is_intact = seen.state == "intact"
    return {
        "state": seen.state,
        "signer": CODES[judged.signatory] if judged.signatory else None,
        "covers_whole_file": is_intact and not seen.bytes_after,
        "bytes_after": seen.bytes_after if is_intact else None,
        "forbids_changes": seen.forbids_changes,
        "signed_at": shown(seen.claimed_at, UTC),
        "time_stamp": stamp_facts(seen),
        "certificate": holder_facts(seen.holder, seen.moment) if seen.holder else None,
        "detail": " ".join(sentences(judged)),
    }


def stamp_facts(seen: SeenSignature) -> dict[str, object] | None:
    """Return what is known of a signature's time-stamp."""
    if not seen.has_stamp:
        return None
    if seen.stamp is None:
        return {"holds": False}
    at = seen.stamp.at
    return {
        "holds": True,
        "at": shown(at, UTC),
        "certificate": holder_facts(seen.stamp.holder, at),
    }


def holder_facts(holder: Holder, moment: datetime | None) -> dict[str, object]:
    """Return what a certificate says, and whether it was valid at `moment`."""
    return {
        "name": holder.name,
        "sha256": holder.sha256,
        "valid_from": shown(holder.since, UTC),
        "valid_until": shown(holder.until, UTC),
        "valid_then": holder.holds_at(moment) if moment else None,
        "chain": "not checked",
    }


def sentences(judged: JudgedSignature) -> list[str]:
    """Return what a person is told of a signature."""
    seen = judged.seen
    if seen.holder is None or judged.signatory is None:
        return [unproven(seen)]
    signed = SIGNATORIES[judged.signatory].format(name=quoted(seen.holder))
    return [signed, coverage(seen), *time_of(seen), *validity(seen.holder, seen.moment)]


def quoted(holder: Holder) -> str:
    """Return a name that cannot end its quotation."""
    return holder.name.translate(QUOTES)


def unproven(seen: SeenSignature) -> str:
    """Say why a signature proves nothing."""
    why = f"A signature that {seen.why or 'cannot be read'}"
    if seen.state == "unsupported":
        return f"{why}: it was not checked, and proves nothing here."
    return f"{why}: it proves nothing."


def coverage(seen: SeenSignature) -> str:
    """Say what of the file a signature is for."""
    if seen.state == "changed":
        return "It does not fit this file: what was signed was changed since."
    if not seen.bytes_after:
        return "It covers the whole file, which was not changed since."
    added = "1 byte was" if seen.bytes_after == 1 else f"{seen.bytes_after:,} bytes were"
    forbidden = ", which it forbids" if seen.forbids_changes else ""
    return (
        f"What it covers was not changed, but {added} added behind it{forbidden}:"
        " what the file shows may be something else."
    )


def time_of(seen: SeenSignature) -> list[str]:
    """Say when a signature was made, and by whose word."""
    told = []
    if seen.has_stamp and seen.stamp is None:
        told.append("Its time-stamp does not hold.")
    if seen.stamp is not None:
        told.append(
            f"It was there at {written(seen.stamp.at)}, says the time-stamp of"
            f" “{quoted(seen.stamp.holder)}”; whether to trust it was not checked."
        )
    elif seen.claimed_at is not None:
        told.append(f"It was made at {written(seen.claimed_at)}, by the signer's own clock.")
    return told


def written(moment: datetime) -> str:
    """Return a time for people."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def validity(holder: Holder, moment: datetime | None) -> list[str]:
    """Say whether the certificate was valid when it signed."""
    if moment is None:
        return []
    if holder.holds_at(moment):
        return ["The signing certificate was valid then."]
    return ["The signing certificate was not valid then."]


def remark(signatures: JudgedSignatures | None) -> str:
    """Say what was left out; may be empty."""
    if signatures is None:
        return NOT_EXAMINED
    return HAS_MORE if signatures.has_more else ""


def sheets(signatures: JudgedSignatures | None) -> list[dict[str, object]]:
    """Return what a page shows of each signature."""
    if signatures is None:
        return []
    return [{"sentences": sentences(each), **signature_facts(each)} for each in signatures.all]


def signature_lines(signatures: JudgedSignatures | None) -> list[str]:
    """Return a line for each signature."""
    judged = signatures.all if signatures else ()
    told = [f"signature: {' '.join(sentences(each))}" for each in judged]
    left_out = remark(signatures)
    return [*told, f"signatures: {left_out}"] if left_out else told
