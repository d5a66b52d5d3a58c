"""Uploads that come in several requests: workers, leases, locks, on a real disk and database."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice import appending
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
from fileservice.resumables import Kind, Resumable
from tests.conftest import START_SECONDS
from tests.resumables import ROOMY, WEEK, Checked, Service, Stall, Worker, bringing, new, service_in


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

    assert await worker.resuming.delete(upload, ANYBODY)

    assert worker.files() == []
    assert worker.resuming.find(upload.key) is None


@pytest.mark.parametrize("step", ["placed", "linked"])
async def test_what_was_killed_half_way_to_its_place_is_gone_on_with(
    worker: Worker, step: str
) -> None:
    upload = await worker.append(await worker.start(11), b"hello")
    async with worker.storage.reopen(upload.id, 5) as draft:
        await draft.write(b" world")
        await draft.finish()
    if step == "linked":
        os.link(worker.storage.path(upload.id), worker.draft(upload))

    with contextlib.suppress(OffsetMismatch):
        await worker.append(upload, b" world")

    assert worker.now(upload).state == "finished"
    assert worker.file(upload).sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert worker.content(upload) == b"hello world"
    assert worker.files() == [worker.storage.path(upload.id)]


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
    assert await worker.resuming.delete(upload, ANYBODY)
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


@pytest.mark.parametrize("cut", [False, True])
async def test_bytes_that_were_not_verified_do_not_count(worker: Worker, cut: bool) -> None:
    upload = await worker.start(11)
    await worker.append(upload, b"hel", b"lo", verification=Checked(b"hello"))

    error = ClientGone() if cut else None
    with pytest.raises(ClientGone if cut else ChecksumMismatch):
        await worker.append(upload, b" wo", b"rxx", verification=Checked(b" world"), error=error)
    kept = worker.now(upload).offset
    done = await worker.append(upload, b" world", verification=Checked(b" world"))

    assert kept == 5
    assert done.state == "finished"
    assert worker.content(upload) == b"hello world"
    assert worker.file(upload).sha256 == hashlib.sha256(b"hello world").hexdigest()


async def test_what_came_before_a_disconnect_counts(worker: Worker) -> None:
    upload = await worker.start(11)

    with pytest.raises(ClientGone):
        await worker.append(upload, b"hel", b"lo", error=ClientGone())

    assert worker.now(upload).offset == 5


async def test_of_too_many_bytes_those_that_fit_are_taken(worker: Worker) -> None:
    upload = await worker.start(5)

    with pytest.raises(TooLarge):
        await worker.append(upload, b"hello world")

    assert worker.now(upload).state == "finished"
    assert worker.content(upload) == b"hello"


@pytest.mark.parametrize("told", ["by the last bytes", "before", "with none"])
async def test_a_length_may_be_told_later(worker: Worker, told: str) -> None:
    upload = await worker.start(None)
    await worker.append(upload, b"hello")
    if told == "by the last bytes":
        done = await worker.append(upload, b" world", is_last=True)
    elif told == "before":
        await worker.append(upload, length=11)
        done = await worker.append(upload, b" world")
    else:
        await worker.append(upload, b" world")
        done = await worker.append(upload, is_last=True, declared=0)

    assert (done.state, done.length) == ("finished", 11)
    assert worker.content(upload) == b"hello world"


@pytest.mark.parametrize(("length", "error"), [(4, InconsistentLength), (1 << 41, TooLarge)])
async def test_a_length_that_cannot_be_is_refused(
    worker: Worker, length: int, error: type[Exception]
) -> None:
    upload = await worker.start(None)
    await worker.append(upload, b"hello")

    with pytest.raises(error):
        await worker.append(upload, b" world", length=length)

    assert worker.now(upload).length is None
    assert worker.now(upload).offset == 5


@pytest.mark.parametrize("kind", ["whole", "part"])
async def test_an_upload_of_no_bytes_is_finished_at_once(worker: Worker, kind: Kind) -> None:
    upload = await worker.start(0, kind=kind)

    assert (upload.state, upload.offset) == ("finished", 0)
    assert (worker.ledger.find(upload.id) is None) == (kind == "part")
    assert len(worker.files()) == 1


async def test_another_sha256_than_was_said_leaves_nothing(worker: Worker) -> None:
    upload = await worker.start(5, sha256="ab" * 32)

    with pytest.raises(DigestMismatch):
        await worker.append(upload, b"hello")

    with pytest.raises(Expired):
        worker.now(upload)
    with pytest.raises(Expired):
        await worker.resuming.append(upload, bringing(b"hello", offset=0), ROOMY)
    assert worker.files() == []
    assert worker.ledger.find(upload.id) is None


@pytest.mark.parametrize("kind", ["whole", "part"])
async def test_what_was_not_finished_in_time_is_gone(service: Service, kind: Kind) -> None:
    service.lifetime = timedelta(0)
    async with service.worker() as worker:
        upload = await worker.start(5, kind=kind)

        with pytest.raises(Expired):
            worker.now(upload)
        with pytest.raises(Expired):
            await worker.resuming.append(upload, bringing(b"hello", offset=0), ROOMY)


async def test_a_finished_upload_does_not_expire(service: Service) -> None:
    async with service.worker() as worker:
        upload = await worker.start(5)
        await worker.append(upload, b"hello")
    with sqlite3.connect(service.root / DATABASE) as rows:
        rows.execute("UPDATE fileservice_resumableupload SET expires_at = '2001-01-01 00:00:00'")
    rows.close()

    async with service.worker() as worker:
        assert worker.now(upload).state == "finished"


async def test_what_was_deleted_is_not_found(worker: Worker) -> None:
    upload = await worker.start(5)
    await worker.resuming.delete(upload, ANYBODY)

    with pytest.raises(NotFound):
        await worker.resuming.append(upload, bringing(b"hello", offset=0), ROOMY)
    with pytest.raises(NotFound):
        await worker.resuming.delete(upload, ANYBODY)


async def hung(worker: Worker, upload: Resumable, *chunks: bytes) -> asyncio.Task[Resumable]:
    """Append until the client falls silent; it stays so until another request comes."""
    stall = Stall()
    interrupt = partial(stall.end, Locked("Another took its place."))
    appending = worker.append(upload, *chunks, stall=stall, interrupt=interrupt)
    task = asyncio.create_task(appending)
    await stall.reached.wait()
    return task


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("what", ["append", "settle", "delete"])
async def test_a_hung_writer_is_ended_by_who_comes_next(
    service: Service, elsewhere: bool, what: str
) -> None:
    async with service.worker() as one, service.worker() as two:
        other = two if elsewhere else one
        upload = await one.start(11)
        hanging = await hung(one, upload, b"hel", b"lo")
        clock = asyncio.get_running_loop().time
        began = clock()

        if what == "append":
            done = await other.append(upload, b" world", offset=5)
            assert done.state == "finished"
            assert one.file(upload).sha256 == hashlib.sha256(b"hello world").hexdigest()
        elif what == "settle":
            assert (await other.settle(upload)).offset == 5
        else:
            assert await other.resuming.delete(upload, ANYBODY)
            assert one.files() == []

        assert clock() - began < 2  # one is the promise, on a machine that does nothing else
        with pytest.raises(Locked):
            await hanging


async def test_who_does_not_let_go_keeps_the_others_waiting_for_a_bounded_time(
    service: Service,
) -> None:
    async with service.worker() as one, service.worker() as other:
        upload = await one.start(11)
        stall = Stall()
        writing = asyncio.create_task(one.append(upload, b"hello", stall=stall))
        await stall.reached.wait()

        refused = await asyncio.gather(
            one.settle(upload),
            one.resuming.delete(upload, ANYBODY),
            other.append(upload, b"x"),
            return_exceptions=True,
        )

        assert [type(error) for error in refused] == [Locked] * 3
        stall.end()
        await writing
        assert (await other.append(upload, b" world")).state == "finished"


async def test_of_commits_that_are_shared_one_that_raises_undoes_itself_alone(
    worker: Worker,
) -> None:
    good, more = new(5), new(5)
    late = new(5, kind="final", parts=("gone",))

    added = await asyncio.gather(
        *(worker.resumables.add(upload) for upload in (good, late, more)),
        return_exceptions=True,
    )

    assert (added[0], type(added[1]), added[2]) == (good, BadRequest, more)
    there = [worker.resumables.find(upload.id) for upload in (good, late, more)]
    assert there == [good, None, more]


async def test_many_at_once_never_mix_their_bytes(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        upload = await one.start(60)
        ended = 0
        while (now := await one.settle(upload)).is_open:
            ten = b"%10d" % now.offset
            appends = [each.append(upload, ten, offset=now.offset) for each in (one, other) * 4]
            for result in await asyncio.gather(*appends, return_exceptions=True):
                if isinstance(result, Resumable):
                    ended += 1
                else:
                    assert isinstance(result, OffsetMismatch | Locked), result

        assert ended == 6
        assert one.content(upload) == b"".join(b"%10d" % at for at in range(0, 60, 10))


@pytest.mark.parametrize("verified", [False, True])
async def test_who_is_cancelled_keeps_what_came(worker: Worker, verified: bool) -> None:
    upload = await worker.start(11)
    stall = Stall()
    checked = Checked(b"") if verified else None
    appending = worker.append(upload, b"hello", stall=stall, verification=checked)
    task = asyncio.create_task(appending)
    await stall.reached.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert worker.now(upload).offset == (0 if verified else 5)
    assert (await worker.append(upload, b"hello world"[0 if verified else 5 :])).state == "finished"
    assert worker.content(upload) == b"hello world"


@pytest.mark.parametrize("steps", range(12))
async def test_who_is_cancelled_at_the_end_keeps_what_came(worker: Worker, steps: int) -> None:
    upload = await worker.start(11)
    stall = Stall()
    task = asyncio.create_task(worker.append(upload, b"hello", stall=stall))
    await stall.reached.wait()
    stall.end(ClientGone())
    for _ in range(steps):
        await asyncio.sleep(0.0003)  # wherever that may be
    task.cancel()

    with pytest.raises(asyncio.CancelledError if not task.done() else ClientGone):
        await task
    assert worker.now(upload).offset == 5


async def test_a_worker_that_stops_keeps_what_came(service: Service) -> None:
    async with service.worker() as worker:
        upload = await worker.start(11)
        hanging = await hung(worker, upload, b"hello")
    with pytest.raises(Locked):
        await hanging

    async with service.worker() as worker:
        assert worker.now(upload).offset == 5


@pytest.mark.parametrize("limit", ["CHECKPOINT_BYTES", "CHECKPOINT_SECONDS"])
async def test_what_comes_is_noted_while_more_comes(
    worker: Worker, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, limit, 0)
    upload = await worker.start(None)
    stall = Stall()
    writing = asyncio.create_task(worker.append(upload, b"hel", b"lo", stall=stall))
    await stall.reached.wait()

    async with asyncio.timeout(START_SECONDS):
        while worker.now(upload).offset < 3:  # noqa: ASYNC110 - only the row tells
            await asyncio.sleep(0.01)
    stall.end(ClientGone())
    with pytest.raises(ClientGone):
        await writing
    assert worker.now(upload).offset == 5


async def test_what_is_not_verified_yet_is_not_noted(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "CHECKPOINT_BYTES", 0)
    upload, other = await worker.start(None), await worker.start(None)
    stall = Stall()
    writing = asyncio.create_task(
        worker.append(upload, b"hel", b"lo", stall=stall, verification=Checked(b"hello"))
    )
    await stall.reached.wait()
    await worker.append(other, b"takes as long", b"to be noted")

    assert worker.now(upload).offset == 0
    stall.end()
    assert (await writing).offset == 5


async def test_a_lease_that_is_lost_ends_who_writes(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "CHECKPOINT_BYTES", 0)
    upload = await worker.start(None)
    stall = Stall()
    writing = asyncio.create_task(worker.append(upload, b"hel", stall=stall))
    await stall.reached.wait()
    await raise_fence(worker, upload.id)
    noted = worker.now(upload).offset
    stall.end()

    with pytest.raises(Locked):
        await writing
    assert worker.now(upload).offset == noted


async def test_parts_are_joined_in_their_order(worker: Worker) -> None:
    contents = [os.urandom(size) for size in (70_000, 0, 5, 1 << 20)]
    parts = [await whole_part(worker, content) for content in contents]
    wanted = [*parts, parts[2], parts[0]]
    content = b"".join([*contents, contents[2], contents[0]])

    final = await worker.start(len(content), kind="final", parts=ids(wanted))

    assert (final.state, final.offset) == ("finished", len(content))
    assert worker.content(final) == content
    assert worker.file(final).sha256 == hashlib.sha256(content).hexdigest()
    assert sorted(worker.files()) == sorted(
        [worker.storage.path(final.id), *(worker.draft(part) for part in parts)]
    )


async def test_who_joins_the_same_parts_again_gets_the_same_file(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        parts = ids([await whole_part(one, content) for content in (b"hello", b" world")])
        first, *more = await asyncio.gather(
            *(each.start(11, kind="final", parts=parts) for each in (one, other) * 4)
        )
        renamed = await one.start(11, kind="final", parts=parts, metadata="another")

        assert {final.id for final in more} == {first.id}
        await finished(one, first)
        assert one.content(first) == b"hello world"
        assert renamed.id != first.id
        assert await one.resuming.delete(first, ANYBODY)
        assert (await one.start(11, kind="final", parts=parts)).id not in (first.id, renamed.id)


@pytest.mark.parametrize("missing", ["unfinished", "deleted", "a file", "unknown"])
async def test_parts_that_are_not_whole_are_not_joined(worker: Worker, missing: str) -> None:
    there = await whole_part(worker, b"hello")
    if missing == "a file":
        other = await worker.append(await worker.start(1), b"a")
    elif missing == "unknown":
        other = new(5, kind="part")
    elif missing == "unfinished":
        other = await worker.start(5, kind="part")
        await worker.append(other, b"hell")
    else:
        other = await whole_part(worker, b"hello")
        await worker.resuming.delete(other, ANYBODY)
    final = new(10, kind="final", parts=ids([there, other]))

    with pytest.raises(BadRequest):
        await worker.resuming.start(final, ROOMY)

    assert worker.resumables.find(final.id) is None


async def test_a_join_that_was_killed_is_finished_by_who_starts_next(service: Service) -> None:
    async with service.worker() as worker:
        parts = ids([await whole_part(worker, content) for content in (b"hello", b" world")])
    async with service.worker() as killed:
        final = new(11, kind="final", parts=parts, expires_at=datetime.now(UTC) + WEEK)
        await killed.resumables.add(final)
        async with killed.storage.reopen(final.id, 0) as draft:
            await draft.splice(parts[:1])
            await draft.flush()

    async with service.worker() as worker:
        await finished(worker, final)

        assert worker.content(final) == b"hello world"
        assert worker.file(final).sha256 == hashlib.sha256(b"hello world").hexdigest()


async def test_bytes_that_are_whole_are_made_a_file_by_who_starts_next(service: Service) -> None:
    async with service.worker() as killed:
        upload = await killed.append(await killed.start(None), b"hello")
        held = await killed.resumables.take(upload.id, "killed", now=datetime.now(UTC))
        assert held
        await killed.resumables.note(held, length=5)
        await killed.resumables.release(held)

    async with service.worker() as worker:
        await finished(worker, upload)

        assert worker.content(upload) == b"hello"


async def finished(worker: Worker, upload: Resumable) -> None:
    """Return when somebody has made a file of an upload."""
    async with asyncio.timeout(START_SECONDS):
        while worker.now(upload).is_open:  # noqa: ASYNC110 - only the row tells
            await asyncio.sleep(0.01)


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
