"""Commits that are shared: rows that come while one is on its way go into the next together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence


class Commits[Row]:
    """
    The rows of one kind on their way into the database.

    Attributes:
        insert: commits rows, all or none.
    """

    def __init__(self, insert: Callable[[list[Row]], Awaitable[None]]) -> None:
        self.insert = insert
        self._waiting: list[tuple[Sequence[Row], asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def add(self, rows: Sequence[Row]) -> None:
        """
        Commit `rows`, all or none; durable when this returns.

        Where the wait is cancelled, the commit goes on. What `insert` raises is raised here.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting())
        await asyncio.shield(done)

    async def close(self) -> None:
        """Wait for the commits under way."""
        if self._committing is not None:
            await self._committing

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._commit(batch)
        finally:
            self._committing = None

    async def _commit(self, batch: list[tuple[Sequence[Row], asyncio.Future[None]]]) -> None:
        try:
            await self.insert([row for rows, _ in batch for row in rows])
        except BaseException as error:
            for _, done in batch:
                done.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for _, done in batch:
                done.set_result(None)
