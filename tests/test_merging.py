"""Many certificates in one file, to be printed: all pages, and what they share once."""

import io
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime

import pikepdf
import pytest

from fileservice.pdf import merging
from fileservice.pdf.cms import Signer
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import open_fonts
from fileservice.pdf.merging import KIDS, MergedFile
from fileservice.pdf.signing import sign
from tests.conftest import need_program
from tests.pdfs import HELVETICA, checked, page_of, pdf_of, shipped_template, stream_of, text_of
from tests.signatures import key_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
SHOW = b"BT /F1 14 Tf 60 700 Td (For %name%) Tj ET"
FONTS = open_fonts([])


def template_of(content: bytes) -> CompiledTemplate:
    return compile_template(content, FONTS)


def filled(template: CompiledTemplate, name: str) -> bytes:
    return template.fill({"name": name}, issued_at=NOW, number=name)


def merge(certificates: Iterable[tuple[CompiledTemplate, bytes]]) -> bytes:
    merged = MergedFile(title="Awards", made_at=NOW, identity="0" * 32)
    pieces = [
        merged.add(content, block=template.plan.digest, stop=len(template.plan.static))
        for template, content in certificates
    ]
    return b"".join([*pieces, merged.end()])


def merged_of(template: CompiledTemplate, names: Iterable[str]) -> bytes:
    return merge((template, filled(template, name)) for name in names)


def image_of(content: bytes) -> bytes:
    """Return what poppler draws."""
    return subprocess.run(
        [need_program("pdftoppm"), "-r", "40", "-png", "-"],
        input=content,
        capture_output=True,
        check=True,
    ).stdout


def test_all_are_there_in_their_order() -> None:
    names = ["Ada", "Żółć", "Ада", "Grace"]

    content = checked(merged_of(template_of(shipped_template()), names))

    pages = text_of(content).split("\f")[:-1]
    assert len(pages) == len(names)
    assert all(name in page for name, page in zip(names, pages, strict=True))


def test_each_page_looks_as_alone() -> None:
    template = template_of(shipped_template())
    alone = filled(template, "Ada")

    content = merge([(template, filled(template, "Grace")), (template, alone)])

    with pikepdf.open(io.BytesIO(content)) as pdf:
        del pdf.pages[0]
        second = io.BytesIO()
        pdf.save(second)
    assert image_of(second.getvalue()) == image_of(alone)


def test_what_they_share_is_there_once() -> None:
    template = template_of(shipped_template())

    one = len(merged_of(template, ["Name 1"]))
    ten = len(merged_of(template, map("Name {}".format, range(10))))

    assert ten - one < 9 * 3000
    assert one > 35_000


def test_pages_hang_in_a_tree_that_is_shallow_and_has_few_kids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "KIDS", 9)
    template = template_of(page_of(SHOW))
    count = 9 * 9 + 1

    content = checked(merged_of(template, map(str, range(count))))

    kids = [line.count(b" 0 R") for line in re.findall(rb"/Kids\[([^]]*)\]", content)]
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert len(pdf.pages) == count
    assert max(kids) == 9
    assert len(kids) == 9 + 1 + 1 + 1 + 1
    texts = text_of(content).split("\f")[:-1]
    assert [int(text.split()[-1]) for text in texts] == list(range(count))


@pytest.mark.parametrize("count", [1, KIDS, KIDS + 1])
def test_a_tree_that_is_just_full_is_whole(count: int) -> None:
    content = checked(merged_of(template_of(page_of(SHOW)), map(str, range(count))))

    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert len(pdf.pages) == count


def test_signatures_are_left_out() -> None:
    template = template_of(page_of(SHOW))
    signed = [
        sign(filled(template, name), Signer(key_of()), signed_at=NOW) for name in ("Ada", "Grace")
    ]

    content = checked(merge((template, each) for each in signed))

    assert b"/Sig" not in content
    assert b"/Annots" not in content
    assert text_of(content).split() == ["For", "Ada", "For", "Grace"]


def test_certificates_of_several_templates_go_together() -> None:
    first, second = template_of(page_of(SHOW)), template_of(shipped_template())
    order = [(first, "Ada"), (second, "Grace"), (first, "Mary")]

    content = checked(merge((template, filled(template, name)) for template, name in order))

    pages = text_of(content).split("\f")[:-1]
    assert all(name in page for (_, name), page in zip(order, pages, strict=True))


def test_a_page_keeps_what_the_nodes_above_it_gave_it() -> None:
    template = template_of(
        pdf_of(
            [
                b"<</Type/Catalog/Pages 2 0 R/Lang(pl)>>",
                b"<</Type/Pages/Kids[3 0 R 6 0 R]/Count 2/MediaBox[0 0 300 800]/Rotate 90"
                b"/Resources<</Font<</F1 5 0 R>>>>>>",
                b"<</Type/Pages/Parent 2 0 R/Kids[7 0 R]/Count 1>>",
                stream_of(SHOW),
                HELVETICA,
                b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 400 800]>>",
                b"<</Type/Page/Parent 3 0 R/Contents 4 0 R>>",
            ]
        )
    )

    content = checked(merged_of(template, ["Ada", "Grace"]))

    with pikepdf.open(io.BytesIO(content)) as pdf:
        widths = [int(page.mediabox[2]) for page in pdf.pages]
        turned = {int(page.obj.Rotate) for page in pdf.pages}
        assert pdf.Root.Lang == "pl"
        assert pdf.docinfo["/Title"] == "Awards"
    assert widths == [300, 400, 300, 400]
    assert turned == {90}
    assert text_of(content).split() == ["For", "Ada", "For", "Ada", "For", "Grace", "For", "Grace"]


def linked(destination: bytes) -> bytes:
    """Return a template with a link to its page."""
    return page_of(
        SHOW,
        page=b"/StructParents 0/Annots[6 0 R]",
        catalog=b"/OCProperties<</OCGs[7 0 R]/D<</OFF[7 0 R]>>>>",
        more=[
            b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/P 3 0 R/Contents(see \\(2 0 R\\))%s>>"
            % destination,
            b"<</Type/OCG/Name(layer)>>",
        ],
    )


def test_a_link_leads_to_the_page_of_the_same_certificate() -> None:
    template = template_of(linked(b"/Dest[3 0 R/Fit]"))

    content = checked(merged_of(template, ["Ada", "Grace"]))

    with pikepdf.open(io.BytesIO(content)) as pdf:
        for page in pdf.pages:
            [link] = page.obj.Annots
            assert link.Dest[0].objgen == page.obj.objgen
            assert link.Contents == "see (2 0 R)"
        assert pdf.Root.OCProperties.D.OFF[0].Name == "layer"


def test_pages_that_lead_to_each_other_hang_where_they_say() -> None:
    template = template_of(
        pdf_of(
            [
                b"<</Type/Catalog/Pages 2 0 R>>",
                b"<</Type/Pages/Kids[3 0 R 6 0 R]/Count 2/MediaBox[0 0 300 800]"
                b"/Resources<</Font<</F1 5 0 R>>>>>>",
                b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Annots[7 0 R]>>",
                stream_of(SHOW),
                HELVETICA,
                b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>",
                b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/Dest[6 0 R/Fit]>>",
            ]
        )
    )
    blank = template_of(page_of(SHOW))
    order = [(blank, str(n)) for n in range(KIDS - 1)] + [(template, "Ada")]

    content = checked(merge((each, filled(each, name)) for each, name in order))

    with pikepdf.open(io.BytesIO(content)) as pdf:
        for page in pdf.pages:
            assert page.obj.objgen in [kid.objgen for kid in page.obj.Parent.Kids]


def test_what_refers_to_the_document_refers_to_nothing() -> None:
    template = template_of(linked(b"/Dest[3 0 R/Fit]/H 2 0 R"))

    content = checked(merged_of(template, ["Ada"]))

    assert content.count(b"/Type/Pages") == 1
    assert b"/H null" in content
