"""Compiles a template in a process of its own, which it may hurt instead of us."""

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

import fileservice
from fileservice.pdf.errors import TEMPLATE_ERRORS, OverLimits, TemplateError
from fileservice.pdf.plans import Plan

log = logging.getLogger("fileservice.pdf")

# Longer than the child gives itself, for it to say why.
WALL_SECONDS = 20
MAX_ANSWER_BYTES = 32 << 20
# -I: no environment, no user site, no current folder; so the child is told where we are.
BOOT = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]);"
    " runpy.run_module(sys.argv[2], run_name='__main__')"
)
TIMED_OUT = (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)
TOO_SLOW = "The template takes too long to be read; simplify its drawing and its fonts."


async def compile_apart(content: bytes) -> Plan:
    """
    Return the plan of the template `content`, compiled in a limited child process.

    Raises:
        TemplateError: it cannot be filled.
    """
    package = Path(fileservice.__file__).parent.parent
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        BOOT,
        str(package),
        "fileservice.pdf.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_ANSWER_BYTES,
        env={},
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            answer = await _exchange(process, content)
            status = await process.wait()
    except TimeoutError as error:
        raise OverLimits(TOO_SLOW) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise _ended(status)
    return _read(answer)


async def _exchange(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    assert process.stdin is not None  # noqa: S101  # both were asked for
    assert process.stdout is not None  # noqa: S101
    # The child may end before it has read all.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()
    pieces: list[bytes] = []
    left = MAX_ANSWER_BYTES
    while piece := await process.stdout.read(1 << 20):
        left -= len(piece)
        if left < 0:
            raise OverLimits("The template becomes too large when it is compiled; simplify it.")
        pieces.append(piece)
    return b"".join(pieces)


def _ended(status: int) -> TemplateError:
    if -status in TIMED_OUT:
        return OverLimits(TOO_SLOW)
    # The traceback is on standard error; a crash here is a fault of ours, and still no 500.
    log.error("compiling a template ended with status %d", status)
    return TemplateError("The template cannot be read; save it again with another program.")


def _read(answer: bytes) -> Plan:
    word, _, text = answer.partition(b"\n")
    if word == b"compiled":
        return Plan.from_bytes(text)
    kind = TEMPLATE_ERRORS.get(word.decode("ascii", "replace"), TemplateError)
    raise kind(text.decode("utf-8", "replace"))
