"""Values in certificates: all of Unicode in, a valid PDF or a clear error out."""

import io
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fileservice.errors import BadValue
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.errors import MissingGlyph, MissingValue, TooLong, UnknownValue
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, shipped_fonts
from pdf_templates.make_certificate import certificate, document, written
from tests.conftest import CHECKOUT
from tests.pdfs import checked, page_of, shipped_template, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)


@cache
def fonts() -> FontSet:
    return shipped_fonts()


@cache
def plain() -> CompiledTemplate:
    page = page_of(b"BT /F1 14 Tf 60 700 Td (Name: %name%.) Tj 0 -40 Td (%timestamp%) Tj ET")
    return compile_template(page, fonts())


@cache
def shipped() -> CompiledTemplate:
    return compile_template(shipped_template(), fonts())


def test_the_shipped_template_needs_nothing_but_the_time() -> None:
    certificate = checked(shipped().fill({}, issued_at=NOW))

    text = text_of(certificate)
    assert "2026-11-21T08:30:05+00:00" in text
    assert "%" not in text


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "José Müller-Strauß",
        "Łukasz Żółć",
        "Nguyễn Thị Hương",
        "Αλέξανδρος Παπαδόπουλος",
        "Пётр Ильич Чайковский",
        "Olivia O\u2019Neill \u2013 née \u201cSmith\u201d",
    ],
)
def test_a_name_is_found_as_it_was_given(name: str) -> None:
    assert name in text_of(checked(shipped().fill({"name": name}, issued_at=NOW)))


@pytest.mark.parametrize(
    "name",
    [
        ")",
        "(",
        "\\",
        "\\101\\n\\)",
        "a) Tj 0 0 400 400 re f (b",
        "%id%",
        "%name%",
        "]TJ ET Q endstream endobj",
        "<41>",
        "{{name}}",
        "<</Type/Catalog>>",
        "&lt;x&gt; & \"quoted\" 'so'",
    ],
)
def test_syntax_in_a_value_is_only_letters(name: str) -> None:
    assert f"Name: {name}." in text_of(checked(plain().fill({"name": name}, issued_at=NOW)))


def test_same_inputs_make_same_bytes() -> None:
    values = {"name": "Ада Lovelace", "course": "x"}

    first = shipped().fill(values, issued_at=NOW)
    again = compile_template(shipped_template(), fonts()).fill(values, issued_at=NOW)

    assert first == again


def test_the_number_tells_certificates_apart_that_look_the_same() -> None:
    first, other = (shipped().fill({}, issued_at=NOW, number=number) for number in "12")

    assert first != other
    assert text_of(first) == text_of(checked(other))


def test_same_inputs_make_same_bytes_in_every_process(tmp_path: Path) -> None:
    program = (
        "import sys, datetime, hashlib; from fileservice.pdf.packing import pack;"
        "from fileservice.pdf.compiling import compile_template;"
        "from fileservice.pdf.fonts import shipped_fonts;"
        "template = compile_template(open(sys.argv[1], 'rb').read(), shipped_fonts());"
        "now = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC);"
        "values = {'name': 'Ада Lovelace', 'course': 'x\u0302y'};"
        "print(hashlib.sha256(pack(template.plan)).hexdigest(),"
        " hashlib.sha256(template.fill(values, issued_at=now)).hexdigest())"
    )
    template = tmp_path / "template.pdf"
    template.write_bytes(shipped_template())

    answers = {
        subprocess.run(
            [sys.executable, "-c", program, str(template)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(answers) == 1


def unpacked(content: bytes) -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(target, qdf=True, static_id=True)
    return target.getvalue()


def test_the_shipped_template_is_what_its_script_draws() -> None:
    # Without its compression, which another zlib does otherwise.
    assert unpacked(written(document(certificate()))) == unpacked(shipped_template())


def test_a_missing_value_is_named() -> None:
    with pytest.raises(MissingValue, match="'name'"):
        plain().fill({}, issued_at=NOW)


def test_an_empty_value_is_missing_where_one_is_needed() -> None:
    with pytest.raises(MissingValue, match="'name'"):
        plain().fill({"name": ""}, issued_at=NOW)


def test_an_unknown_value_is_refused_with_the_names_that_are_known() -> None:
    with pytest.raises(UnknownValue, match=r"'nmae'.*'name', 'timestamp'"):
        plain().fill({"nmae": "x"}, issued_at=NOW)


def test_the_time_cannot_be_given() -> None:
    with pytest.raises(UnknownValue, match="time"):
        plain().fill({"name": "x", "timestamp": "1999"}, issued_at=NOW)


def test_a_missing_glyph_is_named() -> None:
    with pytest.raises(MissingGlyph, match=r"U\+1F600 GRINNING FACE"):
        plain().fill({"name": "\U0001f600"}, issued_at=NOW)


def test_a_long_value_is_shrunk_and_a_longer_one_is_refused() -> None:
    checked(plain().fill({"name": "x" * 80}, issued_at=NOW))

    with pytest.raises(TooLong, match="'name'"):
        plain().fill({"name": "x" * 200}, issued_at=NOW)


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_makes_a_valid_pdf_or_a_clear_error(name: str) -> None:
    try:
        certificate = shipped().fill({"name": name}, issued_at=NOW)
    except BadValue:
        return
    checked(certificate)
