"""What the bench installs for its peers, below bench/.peers: their own environment and rclone."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.nodepackages import CannotBeHad, node_with_packages

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
REQUIREMENTS = HERE / "requirements.txt"


class Absent(Exception):
    """A peer cannot be had on this machine; the message says why."""


def peer_program(name: str) -> str:
    """
    Return the path of a program in the peers' environment, which is made or renewed first.

    Raises:
        Absent: the environment cannot be made.
    """
    venv = PEERS / "venv"
    stamp = PEERS / "installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(PEERS, ignore_errors=True)
        print(f"Installing the peers into {venv.relative_to(HERE.parent)}", flush=True)
        _install([sys.executable, "-m", "venv", str(venv)])
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        _install([*pip, "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)])
        stamp.write_text(wanted)
    return str(venv / "bin" / name)


def system_program(name: str) -> str:
    """
    Return the path of a program of the system.

    Raises:
        Absent: it is not installed.
    """
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise Absent(f"{name} is not installed on this machine")
    return path


def node_program() -> str:
    """
    Return the path of Node, with the packages of tests/node.

    Raises:
        Absent: there is none that can be used, or the packages cannot be fetched.
    """
    try:
        return node_with_packages()
    except CannotBeHad as error:
        raise Absent(str(error)) from error


def debian_program(name: str) -> str:
    """
    Return the path of a program: the system's, or unpacked from the Debian package of that name.

    The package is unpacked below bench/.peers and not installed, so nobody needs to be root.

    Raises:
        Absent: it is neither installed nor to be had from the system's package sources.
    """
    unpacked = PEERS / name / "usr" / "bin" / name
    installed = shutil.which(name)
    if installed is not None:
        return installed
    if not unpacked.exists():
        folder = PEERS / name
        folder.mkdir(parents=True, exist_ok=True)
        _install([system_program("apt-get"), "download", name], folder=folder)
        for package in folder.glob("*.deb"):
            _install([system_program("dpkg-deb"), "-x", str(package), str(folder)])
            package.unlink()
    return str(unpacked)


def _install(argv: list[str], *, folder: Path = HERE) -> None:
    ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-1:]
        raise Absent(f"{Path(argv[0]).name} failed: {' '.join(last)}")
