import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

import pytest

from tests.client import WAIT_SECONDS
from tests.faultproxy import BLOCK_BYTES, BLOCKS_HELD, Fault, FaultProxy, fault_proxy, seeded_faults

CONTENT = bytes(range(256)) * 1000


class Target:
    """A listener whose side of each connection is the test's."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_SECONDS)

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(WAIT_SECONDS)
        return connection


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    with target.listener:
        yield target


@pytest.fixture
def proxy(target: Target) -> Iterator[FaultProxy]:
    with fault_proxy(target.listener.getsockname()) as proxy:
        yield proxy


def call(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(proxy.address, WAIT_SECONDS)


def read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    while block := connection.recv(BLOCK_BYTES):
        received += block
    return bytes(received)


def read_exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        received += connection.recv(size - len(received))
    return bytes(received)


def test_bytes_and_ends_pass_in_both_directions(target: Target, proxy: FaultProxy) -> None:
    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT)
        client.shutdown(socket.SHUT_WR)
        arrived = read_all(server)
        server.sendall(b"answer")
        server.shutdown(socket.SHUT_WR)
        answer = read_all(client)

    assert (arrived, answer) == (CONTENT, b"answer")
    assert proxy.carried == {"up": len(CONTENT), "down": len(b"answer")}


@pytest.mark.parametrize("after", [0, 1, 100_000])
def test_both_ends_are_told_of_a_reset(target: Target, proxy: FaultProxy, after: int) -> None:
    proxy.befall([Fault("reset", after)])

    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT[: after + 1])
        arrived = read_exactly(server, after)
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert arrived == CONTENT[:after]
    assert proxy.struck.get(timeout=WAIT_SECONDS) == Fault("reset", after)


def test_an_answer_can_be_lost(target: Target, proxy: FaultProxy) -> None:
    proxy.befall([Fault("reset", 0, "down")])

    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT)
        arrived = read_exactly(server, len(CONTENT))
        server.sendall(b"answer")
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert arrived == CONTENT


def test_who_is_half_closed_to_sees_the_end_and_can_answer(
    target: Target, proxy: FaultProxy
) -> None:
    proxy.befall([Fault("half-close", 70_000)])

    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT)
        arrived = read_all(server)
        client.sendall(CONTENT)  # nobody told this end
        server.sendall(b"answer")
        server.shutdown(socket.SHUT_WR)
        answer = read_all(client)

    assert (arrived, answer) == (CONTENT[:70_000], b"answer")


def test_of_a_stall_nobody_is_told_and_answers_still_come(
    target: Target, proxy: FaultProxy
) -> None:
    proxy.befall([Fault("stall", 70_000)])

    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT)
        arrived = read_exactly(server, 70_000)
        server.sendall(b"still here?")
        answer = client.recv(100)
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.recv(1)

    assert (arrived, answer) == (CONTENT[:70_000], b"still here?")


def test_stalled_connections_can_be_reset(target: Target, proxy: FaultProxy) -> None:
    proxy.befall([Fault("stall")])

    with call(proxy) as client, target.accept() as server:
        client.sendall(b"x")
        proxy.struck.get(timeout=WAIT_SECONDS)
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionResetError):
            server.recv(1)


def read_until_over(connection: socket.socket) -> bytes:
    received = bytearray()
    with suppress(ConnectionResetError):
        while block := connection.recv(BLOCK_BYTES):
            received += block
    return bytes(received)


def test_faults_strike_in_order_and_count_over_connections(
    target: Target, proxy: FaultProxy
) -> None:
    proxy.befall([Fault("reset", 15), Fault("half-close", 5)])

    arrived = []
    for size in (10, 10, 10, 10):
        with call(proxy) as client:
            client.sendall(CONTENT[:size])
        with target.accept() as server:
            arrived.append(len(read_until_over(server)))

    assert arrived == [10, 5, 5, 10]


def test_a_fault_can_wait_for_bytes_of_the_other_direction(
    target: Target, proxy: FaultProxy
) -> None:
    proxy.befall([Fault("nothing", 100), Fault("nothing", 100), Fault("reset", 0, "down")])

    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT[:150])
        read_exactly(server, 150)
        server.sendall(b"early")
        early = read_exactly(client, 5)
        client.sendall(CONTENT[:51])
        read_exactly(server, 51)
        server.sendall(b"late")
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert early == b"early"


def test_faults_can_be_called_off(target: Target, proxy: FaultProxy) -> None:
    proxy.befall([Fault("reset")])
    proxy.befall([])

    with call(proxy) as client, target.accept() as server:
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)

        assert read_all(server) == b"x"


def test_a_target_that_is_gone_resets_the_caller(target: Target, proxy: FaultProxy) -> None:
    target.listener.close()

    with pytest.raises(ConnectionResetError), call(proxy) as client:
        client.recv(1)


def test_a_delay_makes_each_direction_late_but_not_slow(target: Target, proxy: FaultProxy) -> None:
    proxy.delay_seconds = 0.1
    content = CONTENT * 8  # over thirty blocks, which one after the other would take 3 s

    began = time.monotonic()
    with call(proxy) as client, target.accept() as server, ThreadPoolExecutor(1) as threads:
        sending = threads.submit(client.sendall, content)
        arrived = read_exactly(server, len(content))
        server.sendall(b"x")
        client.recv(1)
        sending.result()
    seconds = time.monotonic() - began

    assert arrived == content
    assert 0.2 <= seconds < 2.5


def test_a_throttled_connection_has_its_rate(target: Target, proxy: FaultProxy) -> None:
    proxy.bytes_per_second = 400_000

    began = time.monotonic()
    with call(proxy) as client, target.accept() as server:
        client.sendall(CONTENT[:200_000])
        read_exactly(server, 200_000)

    assert time.monotonic() - began >= 0.4


def test_what_is_held_for_a_slow_receiver_is_bounded(target: Target, proxy: FaultProxy) -> None:
    proxy.delay_seconds = 3600
    kernel_bytes = 32 << 20  # more than both ends' buffers are ever given
    content = bytes(kernel_bytes + 2 * BLOCKS_HELD * BLOCK_BYTES)

    with call(proxy) as client, target.accept():
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(content)


def test_the_same_seed_gives_the_same_faults() -> None:
    one, same, other = ([*islice(seeded_faults(seed, 1000), 50)] for seed in (1, 1, 2))

    assert one == same != other
    assert {fault.direction for fault in one} == {"up", "down"}
    assert {fault.kind for fault in one} == {"reset", "half-close"}
    assert all(fault.after < 1000 for fault in one)
