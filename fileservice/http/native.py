"""The native lane: Django's request, resolver and responses around a streamed body, no threads."""

from http import HTTPStatus
from typing import cast

from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.http.body import ClientGone
from fileservice.http.content import ContentResponse
from fileservice.http.messages import Receive, Scope, Send, start_message
from fileservice.http.middleware import NATIVE_MIDDLEWARE, Respond
from fileservice.http.requests import NativeRequest


class NativeLane(ASGIHandler):
    """
    Django's ASGI handler without what costs a thread.

    The body is not spooled, no executor is opened for the request, the two synchronous signals
    are not sent (this lane holds no database connection of Django's), and a client that hangs up
    does not cancel the view: the view learns of it from its stream and unwinds in peace.
    """

    request_class = NativeRequest

    def load_middleware(self, is_async: bool = False) -> None:
        """Wrap the views in this lane's own middleware."""
        chain: Respond = self._get_response_async
        for middleware in reversed(NATIVE_MIDDLEWARE):
            chain = middleware(chain)
        self._middleware_chain = chain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            request = NativeRequest(scope, receive, send)
        except UnicodeDecodeError:  # a query that is not ASCII; our own server refuses it before
            await self.send_response(HttpResponse("Bad request\n", status=400), send)
            return
        try:
            response = await self._middleware_chain(request)
        except ClientGone:
            return
        if not request.stream.complete:
            # What is left of the body is not going to be read.
            response.headers["Connection"] = "close"
        if isinstance(response, ContentResponse):
            await response.transmit(scope, receive, send)
        else:
            await self.send_response(response, send, head=request.method == "HEAD")

    async def _get_response_async(self, request: NativeRequest) -> HttpResponseBase:
        view, args, kwargs = self.resolve_request(request)
        response: HttpResponseBase = await view(request, *args, **kwargs)
        return response

    async def send_response(
        self, response: HttpResponseBase, send: Send, *, head: bool = False
    ) -> None:
        """Send a response that is wholly in memory; of the answer to a HEAD, no content."""
        content = cast("HttpResponse", response).content
        if response.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            del response.headers["Content-Type"]
        else:
            response.headers.setdefault("Content-Length", str(len(content)))
        await send(start_message(response))
        await send({"type": "http.response.body", "body": b"" if head else content})
