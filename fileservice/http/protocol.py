"""
uvicorn's HTTP/1.1 protocol with limits, deadlines and an orderly end.

llhttp, through httptools, reads the heads; `framing` judges them, and `transfer` finds where
the bodies end. One request of a connection is answered at a time, and what a client sends
ahead waits in `held`: so a refusal never cuts into the answer before it.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast, override
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_client_addr

from fileservice.http import framing
from fileservice.http.cycle import Cycle, Outlet, answer_asterisk, refusal
from fileservice.http.framing import DECISIVE_FIELDS, MAX_FIELDS, MAX_HEAD_BYTES, Refused
from fileservice.http.parting import Parting, Patience
from fileservice.http.transfer import ChunkedBody, SizedBody

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

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
        # The head that is being read.
        self.url = b""
        self.headers = []
        self.decisive: list[tuple[bytes, bytes]] = []
        self.head_complete = False
        self.head_bytes = 0
        self.head_tail = b""
        # Until when it is waited for. The clock is wound up only when it has run out: a timer for
        # every request would cost more than all the checks of its head.
        self.due = 0.0
        self.clock: asyncio.TimerHandle | None = None
        # The request that is being answered.
        self.answering = False
        self.body: SizedBody | ChunkedBody | None = None
        self.keeps_alive = True
        # What came after it.
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
        self.parting.forget()
        if self.clock is not None:
            self.clock.cancel()
        # The cycle knows us, too; without this only the garbage collector could part the two.
        self.cycle = cast("Cycle", None)

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
        """Give the parser what belongs to the head, return what does not."""
        stop = framing.end_of_head(self.head_tail, data)
        head = data[: min(stop, MAX_HEAD_BYTES + 1 - self.head_bytes)]
        self.head_bytes += len(head)
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # RFC 9110 7.8: an Upgrade may be ignored. llhttp believes it was heeded.
            self.parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError as error:
            raise framing.refused_by_parser(str(error)) from error
        if len(self.url) > framing.MAX_URL_BYTES:
            raise Refused(414, f"The URL is longer than {framing.MAX_URL_BYTES} bytes")
        if self.head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_FIELDS:
            raise Refused(431, f"A head has {MAX_HEAD_BYTES} bytes and {MAX_FIELDS} fields at most")
        if self.head_complete:
            self._begin_answer()
        else:
            self._await_head(head)
        return data[len(head) :]

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        field = name.lower(), value.rstrip(b"\t ")
        self.headers.append(field)
        if field[0] in DECISIVE_FIELDS:
            self.decisive.append(field)

    @override
    def on_headers_complete(self) -> None:
        # Not after feed_data: a parser that saw an Upgrade is thrown away by then.
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version = self.parser.get_http_version()
        self.keeps_alive = version == "1.1" and self.parser.should_keep_alive()
        self.head_complete = True

    @override
    def on_message_complete(self) -> None:
        """Nothing: the parser only ever sees heads."""

    def _await_head(self, head: bytes) -> None:
        """Give a head that begins and does not end its time; the parser would wait for ever."""
        if self._head_has_begun() and not self.head_tail:
            if framing.is_http_0_9(head):
                framing.check_version("0.9")
            self._wait(self.head_seconds)
        self.head_tail = (self.head_tail + head)[-3:]

    def _head_has_begun(self) -> bool:
        cycle = cast("Cycle | None", self.cycle)  # None before the first one, as is the scope
        return self.scope is not (None if cycle is None else cycle.scope)

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
        elif self._head_has_begun():
            self._refuse(Refused(408, f"The head took longer than {self.head_seconds:g} seconds"))
        else:
            # Browsers open connections ahead of need and would take a 408 for their next answer.
            self.parting.close()

    def _begin_answer(self) -> None:
        scope, scheme = self.scope, self.scheme or "http"
        path, query, authority = framing.read_target(scope["method"], self.url, scheme)
        length, chunked, waits = framing.read_fields(
            scope["http_version"], scheme, authority, tuple(self.decisive)
        )
        if authority:
            scope["headers"] = framing.with_host(self.headers, authority)
        self.head_complete = False
        self.head_bytes, self.head_tail, self.decisive = 0, b"", []
        app = answer_asterisk if path == b"*" else self._application()
        self._answer(app, path, query, waits_for_continue=waits)
        if chunked or length:
            self.body = ChunkedBody() if chunked else SizedBody(length)
            self.parser = httptools.HttpRequestParser(self)
        else:
            self._end_request()

    def _application(self) -> "ASGI3Application":
        limit = self.limit_concurrency
        if limit is not None and max(len(self.connections), len(self.tasks)) >= limit:
            return service_unavailable
        app: ASGI3Application = self.app
        return app

    def _answer(
        self, app: "ASGI3Application", path: bytes, query: bytes, *, waits_for_continue: bool
    ) -> None:
        """Start `app`; until its request is complete, its answer closes the connection."""
        scope = self.scope
        text = path.decode("ascii")
        scope["path"] = self.root_path + (unquote(text) if "%" in text else text)
        scope["raw_path"] = self.root_path.encode("ascii") + path
        scope["query_string"] = query
        self.cycle = Cycle(
            scope=scope,
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
        self.answering = True
        self._start_asgi_task(self.cycle, app)

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
        if not self._head_has_begun():
            self.on_message_begin()
        self.logger.info("%s - %d: %s", get_client_addr(self.scope), refused.status, refused.detail)
        if self.answering:
            self.cycle.hang_up()
            if self.cycle.response_started:
                self._part()
                return
        self.scope.setdefault("method", "-")
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
