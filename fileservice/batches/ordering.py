"""How a batch is ordered: its list is read, and what is plainly wrong with it is said at once."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from fileservice.actors import Actor
from fileservice.backlog import Backlog, Ordered
from fileservice.certificates import Templates, zone_of
from fileservice.errors import BadList, ServiceUnavailable
from fileservice.issuing import expiry
from fileservice.pdf.filling import CompiledTemplate
from fileservice.rosters import (
    MAX_COMPLAINTS,
    MAX_ROSTER_BYTES,
    Complaint,
    Entry,
    Kind,
    pack,
    read_roster,
)
from fileservice.uploads import unguessable

MAX_HELD_BYTES = 4 * MAX_ROSTER_BYTES


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """
    What a batch is to be.

    Attributes:
        content: the list, as it was sent.
        template: a name or a URL.
        zone: the name of a time zone.
        expires_at: ISO 8601, a day or a moment; empty for never.
        origin: under which the client reaches the service.
    """

    content: bytes
    kind: Kind
    template: str
    zone: str
    expires_at: str
    origin: str


class Desk:
    """Where lists come in; it bounds what they take of a worker's memory."""

    def __init__(self, templates: Templates, backlog: Backlog) -> None:
        self._templates = templates
        self._backlog = backlog
        self._left = MAX_HELD_BYTES
        # To read a list takes several times the memory that it has.
        self._reading = asyncio.Lock()

    @contextmanager
    def place(self, declared: int | None) -> Iterator[None]:
        """
        Hold the room for a list while the block runs; `declared` are its bytes, if it says.

        Raises:
            ServiceUnavailable: others have it.
        """
        size = MAX_ROSTER_BYTES if declared is None else min(declared, MAX_ROSTER_BYTES)
        if size > self._left:
            raise ServiceUnavailable(
                f"Lists of {MAX_HELD_BYTES:,} bytes are coming in already.",
                headers={"Retry-After": "5"},
            )
        self._left -= size
        try:
            yield
        finally:
            self._left += size

    async def order(
        self, wanted: BatchOrder, *, by: Actor, now: datetime, held: timedelta = timedelta()
    ) -> Ordered:
        """
        Return a new batch, to be issued with the time `now`, once it is durable.

        For the time `held` it is left to the caller, who has its lease of fence 0.

        Raises:
            FileserviceError: as `Templates.get`.
            BadRequest: the list cannot be read.
            BadList: lines of it cannot be used; nothing is kept.
            BadValue: the time zone or the expiry cannot be used.
            ServiceUnavailable: too many wait already.
        """
        now = now.replace(microsecond=0)
        expires_at = expiry(wanted.expires_at, zone_of(wanted.zone), now=now)
        template = await self._templates.get(wanted.template)
        async with self._reading:
            # A list of 10,000 lines takes a tenth of a second: too long for the loop.
            total, packed = await asyncio.to_thread(taken, wanted.content, wanted.kind, template)
        ordered = Ordered(
            id=unguessable(),
            key=unguessable(),
            state="waiting",
            template=wanted.template,
            zone=wanted.zone,
            issued_at=now,
            expires_at=expires_at,
            origin=wanted.origin,
            total=total,
            sender=by.sender,
            user_id=by.user_id,
        )
        await self._backlog.add(ordered, packed, by=by, until=now + held)
        return ordered


def taken(content: bytes, kind: Kind, template: CompiledTemplate) -> tuple[int, bytes]:
    """
    Return how many entries a list has, and these packed.

    Raises:
        BadRequest: as `read_roster`.
        BadList: lines cannot be read, or do not give what the template asks for.
    """
    roster = read_roster(content, kind)
    complaints = roster.complaints or list(
        islice(complaints_about(roster.entries, kind, template), MAX_COMPLAINTS)
    )
    if complaints:
        raise bad_list(complaints)
    if not roster.entries:
        raise BadList("The list has no line for a certificate.")
    return len(roster.entries), pack(roster.entries)


def complaints_about(
    entries: Sequence[Entry], kind: Kind, template: CompiledTemplate
) -> Iterator[Complaint]:
    """Yield what the lines give too much, or too little."""
    if kind == "csv" and entries:
        unknown = entries[0].values.keys() - askable(template)
        if unknown:
            yield Complaint(1, not_asked_for(unknown, template))
            return
    for entry in entries:
        given = {name for name, text in entry.values.items() if text.strip()}
        if unknown := given - askable(template):
            yield Complaint(entry.line, not_asked_for(unknown, template))
        elif missing := template.required - given - {"id"}:
            yield Complaint(entry.line, f"The template asks for {listed(missing)}.")


def askable(template: CompiledTemplate) -> frozenset[str]:
    """Return what a list may give; the rest is made here."""
    return template.fields - {"id", "timestamp"}


def not_asked_for(unknown: Iterable[str], template: CompiledTemplate) -> str:
    """Say that values are given which cannot be."""
    return f"{listed(unknown)} cannot be given; the template asks for {listed(askable(template))}."


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(map(repr, sorted(names))) or "nothing"


def bad_list(complaints: Sequence[Complaint]) -> BadList:
    """Return the refusal of a list, with a line for each complaint."""
    said = ["Nothing was issued.", *map(detailed, complaints)]
    return BadList("\n".join(said), extensions={"lines": as_lines(complaints)})


def detailed(complaint: Complaint) -> str:
    """Return a complaint in a sentence."""
    return f"Line {complaint.line}: {complaint.detail}"


def as_lines(complaints: Iterable[Complaint]) -> list[dict[str, object]]:
    """Return complaints for a program."""
    return [{"line": each.line, "detail": each.detail} for each in complaints]
