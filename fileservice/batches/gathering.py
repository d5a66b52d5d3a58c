"""The certificates of a batch, brought together a few at a time."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from zoneinfo import ZoneInfo

from fileservice.backlog import Ordered
from fileservice.batches.archives import Archive, Item, name_of, size_of
from fileservice.issuing import Damaged, IssuedFile, Issuing
from fileservice.pdf.merging import MergedFile
from fileservice.registry import Glance, Registry

GLANCES = 500
# What is held at once of certificates, but for one that is larger.
PORTION_BYTES = 4 << 20
PORTION_LINES = 64


async def glances(registry: Registry, batch_id: str) -> AsyncGenerator[list[Glance]]:
    """Yield what is short of the certificates of a batch, in the order of its list."""
    after = 0
    while rows := await registry.glance(batch_id, after, GLANCES):
        yield rows
        after = rows[-1].line


async def held(registry: Registry, batch_id: str) -> list[Glance]:
    """Return what is short of the certificates of a batch that are not revoked."""
    return [
        row async for rows in glances(registry, batch_id) for row in rows if row.revoked_at is None
    ]


def item_of(row: Glance) -> Item:
    """Return the file that a certificate is in an archive."""
    return Item(name_of(row.line, row.values).encode(), row.size)


def archive_size(rows: Iterable[Glance]) -> int:
    """Return the bytes of the ZIP file of certificates."""
    return size_of(map(item_of, rows))


async def archive(
    issuing: Issuing, ordered: Ordered, rows: Sequence[Glance]
) -> AsyncGenerator[bytes]:
    """
    Yield a ZIP file of certificates.

    Raises:
        Damaged, OSError: one cannot be had any more.
    """
    archive = Archive(ordered.issued_at.astimezone(ZoneInfo(ordered.zone)))
    async for portion, files in filed(issuing, ordered.id, rows):
        yield await asyncio.to_thread(_archived, archive, portion, files)
    yield archive.end()


def _archived(archive: Archive, rows: Sequence[Glance], files: Sequence[IssuedFile]) -> bytes:
    pairs = zip(rows, files, strict=True)
    return b"".join([archive.add(item_of(row).name, file.content) for row, file in pairs])


async def merged(
    issuing: Issuing, ordered: Ordered, rows: Sequence[Glance]
) -> AsyncGenerator[bytes]:
    """
    Yield one PDF of all pages of at least one certificate.

    Raises:
        Damaged, OSError: one cannot be had any more.
    """
    # The title of a certificate may be somebody's name.
    title, identity = ordered.template.partition("?")[0], digest_of(ordered, rows)[:32]
    merged = MergedFile(title=title, made_at=ordered.issued_at, identity=identity)
    async for _, files in filed(issuing, ordered.id, rows):
        yield await asyncio.to_thread(_merged, merged, files)
    yield await asyncio.to_thread(merged.end)


def _merged(merged: MergedFile, files: Sequence[IssuedFile]) -> bytes:
    added = [merged.add(file.content, block=file.block, stop=file.shared) for file in files]
    return b"".join(added)


def digest_of(ordered: Ordered, rows: Sequence[Glance]) -> str:
    """Return what tells these certificates of the batch from fewer, in hexadecimal."""
    digest = hashlib.sha256(ordered.id.encode())
    for row in rows:
        digest.update(f"{row.line} {row.sha256}\n".encode())
    return digest.hexdigest()


async def filed(
    issuing: Issuing, batch_id: str, rows: Sequence[Glance]
) -> AsyncIterator[tuple[list[Glance], list[IssuedFile]]]:
    """
    Yield some certificates with their files, until all were there.

    Raises:
        Damaged, OSError: one cannot be had any more.
    """
    for portion in portions(rows):
        lines = [row.line for row in portion]
        issued = await issuing.registry.of_lines(batch_id, lines)
        if [row.line for row in issued] != lines:
            raise Damaged(f"certificates of batch {batch_id} are gone")
        yield portion, await issuing.files(issued)


def portions(rows: Sequence[Glance]) -> list[list[Glance]]:
    """Return the rows, so many together as may be held at once."""
    found: list[list[Glance]] = [[]]
    size = 0
    for row in rows:
        if len(found[-1]) == PORTION_LINES or (found[-1] and size + row.size > PORTION_BYTES):
            found.append([])
            size = 0
        found[-1].append(row)
        size += row.size
    return found
