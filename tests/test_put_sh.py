"""The script of /put.sh in the shells that people have, over lines that break."""

import hashlib
import os
import shlex
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fileservice.names import clean_name
from fileservice.options import DATABASE
from tests.client import raw_exchange
from tests.conftest import CHECKOUT, START_SECONDS, Server, need_program, serving
from tests.faultproxy import Fault, FaultProxy, fault_proxy, seeded_faults

SCRIPT = CHECKOUT / "fileservice" / "http" / "put.sh"
SHELLS = (("dash",), ("bash", "--posix"), ("busybox", "sh"))
TOKEN = 'correct horse "battery" \\staple-0123456789'  # noqa: S105 - of one test's service
MIB = 1 << 20
SIZE = 6 * MIB
RUN_SECONDS = 120

NEWEST = "SELECT key FROM fileservice_resumableupload ORDER BY created_at DESC LIMIT 1"

type Running = subprocess.Popen[str]


@pytest.fixture(
    params=[SHELLS[0], *(pytest.param(shell, marks=pytest.mark.long) for shell in SHELLS[1:])],
    ids=lambda shell: shell[0],
)
def shell(request: pytest.FixtureRequest) -> Sequence[str]:
    need_program("curl")
    need_program(request.param[0])
    found: Sequence[str] = request.param
    return found


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.address) as proxy:
        yield proxy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(SIZE))
    return file


@contextmanager
def sending(
    place: Server | FaultProxy,
    folder: Path,
    *arguments: str,
    shell: Sequence[str] = ("sh",),
    environ: Mapping[str, str] | None = None,
    script: str = "",
) -> Iterator[Running]:
    """Run the script as `curl .../put.sh | sh -s -- ...` does, to the end of the block."""
    need_program("curl")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FILESERVICE")}
    with subprocess.Popen(
        [*shell, "-s", "--", *arguments],
        cwd=folder,
        env=kept | dict(environ or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin
        process.stdin.write(script or script_of(place))
        process.stdin.close()
        process.stdin = None
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def script_of(place: Server | FaultProxy) -> str:
    host, port = place.address
    head = f"GET /put.sh HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    return raw_exchange(place.address, head.encode()).partition(b"\r\n\r\n")[2].decode()


def links_of(process: Running) -> list[str]:
    """Return what a run prints, which is to be a success."""
    printed, complaints = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 0, complaints
    return printed.splitlines()


def assert_stored(server: Server, link: str, file: Path) -> None:
    """Require that a link leads to this file, under its name."""
    path = urlsplit(link).path
    assert unquote(path.rpartition("/")[2]) == clean_name(file.name.encode()).text
    got = server.ask("GET", path).body
    assert hashlib.sha256(got).digest() == hashlib.sha256(file.read_bytes()).digest()


@pytest.mark.parametrize(
    "name",
    [
        "plain.txt",
        "with  two blanks.txt",
        'it\'s "quoted" $(date) `date`.txt',
        "-",
        "-T.txt",
        "[1-3]{a,b}*?.txt",
        "%41%2e#&;.txt",
        "\u00dcbung \u4eba \U0001f4e6.txt",
    ],
)
def test_a_name_arrives_as_it_is(
    server: Server, tmp_path: Path, shell: Sequence[str], name: str
) -> None:
    file = tmp_path / name
    file.write_text(name)

    with sending(server, tmp_path, name, shell=shell) as process:
        [link] = links_of(process)

    assert_stored(server, link, file)


def test_a_name_that_is_refused_is_given_up_at_once(
    server: Server, tmp_path: Path, shell: Sequence[str]
) -> None:
    (tmp_path / "a\\b\nc.txt").touch()

    with sending(server, tmp_path, "a\\b\nc.txt", shell=shell) as process:
        printed, complaints = process.communicate(timeout=RUN_SECONDS)

    assert (process.returncode, printed) == (1, "")
    assert "Bad file name: " in complaints


def test_several_files_are_sent_and_what_cannot_be_is_told(
    server: Server, tmp_path: Path, shell: Sequence[str]
) -> None:
    files = [tmp_path / "empty", tmp_path / "folder" / "b.txt"]
    (tmp_path / "folder").mkdir()
    for file in files:
        file.write_text(file.name.removeprefix("empty"))

    arguments = ("empty", "folder", "nothing", str(files[1]))
    with sending(server, tmp_path, *arguments, shell=shell) as process:
        printed, complaints = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 1
    for link, file in zip(printed.splitlines(), files, strict=True):
        assert_stored(server, link, file)
    assert complaints.splitlines() == [
        "put.sh: folder: it cannot be read",
        "put.sh: nothing: it cannot be read",
    ]


def test_without_a_file_it_says_what_it_wants(
    server: Server, tmp_path: Path, shell: Sequence[str]
) -> None:
    with sending(server, tmp_path, shell=shell) as process:
        printed, complaints = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode != 0
    assert printed == ""
    assert "which FILE?" in complaints


def test_it_goes_on_after_each_break(
    server: Server, proxy: FaultProxy, file: Path, shell: Sequence[str]
) -> None:
    faults = [
        Fault("reset", 0, "down"),  # nobody hears where the upload is
        Fault("reset", 1 * MIB),
        Fault("half-close", 2 * MIB),
    ]
    script = script_of(proxy)
    proxy.befall(faults)

    with sending(proxy, file.parent, file.name, shell=shell, script=script) as process:
        [link] = links_of(process)

    assert [proxy.struck.get_nowait() for _ in faults] == faults
    assert_stored(server, link, file)
    # What the two ends have under way when a connection is reset is sent again.
    assert proxy.carried["up"] < SIZE + 5 * MIB


def test_a_stalled_connection_that_ends_is_gone_on_with(
    server: Server, proxy: FaultProxy, file: Path
) -> None:
    script = script_of(proxy)
    proxy.befall([Fault("stall", 2 * MIB)])

    with sending(proxy, file.parent, file.name, script=script) as process:
        proxy.struck.get(timeout=START_SECONDS)
        proxy.reset_all()
        [link] = links_of(process)

    assert_stored(server, link, file)


@pytest.mark.long
def test_it_goes_on_when_a_killed_service_is_started_again(migrated: Path, file: Path) -> None:
    with serving(migrated, ACCESS="open") as killed, fault_proxy(killed.address) as proxy:
        script = script_of(proxy)
        proxy.bytes_per_second = SIZE
        with sending(proxy, file.parent, file.name, script=script) as process:
            wait_until(lambda: proxy.carried["up"] > SIZE // 2, process)
            killed.process.kill()
            killed.process.wait(START_SECONDS)
            proxy.bytes_per_second = 0
            with serving(killed.root, ACCESS="open") as restarted:
                proxy.target = restarted.address
                [link] = links_of(process)
                assert_stored(restarted, link, file)


def test_a_token_is_sent_from_the_environment_or_as_a_password(
    migrated: Path, tmp_path: Path, shell: Sequence[str]
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("secret")
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as private:
        with sending(private, tmp_path, "a.txt", shell=shell) as unknown:
            printed, complaints = unknown.communicate(timeout=RUN_SECONDS)
        environ = {"FILESERVICE_TOKEN": TOKEN}
        with sending(private, tmp_path, "a.txt", shell=shell, environ=environ) as known:
            [first] = links_of(known)
        with sending(private, tmp_path, "-u", f"me:{TOKEN}", "a.txt", shell=shell) as named:
            [second] = links_of(named)

        assert (unknown.returncode, printed) == (1, "")
        assert complaints.startswith("put.sh: a.txt: Log in or send a token: ")
        assert_stored(private, first, file)
        assert_stored(private, second, file)


def test_what_was_deleted_meanwhile_is_given_up(
    server: Server, proxy: FaultProxy, file: Path
) -> None:
    script = script_of(proxy)
    proxy.befall([Fault("stall", 2 * MIB)])

    with sending(proxy, file.parent, file.name, script=script) as process:
        proxy.struck.get(timeout=START_SECONDS)
        with closing(sqlite3.connect(server.root / DATABASE)) as database:
            [(key,)] = database.execute(NEWEST)
        assert server.ask("DELETE", f"/uploads/{key}").status == 204
        proxy.reset_all()
        printed, complaints = process.communicate(timeout=RUN_SECONDS)

    assert (process.returncode, printed) == (1, "")
    assert complaints.endswith("put.sh: large.bin: status 404\n")


def wait_until(fact: Callable[[], bool], process: Running) -> None:
    """Return when it is so."""
    while not fact():
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)


@pytest.mark.long
def test_a_large_file_survives_many_faults(server: Server, proxy: FaultProxy, file: Path) -> None:
    file.write_bytes(os.urandom(1 << 16) * 4000)
    script = script_of(proxy)
    proxy.befall(seeded_faults(3, 32 * MIB))

    with sending(proxy, file.parent, file.name, script=script) as process:
        [link] = links_of(process)

    assert proxy.struck.qsize() > 5
    assert_stored(server, link, file)


def test_the_script_is_short_and_checked() -> None:
    checked = subprocess.run(
        [need_program("shellcheck"), str(SCRIPT)], capture_output=True, text=True, check=False
    )

    assert checked.stdout == ""
    assert len(SCRIPT.read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    ("host", "origin"),
    [("localhost:8000", "http://localhost:8000"), ("[::1]:8000", "http://[::1]:8000")],
)
def test_the_script_knows_where_it_came_from(server: Server, host: str, origin: str) -> None:
    head = f"GET /put.sh HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"

    received = raw_exchange(server.address, head.encode()).decode()

    assert f"\norigin={shlex.quote(origin)} user=" in received


@pytest.mark.parametrize("host", ["$(date)", "a';date;'", "a`date`", "a b", 'a"b', "a\\b"])
def test_no_host_writes_into_the_script(server: Server, host: str) -> None:
    head = f"GET /put.sh HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"

    assert raw_exchange(server.address, head.encode()).startswith(b"HTTP/1.1 400 ")
