"""What a certificate costs with the engines that people use for them."""

import itertools
import resource
import subprocess
from datetime import UTC, datetime

from bench.contenders import TEMPLATE
from bench.environment import HERE, Absent, peer_program
from bench.figures import OURS, Bound, Measure, Ratio, Row, Sample
from bench.race import Terms, without_paths
from fileservice.pdf.compiling import compile_template
from fileservice.pdf.fonts import shipped_fonts

EACH = Measure("user CPU each", "ms")

PEERS = ("reportlab", "pypdf", "pikepdf", "weasyprint", "typst")
PROGRAM = HERE / "peers" / "engines.py"
TURN_SECONDS = 120.0


def engines(terms: Terms) -> Row:
    samples: dict[str, list[Sample]] = {OURS: []}
    absent: dict[str, str] = {}
    for _ in range(terms.rounds):
        samples[OURS].append({EACH.name: our_milliseconds(terms.seconds)})
        for peer in PEERS:
            if peer in absent:
                continue
            try:
                samples.setdefault(peer, []).append({EACH.name: their_milliseconds(peer, terms)})
            except (Absent, subprocess.SubprocessError) as error:
                absent[peer] = without_paths(str(error))
    return Row(
        "One certificate, by the engine that makes it",
        (EACH,),
        {name: laps for name, laps in samples.items() if name not in absent},
        absent,
        (Bound(EACH, 0.2), *(Ratio(EACH, peer, 1) for peer in PEERS if peer in samples)),
        (
            "Four lines of Latin text, each document with a name of its own; user CPU, in one "
            "process, whatever can be done once done before. fileservice fills its shipped "
            "template. reportlab, WeasyPrint and Typst (its compiler kept) draw a plain page "
            "from scratch, pypdf fills and flattens a form, pikepdf lays a page of reportlab "
            "over the shipped template.",
        ),
    )


def our_milliseconds(seconds: float) -> float:
    """Return the user CPU of a fill."""
    template = compile_template(TEMPLATE.read_bytes(), shipped_fonts())
    values = {"course": "Analytical Engines"}
    names = (f"Ada Lovelace {number}" for number in itertools.count())
    done, start = 0, user_seconds()
    while (taken := user_seconds() - start) < seconds:
        template.fill({**values, "name": next(names)}, issued_at=datetime.now(UTC))
        done += 1
    return taken / done * 1000


def their_milliseconds(peer: str, terms: Terms) -> float:
    """
    Return the user CPU of a document of `peer`, in a process of the peers' environment.

    Raises:
        Absent: it cannot run here.
    """
    ended = subprocess.run(
        [peer_program("python"), str(PROGRAM), peer, str(TEMPLATE), str(terms.seconds)],
        capture_output=True,
        text=True,
        timeout=TURN_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise Absent(ended.stderr.strip().splitlines()[-1])
    return float(ended.stdout) * 1000


def user_seconds() -> float:
    """Return the user CPU that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime
