"""What is found to be over and is gone on with before it is forgotten, stays."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice.expiry import Expiry
from fileservice.models import File, ResumableUpload
from fileservice.resumables import Resumable
from tests.resumables import ROOMY, WEEK, Service, Stall, Worker, bringing, service_in

LATER = WEEK + timedelta(minutes=1)
MANY = 100


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


async def part(worker: Worker, content: bytes) -> Resumable:
    begun = await worker.start(len(content), kind="part")
    return await worker.append(begun, content)


async def test_what_was_not_finished_in_time_is_forgotten_once(worker: Worker) -> None:
    upload, expiry = await worker.start(11), Expiry(worker.ledger)
    later = datetime.now(UTC) + LATER

    assert await expiry.uploads(datetime.now(UTC), MANY) == []
    assert await expiry.uploads(later, MANY) == [upload.id]
    assert await expiry.forget(upload.id, now=later)
    assert not await expiry.forget(upload.id, now=later)
    assert worker.resumables.find(upload.id) is None


async def test_what_came_just_in_time_gives_an_upload_more(worker: Worker) -> None:
    upload, expiry = await worker.start(11), Expiry(worker.ledger)
    now = upload.expires_at

    assert await expiry.uploads(now, MANY) == [upload.id]
    await worker.append(upload, b"hello")

    assert not await expiry.forget(upload.id, now=now)


async def test_an_upload_to_which_somebody_writes_is_not_over(worker: Worker) -> None:
    upload, expiry, stall = await worker.start(5), Expiry(worker.ledger), Stall()
    appending = asyncio.create_task(
        worker.resuming.append(upload, bringing(b"hel", offset=0, stall=stall), ROOMY)
    )
    await stall.reached.wait()

    await worker.ledger.run(end_time_of, [upload.id])

    assert await expiry.uploads(datetime.now(UTC), MANY) == []
    assert not await expiry.forget(upload.id, now=datetime.now(UTC))
    async with worker.storage.unheld(upload.id) as unheld:
        assert not unheld

    stall.end()
    assert (await appending).offset == 3


def end_time_of(ids: list[str]) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    ResumableUpload.objects.filter(id__in=ids).update(expires_at=past)


async def test_parts_that_are_joined_just_in_time_stay(worker: Worker) -> None:
    ids = [(await part(worker, content)).id for content in (b"one ", b"two")]
    expiry = Expiry(worker.ledger)
    await worker.ledger.run(end_time_of, ids)

    assert set(await expiry.parts(datetime.now(UTC), MANY)) == set(ids)
    final = await worker.start(7, kind="final", parts=tuple(ids))

    assert worker.content(final) == b"one two"
    for id in ids:
        assert not await expiry.forget(id, now=datetime.now(UTC))


async def test_what_has_become_a_file_is_never_over(worker: Worker) -> None:
    upload, expiry = await worker.start(5), Expiry(worker.ledger)
    done = await worker.append(upload, b"hello")
    later = datetime.now(UTC) + LATER

    assert done.state == "finished"
    assert await expiry.uploads(later, MANY) == await expiry.parts(later, MANY) == []
    assert not await expiry.forget(upload.id, now=later)


async def test_a_file_that_is_given_more_time_stays(worker: Worker) -> None:
    upload, expiry, now = await worker.start(5), Expiry(worker.ledger), datetime.now(UTC)
    await worker.append(upload, b"hello")
    await worker.ledger.run(end_file, upload.id, now)

    found = await expiry.files(now, MANY)
    await worker.ledger.run(end_file, upload.id, now + timedelta(seconds=60))

    assert found == [upload.id]
    assert not await expiry.remove(upload.id, now=now)
    assert worker.file(upload).id == upload.id


def end_file(id: str, at: datetime) -> None:
    File.objects.filter(id=id).update(expires_at=at)
