"""How fast certificates are made from templates on another host."""

import itertools
import shutil
from urllib.parse import urlencode

from bench.asking import ask_on_and_on
from bench.contenders import TEMPLATE, Contender, ours_beside
from bench.figures import OURS, Measure, Ratio, Row, Sample
from bench.load import wrk
from bench.other_host import OtherHost, other_host
from bench.race import DISK, Terms, race
from bench.servers import Server

RATE = Measure("certificates", "per second", more_is_better=True)

LOCAL = "the same template in the folder"
FETCHED = "fetched for each"
COMPILED = "fetched and compiled for each"
CONNECTIONS = 50
FETCHING_CONNECTIONS = 4  # more are not let to one host at once
KEPT = "/certificate?template=award"


def remote_templates(terms: Terms) -> Row:
    with other_host() as host:
        return _remote_templates(terms, host)


def _remote_templates(terms: Terms, host: OtherHost) -> Row:
    numbers = itertools.count()
    folders = {FETCHED: "/same", COMPILED: "/another"}

    def prepare(contender: Contender, server: Server) -> None:
        if contender.name == LOCAL:
            shutil.copy(TEMPLATE, server.root / "pdf_templates" / "award.pdf")

    def turn(contender: Contender, server: Server) -> Sample:
        if contender.name in folders:
            return {RATE.name: first_requests(server, folders[contender.name])}
        ask_on_and_on(server, lambda: KEPT, connections=1, seconds=0.1)
        url = server.url(KEPT)
        return {RATE.name: wrk(url, connections=CONNECTIONS, seconds=terms.seconds)}

    def first_requests(server: Server, folder: str) -> float:
        def path() -> str:
            url = host.tls_url(f"{folder}/{next(numbers)}.pdf", host="localhost")
            return "/certificate?" + urlencode({"template": url})

        # What both need once: the connection, the name, and of one content the plan.
        ask_on_and_on(server, path, connections=1, seconds=0.1)
        asked = ask_on_and_on(server, path, connections=FETCHING_CONNECTIONS, seconds=terms.seconds)
        return asked.rate

    named = {"FILESERVICE_TEMPLATE_URLS": f"award={host.url('/award.pdf')}", **host.trust}
    linked = {"FILESERVICE_TEMPLATE_HOSTS": f"localhost:{host.tls_port}", **host.trust}
    contenders = [
        ours_beside(OURS, named),
        ours_beside(LOCAL, {}),
        ours_beside(FETCHED, linked),
        ours_beside(COMPILED, linked),
    ]
    outcome = race(contenders, turn, place=DISK, rounds=terms.rounds, prepare=prepare)
    return Row(
        "`GET /certificate` from a template on another host",
        (RATE,),
        outcome.samples,
        outcome.absent,
        (Ratio(RATE, LOCAL, 0.9), Ratio(RATE, COMPILED, 20)),
        (
            f"All fill the same template, {TEMPLATE.stat().st_size / 1000:.0f} KB, with the time "
            f"alone. fileservice and the folder: {CONNECTIONS} connections, one template, asked "
            f"for before. The others: {FETCHING_CONNECTIONS} connections, each request with a URL "
            "nobody asked for before, over TLS on connections that are kept: once with the bytes "
            "of all the others, which are compiled once, and once with bytes of its own. The other "
            "host answers from memory.",
        ),
    )
