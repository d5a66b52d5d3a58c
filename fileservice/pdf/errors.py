"""
What a template or a value can have wrong; the detail of each says what to do.

TemplateError 422: the file cannot be a template.
BadValue 422 (fileservice.errors): a value cannot be written into this template.
"""

from fileservice.errors import BadValue, Unprocessable


class TemplateError(Unprocessable):
    """The template cannot be filled."""

    code = "bad_template"
    title = "The template cannot be filled"


class NotPdf(TemplateError):
    """The bytes are something else, often an HTML page."""

    code = "not_pdf"


class Encrypted(TemplateError):
    """The template is protected by a password, be it an empty one."""

    code = "encrypted"


class Signed(TemplateError):
    """The template carries a digital signature, which filling would break."""

    code = "signed"


class Xfa(TemplateError):
    """The template is a dynamic XFA form: its pages are not in the PDF."""

    code = "xfa"


class NoPlaceholders(TemplateError):
    """Nothing in the template's text asks for a value."""

    code = "no_placeholders"


class NoUnicode(TemplateError):
    """The template's fonts do not say which characters their codes mean."""

    code = "no_unicode"


class UnknownCmap(TemplateError):
    """A placeholder is written in a font whose codes are of unknown length."""

    code = "unknown_cmap"


class SplitLigature(TemplateError):
    """A placeholder begins or ends in the middle of a glyph."""

    code = "split_ligature"


class BadMode(TemplateError):
    """A placeholder is written in a way that cannot be filled: as a clipping path."""

    code = "bad_text_mode"


class OverLimits(TemplateError):
    """The template is larger, deeper or slower to read than is accepted."""

    code = "limits"


class Damaged(TemplateError):
    """The template is broken beyond repair."""

    code = "damaged"


class BadSource(TemplateError):
    """A template in HTML or Typst cannot be made a PDF."""

    code = "bad_source"


class BadSideFile(TemplateError):
    """What stands beside the template in a file of wishes cannot be followed."""

    code = "bad_side_file"


class NeedsExtra(TemplateError):
    """A template in HTML or Typst needs a package that is not installed."""

    code = "needs_extra"


class NotDrawn(TemplateError):
    """No picture can be made of a page; a reader may still show it."""

    code = "not_drawn"
    title = "No picture can be made"


TEMPLATE_ERRORS = {
    kind.code: kind
    for kind in (
        TemplateError,
        NotPdf,
        Encrypted,
        Signed,
        Xfa,
        NoPlaceholders,
        NoUnicode,
        UnknownCmap,
        SplitLigature,
        BadMode,
        OverLimits,
        Damaged,
        BadSource,
        BadSideFile,
        NeedsExtra,
        NotDrawn,
    )
}


class MissingValue(BadValue):
    """The template asks for a value that was not given."""

    code = "missing_value"


class UnknownValue(BadValue):
    """A value was given that the template does not ask for."""

    code = "unknown_value"


class NotAChoice(BadValue):
    """The value is none of those that a form field takes."""

    code = "not_a_choice"


class MissingGlyph(BadValue):
    """No font at hand can draw a character of the value."""

    code = "missing_glyph"


class TooLong(BadValue):
    """The value does not fit where the placeholder stands, even when shrunk, or into its field."""

    code = "too_long"
