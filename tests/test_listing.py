"""Lists by pages: what they cost, and what they show of whom."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fileservice.actors import ANYBODY, Actor
from fileservice.filing import Filing
from fileservice.ledger import COLUMNS, INSERT, Ledger, StoredFile, stored, values_of
from fileservice.listing import MAX_LOOKED_THROUGH, Place
from fileservice.options import DATABASE
from fileservice.uploads import unguessable

ADA, BOB = Actor(user_id=1), Actor(user_id=2)
BROWSER = Actor(sender="b" * 64)
ADAS = 6000


def row_of(name: str, at: datetime, of: Actor, expires_at: datetime | None = None) -> list[object]:
    file = StoredFile(
        id=unguessable(),
        key=unguessable(),
        name=name,
        name_changed=False,
        size=1,
        sha256="0" * 64,
        media_type="text/plain",
        created_at=at,
        sender=of.sender,
        user_id=of.user_id,
    )
    row = list(values_of(file))
    row[COLUMNS.index("created_at")] = stored(at)
    row[COLUMNS.index("expires_at")] = stored(expires_at) if expires_at else None
    return row


@pytest.fixture(scope="module")
def ledger(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Give 6,000 files of ada's, three a second, and a few of others'."""
    database = tmp_path_factory.mktemp("listing") / DATABASE
    shutil.copy(migrated / DATABASE, database)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        row_of(f"Report {number}.pdf", began + timedelta(seconds=number // 3), ADA)
        for number in range(ADAS)
    ]
    rows += [row_of(f"{of.user_id}", began, of) for of in (BOB, BOB, BROWSER, ANYBODY)]
    rows.append(row_of("over", began, BOB, began))
    rows.append(row_of("still here", began, BOB, datetime(2099, 1, 1, tzinfo=UTC)))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(INSERT.replace("%s", "?"), rows)
        connection.execute("ANALYZE")
    with ThreadPoolExecutor(1) as executor:
        ledger = Ledger(database, executor)
        yield ledger
        ledger._reader.close()


@pytest.fixture
def filing(ledger: Ledger) -> Filing:
    return Filing(ledger)


def walked(filing: Filing, of: Actor | None, limit: int, containing: str = "") -> list[StoredFile]:
    found: list[StoredFile] = []
    page = filing.page(of, limit=limit, after=None, containing=containing)
    found += page.rows
    while page.end is not None:
        page = filing.page(of, limit=limit, after=page.end, containing=containing)
        found += page.rows
    return found


@pytest.mark.parametrize("limit", [1, 7, 200])
@pytest.mark.parametrize(("of", "count"), [(BOB, 3), (BROWSER, 1), (ANYBODY, 0)])
def test_everybody_has_a_list_of_ones_own(
    filing: Filing, of: Actor, count: int, limit: int
) -> None:
    files = walked(filing, of, limit)

    assert len(files) == count
    assert all((file.user_id, file.sender) == (of.user_id, of.sender) for file in files)


def test_the_newest_come_first_and_each_once(filing: Filing) -> None:
    files = walked(filing, None, 200)

    assert len({file.id for file in files}) == len(files) == ADAS + 5
    places = [(file.created_at, file.id) for file in files]
    assert places == sorted(places, reverse=True)


def test_what_is_past_its_hour_is_not_listed(filing: Filing) -> None:
    names = {file.name for file in walked(filing, BOB, 2)}

    assert "still here" in names
    assert "over" not in names


def test_a_full_last_page_has_no_next(filing: Filing) -> None:
    assert filing.page(BOB, limit=3, after=None, containing="").end is None
    assert filing.page(BOB, limit=2, after=None, containing="").end is not None


def steps(ledger: Ledger, filing: Filing, of: Actor | None, after: Place | None) -> int:
    """Return how many instructions SQLite takes for a page."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    ledger._reader.set_progress_handler(count, 1)
    try:
        page = filing.page(of, limit=50, after=after, containing="")
    finally:
        ledger._reader.set_progress_handler(None, 1)
    assert len(page.rows) == 50
    return taken


@pytest.mark.parametrize("of", [ADA, None])
def test_a_page_far_down_takes_no_more_than_the_second(
    ledger: Ledger, filing: Filing, of: Actor | None
) -> None:
    files = walked(filing, of, 200)
    near, far = (Place(files[row].created_at, files[row].id) for row in (50, ADAS - 100))

    assert steps(ledger, filing, of, far) <= steps(ledger, filing, of, near) * 1.01


def test_a_part_of_a_name_is_looked_for_among_so_many_a_page(filing: Filing) -> None:
    first = filing.page(ADA, limit=50, after=None, containing="REPORT 0.")

    assert first.rows == []
    assert first.end is not None
    assert [file.name for file in walked(filing, ADA, 50, "REPORT 0.")] == ["Report 0.pdf"]
    assert len(walked(filing, ADA, 50, ".pdf")) == ADAS
    assert ADAS > 2 * MAX_LOOKED_THROUGH


def test_a_name_is_no_pattern(filing: Filing) -> None:
    assert walked(filing, BOB, 50, "%") == []
    assert walked(filing, BOB, 50, "_") == []
