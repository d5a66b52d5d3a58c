"""Reads and makes templates in processes of their own, which they may hurt instead of us."""

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

import fileservice
from fileservice.pdf.answers import MADE
from fileservice.pdf.authoring import Kind
from fileservice.pdf.errors import TEMPLATE_ERRORS, NotDrawn, OverLimits, TemplateError
from fileservice.pdf.fonts import FontSet
from fileservice.pdf.packing import unpack
from fileservice.pdf.plans import Plan
from fileservice.pdf.sidefiles import MAX_SIDE_FILE_BYTES

log = logging.getLogger("fileservice.pdf")

# Longer than the child gives itself, for it to say why.
WALL_SECONDS = 20
MAX_ANSWER_BYTES = 32 << 20
MAX_COMPLAINT_BYTES = 8 << 10
# -I: no environment, no user site, no current folder; so the child is told where we are.
BOOT = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
    " runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)
TIMED_OUT = (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)
TOO_SLOW = "The template takes too long to be read; simplify its drawing and its fonts."


async def compile_apart(content: bytes, fonts: FontSet, side: bytes = b"") -> Plan:
    """
    Return the plan of the template `content`, compiled in a limited child process for `fonts`.

    `side` is the file beside it; one that is too large is refused by its first bytes.

    Raises:
        TemplateError: it cannot be filled.
    """
    # An argument of a program may have 128 KB, and this has half of that.
    said = side[: MAX_SIDE_FILE_BYTES + 1].hex()
    arguments = (said, fonts.fingerprint, *map(str, fonts.folders))
    return unpack(await _answer("fileservice.pdf.child", *arguments, content=content))


async def author_apart(source: bytes, kind: Kind, folder: Path) -> bytes:
    """
    Return the PDF that `source` describes, made in a limited child process.

    Raises:
        TemplateError: it describes none, or what makes it is not installed.
    """
    return await _answer("fileservice.pdf.authoring", kind, str(folder), content=source)


async def draw_apart(content: bytes, page: int, overlay: bytes = b"") -> bytes:
    """
    Return a page of a PDF as a PNG, `overlay` drawn over it, made in a limited child process.

    Raises:
        NotDrawn: it cannot be made within the limits.
    """
    arguments = (str(page), str(len(overlay)))
    try:
        return await _answer("fileservice.pdf.rendering", *arguments, content=content + overlay)
    except TemplateError as error:
        raise NotDrawn(f"No picture can be made of page {page}. {error.detail}") from error


async def _answer(module: str, *arguments: str, content: bytes) -> bytes:
    """
    Return what the program `module` makes of `content`.

    Raises:
        TemplateError: what it says, or that it came to no answer.
    """
    package = Path(fileservice.__file__).parent.parent
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", BOOT, str(package), module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            answer, complaint = await _exchange(process, content)
            status = await process.wait()
    except TimeoutError as error:
        raise OverLimits(TOO_SLOW) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise _ended(status, complaint)
    return _made(answer)


async def _exchange(process: asyncio.subprocess.Process, content: bytes) -> tuple[bytes, bytes]:
    """Return what the child writes on its two outputs."""
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None  # noqa: S101  # all three were asked for
    assert stdout is not None  # noqa: S101
    assert stderr is not None  # noqa: S101
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(_all_of(stdout, MAX_ANSWER_BYTES))
        complaint = tasks.create_task(_all_of(stderr, MAX_COMPLAINT_BYTES))
        # The child may end before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(content)
            await stdin.drain()
        stdin.close()
    return answer.result(), complaint.result()


async def _all_of(source: asyncio.StreamReader, limit: int) -> bytes:
    """Return all that comes, or its first `limit` bytes; the rest is read and let go."""
    pieces: list[bytes] = []
    while piece := await source.read(1 << 16):
        pieces.append(piece[:limit])
        limit -= len(pieces[-1])
    return b"".join(pieces)


def _ended(status: int, complaint: bytes) -> TemplateError:
    if -status in TIMED_OUT:
        return OverLimits(TOO_SLOW)
    # A fault of ours, and still no 500: the next template is not to blame.
    log.error("a process for a template ended with status %d: %r", status, complaint)
    return TemplateError("The template cannot be read; save it again with another program.")


def _made(answer: bytes) -> bytes:
    if len(answer) == MAX_ANSWER_BYTES:
        raise OverLimits("The template becomes too large when it is compiled; simplify it.")
    word, _, made = answer.partition(b"\n")
    if word == MADE:
        return made
    kind = TEMPLATE_ERRORS.get(word.decode("ascii", "replace"), TemplateError)
    raise kind(made.decode("utf-8", "replace"))
