"""To what a template says that it conforms, and what of that its certificates keep."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    # Workers make metadata, and have no library that reads them.
    from fileservice.pdf.xmp import Told

# Part 1 wants a list of the codes of each font, and part 4 no information dictionary.
KEPT_PARTS = {"2": 2, "3": 3}
LEVELS = ("A", "B", "U")


class Claims(NamedTuple):
    """
    To what a document says that it conforms.

    Attributes:
        part: of PDF/A, 2 or 3; 0 for none.
        level: A, U or B.
        is_accessible: whether to PDF/UA-1.
    """

    part: int = 0
    level: str = ""
    is_accessible: bool = False

    @property
    def untagged(self) -> "Claims":
        """What still holds when something is drawn that no tag tells of."""
        return Claims(self.part, "U" if self.level == "A" else self.level)

    @property
    def unmapped(self) -> "Claims":
        """What still holds when a glyph has no text of its own (ISO 19005-2, 6.2.11.7.2)."""
        return Claims(self.part, "B" if self.part else "")

    @property
    def with_files(self) -> "Claims":
        """What holds with any file attached: that is all in which part 3 differs from part 2."""
        return self._replace(part=3) if self.part else self


def kept_claims(told: "Told", *, has_intent: bool, is_tagged: bool) -> tuple[Claims, list[str]]:
    """
    Return what still holds for certificates, and what does not, in sentences.

    `has_intent` is whether the template says what its colours mean, `is_tagged` whether nothing is
    drawn but what it has tagged, or marked as no content.
    """
    lost = []
    part = KEPT_PARTS.get(told.part, 0) if told.level in LEVELS and has_intent else 0
    if told.part and not part:
        lost.append(
            f"It is PDF/A-{told.part}{told.level.lower()}, its certificates are not: that is kept"
            " for levels a, b and u of parts 2 and 3, with an output intent."
        )
    if told.accessible not in ("", "1"):
        lost.append(f"It is PDF/UA-{told.accessible}, its certificates are not: 1 is kept.")
    claims = Claims(part, told.level if part else "", told.accessible == "1")
    if not is_tagged and claims != claims.untagged:
        claims = claims.untagged
        lost.append(
            "Its form fields or text boxes become part of a page without tags, so that its"
            " certificates are neither PDF/UA nor PDF/A of level a."
        )
    return claims, lost
