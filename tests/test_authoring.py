"""Templates that are written as HTML or Typst: made a PDF once, apart, from their folder alone."""

import base64
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fileservice.certificates import render
from fileservice.pdf import sandbox
from fileservice.pdf.authoring import Kind
from fileservice.pdf.errors import BadSource, NeedsExtra, NoPlaceholders, OverLimits
from fileservice.pdf.fonts import shipped_fonts
from fileservice.pdf.sandbox import author_apart, compile_apart
from tests.otherhosts import templates_in
from tests.pdfs import checked, text_of

pytest.importorskip("typst", reason="typst is not installed")
try:
    import weasyprint as _  # noqa: F401
except (ImportError, OSError):
    if os.environ.get("CI"):
        raise
    pytest.skip("WeasyPrint or its library Pango is not installed", allow_module_level=True)

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
HTML = """<!doctype html><html lang=en><title>Award</title>
<style>body { text-align: center }</style>
<h1>Certificate</h1><p>for %name%</p><p>{{course|Nothing}}</p><p>on %timestamp%</p>"""
TYPST = """#set page(paper: "a4")
#align(center)[= Certificate
for %name%

{{course|Nothing}}

on %timestamp%]"""
WRITTEN = {"award.html": HTML, "award.typ": TYPST}
# One black pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize("file", WRITTEN)
async def test_a_written_template_is_filled(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text(WRITTEN[file])
    templates = templates_in(tmp_path)

    values = {"name": "Zo\u00eb \u0141ukasz"}
    certificate = await render(templates, "award", values, now=NOW, zone=ZoneInfo("UTC"))

    words = text_of(checked(certificate)).split()
    assert words[:4] == ["Certificate", "for", "Zo\u00eb", "\u0141ukasz"]
    assert words[4:] == ["Nothing", "on", "2026-11-21T08:30:05+00:00"]
    await templates.close()


@pytest.mark.parametrize("file", WRITTEN)
async def test_a_changed_written_template_is_made_again(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.write_text(WRITTEN[file])
    templates = templates_in(tmp_path)
    before = await templates.get("award")
    path.write_text(WRITTEN[file].replace("%name%", "%whom%"))
    os.utime(path, (0, 0))

    after = await templates.get("award")

    assert before.fields == {"name", "course", "timestamp"}
    assert after.fields == {"whom", "course", "timestamp"}
    await templates.close()


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("html", "<img src=seal.png><p>%name%"),
        ("html", "<link rel=stylesheet href=style.css><p>%name%"),
        ("html", f"<img src=data:image/png;base64,{base64.b64encode(PNG).decode()}><p>%name%"),
        ("typ", '#image("seal.png")\n%name%'),
        ("typ", '#include "part.typ"\n%name%'),
    ],
)
async def test_pictures_and_parts_come_from_the_folder(
    tmp_path: Path, kind: Kind, source: str
) -> None:
    (tmp_path / "seal.png").write_bytes(PNG)
    (tmp_path / "style.css").write_text("p { color: red }")
    (tmp_path / "part.typ").write_text("part")

    made = await author_apart(source.encode(), kind, tmp_path)

    assert "%name%" in text_of(made)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("html", "<img src=none.png><p>%name%"),
        ("html", "<img src=../outside.png><p>%name%"),
        ("html", "<img src=link.png><p>%name%"),
        ("html", "<link rel=stylesheet href=file:///etc/passwd><p>%name%"),
        ("html", "<img src=http://127.0.0.1:9/x.png><p>%name%"),
        ("html", "<style>@import url(https://a.example/x.css)</style><p>%name%"),
        ("typ", '#image("none.png")'),
        ("typ", '#read("../outside.png")'),
        ("typ", '#read("/../outside.png")'),
        ("typ", '#read("/etc/passwd")'),
        ("typ", "#let x = "),
        ("typ", '#import "@preview/cetz:0.3.2": canvas'),
    ],
)
async def test_nothing_else_is_read(tmp_path: Path, kind: Kind, source: str) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(tmp_path / "outside.png")

    with pytest.raises(BadSource):
        await author_apart(source.encode(), kind, folder)


async def test_what_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 0.05)

    with pytest.raises(OverLimits):
        await author_apart(HTML.encode(), "html", tmp_path)


async def test_a_template_without_placeholders_says_so(tmp_path: Path) -> None:
    (tmp_path / "award.html").write_text("<p>nothing")
    templates = templates_in(tmp_path)

    with pytest.raises(NoPlaceholders):
        await templates.get("award")
    await templates.close()


@pytest.mark.parametrize("kind", ["html", "typ"])
async def test_what_is_not_installed_is_named(
    tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = "import sys; sys.modules['weasyprint'] = sys.modules['typst'] = None; "
    monkeypatch.setattr(sandbox, "BOOT", blocked + sandbox.BOOT)

    with pytest.raises(NeedsExtra, match="needs the extra"):
        await author_apart(b"%name%", kind, tmp_path)


async def test_a_child_has_no_way_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "unshare"):
        pytest.skip("this system has no namespaces")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        boot = (
            "import runpy, socket, sys; sys.path.insert(0, sys.argv.pop(1));"
            "child = runpy.run_module(sys.argv.pop(1)); child['limit_this_process']()\n"
            f"try: socket.create_connection({listener.getsockname()!r}, 5); print('limits')\n"
            "except OSError: print('no_placeholders')"
        )
        monkeypatch.setattr(sandbox, "BOOT", boot)

        with pytest.raises(NoPlaceholders):
            await compile_apart(b"", shipped_fonts())


def test_the_service_itself_loads_none_of_the_makers() -> None:
    program = (
        "import sys, fileservice.compilation;"
        "print({'weasyprint', 'typst', 'pikepdf'} & sys.modules.keys())"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout == "set()\n"
