"""One HTTP/1.1 connection: requests in, answers out in their order (http.md sections 1 and 2)."""

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.chunked import ChunkedBody, SizedBody
from ocsgw.proxy.http.deadlines import TimeLimit
from ocsgw.proxy.http.exchange import NO_HEAD, NO_LINE, Exchange, Outcome
from ocsgw.proxy.http.grammar import (
    FramingError,
    Head,
    RequestLine,
    accepts_json_of_block,
    check_beginning,
    line_of_beginning,
    parse_fields,
    parse_request_line,
)
from ocsgw.writing import write_now

if TYPE_CHECKING:
    from ocsgw.proxy.http.tree import ProxySite

_MAX_EMPTY_LINES = 4
_MAX_CHUNK_LINE = 256
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IHalfCloseableProtocol, IPushProducer)
class HTTPChannel(Protocol):
    """Cuts the byte stream of one client into calls and writes their answers in order.

    Admitted calls of the classic surface take the fast lane: straight to the front, and from there back. Everything
    else goes through the resource tree of the site.
    """

    # A transport has several faces (ITCPTransport, IConsumer, IPushProducer); no one type names them all.
    transport: Any

    def __init__(
        self, frontend: HttpFrontend, site: "ProxySite", peer: str, *, tls: bool = False, fast_lane: bool = True
    ) -> None:
        self._frontend = frontend
        self._site = site
        self._peer = peer
        self._tls = tls
        # The verified subject of the client, where TLS tells it.
        self._certificate: str | None = None
        self._fast_lane = fast_lane
        # What has been received; everything before `_at` is done with. Nothing is copied for each request.
        self._buffer = b""
        self._at = 0
        # How much of the buffer's incomplete head has been checked, from `_at` on.
        self._scanned = 0
        self._empty_lines = 0
        # The call whose body is being read, and the body; None between requests.
        self._exchange: Exchange | None = None
        self._body: SizedBody | ChunkedBody | None = None
        self._refusal: Refusal | None = None
        self._continue_due = False
        # Calls that have no answer on the wire yet, in the order of their requests.
        self._pending: deque[Exchange] = deque()
        self._limit: TimeLimit[HTTPChannel] | None = None
        self._later: IDelayedCall | None = None
        self._advancing = False
        self._paused = False
        self._write_blocked = False
        # No further request is taken; what still comes is counted and dropped.
        self._deaf = False
        self._dropped = 0
        # The buffer has no complete request.
        self._starved = True
        self._half_closed = False
        self._finishing = False
        self._gone = False

    # What Twisted calls.

    def connectionMade(self) -> None:
        """A client is there."""
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, streaming=True)
        refusal = self._frontend.admit(self, self._peer)
        if refusal is not None:
            self._end_with(self._unreadable(), refusal)
        elif self._frontend.closing:
            self.close()
        else:
            self._watch(self._frontend.handshake if self._tls else self._frontend.idle)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._deaf:
            self._drop(len(data))
            return
        self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
        self._at = 0
        self._advance()
        if self._at == len(self._buffer):
            # A connection that waits keeps nothing of what it has sent before.
            self._buffer, self._at = b"", 0

    def readConnectionLost(self) -> None:
        """The client sends nothing more; complete requests still get their answers (H12)."""
        self._half_closed = True
        self._after_half_close()

    def writeConnectionLost(self) -> None:
        """The client has taken all answers and the end; it may take a moment to close its side too (H11)."""
        self._frontend.writing.stop(self)
        self._watch(self._frontend.linger)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; what was handed over to OCS is carried out all the same (H351)."""
        self._gone = True
        self._deaf = True
        self._watch(None)
        self._frontend.writing.stop(self)
        if self._later is not None:
            self._later.cancel()
            self._later = None
        for exchange in self._pending:
            self._site.forget(exchange, reason)
        self._pending.clear()
        self._frontend.leave(self)

    def pauseProducing(self) -> None:
        """The client does not take its answers; read no more requests until it does (H31)."""
        self._write_blocked = True
        self._frontend.writing.start(self, self._frontend.clock.seconds())
        self._pause()

    def resumeProducing(self) -> None:
        """The client takes answers again."""
        self._write_blocked = False
        self._frontend.writing.stop(self)
        self._resume()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    # What the front calls.

    def request_timed_out(self) -> None:
        """A request was begun and not completed in time (H27, H28)."""
        self._limit = None
        if self._body is None or self._exchange is not None:
            self._fail(self._refusal or Refusal("request_timeout"), self._exchange)
            return
        # The rest of a body that nobody needs: its call has its answer.
        self._body = None
        self._stop_listening()
        if self._pending:
            self._pending[-1].close = True
        else:
            self.close()

    def handshake_timed_out(self) -> None:
        """The TLS handshake was not completed in time (H27)."""
        self._limit = None
        self.abort()

    def drain(self) -> None:
        """Take no new request; end what has been begun, then close (H353)."""
        if (
            not self._pending
            and self._exchange is None
            and self._body is None
            and not self._has_input()
            and not self._deaf
        ):
            self.close()

    def close(self) -> None:
        """Close without an answer."""
        self._deaf = True
        if not self._gone:
            self._finishing = True
            self._watch(None if self._write_blocked else self._frontend.linger)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Cut the connection."""
        if not self._gone:
            self.transport.abortConnection()

    # Requests.

    def _advance(self) -> None:
        """Take requests from the buffer, as many as the window and fairness to other clients allow (H3)."""
        if self._advancing:
            return
        self._advancing = True
        self._starved = False
        most = self._frontend.limits.pipeline
        turns = most
        try:
            while not self._deaf:
                if self._body is not None:
                    if not self._read_body(self._body):
                        self._starved = True
                        break
                elif self._write_blocked or (len(self._pending) >= most and not self._flush_below(most)):
                    self._pause()
                    break
                elif not self._has_input():
                    self._starved = True
                    break
                elif turns == 0:
                    self._later = self._frontend.clock.callLater(0, self._take_turn)
                    self._pause()
                    break
                else:
                    turns -= 1
                    if not self._read_head():
                        self._starved = True
                        break
        except FramingError as refusal:
            self._fail(refusal, self._exchange)
        finally:
            self._advancing = False
        self._flush()
        self._choose_limit()
        if self._half_closed:
            self._after_half_close()

    def _take_turn(self) -> None:
        self._later = None
        self._resume()

    def _flush_below(self, most: int) -> bool:
        """Write what is due; tell whether fewer than `most` calls wait then."""
        self._flush()
        return len(self._pending) < most

    def _has_input(self) -> bool:
        return self._at < len(self._buffer)

    def _read_head(self) -> bool:
        """Take one head from the buffer and decide what becomes of its body. False: it is not complete yet."""
        buffer, start = self._buffer, self._at
        while buffer.startswith(b"\r\n", start):
            start += 2
            self._empty_lines += 1
            if self._empty_lines > _MAX_EMPTY_LINES:
                raise FramingError("bad_request")
        if start != self._at:
            self._at = start
            self._scanned = 0
        limits = self._frontend.limits
        end = buffer.find(b"\r\n\r\n", start + max(0, self._scanned - 3))
        line_end = buffer.find(b"\r\n", start, end + 2) if end >= 0 else -1
        if end < 0 or line_end - start > limits.request_line or end - line_end > limits.header_block:
            part = buffer[start:]
            check_beginning(part, self._scanned, limits.request_line, limits.header_block)
            self._scanned = len(part)
            return False
        exchange = self._exchange = self._parse_head(buffer, start, line_end, end)
        self._at = end + 4
        self._scanned = self._empty_lines = 0
        if self._limit is self._frontend.header:
            self._watch(None)
        refusal = self._frontend.policy.check_head(exchange)
        if refusal is not None:
            self._refuse(exchange, refusal)
        else:
            self._admit(exchange, end - line_end)
        return True

    def _parse_head(self, buffer: bytes, start: int, line_end: int, end: int) -> Exchange:
        block = buffer[line_end + 2 : end + 2]
        line = NO_LINE
        try:
            line = parse_request_line(buffer[start:line_end])
            head = parse_fields(block, line.minor, self._frontend.limits.headers)
        except FramingError:
            # As it would be told if the bytes came one by one.
            check_beginning(buffer[start : end + 4], 0, end, end)
            head = Head(minor=1, keep_alive=False, accepts_json=accepts_json_of_block(block))
            self._exchange = self._new_exchange(line, head)
            raise
        return self._new_exchange(line, head)

    def _new_exchange(self, line: RequestLine, head: Head) -> Exchange:
        frontend = self._frontend
        return Exchange(line, head, self._peer, frontend.policy.encoding, self._certificate, frontend.usages.get(self))

    def _unreadable(self) -> Exchange:
        """Return a call for bytes that are no request, so that they get an answer too; one to HEAD has no body."""
        line = line_of_beginning(self._buffer, self._at, self._frontend.limits.request_line)
        return self._new_exchange(line or NO_LINE, NO_HEAD)

    def _admit(self, exchange: Exchange, header_block: int) -> None:
        """Read the body of an admitted call."""
        head, limits = exchange.head, self._frontend.limits
        if head.chunked:
            self._body = ChunkedBody(
                limits.body, _MAX_CHUNK_LINE, max(0, limits.header_block - header_block), limits.headers
            )
        elif head.content_length:
            if head.content_length > limits.body:
                raise FramingError("body_too_large")
            self._body = SizedBody(head.content_length)
        else:
            self._dispatch(exchange, b"")
            return
        if head.expects_continue:
            self._continue_due = True
            self._flush()

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answer a call that its head alone refuses, and get rid of its body (H11)."""
        head, drain = exchange.head, self._frontend.limits.drain
        length = head.content_length or 0
        if exchange.line.method == b"CONNECT" or head.expects_continue or length > drain:
            exchange.close = True
        if head.chunked and not exchange.close:
            # Whether the connection can stay is known at the end of the body only.
            self._body = ChunkedBody(drain, _MAX_CHUNK_LINE, drain, self._frontend.limits.headers, keep=False)
            self._refusal = refusal
            return
        if length and not exchange.close:
            self._body = SizedBody(length, keep=False)
        self._hand_to_tree(exchange, b"", refusal)

    def _read_body(self, body: SizedBody | ChunkedBody) -> bool:
        """Take what the buffer has of the body. False: there has to come more."""
        exchange, refusal = self._exchange, self._refusal
        try:
            complete, self._at = body.feed(self._buffer, self._at)
        except FramingError:
            if exchange is None or refusal is None:
                raise
            exchange.close = True
            complete = True
        if not complete:
            if not self._frontend.body_memory.hold(self, body.held):
                raise FramingError("busy")
            return False
        self._frontend.body_memory.release(self)
        self._body = self._refusal = None
        self._continue_due = False
        if self._limit is self._frontend.body:
            self._watch(None)
        if exchange is not None:
            if refusal is not None:
                self._hand_to_tree(exchange, b"", refusal)
            else:
                self._dispatch(exchange, body.content)
        return True

    def _dispatch(self, exchange: Exchange, body: bytes) -> None:
        """Bring a complete, admitted call on its way."""
        if self._fast_lane:
            self._enqueue(exchange)
            self._frontend.handle(exchange, body, self.answer)
        else:
            self._hand_to_tree(exchange, body, None)

    def _hand_to_tree(self, exchange: Exchange, body: bytes, refusal: Refusal | None) -> None:
        self._enqueue(exchange)
        self._site.process(self, exchange, body, refusal)

    def _enqueue(self, exchange: Exchange) -> None:
        self._exchange = None
        self._pending.append(exchange)
        if exchange.close:
            self._stop_listening()

    def _fail(self, refusal: Refusal, exchange: Exchange | None) -> None:
        """Answer what cannot be read any further, after everything before it, and close (H11)."""
        self._body = self._refusal = None
        self._frontend.body_memory.release(self)
        self._continue_due = False
        self._end_with(exchange or self._unreadable(), refusal)

    def _end_with(self, exchange: Exchange, refusal: Refusal) -> None:
        exchange.close = True
        self._enqueue(exchange)
        exchange.outcome = refusal
        if not self._advancing:
            self._flush()
            self._choose_limit()

    def _stop_listening(self) -> None:
        self._deaf = True
        self._drop(len(self._buffer) - self._at)
        self._buffer = b""
        self._at = 0

    def _drop(self, count: int) -> None:
        """Bytes that nobody will read: a client that goes on for ever is not listened to for ever (H11)."""
        self._dropped += count
        if self._dropped > self._frontend.limits.drain:
            self._pause()

    # Answers.

    def answer(self, exchange: Exchange, outcome: Outcome) -> None:
        """Take the outcome of a call; it is written when those before it are."""
        exchange.outcome = outcome
        if not self._advancing and not self._gone:
            self._flush()
            if len(self._pending) < self._frontend.limits.pipeline:
                self._resume()
            self._choose_limit()

    def is_last(self, exchange: Exchange) -> bool:
        """Whether the connection ends with the answer to `exchange` (H2)."""
        if exchange.close:
            return True
        if not self._starved or self._pending[-1] is not exchange:
            return False
        return self._half_closed or (self._frontend.draining and not self._has_input() and self._body is None)

    def _flush(self) -> None:
        """Write the answers that are due."""
        pending = self._pending
        answers = []
        last = False
        while pending and not last:
            exchange = pending[0]
            outcome = exchange.outcome
            if outcome is None:
                break
            last = self.is_last(exchange)
            pending.popleft()
            answers.append(self._frontend.answers.render(exchange, outcome, close=last))
        if answers:
            write_now(self.transport, b"".join(answers) if len(answers) > 1 else answers[0])
        if last:
            self._finish()
        elif self._continue_due and not pending:
            self._continue_due = False
            self.transport.write(_CONTINUE)

    def _finish(self) -> None:
        """Everything has been said: close our side once the client has taken it (H11, H31)."""
        self._deaf = True
        self._finishing = True
        self._watch(None)
        if not self._write_blocked:
            self._frontend.writing.start(self, self._frontend.clock.seconds())
        self._write_blocked = False
        self.transport.unregisterProducer()
        if self._half_closed or self._tls:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
            self._resume()

    # Time and flow.

    def _after_half_close(self) -> None:
        if self._finishing:
            self.transport.loseConnection()
        elif self._starved and not self._pending:
            self.close()

    def _choose_limit(self) -> None:
        frontend = self._frontend
        limit: TimeLimit[HTTPChannel] | None
        if self._gone or self._finishing or self._limit is frontend.handshake:
            return
        if self._body is not None:
            limit = frontend.body
        elif self._deaf or self._paused or self._later is not None:
            limit = None
        elif self._has_input():
            limit = frontend.header
        else:
            limit = None if self._pending else frontend.idle
        if limit is not self._limit or limit is frontend.idle:
            self._watch(limit)

    def _watch(self, limit: "TimeLimit[HTTPChannel] | None") -> None:
        if self._limit is not None:
            self._limit.stop(self)
        self._limit = limit
        if limit is not None:
            limit.start(self, self._frontend.clock.seconds())

    def _pause(self) -> None:
        if not self._paused and not self._gone:
            self._paused = True
            self.transport.pauseProducing()

    def _resume(self) -> None:
        """Read on, unless it is not our turn, the client does not take its answers, or it sends what nobody reads."""
        if not self._paused or self._later is not None or self._write_blocked or self._gone:
            return
        if self._dropped > self._frontend.limits.drain:
            return
        self._paused = False
        self.transport.resumeProducing()
        if not self._deaf:
            self._advance()
