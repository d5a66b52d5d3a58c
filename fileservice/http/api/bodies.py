"""The bodies of the API: small, JSON, and said once."""

import json
from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser

from fileservice.errors import BadRequest, TooLarge, UnsupportedRequest
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest

LARGEST_BODY_BYTES = 1 << 20
MEDIA_TYPE = "application/json"


async def hold_body(request: NativeRequest) -> None:
    """
    Read a body whole, if there is one, for `JsonParser`.

    Raises:
        UnsupportedRequest: it is no JSON, or compressed.
        TooLarge: it has more than `LARGEST_BODY_BYTES`.
        ClientGone, Truncated, SlowBody: as `Body.chunks`.
    """
    body = bytearray()
    if not request.stream.complete:
        refuse_encoded(request)
        if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise UnsupportedRequest(
                f"Send the body as {MEDIA_TYPE}.", headers={"Accept": MEDIA_TYPE}
            )
        refusal = TooLarge(f"A body may have {LARGEST_BODY_BYTES:,} bytes here.")
        pace = resources_of(request).pace
        async for chunk in request.stream.at_most(LARGEST_BODY_BYTES, pace, refusal):
            body += chunk
    request.held = bytes(body)


class JsonParser(Parser):
    """Reads JSON as RFC 8259 has it; ninja's takes more."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """
        Return what a body says, which may be no object.

        Raises:
            BadRequest: it is not JSON, or not UTF-8, or says a member twice.
        """
        try:
            return cast("dict[str, Any]", json.loads(request.body.decode(), **STRICTLY))
        except UnicodeDecodeError as error:
            raise BadRequest("The body is not UTF-8.") from error
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not JSON.") from error


def object_of(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; which of two equal members counts, programs disagree about."""
    known = dict(members)
    if len(known) < len(members):
        raise BadRequest("The body says a member of an object twice.")
    return known


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are JavaScript."""
    raise ValueError(name)


STRICTLY: dict[str, Any] = {"object_pairs_hook": object_of, "parse_constant": refuse_constant}
