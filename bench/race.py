"""The race of a row: every contender is started, then they take turns, round by round."""

import contextlib
import http.client
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import PROJECT, Contender
from bench.environment import HERE, Absent
from bench.figures import Sample
from bench.load import Refused
from bench.servers import DidNotStart, Server, free_port, running

DISK = HERE / ".work"
MEMORY = Path("/dev/shm")  # noqa: S108  the tmpfs that every Linux has
MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Terms:
    """How long everything takes: `seconds` is one turn of a row that counts requests."""

    rounds: int
    seconds: float
    big_bytes: int
    huge_bytes: int
    crowd: int
    big_file: Path


type Turn = Callable[[Contender, Server], Sample]
type Preparation = Callable[[Contender, Server], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The samples of a race by contender, and why the others could not take part."""

    samples: Mapping[str, Sequence[Sample]]
    absent: Mapping[str, str]


@contextlib.contextmanager
def folder_below(place: Path) -> Iterator[Path]:
    """Yield a new folder that is gone when the block ends."""
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fileservice-bench-", dir=place) as folder:
        yield Path(folder)


def race(
    contenders: Sequence[Contender],
    turn: Turn,
    *,
    place: Path,
    rounds: int,
    prepare: Preparation = lambda _contender, _server: None,
) -> Outcome:
    """
    Let all contenders take turns, `rounds` times, each with a folder of its own below `place`.

    What a turn has stored is removed after it. Who cannot be had, does not start or refuses a
    request is left out, with the reason; the others go on.
    """
    samples: dict[str, list[Sample]] = {}
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(folder_below(place))
        here: list[tuple[Contender, Server]] = []
        for contender in contenders:
            with _or_absent(contender, absent):
                server = stack.enter_context(started(contender, root))
                prepare(contender, server)
                here.append((contender, server))
        for _ in range(rounds):
            for contender, server in here:
                if contender.name in absent:
                    continue
                with _or_absent(contender, absent):
                    samples.setdefault(contender.name, []).append(turn(contender, server))
    return Outcome({name: laps for name, laps in samples.items() if name not in absent}, absent)


@contextlib.contextmanager
def started(contender: Contender, place: Path) -> Iterator[Server]:
    """Run one contender with a folder of its own below `place`."""
    root = Path(tempfile.mkdtemp(dir=place))
    root.chmod(0o755)
    port = free_port()
    with running(contender.command(root, port), port=port, root=root) as server:
        yield server


def clear(server: Server) -> None:
    """Remove the bytes that a contender has stored, so that a row fits on a small disk."""
    for folder, _, names in (server.root / "uploads").walk():
        for name in names:
            (folder / name).unlink(missing_ok=True)  # a broken upload removes its own


def shelve(contender: Contender, server: Server, file: Path) -> None:
    """Lay `file` where the contender gives files out from."""
    shutil.copy(file, server.root / contender.shelf / file.name)


@contextlib.contextmanager
def _or_absent(contender: Contender, absent: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except (Absent, DidNotStart, Refused, subprocess.SubprocessError) as error:
        absent[contender.name] = without_paths(str(error))
    except (OSError, http.client.HTTPException, EOFError) as error:
        absent[contender.name] = without_paths(f"{type(error).__name__}: {error}")


def without_paths(reason: str) -> str:
    """Return `reason` fit for a page that others read: without where this checkout lies."""
    return reason.replace(f"{PROJECT}/", "")
