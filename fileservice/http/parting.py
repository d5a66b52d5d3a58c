"""How a connection ends so that the last answer is read, and one that stands still is cut."""

import asyncio
from dataclasses import dataclass
from typing import Final

LINGER_SECONDS: Final = 5.0  # for all that a refused client still sends; nginx: lingering_time 30
SILENCE_SECONDS: Final = 2.0  # for its next byte; nginx: lingering_timeout 5
STALL_SECONDS: Final = 60.0  # between two steps of a reader; nginx: send_timeout 60


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long a connection is waited for.

    Attributes:
        linger_seconds: the longest wait for a client that still sends, in all.
        silence_seconds: the longest wait for the next byte of such a client.
        stall_seconds: a client that reads nothing for so long, at most twice as long, is cut.
    """

    linger_seconds: float = LINGER_SECONDS
    silence_seconds: float = SILENCE_SECONDS
    stall_seconds: float = STALL_SECONDS


class Parting:
    """
    The end of one connection.

    The kernel answers data that nobody reads with a reset, and a reset lets the client's kernel
    throw away what it has received and not read yet. So where the client may still be sending,
    the connection is closed for writing first, and what comes in is dropped (RFC 9112 9.6).

    Attributes:
        heard: something came in that nobody is going to use, and more may follow.
        lingering: our side is closed, the client's is waited for.
    """

    def __init__(self, transport: asyncio.Transport, patience: Patience) -> None:
        self.transport = transport
        self.patience = patience
        self.loop = asyncio.get_running_loop()
        self.heard = False
        self.lingering = False
        self._linger_until = 0.0
        self._linger_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unsent = 0

    def has_begun(self) -> bool:
        """Tell whether nothing more can be written."""
        return self.lingering or self.transport.is_closing()

    def linger(self) -> None:
        """Close our side of the connection, and the other one when the client has or time is up."""
        self.heard = self.lingering = True
        if self.transport.can_write_eof():  # not under TLS
            self.transport.write_eof()
        self._linger_until = self.loop.time() + self.patience.linger_seconds
        self._linger_on()

    def _linger_on(self) -> None:
        left = self._linger_until - self.loop.time()
        if not self.heard or left <= 0:
            self.close()
            return
        self.heard = False
        wait = min(left, self.patience.silence_seconds)
        self._linger_timer = self.loop.call_later(wait, self._linger_on)

    def close(self) -> None:
        """Close the connection once all that was written is sent."""
        self.transport.close()
        self.watch_reader()

    def watch_reader(self) -> None:
        """Cut the connection if what was written stays unsent."""
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._stall_timer is None:
            self._unsent = unsent
            self._stall_timer = self.loop.call_later(
                self.patience.stall_seconds, self._check_reader
            )

    def reader_moved(self) -> None:
        """Take note that there is room to write again: the reader stands not still."""
        self._unsent = 0

    def _check_reader(self) -> None:
        self._stall_timer = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent == self._unsent:
            self.transport.abort()
        else:
            self.watch_reader()

    def forget(self) -> None:
        """Stop every clock: the connection is gone."""
        for timer in (self._linger_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
