"""The outside world as the tests need it: what hosts say, names, networks of their own."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.conftest import need_program
from tests.otherhosts import Answering


def said(
    content: bytes | str,
    media_type: str = "text/plain",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    close: bool = False,
) -> Answering:
    """Return what always answers so, and closes the connection if it shall."""
    body = content.encode() if isinstance(content, str) else content

    async def answer(_: web.Request) -> web.Response:
        response = web.Response(
            body=body, status=status, headers={"Content-Type": media_type, **(headers or {})}
        )
        if close:
            response.force_close()
        return response

    return answer


@dataclass
class Names:
    """
    What the world says to whoever looks a name up, in place of `socket.getaddrinfo`.

    Attributes:
        answers: for each name its addresses, lookup by lookup; the last ones stay.
        asked: the names that were looked up, in order.
        threads: the names of the threads that looked up.
    """

    answers: dict[str, list[Sequence[str]]]
    asked: list[str] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def look_up(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        self.threads.add(threading.current_thread().name)
        answers = self.answers.get(host, [])
        found = answers.pop(0) if len(answers) > 1 else next(iter(answers), ())
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, 0, 0, 0) if ":" in address else (address, 0),
            )
            for address in found
        ]


def names_are(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Sequence[Sequence[str]]]
) -> Names:
    """Let the world know only these names, until the end of the test."""
    names = Names({name: list(each) for name, each in answers.items()})
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
    return names


def need_namespaces() -> None:
    """Skip where networks cannot be made, for which one has to be root; fail in CI."""
    need_program("ip")
    attempt = [need_program("unshare"), "--net", "ip", "-6", "address", "add", "::2", "dev", "lo"]
    if subprocess.run(attempt, capture_output=True, check=False).returncode == 0:
        return
    if os.environ.get("CI"):
        pytest.fail("network namespaces cannot be made here")
    pytest.skip("network namespaces cannot be made here")


def within[T](enter: Callable[[], None], work: Callable[[], T]) -> T:
    """Return what `work` does in a thread of its own, which `enter` moved to another network."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            enter()
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def in_a_new_network[T](commands: Sequence[str], work: Callable[[], T]) -> T:
    """Return what `work` does in a network that has only what the `commands` of ip make."""

    def enter() -> None:
        os.unshare(os.CLONE_NEWNET)
        for command in commands:
            # The child is in the network of the thread that starts it.
            subprocess.run(["ip", *command.split()], check=True)

    return within(enter, work)


def in_network[T](name: str, work: Callable[[], T]) -> T:
    """Return what `work` does in the network that `ip netns add` gave this name."""

    def enter() -> None:
        with open(f"/run/netns/{name}", "rb") as namespace:  # noqa: PTH123 - setns takes the file
            os.setns(namespace.fileno(), os.CLONE_NEWNET)

    return within(enter, work)
