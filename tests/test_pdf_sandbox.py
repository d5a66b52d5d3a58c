"""Templates made to hurt: each is compiled or refused by a child process within its bounds."""

import io
import json
import signal
import subprocess
import sys
import zlib
from datetime import UTC, datetime

import pytest

from fileservice.pdf import answers, child, sandbox
from fileservice.pdf.errors import (
    Damaged,
    NoPlaceholders,
    NotPdf,
    NoUnicode,
    OverLimits,
    TemplateError,
)
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.packing import FORMAT, pack, unpack
from fileservice.pdf.sandbox import compile_apart
from tests.pdfs import HELVETICA, checked, page_of, pdf_of, shipped_template, stream_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
TJ = b"BT /F1 24 Tf 100 700 Td (Issued %timestamp%) Tj ET"


def program_of(content: bytes, entries: bytes) -> bytes:
    return page_of(TJ).replace(stream_of(TJ), stream_of(content, entries))


def deflated(mebibytes: int) -> bytes:
    """Return zeros that Flate has packed a thousandfold."""
    packer = zlib.compressobj(9)
    # After a full flush each mebibyte is packed as the one before.
    first, next_one = (
        packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    end = b"\x03\x00"  # an empty block that is the last (RFC 1951)
    # RFC 1950: of zeros the first sum stays 1, and the second counts them.
    checksum = ((mebibytes << 20) % 65521) << 16 | 1
    return first + next_one * (mebibytes - 1) + end + checksum.to_bytes(4, "big")


def to_unicode_bomb() -> bytes:
    rows = b"".join(b"<0000><ffff><%04x>\n" % (row % 0x8000) for row in range(5000))
    return page_of(
        TJ,
        font=HELVETICA.replace(b"/Encoding", b"/ToUnicode 6 0 R/Encoding"),
        more=[stream_of(b"5000 beginbfrange\n%bendbfrange" % rows)],
    )


def composite(descendant: bytes) -> bytes:
    font = b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[%b]>>"
    return page_of(TJ, font=font % descendant)


def nested(depth: int) -> bytes:
    return page_of(TJ, more=[b"[" * depth + b"]" * depth])


REFUSED = {
    "flate": (program_of(deflated(256), b"/Filter/FlateDecode"), TemplateError),
    "flate twice": (
        program_of(zlib.compress(deflated(1024), 9), b"/Filter[/FlateDecode/FlateDecode]"),
        TemplateError,
    ),
    "operators": (page_of(b"q\n" * 1_000_000 + TJ), OverLimits),
    "a loop of pages": (
        pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"]),
        TemplateError,
    ),
    "html": (b"<html><body>404</body></html>", NotPdf),
    "nothing": (b"", NotPdf),
    "half a file": (page_of(TJ)[:300], TemplateError),
    "codes without text": (to_unicode_bomb(), NoPlaceholders),
    "widths without end": (composite(b"<</W[0 999999999 500]>>"), NoUnicode),
    "no descendant": (composite(b"null"), NoUnicode),
    "descendants that are none": (composite(b"7"), NoUnicode),
}


def test_the_bombs_are_packed_right() -> None:
    assert zlib.decompress(deflated(3)) == bytes(3 << 20)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bomb_is_refused(name: str) -> None:
    template, kind = REFUSED[name]

    with pytest.raises(kind):
        await compile_apart(template, shipped_fonts())


FILLED = {
    "junk before the header": b"junk\n" + page_of(TJ),
    "a start that is far": page_of(TJ).replace(b"startxref\n", b"startxref\n99999"),
    "a size that lies": page_of(TJ).replace(b"/Size 6", b"/Size 2000000000"),
    "a count that lies": page_of(TJ).replace(b"/Count 1", b"/Count 3000000"),
    "a length of itself": page_of(TJ).replace(b"/Length %d" % len(TJ), b"/Length 4 0 R"),
    "no room": page_of(b"BT /F1 0 Tf (%a%) Tj ET " + TJ),
    "nesting": nested(90),
    "a page of five numbers": page_of(TJ, box=b"0 0 595 842 7"),
    "a map that cannot be unpacked": page_of(
        TJ,
        font=HELVETICA.replace(b"/Encoding", b"/ToUnicode 6 0 R/Encoding"),
        more=[stream_of(b"\xff\xfe\xfd", b"/Filter/FlateDecode")],
    ),
    "a font that is no object of its own": page_of(TJ).replace(b"/F1 5 0 R", b"/F1" + HELVETICA),
    "fonts that are none": page_of(TJ).replace(b"/F1 5 0 R", b"/F0 null/F2 7/F1 5 0 R"),
    "names in no encoding": page_of(TJ + b" /\xb7\xc2\xcb\xce gs").replace(
        b"/F1 5 0 R", b"/F1 5 0 R/\xb7\xc2\xcb\xce 5 0 R"
    ),
}


@pytest.mark.parametrize("name", FILLED)
async def test_what_is_only_odd_is_filled(name: str) -> None:
    plan = await compile_apart(FILLED[name], shipped_fonts())

    certificate = CompiledTemplate(plan, shipped_fonts()).fill({}, issued_at=NOW)

    assert "Issued 2026-11-21T08:30:05+00:00" in text_of(checked(certificate), complaints=True)


# Each reader makes something else of these; what we add must be right all the same.
KEPT = {
    "an operator in no encoding": page_of(b"\xc2\xff " + TJ),
    "exponents": page_of(b"1e99 w " + TJ),
    "wrong operands": page_of(
        b"(x) w /F1 Tf 7 Td 7 8 9 Tm (a) cm Tr (x) Tr TD Tc Tj [] TJ [null] TJ " + TJ
    ),
    "far away": page_of(b"BT /F1 9 Tf 1e9 99999999999 Td (x) Tj ET " + TJ),
}


@pytest.mark.parametrize("name", KEPT)
async def test_what_is_wrong_in_a_page_stays_as_it_was(name: str) -> None:
    plan = await compile_apart(KEPT[name], shipped_fonts())

    checked(CompiledTemplate(plan, shipped_fonts()).fill({}, issued_at=NOW))

    assert len(plan.slots) == 1


async def test_deep_nesting_ends_nothing_but_the_template() -> None:
    with pytest.raises(TemplateError):
        await compile_apart(nested(100_000).replace(b"/F1 5 0 R", b"/F1 6 0 R"), shipped_fonts())


async def test_a_compiled_template_is_the_same_from_a_pipe() -> None:
    plan = await compile_apart(shipped_template(), shipped_fonts())

    assert unpack(pack(plan)) == plan
    assert "2026" in text_of(CompiledTemplate(plan, shipped_fonts()).fill({}, issued_at=NOW))


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"something else",
        FORMAT,
        FORMAT + b"x\n{}",
        FORMAT + b"2\n{}",
        FORMAT + b"2\n[]",
        FORMAT + b"%d\n%b" % (len(b'{"digest": 1, "faces": 7}'), b'{"digest": 1, "faces": 7}'),
    ],
)
def test_a_form_that_is_not_whole_is_refused(form: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        unpack(form)


def test_a_form_that_is_cut_is_refused() -> None:
    form = bytearray(FORMAT)
    head = json.dumps({"digest": "x"}).encode()
    form += b"%d\n%b" % (len(head), head)

    with pytest.raises(KeyError):
        unpack(bytes(form))


@pytest.mark.parametrize(
    ("template", "word"),
    [
        (b"<html>", b"not_pdf"),
        (shipped_template(), b"made"),
        (page_of(b""), b"no_placeholders"),
    ],
)
def test_the_child_answers_with_a_word_first(template: bytes, word: bytes) -> None:
    target = io.BytesIO()
    fingerprint = shipped_fonts().fingerprint

    answers.answer(
        lambda content: child.plan(content, b"", fingerprint, ()), io.BytesIO(template), target
    )

    assert target.getvalue().partition(b"\n")[0] == word


async def test_a_template_that_is_damaged_beyond_repair_says_so() -> None:
    with pytest.raises(Damaged, match="cannot be read"):
        await compile_apart(b"%PDF-1.7\n" + bytes(1000), shipped_fonts())


@pytest.mark.parametrize("name", ["WALL_SECONDS", "MAX_ANSWER_BYTES"])
async def test_what_takes_too_long_or_becomes_too_large_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, name, 0.01 if name == "WALL_SECONDS" else 1000)

    with pytest.raises(OverLimits):
        await compile_apart(shipped_template(), shipped_fonts())


async def test_a_child_that_dies_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BOOT", "raise SystemExit('broken')")

    with pytest.raises(TemplateError, match="another program"):
        await compile_apart(shipped_template(), shipped_fonts())


@pytest.mark.parametrize("number", [signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL])
async def test_a_child_that_is_ended_took_too_long(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = f"import os; os.kill(os.getpid(), {int(number)})"
    monkeypatch.setattr(sandbox, "BOOT", boot)

    with pytest.raises(OverLimits, match="too long"):
        await compile_apart(shipped_template(), shipped_fonts())


async def test_a_child_has_no_environment_and_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FILESERVICE_SECRET_KEY", "secret")
    boot = (
        "import os, runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
        "child = runpy.run_module(sys.argv.pop(1)); child['limit_this_process']();"
        "held = []\n"
        "try:\n"
        "    held.append(bytes(1 << 30))\n"
        "except MemoryError:\n"
        "    secrets = [name for name in os.environ if 'SECRET' in name]\n"
        "    print('not_pdf'); print(secrets)"
    )
    monkeypatch.setattr(sandbox, "BOOT", boot)

    with pytest.raises(NotPdf, match=r"^\[\]$"):
        await compile_apart(b"", shipped_fonts())


def test_no_worker_holds_a_library_that_reads_pdfs() -> None:
    # What parses hostile files lives in the child processes, and with it its memory.
    program = "import sys, fileservice.asgi; print(*sorted(sys.modules))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert not {"pikepdf", "pypdfium2", "lxml", "weasyprint"} & set(done.stdout.decode().split())
