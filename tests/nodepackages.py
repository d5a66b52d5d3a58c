"""Node with the packages of tests/node, which are installed when somebody first wants them."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

NODE = Path(__file__).parent / "node"
NEEDED = 20, 19  # @tus/server's
INSTALL_SECONDS = 300


class CannotBeHad(Exception):
    """There is no Node that can be used, or its packages cannot be fetched."""


def node_with_packages() -> str:
    """
    Return the path of Node, which then finds the packages.

    Raises:
        CannotBeHad: the message says why.
    """
    node, npm = program("node"), program("npm")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = said.strip().removeprefix("v")
    if tuple(map(int, version.split("."))) < NEEDED:
        raise CannotBeHad(f"Node {NEEDED[0]}.{NEEDED[1]} is needed, not {version}")
    install(npm)
    return node


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise CannotBeHad(f"{name} is not installed")
    return path


def install(npm: str) -> None:
    """Install what is locked, unless it is there; of several processes one does it."""
    stamp = NODE / "node_modules" / ".installed"
    with (NODE / "package-lock.json").open("rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        wanted = hashlib.file_digest(locked, "sha256").hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--omit=optional", "--fetch-retries=1"],
            cwd=NODE,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise CannotBeHad(f"npm cannot install tests/node: {done.stderr.strip()[-500:]}")
        stamp.write_text(wanted)
