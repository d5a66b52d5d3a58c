"""What became of a batch, a line for each certificate: CSV or JSON Lines."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from fileservice.certificates import verify_link
from fileservice.registry import Glance
from fileservice.spreadsheets import csv_lines, harmless

FACTS = ("line", "number", "state", "url", "verify_url")


def facts_of(row: Glance, origin: str, now: datetime) -> dict[str, object]:
    """Return what is said of a certificate beside its values, in the order of FACTS."""
    return {
        "line": row.line,
        "number": row.number,
        "state": row.state(now),
        "url": f"{origin}/certificates/{row.id}/certificate.pdf",
        "verify_url": verify_link(origin, row.number),
    }


def json_lines(rows: Iterable[Glance], origin: str, now: datetime) -> bytes:
    """Return an object for each certificate."""
    lines = [{**facts_of(row, origin, now), "values": row.values} for row in rows]
    return "".join([json.dumps(line, ensure_ascii=False) + "\n" for line in lines]).encode()


def csv_head(names: Sequence[str]) -> bytes:
    """Return the line of names, those of values last."""
    return csv_lines([[*FACTS, *map(harmless, names)]])


def csv_rows(rows: Iterable[Glance], names: Sequence[str], origin: str, now: datetime) -> bytes:
    """Return a line for each certificate, with the values of `names`."""
    return csv_lines(
        [
            *facts_of(row, origin, now).values(),
            *(harmless(row.values.get(name, "")) for name in names),
        ]
        for row in rows
    )
