"""The work on a batch: every line is tried, and when none is wrong, every line is issued."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from fileservice import backlog
from fileservice.backlog import Lease, Ordered
from fileservice.batches.filling import CHUNK, Fillers, Sheet, Signing
from fileservice.blocks import Blocks
from fileservice.errors import FileserviceError, Unprocessable
from fileservice.issuing import Terms
from fileservice.pdf.filling import CompiledTemplate
from fileservice.registry import issued_lines
from fileservice.rosters import MAX_COMPLAINTS, Complaint, Entry, unpack

SERVERS_FAULT = 500


@dataclass(frozen=True, slots=True)
class Tools:
    """
    What a batch is worked on with.

    Attributes:
        engine: as `Issuing.engine`.
        stamped: an authority stamps what is signed.
        processes: how many fill.
        tell: is told what is being done, how many lines of it are done, and of how many.
    """

    template: CompiledTemplate
    engine: str
    blocks: Blocks
    signing: Signing
    stamped: bool
    processes: int
    tell: Callable[[str, int, int], None]


def work(lease: Lease, tools: Tools) -> None:
    """
    Work on a batch until it has ended; of one that cannot go on now, note why and leave it.

    It forks: call it before there are threads.

    Raises:
        LeaseLost: another works on it, or it was stopped.
    """
    ordered, packed = backlog.read(lease)
    # A connection of SQLite must not be carried into another process.
    connection.close()
    entries = unpack(packed)
    try:
        with Fillers(sheet_of(ordered, tools), tools.processes) as fillers:
            if was_checked(ordered, tools.template) or check(lease, entries, fillers, tools):
                issue(lease, entries, fillers, tools)
    except FileserviceError as error:
        give_up(lease, error)


def give_up(lease: Lease, error: FileserviceError) -> None:
    """Stop a batch that cannot be issued, or leave it for later where that may change."""
    now = datetime.now(UTC)
    if error.status < SERVERS_FAULT:
        backlog.end(lease, "stopped", now=now, trouble=error.detail)
    else:
        backlog.release(lease, now, error.detail)


def sheet_of(ordered: Ordered, tools: Tools) -> Sheet:
    """Return what the certificates of a batch have in common."""
    terms = Terms(
        template=ordered.template.partition("?")[0],
        engine=tools.engine,
        zone=ordered.zone,
        issued_at=ordered.issued_at,
        expires_at=ordered.expires_at,
        sender=ordered.sender,
        user_id=ordered.user_id,
    )
    return Sheet(tools.template, terms, ordered.origin, ordered.id, tools.signing)


def was_checked(ordered: Ordered, template: CompiledTemplate) -> bool:
    """
    Tell whether all lines were tried with this template.

    Raises:
        Unprocessable: some were issued with another.
    """
    if ordered.template_sha256 == template.plan.digest:
        return True
    if ordered.done:
        raise Unprocessable("The template was changed while the certificates were issued.")
    return False


def check(lease: Lease, entries: Sequence[Entry], fillers: Fillers, tools: Tools) -> bool:
    """Try every line, and return whether all can be issued; else the batch has ended."""
    complaints: list[Complaint] = []
    checked = 0
    for found in fillers.check(entries):
        complaints += found
        checked = min(checked + CHUNK, len(entries))
        backlog.renew(lease, now=datetime.now(UTC), state="checking", checked=checked)
        tools.tell("checking", checked, len(entries))
        if len(complaints) >= MAX_COMPLAINTS:
            break
    now = datetime.now(UTC)
    if complaints:
        backlog.end(lease, "refused", now=now, complaints=complaints[:MAX_COMPLAINTS])
        return False
    backlog.renew(lease, now=now, state="issuing", template_sha256=tools.template.plan.digest)
    return True


def issue(lease: Lease, entries: Sequence[Entry], fillers: Fillers, tools: Tools) -> None:
    """Issue every line that has no certificate yet, and end the batch."""
    have = issued_lines(lease.batch_id)
    left = [entry for entry in entries if entry.line not in have]
    static = tools.template.plan.static
    tools.blocks.keep(tools.template.static_digest.hexdigest(), static, draft=lease.batch_id)
    for rows in fillers.issue(left, stamped=tools.stamped):
        backlog.keep(lease, rows, now=datetime.now(UTC))
        have.update(row.line for row in rows if row.line is not None)
        tools.tell("issuing", len(have), len(entries))
    backlog.end(lease, "done", now=datetime.now(UTC))
