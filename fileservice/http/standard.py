"""The standard lane: stock Django, for people who run the service, behind a cap on bodies."""

import asyncio

from fileservice.http.messages import Application, Message, Receive, Scope, Send

# Stock Django spools every body to disk before it looks at who sends it; forms are small.
LARGEST_BODY = 1 << 20
BODY_SECONDS = 30


class StandardLane:
    """Runs `application` for requests whose body is small and comes soon."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; Django answers nothing before it has read the whole body."""
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


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with `body`, whole."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


async def refuse(send: Send, status: int, line: bytes) -> None:
    """Answer with one line and end the connection."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(line)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": line})
