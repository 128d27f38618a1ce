"""One HTTP/1.1 connection: requests in, answers out in their order (http.md sections 1 and 2).

This is the whole of it; `channel` adds short cuts for what comes most often.
"""

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.guard import guarded
from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.frontend import Connection, HttpFrontend
from ocsgw.proxy.http.deadlines import TimeLimit
from ocsgw.proxy.http.exchange import Answer, Exchange, Outcome, Route, Stream
from ocsgw.proxy.http.grammar import FramingError, Head, RequestLine
from ocsgw.proxy.http.reader import ReaderEvent, RequestBody, RequestHead, RequestReader
from ocsgw.proxy.http.state import Hold, State
from ocsgw.proxy.policy.reports import report_failure
from ocsgw.writing import unacknowledged, write_now

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IHalfCloseableProtocol, IPushProducer)
class LongWay(Protocol):
    """Brings the requests of one client to their routes, and writes their answers in order."""

    # A transport has several faces (ITCPTransport, IConsumer, IPushProducer); no one type names them all.
    transport: Any
    # What goes on behind the last answer; few connections ever have one.
    _stream: Stream | None = None
    # When a client must have taken a last answer that the system still keeps for it; most never have any.
    _taken_by: float | None = None
    _log = Logger()

    def __init__(self, frontend: HttpFrontend, peer: str, *, tls: bool = False, short_cut: bool = True) -> None:
        self._frontend = frontend
        self._peer = peer
        self._tls = tls
        self._short_cut = short_cut
        # The verified subject of the client, where TLS knows it.
        self._certificate: str | None = None
        self._reader = RequestReader(frontend, frontend.whole_requests.known if short_cut else None)
        self._state = State.READING
        self._held = Hold.NOTHING
        # The request whose body is being read, and what it will be answered with if its head is refused.
        self._exchange: Exchange | None = None
        self._refusal: Refusal | None = None
        self._continue_due = False
        # Requests that have no answer on the wire yet, in their order: few, and an empty list is small.
        self._pending: list[Exchange] = []
        self._limit: TimeLimit[Connection] | None = None
        self._turn: IDelayedCall | None = None
        self._advancing = False
        self._dropped = 0
        # The one request in work, if it came by the short cut and nothing has happened since.
        self._alone: Exchange | None = None

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
        if self._state is not State.READING:
            self.drop(len(data))
            return
        self._alone = None
        self._reader.receive(data)
        self._advance()

    def readConnectionLost(self) -> None:
        """The client sends nothing more; complete requests still get their answers (H12)."""
        self._alone = None
        self._reader.ended = True
        self._after_half_close()

    def writeConnectionLost(self) -> None:
        """The client has taken all answers and the end; it may take a moment to close its side too (H11)."""
        self._frontend.writing.stop(self)
        self._watch(self._frontend.linger)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; what was handed over to OCS is carried out all the same (H351)."""
        self._state = State.GONE
        self._alone = None
        self._watch(None)
        self._frontend.writing.stop(self)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        pending, self._pending = self._pending, []
        self._frontend.shares.total -= len(pending)
        stream, self._stream = self._stream, None
        if stream is not None:
            guarded(self._log, "stream", stream.lost)
        for exchange in pending:
            if self._frontend.access_log is not None:
                self._frontend.access_log.abandoned(exchange)
            if exchange.route is not None:
                guarded(self._log, "route", exchange.route.forget, exchange, reason)
        self._frontend.leave(self)

    def pauseProducing(self) -> None:
        """The client does not take its answers; read no more requests until it does (H31)."""
        self._frontend.writing.start(self, self._frontend.clock.seconds())
        self._hold(Hold.UNTAKEN)
        if self._stream is not None:
            self._stream.pause()

    def resumeProducing(self) -> None:
        """The client takes answers again."""
        self._frontend.writing.stop(self)
        self._release(Hold.UNTAKEN)
        if self._stream is not None:
            self._stream.resume()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    # What the front end calls.

    def request_timed_out(self) -> None:
        """A request was begun and not completed in time (H27, H28)."""
        self._limit = None
        if self._exchange is not None or not self._reader.in_body:
            self._fail(self._refusal or Refusal("request_timeout"))
            return
        # The rest of a body that nobody needs: its request has its answer.
        self._take_no_more()
        if self._pending:
            self._pending[-1].close = True
        else:
            self.close()

    def handshake_timed_out(self) -> None:
        """The TLS handshake was not completed in time (H27)."""
        self._limit = None
        self.abort()

    def linger_timed_out(self) -> None:
        """Cut the connection (H11), unless the client is still taking its last answer.

        The system keeps up to 128 KiB of it; `write_timeout` counts for that, too (H31).
        """
        self._limit = None
        now = self._frontend.clock.seconds()
        if self._taken_by is None:
            self._taken_by = now + self._frontend.writing.seconds
        if now < self._taken_by and unacknowledged(self.transport):
            self._watch(self._frontend.linger)
        else:
            self.abort()

    def drain(self) -> None:
        """Take no new request; end what has been begun, then close (H353)."""
        if self._stream is not None:
            self._stream.end()
        elif self._state is State.READING and not (self._pending or self._reader.in_body or self._reader.in_head):
            self.close()

    def close(self) -> None:
        """Close without an answer."""
        if self._state is not State.GONE:
            self._state = State.CLOSING
            self._alone = None
            self._watch(None if Hold.UNTAKEN in self._held else self._frontend.linger)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Cut the connection."""
        if self._state is not State.GONE:
            self.transport.abortConnection()

    # Requests.

    def _advance(self) -> None:
        """Take what the reader has, as far as the pipeline and fairness to other clients allow (H3)."""
        if self._advancing:
            return
        self._advancing = True
        reader = self._reader
        turns = self._frontend.limits.pipeline
        try:
            while self._state is State.READING:
                if not reader.in_body:
                    if self._held is not Hold.NOTHING and Hold.UNTAKEN in self._held:
                        break
                    if self._is_full():
                        self._hold(Hold.PIPELINE)
                        break
                    if turns == 0 and reader.unread:
                        self._turn = self._frontend.clock.callLater(0, self._take_turn)
                        self._hold(Hold.TURN)
                        break
                event = self._read()
                if isinstance(event, RequestHead):
                    turns -= 1
                    self._begin(event)
                elif isinstance(event, RequestBody):
                    self._complete(event.content)
                else:
                    if reader.in_body and not self._frontend.body_memory.hold(self, reader.held):
                        raise FramingError("busy")
                    break
        except FramingError as refusal:
            self._fail(refusal)
        finally:
            self._advancing = False
        if self._pending or self._continue_due:
            self._flush()
        self._choose_limit()
        if reader.ended:
            self._after_half_close()

    def _is_full(self) -> bool:
        """Write what is due; return whether there are as many requests in work then as may be."""
        if self._has_room():
            return False
        self._flush()
        return not self._has_room()

    def _has_room(self) -> bool:
        held = len(self._pending)
        return held < self._frontend.limits.pipeline and self._frontend.shares.may_take(held)

    def _take_turn(self) -> None:
        self._turn = None
        self._release(Hold.TURN)

    def _read(self) -> ReaderEvent:
        try:
            return self._reader.next()
        except FramingError:
            if self._refusal is None or self._exchange is None:
                raise
            # The body of a refused request cannot be read to its end: the connection ends with the answer (H11).
            self._exchange.close = True
            return RequestBody(b"")

    def _begin(self, request: RequestHead) -> None:
        """Find the route of a request, let it judge the head, and decide what becomes of the body."""
        exchange = self._exchange = self._new_exchange(request.line, request.head)
        if self._limit is self._frontend.header:
            self._watch(None)
        exchange.transport, exchange.secure = self.transport, self._tls
        route = exchange.route = self._frontend.router.route_of(request.line, request.head)
        refusal = self._check(route, exchange)
        if refusal is not None:
            self._refuse(exchange, refusal)
            return
        self._reader.read_body()
        if request.head.expects_continue and (request.head.chunked or request.head.content_length):
            self._continue_due = True
            self._flush()

    def _check(self, route: Route, exchange: Exchange) -> Refusal | None:
        try:
            return route.check(exchange)
        except Exception:  # noqa: BLE001 - a defect ends one request, not the connection
            report_failure(self._log, exchange)
            return Refusal("internal")

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        """Answer a request that its head alone refuses, and get rid of its body (H11)."""
        head, most = exchange.head, self._frontend.limits.drain
        if exchange.line.method == b"CONNECT" or head.expects_continue or (head.content_length or 0) > most:
            exchange.close = True
        if not exchange.close:
            self._reader.skip_body(most)
            if head.chunked:
                # Whether the connection can stay is known at the end of the body only.
                self._refusal = refusal
                return
        self._enqueue(exchange)
        exchange.outcome = refusal

    def _complete(self, content: bytes) -> None:
        """Bring a complete request on its way; one whose answer is known already needs none."""
        exchange, refusal = self._exchange, self._refusal
        self._frontend.body_memory.release(self)
        self._refusal = None
        self._continue_due = False
        if self._limit is self._frontend.body:
            self._watch(None)
        if exchange is None:
            return
        self._enqueue(exchange)
        if refusal is not None:
            exchange.outcome = refusal
        elif exchange.route is not None:
            exchange.route.handle(exchange, content, self.answer)

    def _new_exchange(self, line: RequestLine, head: Head) -> Exchange:
        frontend = self._frontend
        encoding, usage = frontend.policy.encoding, frontend.usages.get(self)
        exchange = Exchange(line, head, self._peer, encoding, self._certificate, usage)
        if frontend.access_log is not None:
            exchange.began = frontend.access_log.began()
        return exchange

    def _unreadable(self) -> Exchange:
        """Return an exchange for bytes that are not a request: they get an answer too; one to HEAD has no body."""
        return self._new_exchange(self._reader.line, self._reader.head)

    def _enqueue(self, exchange: Exchange) -> None:
        self._exchange = None
        self._frontend.shares.total += 1
        self._pending.append(exchange)
        if exchange.close:
            self._take_no_more()

    def _fail(self, refusal: Refusal) -> None:
        """Answer what cannot be read any further, after everything before it, and close (H11)."""
        self._refusal = None
        self._frontend.body_memory.release(self)
        self._continue_due = False
        self._end_with(self._exchange or self._unreadable(), refusal)

    def _end_with(self, exchange: Exchange, refusal: Refusal) -> None:
        exchange.close = True
        self._enqueue(exchange)
        exchange.outcome = refusal
        if not self._advancing:
            self._flush()
            self._choose_limit()

    def _take_no_more(self) -> None:
        self._state = State.ENDING
        self.drop(self._reader.clear())

    def drop(self, count: int) -> None:
        """Bytes that nobody will read: a client that goes on for ever is not listened to for ever (H11)."""
        self._dropped += count
        if self._dropped > self._frontend.limits.drain:
            self._hold(Hold.DROPPED)

    # Answers.

    def answer(self, exchange: Exchange, outcome: Outcome) -> None:
        """Take the outcome of a request; it is written when those before it are."""
        exchange.outcome = outcome
        if not self._advancing and self._state is not State.GONE:
            self._flush()
            if self._has_room():
                self._release(Hold.PIPELINE)
            self._choose_limit()

    def is_last(self, exchange: Exchange) -> bool:
        """Whether the connection ends with the answer to `exchange` (H2)."""
        if exchange.close:
            return True
        reader = self._reader
        if not reader.waits or self._pending[-1] is not exchange:
            return False
        return reader.ended or (self._frontend.draining and not reader.in_head and not reader.in_body)

    def _flush(self) -> None:
        """Write the answers that are due."""
        pending = self._pending
        answers = []
        last = False
        outcome = None
        while pending and not last:
            exchange = pending[0]
            outcome = exchange.outcome
            if outcome is None:
                break
            last = self.is_last(exchange)
            pending.pop(0)
            answers.append(self._frontend.render(exchange, outcome, close=last))
        if answers:
            self._frontend.shares.total -= len(answers)
            write_now(self.transport, b"".join(answers) if len(answers) > 1 else answers[0])
        if last and isinstance(outcome, Answer) and outcome.stream is not None:
            self._begin_stream(outcome.stream)
        elif last:
            self._finish()
        elif self._continue_due and not pending:
            self._continue_due = False
            self.transport.write(_CONTINUE)

    def _finish(self) -> None:
        """Everything has been said: close our side once the client has taken it (H11, H31)."""
        self._state = State.CLOSING
        self._watch(None)
        if Hold.UNTAKEN not in self._held:
            self._frontend.writing.start(self, self._frontend.clock.seconds())
        self.transport.unregisterProducer()
        if self._reader.ended or self._tls:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
            self._release(Hold.PIPELINE | Hold.TURN | Hold.UNTAKEN)

    def _begin_stream(self, stream: Stream) -> None:
        self._stream = stream
        if Hold.UNTAKEN in self._held:
            stream.pause()
        stream.opened(self)
        if self._frontend.closing:
            stream.end()

    def send(self, data: bytes) -> None:
        """Write more of a stream."""
        write_now(self.transport, data)

    def finish(self, data: bytes) -> None:
        """Write the end of a stream, and close."""
        self._stream = None
        write_now(self.transport, data)
        self._finish()

    # Time and flow.

    def _after_half_close(self) -> None:
        if self._state is State.CLOSING:
            self.transport.loseConnection()
        elif self._stream is None and self._reader.waits and not self._pending:
            self.close()

    def _choose_limit(self) -> None:
        frontend, reader = self._frontend, self._reader
        limit: TimeLimit[Connection] | None
        if self._state in (State.CLOSING, State.GONE) or self._limit is frontend.handshake:
            return
        if reader.in_body:
            limit = frontend.body
        elif self._state is State.ENDING or self._held is not Hold.NOTHING:
            limit = None
        elif reader.in_head:
            limit = frontend.header
        else:
            limit = None if self._pending else frontend.idle
        if limit is not self._limit or limit is frontend.idle:
            self._watch(limit)

    def _watch(self, limit: TimeLimit[Connection] | None) -> None:
        if self._limit is not None:
            self._limit.stop(self)
        self._limit = limit
        if limit is not None:
            limit.start(self, self._frontend.clock.seconds())

    def _hold(self, reason: Hold) -> None:
        """Read nothing until this reason, and every other one, is gone."""
        if self._state is State.GONE:
            return
        self._alone = None
        if self._held is Hold.NOTHING:
            self.transport.pauseProducing()
        self._held |= reason

    def _release(self, reason: Hold) -> None:
        if self._held is Hold.NOTHING or self._state is State.GONE:
            return
        self._held &= ~reason
        if self._held is not Hold.NOTHING:
            return
        self.transport.resumeProducing()
        if self._state is State.READING:
            self._advance()
