"""Resumable uploads against a model of them: bytes in a dict, whatever is done in any order."""

import asyncio
import hashlib
import random
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import DjangoDbBlocker

from fileservice import holding
from fileservice.actors import ANYBODY
from fileservice.errors import (
    BadRequest,
    ChecksumMismatch,
    DigestMismatch,
    Expired,
    InconsistentLength,
    Locked,
    NotFound,
    OffsetMismatch,
    TooLarge,
)
from fileservice.http.body import ClientGone
from fileservice.options import DATABASE
from fileservice.resumables import Kind, Resumable, State
from fileservice.storage.writing import SMALLEST_BLOCK
from fileservice.sweeping import Sweeper
from tests.resumables import ROOMY, Checked, Stall, Worker, bringing, new, service_in

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing here is to outlast the test
SIZES = [0, 5, 4095, 4097, SMALLEST_BLOCK - 1, SMALLEST_BLOCK + 1, 200_000]
WORKERS = 2
MOST = 3  # at a time, so that each is treated often enough
PAST = "2001-01-01 00:00:00"

workers = st.integers(0, WORKERS - 1)


@dataclass(slots=True)
class Hanging:
    """An append whose client fell silent."""

    task: asyncio.Task[Resumable]
    content: bytes
    verified: bool
    worker: int


@dataclass(slots=True)
class Model:
    """
    What should be known of an upload.

    Attributes:
        content: that its client has.
        arrived: of that, durably.
        state: as of the row; "gone" when there is none.
    """

    upload: Resumable
    content: bytes
    length: int | None
    arrived: bytes = b""
    state: State | str = "open"
    expired: bool = False
    has_draft: bool = False
    hanging: Hanging | None = None

    @property
    def kind(self) -> Kind:
        return self.upload.kind

    @property
    def is_refused(self) -> bool:
        """Whether its time is up, or it has failed."""
        kept = self.state == "finished" and self.kind != "part"
        return self.state == "failed" or (self.expired and not kept)

    @property
    def room(self) -> int:
        return (1 << 40 if self.length is None else self.length) - len(self.arrived)

    def next(self, size: int) -> bytes:
        """Return `size` bytes from where it stands, also beyond its end."""
        start = len(self.arrived)
        return self.content[start : start + size].ljust(size, b"+")

    def take(self, content: bytes) -> type[Exception] | None:
        """Take bytes; return the error of what is whole and not what was said."""
        self.arrived += content
        self.expired = False
        self.has_draft = True
        if len(self.arrived) != self.length:
            return None
        if self.kind == "whole" and self.upload.sha256 not in ("", sha256(self.arrived)):
            self.state, self.has_draft = "failed", False
            return DigestMismatch
        self.state, self.has_draft = "finished", self.kind == "part"
        return None


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def cut(content: bytes, pieces: int) -> list[bytes]:
    """Return content in so many chunks."""
    size = max(1, -(-len(content) // pieces))
    return [content[at : at + size] for at in range(0, len(content), size)]


class Uploads(RuleBasedStateMachine):
    """Every way to treat resumable uploads, by two workers of one service."""

    uploads: Bundle[Model] = Bundle("uploads")

    def __init__(self, migrated: Path, blocker: DjangoDbBlocker) -> None:
        super().__init__()
        self.closing = ExitStack()
        memory = MEMORY if MEMORY.is_dir() else None
        root = Path(self.closing.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        self.service = self.closing.enter_context(service_in(root, migrated, blocker))
        self.runner = self.closing.enter_context(asyncio.Runner())
        self.workers: list[Worker] = []
        self.stacks: list[AsyncExitStack] = []
        self.models: list[Model] = []
        self.random = random.Random(0)  # noqa: S311 - content that compresses to nothing
        self.killed = 0
        for _ in range(WORKERS):
            self.open()

    def run[T](self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def open(self) -> None:
        stack = AsyncExitStack()
        self.workers.append(self.run(stack.enter_async_context(self.service.worker())))
        self.stacks.append(stack)

    def still_open(self) -> list[Model]:
        return [each for each in self.models if each.state == "open" and not each.expired]

    def told(self, model: Model, work: Coroutine[object, object, Any]) -> Any:
        """Return what a request is answered, an exception as a value; who hung has let go."""

        async def answer() -> Any:
            hanging, model.hanging = model.hanging, None
            try:
                return await work
            except (*REFUSALS, asyncio.CancelledError) as refusal:
                return refusal
            finally:
                if hanging is not None:
                    with pytest.raises((Locked, DigestMismatch)):
                        await hanging.task

        return self.run(answer())

    @precondition(lambda self: len(self.still_open()) < MOST)
    @rule(
        target=uploads,
        size=st.sampled_from(SIZES),
        told=st.booleans(),
        kind=st.sampled_from(["whole", "whole", "part"]),
        said=st.sampled_from(["", "", "right", "right", "wrong"]),
        worker=workers,
    )
    def create(self, size: int, told: bool, kind: Kind, said: str, worker: int) -> Model:
        content = self.random.randbytes(size)
        digest = {"": "", "right": sha256(content), "wrong": "ab" * 32}[said]
        wanted = new(size if told else None, kind=kind, sha256="" if kind == "part" else digest)
        model = Model(wanted, content, wanted.length)
        expected = model.take(b"") if size == 0 and told else None

        answer = self.told(model, self.workers[worker].resuming.start(wanted, ROOMY))

        if expected is None:
            assert (answer.state, answer.offset) == (model.state, 0)
        else:
            assert type(answer) is expected
        self.models.append(model)
        return model

    @rule(
        model=uploads,
        size=st.sampled_from(["some", "half", "half", "all", "all", "more"]),
        pieces=st.sampled_from([1, 2, 3, 40]),
        ending=st.sampled_from(["whole", "whole", "whole", "cut", "cancelled"]),
        verified=st.sampled_from([None, None, None, True, False]),
        beside=st.sampled_from([0] * 9 + [1, -1]),
        is_last=st.sampled_from([False, False, True]),
        worker=workers,
    )
    def append(
        self,
        model: Model,
        *,
        size: str,
        pieces: int,
        ending: str,
        verified: bool | None,
        beside: int,
        is_last: bool,
        worker: int,
    ) -> None:
        self.end_hanging(model)
        # What should be the last and is too much is the protocol's affair, that of the IETF.
        is_last = is_last and ending == "whole" and size != "more"
        left = max(0, len(model.content) - len(model.arrived))
        content = model.next(
            {"some": 1, "half": left // 2, "all": left, "more": left + 70_000}[size]
        )
        offset = len(model.arrived) + beside
        expected = self.expected_of_append(
            model, content, ending=ending, verified=verified, offset=offset, is_last=is_last
        )
        checked = None if verified is None else Checked(content if verified else b"other bytes")

        answer = self.told(
            model,
            self.appending(
                model,
                cut(content, pieces),
                ending,
                worker,
                offset=offset,
                is_last=is_last,
                verification=checked,
            ),
        )

        if expected is None:
            assert (answer.state, answer.offset) == (model.state, len(model.arrived)), answer
        else:
            assert isinstance(answer, expected), answer

    def expected_of_append(
        self,
        model: Model,
        content: bytes,
        *,
        ending: str,
        verified: bool | None,
        offset: int,
        is_last: bool,
    ) -> type[BaseException] | None:
        """Do to the model what an append does, and return its error."""
        refused = self.refusal(model, offset)
        if refused is not None or model.state == "finished":
            return refused
        error = broken_off(model, content, ending)
        if verified is False and error is None:
            model.has_draft = True
            return ChecksumMismatch
        taken = content[: model.room] if verified is None or error is None else b""
        if error is not None:
            return model.take(taken) or error
        if is_last and model.length is None:
            model.length = len(model.arrived) + len(taken)
        failed = model.take(taken)
        is_short = is_last and len(model.arrived) != model.length
        return failed or (InconsistentLength if is_short else None)

    def refusal(self, model: Model, offset: int) -> type[Exception] | None:
        """Return how an append is refused before a byte of it is read."""
        if model.state == "gone":
            return NotFound
        if model.is_refused:
            return Expired
        return OffsetMismatch if offset != len(model.arrived) else None

    async def appending(
        self, model: Model, chunks: list[bytes], ending: str, worker: int, **more: Any
    ) -> Resumable:
        """Append, and end as it shall."""
        resuming = self.workers[worker].resuming
        stall = Stall() if ending == "cancelled" else None
        error = ClientGone() if ending == "cut" else None
        brought = bringing(*chunks, stall=stall, error=error, **more)
        task = asyncio.create_task(resuming.append(model.upload, brought, ROOMY))
        if stall is not None:
            reached = asyncio.create_task(stall.reached.wait())
            await asyncio.wait([reached, task], return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            task.cancel()
        return await task

    @rule(
        model=uploads,
        size=st.sampled_from(SIZES),
        pieces=st.sampled_from([1, 3]),
        verified=st.booleans(),
        worker=workers,
    )
    def hang(self, model: Model, size: int, pieces: int, verified: bool, worker: int) -> None:
        """Append, and fall silent before the end."""
        if model.state != "open" or model.is_refused or model.hanging or size > model.room:
            return
        content = model.next(size)

        async def begin() -> asyncio.Task[Resumable]:
            stall = Stall()
            brought = bringing(
                *cut(content, pieces),
                offset=len(model.arrived),
                stall=stall,
                interrupt=partial(stall.end, Locked("Another took its place.")),
                verification=Checked(content) if verified else None,
            )
            resuming = self.workers[worker].resuming
            task = asyncio.create_task(resuming.append(model.upload, brought, ROOMY))
            await stall.reached.wait()
            return task

        model.hanging = Hanging(self.run(begin()), content, verified, worker)
        model.has_draft = True

    def end_hanging(self, model: Model) -> None:
        """Do to the model what the end of a hanging append does; the next request brings it."""
        if model.hanging is not None:
            model.take(b"" if model.hanging.verified else model.hanging.content)

    @rule(model=uploads, worker=workers)
    def settle(self, model: Model, worker: int) -> None:
        self.end_hanging(model)

        async def settled() -> Resumable | None:
            found = self.workers[worker].resuming.find(model.upload.key)
            return found and await self.workers[worker].resuming.settle(found)

        was_hanging = model.hanging is not None
        answer = self.told(model, settled())

        if model.state == "gone":
            assert answer is None
        elif model.is_refused and not was_hanging:
            assert type(answer) is Expired
        elif model.state == "failed":
            assert isinstance(answer, Expired | Resumable)
        else:
            assert (answer.state, answer.offset) == (model.state, len(model.arrived))

    @precondition(lambda self: any(is_joinable(model) for model in self.models))
    @rule(
        target=uploads,
        parts=st.lists(uploads, min_size=1, max_size=4),
        metadata=st.sampled_from(["", "another"]),
        worker=workers,
    )
    def concat(self, parts: list[Model], metadata: str, worker: int) -> Any:
        content = b"".join(part.arrived for part in parts)
        wanted = new(
            len(content),
            kind="final",
            parts=tuple(part.upload.id for part in parts),
            metadata=metadata,
        )

        answer = self.told(
            Model(wanted, b"", 0), self.workers[worker].resuming.start(wanted, ROOMY)
        )

        for other in self.models:
            what = (other.upload.parts, other.upload.metadata, other.state)
            if what == (wanted.parts, metadata, "finished"):
                assert answer.id == other.upload.id
                return multiple()
        if not all(map(is_joinable, parts)):
            assert isinstance(answer, BadRequest), answer
            return multiple()
        assert (answer.id, answer.state) == (wanted.id, "finished")
        for part in parts:
            part.expired = False
        made = Model(wanted, content, len(content), content, "finished")
        self.models.append(made)
        return made

    @rule(model=uploads, worker=workers)
    def delete(self, model: Model, worker: int) -> None:
        self.end_hanging(model)

        answer = self.told(model, self.workers[worker].resuming.delete(model.upload, ANYBODY))

        if model.state == "gone":
            assert type(answer) is NotFound
        else:
            assert answer is True
            model.state = "gone"

    @rule(model=uploads)
    def expire(self, model: Model) -> None:
        if model.hanging or model.state == "gone":
            return
        rows = sqlite3.connect(self.service.root / DATABASE)
        with rows:
            rows.execute(
                "UPDATE fileservice_resumableupload SET expires_at = ? WHERE id = ?",
                (PAST, model.upload.id),
            )
        rows.close()
        model.expired = True

    @precondition(lambda self: self.still_open())
    @rule(
        pick=st.integers(0, MOST - 1),
        worker=workers,
        size=st.sampled_from(["half", "half", "all"]),
        ending=st.sampled_from(["whole", "whole", "whole", "cut"]),
        verified=st.sampled_from([None, None, True]),
    )
    def go_on(self, pick: int, worker: int, size: str, ending: str, verified: bool | None) -> None:
        """Append as most clients do, to whichever worker."""
        there = self.still_open()
        model = there[pick % len(there)]
        self.append(
            model,
            size=size,
            pieces=2,
            ending=ending,
            verified=verified,
            beside=0,
            is_last=size == "all",
            worker=worker,
        )

    @rule(what=st.sampled_from(["restart", "lose", "sweep"]), worker=workers)
    def disturb(self, what: str, worker: int) -> None:
        if what == "sweep":
            self.sweep(worker)
        elif what == "restart":
            self.restart(worker)
        elif self.killed < WORKERS and not any(model.hanging for model in self.models):
            self.lose(worker)

    def sweep(self, worker: int) -> None:
        here = self.workers[worker]
        self.run(Sweeper(here.ledger, here.storage).sweep(grace=timedelta(0)))

        for model in self.models:
            if model.expired and model.is_refused and model.state != "gone":
                model.state = "gone"

    def restart(self, worker: int) -> None:
        """Stop a worker as it should be stopped, and start another in its place."""
        stopped = [model for model in self.models if hangs_in(model, worker)]

        async def stop() -> None:
            await self.stacks[worker].aclose()
            for model in stopped:
                assert model.hanging
                with pytest.raises((Locked, DigestMismatch)):
                    await model.hanging.task

        self.run(stop())

        for model in stopped:
            self.end_hanging(model)
            model.hanging = None
        self.open()
        self.workers[worker], self.stacks[worker] = self.workers.pop(), self.stacks.pop()

    def lose(self, worker: int) -> None:
        """Forget what a worker knows, as if it was killed: what it wrote last was not noted."""
        for model in self.models:
            if model.state == "open" and model.has_draft:
                with self.workers[worker].draft(model.upload).open("ab") as draft:
                    draft.write(bytes(max(SIZES)))
        self.killed += 1
        self.open()
        self.workers[worker], self.workers[-1] = self.workers[-1], self.workers[worker]
        self.stacks[worker], self.stacks[-1] = self.stacks[-1], self.stacks[worker]

    @invariant()
    def rows_are_as_they_should(self) -> None:
        resumables = self.workers[0].resumables
        for model in self.models:
            row = resumables.find(model.upload.id)
            if model.state == "gone":
                assert row is None
                continue
            assert row is not None
            assert row.state == model.state
            if model.state != "failed":
                assert (row.length, row.offset) == (model.length, len(model.arrived))

    @invariant()
    def bytes_are_as_they_should(self) -> None:
        here = self.workers[0]
        there = {str(path.relative_to(here.storage.root)) for path in here.files()}
        for model in self.models:
            id, size = model.upload.id, len(model.arrived)
            draft, blob = f"incoming/{id}", f"{id[:2]}/{id}"
            is_file = model.state == "finished" and model.kind != "part"
            assert (here.ledger.find(id) is not None) == is_file
            assert (blob in there) == is_file
            kept = model.has_draft and not is_file and model.state != "gone"
            assert (draft in there) == kept, model
            there -= {draft, blob}
            if is_file:
                assert here.file(model.upload).size == size
                assert here.file(model.upload).sha256 == sha256(model.arrived)
                assert here.content(model.upload) == model.arrived
            elif kept:
                assert here.draft(model.upload).read_bytes()[:size] == model.arrived
        assert there == set()

    def teardown(self) -> None:
        """Finish what can be finished, and stop."""
        try:
            for model in self.models:
                if model.hanging:
                    self.settle(model, 0)
                if model.state == "open" and not model.is_refused and model.upload.sha256 == "":
                    self.finish(model)
            self.bytes_are_as_they_should()
        finally:
            for stack in reversed(self.stacks):
                self.run(stack.aclose())
            self.closing.close()

    def finish(self, model: Model) -> None:
        rest = model.next(max(0, len(model.content) - len(model.arrived)))
        expected = self.expected_of_append(
            model, rest, ending="whole", verified=None, offset=len(model.arrived), is_last=True
        )
        brought = bringing(rest, offset=len(model.arrived) - len(rest), is_last=True)
        answer = self.told(model, self.workers[0].resuming.append(model.upload, brought, ROOMY))
        assert expected is None
        assert answer.state == model.state == "finished"


REFUSALS = (
    BadRequest,
    ChecksumMismatch,
    ClientGone,
    DigestMismatch,
    Expired,
    InconsistentLength,
    NotFound,
    OffsetMismatch,
    TooLarge,
)


def broken_off(model: Model, content: bytes, ending: str) -> type[BaseException] | None:
    """Return how a body ends before its end, if it does."""
    if len(content) > model.room:
        return TooLarge
    return {"whole": None, "cut": ClientGone, "cancelled": asyncio.CancelledError}[ending]


def is_joinable(model: Model) -> bool:
    return model.kind == "part" and model.state == "finished"


def hangs_in(model: Model, worker: int) -> bool:
    return model.hanging is not None and model.hanging.worker == worker


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers look at what others ask of them more often than they need to."""
    monkeypatch.setattr(holding, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(holding, "RETRY_SECONDS", 0.001)


def check(migrated: Path, blocker: DjangoDbBlocker, **more: Any) -> None:
    class Here(Uploads):
        def __init__(self) -> None:
            super().__init__(migrated, blocker)

    quiet = settings(deadline=None, suppress_health_check=list(HealthCheck), **more)
    run_state_machine_as_test(Here, settings=quiet)


def test_uploads_are_what_a_model_of_them_is(
    migrated: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    check(migrated, django_db_blocker, max_examples=30, stateful_step_count=40)


@pytest.mark.long
def test_uploads_are_what_a_model_of_them_is_at_length(
    migrated: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    check(migrated, django_db_blocker, max_examples=300, stateful_step_count=60)
