"""The door of a sandbox: brings requests to the server behind it, notes them, and lets faults happen."""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ocsgw.sandbox.faults import Fault, Faults
from ocsgw.sandbox.relay import Relay
from ocsgw.sandbox.traffic import Entry, Traffic

# Fields that are a matter of one connection (RFC 9110 section 7.6.1), and those that a client sets itself.
_OF_CONNECTION = frozenset(
    {b"connection", b"content-length", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)


class Behind(Protocol):
    """The server behind the door."""

    def address(self) -> tuple[str, int] | None:
        """Return host and port of its HTTP Proxy, None while there is none."""

    def crash_proxy(self) -> None:
        """Kill its HTTP Proxy."""


class Door(Resource):
    """Every path but those of the sandbox itself."""

    isLeaf = True
    _log = Logger()

    def __init__(
        self, reactor: Any, behind: Behind, now: Callable[[], float], faults: Faults, traffic: Traffic
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._behind = behind
        self._now = now
        self._faults = faults
        self._traffic = traffic
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 64
        self._agent = Agent(reactor, pool=self._pool)

    def render(self, request: Request) -> int:
        """Serve a request, in the end."""
        target = request.uri.decode("latin-1")
        body = request.content.read() if request.content is not None else b""
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        entry = self._traffic.begin(
            self._now(), request.method.decode("latin-1"), target, headers, body.decode("utf-8", "replace")
        )
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        self._serve(request, entry, body, self._faults.next(target), gone).addErrback(self._failed, request, gone)
        return NOT_DONE_YET

    @inlineCallbacks
    def _serve(self, request: Request, entry: Entry, body: bytes, fault: Fault | None, gone: list[Failure]) -> Any:
        began = self._reactor.seconds()
        if fault is not None:
            entry.fault = fault.kind
            if fault.kind == "delay":
                yield deferLater(self._reactor, fault.seconds)
            elif fault.kind == "status":
                self._answer(request, entry, fault.status, Headers({b"retry-after": [b"1"]}), b"", gone)
                return
            elif fault.kind in {"reset", "crash"}:
                if fault.kind == "crash":
                    self._behind.crash_proxy()
                self._cut(request)
                return
        address = self._behind.address()
        if address is None:
            # Nobody listens while there is no HTTP Proxy.
            self._cut(request)
            return
        response = yield self._agent.request(
            request.method,
            b"http://%b:%d%b" % (address[0].encode("ascii"), address[1], request.uri),
            _headers_to_pass(request.requestHeaders),
            FileBodyProducer(BytesIO(body)) if body else None,
        )
        if _is_stream(response.headers):
            yield self._relay(request, entry, response, gone)
            entry.seconds = self._reactor.seconds() - began
            return
        answer = yield readBody(response)
        entry.seconds = self._reactor.seconds() - began
        if fault is not None and fault.kind == "lost_answer":
            self._cut(request)
        elif fault is not None and fault.kind == "half_answer":
            self._answer_half(request, entry, response, answer, gone)
        else:
            self._answer(request, entry, response.code, _headers_to_pass(response.headers), answer, gone)

    def _relay(self, request: Request, entry: Entry, response: Any, gone: list[Failure]) -> "Deferred[None]":
        """Pass an answer on that does not end by itself; of the faults, only those before it concern it."""
        entry.status = response.code
        relay = Relay(request, entry)
        if gone:
            relay.client_gone()
        else:
            request.setResponseCode(response.code)
            _copy(_headers_to_pass(response.headers), request)
            request.notifyFinish().addErrback(lambda _: relay.client_gone())
        response.deliverBody(relay)
        return relay.done

    def _answer(
        self, request: Request, entry: Entry, code: int, headers: Headers, body: bytes, gone: list[Failure]
    ) -> None:
        entry.status, entry.answer = code, body.decode("utf-8", "replace")
        if gone:
            return
        request.setResponseCode(code)
        _copy(headers, request)
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body)
        request.finish()

    def _answer_half(self, request: Request, entry: Entry, response: Any, body: bytes, gone: list[Failure]) -> None:
        entry.status = response.code
        if gone:
            return
        request.setResponseCode(response.code)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body[: len(body) // 2])
        transport: Any = request.channel.transport if request.channel is not None else None
        if transport is not None:
            transport.loseConnection()

    @staticmethod
    def _cut(request: Request) -> None:
        transport: Any = request.channel.transport if request.channel is not None else None
        if transport is not None:
            transport.abortConnection()

    def _failed(self, reason: Failure, request: Request, gone: list[Failure]) -> None:
        """The server behind is gone in the middle of a request; so is the connection of the client."""
        self._log.debug("A request of the sandbox was cut: {reason}", reason=reason.getErrorMessage())
        if not gone:
            self._cut(request)


def _is_stream(headers: Headers) -> bool:
    return any(each.startswith(b"text/event-stream") for each in headers.getRawHeaders(b"content-type", []))


def _copy(headers: Headers, request: Request) -> None:
    for name, values in headers.getAllRawHeaders():
        request.responseHeaders.setRawHeaders(name, values)


def _headers_to_pass(headers: Headers) -> Headers:
    passed = Headers()
    for name, values in headers.getAllRawHeaders():
        if name.lower() not in _OF_CONNECTION:
            passed.setRawHeaders(name, values)
    return passed
