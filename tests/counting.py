"""The program, which says in each answer how often its request went to the thread of the rows."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from typing import Any

from fileservice.asgi import application as program
from fileservice.http.messages import Message, Receive, Scope, Send

FIELD = "x-hops"
# Of the request that is served; what the service does by itself counts for none.
hops: ContextVar[list[str] | None] = ContextVar("hops", default=None)


class Counted(Executor):
    """Has another executor do everything."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit[T](self, call: Callable[..., T], /, *args: Any, **more: Any) -> Future[T]:
        if (counted := hops.get()) is not None:
            counted.append(repr(call))
        return self.executor.submit(call, *args, **more)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve, and count."""
    if scope["type"] == "lifespan":
        await program(scope, receive, send)
        return
    ledger = scope["state"]["resources"].ledger
    if not isinstance(ledger._executor, Counted):
        ledger._executor = Counted(ledger._executor)
    counted: list[str] = []
    hops.set(counted)

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (FIELD.encode(), b"%d" % len(counted))]
            message = {**message, "headers": headers}
        await send(message)

    await program(scope, receive, telling)
