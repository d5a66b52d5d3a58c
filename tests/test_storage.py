"""What every storage promises; runs on each implementation."""

import asyncio
import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fileservice.storage import Storage
from fileservice.storage.local import LocalStorage
from fileservice.storage.writing import ALL_BLOCKS, COUNTED_BYTES, LARGEST_BLOCK, SMALLEST_BLOCK
from tests.conftest import need_program

MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs: its reads cannot be told not to wait
ID = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[LocalStorage]:
    with ThreadPoolExecutor(4) as executor:
        local = LocalStorage(tmp_path / "uploads", executor, executor)
        local.prepare()
        yield local


def files(storage: LocalStorage) -> list[Path]:
    return [path for path in storage.root.rglob("*") if path.is_file()]


async def store(storage: Storage, id: str, *chunks: bytes) -> str:
    async with storage.create(id) as incoming:
        for chunk in chunks:
            await incoming.write(chunk)
        sha256 = await incoming.finish()
    assert incoming.crc32 == zlib.crc32(b"".join(chunks))
    return sha256


@pytest.mark.parametrize("sizes", [[COUNTED_BYTES + 1], [COUNTED_BYTES, 1], [1] + [1 << 20] * 20])
async def test_the_crc32_of_a_large_blob_is_computed_where_it_is_wanted(
    storage: LocalStorage, sizes: list[int]
) -> None:
    known = []
    for wanted in (False, True):
        async with storage.create(ID) as incoming:
            incoming.counts_all = wanted
            for size in sizes:
                await incoming.write(b"x" * size)
            await incoming.finish()
        known.append(incoming.crc32)
        await storage.delete(ID)

    assert known == [None, zlib.crc32(b"x" * sum(sizes))]


async def joined(blocks: AsyncIterator[bytes]) -> bytes:
    return b"".join([block async for block in blocks])


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"hello"],
        [b"a"] * 10_000,
        [b"a" * 5000, b"b", b"c" * 5000, b"d"],
        [b"a" * 100_000] * 30,
        [b"a" * 3_000_000],
        [b"a" * LARGEST_BLOCK, b"b"],
    ],
)
async def test_a_finished_blob_reads_back_whole_and_hashed(
    storage: LocalStorage, chunks: list[bytes]
) -> None:
    content = b"".join(chunks)

    digest = await store(storage, ID, *chunks)

    size = len(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert await joined(storage.read(ID, 0, size)) == content
    assert await storage.fetch(ID, 0, size) == content
    assert storage.path(ID).read_bytes() == content


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (1, 7), (9_999, 10_000), (0, 10_000)])
async def test_a_span_is_read_exactly(storage: LocalStorage, start: int, stop: int) -> None:
    content = bytes(range(250)) * 40
    await store(storage, ID, content)

    assert await storage.fetch(ID, start, stop) == content[start:stop]
    assert await joined(storage.read(ID, start, stop)) == content[start:stop]
    assert storage.peek(ID, start, stop) in (content[start:stop], None)


async def test_what_is_in_the_page_cache_is_there_at_once(storage: LocalStorage) -> None:
    await store(storage, ID, b"hello")
    await storage.fetch(ID, 0, 5)

    assert storage.peek(ID, 0, 5) == b"hello"


@pytest.mark.skipif(not MEMORY.is_dir(), reason="there is no tmpfs")
async def test_a_file_system_that_cannot_peek_is_read_by_a_thread() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as root, ThreadPoolExecutor(1) as executor:
        storage = LocalStorage(Path(root), executor, executor)
        storage.prepare()
        await store(storage, ID, b"hello")

        assert storage.peek(ID, 0, 5) in (None, b"hello")
        assert await storage.fetch(ID, 0, 5) == b"hello"


async def test_a_draft_is_read_as_the_blob_that_it_becomes(storage: LocalStorage) -> None:
    async with storage.reopen(ID, 0) as draft:
        await draft.write(b"hello")
        await draft.flush()
        before = await storage.fetch(ID, 0, 5), await joined(storage.read(ID, 1, 4))
        hot = storage.peek(ID, 0, 5)
        reader = storage.read(ID, 0, 5)
        await draft.finish()

    assert before == (b"hello", b"ell")
    assert hot in (None, b"hello")
    assert await joined(reader) == b"hello"
    assert await storage.fetch(ID, 0, 5) == b"hello"


async def test_readers_of_a_crowd_take_smaller_blocks(storage: LocalStorage) -> None:
    await store(storage, ID, b"a" * 1_000_000)
    storage.threads.readers = 5000

    blocks = [len(block) async for block in storage.read(ID, 0, 1_000_000)]

    assert max(blocks) == SMALLEST_BLOCK
    assert sum(blocks) == 1_000_000


async def test_a_blob_that_is_not_there_is_not_found(storage: LocalStorage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.peek(ID, 0, 1)
    with pytest.raises(FileNotFoundError):
        await storage.fetch(ID, 0, 1)
    with pytest.raises(FileNotFoundError):
        await joined(storage.read(ID, 0, 1))


async def test_a_blob_shorter_than_its_row_is_never_passed_off_as_whole(
    storage: LocalStorage,
) -> None:
    await store(storage, ID, b"hello")

    assert storage.peek(ID, 0, 6) is None
    with pytest.raises(OSError, match="ends before"):
        await storage.fetch(ID, 0, 6)
    with pytest.raises(OSError, match="ends before"):
        await joined(storage.read(ID, 0, 6))


async def test_nothing_is_seen_before_the_end(storage: LocalStorage) -> None:
    async with storage.create(ID) as incoming:
        await incoming.write(b"a" * 3_000_000)
        assert not storage.path(ID).exists()
        await incoming.finish()

    assert storage.path(ID).stat().st_size == 3_000_000
    assert files(storage) == [storage.path(ID)]


@pytest.mark.parametrize("size", [0, 5, 3_000_000])
async def test_what_was_not_finished_is_gone(storage: LocalStorage, size: int) -> None:
    async with storage.create(ID) as incoming:
        await incoming.write(b"a" * size)

    assert files(storage) == []
    assert storage.threads.writers == 0


@pytest.mark.parametrize("while_finishing", [False, True])
async def test_a_cancelled_writer_leaves_nothing_behind(
    storage: LocalStorage, while_finishing: bool
) -> None:
    async def write() -> None:
        async with storage.create(ID) as incoming:
            for _ in range(3 if while_finishing else 1000):
                await incoming.write(b"a" * LARGEST_BLOCK)
            await incoming.finish()

    task = asyncio.create_task(write())
    while not files(storage):
        await storage.threads.off_loop(storage.free_bytes)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(storage) == []


async def test_a_blob_is_never_overwritten(storage: LocalStorage) -> None:
    await store(storage, ID, b"first")

    with pytest.raises(FileExistsError):
        await store(storage, ID, b"second")

    assert storage.path(ID).read_bytes() == b"first"


async def test_an_error_of_the_disk_is_raised_and_leaves_nothing(storage: LocalStorage) -> None:
    (storage.root / "incoming").rmdir()

    with pytest.raises(FileNotFoundError):
        await store(storage, ID, b"a" * 3_000_000)

    assert files(storage) == []


async def test_a_deleted_blob_is_gone_and_may_be_deleted_again(storage: LocalStorage) -> None:
    await store(storage, ID, b"hello")

    await storage.delete(ID)
    await storage.delete(ID)

    assert files(storage) == []


async def test_a_reader_that_leaves_early_closes_its_file(storage: LocalStorage) -> None:
    await store(storage, ID, b"a" * 10_000_000)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as small as it can be

    reader = storage.read(ID, 0, 10_000_000)
    await anext(reader)
    await reader.aclose()

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_only_the_owner_reads_what_is_stored(storage: LocalStorage) -> None:
    await store(storage, ID, b"hello")

    assert stat.S_IMODE(storage.path(ID).stat().st_mode) == 0o600
    assert stat.S_IMODE(storage.path(ID).parent.stat().st_mode) == 0o700


async def test_blocks_shrink_as_writers_come(storage: LocalStorage) -> None:
    assert storage.threads.block_size == LARGEST_BLOCK

    storage.threads.writers = 256
    assert storage.threads.block_size == ALL_BLOCKS // 256

    storage.threads.writers = 5000
    assert storage.threads.block_size == SMALLEST_BLOCK


def test_free_bytes_are_what_the_disk_says(storage: LocalStorage) -> None:
    disk = os.statvfs(storage.root)

    assert abs(storage.free_bytes() - disk.f_bavail * disk.f_frsize) < 1 << 30


async def draft_of(storage: LocalStorage, id: str, size: int, *chunks: bytes) -> None:
    """Append to a draft what is then told to be durable."""
    async with storage.reopen(id, size) as draft:
        await draft.trim()
        for chunk in chunks:
            await draft.write(chunk)
        await draft.flush()
        await draft.sync()
        draft.keep_digest()


def another(storage: LocalStorage) -> LocalStorage:
    """Return the same storage as another worker has it."""
    return LocalStorage(storage.root, storage.threads.executor, storage.threads.executor)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("sizes", [(5, 6), (0, 5, 0), (3_000_000, 1, LARGEST_BLOCK)])
async def test_a_draft_that_is_gone_on_with_becomes_one_blob(
    storage: LocalStorage, elsewhere: bool, sizes: tuple[int, ...]
) -> None:
    done = b""
    for size in sizes:
        more = os.urandom(size)
        await draft_of(storage, ID, len(done), more)
        done += more
        storage = another(storage) if elsewhere else storage

    async with storage.reopen(ID, len(done)) as draft:
        assert not draft.is_whole
        sha256 = await draft.finish()

    assert sha256 == hashlib.sha256(done).hexdigest()
    assert draft.crc32 == zlib.crc32(done)
    assert files(storage) == [storage.path(ID)]
    assert storage.path(ID).read_bytes() == done


async def test_a_draft_is_rewound_to_where_it_was_opened(storage: LocalStorage) -> None:
    await draft_of(storage, ID, 0, b"hello")
    async with storage.reopen(ID, 5) as draft:
        await draft.write(b"x" * 3_000_000)
        await draft.flush()
        await draft.write(b"y")
        await draft.rewind()
        assert draft.size == 5
        await draft.write(b" world")
        sha256 = await draft.finish()

    assert sha256 == hashlib.sha256(b"hello world").hexdigest()
    assert draft.crc32 == zlib.crc32(b"hello world")
    assert storage.path(ID).read_bytes() == b"hello world"


async def test_what_came_after_what_is_durable_is_forgotten(storage: LocalStorage) -> None:
    await draft_of(storage, ID, 0, b"hello, and what nobody was told")
    async with storage.reopen(ID, 5) as draft:
        await draft.trim()
        sha256 = await draft.finish()

    assert storage.path(ID).read_bytes() == b"hello"
    assert sha256 == hashlib.sha256(b"hello").hexdigest()


async def test_one_writes_to_a_draft_and_nobody_else(storage: LocalStorage) -> None:
    async with storage.reopen(ID, 0) as draft:
        await draft.write(b"hello")
        assert await another(storage).is_written_to(ID)
        for other in (storage, another(storage)):
            with pytest.raises(BlockingIOError):
                await other.reopen(ID, 0).__aenter__()

    assert not await storage.is_written_to(ID)


@pytest.mark.parametrize("size", [6, 1 << 40])
async def test_a_draft_that_lost_durable_bytes_is_not_opened(
    storage: LocalStorage, size: int
) -> None:
    await draft_of(storage, ID, 0, b"hello")

    for id in (ID, ID[::-1]):
        with pytest.raises(EOFError):
            await storage.reopen(id, size).__aenter__()

    assert storage.threads.writers == 0
    assert not await storage.is_written_to(ID)
    assert len(files(storage)) == 1


async def test_a_blob_in_its_place_is_whole_and_not_written_to(storage: LocalStorage) -> None:
    await draft_of(storage, ID, 0, b"hello")
    async with storage.reopen(ID, 5) as draft:
        await draft.finish()

    async with another(storage).reopen(ID, 0) as draft:
        assert draft.is_whole
        assert draft.size == 5
        assert await draft.finish() == hashlib.sha256(b"hello").hexdigest()
        assert draft.crc32 == zlib.crc32(b"hello")


async def test_another_sha256_than_expected_leaves_a_draft(storage: LocalStorage) -> None:
    async with storage.reopen(ID, 0) as draft:
        await draft.write(b"hello")
        await draft.finish("ab" * 32)

    assert not storage.path(ID).exists()
    await storage.discard_draft(ID)
    await storage.discard_draft(ID)
    assert files(storage) == []


async def test_drafts_are_joined_and_stay(storage: LocalStorage) -> None:
    parts = {f"{n}" * 26: os.urandom(size) for n, size in enumerate((5, 0, 70_000, 3_000_000))}
    for id, content in parts.items():
        await draft_of(storage, id, 0, content)
    async with storage.reopen(ID, 0) as draft:
        await draft.splice([*parts, *parts])
        sha256 = await draft.finish()

    content = b"".join(parts.values()) * 2
    assert storage.path(ID).read_bytes() == content
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert draft.crc32 == zlib.crc32(content)
    assert len(files(storage)) == 1 + len(parts)


async def test_a_kernel_that_does_not_copy_joins_all_the_same(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EXDEV, "as of a file system that cannot")

    monkeypatch.setattr("os.copy_file_range", refused)
    await draft_of(storage, "a" * 26, 0, b"hello" * 500_000)
    async with storage.reopen(ID, 0) as draft:
        await draft.splice(["a" * 26] * 2)
        await draft.finish()

    assert storage.path(ID).read_bytes() == b"hello" * 1_000_000


async def test_a_part_that_is_gone_is_told(storage: LocalStorage) -> None:
    async with storage.reopen(ID, 0) as draft:
        with pytest.raises(EOFError, match="part"):
            await draft.splice(["a" * 26])


@pytest.mark.parametrize("becomes", ["a blob", "nothing"])
async def test_a_draft_that_goes_while_it_is_opened_is_looked_for_again(
    storage: LocalStorage, becomes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await draft_of(storage, ID, 0, b"hello")
    draft = storage.root / "incoming" / ID
    lock = fcntl.flock

    def late(file: int, how: int) -> None:
        """Lock what somebody else has let go of only after he moved it."""
        monkeypatch.setattr("fcntl.flock", lock)
        if becomes == "a blob":
            storage.path(ID).parent.mkdir()
            draft.rename(storage.path(ID))
        else:
            draft.unlink()
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", late)
    if becomes == "a blob":
        async with storage.reopen(ID, 3) as found:
            assert found.is_whole
            assert found.size == 5
    else:
        with pytest.raises(EOFError):
            await storage.reopen(ID, 3).__aenter__()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LocalStorage]:
    """Return a storage of two megabytes."""
    mount = need_program("mount")
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "none", str(full)], check=True)
    try:
        with ThreadPoolExecutor(2) as executor:
            local = LocalStorage(full, executor, executor)
            local.prepare()
            yield local
    finally:
        subprocess.run(["umount", str(full)], check=True)


async def test_a_full_disk_leaves_what_was_durable(small: LocalStorage) -> None:
    await draft_of(small, ID, 0, b"hello")

    with pytest.raises(OSError, match="No space"):
        await draft_of(small, ID, 5, b"x" * 5_000_000)

    await draft_of(small, ID, 5, b" world")
    async with small.reopen(ID, 11) as draft:
        await draft.finish()
    assert small.path(ID).read_bytes() == b"hello world"
