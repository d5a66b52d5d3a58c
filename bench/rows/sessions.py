"""What one session for all requests is worth, beside a session for each."""

import statistics
import time

from bench.asking import ask_on_and_on
from bench.contenders import Contender, ours_beside
from bench.figures import OURS, Bound, Measure, Ratio, Row, Sample
from bench.other_host import OtherHost, other_host
from bench.peers.other_host import FAR_SECONDS
from bench.race import DISK, Terms, race
from bench.servers import Server

AVERAGE = Measure("average", "ms")
LEAST = Measure("least", "ms")
MEDIAN = Measure("median", "ms")
P90 = Measure("p90", "ms")
P95 = Measure("p95", "ms")
MOST = Measure("most", "ms")
RATE = Measure("answers", "per second", more_is_better=True)
MADE = Measure("connections made to the other host", "in a turn")
BUSY = Measure("the other host is busy", "% of a core")

ANEW = "a session per request"
PATHS = {OURS: "/shared", ANEW: "/anew"}
PROGRAM = ("-m", "bench.peers.asking")
CONNECTIONS = 50
WARM_SECONDS = 0.5


def over_tls(terms: Terms) -> Row:
    with other_host() as host:
        return _sessions(terms, host, "https", host.tls_url("/"), "over TLS", least=1.5)


def plain(terms: Terms) -> Row:
    with other_host() as host:
        return _sessions(terms, host, "http", host.url("/"), "without TLS", least=1)


def far_over_tls(terms: Terms) -> Row:
    far = f"that takes {FAR_SECONDS * 1000:.0f} ms, over TLS"
    with other_host() as host:
        return _sessions(terms, host, "https", host.tls_url("/far"), far, least=1.5)


def _sessions(
    terms: Terms, host: OtherHost, scheme: str, url: str, how: str, *, least: float
) -> Row:
    def ask(contender: Contender, server: Server, seconds: float) -> Sample:
        path = PATHS[contender.name]
        busy, start = host.server.cpu_seconds(), time.monotonic()
        asked = ask_on_and_on(server, lambda: path, connections=CONNECTIONS, seconds=seconds)
        share = (host.server.cpu_seconds() - busy) / (time.monotonic() - start)
        return {**_waits(asked.waits), RATE.name: asked.rate, BUSY.name: share * 100}

    def turn(contender: Contender, server: Server) -> Sample:
        ask(contender, server, WARM_SECONDS)
        with host.counting() as made:
            sample = ask(contender, server, terms.seconds)
        return {**sample, MADE.name: made[scheme]}

    env = {"BENCH_URL": url, **host.trust}
    contenders = [ours_beside(name, env, program=PROGRAM) for name in PATHS]
    outcome = race(contenders, turn, place=DISK, rounds=terms.rounds)
    return Row(
        f"A view that asks another host {how}, {CONNECTIONS} connections",
        (AVERAGE, LEAST, MEDIAN, P90, P95, MOST, RATE, MADE, BUSY),
        outcome.samples,
        outcome.absent,
        (Ratio(AVERAGE, ANEW, least), Bound(MADE, 0)),
        (
            "Both are this program with one more view, `async with session.get(URL)`: on the "
            "worker's session, and in `async with aiohttp.ClientSession() as session`. The waits "
            f"are those of whoever asks the view; each turn begins with {WARM_SECONDS:g} s that do "
            "not count. The other host is one process on the same two cores that answers from "
            "memory; its name is an address, so nobody looks one up.",
        ),
    )


def _waits(waits: list[float]) -> Sample:
    """Return how the waits are spread, in milliseconds."""
    twentieths = statistics.quantiles(waits, n=20)
    seconds = {
        AVERAGE: statistics.fmean(waits),
        LEAST: min(waits),
        MEDIAN: statistics.median(waits),
        P90: twentieths[17],
        P95: twentieths[18],
        MOST: max(waits),
    }
    return {measure.name: value * 1000 for measure, value in seconds.items()}
