"""How fast certificates are made."""

from bench.contenders import BLOG, OURS, TEMPLATE, Contender
from bench.figures import Measure, Ratio, Row, Sample
from bench.load import wrk
from bench.race import DISK, Terms, race
from bench.servers import Server

RATE = Measure("certificates", "per second", more_is_better=True)
CPU_EACH = Measure("server CPU each", "ms")

CONNECTIONS = 50
ADDRESS = "/certificate?name=Ada%20Lovelace"


def certificates(terms: Terms) -> Row:
    def turn(_contender: Contender, server: Server) -> Sample:
        cpu = server.cpu_seconds()
        rate = wrk(server.url(ADDRESS), connections=CONNECTIONS, seconds=terms.seconds)
        each = (server.cpu_seconds() - cpu) / (rate * terms.seconds) * 1000
        return {RATE.name: rate, CPU_EACH.name: each}

    outcome = race([OURS, BLOG], turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"`GET /certificate`, {CONNECTIONS} connections",
        (RATE, CPU_EACH),
        outcome.samples,
        outcome.absent,
        (Ratio(RATE, BLOG.name, 15),),
        (
            f"Both fill the same template of {TEMPLATE.stat().st_size / 1000:.0f} KB. The view of "
            "the blog post reads it with aiofiles and calls `bytes.replace`, under stock Django "
            "with the middleware of `startproject`; what it makes is not checked.",
        ),
    )
