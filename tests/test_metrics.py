"""What a worker counts for Prometheus."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.client import Answer
from tests.conftest import Server, free_port, serving
from tests.servers import host_aside, samples

TOKEN = "t" * 32
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Watched:
    """A private service, and its metrics before and after the one visit to its home page."""

    server: Server
    before: Answer
    after: Answer


@pytest.fixture(scope="module")
def watched(migrated: Path) -> Iterator[Watched]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(30)
        return web.json_response({"items": []}, status=503 if request.path == "/busy" else 200)

    with host_aside(answer) as host:
        good, busy, slow = (host.url(path) for path in ("/good", "/busy", "/slow"))
        dead = f"http://127.0.0.1:{free_port()}/"
        panels = f"good={good} other={good} busy={busy} slow={slow} dead={dead}"
        with serving(migrated, ACCESS="private", TOKEN=TOKEN, HOME_PANELS=panels) as server:
            before = server.ask("GET", "/metrics", headers=AUTHORIZED)
            server.ask("GET", "/", headers={**AUTHORIZED, "Accept": "text/html"})
            yield Watched(server, before, server.ask("GET", "/metrics", headers=AUTHORIZED))


def values(answer: Answer) -> dict[str, float]:
    """Return each value by its name, for fetches by their outcome."""
    return {sample.labels.get("outcome", sample.name): sample.value for sample in samples(answer)}


def test_prometheus_reads_the_metrics(watched: Watched) -> None:
    families = list(text_string_to_metric_families(watched.after.text))

    assert watched.after.headers["content-type"].startswith("text/plain; version=")
    assert watched.after.headers["cache-control"] == "no-store"
    assert {family.name: family.type for family in families} == {
        "fileservice_http_sessions_made": "counter",
        "fileservice_http_connections_made": "counter",
        "fileservice_fetches": "counter",
        "fileservice_webhook_attempts": "counter",
    }
    assert all(family.documentation for family in families)


def test_a_worker_that_asked_nobody_has_a_session_and_no_connection(watched: Watched) -> None:
    assert values(watched.before) == {
        "fileservice_http_sessions_made_total": 1,
        "fileservice_http_connections_made_total": 0,
    }


def test_every_end_of_a_fetch_is_counted(watched: Watched) -> None:
    # Two were answered; of the others one refused to serve and one the connection.
    assert values(watched.after) == {
        "fileservice_http_sessions_made_total": 1,
        "fileservice_http_connections_made_total": 5,
        "ok": 2,
        "remote_failed": 2,
        "remote_timeout": 1,
    }


def test_each_count_names_the_worker_that_tells_it(watched: Watched) -> None:
    worker = watched.after.headers["x-request-id"].partition("-")[0]

    assert {sample.labels["worker"] for sample in samples(watched.after)} == {worker}


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {'x' * 32}"}])
def test_a_private_service_tells_no_stranger_its_metrics(
    watched: Watched, headers: dict[str, str]
) -> None:
    refused = watched.server.ask("GET", "/metrics", headers=headers)

    assert refused.status == 401
    assert "fileservice_" not in refused.text


def test_a_head_of_the_metrics_has_no_content(watched: Watched) -> None:
    answer = watched.server.ask("HEAD", "/metrics", headers=AUTHORIZED)

    assert (answer.status, answer.body) == (200, b"")
    assert re.fullmatch("[1-9][0-9]*", answer.headers["content-length"])


def test_metrics_are_not_written_to(watched: Watched) -> None:
    refused = watched.server.ask("POST", "/metrics", b"", AUTHORIZED)

    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
