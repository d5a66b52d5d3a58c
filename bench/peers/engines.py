"""
The engines that people make certificates with, each as its documentation shows it.

`python engines.py ENGINE TEMPLATE SECONDS` makes one certificate after the other, each with a name
of its own, and prints the user CPU seconds of each on average; whatever can be done once is.
"""

import io
import itertools
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

FONT = "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"
ISSUED = "2026-11-21T08:30:05+00:00"
LINES = ((36, 700, "Certificate"), (14, 560, "Analytical Engines"), (10, 500, ISSUED))
WARM_DOCUMENTS = 3

type Make = Callable[[str], bytes]


def reportlab(_template: Path) -> Make:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(TTFont("Noto", FONT))

    def make(name: str) -> bytes:
        target = io.BytesIO()
        canvas = Canvas(target, pagesize=A4)
        for size, y, text in (*LINES, (24, 620, name)):
            canvas.setFont("Noto", size)
            canvas.drawCentredString(297, y, text)
        canvas.save()
        return target.getvalue()

    return make


def pypdf(_template: Path) -> Make:
    from pypdf import PdfReader, PdfWriter
    from reportlab.pdfgen.canvas import Canvas

    form = io.BytesIO()
    canvas = Canvas(form)
    for at, field in enumerate(("name", "course", "timestamp")):
        canvas.acroForm.textfield(name=field, x=100, y=620 - 60 * at, width=400, height=30)
    canvas.showPage()
    canvas.save()

    def make(name: str) -> bytes:
        writer = PdfWriter(clone_from=PdfReader(form))
        values = {"name": name, "course": "Analytical Engines", "timestamp": ISSUED}
        writer.update_page_form_field_values(writer.pages[0], values, flatten=True)
        target = io.BytesIO()
        writer.write(target)
        return target.getvalue()

    return make


def pikepdf(template: Path) -> Make:
    import pikepdf as library

    draw = reportlab(template)

    def make(name: str) -> bytes:
        target = io.BytesIO()
        with library.open(template) as page, library.open(io.BytesIO(draw(name))) as overlay:
            page.pages[0].add_overlay(overlay.pages[0], library.Rectangle(0, 0, 595, 842))
            page.save(target)
        return target.getvalue()

    return make


def weasyprint(_template: Path) -> Make:
    from weasyprint import HTML
    from weasyprint.text.fonts import FontConfiguration

    fonts = FontConfiguration()

    def make(name: str) -> bytes:
        lines = "".join(f"<p style='font-size:{size}pt'>{text}" for size, _, text in LINES)
        page = f"<body style='font-family:Noto Sans;text-align:center'>{lines}<h1>{name}</h1>"
        return bytes(HTML(string=page).write_pdf(font_config=fonts))

    return make


def typst(_template: Path) -> Make:
    import typst as library

    source = Path(tempfile.mkdtemp()) / "certificate.typ"
    lines = "".join(f"#text({size}pt)[{text}]\n\n" for size, _, text in LINES)
    source.write_text(
        '#set page(paper: "a4")\n#set text(font: "Noto Sans")\n'
        f"#align(center)[{lines}#text(24pt)[#sys.inputs.name]]\n"
    )
    compiler = library.Compiler(str(source))

    def make(name: str) -> bytes:
        made = compiler.compile(format="pdf", sys_inputs={"name": name})
        assert isinstance(made, bytes)  # noqa: S101 - of one page it makes one
        return made

    return make


ENGINES: dict[str, Callable[[Path], Make]] = {
    engine.__name__: engine for engine in (reportlab, pypdf, pikepdf, weasyprint, typst)
}


def user_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def main(engine: str, template: str, seconds: str) -> None:
    make = ENGINES[engine](Path(template))
    names = (f"Ada Lovelace {number}" for number in itertools.count())
    for name in itertools.islice(names, WARM_DOCUMENTS):
        assert make(name).startswith(b"%PDF-")  # noqa: S101 - else there is nothing to measure
    done, start = 0, user_seconds()
    while (taken := user_seconds() - start) < float(seconds):
        make(next(names))
        done += 1
    print(taken / done)


if __name__ == "__main__":
    main(*sys.argv[1:])
