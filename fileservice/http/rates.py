"""How often who asks may ask; nothing is counted where the operator set no rate."""

from django.core.handlers.asgi import ASGIRequest

from fileservice.actors import Actor
from fileservice.errors import ServiceUnavailable, TooManyRequests
from fileservice.http.lifespan import resources_of
from fileservice.rates import Kind


async def check_rate(request: ASGIRequest, by: Actor, kind: Kind) -> None:
    """
    Count a request of `by`.

    Raises:
        TooManyRequests: there were too many; `headers` says when to come back.
        ServiceUnavailable: the same to who speaks tus: its clients give up at 429, and come
            back after 503.
    """
    try:
        await resources_of(request).rates.check(kind, by)
    except TooManyRequests as error:
        if "HTTP_TUS_RESUMABLE" not in request.META:
            raise
        raise ServiceUnavailable(error.detail, headers=error.headers) from None
