"""How long who was wrong has to wait before the next attempt is looked at; of one worker."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

LONGEST_PAUSE_SECONDS = 300
# After an hour of quiet what was wrong is forgotten; or when others need the room.
FORGOTTEN_SECONDS = 3600
MAX_REMEMBERED = 10_000


class Wrong(NamedTuple):
    """How often in a row somebody was wrong, and until when nothing is looked at."""

    times: int
    until: float


class Pauses:
    """
    Who was wrong, each at one link from one address.

    An attempt counts as wrong from its beginning, so that many at once are no way around.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[tuple[str, str], Wrong] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wrong)

    def left(self, link: str, address: str) -> float:
        """Return the seconds until the next attempt is looked at; none or less where it is now."""
        wrong = self._wrong.get((link, network_of(address)))
        return wrong.until - self._clock() if wrong is not None else 0.0

    def begin(self, link: str, address: str) -> None:
        """Count an attempt: the pause after it is a second, and twice the last one each time."""
        now, key = self._clock(), (link, network_of(address))
        last = self._wrong.pop(key, Wrong(0, now))
        times = last.times + 1 if now - last.until < FORGOTTEN_SECONDS else 1
        self._wrong[key] = Wrong(times, now + pause_after(times))
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)

    def confirm(self, link: str, address: str) -> None:
        """Let the pause begin now: it was wrong, and took a while to be looked at."""
        key = (link, network_of(address))
        if (wrong := self._wrong.get(key)) is not None:
            self._wrong[key] = Wrong(wrong.times, self._clock() + pause_after(wrong.times))

    def forget(self, link: str, address: str) -> None:
        """Take back what was counted: it was right."""
        self._wrong.pop((link, network_of(address)), None)


def pause_after(times: int) -> float:
    """Return the seconds that who was wrong so often in a row has to wait."""
    return min(2.0 ** (min(times, 32) - 1), LONGEST_PAUSE_SECONDS)


def network_of(address: str) -> str:
    """Return what stands for one visitor: of IPv6 the 64 bits that a provider gives out."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # a socket file has none
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))
