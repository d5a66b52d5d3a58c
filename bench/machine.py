"""What the figures were taken on: the machine, and the version of everything that took part."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.environment import HERE, PEERS, REQUIREMENTS, Absent, debian_program, system_program
from tests.nodepackages import NODE

OURS = (
    "aiofiles",
    "aiohttp",
    "django",
    "granian",
    "httptools",
    "python-multipart",
    "uvicorn",
    "uvloop",
)
OF_PEERS = (
    "copyparty",
    "django",
    "fastapi",
    "pikepdf",
    "pypdf",
    "reportlab",
    "starlette",
    "typst",
    "uvicorn",
    "weasyprint",
)


def machine(disk: Path, memory: Path) -> dict[str, str]:
    """Return what can be said of the machine and of the two file systems."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    total = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": model.group(1) if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(total.group(1)) / 1024**2:.0f} GiB" if total else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "file systems": f"{file_system(disk)} (disk), {file_system(memory)} (memory)",
    }


def file_system(folder: Path) -> str:
    """Return the type of the file system that `folder` lies on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(mount, kind) for _, mount, kind, *_ in mounts if folder.is_relative_to(mount)]
    return max(above, key=lambda pair: len(pair[0]))[1]


def versions() -> dict[str, str]:
    """Return what ran with which version, ours and the peers'."""
    return {
        "fileservice": _said("git", "describe", "--always", "--dirty") or "not from git",
        "Python": platform.python_version(),
        "ours": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in OURS),
        "peers": ", ".join(_versions_of_peers()),
        "nginx": _version(system_program, "nginx", "-v"),
        "rclone": _version(debian_program, "rclone", "version"),
        "Node": ", ".join((_version(system_program, "node", "--version"), *_versions_of_node())),
        "load": ", ".join(
            (_version(system_program, "curl", "-V"), _version(system_program, "wrk", "-v"))
        ),
    }


def _versions_of_peers() -> list[str]:
    pinned = dict(re.findall(r"^(\S+)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE))
    return [f"{name} {pinned[name]}" for name in OF_PEERS] if PEERS.exists() else ["absent"]


def _versions_of_node() -> list[str]:
    pinned = json.loads((NODE / "package.json").read_text())["dependencies"]
    return [f"{name} {pinned[name]}" for name in ("@tus/server", "@tus/file-store")]


def _version(find: Callable[[str], str], name: str, option: str) -> str:
    """Return the first line that a program says about its version, without paths and builds."""
    try:
        program = find(name)
    except Absent as reason:
        return f"absent: {reason}"
    found = re.search(r"\d+(\.\d+)+", _said(program, option))
    return f"{name} {found.group()}" if found else name


def _said(*argv: str) -> str:
    ended = subprocess.run(argv, cwd=HERE, capture_output=True, text=True, check=False)
    return (ended.stdout + ended.stderr).strip().partition("\n")[0]
