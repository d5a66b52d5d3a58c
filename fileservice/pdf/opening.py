"""Opens what may be a template, and refuses what cannot be one."""

import io
import re
from typing import cast

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf

from fileservice.pdf.answers import MAX_FILE_BYTES
from fileservice.pdf.errors import Damaged, Encrypted, NotPdf, OverLimits, Signed, Xfa

MAX_PAGES = 20
MAX_OBJECTS = 20_000
# How pikepdf says that an object is not what it was asked for: a number of 20 digits, a name that
# is no text, a stream that does not unpack. Any line that looks into a template can meet them.
BROKEN = (pikepdf.PikepdfError, OverflowError, TypeError, ValueError)
# "stream <_io.BytesIO ...> (object 6 0, offset 561): /Encrypt ...": the first half is about us.
OUR_HALF = re.compile(r"^.*?>(?: \([^)]*\))?: ")
# What lets a reader save a form (ISO 32000-1 12.8.2.3): signed, but not by whoever wrote it.
USAGE_RIGHTS = {"/UR", "/UR3"}


def opened(content: bytes) -> Pdf:
    """
    Return the PDF that `content` is.

    Raises:
        NotPdf, OverLimits, Encrypted, Damaged: it is none, or cannot be read.
    """
    if b"%PDF-" not in content[:1024]:
        start = content[:16].decode("ascii", "backslashreplace")
        raise NotPdf(f"This is not a PDF; it begins with {start!r}.")
    if len(content) > MAX_FILE_BYTES:
        raise OverLimits(
            f"The template is {len(content):,} bytes long, {MAX_FILE_BYTES:,} are accepted."
        )
    try:
        return pikepdf.open(io.BytesIO(content))
    except pikepdf.PasswordError as error:
        raise Encrypted(
            "The template is password-protected; save an unprotected copy (qpdf --decrypt)."
        ) from error
    except BROKEN as error:
        reason = OUR_HALF.sub("", str(error))
        if "encrypt" in reason.lower():
            raise Encrypted(f"The template is protected in an unknown way: {reason}.") from error
        raise Damaged(f"The template cannot be read: {reason}.") from error


def refuse_unfit(pdf: Pdf) -> None:
    """
    Refuse what cannot be filled whatever is on its pages.

    Raises:
        Encrypted, OverLimits, Damaged, Signed, Xfa: it cannot.
    """
    if pdf.is_encrypted:
        raise Encrypted("The template is protected; save an unprotected copy (qpdf --decrypt).")
    if len(pdf.objects) > MAX_OBJECTS:
        raise OverLimits(f"The template has more than {MAX_OBJECTS:,} objects.")
    if len(pdf.pages) > MAX_PAGES:
        raise OverLimits(f"The template has {len(pdf.pages)} pages, {MAX_PAGES} are accepted.")
    if not len(pdf.pages):
        raise Damaged("The template has no page.")
    if _is_signed(pdf):
        raise Signed(
            "The template carries a digital signature, which filling would break;"
            " use the unsigned original."
        )
    if _is_dynamic(pdf):
        raise Xfa("The template is a dynamic XFA form; print it to a PDF and use that.")


def form_of(pdf: Pdf) -> Dictionary:
    """Return the form of the document, one without fields when it has none."""
    form = pdf.Root.get("/AcroForm")
    return form if isinstance(form, Dictionary) else Dictionary()


def _is_signed(pdf: Pdf) -> bool:
    permissions = pdf.Root.get("/Perms")
    granted = permissions if isinstance(permissions, Dictionary) else Dictionary()
    if set(granted.keys()) - USAGE_RIGHTS:
        return True
    rights = [each.objgen for _, each in granted.items() if isinstance(each, Dictionary)]
    return any(_is_signature(each) and each.objgen not in rights for each in pdf.objects)


def _is_signature(value: Object) -> bool:
    return isinstance(value, Dictionary) and (
        "/ByteRange" in value or (value.get("/FT") == Name.Sig and "/V" in value)
    )


def _is_dynamic(pdf: Pdf) -> bool:
    """Tell whether only the XFA form says what is on the pages; else the fields say it too."""
    form = form_of(pdf)
    fields = form.get("/Fields")
    has_fields = isinstance(fields, Array) and len(fields) > 0
    needs_rendering = cast("object", pdf.Root.get("/NeedsRendering")) is True
    return "/XFA" in form and (needs_rendering or not has_fields)
