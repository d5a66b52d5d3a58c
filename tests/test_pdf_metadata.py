"""What certificates say of themselves: metadata, information, titles, what is read aloud."""

import io
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
import pytest

from fileservice.compilation import Compiler
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import FontSet, shipped_fonts
from fileservice.pdf.packing import pack, unpack
from fileservice.pdf.phrases import MAX_PHRASE_CHARACTERS
from fileservice.pdf.xmp import MAX_PACKET_BYTES
from tests.pdfs import checked, page_of, stream_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
TJ = b"BT /F1 24 Tf 100 700 Td (%name|% %timestamp%) Tj ET"
X_DEFAULT = "{http://www.w3.org/XML/1998/namespace}lang"
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
}


@cache
def fonts() -> FontSet:
    return shipped_fonts()


def compiled(template: bytes) -> CompiledTemplate:
    return compile_template(template, fonts())


def titled(title: bytes, packet: bytes | None = None, catalog: bytes = b"") -> bytes:
    """Return a template with a title and metadata of its own."""
    more = [b"<</Title%b/Author(Secret)/Producer(Old)/Custom(%%name%%)>>" % title]
    if packet is not None:
        more.append(stream_of(packet, b"/Type/Metadata/Subtype/XML"))
        catalog += b"/Metadata 7 0 R"
    return page_of(TJ, catalog=catalog, more=more).replace(b"/Root 1", b"/Info 6 0 R/Root 1")


def packet_of(properties: str, entries: str = "") -> bytes:
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    return (
        f'<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF{spaces}>'
        f'<rdf:Description rdf:about="" {entries}>{properties}</rdf:Description></rdf:RDF>'
        '</x:xmpmeta>\n   <?xpacket end="w"?>'
    ).encode()


def told(certificate: bytes) -> dict[str, list[str]]:
    """Return the properties that a certificate's metadata have."""
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        assert "/Filter" not in pdf.Root.Metadata
        packet = pdf.Root.Metadata.read_bytes().decode()
    assert packet.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    prefixes = {uri: prefix for prefix, uri in SPACES.items()}
    found = {}
    root = ElementTree.fromstring(packet)  # noqa: S314  # we wrote it
    for description in root.iter(f"{{{SPACES['rdf']}}}Description"):
        for element in description:
            uri, _, name = element.tag[1:].partition("}")
            if uri in prefixes:
                items = [*element.iter(f"{{{SPACES['rdf']}}}li")] or [element]
                found[f"{prefixes[uri]}:{name}"] = [item.text or "" for item in items]
    return found


def information(certificate: bytes) -> dict[str, str]:
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        return {key: str(value) for key, value in pdf.docinfo.items()}


def filled(template: bytes, **values: str) -> bytes:
    return checked(compiled(template).fill(values, issued_at=NOW, number="0123456789ABC"))


def test_metadata_tell_of_the_certificate() -> None:
    template = titled(b"(Award)", catalog=b"/Lang(de-CH)")

    assert told(filled(template)) == {
        "dc:format": ["application/pdf"],
        "dc:title": ["Award"],
        "dc:identifier": ["0123456789ABC"],
        "dc:language": ["de-CH"],
        "xmp:CreateDate": ["2026-11-21T08:30:05Z"],
        "xmp:ModifyDate": ["2026-11-21T08:30:05Z"],
        "xmp:MetadataDate": ["2026-11-21T08:30:05Z"],
        "xmp:CreatorTool": ["fileservice"],
        "pdf:Producer": ["fileservice"],
    }


def test_information_says_what_metadata_say() -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    certificate = checked(compiled(titled(b"(Award)")).fill({}, issued_at=moment))

    assert information(certificate) == {
        "/Title": "Award",
        "/Producer": "fileservice",
        "/CreationDate": "D:20261121083005Z",
        "/ModDate": "D:20261121083005Z",
    }
    assert told(certificate)["xmp:CreateDate"] == ["2026-11-21T08:30:05Z"]


@pytest.mark.parametrize(
    ("title", "name", "said"),
    [
        (b"(Award for %name%)", "Ada Lovelace", "Award for Ada Lovelace"),
        (b"(Award for %name%, %timestamp%)", "Ada", "Award for Ada, 2026-11-21T08:30:05+00:00"),
        (b"(Award for %name|all%)", "", "Award for"),
        (b"({{name}}: {{ only.here|nothing }})", "Ada", "Ada: nothing"),
        (b"(%only.here% for %name%)", "Ada", "for Ada"),
        (b"(Page %page% for %name% %qr.90%)", "Ada", "Page for Ada"),
        (b"(100 % of %)", "Ada", "100 % of %"),
        (b"(For %name%)", "<b>&amp;\"'</dc:title>", "For <b>&amp;\"'</dc:title>"),
        (b"(For %name%)", ")>>/JS(x)", "For )>>/JS(x)"),
        (b"(For %name%)", "%id% %name%", "For %id% %name%"),
        (b"(For %name%)", "]]>\u05d0\U0001d4d0", "For ]]>\u05d0\U0001d4d0"),
    ],
)
def test_a_title_may_ask_for_values(title: bytes, name: str, said: str) -> None:
    template = compiled(titled(title))

    assert template.titled({"name": name}, issued_at=NOW) == said


def test_a_title_is_the_same_in_metadata_and_information() -> None:
    certificate = filled(titled(b"(For %name% & all)"), name="<A> & 'B'")

    assert told(certificate)["dc:title"] == ["For <A> & 'B' & all"]
    assert information(certificate)["/Title"] == "For <A> & 'B' & all"


def test_only_pages_require_values() -> None:
    template = compiled(titled(b"(%title.only% of %id%)"))

    assert template.fields == {"name", "timestamp", "title.only", "id"}
    assert template.required == frozenset()


@pytest.mark.parametrize(
    ("title", "said"),
    [
        (b"<feff00410000000700420085fffe>", "AB"),
        (b"(A\\nB)", "A B"),
        (b"(%b)" % (b"x" * 5000), "x" * MAX_PHRASE_CHARACTERS),
        (b"()", None),
        (b"/Name", None),
    ],
)
def test_a_title_is_one_line_of_text(title: bytes, said: str | None) -> None:
    certificate = filled(titled(title))

    assert information(certificate).get("/Title") == said
    assert told(certificate).get("dc:title", [None]) == [said]


def test_a_title_that_only_metadata_tell_is_taken_from_them() -> None:
    packet = packet_of(
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">For %name%</rdf:li>'
        '<rdf:li xml:lang="de">Anders</rdf:li></rdf:Alt></dc:title>'
    )

    certificate = filled(titled(b"()", packet), name="Ada")

    assert information(certificate)["/Title"] == "For Ada"


def test_authors_and_rights_stay() -> None:
    packet = packet_of(
        "<dc:creator><rdf:Seq><rdf:li>Ada &amp; B</rdf:li><rdf:li>C</rdf:li></rdf:Seq></dc:creator>"
        "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>CC0</rdf:li></rdf:Alt></dc:rights>"
        "<dc:language><rdf:Bag><rdf:li>fr</rdf:li></rdf:Bag></dc:language>",
        'pdf:Keywords="%name%"',
    )

    certificate = filled(titled(b"(T)", packet))

    facts = told(certificate)
    assert facts["dc:creator"] == ["Ada & B", "C"]
    assert facts["dc:rights"] == ["CC0"]
    assert facts["dc:language"] == ["fr"]
    assert "pdf:Keywords" not in facts


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no XML",
        b"\xff\xfe<\0x\0",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        + packet_of("<dc:title>&e;</dc:title>"),
        packet_of("<dc:title>&e;</dc:title>"),
        packet_of("<dc:title>Other</dc:title>") + b" " * MAX_PACKET_BYTES,
        packet_of("<dc:title/><dc:title> </dc:title>"),
    ],
)
def test_metadata_that_cannot_be_read_tell_nothing(packet: bytes) -> None:
    certificate = filled(titled(b"(Award)", packet))

    assert told(certificate)["dc:title"] == ["Award"]


def test_the_catalog_says_the_language_and_shows_the_title() -> None:
    packet = packet_of("<dc:language>en-GB</dc:language>")

    with pikepdf.open(io.BytesIO(filled(titled(b"(T)", packet)))) as pdf:
        assert str(pdf.Root.Lang) == "en-GB"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle


@pytest.mark.parametrize(
    "catalog", [b"/ViewerPreferences 7", b"/ViewerPreferences<</FitWindow true>>"]
)
def test_what_else_the_viewer_is_asked_for_stays(catalog: bytes) -> None:
    with pikepdf.open(io.BytesIO(filled(titled(b"(T)", catalog=catalog)))) as pdf:
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        assert ("/FitWindow" in pdf.Root.ViewerPreferences) == (b"FitWindow" in catalog)


def test_a_language_that_is_none_is_left_out() -> None:
    with pikepdf.open(io.BytesIO(filled(titled(b"(T)", catalog=b"/Lang(%name%)")))) as pdf:
        assert "/Lang" not in pdf.Root


def tagged(element: bytes) -> bytes:
    return page_of(
        TJ,
        catalog=b"/Outlines 6 0 R/StructTreeRoot<</Type/StructTreeRoot/K[8 0 R]>>",
        page=b"/Annots[<</Subtype/Link/Rect[9 9 99 99]/Dest[3 0 R/Fit]/Contents(See %name%)>>]",
        more=[
            b"<</First 7 0 R/Last 7 0 R/Count 1>>",
            b"<</Title(Chapter of %name%)/Parent 6 0 R/Dest[3 0 R/Fit]>>",
            b"<</Type/StructElem/S/Figure/P 1 0 R%b>>" % element,
        ],
    )


def test_what_is_read_aloud_may_ask_for_values() -> None:
    template = tagged(b"/Alt(Seal of %name%)/T(%name|%)/ActualText(Stays)/K[0]")

    with pikepdf.open(io.BytesIO(filled(template, name="Ada (b)"))) as pdf:
        (figure,) = list(pdf.Root.StructTreeRoot.K)
        assert str(figure.Alt) == "Seal of Ada (b)"
        assert str(figure.T) == "Ada (b)"
        assert str(figure.ActualText) == "Stays"
        assert str(pdf.Root.Outlines.First.Title) == "Chapter of Ada (b)"
        assert str(pdf.pages[0].obj.Annots[0].Contents) == "See Ada (b)"


def test_what_is_read_aloud_within_another_tag_is_left_out() -> None:
    template = tagged(b"/K[<</Type/StructElem/S/Span/Alt(Of %name%)/K 0>>]")

    with pikepdf.open(io.BytesIO(filled(template, name="Ada"))) as pdf:
        assert "/Alt" not in pdf.Root.StructTreeRoot.K[0].K[0]


def test_of_too_many_texts_that_are_read_aloud_some_are_left_out() -> None:
    tags = [b"<</Type/StructElem/S/P/P 1 0 R/Alt(%name%)>>"] * 250
    kids = b" ".join(b"%d 0 R" % at for at in range(6, 256))
    template = compiled(page_of(TJ, catalog=b"/StructTreeRoot<</K[%b]>>" % kids, more=tags))

    certificate = checked(template.fill({"name": "Ada"}, issued_at=NOW))

    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        said = [str(tag.get("/Alt")) for tag in pdf.Root.StructTreeRoot.K]
    assert said.count("Ada") == 200
    assert said.count("None") == 50


def test_a_plan_is_read_back_as_it_was_written() -> None:
    packet = packet_of("<dc:creator>Ada</dc:creator>", 'pdfaid:part="1" pdfaid:conformance="B"')
    plan = compiled(titled(b"(For %name%)", packet)).plan

    assert plan.lost
    assert unpack(pack(plan)) == plan


def test_a_plan_with_texts_that_are_read_aloud_is_read_back() -> None:
    plan = compiled(tagged(b"/Alt(Seal of %name%)")).plan

    assert len(plan.captions) == 3
    assert unpack(pack(plan)) == plan


async def test_a_claim_that_is_lost_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packet = packet_of("", 'pdfaid:part="1" pdfaid:conformance="b"')

    await Compiler(tmp_path).compile(titled(b"(T)", packet), keep=False)

    assert "It is PDF/A-1b, its certificates are not" in caplog.text
