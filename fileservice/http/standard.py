"""The standard lane: stock Django, for people who run the service, behind a cap on bodies."""

import asyncio
from datetime import UTC, datetime
from io import BytesIO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from fileservice.errors import FileserviceError
from fileservice.http.answers import problem
from fileservice.http.auth import is_ours, token_in, unauthorized
from fileservice.http.lifespan import resources_of
from fileservice.http.messages import Application, Message, Receive, Scope, Send, start_message
from fileservice.tokens import PREFIX

# Stock Django spools every body to disk before it looks at who sends it; forms are small.
LARGEST_BODY = 1 << 20
BODY_SECONDS = 30


class StandardLane:
    """Runs `application` for requests whose body is small and comes soon."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; Django answers nothing before it has read the whole body."""
        try:
            scope = without_cookies_beside_a_token(scope)
        except FileserviceError as error:
            await send_response(problem(ASGIRequest(scope, BytesIO()), error), send)
            return
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > LARGEST_BODY:
                        await refuse(
                            send, 413, b"Too large: this address takes small forms only.\n"
                        )
                        return
        except TimeoutError:
            await refuse(send, 408, b"Body too slow.\n")
            return
        await self.application(scope, replay(bytes(body), receive), send)


def without_cookies_beside_a_token(scope: Scope) -> Scope:
    """
    Return what is served: stock Django knows people by their cookies alone.

    Raises:
        Unauthorized: a token of ours is shown that is not good.
        ServiceUnavailable: nobody can tell now, since the database is locked.
    """
    if not any(name == b"authorization" for name, _ in scope["headers"]):
        return scope
    request = ASGIRequest(scope, BytesIO())
    field: str = request.META["HTTP_AUTHORIZATION"]
    resources = resources_of(request)
    if not is_ours(resources, field):
        return scope
    token = token_in(field)
    if token.startswith(PREFIX) and resources.tokens.find(token, now=datetime.now(UTC)) is None:
        raise unauthorized(request)
    headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    return {**scope, "headers": headers}


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with `body`, whole."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


async def send_response(response: HttpResponse, send: Send) -> None:
    """Send an answer and end the connection, on which there may be a body yet."""
    response["Connection"] = "close"
    await send(start_message(response))
    await send({"type": "http.response.body", "body": response.content})


async def refuse(send: Send, status: int, line: bytes) -> None:
    """Answer with one line and end the connection."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(line)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": line})
