"""A proxy on 127.0.0.1 that forwards TCP as bad lines do: late, slowly, in pieces, not at all."""

import array
import asyncio
import fcntl
import random
import socket
import struct
import termios
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Literal

START_SECONDS = 20
ARRIVE_SECONDS = 20
BLOCK_BYTES = 1 << 16
BLOCKS_HELD = 16  # in each direction of a connection: 10 MB/s when each is 100 ms late
SLICE_SECONDS = 0.05  # what is throttled goes out in pieces of so long
PENDING = 1024  # connections that nobody accepted yet
# SO_LINGER of socket(7): closing after no time is RST.
RESET_AT_ONCE = struct.pack("ii", 1, 0)
NO_RESET = struct.pack("ii", 0, 0)

type Direction = Literal["up", "down"]
type Block = tuple[float, bytes]  # when it is due, and what it is
Held = asyncio.Queue[Block]


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What befalls the connection that carries a certain byte.

    Attributes:
        kind: of a "reset" both ends are told by RST; a "half-close" tells the receiver that the
            sender ended, which is not told, and may still be answered; of a "stall" nobody is
            told: nothing comes through any more in this direction; "nothing" happens, but that the
            next fault has its turn.
        after: so many bytes still come through, counted over all connections since the last
            fault.
        direction: "up" is to the server.
    """

    kind: Literal["reset", "half-close", "stall", "nothing"]
    after: int = 0
    direction: Direction = "up"


class Reset(Exception):
    """A connection is to be reset."""


def seeded_faults(seed: int, most_bytes: int) -> Iterator[Fault]:
    """Yield faults without end, each at most `most_bytes` after the last; no stalls."""
    chosen = random.Random(seed)  # noqa: S311  # the same ones in each run
    while True:
        after = chosen.randrange(most_bytes)
        if chosen.random() < 0.2:
            # Within an answer, which is short, or before it: then it is lost.
            yield Fault("reset", after % 300, "down")
        else:
            yield Fault(chosen.choice(("reset", "half-close")), after)


class Plan:
    """The faults to come, and how near the next one is."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._coming = iter(faults)
        self._next = next(self._coming, None)
        self._passed = 0

    def carry(self, direction: Direction, size: int) -> tuple[int, Fault | None]:
        """Return how many of `size` bytes come through, and the fault that then strikes."""
        carried = 0
        while (fault := self._next) is not None and fault.direction == direction:
            room = fault.after - self._passed
            if size - carried <= room:
                self._passed += size - carried
                break
            carried += room
            self._next = next(self._coming, None)
            self._passed = 0
            if fault.kind != "nothing":
                return carried, fault
        return size, None


@dataclass(eq=False)
class FaultProxy:
    """
    What is forwarded where, and how. The first three may be changed while it runs.

    Attributes:
        target: where new connections go.
        delay_seconds: how late each direction is.
        bytes_per_second: of each direction of each connection; 0 is without limit.
        struck: the faults that took place.
        carried: bytes that came through, by direction.
    """

    target: tuple[str, int]
    delay_seconds: float = 0
    bytes_per_second: int = 0
    struck: SimpleQueue[Fault] = field(default_factory=SimpleQueue)
    carried: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    port: int = 0
    _plan: Plan = field(default_factory=lambda: Plan(()))
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(init=False)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def befall(self, faults: Iterable[Fault]) -> None:
        """Let these faults strike one after the other, in place of those still to come."""
        self._plan = Plan(faults)

    def reset_all(self) -> None:
        """Reset every connection there is, stalled ones too."""
        self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for task in self._connections:
            task.cancel()

    async def run(self, started: Future[None], ended: threading.Event) -> None:
        """Forward until `ended`; what is left then is reset."""
        self._loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0), backlog=PENDING) as listener:
            listener.setblocking(False)
            self.port = listener.getsockname()[1]
            async with asyncio.TaskGroup() as group:
                accepting = group.create_task(self._accept(listener, group))
                started.set_result(None)
                await asyncio.to_thread(ended.wait)
                accepting.cancel()
                self._cancel_all()

    async def _accept(self, listener: socket.socket, group: asyncio.TaskGroup) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = group.create_task(self._connect(client))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _connect(self, client: socket.socket) -> None:
        """Forward one connection; any end of it but the orderly one is a reset of both sides."""
        with client, socket.socket() as server:
            ends = client, server
            for end in ends:
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
            try:
                await asyncio.get_running_loop().sock_connect(server, self.target)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._forward(client, server, "up"))
                    group.create_task(self._forward(server, client, "down"))
                for end in ends:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_RESET)
            except* (Reset, OSError):
                pass

    async def _forward(
        self, sender: socket.socket, receiver: socket.socket, direction: Direction
    ) -> None:
        held = Held(BLOCKS_HELD)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(sender, held))
            group.create_task(self._write(receiver, held, direction))

    async def _read(self, sender: socket.socket, held: Held) -> None:
        """Hold what comes until it is due; the end is an empty block."""
        loop = asyncio.get_running_loop()
        block = b"begun"
        while block:
            block = await loop.sock_recv(sender, BLOCK_BYTES)
            await held.put((loop.time() + self.delay_seconds, block))

    async def _write(self, receiver: socket.socket, held: Held, direction: Direction) -> None:
        """Send what is due until the end, or let the fault strike."""
        fault = await self._send_due(receiver, held, direction)
        if fault is None:
            end(receiver)
            return
        await arrived(receiver)
        self.struck.put(fault)
        if fault.kind == "reset":
            raise Reset
        if fault.kind == "stall":
            await asyncio.get_running_loop().create_future()
        end(receiver)
        while (await held.get())[1]:
            pass

    async def _send_due(
        self, receiver: socket.socket, held: Held, direction: Direction
    ) -> Fault | None:
        """Send each block when it is due; return the fault that ended it, if one did."""
        loop = asyncio.get_running_loop()
        while True:
            due, block = await held.get()
            await asyncio.sleep(due - loop.time())
            if not block:
                return None
            room, fault = self._plan.carry(direction, len(block))
            await self._send(receiver, block[:room], direction)
            if fault is not None:
                return fault

    async def _send(self, receiver: socket.socket, block: bytes, direction: Direction) -> None:
        loop = asyncio.get_running_loop()
        while block:
            rate = self.bytes_per_second
            piece = block[: max(1, int(rate * SLICE_SECONDS))] if rate else block
            await loop.sock_sendall(receiver, piece)
            self.carried[direction] += len(piece)
            block = block[len(piece) :]
            if rate:
                await asyncio.sleep(len(piece) / rate)


async def arrived(receiver: socket.socket) -> None:
    """Return when the receiver's kernel has all that was sent: a reset drops what it has not."""
    unsent = array.array("i", [1])
    async with asyncio.timeout(ARRIVE_SECONDS):
        while unsent[0]:
            await asyncio.sleep(0.001)
            fcntl.ioctl(receiver, termios.TIOCOUTQ, unsent)


def end(receiver: socket.socket) -> None:
    """Tell the receiver that nothing more will come."""
    with suppress(OSError):  # it may have closed already
        receiver.shutdown(socket.SHUT_WR)


@contextmanager
def fault_proxy(target: tuple[str, int]) -> Iterator[FaultProxy]:
    """Run a proxy before `target`, in a thread of its own, until the end of the block."""
    proxy = FaultProxy(target)
    started: Future[None] = Future()
    ended = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(asyncio.run, proxy.run(started, ended))
        try:
            started.result(START_SECONDS)
            yield proxy
        finally:
            ended.set()
        running.result()
