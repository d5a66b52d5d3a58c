"""What surrounds every view of the native lane; asynchronous functions, no thread."""

import logging
import time
from collections.abc import Awaitable, Callable

from django.core.exceptions import BadRequest as DjangoBadRequest
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from fileservice.errors import BadRequest, FileserviceError, NotFound
from fileservice.http import tus
from fileservice.http.answers import Shape, problem
from fileservice.http.auth import actor_of, token_in
from fileservice.http.body import ClientGone
from fileservice.http.cors import answer_fields, preflight_fields, varies
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.tokens import PREFIX

Respond = Callable[[NativeRequest], Awaitable[HttpResponseBase]]

error_log = logging.getLogger("fileservice.error")

API_PREFIX = "/api/"
PROBES = frozenset(("/livez", "/readyz"))


def log_access(respond: Respond) -> Respond:
    """
    Name the request and write a line about it.

    The path is logged as it came, percent-encoded, and without the query: values of a
    certificate are nobody's but their owner's.
    """

    async def logged(request: NativeRequest) -> HttpResponseBase:
        began = time.perf_counter()
        log = resources_of(request).access_log
        name = request.name = log.new_name()
        status: int | str = "gone"
        try:
            response = await respond(request)
            response.headers["X-Request-ID"] = name
            status = response.status_code
        finally:
            milliseconds = (time.perf_counter() - began) * 1000
            log.add(
                f'{request.META.get("REMOTE_ADDR", "-")} "{request.method} {path_of(request)}"'
                f" {status} {milliseconds:.1f}ms {name}"
            )
        return response

    return logged


def path_of(request: ASGIRequest) -> str:
    """Return the path as sent; what a server decoded is quoted, so that no log line is forged."""
    raw = request.scope.get("raw_path")
    return raw.decode("ascii", "backslashreplace") if raw else repr(request.path)


def answer_errors(respond: Respond) -> Respond:
    """
    Answer what a view raised, here and nowhere else.

    What is neither the client's fault nor foreseen is our bug: a traceback in the log, a 500
    that tells nothing.
    """

    async def answered(request: NativeRequest) -> HttpResponseBase:
        # Whoever calls the API reads JSON, whatever else it would take.
        otherwise: Shape = "json" if request.path.startswith(API_PREFIX) else "text"
        try:
            return await respond(request)
        except FileserviceError as error:
            return problem(request, error, otherwise)
        except Http404:
            return problem(request, NotFound("There is nothing at this address."), otherwise)
        except (SuspiciousOperation, DjangoBadRequest) as error:
            return problem(request, BadRequest(str(error)), otherwise)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001 - the one place that keeps our bugs from the client
            error_log.exception("%s %s failed", request.method, path_of(request))
            return problem(
                request, FileserviceError("The service failed; the failure is logged."), otherwise
            )

    return answered


def share_answers(respond: Respond) -> Respond:
    """
    Let pages of the origins that the operator chose read every answer, also what went wrong.

    A preflight asks whether a request would be let in; it carries nothing that could be judged,
    and is answered for whatever address and Host, before anything is looked at.
    """

    async def shared(request: NativeRequest) -> HttpResponseBase:
        origins = resources_of(request).options.cors_origins
        if not origins:
            return await respond(request)
        field = request.META.get
        response: HttpResponseBase
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            private_network = field("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
            fields = preflight_fields(
                origins, field("HTTP_ORIGIN"), private_network=private_network
            )
            response = HttpResponse(status=204, headers=fields)
        else:
            response = await respond(request)
            for name, value in answer_fields(origins, field("HTTP_ORIGIN")).items():
                response[name] = value
        if varies(origins):
            patch_vary_headers(response, ("Origin",))
        return response

    return shared


def check_host(respond: Respond) -> Respond:
    """
    Refuse a Host that is not ours, before anything is done for it.

    Against DNS rebinding: a foreign page whose name resolves to this machine is a stranger still.
    Probes ask by whatever address they know, and learn nothing secret.
    """

    async def checked(request: NativeRequest) -> HttpResponseBase:
        if request.path not in PROBES:
            try:
                request.get_host()
            except DisallowedHost:
                raise BadRequest(
                    "This is not a name of this service: FILESERVICE_HOSTS does not list it."
                ) from None
        return await respond(request)

    return checked


def name_tus(respond: Respond) -> Respond:
    """Name the version of tus in every answer to who speaks it, errors among them."""

    async def named(request: NativeRequest) -> HttpResponseBase:
        response = await respond(request)
        if "HTTP_TUS_RESUMABLE" in request.META:
            response.headers["Tus-Resumable"] = tus.VERSION
        return response

    return named


def check_token(respond: Respond) -> Respond:
    """
    Refuse a token of ours that is not good, wherever it is shown.

    Whoever has revoked it then sees so at once, also where nobody need say who it is.
    """

    async def checked(request: NativeRequest) -> HttpResponseBase:
        if token_in(request.META.get("HTTP_AUTHORIZATION", "")).startswith(PREFIX):
            await actor_of(request)
        return await respond(request)

    return checked


NATIVE_MIDDLEWARE = (
    log_access,
    share_answers,
    name_tus,
    answer_errors,
    check_host,
    check_token,
)
