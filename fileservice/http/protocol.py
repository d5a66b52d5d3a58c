"""
uvicorn's HTTP/1.1 protocol with limits, deadlines and an orderly end.

`head` reads the heads, `framing` judges them, `transfer` finds where the bodies end, `cycle`
runs the application, `parting` closes the connection. One request of a connection is answered
at a time, and what a client sends ahead waits: so a refusal never cuts into an earlier answer.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast, override
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fileservice.http import framing
from fileservice.http.cycle import Cycle, Outlet, answer_asterisk, refusal
from fileservice.http.framing import Refused
from fileservice.http.head import HeadReader
from fileservice.http.messages import INTERIM
from fileservice.http.parting import Parting, Patience
from fileservice.http.transfer import ChunkedBody, SizedBody

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, HTTPScope

HEAD_SECONDS: Final = 10.0  # a browser sends its head in one piece, a person types one in less


class GuardedProtocol(HttpToolsProtocol):
    """
    One connection.

    Refusals are one line of text and close the connection. So does every answer that the
    application gives before the body of its request is complete: what the client sends next
    may be the rest of that body or another request, and nobody could tell which.

    Attributes:
        head_seconds: from a connection's or a request's first moment to the end of its head.
        patience: with clients that do not stop sending or do not read.
    """

    head_seconds = HEAD_SECONDS
    patience = Patience()

    cycle: Cycle
    parting: Parting

    def __init__(self, *wiring: Any, **more_wiring: Any) -> None:
        super().__init__(*wiring, **more_wiring)
        self.head = HeadReader()
        # Until when the next head is waited for. The clock is wound up only when it has run out:
        # a timer for every request would cost more than all the checks of its head.
        self.due = 0.0
        self.clock: asyncio.TimerHandle | None = None
        # The request that is being answered.
        self.answering = False
        self.body: SizedBody | ChunkedBody | None = None
        self.keeps_alive = True
        # What came after it, and whether anything still may.
        self.held = b""
        self.deaf = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.parting = Parting(transport, self.patience)
        self.outlet = Outlet(transport.write, self._part, self.parting.has_begun)
        self._wait(self.head_seconds)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.head.forget()
        self.parting.forget()
        if self.clock is not None:
            self.clock.cancel()
        # These know us, too; without this only the garbage collector could part us.
        self.cycle = cast("Cycle", None)
        del self.outlet

    @override
    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn never keeps it open
        """Answer a client that closed its side after a whole request (`nc -N`); TLS cannot."""
        if self.scheme == "https" or self.body is not None or not self.answering:
            return False
        self.cycle.keep_alive = self.parting.heard = False
        return True

    @override
    def data_received(self, data: bytes) -> None:
        try:
            while data and not self.deaf:
                if self.body is not None:
                    data = self._read_body(self.body, data)
                elif self.answering:
                    self.held += data
                    self.flow.pause_reading()
                    return
                else:
                    data = self._read_head(data)
        except Refused as refused:
            self._refuse(refused)
        if data:
            self.parting.heard = True

    def _read_head(self, data: bytes) -> bytes:
        """Take what belongs to the head, return what does not."""
        begun = self.head.begun
        rest = self.head.feed(data)
        if self.head.complete:
            self._begin_answer()
        elif self.head.begun and not begun:
            self._wait(self.head_seconds)
        return rest

    def _wait(self, seconds: float) -> None:
        self.due = self.loop.time() + seconds
        if self.clock is None or self.clock.when() > self.due:
            if self.clock is not None:
                self.clock.cancel()
            self.clock = self.loop.call_later(seconds, self._check_clock)

    def _check_clock(self) -> None:
        self.clock = None
        left = self.due - self.loop.time()
        if self.deaf or self.answering:
            return
        if left > 0:
            self.clock = self.loop.call_later(left, self._check_clock)
        elif self.head.begun:
            self._refuse(Refused(408, f"The head took longer than {self.head_seconds:g} seconds"))
        else:
            # Browsers open connections ahead of need and would take a 408 for their next answer.
            self.parting.close()

    def _begin_answer(self) -> None:
        head, scheme = self.head, self.scheme or "http"
        path, query, authority = framing.read_target(head.method, head.url, scheme)
        length, chunked, waits = framing.read_fields(
            head.version, scheme, authority, tuple(head.decisive)
        )
        if authority:
            head.fields = framing.with_host(head.fields, authority)
        self.keeps_alive = head.keeps_alive
        self._answer(self._application(path), path, query, waits_for_continue=waits)
        if chunked or length:
            self.body = ChunkedBody() if chunked else SizedBody(length)
            head.expect_body()
        else:
            self._end_request()

    def _application(self, path: bytes) -> "ASGI3Application":
        if path == b"*":
            return answer_asterisk
        limit = self.limit_concurrency
        if limit is not None and max(len(self.connections), len(self.tasks)) >= limit:
            return service_unavailable
        app: ASGI3Application = self.app
        return app

    def _answer(
        self, app: "ASGI3Application", path: bytes, query: bytes, *, waits_for_continue: bool
    ) -> None:
        """Start `app`; until its request is complete, its answer closes the connection."""
        self.answering = True
        self.cycle = Cycle(
            scope=self._scope(path, query),
            transport=cast("asyncio.Transport", self.outlet),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=waits_for_continue,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, app)

    def _scope(self, path: bytes, query: bytes) -> "HTTPScope":
        text = path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": self.head.version,
            "method": self.head.method,
            "scheme": self.scheme or "http",
            "path": self.root_path + (unquote(text) if "%" in text else text),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": query,
            "root_path": self.root_path,
            "headers": self.head.fields,
            "client": self.client,
            "server": self.server,
            "state": self.app_state.copy(),
            # A client of HTTP/1.0 knows no interim answer (RFC 9110 15.2).
            "extensions": {INTERIM: {}} if self.head.version == "1.1" else {},
        }

    def _read_body(self, body: SizedBody | ChunkedBody, data: bytes) -> bytes:
        """Hand over what belongs to the body, return what does not."""
        content, rest = body.feed(data)
        if content and self.cycle.take(content):
            self.flow.pause_reading()
        if body.complete:
            self.body = None
            self._end_request()
        return rest

    def _end_request(self) -> None:
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        if not cycle.response_started:
            cycle.keep_alive = self.keeps_alive
        self.deaf = not self.keeps_alive  # RFC 9112 9.6: what follows `close` is no request

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that goes no further, and hear no other on this connection."""
        self.deaf = self.parting.heard = True
        self.body = None
        self.logger.info("%s - %d: %s", self.client, refused.status, refused.detail)
        if self.answering:
            self.cycle.hang_up()
            if self.cycle.response_started and not self.cycle.head:
                self._part()
                return
        self._answer(refusal(refused), b"-", b"", waits_for_continue=False)

    @override
    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.answering = False
        if self.parting.has_begun():
            return
        self.flow.resume_reading()
        self._wait(self.timeout_keep_alive)
        if self.held:
            held, self.held = self.held, b""
            self.data_received(held)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self.parting.watch_reader()

    @override
    def resume_writing(self) -> None:
        self.parting.reader_moved()
        super().resume_writing()

    @override
    def shutdown(self) -> None:
        self.keeps_alive = False
        # Who can go on elsewhere need not be waited for.
        if "let_go" in self.app_state:
            self.app_state["let_go"]()
        super().shutdown()

    def _part(self) -> None:
        """End the connection after an answer, or in the middle of one that failed."""
        if self.parting.has_begun():
            return
        if not self.parting.heard and not self.held and self.body is None:
            self.parting.close()
            return
        self.deaf = True
        self.held = b""
        self.flow.resume_reading()
        self.parting.linger()
