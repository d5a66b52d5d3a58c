"""Rows for a spreadsheet, which computes nothing of what they hold."""

import csv
import io
from collections.abc import Iterable, Sequence

# With one of these a spreadsheet takes a cell for a formula (OWASP, "CSV Injection").
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet computes."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV (RFC 4180) in UTF-8; texts that others chose have to be harmless."""
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
