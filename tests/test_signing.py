"""Signatures behind certificates: what other programs say of them, and that they hold."""

import io
import os
import random
import re
import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.validation.status import SignatureCoverageLevel

from fileservice.errors import BadValue
from fileservice.pdf.cms import Signer
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.signing import prepare, sign
from fileservice.signingkeys import make_signing_key
from tests.pdfs import HELVETICA, checked, page_of, pdf_of, shipped_template, stream_of, text_of
from tests.signatures import NOW, VALID, WHOLE, key_of, pdfsig, pyhanko_accepts, pyhanko_status
from tests.test_producers import FILLED
from tests.test_producers import filled as filled_template

KINDS = [None, 2048, 3072, 4096]
# How many bytes are changed.
ANYWHERE, IN_WHAT_CAME = 24, 16


@cache
def shipped() -> CompiledTemplate:
    return compile_template(shipped_template(), shipped_fonts())


def filled(name: str = "Ada Lovelace") -> bytes:
    return shipped().fill({"name": name}, issued_at=NOW)


@cache
def signed(rsa_bits: int | None = None) -> bytes:
    return sign(filled(), Signer(key_of(rsa_bits)), signed_at=NOW)


def hole(content: bytes) -> range:
    """Return where the signature itself stands, which cannot sign itself."""
    numbers = re.search(rb"/ByteRange\[0 (\d+) +(\d+) +(\d+) +\]", content)
    assert numbers is not None
    assert int(numbers[2]) + int(numbers[3]) == len(content)
    return range(int(numbers[1]), int(numbers[2]))


@pytest.mark.parametrize("rsa_bits", KINDS)
def test_poppler_finds_the_signature_valid(rsa_bits: int | None) -> None:
    said = pdfsig(checked(signed(rsa_bits)))

    assert VALID in said
    assert WHOLE in said
    assert "Common Name: Office of the Tests" in said
    assert "ETSI.CAdES.detached" in said


@pytest.mark.parametrize("rsa_bits", KINDS)
def test_pyhanko_finds_the_signature_valid(rsa_bits: int | None) -> None:
    status = pyhanko_status(signed(rsa_bits), key_of(rsa_bits))

    assert status.summary() == "INTACT:TRUSTED,UNTOUCHED"
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    assert status.docmdp_ok
    assert status.signer_reported_dt == NOW


def test_somebody_elses_certificate_is_not_trusted() -> None:
    status = pyhanko_status(signed(), key_of(name="Somebody else"))

    assert status.intact
    assert not status.trusted


def test_the_attributes_are_those_of_the_baseline() -> None:
    room = hole(signed())
    message = bytes.fromhex(signed()[room.start + 1 : room.stop - 1].decode())

    info = cms.ContentInfo.load(message)["content"]["signer_infos"][0]

    kinds = {attribute["type"].native for attribute in info["signed_attrs"]}
    assert kinds == {"content_type", "message_digest", "signing_certificate_v2"}


def test_a_change_after_the_signature_is_found_out() -> None:
    change = b"1 0 obj\n<</Type/Catalog>>\nendobj\n"
    longer = signed() + change

    assert WHOLE not in pdfsig(longer)
    assert pyhanko_status(signed() + b" ", key_of()).coverage != SignatureCoverageLevel.ENTIRE_FILE


@cache
def places() -> list[int]:
    """Return where bytes are changed: everywhere, and thickly in what came with the signature."""
    room, end, size = hole(signed()), len(filled()), len(signed())
    before, after = range(room.start), range(room.stop, size)
    added = [at for at in (*before, *after) if at >= end]
    chosen = random.Random(8)  # noqa: S311 - the same places in each run
    return [*chosen.sample([*before, *after], ANYWHERE), *chosen.sample(added, IN_WHAT_CAME)]


# By number: where they are depends on how long the new certificate is.
@pytest.mark.parametrize("place", range(ANYWHERE + IN_WHAT_CAME))
def test_a_changed_byte_is_found_by_both(place: int) -> None:
    content = bytearray(signed())
    content[places()[place]] ^= 1

    said = pdfsig(bytes(content))
    assert not (VALID in said and WHOLE in said)
    assert not pyhanko_accepts(bytes(content), key_of())


@pytest.mark.parametrize("rsa_bits", KINDS[:2])
def test_a_changed_signature_is_found_by_both(rsa_bits: int | None) -> None:
    content = bytearray(signed(rsa_bits))
    # The value is the last in the message, before what is left of its room.
    last = hole(signed(rsa_bits)).stop - 2
    while content[last] == ord("0"):
        last -= 1
    content[last - 8] = ord("1") if content[last - 8] != ord("1") else ord("2")

    assert VALID not in pdfsig(bytes(content))
    assert not pyhanko_accepts(bytes(content), key_of(rsa_bits))


@pytest.mark.parametrize("rsa_bits", KINDS[:2])
def test_the_same_inputs_make_the_same_bytes(rsa_bits: int | None) -> None:
    again = sign(filled(), Signer(key_of(rsa_bits)), signed_at=NOW)

    assert again == signed(rsa_bits)


def test_another_time_or_reason_makes_another_signature() -> None:
    signer = Signer(key_of())
    later = sign(filled(), signer, signed_at=NOW + timedelta(seconds=1))
    because = sign(filled(), signer, signed_at=NOW, reason="Passed (with honours) \\ é")

    assert len({signed(), later, because}) == 3
    assert pyhanko_accepts(because, key_of())
    assert VALID in pdfsig(checked(because))


def test_it_certifies_and_shows_nothing_on_the_page() -> None:
    with pikepdf.open(io.BytesIO(signed())) as pdf:
        form, perms = pdf.Root.AcroForm, pdf.Root.Perms
        [field] = form.Fields.as_list()
        [reference] = field.V.Reference.as_list()

        assert int(form.SigFlags) == 3
        assert perms.DocMDP.objgen == field.V.objgen
        assert str(reference.TransformMethod) == "/DocMDP"
        assert int(reference.TransformParams.P) == 1
        assert list(map(int, field.Rect.as_list())) == [0, 0, 0, 0]
        # Printed, and not to be moved: what PDF/A asks of an annotation.
        assert int(field.F) == 4 | 128
        assert "/AP" not in field


def test_a_comment_that_is_added_later_breaks_the_certification() -> None:
    assert pyhanko_status(signed(), key_of()).bottom_line
    # pyHanko's own objects are not typed.
    later: Any = IncrementalPdfFileWriter(io.BytesIO(signed()))
    make: Any = generic
    name, numbers = make.pdf_name, make.ArrayObject(map(make.NumberObject, range(4)))
    comment = {"/Type": name("/Annot"), "/Subtype": name("/Text"), "/Rect": numbers}
    page = later.find_page_for_modification(0)[0]
    later.register_annotation(page, later.add_object(make.DictionaryObject(comment)))
    changed = io.BytesIO()
    later.write(changed)

    status = pyhanko_status(changed.getvalue(), key_of())

    assert status.intact
    assert not status.docmdp_ok
    assert not status.bottom_line


def test_what_was_filled_stays_as_it_was() -> None:
    assert signed().startswith(filled())
    assert text_of(signed()) == text_of(filled())


@pytest.mark.parametrize(
    ("page", "more"),
    [
        (b"", ()),
        (b"/Annots[]", ()),
        (
            b"/Annots[6 0 R]",
            (b"<</Type/Annot/Subtype/Link/Dest[3 0 R/Fit]/Rect[1 1 9 9]/Border[0 0 0]>>",),
        ),
        (
            b"/Annots 6 0 R",
            (
                b"[7 0 R]",
                b"<</Type/Annot/Subtype/Link/Dest[3 0 R/Fit]/Rect[1 1 9 9]/Contents(a \\) [b)>>",
            ),
        ),
        (b"/Annots[<</Type/Annot/Subtype/Link/Dest[3 0 R/Fit]/Rect[1 1 9 9]>>]", ()),
    ],
)
def test_the_annotations_of_the_page_stay(page: bytes, more: tuple[bytes, ...]) -> None:
    template = page_of(b"BT /F1 14 Tf 60 700 Td (%timestamp%) Tj ET", page=page, more=more)
    content = compile_template(template, shipped_fonts()).fill({}, issued_at=NOW)

    certificate = sign(content, Signer(key_of()), signed_at=NOW)

    with pikepdf.open(io.BytesIO(checked(certificate))) as pdf:
        kinds = [str(each.Subtype) for each in pdf.pages[0].Annots.as_list()]
    assert kinds == ["/Link"] * (b"/Link" in page + b"".join(more)) + ["/Widget"]
    assert pyhanko_accepts(certificate, key_of())
    assert VALID in pdfsig(certificate)


def test_the_widget_is_on_the_first_page_of_a_deep_tree() -> None:
    resources = b"/Resources<</Font<</F1 6 0 R>>>>"
    content = compile_template(
        pdf_of(
            [
                b"<</Type/Catalog/Pages 2 0 R/Lang(\\(e]n)>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Pages/Parent 2 0 R/Kids 7 0 R/Count 1>>",
                b"<</Type/Page/Parent 3 0 R/MediaBox[0 0 99 99]/Contents 5 0 R%b>>" % resources,
                stream_of(b"BT /F1 9 Tf 5 5 Td (%name%) Tj ET"),
                HELVETICA,
                b"[4 0 R]",
            ]
        ),
        shipped_fonts(),
    ).fill({"name": "x"}, issued_at=NOW)

    certificate = sign(content, Signer(key_of()), signed_at=NOW)

    with pikepdf.open(io.BytesIO(checked(certificate))) as pdf:
        [widget] = pdf.pages[0].Annots.as_list()
        assert widget.P.objgen == pdf.pages[0].objgen
    assert VALID in pdfsig(certificate)


@pytest.mark.parametrize("name", FILLED)
def test_what_any_producer_made_can_be_signed(name: str) -> None:
    certificate = sign(filled_template(name), Signer(key_of()), signed_at=NOW)

    assert pyhanko_accepts(certificate, key_of())
    assert VALID in pdfsig(checked(certificate))


SIGN = """
import sys
from datetime import datetime
from pathlib import Path
from fileservice.pdf.cms import Signer
from fileservice.pdf.signing import sign
from fileservice.signingkeys import read_signing_key

folder = Path(sys.argv[1])
key = read_signing_key(folder / "key.pem", folder / "certificate.pem")
content = (folder / "certificate.pdf").read_bytes()
moment = datetime.fromisoformat("2026-11-21T08:30:05+00:00")
sys.stdout.buffer.write(sign(content, Signer(key), signed_at=moment))
"""


@pytest.mark.parametrize("rsa_bits", [None, 2048])
def test_the_same_inputs_make_the_same_bytes_in_every_process(
    tmp_path: Path, rsa_bits: int | None
) -> None:
    make_signing_key(tmp_path, "Office", rsa_bits=rsa_bits, days=9, now=NOW)
    (tmp_path / "certificate.pdf").write_bytes(filled())

    made = {
        subprocess.run(
            [sys.executable, "-c", SIGN, str(tmp_path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    [certificate] = made
    assert VALID in pdfsig(certificate)


def test_a_message_that_is_too_long_for_its_room_is_refused() -> None:
    unsigned = prepare(filled(), room=100, signed_at=NOW)

    with pytest.raises(ValueError, match="do not fit"):
        unsigned.signed(bytes(101))


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_whatever_the_value_the_signature_holds(name: str) -> None:
    try:
        content = filled(name)
    except BadValue:
        return

    certificate = sign(content, Signer(key_of()), signed_at=NOW)

    assert pyhanko_accepts(certificate, key_of())
    assert VALID in pdfsig(certificate)
