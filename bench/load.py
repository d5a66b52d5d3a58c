"""Load made by other people's programs: curl for large files, wrk for many small requests."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.contenders import Form
from bench.environment import system_program

TUS_TYPE = "application/offset+octet-stream"
TURN_SECONDS = 180.0  # far above the slowest peer; a turn that hangs is ended


class Refused(Exception):
    """A server answered a request with anything but success."""


def curl_form(url: str, form: Form, file: Path, name: str) -> float:
    """Send `file` as a browser form does and return the seconds until the answer was complete."""
    fields = [part for key, value in form.before for part in ("-F", f"{key}={value}")]
    return _curl(*fields, "-F", f"{form.field}=@{file};filename={name}", url)


def curl_put(url: str, file: Path) -> float:
    """Send `file` as a raw body and return the seconds until the answer was complete."""
    return _curl("-T", str(file), url)


def curl_patch(url: str, file: Path) -> float:
    """Send `file` as all bytes of a tus upload and return the seconds until the answer."""
    headers = ("Tus-Resumable: 1.0.0", "Upload-Offset: 0", f"Content-Type: {TUS_TYPE}")
    fields = [part for header in headers for part in ("-H", header)]
    return _curl("-X", "PATCH", *fields, "-T", str(file), url)


def put_for_address(url: str, file: Path) -> str:
    """
    Store `file` and return the address it is given out at.

    Raises:
        Refused: the answer was no success.
    """
    ended = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-T", str(file), url],
        capture_output=True,
        text=True,
        check=False,
        timeout=TURN_SECONDS,
    )
    if ended.returncode:
        raise Refused((ended.stdout or ended.stderr).strip())
    return ended.stdout.strip()


def form_for_address(url: str, files: Sequence[Path]) -> str:
    """
    Store `files` by one form and return the address they are given out at.

    Raises:
        Refused: the answer was no success.
    """
    fields = [argument for file in files for argument in ("-F", f"file=@{file}")]
    ended = subprocess.run(
        ["curl", "-sS", "--fail-with-body", *fields, url],
        capture_output=True,
        text=True,
        check=False,
        timeout=TURN_SECONDS,
    )
    if ended.returncode:
        raise Refused((ended.stdout or ended.stderr).strip())
    return ended.stdout.strip()


def curl_get(url: str, size: int) -> float:
    """
    Fetch `size` bytes and return the seconds it took.

    Raises:
        Refused: it was another number of bytes, or no success.
    """
    seconds, got = _curl_figures(url)
    if got != size:
        raise Refused(f"gave {got} bytes instead of {size}")
    return seconds


def _curl(*argv: str) -> float:
    return _curl_figures("-H", "Accept: application/json", *argv)[0]


def _curl_figures(*argv: str) -> tuple[float, int]:
    """Return the seconds of one request and the size of its answer."""
    figures = "%{http_code} %{time_total} %{size_download}"
    ended = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", figures, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=TURN_SECONDS,
    )
    if ended.returncode:
        raise Refused(ended.stderr.strip())
    status, seconds, size = ended.stdout.split()
    if not status.startswith("2"):
        raise Refused(f"answered {status}")
    return float(seconds), int(size)


def wrk(
    url: str, *, connections: int, seconds: float, script: Path | None = None, header: str = ""
) -> float:
    """
    Ask for `url` over and over, or for what `script` makes of it; return the answers per second.

    Raises:
        Refused: an answer was no success, or a connection broke.
    """
    options = [] if script is None else ["-s", str(script)]
    options += ["-H", header] if header else []
    said = subprocess.run(
        [
            *(system_program("wrk"), "-t1", f"-c{connections}"),
            *(f"-d{seconds:.0f}s", "--timeout", "10s", *options, url),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=TURN_SECONDS,
    ).stdout
    wrong = re.search(r"Non-2xx.*|Socket errors:.*", said)
    if wrong:
        raise Refused(wrong.group())
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said  # noqa: S101  wrk always says it
    return float(rate.group(1))
