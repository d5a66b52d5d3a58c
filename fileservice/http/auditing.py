"""What was done here, for administrators: a page, JSON, and a file for a spreadsheet."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.auditlog import AuditLog, Recorded, Search
from fileservice.disposition import format_attachment
from fileservice.errors import BadRequest
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import admit
from fileservice.http.certificates import parameters_of
from fileservice.http.content import ContentResponse
from fileservice.http.issuing import told
from fileservice.http.lifespan import resources_of
from fileservice.spreadsheets import csv_lines, harmless

PAGE_ROWS = 100
LONGEST_WORD = 255
EXPORT = "/audit/audit.csv"


@methods("GET", "HEAD")
async def audit(request: ASGIRequest) -> HttpResponseBase:
    """GET /audit/ lists what was done, the newest first; the query searches."""
    await admit(request, "admin")
    asked = parameters_of(request.META["QUERY_STRING"])
    before = cursor_of(asked.pop("before", ""))
    search = search_of(asked)
    log = AuditLog(resources_of(request).ledger)
    rows = await log.page(search, before=before, limit=PAGE_ROWS + 1)
    shown, more = rows[:PAGE_ROWS], len(rows) > PAGE_ROWS
    older = f"/audit/?{urlencode({**asked, 'before': shown[-1].id})}" if more else None
    shape = shape_of(request)
    if shape == "json":
        return told(document({"entries": [*map(described, shown)], "older": older}))
    if shape == "text":
        return told(text("\n".join(map(line_of, shown)) or "Nothing was done yet."))
    export = f"{EXPORT}?{urlencode(asked)}" if asked else EXPORT
    context = {"entries": shown, "older": older, "export": export, "asked": asked}
    return told(page("audit.html", context))


@methods("GET", "HEAD")
async def as_csv(request: ASGIRequest) -> HttpResponseBase:
    """GET /audit/audit.csv is all of it for a spreadsheet, which computes nothing."""
    await admit(request, "admin")
    search = search_of(parameters_of(request.META["QUERY_STRING"]))
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": format_attachment("audit.csv", inline=False),
        "Cache-Control": "no-store",
    }
    chunks = csv_chunks(AuditLog(resources_of(request).ledger), search)
    return ContentResponse(chunks, status=HTTPStatus.OK, headers=headers)


async def csv_chunks(log: AuditLog, search: Search) -> AsyncGenerator[bytes]:
    """Yield the list as CSV."""
    yield csv_lines([Recorded._fields])
    async for rows in log.all(search):
        yield csv_lines([cells_of(row) for row in rows])


def cells_of(row: Recorded) -> list[object]:
    """Return the cells of a row; others chose its names."""
    return [harmless(cell) if isinstance(cell, str) else cell for cell in described(row).values()]


def described(row: Recorded) -> dict[str, object]:
    """Return the JSON of an act, in the order of its columns."""
    return {**row._asdict(), "at": row.at.astimezone(UTC).isoformat(timespec="milliseconds")}


def line_of(row: Recorded) -> str:
    """Return an act for a terminal."""
    who = row.user_name or "-"
    at = row.at.astimezone(UTC).isoformat(timespec="seconds")
    return f"{at} {row.act} {row.object} {who} {row.address or '-'} {row.name}".rstrip()


def search_of(asked: Mapping[str, str]) -> Search:
    """
    Return the search that a query asks for.

    Raises:
        BadRequest: it has something else, or a moment that is none.
    """
    unknown = asked.keys() - set(Search.__slots__)
    if unknown:
        raise BadRequest(f"Acts are not searched by {min(unknown)!r}.")
    words = {name: asked.get(name, "")[:LONGEST_WORD].strip() for name in asked}
    since, until = words.pop("since", ""), words.pop("until", "")
    return Search(**words, since=moment_of(since), until=moment_of(until, end=True))


def moment_of(said: str, *, end: bool = False) -> datetime | None:
    """
    Return a moment in UTC; of a day its beginning, or its end.

    Raises:
        BadRequest: it is none.
    """
    if not said:
        return None
    try:
        if len(said) == len("2026-01-31"):
            day = date.fromisoformat(said) + timedelta(days=end)
            return datetime.combine(day, time.min, UTC)
        moment = datetime.fromisoformat(said)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{said[:40]!r} is no day and no time, as 2026-01-31.") from error


def cursor_of(said: str) -> int | None:
    """
    Return the id that a page begins behind.

    Raises:
        BadRequest: it is none.
    """
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise BadRequest("`before` is the number of an act.")
    return int(said)
