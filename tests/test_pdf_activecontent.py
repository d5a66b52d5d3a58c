"""What acts, plays, attaches or refers in a template is gone from its certificates."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pikepdf
import pytest
from pikepdf import Array, Dictionary

from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import FontSet, shipped_fonts
from tests.pdfs import checked, page_of, pdf_of, stream_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
STAMP = "2026-11-21T08:30:05+00:00"
TJ = b"BT /F1 24 Tf 100 700 Td (Issued %timestamp%) Tj ET"
BOX = b"/Rect[9 9 99 99]"
SCRIPT = b"<</S/JavaScript/JS(MARK)>>"
FILE = b"<</Type/Filespec/F(MARK)/UF(MARK)/EF<</F 7 0 R>>>>"
EMBEDDED = stream_of(b"MARK", b"/Type/EmbeddedFile")


@cache
def fonts() -> FontSet:
    return shipped_fonts()


def filled(template: bytes, **values: str) -> bytes:
    return checked(compile_template(template, fonts()).fill(values, issued_at=NOW))


def said(content: bytes) -> bytes:
    """Return the file with its streams unpacked."""
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(target, qdf=True, compress_streams=False)
    return target.getvalue()


def catalog_of(entries: bytes) -> bytes:
    return page_of(TJ, catalog=entries, more=[b"null", EMBEDDED])


def page_with(entries: bytes) -> bytes:
    return page_of(TJ, page=entries, more=[b"null", EMBEDDED])


def annotated(entries: bytes) -> bytes:
    return page_with(b"/Annots[<</Type/Annot%b%b>>]" % (BOX, entries))


def link(action: bytes) -> bytes:
    return annotated(b"/Subtype/Link/A" + action)


def outlined(entries: bytes) -> bytes:
    item = b"<</Title(Chapter)/Parent 6 0 R%b>>" % entries
    return page_of(
        TJ, catalog=b"/Outlines 6 0 R", more=[b"<</First 7 0 R/Last 7 0 R/Count 1>>", item]
    )


def field(entries: bytes) -> bytes:
    widget = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(b)%b%b>>" % (BOX, entries)
    return page_of(
        TJ, catalog=b"/AcroForm<</Fields[6 0 R]>>", page=b"/Annots[6 0 R]", more=[widget]
    )


def drawing(entries: bytes) -> bytes:
    form = stream_of(b"q Q", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + entries)
    page = page_of(TJ + b" /X6 Do", more=[form, EMBEDDED])
    return page.replace(b"/Resources<<", b"/Resources<</XObject<</X6 6 0 R>>")


def tagged(kid: bytes, root: bytes = b"") -> bytes:
    tree = b"/MarkInfo<</Marked true>>/StructTreeRoot<</Type/StructTreeRoot/K 6 0 R%b>>" % root
    element = b"<</Type/StructElem/S/P/P 1 0 R%b>>" % kid
    return page_of(TJ, catalog=tree, more=[element, EMBEDDED])


ACTING = {
    "a script when it is opened": catalog_of(b"/OpenAction" + SCRIPT),
    "a script after a jump": catalog_of(b"/OpenAction<</S/GoTo/D[3 0 R/Fit]/Next%b>>" % SCRIPT),
    "a script when it is closed": catalog_of(b"/AA<</WC%b>>" % SCRIPT),
    "scripts with names": catalog_of(b"/Names<</JavaScript<</Names[(a)%b]>>>>" % SCRIPT),
    "files with names": catalog_of(b"/Names<</EmbeddedFiles<</Names[(a)%b]>>>>" % FILE),
    "films with names": catalog_of(b"/Names<</Renditions<</Names[(MARK)<</S/MR>>]>>>>"),
    "pages with names": catalog_of(b"/Names<</Templates<</Names[(MARK)3 0 R]>>>>"),
    "associated files": catalog_of(b"/AF[%b]" % FILE),
    "a portfolio": catalog_of(b"/Collection<</D(MARK)>>/PageMode/UseAttachments"),
    "an XFA form": page_of(TJ, catalog=b"/AcroForm<</Fields[]/DA(MARK)>>"),
    "a base for links": catalog_of(b"/URI<</Base(http://MARK.example)>>"),
    "articles": catalog_of(b"/Threads[<</I<</Title(MARK)>>>>]"),
    "what programs keep": catalog_of(b"/PieceInfo<</MARK<</Private(x)>>>>"),
    "where it was captured": catalog_of(b"/SpiderInfo<</V(MARK)>>"),
    "requirements": catalog_of(b"/Requirements[<</S/EnableJavaScripts/RH<</Script(MARK)>>>>]"),
    "attestations": catalog_of(b"/Legal<</Attestation(MARK)>>"),
    "layers that act": catalog_of(
        b"/OCProperties<</OCGs[]/D<</AS[<</Event/Print/MARK 1>>]>>/Configs[<</AS[/MARK]>>]>>"
    ),
    "a profile elsewhere": catalog_of(
        b"/OutputIntents[<</S/GTS_PDFX/DestOutputProfileRef<</URLs[(MARK)]>>>>]"
    ),
    "a script when a page is seen": page_with(b"/AA<</O%b>>" % SCRIPT),
    "what programs keep of a page": page_with(b"/PieceInfo<</MARK<</Private(x)>>>>"),
    "files of a page": page_with(b"/AF[%b]" % FILE),
    "a thumbnail": page_with(b"/Thumb 7 0 R"),
    "steps of a show": page_with(b"/PresSteps<</NA%b>>" % SCRIPT),
    "metadata of a page": page_with(b"/Metadata 7 0 R"),
    "a link to a script": link(SCRIPT),
    "a link that starts a program": link(b"<</S/Launch/F(MARK)/Win<</F(MARK)>>>>"),
    "a link to a file": link(b"<</S/GoToR/F(MARK)/D[0/Fit]>>"),
    "a link into a file": link(b"<</S/GoToE/D[0/Fit]/T<</R/C/N(MARK)>>>>"),
    "a link that sends a form": link(b"<</S/SubmitForm/F(http://MARK.example)>>"),
    "a link that reads a form": link(b"<</S/ImportData/F(MARK)>>"),
    "a link that plays": link(b"<</S/Rendition/JS(MARK)/OP 0>>"),
    "a link that plays a film": link(b"<</S/Movie/T(MARK)>>"),
    "a link that sounds": link(b"<</S/Sound/Sound 7 0 R>>"),
    "a link to an article": link(b"<</S/Thread/D(MARK)/F(MARK)>>"),
    "a link that hides": link(b"<</S/Hide/T(MARK)>>"),
    "a link with a name": link(b"<</S/Named/N/MARK>>"),
    "a link to layers": link(b"<</S/SetOCGState/State[/ON/MARK]>>"),
    "a link into a scene": link(b"<</S/GoTo3DView/V(MARK)>>"),
    "a link by a script's URI": link(b"<</S/URI/URI(javascript:MARK)>>"),
    "a link by a file's URI": link(b"<</S/URI/URI(file:///MARK)>>"),
    "a link by data": link(b"<</S/URI/URI(data:text/html,MARK)>>"),
    "a link without a scheme": link(b"<</S/URI/URI(MARK)>>"),
    "a link with a line break": link(b"<</S/URI/URI(https://a.example/\\nMARK)>>"),
    "a link with a placeholder": link(b"<</S/URI/URI(https://a.example/MARK/%id%)>>"),
    "an endless link": link(b"<</S/URI/URI(https://a.example/MARK%b)>>" % (b"a" * 2048)),
    "a link with more behind it": link(
        b"<</S/URI/URI(https://a.example)/Next[<</S/Launch/F(MARK)>>]>>"
    ),
    "a link with more about it": annotated(
        b"/Subtype/Link/Dest[3 0 R/Fit]/AA<</E%b>>/PA<</S/URI/URI(http://MARK.example)>>" % SCRIPT
    ),
    "a note": annotated(b"/Subtype/Text/Contents(MARK)/Popup 7 0 R"),
    "an attached file": annotated(b"/Subtype/FileAttachment/FS%b" % FILE),
    "a film": annotated(b"/Subtype/Movie/Movie<</F(MARK)>>"),
    "a sound": annotated(b"/Subtype/Sound/Sound 7 0 R"),
    "a screen": annotated(b"/Subtype/Screen/A<</S/Rendition/JS(MARK)>>"),
    "rich media": annotated(
        b"/Subtype/RichMedia/RichMediaContent<</Assets<</Names[(MARK)7 0 R]>>>>"
    ),
    "a scene": annotated(b"/Subtype/3D/3DD 7 0 R"),
    "a printer's mark": annotated(b"/Subtype/PrinterMark/MN/MARK"),
    "an unknown annotation": annotated(b"/Subtype/MARK"),
    "a bookmark to a script": outlined(b"/A" + SCRIPT),
    "a bookmark to a program": outlined(b"/A<</S/Launch/F(MARK)>>"),
    "a bookmark with more about it": outlined(b"/Dest[3 0 R/Fit]/AA<</E%b>>" % SCRIPT),
    "a field that acts": field(b"/A" + SCRIPT),
    "a field that computes": field(b"/AA<</C%b>>" % SCRIPT),
    "a form of another file": drawing(b"/Ref<</F(MARK)/Page 0>>"),
    "a form for a press": drawing(b"/OPI<</2.0<</F(MARK)>>>>"),
    "a form's files": drawing(b"/AF[%b]" % FILE),
    "a form's program in PostScript": drawing(b"/PS 7 0 R"),
    "what programs keep of a form": drawing(b"/PieceInfo<</MARK<</Private(x)>>>>"),
    "metadata of a form": drawing(b"/Metadata 7 0 R"),
    "a stream elsewhere": drawing(b"/F(MARK)"),
    "files of a tag": tagged(b"/AF[%b]" % FILE),
    "files of the tags": tagged(b"", b"/AF[%b]/PronunciationLexicon[%b]" % (FILE, FILE)),
    "a schema of the tags": tagged(b"", b"/Namespaces[<</NS(urn:a)/Schema%b>>]" % FILE),
    "a tag of a note": tagged(b"/K<</Type/OBJR/Obj<</Subtype/Text/Contents(MARK)>>>>"),
    "tags of notes": tagged(b"/K[0<</Type/OBJR/Obj<</Subtype/Text/Contents(MARK)>>>>]"),
}


@pytest.mark.parametrize("template", ACTING.values(), ids=ACTING)
def test_what_acts_is_gone(template: bytes) -> None:
    assert b"MARK" in said(template)

    certificate = filled(template)

    assert b"MARK" not in said(certificate)
    assert STAMP in text_of(certificate)


@pytest.mark.parametrize(
    "uri",
    [
        b"https://issuer.example/verify?a=1&b=%C3%A9#part",
        b"HTTP://issuer.example",
        b"mailto:info@issuer.example?subject=x",
    ],
)
def test_a_link_to_the_web_or_to_an_address_stays(uri: bytes) -> None:
    template = link(b"<</S/URI/URI(%b)/IsMap true>>" % uri)

    with pikepdf.open(io.BytesIO(filled(template))) as pdf:
        (annotation,) = list(annotations(pdf))
        assert dict(annotation.A.items()) == {"/S": pikepdf.Name.URI, "/URI": uri.decode()}


@pytest.mark.parametrize(
    "target", [b"/Dest[3 0 R/Fit]", b"/Dest(end)", b"/A<</S/GoTo/D[3 0 R/Fit]>>"]
)
def test_a_link_to_a_page_stays(target: bytes) -> None:
    template = page_of(
        TJ,
        catalog=b"/Names<</Dests<</Names[(end)[3 0 R/Fit]]>>>>",
        page=b"/Annots[<</Subtype/Link%b%b>>]" % (BOX, target),
    )

    with pikepdf.open(io.BytesIO(filled(template))) as pdf:
        (annotation,) = list(annotations(pdf))
        assert "/Dest" in annotation or str(annotation.A.S) == "/GoTo"
        assert "/Dests" in pdf.Root.Names


def annotations(pdf: pikepdf.Pdf) -> Iterator[Dictionary]:
    listed = pdf.pages[0].obj.get("/Annots")
    for entry in listed if isinstance(listed, Array) else ():
        assert isinstance(entry, Dictionary)
        yield entry


def test_bookmarks_and_the_first_view_stay() -> None:
    items = [
        b"<</First 7 0 R/Last 8 0 R/Count 2>>",
        b"<</Title(First)/Parent 6 0 R/Next 8 0 R/A<</S/GoTo/D[3 0 R/Fit]>>>>",
        b"<</Title(Second)/Parent 6 0 R/Prev 7 0 R/Next 7 0 R/Dest[3 0 R/Fit]>>",
    ]
    template = page_of(
        TJ, catalog=b"/Outlines 6 0 R/OpenAction[3 0 R/Fit]/PageMode/UseOutlines", more=items
    )

    with pikepdf.open(io.BytesIO(filled(template))) as pdf:
        assert str(pdf.Root.Outlines.First.Title) == "First"
        assert str(pdf.Root.Outlines.First.A.S) == "/GoTo"
        assert "/Dest" in pdf.Root.Outlines.Last
        assert isinstance(pdf.Root.OpenAction, Array)
        assert pdf.Root.PageMode == pikepdf.Name.UseOutlines


def test_the_tag_of_a_link_stays_with_it() -> None:
    tree = b"/MarkInfo<</Marked true>>/StructTreeRoot<</Type/StructTreeRoot/K[7 0 R 7 0 R]>>"
    template = page_of(
        TJ,
        catalog=tree,
        page=b"/Annots[6 0 R]",
        more=[
            b"<</Subtype/Link%b/A<</S/URI/URI(https://a.example)>>/StructParent 0>>" % BOX,
            b"<</Type/StructElem/S/Link/P 1 0 R/K[<</Type/OBJR/Obj 6 0 R/Pg 3 0 R>>]>>",
        ],
    )

    with pikepdf.open(io.BytesIO(filled(template))) as pdf:
        (annotation,) = list(annotations(pdf))
        assert pdf.Root.StructTreeRoot.K[0].K[0].Obj.objgen == annotation.objgen
        assert pdf.Root.MarkInfo.Marked


def text_box(kind: bytes = b"/FreeText") -> bytes:
    look = stream_of(
        b"/Tx BMC BT /F1 12 Tf 2 5 Td (To %name%) Tj ET EMC",
        b"/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F1 5 0 R>>>>",
    )
    box = b"<</Type/Annot/Subtype%b/Rect[60 500 260 520]/Contents(%%name%%)/AP<</N 7 0 R>>>>"
    return page_of(TJ + b" q", page=b"/Annots[6 0 R]", more=[box % kind, look])


@pytest.mark.parametrize("kind", [b"/FreeText", b"/Stamp", b"/Square"])
def test_a_text_box_becomes_part_of_the_page_and_is_filled(kind: bytes) -> None:
    certificate = filled(text_box(kind=kind), name="Ada Lovelace")

    assert "To Ada Lovelace" in text_of(certificate)
    assert b"%name%" not in said(certificate)
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        assert "/Annots" not in pdf.pages[0].obj


def test_a_text_box_on_a_page_that_draws_nothing_else_is_filled() -> None:
    template = text_box().replace(b"/Contents 4 0 R", b"/Absent    4 0 R")

    assert text_of(filled(template, name="Ada")).strip() == "To Ada"


@pytest.mark.parametrize(
    ("entry", "otherwise"),
    [
        (b"/Type/Annot", b"/F 2"),
        (b"/Type/Annot", b"/F 32"),
        (b"/Rect[60 500 260 520]", b"/Rect[1]"),
        (b"/AP<</N 7 0 R>>", b"/AP<</D 7 0 R>>"),
    ],
)
def test_a_hidden_text_box_is_left_out(entry: bytes, otherwise: bytes) -> None:
    certificate = filled(text_box().replace(entry, otherwise))

    assert STAMP in text_of(certificate)
    assert b"%name%" not in said(certificate)


def test_what_is_no_annotation_bookmark_or_tag_is_passed_over() -> None:
    template = pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R/Outlines 7/StructTreeRoot 7/Names 7"
            b"/OCProperties<</OCGs[]/D 7>>/OutputIntents[7]>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Annots[7 null]"
            b"/Resources<</Font<</F1 5 0 R>>>>>>",
            stream_of(TJ),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        ]
    )

    assert STAMP in text_of(filled(template))


def test_tags_that_lead_in_a_circle_are_followed_once() -> None:
    template = page_of(
        TJ,
        catalog=b"/StructTreeRoot<</Type/StructTreeRoot/K 6 0 R>>",
        more=[b"[7 0 R 6 0 R]", b"<</Type/StructElem/S/P/P 7 0 R/K[7 0 R]>>"],
    )

    assert STAMP in text_of(filled(template))
