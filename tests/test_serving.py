"""The service as a process: workers, other servers, starting, stopping."""

import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.client import raw_exchange
from tests.conftest import (
    CHECKOUT,
    START_SECONDS,
    Server,
    environment,
    free_port,
    manage,
    serving,
)
from tests.echo import is_listening, wait_until
from tests.servers import walk


def test_several_workers_serve_one_store(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: walk(running), range(24)))

        assert running.stored() == []


def test_a_unix_socket_serves(migrated: Path, tmp_path: Path) -> None:
    root = shutil.copytree(migrated, tmp_path / "root")
    path = tmp_path / "s"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--uds", str(path)],
        env=environment(root, ACCESS="open"),
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_listening(path))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def test_a_stop_lets_an_upload_end(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        head = (
            f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nContent-Length: 9\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        with socket.create_connection(running.address, 30) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            running.process.send_signal(signal.SIGTERM)
            connection.sendall(b"some more")
            answer = connection.recv(4096)

        assert answer.startswith(b"HTTP/1.1 201 ")
        assert running.process.wait(START_SECONDS) in (0, -signal.SIGTERM)


def test_the_address_is_told_before_anything_else(migrated: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        first = running.log.read_text().splitlines()[0]

        assert first == f"fileservice is on {running.url} (stop with Ctrl+C)"


def test_a_database_without_tables_stops_the_start(tmp_path: Path) -> None:
    refused = manage(tmp_path, "serve", "--port", str(free_port()))

    assert refused.returncode != 0
    assert "run `python manage.py migrate`" in refused.stderr


def test_no_migration_is_missing(migrated: Path) -> None:
    assert manage(migrated, "makemigrations", "--check", "--dry-run").returncode == 0


def test_zero_workers_are_refused(migrated: Path) -> None:
    assert "--workers must be 1 or more" in manage(migrated, "serve", "--workers", "0").stderr


def test_health_is_told_to_machines_of_any_name(server: Server) -> None:
    for path in ("/livez", "/readyz"):
        request = f"GET {path} HTTP/1.1\r\nHost: probe.internal\r\nConnection: close\r\n\r\n"
        assert raw_exchange(server.address, request.encode()).startswith(b"HTTP/1.1 200 ")


def test_the_terminal_gets_a_manual(server: Server) -> None:
    assert f"curl -T report.pdf {server.url}/files/" in server.ask("GET", "/").text
