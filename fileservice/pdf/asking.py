"""What a template asks for, and what is made of the values that it gets."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from fileservice.pdf.errors import MissingValue, UnknownValue
from fileservice.pdf.formats import formatted
from fileservice.pdf.phrases import names_in
from fileservice.pdf.placeholders import is_code
from fileservice.pdf.plans import Plan
from fileservice.pdf.slots import PAGE, Mark, Slot, Value
from fileservice.pdf.values import clean_value


class Asking:
    """
    What a template asks for.

    Attributes:
        fields: the names.
        required: those of them that must be given, besides `timestamp`, which is always at hand.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        values = [
            part
            for slot in plan.slots
            if isinstance(slot, Slot)
            for part in slot.parts
            if isinstance(part, Value)
        ]
        marks = [slot for slot in plan.slots if isinstance(slot, Mark)]
        # Nobody is asked for what has no name: a form field that is only read.
        named = values + marks
        said = [plan.title, *(text for each in plan.captions for text in each.texts.values())]
        asked = {part.name for part in named if part.name}.union(*map(names_in, said))
        self.fields = frozenset(name for name in asked if name != PAGE and not is_code(name))
        wanted = {part.name for part in named if part.default is None}
        # Of a group of buttons one that is on is enough.
        self.required = frozenset(wanted - {m.name for m in marks if m.default} - {"timestamp"})

    def texts(self, values: Mapping[str, str], issued_at: datetime) -> dict[str, str]:
        """
        Return what stands for each name: `values` as they are written, and the time.

        Raises:
            BadValue: one is missing, unknown, or none that its field takes.
        """
        if "timestamp" in values:
            raise UnknownValue("The time cannot be given: it is when the certificate is made.")
        unknown = values.keys() - self.fields
        if unknown:
            raise UnknownValue(
                f"The template does not ask for {_listed(unknown)};"
                f" it asks for {_listed(self.fields)}."
            )
        texts = {name: self._meant(name, text) for name, text in values.items()}
        missing = [name for name in self.required if not texts.get(name)]
        if missing:
            raise MissingValue(
                f"The template asks for {_listed(missing)}.",
                extensions={"missing": sorted(missing)},
            )
        texts["timestamp"] = self._formatted("timestamp", issued_at.isoformat(timespec="seconds"))
        return texts

    def _meant(self, name: str, text: str) -> str:
        rule, text = self._plan.rules.get(name), clean_value(name, text)
        return self._formatted(name, rule.meaning(name, text) if rule else text)

    def _formatted(self, name: str, text: str) -> str:
        pattern = self._plan.formats.get(name)
        return formatted(pattern, name, text, self._plan.language) if pattern else text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "nothing"
