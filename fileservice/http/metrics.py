"""What a worker counts, for Prometheus."""

from collections.abc import Iterator

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from fileservice.http.answers import methods
from fileservice.http.auth import admit
from fileservice.http.lifespan import Resources, resources_of


class Counted(Collector):
    """
    The counts of one worker, taken when they are asked for.

    Each worker answers for itself, under the label `worker`: the sum over workers is for who asks.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield every metric."""
        worker = self.resources.access_log.worker
        made = CounterMetricFamily(
            "fileservice_http_sessions_made",
            "HTTP sessions for other hosts made since the start; more than one was closed by force",
            labels=["worker"],
        )
        made.add_metric([worker], self.resources.session.made)
        yield made
        connections = CounterMetricFamily(
            "fileservice_http_connections_made",
            "Connections to other hosts begun by the session; the rest of its requests reused one",
            labels=["worker"],
        )
        connections.add_metric([worker], self.resources.session.guard.connections)
        yield connections
        fetches = CounterMetricFamily(
            "fileservice_fetches",
            "Fetches from other hosts by how they ended: ok, unchanged, or the code of a problem",
            labels=["worker", "outcome"],
        )
        for outcome, count in sorted(self.resources.fetcher.outcomes.items()):
            fetches.add_metric([worker, outcome], count)
        yield fetches
        deliveries = CounterMetricFamily(
            "fileservice_webhook_attempts",
            "Attempts to tell webhooks by how they ended: delivered, failed or given up",
            labels=["worker", "outcome"],
        )
        for outcome, count in sorted(self.resources.delivering.outcomes.items()):
            deliveries.add_metric([worker, outcome], count)
        yield deliveries
        if self.resources.scanning is not None:
            scans = CounterMetricFamily(
                "fileservice_scans",
                "Scans of files by how they ended: what the file is then, or failed",
                labels=["worker", "outcome"],
            )
            for outcome, count in sorted(self.resources.scanning.outcomes.items()):
                scans.add_metric([worker, outcome], count)
            yield scans


@methods("GET", "HEAD")
async def metrics(request: ASGIRequest) -> HttpResponseBase:
    """GET /metrics tells what the worker that answers has counted, in Prometheus' text format."""
    await admit(request, "read")
    registry = CollectorRegistry()
    registry.register(Counted(resources_of(request)))
    return HttpResponse(
        generate_latest(registry),
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )
