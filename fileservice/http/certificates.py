"""Certificates out: made when asked for, nothing kept."""

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.certificates import DEFAULT_TEMPLATE, render, zone_of
from fileservice.errors import BadRequest
from fileservice.http.answers import methods
from fileservice.http.auth import admit
from fileservice.http.lifespan import resources_of
from fileservice.http.rates import check_rate
from fileservice.http.visitors import origin_of

MAX_PARAMETERS = 64
DEFAULT_ZONE = "UTC"


class Wish(NamedTuple):
    """What the query asks for."""

    template: str
    zone: str
    values: dict[str, str]


@methods("GET", "HEAD")
async def certificate(request: ASGIRequest) -> HttpResponseBase:
    """GET /certificate?template=..&tz=..&name=..: the template, filled, as a download."""
    by = await admit(request, "issue")
    await check_rate(request, by, "certificates")
    wish = wish_of(request.META["QUERY_STRING"])
    resources = resources_of(request)
    content = await render(
        resources.templates,
        wish.template,
        wish.values,
        now=datetime.now(UTC),
        zone=zone_of(wish.zone),
        origin=origin_of(request),
        signatures=resources.signatures,
    )
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": 'attachment; filename="certificate.pdf"',
            "Cache-Control": "no-store",
        },
    )


def wish_of(query: str) -> Wish:
    """
    Read a query string: every parameter but `template` and `tz` is a value.

    Raises:
        BadRequest: as `parameters_of`.
    """
    values = parameters_of(query)
    template = values.pop("template", DEFAULT_TEMPLATE)
    return Wish(template, values.pop("tz", DEFAULT_ZONE), values)


def parameters_of(query: str) -> dict[str, str]:
    """
    Read a query string, or a form that is written as one.

    Raises:
        BadRequest: a parameter is there twice, there are too many, or one is not UTF-8.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except UnicodeDecodeError as error:
        raise BadRequest("A parameter of the query is not UTF-8.") from error
    except ValueError as error:
        raise BadRequest(f"The query has more than {MAX_PARAMETERS} parameters.") from error
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest("A parameter of the query is there twice.")
    return found
