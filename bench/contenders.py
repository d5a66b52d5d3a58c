"""Who takes part: how each is started, and by which door it takes files and gives them out."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.environment import (
    HERE,
    Absent,
    debian_program,
    node_program,
    peer_program,
    system_program,
)
from bench.servers import Command
from tests.nodepackages import NODE

PROJECT = HERE.parent
TEMPLATE = PROJECT / "pdf_templates" / "certificate.pdf"
# What is thrown away at once makes glibc give memory back to the kernel and take it again for every
# block: 195,000 page faults and 0.5 s for 512 MiB. That is no ceiling.
KEEP_FREED_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
MANAGE = (str(PROJECT / "manage.py"),)
BYTES_AT_MOST = 16 * 1024**3  # the largest file any row sends is 5 GiB


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form goes: its address, the field of the file, and the fields before it."""

    path: str
    field: str = "file"
    before: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A server that takes part in a row.

    `command` gets the folder to keep files in and the port, makes what it needs there, and raises
    Absent if the program cannot be had. `puts` is what stands before the name in a PUT; `gives`
    is what stands before the name of a file put into `shelf`, a folder below the root.
    """

    name: str
    command: Callable[[Path, int], Command]
    form: Form | None = None
    puts: str | None = None
    creates: str | None = None
    gives: str | None = None
    shelf: str = "uploads"


def _where(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


def _uvicorn(program: str, application: str, port: int, *options: str) -> list[str]:
    """Return the one uvicorn command line that every ASGI peer runs under."""
    return [
        *(program, application, *_where(port)),
        *("--workers", "1", "--loop", "uvloop", "--http", "httptools"),
        *("--log-level", "warning", "--no-access-log", "--app-dir", str(PROJECT), *options),
    ]


def our_environment(root: Path) -> dict[str, str]:
    """
    Return what our programs are told, after `root` was made ready for them.

    Raises:
        Absent: its database cannot be made.
    """
    (root / "pdf_templates").mkdir(exist_ok=True)
    if TEMPLATE.exists():
        shutil.copy(TEMPLATE, root / "pdf_templates")
    env = {
        "DJANGO_SETTINGS_MODULE": "fileservice.settings",
        "FILESERVICE_ACCESS": "open",
        "FILESERVICE_MAX_UPLOAD_BYTES": str(BYTES_AT_MOST),
        "FILESERVICE_ROOT": str(root),
        "PYTHONPATH": str(PROJECT),
    }
    migrated = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "migrate", "--verbosity", "0"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if migrated.returncode:
        raise Absent(f"migrate failed: {migrated.stderr.strip().splitlines()[-1]}")
    return env


def _ours(root: Path, port: int) -> Command:
    return _served(MANAGE, root, port)


def _ours_watched(root: Path, port: int) -> Command:
    return _served(("-m", "bench.peers.watched"), root, port)


def _served(program: Sequence[str], root: Path, port: int) -> Command:
    serve = [sys.executable, *program, "serve", "--workers", "1"]
    return Command([*serve, *_where(port)], our_environment(root))


def ours_beside(name: str, env: Mapping[str, str], *, program: Sequence[str] = MANAGE) -> Contender:
    """Return our service, or a program around it, that is told of other hosts by `env`."""

    def command(root: Path, port: int) -> Command:
        alone = _served(program, root, port)
        return Command(alone.argv, {**alone.env, **env})

    return Contender(name, command)


def _ours_under_granian(root: Path, port: int) -> Command:
    granian = str(Path(sys.executable).with_name("granian"))
    options = ["--interface", "asgi", "--workers", "1", "--no-access-log", *_where(port)]
    return Command([granian, *options, "fileservice.asgi:application"], our_environment(root))


def _blog(root: Path, port: int) -> Command:
    (root / "uploads").mkdir(exist_ok=True)
    (root / "pdfs").mkdir(exist_ok=True)
    if TEMPLATE.exists():
        shutil.copy(TEMPLATE, root / "pdfs" / "certificate-template.pdf")
    return Command(
        _uvicorn(peer_program("uvicorn"), "bench.peers.blog.asgi:application", port),
        {"BENCH_ROOT": str(root), "DJANGO_SETTINGS_MODULE": "bench.peers.blog.settings"},
    )


def _fastapi(root: Path, port: int) -> Command:
    (root / "uploads").mkdir(exist_ok=True)
    return Command(
        _uvicorn(peer_program("uvicorn"), "bench.peers.fastapi_app:application", port),
        {"BENCH_ROOT": str(root)},
    )


def _discard(_root: Path, port: int) -> Command:
    no_lifespan = ("--lifespan", "off")
    return Command(
        _uvicorn(peer_program("uvicorn"), "bench.peers.discard:application", port, *no_lifespan),
        KEEP_FREED_MEMORY,
    )


def _copyparty(root: Path, port: int) -> Command:
    (root / "uploads").mkdir(exist_ok=True)
    # Without --wram it takes no uploads on a tmpfs.
    where = ["-i", "127.0.0.1", "-p", str(port), "-v", f"{root / 'uploads'}::rw"]
    return Command(
        [peer_program("copyparty"), "-q", "--wram", *where],
        {"XDG_CONFIG_HOME": str(root / "config")},
    )


def _rclone(root: Path, port: int) -> Command:
    (root / "uploads").mkdir(exist_ok=True)
    serve = [debian_program("rclone"), "serve", "webdav", str(root / "uploads")]
    return Command([*serve, "--addr", f"127.0.0.1:{port}", "--config", str(root / "rclone.conf")])


def _nginx(root: Path, port: int) -> Command:
    (root / "uploads").mkdir(exist_ok=True)
    words = (HERE / "peers" / "nginx.conf").read_text()
    # Started by root it would write as nobody, into a folder that is not nobody's.
    words = words.replace("#USER#", "user root;" if os.geteuid() == 0 else "")
    conf = root / "nginx.conf"
    conf.write_text(words.replace("#PORT#", str(port)).replace("#ROOT#", str(root)))
    return Command([system_program("nginx"), "-c", str(conf), "-e", str(root / "error.log")])


def _tus_node(root: Path, port: int) -> Command:
    folder = root / "uploads"
    folder.mkdir(exist_ok=True)
    order = {"directory": str(folder), "port": port}
    return Command([node_program(), str(NODE / "server.mjs"), json.dumps(order)])


OURS = Contender("fileservice", _ours, form=Form("/files/"), puts="/files/", creates="/files/")
OURS_WATCHED = Contender("fileservice", _ours_watched, puts="/files/")
OURS_UNDER_GRANIAN = Contender("fileservice on granian", _ours_under_granian, puts="/files/")
BLOG = Contender("stock Django", _blog, form=Form("/upload/"), gives="/files/")
FASTAPI = Contender("FastAPI", _fastapi, form=Form("/upload/"), gives="/files/")
FASTAPI_THREAD = Contender("FastAPI, sync view", _fastapi, form=Form("/thread/"))
COPYPARTY = Contender(
    "copyparty", _copyparty, form=Form("/", "f", (("act", "bput"),)), puts="/", gives="/"
)
RCLONE = Contender("rclone webdav", _rclone, puts="/")
NGINX = Contender("nginx", _nginx, puts="/", gives="/")
TUS_NODE = Contender("@tus/server", _tus_node, creates="/files")
DISCARD = Contender("ceiling: read and discard", _discard, form=Form("/"), puts="/")
