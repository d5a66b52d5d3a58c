"""How a file comes in, on a real store."""

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice.actors import ANYBODY
from fileservice.errors import FileserviceError, InsufficientStorage, ServiceUnavailable, TooLarge
from fileservice.names import CleanName
from fileservice.options import DATABASE
from fileservice.recipients import NOBODY
from fileservice.storage.local import LocalStorage
from fileservice.uploads import (
    LOOK_EVERY,
    Limits,
    Upload,
    check_room,
    disk_errors,
    finish,
    unguessable,
)
from tests.resumables import Worker, service_in

ROOMY = Limits(request_bytes=1 << 40, file_bytes=1 << 40, free_bytes=0)
CROWDED = Limits(request_bytes=1 << 40, file_bytes=1 << 40, free_bytes=1 << 60)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[LocalStorage]:
    with ThreadPoolExecutor(2) as executor:
        local = LocalStorage(tmp_path, executor, executor)
        local.prepare()
        yield local


def new_upload(storage: LocalStorage) -> Upload:
    return Upload(storage, CleanName("a", changed=False), to=NOBODY, now=datetime.now(UTC))


async def chunks(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def test_a_body_of_unknown_length_stops_where_the_disk_has_no_room(
    storage: LocalStorage,
) -> None:
    coming = chunks(*[bytes(1 << 20)] * (2 * LOOK_EVERY >> 20))

    async with new_upload(storage) as upload:
        with pytest.raises(InsufficientStorage):
            await upload.append(coming, CROWDED)

        assert upload.size == LOOK_EVERY
    assert not [path for path in storage.root.rglob("*") if path.is_file()]


async def test_a_sealed_upload_without_a_row_is_taken_back(storage: LocalStorage) -> None:
    async with new_upload(storage) as upload:
        await upload.append(chunks(b"hello"), ROOMY)
        await upload.seal()
        assert storage.path(upload.id).read_bytes() == b"hello"

    assert not storage.path(upload.id).exists()


async def test_a_sealed_upload_that_may_have_a_row_stays(storage: LocalStorage) -> None:
    async with new_upload(storage) as upload:
        await upload.append(chunks(b"hello"), ROOMY)
        await upload.seal()
        upload.keep()

    assert storage.path(upload.id).read_bytes() == b"hello"


async def test_bytes_are_let_go_of_after_their_row_also_where_the_wait_is_cancelled(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    sealed = asyncio.Event()

    async def send(worker: Worker, upload: Upload) -> None:
        async with upload:
            await upload.append(chunks(b"hello"), ROOMY)
            await upload.seal()
            sealed.set()
            await finish(worker.ledger, [upload], ANYBODY)

    with service_in(tmp_path, migrated, django_db_blocker) as service:
        async with service.worker() as worker:
            upload = new_upload(worker.storage)
            with closing(sqlite3.connect(tmp_path / DATABASE, autocommit=True)) as other:
                other.execute("BEGIN IMMEDIATE")  # the commit waits for this
                sending = asyncio.create_task(send(worker, upload))
                await sealed.wait()
                await asyncio.sleep(0)
                sending.cancel()
                async with worker.storage.unheld(upload.id) as unheld:
                    assert not unheld
                other.execute("ROLLBACK")
            with pytest.raises(asyncio.CancelledError):
                await sending

            assert worker.ledger.find(upload.id) is not None
            async with worker.storage.unheld(upload.id) as unheld:
                assert unheld


def test_more_than_the_limit_is_refused_before_it_comes(storage: LocalStorage) -> None:
    limits = Limits(request_bytes=10, file_bytes=10, free_bytes=0)

    check_room(storage, limits, 10)
    with pytest.raises(TooLarge) as refused:
        check_room(storage, limits, 11)
    assert refused.value.extensions == {"limit_bytes": 10}


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOSPC, InsufficientStorage),
        (errno.EDQUOT, InsufficientStorage),
        (errno.EMFILE, ServiceUnavailable),
        (errno.ENFILE, ServiceUnavailable),
    ],
)
def test_an_error_of_the_disk_that_passes_is_the_clients_to_know(
    number: int, refusal: type[FileserviceError]
) -> None:
    with pytest.raises(refusal), disk_errors():
        raise OSError(number, "as the kernel says it")


def test_any_other_error_of_the_disk_stays_ours() -> None:
    with pytest.raises(OSError, match="Input/output"), disk_errors():
        raise OSError(errno.EIO, "Input/output error")


def test_ids_are_lower_case_letters_and_digits_and_never_the_same() -> None:
    ids = {unguessable() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(id) == 26 and set(id) <= set("abcdefghijklmnopqrstuvwxyz234567") for id in ids)
