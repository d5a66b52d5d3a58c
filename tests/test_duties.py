"""What one worker does for all of them: leases of duties, on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from fileservice import duties
from fileservice.duties import Duties, TurnLost
from tests.resumables import Service, service_in
from tests.test_sweeping import let_go

PAST = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def service(
    tmp_path: Path, migrated: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Service]:
    with service_in(tmp_path, migrated, django_db_blocker) as made:
        yield made


async def test_one_has_a_duty_and_the_next_when_it_is_done(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        async with Duties(one.ledger).turn("sweep"):
            with pytest.raises(TurnLost):
                await Duties(other.ledger).turn("sweep").__aenter__()
            assert await Duties(other.ledger).holder("sweep") != ""

        async with Duties(other.ledger).turn("sweep"):
            pass
        assert await Duties(one.ledger).holder("sweep") == ""


async def test_another_duty_is_free(service: Service) -> None:
    async with service.worker() as one:
        mine = Duties(one.ledger)
        async with mine.turn("sweep"), mine.turn("other"):
            assert await mine.holder("other") == await mine.holder("sweep") != ""


async def test_a_duty_that_was_done_is_not_done_again_too_soon(service: Service) -> None:
    async with service.worker() as one:
        async with Duties(one.ledger).turn("sweep", done_before=PAST):
            pass

        with pytest.raises(TurnLost):
            await Duties(one.ledger).turn("sweep", done_before=PAST).__aenter__()
        async with Duties(one.ledger).turn("sweep", done_before=datetime.now(UTC)):
            pass


async def test_a_duty_that_failed_is_not_done(service: Service) -> None:
    async with service.worker() as one:
        with pytest.raises(OSError, match="the disk"):
            async with Duties(one.ledger).turn("sweep", done_before=PAST):
                raise OSError("the disk")

        async with Duties(one.ledger).turn("sweep", done_before=PAST):
            pass


async def test_who_stood_still_for_too_long_learns_that_another_has_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties, "RENEW_SECONDS", 0)
    async with service.worker() as one, Duties(one.ledger).turn("sweep") as turn:
        await turn.keep()
        let_go(service.root)
        async with Duties(one.ledger).turn("sweep") as theirs:
            with pytest.raises(TurnLost):
                await turn.keep()
            await theirs.keep()


async def test_who_lost_a_duty_does_not_take_it_from_its_holder(service: Service) -> None:
    async with service.worker() as one, service.worker() as other:
        first = Duties(one.ledger).turn("sweep")
        await first.__aenter__()
        let_go(service.root)
        async with Duties(other.ledger).turn("sweep"):
            await first.__aexit__(None, None, None)

            assert await Duties(one.ledger).holder("sweep") != ""
