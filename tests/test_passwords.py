import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fileservice import passwords, pauses
from fileservice.errors import BadRequest, ServiceUnavailable, TooManyRequests
from fileservice.passwords import Passwords, hashed, is_right
from fileservice.pauses import Pauses

RIGHT = "opens the door"
KEPT = hashed(RIGHT)


class Clock:
    """A clock that stands still until it is wound on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(passwords.THREADS) as threads:
        yield threads


async def check(held: Passwords, password: str, address: str = "192.0.2.1") -> bool:
    return await held.check(password, KEPT, link="a link", address=address)


def test_what_is_kept_tells_its_cost_and_never_the_password() -> None:
    scheme, cost, block_size, parallelism, *_ = KEPT.split("$")

    assert (scheme, int(cost), int(block_size), int(parallelism)) == ("scrypt", 1 << 14, 8, 5)
    assert RIGHT not in KEPT
    assert len(KEPT) <= 255
    assert hashed(RIGHT) != KEPT


@pytest.mark.parametrize(
    ("password", "right"),
    [(RIGHT, True), (RIGHT + " ", False), (RIGHT.upper(), False), ("", False)],
)
def test_only_the_password_itself_is_right(password: str, right: bool) -> None:
    assert is_right(password, KEPT) is right


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert is_right("cafe\u0301", hashed("caf\u00e9"))


def test_a_cost_that_was_kept_is_the_one_that_is_used() -> None:
    cheap = passwords.derived(RIGHT, b"salt", 2, 8, 1)
    kept = f"scrypt$2$8$1${passwords.text_of(b'salt')}${passwords.text_of(cheap)}"

    assert is_right(RIGHT, kept)
    assert not is_right("another", kept)


@pytest.mark.parametrize("password", ["", "x" * 1025, "\u00e9" * 513])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(BadRequest):
        hashed(password)


def test_the_pause_doubles_up_to_its_longest(clock: Clock) -> None:
    held = Pauses(clock)
    lefts = []
    for _ in range(12):
        held.begin("a", "192.0.2.1")
        lefts.append(held.left("a", "192.0.2.1"))
        clock.now += lefts[-1]

    assert lefts == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert held.left("a", "192.0.2.1") == 0


@pytest.mark.parametrize(
    ("link", "address", "waits"),
    [
        ("a", "2001:db8::1", True),
        ("a", "2001:db8:0:0:ffff::1", True),
        ("a", "2001:db8:0:1::1", False),
        ("b", "2001:db8::1", False),
        ("a", "192.0.2.1", True),
        ("a", "::ffff:192.0.2.1", True),
        ("a", "192.0.2.2", False),
        ("a", "::ffff:192.0.2.2", False),
    ],
)
def test_a_pause_is_of_one_link_and_one_visitor(
    clock: Clock, link: str, address: str, waits: bool
) -> None:
    held = Pauses(clock)
    held.begin("a", "2001:db8::1")
    held.begin("a", "192.0.2.1")

    assert (held.left(link, address) > 0) is waits


def test_an_hour_of_quiet_forgets_what_was_wrong(clock: Clock) -> None:
    held = Pauses(clock)
    for _ in range(5):
        held.begin("a", "192.0.2.1")
    clock.now += pauses.FORGOTTEN_SECONDS + 16
    held.begin("a", "192.0.2.1")

    assert held.left("a", "192.0.2.1") == 1


def test_no_crowd_of_addresses_fills_the_memory(clock: Clock) -> None:
    held = Pauses(clock)
    for number in range(pauses.MAX_REMEMBERED + 10):
        held.begin("a", f"visitor {number}")

    assert len(held) == pauses.MAX_REMEMBERED
    assert held.left("a", "visitor 0") == 0
    assert held.left("a", "visitor 10") == 1


async def test_after_a_wrong_one_the_right_one_waits_too(
    clock: Clock, executor: ThreadPoolExecutor
) -> None:
    held = Passwords(executor, clock)
    assert not await check(held, "wrong")

    with pytest.raises(TooManyRequests) as refused:
        await check(held, RIGHT)
    assert refused.value.headers == {"Retry-After": "2"}
    assert await check(held, RIGHT, address="192.0.2.2")
    clock.now += 1
    assert await check(held, RIGHT)


def test_the_pause_begins_when_it_is_known_to_be_wrong(clock: Clock) -> None:
    held = Pauses(clock)
    held.begin("a", "192.0.2.1")
    clock.now += 5
    held.confirm("a", "192.0.2.1")

    assert held.left("a", "192.0.2.1") == 1


async def test_many_guesses_at_once_are_one(clock: Clock, executor: ThreadPoolExecutor) -> None:
    held = Passwords(executor, clock)

    found = await asyncio.gather(
        *(check(held, f"guess {number}") for number in range(8)), return_exceptions=True
    )

    assert sorted(map(str, map(type, found))) == [str(bool)] + [str(TooManyRequests)] * 7


async def test_a_program_with_many_connections_is_nobody_who_guesses(
    clock: Clock, executor: ThreadPoolExecutor
) -> None:
    held = Passwords(executor, clock)

    assert await asyncio.gather(*(check(held, RIGHT) for _ in range(30))) == [True] * 30
    assert await check(held, RIGHT)


async def test_who_was_believed_is_no_way_around_the_pause(
    clock: Clock, executor: ThreadPoolExecutor
) -> None:
    held = Passwords(executor, clock)
    assert await check(held, RIGHT)
    assert not await check(held, "wrong")

    with pytest.raises(TooManyRequests):
        await check(held, RIGHT)


async def test_what_was_believed_ends_with_the_password(
    clock: Clock, executor: ThreadPoolExecutor
) -> None:
    held = Passwords(executor, clock)
    assert await check(held, RIGHT)
    changed = await held.hash("another")

    assert not await held.check(RIGHT, changed, link="a link", address="192.0.2.1")


async def test_who_would_wait_too_long_is_refused(
    clock: Clock, executor: ThreadPoolExecutor
) -> None:
    held = Passwords(executor, clock)
    crowd = passwords.MAX_WAITING + 3

    found = await asyncio.gather(
        *(check(held, "wrong", address=f"192.0.2.{number}") for number in range(crowd)),
        return_exceptions=True,
    )

    refused = [each for each in found if isinstance(each, ServiceUnavailable)]
    assert found.count(False) == passwords.MAX_WAITING
    assert [each.headers for each in refused] == [{"Retry-After": "5"}] * 3
    # Who was not even compared has not been wrong.
    assert await check(held, RIGHT, address=f"192.0.2.{crowd - 1}")
