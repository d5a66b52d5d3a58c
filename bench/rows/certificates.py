"""How fast certificates are made."""

import itertools
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.contenders import BLOG, OURS, TEMPLATE, Contender
from bench.environment import HERE
from bench.figures import Bound, Measure, Ratio, Row, Sample
from bench.load import wrk
from bench.race import DISK, Terms, race
from bench.servers import Server
from fileservice.pdf.compiling import plan_template
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.fonts import shipped_fonts

RATE = Measure("certificates", "per second", more_is_better=True)
CPU_EACH = Measure("server CPU each", "ms")
FILLS = Measure("fills on one core", "per second", more_is_better=True)

CONNECTIONS = 50
NAMES = HERE / "names.lua"


def certificates(terms: Terms) -> Row:
    return _certificates(terms, "the time alone", script=None)


def named_certificates(terms: Terms) -> Row:
    return _certificates(terms, "another name each time", script=NAMES)


def _certificates(terms: Terms, values: str, *, script: Path | None) -> Row:
    def turn(_contender: Contender, server: Server) -> Sample:
        cpu = server.cpu_seconds()
        rate = wrk(
            server.url("/certificate"),
            connections=CONNECTIONS,
            seconds=terms.seconds,
            script=script,
        )
        each = (server.cpu_seconds() - cpu) / (rate * terms.seconds) * 1000
        return {RATE.name: rate, CPU_EACH.name: each}

    outcome = race([OURS, BLOG], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"`GET /certificate`, {values}, {CONNECTIONS} connections",
        (RATE, CPU_EACH),
        outcome.samples,
        outcome.absent,
        (Ratio(RATE, BLOG.name, 15),),
        (
            f"Both fill the same template, {TEMPLATE.stat().st_size / 1000:.0f} KB, with {values}. "
            "The view of the blog post reads it with aiofiles and calls `bytes.replace`, under "
            "stock Django with the middleware of `startproject`; what it makes is not checked.",
        ),
    )


def engine(terms: Terms) -> Row:
    fonts = shipped_fonts()
    template = CompiledTemplate(plan_template(TEMPLATE.read_bytes(), fonts), fonts)
    numbers = itertools.count()

    def fills_per_second() -> float:
        done = 0
        start = time.process_time()
        while (taken := time.process_time() - start) < terms.seconds:
            values = {"name": f"Ada Lovelace {next(numbers)}"}
            template.fill(values, issued_at=datetime.now(UTC))
            done += 1
        return done / taken

    return Row(
        "The certificate engine alone",
        (FILLS,),
        {"fileservice": [{FILLS.name: fills_per_second()} for _ in range(terms.rounds)]},
        {},
        (Bound(FILLS, 5000),),
        ("The shipped template, in one process, each time with another name.",),
    )
