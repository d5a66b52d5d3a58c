"""Uploads that come in several requests: workers, leases, locks, on a real disk and database."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice.errors import (
    Expired,
    InconsistentLength,
    Locked,
    OffsetMismatch,
    TooLarge,
)
from fileservice.resumables import Resumable
from tests.resumables import ROOMY, Service, Stall, Worker, bringing, new, service_in


@pytest.fixture
def service(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Service]:
    with service_in(tmp_path, migrated, django_db_blocker) as made:
        yield made


@pytest.fixture
async def worker(service: Service) -> AsyncIterator[Worker]:
    async with service.worker() as made:
        yield made


async def test_an_upload_in_pieces_is_the_file_it_should_be(worker: Worker) -> None:
    upload = await worker.start(11)
    first = await worker.append(upload, b"hel", b"lo")
    done = await worker.append(upload, b" world")

    assert (first.state, first.offset) == ("open", 5)
    assert (done.state, done.offset) == ("finished", 11)
    assert worker.content(upload) == b"hello world"
    assert worker.file(upload).sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert worker.files() == [worker.storage.path(upload.id)]


@pytest.mark.parametrize("offset", [0, 4, 6])
async def test_bytes_that_do_not_come_next_are_refused(worker: Worker, offset: int) -> None:
    upload = await worker.start(11)
    await worker.append(upload, b"hello")

    with pytest.raises(OffsetMismatch) as refused:
        await worker.append(upload, b"x", offset=offset)

    assert refused.value.headers["Upload-Offset"] == "5"
    assert worker.now(upload).offset == 5


async def test_a_stopped_worker_does_not_cut_what_others_wrote(service: Service) -> None:
    async with service.worker() as stopped, service.worker() as other:
        upload = await stopped.start(11)
        # Stopped between the lease and the draft, for longer than others wait.
        async with stopped.resuming._holdings.hold(upload.id, lambda: None) as holding:
            await other.append(upload, b"hello")

            with pytest.raises(Locked):
                await stopped.resuming._write(holding, bringing(b"XXXX", offset=0), ROOMY)

        done = await other.append(upload, b" world")
        assert done.state == "finished"
        assert other.content(upload) == b"hello world"


async def test_a_lease_that_was_lost_and_had_again_is_let_go_of_twice(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        upload = await one.start(11)
        holdings = one.resuming._holdings
        async with holdings.hold(upload.id, lambda: None):
            await other.append(upload, b"hello")
            async with holdings.hold(upload.id, lambda: None):
                pass

        assert (await other.append(upload, b" world")).state == "finished"


async def test_a_digest_counts_only_of_what_was_noted(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        upload = await one.start(11)
        stall = Stall()
        writing = asyncio.create_task(one.append(upload, b"XXXXX", stall=stall))
        await stall.reached.wait()
        await raise_fence(one, upload.id)
        stall.end()
        with pytest.raises(Locked):
            await writing
        assert one.now(upload).offset == 0

        await other.append(upload, b"hello")
        await one.append(upload, b" world")

        assert one.content(upload) == b"hello world"
        assert one.file(upload).sha256 == hashlib.sha256(b"hello world").hexdigest()


@pytest.mark.parametrize("content", [b"", b"hello"])
async def test_bytes_in_their_place_without_a_row_are_found(worker: Worker, content: bytes) -> None:
    upload = await worker.start(5)
    async with worker.storage.reopen(upload.id, 0) as draft:
        await draft.write(b"hello")
        await draft.finish()  # and killed before the row

    with pytest.raises(OffsetMismatch) as refused:
        await worker.append(upload, content)

    assert refused.value.headers["Upload-Offset"] == "5"
    assert worker.now(upload).state == "finished"
    assert worker.content(upload) == b"hello"
    assert worker.file(upload).sha256 == hashlib.sha256(b"hello").hexdigest()


@pytest.mark.parametrize("step", ["placed", "linked"])
async def test_what_was_killed_half_way_to_its_place_is_deleted_whole(
    worker: Worker, step: str
) -> None:
    upload = await worker.start(5)
    async with worker.storage.reopen(upload.id, 0) as draft:
        await draft.write(b"hello")
        await draft.finish()
    if step == "linked":
        os.link(worker.storage.path(upload.id), worker.draft(upload))

    assert await worker.resuming.delete(upload)

    assert worker.files() == []
    assert worker.resuming.find(upload.key) is None


@pytest.mark.parametrize("damage", ["shorter", "gone"])
async def test_durable_bytes_that_are_missing_fail_an_upload_and_leave_nothing_open(
    worker: Worker, damage: str
) -> None:
    upload = await worker.start(11)
    await worker.append(upload, b"hello")
    if damage == "shorter":
        os.truncate(worker.draft(upload), 4)
    else:
        worker.draft(upload).unlink()
    open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as small as it can be

    with pytest.raises(Expired) as failed:
        await worker.append(upload, b" world")

    assert "gone" in str(failed.value)
    assert len(os.listdir("/proc/self/fd")) == open_files  # noqa: PTH208
    with pytest.raises(Expired):
        worker.now(upload)
    assert await worker.resuming.delete(upload)
    assert worker.files() == []


async def test_a_part_that_is_shorter_than_it_was_fails_the_whole(worker: Worker) -> None:
    parts = [await whole_part(worker, content) for content in (b"hello", b" world")]
    os.truncate(worker.draft(parts[0]), 4)

    final = new(11, kind="final", parts=ids(parts))
    with pytest.raises(Expired):
        await worker.resuming.start(final, ROOMY)

    assert worker.ledger.find(final.id) is None
    with pytest.raises(Expired):
        worker.now(final)


async def test_more_than_all_bytes_is_too_much(worker: Worker) -> None:
    upload = await worker.start(5)
    await worker.append(upload, b"hello")

    with pytest.raises(TooLarge):
        await worker.append(upload, b"!", declared=1)
    again = await worker.append(upload)

    assert (again.state, again.offset) == ("finished", 5)


async def test_last_bytes_that_are_too_few_are_no_end(worker: Worker) -> None:
    upload = await worker.start(11)

    with pytest.raises(InconsistentLength):
        await worker.append(upload, b"hello", is_last=True)

    kept = worker.now(upload)
    assert (kept.state, kept.offset) == ("open", 5)


async def test_who_finds_a_draft_locked_is_told_to_wait(worker: Worker) -> None:
    part = await whole_part(worker, b"hello")
    upload = await worker.start(5)
    final = new(5, kind="final", parts=ids([part]))
    with worker.draft(upload).open("wb") as one, worker.draft(final).open("wb") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)

        with pytest.raises(Locked) as busy:
            await worker.append(upload, b"hello")
        with pytest.raises(Locked):
            await worker.resuming.start(final, ROOMY)

    assert busy.value.headers["Retry-After"] == "1"
    assert (await worker.append(upload, b"hello")).state == "finished"


async def whole_part(worker: Worker, content: bytes) -> Resumable:
    part = await worker.start(len(content), kind="part")
    return await worker.append(part, content) if content else part


def ids(parts: list[Resumable]) -> tuple[str, ...]:
    return tuple(part.id for part in parts)


async def raise_fence(worker: Worker, id: str) -> None:
    """Take the lease as who believes its holder dead."""
    found = worker.resumables.find(id)
    assert found
    stolen = await worker.resumables.steal(id, "other", found.fence, now=found.created_at)
    assert stolen
    await worker.resumables.release(stolen)
