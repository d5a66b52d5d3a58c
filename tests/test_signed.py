"""What is seen of the signatures of a file: by whom, of which bytes, and nothing unchecked."""

import hashlib
import io
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from asn1crypto import algos, cms, core, tsp, x509
from asn1crypto.keys import PrivateKeyInfo
from asn1crypto.util import extended_datetime
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    CertificateBuilder,
    Name,
    NameAttribute,
    ObjectIdentifier,
    random_serial_number,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from fileservice.pdf.byteranges import (
    MAX_DEPTH,
    MAX_MESSAGE_BYTES,
    MAX_SIGNATURES,
    MAX_TOKENS,
    Unreadable,
    find_byte_ranges,
    read_dictionary,
)
from fileservice.pdf.cms import Signer
from fileservice.pdf.der import NotDer, measure
from fileservice.pdf.signed import SeenSignature, see_signatures
from fileservice.pdf.signeddata import Malformed, read_signed_data
from fileservice.pdf.signing import Unsigned, prepare
from tests.signatures import NOW, VALID, key_of, pdfsig, stamper_of
from tests.test_signing import KINDS, filled, hole, signed

type OtherKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

OTHERS: dict[str, Callable[[], OtherKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "PSS": lambda: rsa.generate_private_key(65537, 2048),
    "weak RSA": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - to be refused
}


@cache
def other_signer(kind: str = "P-256", name: str = "Somebody Else") -> signers.SimpleSigner:
    """Return what pyHanko signs with."""
    key = OTHERS[kind]()
    subject = Name([NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    store: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's own
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return signers.SimpleSigner(
        x509.Certificate.load(certificate.public_bytes(Encoding.DER)),
        PrivateKeyInfo.load(pkcs8),
        store,
        prefer_pss=kind == "PSS",
    )


def signed_by_other(
    content: bytes,
    kind: str = "P-256",
    *,
    name: str = "Somebody Else",
    stamped: bool = False,
    **chosen: Any,
) -> bytes:
    """Return `content` signed by pyHanko."""
    defaults = {"field_name": name, "md_algorithm": "sha256", "subfilter": SigSeedSubFilter.PADES}
    out = io.BytesIO()
    metadata: Any = {**defaults, **chosen, "signer_key_usage": set()}
    signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(content)),
        signers.PdfSignatureMetadata(**metadata),
        other_signer(kind, name),
        timestamper=stamper_of() if stamped else None,
        output=out,
    )
    return out.getvalue()


def only(content: bytes) -> SeenSignature:
    [signature] = see_signatures(content).all
    return signature


@pytest.mark.parametrize("rsa_bits", KINDS)
def test_what_we_signed_is_intact_and_ours(rsa_bits: int | None) -> None:
    seen = see_signatures(signed(rsa_bits))

    [signature] = seen.all
    assert seen.sealing is signature
    assert (signature.state, signature.bytes_after, signature.why) == ("intact", 0, "")
    assert signature.forbids_changes
    assert signature.moment == NOW
    assert signature.holder is not None
    assert signature.holder.name == "Office of the Tests"
    own = key_of(rsa_bits).chain[0]
    assert signature.holder.encoded == own.public_bytes(Encoding.DER)
    assert signature.holder.sha256 == own.fingerprint(hashes.SHA256()).hex()
    assert signature.holder.since == own.not_valid_before_utc
    assert signature.holder.until == own.not_valid_after_utc


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        ("P-256", "sha256"),
        ("P-256", "sha512"),
        ("P-384", "sha384"),
        ("RSA", "sha256"),
        ("RSA", "sha512"),
        ("PSS", "sha256"),
        ("PSS", "sha384"),
    ],
)
@pytest.mark.parametrize("subfilter", list(SigSeedSubFilter)[:2])
def test_what_another_program_signed_is_read(
    kind: str, digest: str, subfilter: SigSeedSubFilter
) -> None:
    content = signed_by_other(filled(), kind, md_algorithm=digest, subfilter=subfilter)

    signature = only(content)

    assert VALID in pdfsig(content)
    assert signature.state == "intact"
    assert see_signatures(content).sealing == signature
    assert not signature.forbids_changes
    assert signature.holder is not None
    assert signature.holder.name == "Somebody Else"


def test_whether_changes_are_forbidden_is_read() -> None:
    closed = signed_by_other(filled(), certify=True, docmdp_permissions=MDPPerm.NO_CHANGES)
    open_to_comments = signed_by_other(filled(), certify=True, docmdp_permissions=MDPPerm.ANNOTATE)

    assert only(closed).forbids_changes
    assert not only(open_to_comments).forbids_changes


@pytest.mark.parametrize(("kind", "digest"), [("weak RSA", "sha256"), ("RSA", "sha1")])
def test_what_is_weak_or_not_known_is_not_relied_on(kind: str, digest: str) -> None:
    signature = only(signed_by_other(filled(), kind, md_algorithm=digest))

    assert (signature.state, signature.holder) == ("unsupported", None)
    assert "not known here" in signature.why


def test_a_time_stamp_is_read_and_is_the_better_clock() -> None:
    content = signed_by_other(filled(), stamped=True)

    signature = only(content)

    assert signature.has_stamp
    assert signature.stamp is not None
    assert signature.stamp.holder.name == "Clock of the Tests"
    assert signature.moment == signature.stamp.at == NOW
    assert signature.claimed_at != NOW


def message_of(content: bytes) -> bytes:
    """Return the signature of a file of ours, without what pads it."""
    room = hole(content)
    message = bytes.fromhex(content[room.start + 1 : room.stop - 1].decode())
    return message[: measure(message)]


def with_message(content: bytes, message: bytes) -> bytes:
    """Return a file of ours with another signature, in the same room."""
    room = hole(content)
    text = message.hex().encode().ljust(len(room) - 2, b"0")
    assert len(text) == len(room) - 2
    return content[: room.start + 1] + text + content[room.stop - 1 :]


type Stamping = Callable[[bytes], bytes]


def token_for(
    value: bytes,
    *,
    algorithm: str = "sha256",
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
) -> bytes:
    """Return a time-stamp token for a signature."""
    imprint = {
        "hash_algorithm": {"algorithm": algorithm},
        "hashed_message": hashlib.new(algorithm, value).digest(),
    }
    query = {"version": "v1", "message_imprint": imprint, "nonce": 1, "cert_req": True}
    reply = stamper_of(purpose).request_tsa_response(tsp.TimeStampReq(query))
    token: bytes = reply["time_stamp_token"].dump()
    return token


def stamped_by(stamping: Stamping) -> bytes:
    """Return a file of ours with what `stamping` makes for its signature."""
    unsigned = prepare(filled(), room=9000, signed_at=NOW + timedelta(hours=1))
    signature = Signer(key_of()).sign(unsigned.digest)
    return unsigned.signed(signature.encoded(stamping(signature.value)))


def with_another_time(value: bytes) -> bytes:
    info = cms.ContentInfo.load(token_for(value))
    encapsulated = info["content"]["encap_content_info"]
    stamp = encapsulated["content"].parsed
    stamp["gen_time"] = NOW - timedelta(hours=1)
    encapsulated["content"] = cms.ParsableOctetString(stamp.dump(force=True))
    changed: bytes = info.dump(force=True)
    return changed


def test_the_time_that_we_have_stamped_is_read() -> None:
    signature = only(stamped_by(token_for))

    assert signature.stamp is not None
    assert signature.moment == NOW


@pytest.mark.parametrize(
    "stamping",
    [
        lambda value: token_for(value + b"x"),
        lambda value: token_for(value, algorithm="sha1"),
        lambda _: b"\x30\x00",
        lambda value: token_for(value, purpose=ExtendedKeyUsageOID.CODE_SIGNING),
        lambda _: message_of(signed()),
        with_another_time,
    ],
    ids=["other", "sha1", "empty", "purpose", "no stamp", "time"],
)
def test_a_stamp_that_does_not_hold_says_nothing(stamping: Stamping) -> None:
    signature = only(stamped_by(stamping))

    assert signature.state == "intact"
    assert (signature.has_stamp, signature.stamp) == (True, None)
    assert signature.moment == NOW + timedelta(hours=1)


def pyhanko_message(content: bytes) -> bytes:
    at = find_byte_ranges(content)[0]
    return read_dictionary(content, at).message


def places() -> list[int]:
    """Return bytes to change: before the signature's update, in it, and behind the signature."""
    content = signed()
    chosen = random.Random(5)  # noqa: S311 - the same places in each run
    room = hole(content)
    parts = (range(len(filled())), range(len(filled()), room.start), range(room.stop, len(content)))
    return [at for part in parts for at in chosen.sample(part, 80)]


def test_a_change_of_any_byte_that_is_signed_is_seen() -> None:
    for at in places():
        content = bytearray(signed())
        content[at] ^= 1

        seen = see_signatures(content)

        assert seen.sealing is None, at
        assert all(each.state in ("changed", "unreadable", "unsupported") for each in seen.all), at


def test_a_change_of_any_digit_of_the_signature_changes_no_name_and_no_time() -> None:
    room = hole(signed())
    whole = see_signatures(signed()).sealing
    held = 0
    for at in range(room.start, room.stop):
        content = bytearray(signed())
        content[at] ^= 1
        sealing = see_signatures(content).sealing
        held += sealing is not None

        assert sealing in (None, whole), at

    # Versions and the list of hashes, at the head of the message, are signed by nobody.
    assert held < 50


@pytest.mark.parametrize("cut", [1, 7, 100, 360])
def test_a_file_that_was_cut_is_changed(cut: int) -> None:
    signature = only(signed()[:-cut])

    assert signature.state == "changed"
    assert signature.holder is not None


def test_what_was_put_before_is_a_change() -> None:
    assert only(b"\n" + signed()).state == "changed"


@pytest.mark.parametrize("more", [b"\n", b"%%EOF\n", b"1 0 obj\n<</Type/Catalog>>\nendobj\n"])
def test_what_was_appended_is_counted(more: bytes) -> None:
    seen = see_signatures(signed() + more)

    [signature] = seen.all
    assert (signature.state, signature.bytes_after) == ("intact", len(more))
    assert signature.forbids_changes
    assert seen.sealing is None


def test_each_of_two_signatures_is_seen() -> None:
    content = signed_by_other(signed_by_other(filled()), name="Third")

    first, second = see_signatures(content).all

    assert (first.state, second.state) == ("intact", "intact")
    assert first.bytes_after > 0 == second.bytes_after
    assert see_signatures(content).sealing is None
    assert [each.holder.name for each in (first, second) if each.holder] == [
        "Somebody Else",
        "Third",
    ]


def test_a_second_dictionary_that_lies_is_no_seal() -> None:
    room = hole(signed())
    copy = (
        b"9 0 obj<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 %d %d %d]/Contents%b>>"
        % (
            *(room.start, room.stop, len(signed()) - room.stop),
            signed()[room.start : room.stop],
        )
    )

    seen = see_signatures(signed() + copy)

    assert [each.state for each in seen.all] == ["intact", "changed"]
    assert seen.sealing is None


def test_a_hole_that_was_moved_is_no_seal() -> None:
    """As if what we signed had held a dictionary of an attacker's, before our own."""
    signer, room = Signer(key_of()), hole(signed())
    ours = signed()[: room.start] + signed()[room.stop :]
    head = b"7 0 obj<</SubFilter/ETSI.CAdES.detached/ByteRange[0 %-8d %-8d %-8d]/Contents"
    start = len(head % (0, 0, 0))
    after = b">>endobj\n" + ours
    before = head % (start, start + 2 * signer.most_bytes + 2, len(after))
    moved = Unsigned(before, signer.most_bytes, after)

    seen = see_signatures(moved.signed(signer.sign(moved.digest).encoded()))

    assert [each.state for each in seen.all] == ["intact", "unreadable"]
    assert seen.all[0].bytes_after == 0
    assert seen.sealing is None


def dictionary_of(text: bytes) -> Any:
    return read_dictionary(text, text.index(b"/ByteRange"))


@pytest.mark.parametrize(
    "text",
    [
        b"1 0 obj<</Contents<00>/ByteRange[0 19 23 30]>>",
        b"1 0 obj<</Contents <00> /ByteRange [ 0 20 24\n30 ]/M(a(b)\\)c)>>",
        b"1 0 obj<</A[<</B/C>>]/R 1 0 R/Contents<00>/ByteRange[0 40 44 9]>>",
        b"1 0 obj<</A(9 0 obj<<)/Contents<00>/ByteRange[0 34 38 9]>>",
        b"1 0 obj<<%x>>\n/Contents<00>/ByteRange[0 24 28 9]>>",
    ],
)
def test_a_dictionary_is_read_however_it_is_written(text: bytes) -> None:
    start = text.index(b"<00>")
    text = re.sub(rb"0 \d+ \d+(?=[ \n]\d+ ?\])", b"0 %d %d" % (start, start + 4), text)

    read = dictionary_of(text.ljust(200))

    assert read.fits
    assert read.hole == range(start, start + 4)
    assert read.message == b"\0"


@pytest.mark.parametrize(
    "text",
    [
        b"/ByteRange[0 1 2 3]",
        b"<</ByteRange[0 1 2 3]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents 2 0 R>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents(00)>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<</A 1>>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<0g>>>",
        b"1 0 obj<</ByteRange[0 1 2]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 1 2 3 4 5]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 -1 2 3]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 1.5 2 3]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 99999999999 2 3]/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 (1) 2 3]/Contents<00>>>",
        b"1 0 obj<</ByteRange 2 0 R/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/Contents<01>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/C#6fntents<01>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/Byte#52ange[0 1 2 3]>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/A>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/A]>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>/A(>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>1 2>>",
        b"1 0 obj<</A<</ByteRange[0 1 2 3]/Contents<00>>>>>",
        b"1 0 obj<</A/ByteRange[0 1 2 3]/Contents<00>>>",
        b"1 0 obj<</A(/ByteRange[0 1 2 3]/Contents<00>)>>",
        b"1 0 obj<<" + b"[" * MAX_DEPTH + b"/ByteRange" + b"]" * MAX_DEPTH + b">>",
        b"1 0 obj<</ByteRange" + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"/Contents<00>>>",
        b"1 0 obj<</ByteRange[0 1 2 3]/Contents<00>" + b"/A" * MAX_TOKENS + b">>",
        b"9 0 obj<<" * 9 + b"/ByteRange[0 1 2 3]/Contents<00>",
    ],
)
def test_what_is_no_signature_dictionary_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable):
        dictionary_of(text)


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 0, 0, 0),
        (0, 1, 2, 3),
        (1, 0, 4, 9),
        (0, 0, 4, 9999999999),
        (0, 999999999, 999999999, 9999999999),
        (0, -1, 4, 9),
        (0, 0, 5, 9),
        (0, 1, 4, 9),
        (0, 0, 0, 9),
    ],
)
def test_a_range_that_leaves_out_more_or_less_than_its_string_does_not_fit(
    numbers: tuple[int, int, int, int],
) -> None:
    start = 80
    numbers = (numbers[0], numbers[1] + start, numbers[2] + start, numbers[3])
    text = b"1 0 obj<</ByteRange[%d %d %d %d]" % numbers
    content = text.ljust(start - len(b"/Contents")) + b"/Contents<00>>>endobj"

    assert content[start : start + 4] == b"<00>"
    assert not dictionary_of(content).fits


def test_the_string_with_its_brackets_is_what_fits() -> None:
    content = b"1 0 obj<</ByteRange[0 60 64 7]".ljust(51) + b"/Contents<00>>>endobj"

    assert dictionary_of(content).fits


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"(D:20261121083005Z)", NOW),
        (b"(D:20261121083005)", NOW),
        (b"(D:20261121083005Z00'00')", NOW),
        (b"(D:20261121143005+06'00')", NOW),
        (b"(D:20261121030005-05'30')", NOW),
        (b"(D:20261121140005+05'30)", NOW),
        (b"(D:20261321083005Z)", None),
        (b"(D:00010101000000+23'59')", None),
        (b"(D:2026)", None),
        (b"(today)", None),
        (b"<44>", None),
    ],
)
def test_the_time_that_is_claimed_is_read(text: bytes, moment: datetime | None) -> None:
    content = b"1 0 obj<</M%b/ByteRange[0 1 2 3]/Contents<0>>>" % text

    assert dictionary_of(content).claimed_at == moment
    assert dictionary_of(content).message == b"\0"


@pytest.mark.parametrize(
    ("text", "forbids"),
    [
        (b"[<</TransformMethod/DocMDP/TransformParams<</P 1>>>>]", True),
        (b"[<</TransformMethod /DocMDP/TransformParams<</V/1.2/P 1/X 1>>>>]", True),
        (b"[<</TransformMethod/DocMDP/TransformParams<</P 2>>>>]", False),
        (b"[<</TransformMethod/DocMDP/TransformParams<</P 10>>>>]", False),
        (b"[<</TransformMethod/DocMDP/TransformParams<</P 1 0 R>>>>]", False),
        (b"[<</TransformMethod/FieldMDP/TransformParams<</P 1>>>>]", False),
        (b" 9 0 R", False),
    ],
)
def test_what_may_change_is_what_the_signature_says(text: bytes, forbids: bool) -> None:
    content = b"1 0 obj<</Reference%b/ByteRange[0 1 2 3]/Contents<00>>>" % text

    assert dictionary_of(content).forbids_changes is forbids


def test_of_many_signatures_the_first_are_looked_at() -> None:
    content = signed() + b"/ByteRange " * 1_000_000

    seen = see_signatures(content)

    assert len(seen.all) == MAX_SIGNATURES
    assert seen.has_more
    assert seen.sealing is None
    assert seen.all[0].state == "intact"


def changed_message(change: Callable[[Any], None]) -> bytes:
    info = cms.ContentInfo.load(message_of(signed()))
    change(info["content"])
    encoded: bytes = info.dump(force=True)
    return encoded


def other_certificates(data: Any) -> None:
    """Leave only what is none, and one of somebody else."""
    unknown = cms.OtherCertificateFormat(
        {"other_cert_format": "1.2.3.4", "other_cert": core.Any(core.Null())}
    )
    other = cms.CertificateChoices("certificate", other_signer().signing_cert)
    choices = [cms.CertificateChoices("other", unknown), other]
    data["certificates"] = cms.CertificateSet(choices)


def another_certificate(data: Any) -> None:
    """Put a certificate with the same name, number and key in the place of the right one."""
    data["certificates"][0].chosen["signature_value"] = b"\1" * 70


def drop_attributes(data: Any) -> None:
    del data["signer_infos"][0]["signed_attrs"]


def double_attribute(data: Any) -> None:
    attributes = data["signer_infos"][0]["signed_attrs"]
    attributes.append(attributes[0])


def other_content(data: Any) -> None:
    data["encap_content_info"]["content_type"] = "tst_info"


def two_signers(data: Any) -> None:
    data["signer_infos"].append(data["signer_infos"][0])


def other_hash(data: Any) -> None:
    data["signer_infos"][0]["digest_algorithm"]["algorithm"] = "md5"


def other_algorithm(data: Any) -> None:
    data["signer_infos"][0]["signature_algorithm"] = algos.SignedDigestAlgorithm(
        {"algorithm": "sha512_ecdsa"}
    )


def sign_again(data: Any) -> None:
    [signer] = data["signer_infos"]
    attributes = b"\x31" + signer["signed_attrs"].dump(force=True)[1:]
    key: Any = key_of().key
    signer["signature"] = key.sign(attributes, ec.ECDSA(hashes.SHA256()))


def hash_of_certificate(data: Any) -> None:
    reference = data["signer_infos"][0]["signed_attrs"][2]["values"][0]["certs"][0]
    reference["hash_algorithm"] = {"algorithm": "sha224"}
    sign_again(data)


def year_0(data: Any) -> None:
    """Let the certificate be valid from a year that no clock of ours has."""
    del data["signer_infos"][0]["signed_attrs"][2]
    validity = data["certificates"][0].chosen["tbs_certificate"]["validity"]
    validity["not_before"] = x509.Time("general_time", extended_datetime(0, 1, 1, tzinfo=UTC))
    sign_again(data)


def other_value(data: Any) -> None:
    data["signer_infos"][0]["signature"] = bytes(70)


@pytest.mark.parametrize(
    ("change", "state", "why"),
    [
        (other_certificates, "unsupported", "left its certificate out"),
        (another_certificate, "invalid", "means another certificate"),
        (drop_attributes, "unsupported", "signs no attributes"),
        (double_attribute, "unreadable", "has an attribute twice"),
        (other_content, "unreadable", "signs another kind of content"),
        (two_signers, "unsupported", "has not exactly one signature"),
        (other_hash, "unsupported", "uses a hash"),
        (other_algorithm, "unsupported", "uses a key"),
        (hash_of_certificate, "unsupported", "names its certificate by a hash"),
        (year_0, "unreadable", "has a certificate of the year 0"),
        (other_value, "invalid", "was not made with the key"),
    ],
)
def test_a_message_that_is_not_right_names_nobody(
    change: Callable[[Any], None], state: str, why: str
) -> None:
    signature = only(with_message(signed_larger(), changed_message(change)))

    assert (signature.state, signature.holder) == (state, None)
    assert signature.why.startswith(why)


def no_reference(data: Any) -> None:
    """Name the certificate in nothing that is signed, as was usual before PAdES."""
    del data["signer_infos"][0]["signed_attrs"][2]
    sign_again(data)


def unsigned_attribute(data: Any) -> None:
    kind = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.Any(core.Null())]})
    data["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([kind])


@pytest.mark.parametrize("change", [no_reference, unsigned_attribute])
def test_a_message_that_is_unusual_still_names_its_signer(change: Callable[[Any], None]) -> None:
    signature = only(with_message(signed_larger(), changed_message(change)))

    assert signature.holder is not None
    assert signature.holder.name == "Office of the Tests"


@pytest.mark.parametrize(
    "algorithm",
    [
        {"algorithm": "sha512_rsa"},
        {"algorithm": "sha256_ecdsa"},
        {"algorithm": "sha256_dsa"},
        {"algorithm": "rsassa_pss", "parameters": {"hash_algorithm": {"algorithm": "sha256"}}},
    ],
)
def test_an_algorithm_that_is_not_that_of_its_key_is_not_relied_on(algorithm: Any) -> None:
    info = cms.ContentInfo.load(message_of(signed(2048)))
    [signer] = info["content"]["signer_infos"]
    signer["signature_algorithm"] = algos.SignedDigestAlgorithm(algorithm)

    signature = only(with_message(signed_larger(), info.dump(force=True)))

    assert (signature.state, signature.holder) == ("unsupported", None)


def test_a_signature_of_another_kind_is_not_relied_on() -> None:
    content = signed().replace(b"/ETSI.CAdES.detached", b"/adbe.x509.rsa_sha1 ")

    assert only(content).state == "unsupported"


def test_a_time_stamp_in_the_place_of_a_signature_is_none() -> None:
    signature = only(with_message(signed_larger(), token_for(b"x")))

    assert (signature.state, signature.why) == ("unsupported", "signs something else than a file")


@cache
def signed_larger() -> bytes:
    """Return a file of ours with room for other messages than its own."""
    unsigned = prepare(filled(), room=9000, signed_at=NOW)
    return unsigned.signed(Signer(key_of()).sign(unsigned.digest).encoded())


LONG = b"\x30\x82\x01\x00"


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x85\x00\x00\x00\x00\x00",
        b"\x30\x01",
        b"\x30\x02\x04\x01",
        b"\x04\x05\x00",
        b"\x3f\x02\x04\x00",
        LONG,
        b"\x30\x82\x01",
        b"\x06\x41" + bytes(65),
        b"\x30\x82\xff\xfe" + b"\x05\x00" * 0x7FFF,
        b"".join(b"\x30\x82" + (4 * rest).to_bytes(2) for rest in reversed(range(60))),
    ],
)
def test_what_is_not_der_or_too_much_of_it_is_not_read(encoded: bytes) -> None:
    with pytest.raises(NotDer):
        measure(encoded)


@pytest.mark.parametrize("encoded", [b"\x05\x00", b"\x30\x00", b"\x30\x04\x30\x00\x30\x00"])
def test_the_first_element_is_measured(encoded: bytes) -> None:
    assert measure(encoded + b"\0\0") == len(encoded)


def test_a_message_that_something_follows_is_not_read() -> None:
    with pytest.raises(Malformed, match="followed"):
        read_signed_data(message_of(signed()) + b"\0x")


def test_a_message_of_another_kind_is_not_read() -> None:
    info = cms.ContentInfo({"content_type": "data", "content": core.OctetString(b"x")})

    with pytest.raises(Malformed, match="no signature"):
        read_signed_data(info.dump())


def test_a_message_that_is_too_long_is_not_looked_at() -> None:
    unsigned = prepare(filled(), room=MAX_MESSAGE_BYTES + 1, signed_at=NOW)
    content = unsigned.signed(Signer(key_of()).sign(unsigned.digest).encoded())

    assert only(content).state == "unsupported"


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_message_that_was_changed_is_a_fault_of_ours(data: st.DataObject) -> None:
    stamped = pyhanko_message(signed_once())
    message = bytearray(data.draw(st.sampled_from([message_of(signed()), stamped])))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))

    signature = only(with_message(signed_larger(), bytes(message)[:9000]))

    assert signature.holder is None or signature.state in ("intact", "changed")


@cache
def signed_once() -> bytes:
    return signed_by_other(filled(), "RSA", stamped=True)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(
                        "1 0 obj",
                        "<<",
                        ">>",
                        "<",
                        ">",
                        "[",
                        "]",
                        "(",
                        ")",
                        "\\",
                        "%",
                        "\n",
                        " ",
                        "/",
                    ),
                    *("/ByteRange", "[0 9 9 9]", "/Contents", "<00>", "/M", "/Reference", "R"),
                    *("1", "/SubFilter", "/ETSI.CAdES.detached", "#"),
                ]
            ).map(str.encode),
            st.binary(max_size=3),
        ),
        max_size=40,
    )
)
def test_no_rubbish_is_a_fault_of_ours(pieces: list[bytes]) -> None:
    seen = see_signatures(b"1 0 obj<<" + b"".join(pieces))

    assert {each.state for each in seen.all} <= {"unreadable", "unsupported"}
