"""
Passwords of links: kept as scrypt makes them, compared by few, and slowly after a wrong one.

A comparison takes a quarter of a second of a core, so it is made in a pool of its own; who would
wait too long there is refused.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor

from fileservice.errors import BadRequest, ServiceUnavailable, TooManyRequests
from fileservice.pauses import Pauses
from fileservice.tasks import Flights

# 16 MiB and 0.25 s of a core for each: what OWASP's cheat sheet on storing passwords wants at
# least of scrypt, and Django's own hasher takes.
COST = 1 << 14
BLOCK_SIZE = 8
PARALLELISM = 5
SALT_BYTES = 16
KEY_BYTES = 32
LARGEST_MEMORY = 64 << 20

MAX_PASSWORD_BYTES = 1024
THREADS = 2
MAX_WAITING = 16  # two seconds of both threads
# For that long a program that shows a password with every request costs no other comparison.
BELIEVED_SECONDS = 600.0
MAX_BELIEVED = 1000


def hashed(password: str) -> str:
    """
    Return what a row keeps of a password, with its salt and its cost.

    Raises:
        BadRequest: it is empty or too long.
    """
    if not 0 < len(password.encode()) <= MAX_PASSWORD_BYTES:
        raise BadRequest(f"A password has 1 to {MAX_PASSWORD_BYTES:,} bytes.")
    salt = secrets.token_bytes(SALT_BYTES)
    key = derived(password, salt, COST, BLOCK_SIZE, PARALLELISM)
    return f"scrypt${COST}${BLOCK_SIZE}${PARALLELISM}${text_of(salt)}${text_of(key)}"


def is_right(password: str, kept: str) -> bool:
    """Tell whether a password is the one that `hashed` returned this for."""
    _, cost, block_size, parallelism, salt, key = kept.split("$")
    found = derived(password, base64.b64decode(salt), int(cost), int(block_size), int(parallelism))
    return hmac.compare_digest(found, base64.b64decode(key))


def derived(password: str, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    """Return the key of a password (RFC 7914); one that looks the same is the same."""
    return hashlib.scrypt(
        normalized(password),
        salt=salt,
        n=cost,
        r=block_size,
        p=parallelism,
        maxmem=LARGEST_MEMORY,
        dklen=KEY_BYTES,
    )


def normalized(password: str) -> bytes:
    """Return the bytes of a password, whichever keyboard it was typed on (RFC 8265 4.2.2)."""
    return unicodedata.normalize("NFC", password).encode()


def text_of(content: bytes) -> str:
    """Return bytes as text for a row."""
    return base64.b64encode(content).decode()


class Passwords:
    """Compares passwords for one worker; each link is known by a text of its own."""

    def __init__(self, executor: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self._executor = executor
        self._clock = clock
        self._waiting = 0
        self._flights: Flights[bytes, bool] = Flights()
        self._proof_key = secrets.token_bytes(32)
        self._believed: OrderedDict[bytes, float] = OrderedDict()
        self._pauses = Pauses(clock)

    async def hash(self, password: str) -> str:
        """
        Return what a row keeps of a password; see `hashed`.

        Raises:
            ServiceUnavailable: too many wait.
        """
        self._refuse_crowd()
        return await self._run(hashed, password)

    async def check(self, password: str, kept: str, *, link: str, address: str) -> bool:
        """
        Tell whether a password is right; after a wrong one the next has to wait.

        Of several requests with the same password at the same time one is compared, so that a
        program which opens several connections at once is not taken for somebody who guesses.

        Raises:
            TooManyRequests: it has not waited.
            ServiceUnavailable: too many wait for theirs to be compared.
        """
        proof = self._proof_of(password, kept, link, address)
        return await self._flights.join(
            proof, lambda: self._check(proof, password, kept, link, address)
        )

    async def close(self) -> None:
        """Stop waiting for the comparisons under way."""
        await self._flights.close()

    async def _check(self, proof: bytes, password: str, kept: str, link: str, address: str) -> bool:
        left = self._pauses.left(link, address)
        if left > 0:
            raise TooManyRequests(
                "The password was wrong; the next one is looked at after a pause.",
                headers={"Retry-After": str(int(left) + 1)},
            )
        if self._believed.get(proof, 0.0) > self._clock():
            return True
        self._refuse_crowd()
        self._pauses.begin(link, address)
        if not await self._run(is_right, password, kept):
            self._pauses.confirm(link, address)
            return False
        self._pauses.forget(link, address)
        self._believed[proof] = self._clock() + BELIEVED_SECONDS
        if len(self._believed) > MAX_BELIEVED:
            self._believed.popitem(last=False)
        return True

    def _proof_of(self, *said: str) -> bytes:
        """Return what stands for a password that somebody shows, in this process only."""
        lengths = [len(normalized(each)).to_bytes(4) + normalized(each) for each in said]
        return hmac.digest(self._proof_key, b"".join(lengths), "sha256")

    def _refuse_crowd(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise ServiceUnavailable(
                "Many passwords are being looked at; try again.", headers={"Retry-After": "5"}
            )

    async def _run[T](self, call: Callable[..., T], *args: str) -> T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)
        finally:
            self._waiting -= 1
