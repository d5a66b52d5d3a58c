"""What asks a ClamAV daemon about bytes: INSTREAM of clamd(8), over a socket file or TCP."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Final

from fileservice.options import ClamdAddress

CONNECT_SECONDS = 5.0
# Of one block: a daemon that takes nothing for so long stands still.
SEND_SECONDS = 30.0
# Of all of it; the daemon's own MaxScanTime is two minutes.
SCAN_SECONDS = 300.0
MAX_REPLY_BYTES = 4096
END: Final = struct.pack("!I", 0)
# What it says of more than StreamMaxLength, before it closes the connection.
OVERRUN = b"INSTREAM size limit exceeded"
# What it calls content that it did not look at wholly, where AlertExceedsMax is on.
LIMITS = "Heuristics.Limits.Exceeded"


class ScannerFailed(Exception):
    """The daemon broke off, is too slow, or says that it failed."""


class ScannerDown(ScannerFailed):
    """The daemon cannot be reached, whatever it is asked about."""


class TooLargeToScan(Exception):
    """The daemon looks at less than that."""


class Clamd:
    """
    A ClamAV daemon.

    Attributes:
        address: its socket file, or host and port.
    """

    def __init__(self, address: ClamdAddress) -> None:
        self.address = address

    async def scan(self, blocks: AsyncIterable[bytes]) -> str:
        """
        Return the name of what the daemon finds in `blocks`; empty for nothing.

        What `blocks` raises is raised.

        Raises:
            TooLargeToScan: it did not look at all of them.
            ScannerDown, ScannerFailed: it did not say.
        """
        with await self._connect() as connection:
            try:
                async with asyncio.timeout(SCAN_SECONDS):
                    reply = await exchanged(connection, blocks)
            except (TimeoutError, ConnectionError) as error:
                raise ScannerFailed(f"{self} broke off, or is too slow ({error})") from error
        return finding_of(reply)

    async def _connect(self) -> socket.socket:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if isinstance(self.address, Path):
                    return await connected(socket.AF_UNIX, str(self.address))
                return await connected_to_any(*self.address)
        except OSError as error:
            raise ScannerDown(f"{self} cannot be reached ({error})") from error

    def __str__(self) -> str:
        if isinstance(self.address, Path):
            return str(self.address)
        host, port = self.address
        return f"{host}:{port}"


async def connected_to_any(host: str, port: int) -> socket.socket:
    """Return a stream that is connected to the first address of a host that lets one in."""
    loop = asyncio.get_running_loop()
    *others, last = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, _, _, _, where in others:
        with contextlib.suppress(ConnectionRefusedError):
            return await connected(family, where)
    return await connected(last[0], last[4])


async def connected(family: int, where: object) -> socket.socket:
    """Return a stream that is connected to `where`."""
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, where)  # type: ignore[arg-type]  # a path or an address, as the family has it
    except BaseException:
        connection.close()
        raise
    return connection


async def exchanged(connection: socket.socket, blocks: AsyncIterable[bytes]) -> bytes:
    """Send `blocks` and return what is answered; it may be answered before the last."""
    answering = asyncio.create_task(answer(connection))
    try:
        # Who hears no more has said why before it closed the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await send(connection, blocks)
        return await answering
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def send(connection: socket.socket, blocks: AsyncIterable[bytes]) -> None:
    """Send `blocks`, each with its length before it."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"zINSTREAM\0")
    async for block in blocks:
        async with asyncio.timeout(SEND_SECONDS):
            await loop.sock_sendall(connection, struct.pack("!I", len(block)))
            await loop.sock_sendall(connection, block)
    await loop.sock_sendall(connection, END)


async def answer(connection: socket.socket) -> bytes:
    """Return what the daemon says, up to its end or NUL."""
    loop = asyncio.get_running_loop()
    said = b""
    while b"\0" not in said and len(said) < MAX_REPLY_BYTES:
        piece = await loop.sock_recv(connection, MAX_REPLY_BYTES)
        if not piece:
            break
        said += piece
    return said.partition(b"\0")[0]


def finding_of(reply: bytes) -> str:
    """
    Return what a reply says was found; empty for nothing.

    Raises:
        TooLargeToScan, ScannerFailed: as `Clamd.scan`.
    """
    said = reply.decode(errors="replace")
    if reply.startswith(OVERRUN):
        raise TooLargeToScan
    if said == "stream: OK":
        return ""
    if said.startswith("stream: ") and said.endswith(" FOUND"):
        finding = said.removeprefix("stream: ").removesuffix(" FOUND")
        if finding.startswith(LIMITS):
            raise TooLargeToScan
        return finding
    raise ScannerFailed(f"the scanner says {said[:200]!r}" if said else "the scanner broke off")
