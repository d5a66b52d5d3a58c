"""What is known of a template while its pages are read."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field

from pikepdf import Dictionary, Name, Object, Pdf

from fileservice.pdf.fonts import Face, FontSet
from fileservice.pdf.geometry import Matrix
from fileservice.pdf.lines import Line
from fileservice.pdf.placements import Placement, Sheet
from fileservice.pdf.rules import Rule
from fileservice.pdf.sidefiles import SideFile
from fileservice.pdf.slots import Code, Mark, Placed, Slot, Value
from fileservice.pdf.templatefonts import TemplateFont, read_font
from fileservice.pdf.text import FontOf


@dataclass(slots=True)
class Draft:
    """
    What is known of a template while its pages are read.

    Attributes:
        wishes: what the side file says.
        is_repaired: whether the file was damaged, as far as it was read before.
        marker: the key that marks an object written anew for each certificate; no template has it.
        faces: those that values are drawn with, in the order of their numbers.
        marks: how many objects are marked.
        page: the number of the page that is read; the first is 1.
        slots: all lines with placeholders, all QR codes and all check boxes.
        rules: name -> what the form fields of that name take.
        squares: where on the displayed page its QR codes go.
        programs: mark -> the program that each certificate writes: bytes, and numbers of slots.
        fonts: marks of the dictionaries of fonts that each certificate adds to.
        links: where on the pages links belong, with the pages' numbers.
        link_marks: marks of those links.
        lines: all lines of all pages.
        comments: what programs say in comments, where it is never drawn.
        forms: what became of the forms that were seen: what to draw in their place.
        page_forms: those of them that differ from page to page.
        placed: where placeholders stand in those forms, in their own space.
        placements: where they stand on the pages.
        sheets: the pages so far.
        captions: mark -> the texts of a bookmark, tag or link that ask for values, by their keys.
    """

    pdf: Pdf
    marker: str
    font_set: FontSet
    wishes: SideFile
    is_repaired: bool
    faces: list[Face] = field(default_factory=list)
    marks: int = 0
    page: int = 0
    slots: list[Placed] = field(default_factory=list)
    rules: dict[str, Rule] = field(default_factory=dict)
    squares: list[Matrix] = field(default_factory=list)
    programs: dict[int, tuple[bytes | int, ...]] = field(default_factory=dict)
    fonts: list[int] = field(default_factory=list)
    links: list[tuple[int, Matrix]] = field(default_factory=list)
    link_marks: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    comments: list[bytes] = field(default_factory=list)
    forms: dict[tuple[int, int], Object] = field(default_factory=dict)
    page_forms: set[tuple[int, int]] = field(default_factory=set)
    placed: dict[tuple[int, int], Sequence[Placement]] = field(default_factory=dict)
    placements: list[Placement] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    captions: dict[int, dict[str, str]] = field(default_factory=dict)
    read_fonts: dict[tuple[int, int], TemplateFont] = field(default_factory=dict)

    def mark(self, dictionary: Dictionary) -> Object:
        """Return `dictionary` as an object that each certificate writes anew, marked `marks`."""
        self.marks += 1
        dictionary[self.marker] = self.marks
        return self.pdf.make_indirect(dictionary)

    def names(self) -> Iterator[str]:
        """Yield what the slots ask for."""
        for slot in self.slots:
            if isinstance(slot, Slot):
                yield from (p.name for p in slot.parts if isinstance(p, Value) and p.name)
            elif isinstance(slot, Mark):
                yield slot.name

    @property
    def has_code(self) -> bool:
        """Whether a QR code is drawn."""
        return any(isinstance(slot, Code) for slot in self.slots)

    def face_of(self, font: TemplateFont) -> int:
        """Return the number of the face that stands in for `font`."""
        face = self.font_set.match(font.name, font.flags)
        if face not in self.faces:
            self.faces.append(face)
        return self.faces.index(face)

    def face_named(self, name: str) -> int | None:
        """Return the number of the face of this PostScript name, if it is at hand."""
        face = self.font_set.faces.get(name)
        if face is None:
            return None
        if face not in self.faces:
            self.faces.append(face)
        return self.faces.index(face)

    def font_of(self, resources: Dictionary) -> FontOf:
        """Return how a program finds its fonts; each is read once however many share it."""
        listed = resources.get("/Font")

        known: dict[bytes, TemplateFont | None] = {}

        def find(name: Name) -> TemplateFont | None:
            key = name.unparse()
            if key not in known:
                source = listed.get(name) if isinstance(listed, Dictionary) else None
                known[key] = self._read(source) if isinstance(source, Dictionary) else None
            return known[key]

        return find

    def _read(self, source: Dictionary) -> TemplateFont:
        if not source.is_indirect:
            return read_font(source)
        if source.objgen not in self.read_fonts:
            self.read_fonts[source.objgen] = read_font(source)
        return self.read_fonts[source.objgen]

    def with_fonts(self, resources: Dictionary) -> Dictionary:
        """Return `resources` with fonts that each certificate adds to."""
        listed = resources.get("/Font")
        if isinstance(listed, Dictionary) and self.marker in listed:
            return resources
        own = copy(resources)
        own.Font = self.mark(copy(listed) if isinstance(listed, Dictionary) else Dictionary())
        self.fonts.append(self.marks)
        return own

    def forget_page(self) -> None:
        """Let go of what belongs to one page: forms that say its number, its QR codes."""
        for seen in self.page_forms:
            del self.forms[seen]
        self.page_forms.clear()
        self.squares.clear()
