"""What a form field takes for its value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fileservice.pdf.errors import NotAChoice, TooLong

LISTED = 20  # choices that an error names
SEVERAL = ";"  # between the choices of a list that takes several
JOINED = ", "  # the same where they are drawn
# What may be given for the states of a check box, besides their names.
ON, OFF = frozenset(("yes", "true", "on", "x", "1")), frozenset(("no", "false", "off", "0"))


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What may be given for a name.

    Attributes:
        longest: how many characters; 0 for any number.
        choices: what may be given -> what it means and is drawn as; none when all may.
        is_open: whether other texts than the choices may be given too.
        takes_several: whether it may be more than one of them, with SEVERAL between.
        is_switch: whether it is a check box; "" is its meaning when it is off.
    """

    longest: int = 0
    choices: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False
    takes_several: bool = False
    is_switch: bool = False

    def joined(self, other: "Rule") -> "Rule":
        """Return the rule for two fields of one name, as the buttons of a group are."""
        return Rule(
            longest=min(filter(None, (self.longest, other.longest)), default=0),
            choices={**self.choices, **other.choices},
            is_open=self.is_open and other.is_open,
            takes_several=self.takes_several and other.takes_several,
            is_switch=self.is_switch and other.is_switch,
        )

    def meaning(self, name: str, text: str) -> str:
        """
        Return what `text` means; `name` is for errors.

        Raises:
            NotAChoice, TooLong: the field takes no such value.
        """
        meant = self._chosen(name, text) if text and self.choices else text
        if self.longest and len(meant) > self.longest:
            raise TooLong(
                f"The value of {name!r} is {len(meant)} characters long,"
                f" its field takes {self.longest}.",
                extensions={"field": name, "limit": self.longest},
            )
        return meant

    def _chosen(self, name: str, text: str) -> str:
        whole = self.choice(text)
        if whole is not None:
            return whole
        if self.is_open:
            return text
        several = text.split(SEVERAL) if self.takes_several else ()
        meant = [found for each in several if (found := self.choice(each.strip())) is not None]
        if not meant or len(meant) < len(several):
            raise NotAChoice(
                f"The value of {name!r} is {text!r}; {self._listed()}.",
                extensions={"field": name, "choices": [*self.choices][:LISTED]},
            )
        return JOINED.join(meant)

    def choice(self, text: str) -> str | None:
        """Return what `text` means, else what it means in other letters: "yes" for "Yes"."""
        if text in self.choices:
            return self.choices[text]
        folded = text.casefold()
        found = next((m for given, m in self.choices.items() if given.casefold() == folded), None)
        return self._state(folded) if found is None and self.is_switch else found

    def _state(self, word: str) -> str | None:
        """Return the state of a check box that `word` means; "on" only when there is but one."""
        states = {state for state in self.choices.values() if state}
        if word in OFF:
            return ""
        return states.pop() if word in ON and len(states) == 1 else None

    def _listed(self) -> str:
        names = ", ".join(map(repr, [*self.choices][:LISTED]))
        more = len(self.choices) - LISTED
        others = f" and {more} others" if more > 0 else ""
        several = f", several with {SEVERAL!r} between" if self.takes_several else ""
        words = ", yes or no" if self.is_switch else ""
        return f"its field takes {names}{others}{words}{several}"
