"""Pictures of templates: made once, kept where plans are kept, a few at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fileservice import pictures as module
from fileservice.compilation import Compiler
from fileservice.errors import NotFound, ServiceUnavailable
from fileservice.pdf import sandbox
from fileservice.pdf.errors import NotDrawn
from fileservice.pictures import Pictures
from tests.pdfs import page_of, shipped_template
from tests.pictures import decoded

NAME = page_of(b"BT /F1 14 Tf 60 700 Td (%name%) Tj ET")


@pytest.fixture
async def pictures(tmp_path: Path) -> AsyncIterator[Pictures]:
    opened = Pictures(Compiler(tmp_path))
    yield opened
    await opened.close()


def kept(pictures: Pictures) -> list[Path]:
    return sorted(pictures.compiler.folder.glob("*.png"))


async def test_twenty_at_once_have_one_picture_made(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = await pictures.compiler.compile(NAME, keep=True)
    # More than one would be refused.
    monkeypatch.setattr(module, "MAX_WAITING", 1)

    found = await asyncio.gather(*(pictures.preview(template, 1) for _ in range(20)))

    assert len(set(found)) == 1
    [file] = kept(pictures)
    assert file.read_bytes() == found[0].content
    assert file.name.startswith(pictures.compiler.file_of(template.plan).name)


async def test_a_kept_picture_serves_another_worker_and_the_next_start(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = await pictures.compiler.compile(NAME, keep=True)
    first = await pictures.preview(template, 1)
    monkeypatch.setattr(sandbox, "BOOT", "raise SystemExit('never asked')")

    other = await Pictures(Compiler(pictures.compiler.folder)).preview(template, 1)

    assert (other.content, other.sha256) == (first.content, first.sha256)


async def test_of_a_template_that_is_not_kept_no_picture_is(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 1)
    template = await pictures.compiler.compile(NAME, keep=False)
    other = await pictures.compiler.compile(shipped_template(), keep=False)

    first = await pictures.preview(template, 1)
    again = await pictures.preview(template, 1)
    await pictures.preview(other, 1)
    anew = await pictures.preview(template, 1)

    assert again is first
    assert anew is not first
    assert anew.content == first.content
    assert kept(pictures) == []


async def test_what_stands_beside_a_template_makes_another_picture(pictures: Pictures) -> None:
    side = b'{"fields": {"name": {"size": 30}}}'
    plain = await pictures.compiler.compile(NAME, keep=True)
    large = await pictures.compiler.compile(NAME, keep=True, side=side)

    first, second = await pictures.preview(plain, 1), await pictures.preview(large, 1)

    assert first.sha256 != second.sha256
    assert len(kept(pictures)) == 2


async def test_too_many_who_wait_are_sent_away(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    template = await pictures.compiler.compile(NAME, keep=True)
    asked = [asyncio.create_task(pictures.filled(template, NAME, 1)) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(ServiceUnavailable) as refused:
        await pictures.filled(template, NAME, 1)

    assert refused.value.headers == {"Retry-After": "5"}
    assert [decoded(await each).width for each in asked] == [1131] * 3
    assert decoded(await pictures.filled(template, NAME, 1)).width == 1131


@pytest.mark.parametrize("page", [0, 2, -1, 9999])
async def test_a_page_that_is_not_there_is_not_found(pictures: Pictures, page: int) -> None:
    template = await pictures.compiler.compile(NAME, keep=False)

    with pytest.raises(NotFound):
        await pictures.preview(template, page)
    with pytest.raises(NotFound):
        await pictures.filled(template, b"", page)


async def test_a_picture_that_failed_is_tried_again(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = await pictures.compiler.compile(NAME, keep=True)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "WALL_SECONDS", 0.01)
        with pytest.raises(NotDrawn):
            await pictures.preview(template, 1)

    assert decoded((await pictures.preview(template, 1)).content).width == 1131


async def test_what_is_made_ends_with_the_service(pictures: Pictures) -> None:
    template = await pictures.compiler.compile(NAME, keep=True)
    waiting = asyncio.create_task(pictures.preview(template, 1))
    await asyncio.sleep(0.05)

    await pictures.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert kept(pictures) == []
