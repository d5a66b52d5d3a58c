"""Files in parcels: each has a path of its own there, that of no other file and of no folder."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from django.db.models import Q, QuerySet

from fileservice import ledger
from fileservice.actors import Actor
from fileservice.errors import NotFound, TooManyEntries
from fileservice.ledger import StoredFile
from fileservice.models import File, Parcel, ResumableUpload
from fileservice.paths import ancestors, numbered

MAX_ENTRIES = 10_000


def insert(files: Sequence[tuple[StoredFile, Actor]]) -> None:
    """
    Insert files, those of a parcel where there is room for them; within a transaction.

    Raises:
        NotFound: there is no such parcel any more.
        TooManyEntries: they would be too many.
    """
    for parcel_id, several in groupby(files, key=parcel_of):
        here = list(several)
        if parcel_id is None:
            ledger.insert(here)
            continue
        check_room(parcel_id, len(here))
        for file, by in here:  # each takes the path of the one before into account
            ledger.insert([(seat(file, parcel_id), by)])


def parcel_of(brought: tuple[StoredFile, Actor]) -> str | None:
    """Return the id of the parcel that a file becomes a part of."""
    return brought[0].parcel_id


def seat(file: StoredFile, parcel_id: str) -> StoredFile:
    """
    Return a file as it is in its parcel, which it is not longer there than.

    Raises:
        NotFound: there is no such parcel any more.
    """
    known = Parcel.objects.filter(id=parcel_id).values_list("restricted", "expires_at").first()
    now = datetime.now(UTC)
    if known is None or (known[1] is not None and known[1] <= now):
        raise absent()
    path = free_path(parcel_id, file.path or file.name)
    times = [moment for moment in (file.expires_at, known[1]) if moment is not None]
    return replace(
        file,
        parcel_id=parcel_id,
        path=path,
        name=path.rpartition("/")[2],
        restricted=file.restricted or known[0],
        expires_at=min(times, default=None),
    )


def absent() -> NotFound:
    """Return the answer for a parcel that never was, or is no more."""
    return NotFound("There is no such parcel.")


def check_room(parcel_id: str, more: int) -> None:
    """
    Refuse more than a parcel may have; what is on its way counts.

    Raises:
        TooManyEntries: it would have.
    """
    there = File.objects.filter(parcel_id=parcel_id).count()
    coming = ResumableUpload.objects.filter(parcel_id=parcel_id, state="open").count()
    if there + coming + more > MAX_ENTRIES:
        raise TooManyEntries(f"A parcel may have {MAX_ENTRIES:,} files.")


def free_path(parcel_id: str, wanted: str) -> str:
    """Return `wanted`, or with a number what comes next to it, where that is no file's yet."""
    *folders, name = wanted.split("/")
    at = ""
    for folder in folders:
        at = free(parcel_id, at, folder, is_folder=True) + "/"
    return free(parcel_id, at, name, is_folder=False)


def free(parcel_id: str, folder: str, name: str, *, is_folder: bool) -> str:
    """Return the path of `name` in a folder, which ends in a slash; with a number if need be."""
    if not is_taken(parcel_id, folder + name, is_folder=is_folder):
        return folder + name
    stem = folder + numbered(name, 2).rpartition(" (2)")[0]
    others = rows(parcel_id).filter(path__gte=f"{stem} (", path__lt=f"{stem} )")
    paths = set(others.values_list("path", flat=True))
    if not is_folder:
        paths.update([parent for path in paths for parent in ancestors(path)])
    number = 2
    while folder + numbered(name, number) in paths or is_taken(
        parcel_id, folder + numbered(name, number), is_folder=is_folder
    ):
        number += 1
    return folder + numbered(name, number)


def is_taken(parcel_id: str, path: str, *, is_folder: bool) -> bool:
    """Tell whether a path is a file's, or for a file's a folder's."""
    # "0" comes after "/".
    inside = Q(path__gt=f"{path}/", path__lt=f"{path}0")
    taken = rows(parcel_id)
    return taken.filter(path=path).exists() or (not is_folder and taken.filter(inside).exists())


def rows(parcel_id: str) -> QuerySet[File]:
    """Return the files of a parcel."""
    return File.objects.filter(parcel_id=parcel_id).order_by()
