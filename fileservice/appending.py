"""The bytes of one request on their way into a resumable upload, and what is durable of them."""

import asyncio
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fileservice.actors import ANYBODY, Actor
from fileservice.errors import (
    FileserviceError,
    InconsistentLength,
    LengthExceeded,
    OffsetMismatch,
    TooLarge,
)
from fileservice.following import Following
from fileservice.holding import Holding
from fileservice.quotas import Room
from fileservice.resumables import Resumable, Resumables
from fileservice.storage import Draft
from fileservice.storage.writing import Checksum
from fileservice.uploads import Limits, too_large

# What a killed process costs at most has to be sent again.
CHECKPOINT_BYTES = 64 << 20
CHECKPOINT_SECONDS = 2.0
# Where somebody in this worker reads what comes.
READ_CHECKPOINT_SECONDS = 0.25


class Verification(Checksum, Protocol):
    """What decides whether the bytes of one request are those that were meant."""

    def verify(self) -> None:
        """
        Return where they are.

        Raises:
            FileserviceError: they are not; which one, the protocol says.
        """


@dataclass(frozen=True, slots=True)
class Append:
    """
    What one request brings.

    Attributes:
        chunks: its bytes as they come.
        interrupt: ends `chunks` with `Locked`, since another request wants to write.
        offset: where they belong.
        declared: how many there are, where that is announced.
        length: what the whole will have, where the request says it.
        is_last: nothing comes after them, so that they tell the length.
        goes_on: something may come after them, even if it is nothing: another request tells when
            the upload is whole, and not its length.
        verification: where the request brings one; else what came is kept however it ended.
        by: who sends it.
    """

    chunks: AsyncIterable[bytes]
    interrupt: Callable[[], None]
    offset: int
    declared: int | None = None
    length: int | None = None
    is_last: bool = False
    goes_on: bool = False
    verification: Verification | None = None
    by: Actor = ANYBODY


class Appending:
    """
    One append under way.

    Attributes:
        is_last: it brings the end of the upload, and no more than that.
    """

    def __init__(
        self,
        resumables: Resumables,
        following: Following,
        holding: Holding,
        draft: Draft,
        append: Append,
        lifetime: timedelta,
        room: Room | None = None,
    ) -> None:
        self._resumables = resumables
        self._following = following
        self._holding = holding
        self._draft = draft
        self._append = append
        self.is_last = append.is_last
        self._lifetime = lifetime
        self._room = room
        self._checkpoint: asyncio.Task[None] | None = None
        self._noted = draft.size
        self._noted_at = asyncio.get_running_loop().time()
        draft.checksum = append.verification

    async def take(self, limits: Limits, check_room: Callable[[], None]) -> None:
        """Write what comes, but nothing beyond the upload's length; look for room at times."""
        draft, stop = self._draft, stop_of(self._holding.resumable, limits)
        async for chunk in self._append.chunks:
            left = stop - draft.size
            if len(chunk) > left:
                await draft.write(chunk[:left])
                raise too_long(self._holding.resumable, limits)
            if self._room is not None:
                await self._room.take(len(chunk))
            await draft.write(chunk)
            if self._is_due():
                check_room()
                await self._note_soon()

    def _is_due(self) -> bool:
        if self._draft.size - self._noted >= CHECKPOINT_BYTES:
            return True
        waited = asyncio.get_running_loop().time() - self._noted_at
        is_read = self._following.is_read(self._holding.resumable.id)
        enough = READ_CHECKPOINT_SECONDS if is_read else CHECKPOINT_SECONDS
        return waited >= enough and self._draft.size > self._noted

    async def _note_soon(self) -> None:
        """Begin to make durable what was written and to note it; the next bytes are taken."""
        if self._checkpoint is not None:
            if not self._checkpoint.done():
                return
            self._checkpoint.result()
        self._noted, self._noted_at = self._draft.size, asyncio.get_running_loop().time()
        if self._append.verification is not None:
            return  # what is not verified is not told
        await self._draft.flush()
        self._checkpoint = asyncio.create_task(self._note(self._draft.size))

    async def _note(self, size: int) -> None:
        await self._draft.sync()
        held = self._holding.resumable
        expires = datetime.now(UTC) + self._lifetime
        await self._resumables.note(held, offset=size, length=held.length, expires_at=expires)
        self._holding.resumable = replace(held, offset=size, expires_at=expires)

    async def end(self, *, arrived: bool) -> None:
        """
        Keep what came, or forget it where it could not be verified.

        Bytes that make the upload complete are not durable yet: they will be with the file.

        Raises:
            InconsistentLength: they were said to be the last, and some are missing.
        """
        draft = self._draft
        if self._checkpoint is not None:
            await self._checkpoint
        if not await self._is_verified(arrived=arrived):
            await draft.rewind()
        held = self._holding.resumable
        if arrived and self.is_last and held.length is None:
            self._holding.resumable = held = replace(held, length=draft.size)
        if arrived and draft.size == held.length and held.kind == "whole":
            self._holding.resumable = replace(held, offset=draft.size)
            return
        await draft.flush()
        await self._note(draft.size)
        draft.keep_digest()
        if arrived and self.is_last and draft.size != held.length:
            raise InconsistentLength(f"This upload has {held.length} bytes, not {draft.size}.")

    async def _is_verified(self, *, arrived: bool) -> bool:
        verification = self._append.verification
        if verification is None:
            return True
        if not arrived:
            return False
        await self._draft.flush()
        try:
            verification.verify()
        except FileserviceError:
            await self._draft.rewind()
            raise
        return True


def agreed(held: Resumable, append: Append, limits: Limits) -> Resumable:
    """
    Return an upload with the length that a request tells, before any of its bytes is read.

    Raises:
        OffsetMismatch: its bytes are not those that come next.
        InconsistentLength: another length was told before, or more bytes are there.
        TooLarge: the upload would have, or the request announces, more bytes than may be; than
            were told, `LengthExceeded`.
    """
    if append.offset != held.offset:
        raise other_offset(held, append)
    if append.length is not None:
        held = with_length(held, append.length, limits)
    if append.is_last and append.declared is not None:
        held = with_length(held, append.offset + append.declared, limits)
    if held.kind == "told" and not append.goes_on:
        held = replace(held, kind="whole")
    if append.offset + (append.declared or 0) > stop_of(held, limits):
        raise too_long(held, limits)
    return held


def with_length(held: Resumable, told: int, limits: Limits) -> Resumable:
    """Return an upload that has this length, if it can."""
    if held.length not in (None, told):
        raise InconsistentLength(f"This upload has {held.length} bytes, not {told}.")
    if told < held.offset:
        raise InconsistentLength(f"{held.offset} bytes are here already, more than {told}.")
    if told > limits.file_bytes:
        raise too_large(limits)
    return replace(held, length=told)


def stop_of(held: Resumable, limits: Limits) -> int:
    """Return how many bytes an upload may have."""
    return limits.file_bytes if held.length is None else held.length


def too_long(held: Resumable, limits: Limits) -> TooLarge:
    """Return the refusal of more bytes than an upload has."""
    if held.length is None:
        return too_large(limits)
    return LengthExceeded(
        f"This upload has {held.length} bytes; more came.",
        extensions={"limit_bytes": held.length},
    )


def other_offset(held: Resumable, append: Append) -> OffsetMismatch:
    """Return the refusal of bytes that do not come next."""
    return OffsetMismatch(
        f"The next byte is number {held.offset}, not {append.offset}.",
        headers={"Upload-Offset": str(held.offset)},
        extensions={"expected-offset": held.offset, "provided-offset": append.offset},
    )
