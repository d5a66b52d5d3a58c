"""A real server for the tests: `manage.py serve` in a process and a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.client import Answer, Client
from tests.nodepackages import CannotBeHad, node_with_packages

if TYPE_CHECKING:
    from tests.callers import Api


CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
# How long an example takes is no fact about the code: machines are shared.
settings.register_profile(
    "fileservice", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fileservice")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take here what tests/conformance needs: only this file is read before the arguments."""
    group = parser.getgroup("conformance", "resumable uploads, tests/conformance")
    group.addoption("--url", help="where the server to test creates uploads; else it is our own")
    group.addoption("--header", action="append", default=[], help="sent with each request")
    group.addoption("--origin", help="a page's, that the server lets upload")
    group.addoption("--require-all", action="store_true", help="fail what is not announced")
    group.addoption("--table", help="a Markdown file, to write a column into")
    group.addoption("--column", default="server", help="the column's name")


@dataclass(frozen=True, slots=True)
class Server:
    """
    A running service.

    Attributes:
        root: its FILESERVICE_ROOT.
        process: the one that listens, or that supervises the workers.
    """

    host: str
    port: int
    root: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def client(self) -> Client:
        return Client(self.host, self.port)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own."""
        with self.client() as client:
            return client.ask(method, path, body, headers)

    def stored(self) -> list[Path]:
        """Return every file below uploads/: finished blobs and drafts."""
        return sorted(path for path in (self.root / "uploads").rglob("*") if path.is_file())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(root: Path, **options: str) -> dict[str, str]:
    """Return our environment with only these FILESERVICE_* variables."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FILESERVICE_")}
    environ |= {f"FILESERVICE_{name}": value for name, value in options.items()}
    return environ | {"FILESERVICE_ROOT": str(root), "PYTHONWARNINGS": "default"}


def manage(root: Path, *args: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py to its end."""
    return subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), *args],
        env=environment(root, **options),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with an empty database, to be copied."""
    root = tmp_path_factory.mktemp("migrated")
    done = manage(root, "migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    return root


def is_up(server: Server) -> bool:
    try:
        return server.ask("GET", "/livez").status == 200
    except OSError:
        return False


def wait_until_up(server: Server) -> None:
    """Return when the server answers; it tells nobody but its socket that it is up."""
    for _ in range(START_SECONDS * 20):
        if is_up(server):
            break
        assert server.process.poll() is None, server.log.read_text()
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.05)


@contextmanager
def serving(migrated: Path, *arguments: str, **options: str) -> Iterator[Server]:
    """Serve with these FILESERVICE_* options until the end of the block."""
    root = Path(tempfile.mkdtemp(prefix="fileservice-"))
    shutil.copytree(migrated, root, dirs_exist_ok=True)
    port = free_port()
    command = [sys.executable, str(CHECKOUT / "manage.py"), "serve", "--port", str(port)]
    log = root / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            env=environment(root, **options),
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
        )
    server = Server("127.0.0.1", port, root, process, log)
    try:
        wait_until_up(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def server(migrated: Path) -> Iterator[Server]:
    """Give one open service to all tests that only use what is their own."""
    with serving(migrated, ACCESS="open") as running:
        yield running


@pytest.fixture(scope="session")
def api(migrated: Path) -> "Iterator[Api]":
    """Give one private service, called by people who are known, to all tests of the API."""
    from tests.callers import calling  # it needs what is above

    with calling(migrated) as running:
        yield running


def lacking(reason: str) -> NoReturn:
    """Skip where a user lacks what a test needs; fail where CI does."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_program(name: str) -> str:
    """Return the path of a program; skip where a user lacks it, fail where CI does."""
    path = shutil.which(name)
    if path is None:
        lacking(f"{name} is not installed")
    return path


def need_file(path: Path) -> Path:
    """Return `path`, a font's or a table's; skip where a user lacks it, fail where CI does."""
    if not path.exists():
        lacking(f"{path.name} is not installed")
    return path


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of Node, which then has the packages of tests/node."""
    try:
        return node_with_packages()
    except CannotBeHad as error:
        lacking(str(error))
