"""
The process that makes a PDF of a template that is written: HTML (WeasyPrint) or Typst.

The source comes on standard input, its kind and the folder of its pictures as arguments, and the
answer (`answers`) goes out with the PDF, which still has the placeholders.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from fileservice.pdf.answers import answer, limit_this_process
from fileservice.pdf.errors import BadSource, NeedsExtra

Kind = Literal["html", "typ"]


def html(source: bytes, folder: Path) -> bytes:
    """
    Return the PDF that WeasyPrint makes of an HTML page, with pictures and styles from `folder`.

    Raises:
        NeedsExtra: WeasyPrint is not installed.
        BadSource: the page names what is not in `folder`, or is not one that can be set.
    """
    try:
        import weasyprint.urls
    except (ImportError, OSError) as error:  # OSError: Pango is not there
        raise NeedsExtra("A template in HTML needs the extra html, and Pango.") from error

    class Folder(weasyprint.urls.URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        """Reads below `folder`, also where a link leads, and what a URL itself holds."""

        def fetch(
            self, url: str, headers: Mapping[str, str] | None = None
        ) -> weasyprint.urls.URLFetcherResponse:
            parts = urlsplit(url)
            path = Path(unquote(parts.path)).resolve()
            if parts.scheme == "file" and (parts.netloc or not path.is_relative_to(folder)):
                raise ValueError(url)
            return super().fetch(url, headers)

    fetcher = Folder(allowed_protocols={"data", "file"}, fail_on_errors=True)
    page = weasyprint.HTML(string=source, base_url=f"{folder.as_uri()}/", url_fetcher=fetcher)
    try:
        made: bytes = page.write_pdf()
    except weasyprint.urls.FatalURLFetchingError as error:
        raise BadSource("The template names what is not in its folder.") from error
    return made


def typst(source: bytes, folder: Path) -> bytes:
    """
    Return the PDF that Typst makes of a document, with pictures and parts from `folder`.

    Raises:
        NeedsExtra: Typst is not installed.
        BadSource: Typst says what is wrong with it.
    """
    try:
        import typst as library
    except ImportError as error:
        raise NeedsExtra("A template in Typst needs the extra typst.") from error
    try:
        made: bytes = library.compile(source, root=str(folder))  # type: ignore[type-var]  # a stub
    except library.TypstError as error:
        raise BadSource(f"Typst says: {str(error).splitlines()[0]}.") from error
    return made


MAKERS: dict[str, Callable[[bytes, Path], bytes]] = {"html": html, "typ": typst}

if __name__ == "__main__":
    limit_this_process()
    kind, place = sys.argv[1:]
    folder = Path(place).resolve()
    answer(lambda source: MAKERS[kind](source, folder), sys.stdin.buffer, sys.stdout.buffer)
