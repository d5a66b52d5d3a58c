"""How long a page waits for the services whose panels it shows."""

import contextlib
import http.client
import time

from bench.contenders import Contender, ours_beside
from bench.figures import OURS, Bound, Measure, Row, Sample
from bench.load import Refused, wrk
from bench.other_host import OtherHost, other_host
from bench.peers.other_host import PANEL_SECONDS
from bench.race import DISK, Outcome, Terms, race
from bench.servers import Server

FIRST = Measure("first page of a worker", "s")
RATE = Measure("pages after it", "per second", more_is_better=True)

DEAD = "one of the services dead"
NONE = "without panels"
CONNECTIONS = 50
BROWSER = "Accept: text/html"


def home_panels(terms: Terms) -> Row:
    with other_host() as host:
        return _home_panels(terms, host)


def _home_panels(terms: Terms, host: OtherHost) -> Row:
    def turn(_contender: Contender, server: Server) -> Sample:
        first = first_page(server)
        rate = wrk(server.url("/"), connections=CONNECTIONS, seconds=terms.seconds, header=BROWSER)
        return {FIRST.name: first, RATE.name: rate}

    alive = f"news={host.url('/panel')}"
    contenders = [
        ours_beside(name, {"FILESERVICE_HOME_PANELS": panels, **host.trust})
        for name, panels in {
            OURS: f"{alive} events={host.url('/panel')}",
            DEAD: f"{alive} events={host.url('/dead')}",
            NONE: "",
        }.items()
    ]
    # A worker has one first page, so each round has workers of its own.
    outcome = _joined([race(contenders, turn, place=DISK, rounds=1) for _ in range(terms.rounds)])
    return Row(
        "The home page with the panels of two other services",
        (FIRST, RATE),
        outcome.samples,
        outcome.absent,
        (Bound(FIRST, 0.45), Bound(FIRST, 2.2, ours=DEAD)),
        (
            f"Each service takes {PANEL_SECONDS * 1000:.0f} ms for its answer; the dead one takes "
            f"the connection and says nothing. The rate is that of {CONNECTIONS} connections from "
            "then on, every one a browser that was never here.",
        ),
    )


def first_page(server: Server) -> float:
    """
    Return the seconds until the page was complete that a worker makes first.

    Raises:
        Refused: it is no page.
    """
    name, _, value = BROWSER.partition(": ")
    start = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={name: value})
        page = connection.getresponse()
        page.read()
    if page.status != http.HTTPStatus.OK:
        raise Refused(f"answered {page.status}")
    return time.monotonic() - start


def _joined(outcomes: list[Outcome]) -> Outcome:
    """Return the samples of all rounds; who was absent from one is absent."""
    absent = {name: why for outcome in outcomes for name, why in outcome.absent.items()}
    names = [name for name in outcomes[0].samples if name not in absent]
    samples = {name: [s for outcome in outcomes for s in outcome.samples[name]] for name in names}
    return Outcome(samples, absent)
