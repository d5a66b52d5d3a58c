"""Joins what a template's certificates share and what one of them has of its own to a file."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from fileservice.pdf.plans import Plan


def joined(
    plan: Plan, bodies: Mapping[int, bytes], added: Sequence[bytes], identity: bytes
) -> bytes:
    """
    Return the file.

    Args:
        plan: what all share.
        bodies: by number, the objects that `plan` leaves room for.
        added: those that come behind them all.
        identity: for /ID, in hexadecimal.
    """
    numbers = sorted(bodies)
    objects = [b"%d 0 obj\n%s\nendobj\n" % (n, bodies[n]) for n in numbers]
    objects += [b"%d 0 obj\n%s\nendobj\n" % row for row in enumerate(added, plan.size)]
    offsets = list(accumulate(map(len, objects), initial=len(plan.static)))
    replaced = len(numbers)
    xref = plan.xref % tuple(offsets[:replaced])
    more = b"".join([b"%010d 00000 n \n" % offset for offset in offsets[replaced:-1]])
    size = plan.size + len(added)
    tail = (
        b"xref\n0 %d\n%s%strailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\n"
        b"startxref\n%d\n%%%%EOF\n"
    ) % (size, xref, more, size, plan.root, plan.info, identity, identity, offsets[-1])
    return b"".join((plan.static, *objects, tail))
