"""One HTTP/1.1 connection with its short cuts: what comes most often need not take the long way.

They do what the long way does, and no more; the tests drive every request through all of them.
"""

from typing import TYPE_CHECKING

from ocsgw import speedups
from ocsgw.protocol.errors import Refusal
from ocsgw.proxy.http.exchange import Exchange, Outcome
from ocsgw.proxy.http.long_way import LongWay
from ocsgw.proxy.http.reader import RequestHead
from ocsgw.proxy.http.state import Hold, State
from ocsgw.proxy.policy.prepared import Prepared
from ocsgw.proxy.policy.reports import report_failure
from ocsgw.writing import write_now

if TYPE_CHECKING or not speedups.is_used():

    class ChannelFields:
        """What a compiled lane needs of a connection is an attribute of its class there."""

        def dataReceived(self, data: bytes) -> None:
            """Take bytes of the client."""
            self._receive(data)

        def _receive(self, data: bytes) -> None:
            raise NotImplementedError

else:
    from ocsgw.speedups.lane import ChannelFields


class HTTPChannel(ChannelFields, LongWay):
    """Brings the requests of one client to their routes, and writes their answers in order."""

    def _receive(self, data: bytes) -> None:
        """Take bytes that are no usual request for the lane."""
        if self._state is not State.READING or not self._short_cut or not self._take_whole(data):
            LongWay.dataReceived(self, data)

    def answer(self, exchange: Exchange, outcome: Outcome) -> None:
        """Take the outcome of a request; it is written when those before it are."""
        if exchange is self._alone and not exchange.close and not self._frontend.draining:
            exchange.outcome = outcome
            self._answer_alone(exchange, outcome)
        else:
            super().answer(exchange, outcome)

    def answer_written(self, exchange: Exchange, answer: bytes) -> bool:
        """Send an answer that is written already; false if something has happened that makes it another one."""
        frontend = self._frontend
        if exchange is not self._alone or exchange.close or frontend.draining or frontend.access_log is not None:
            return False
        self._write_alone(answer)
        return True

    def _take_whole(self, data: bytes) -> bool:
        """Take a segment that is exactly one usual request, on a connection that waits for one; else return False.

        It does what `_advance` would do, and no more than that.
        """
        frontend = self._frontend
        if self._limit is not frontend.idle:
            return False
        whole = frontend.whole_requests.split(data)
        if whole is None:
            return False
        known, number, content = whole
        if frontend.lane is not None and frontend.lane.take_known(self, known, data):
            return True
        request = known.with_number(number)
        if request.prepared is not None and self._take_prepared(request, request.prepared, content):
            return True
        frontend.idle.stop(self)
        self._limit = None
        exchange = self._new_exchange(request.line, request.head)
        exchange.transport, exchange.secure = self.transport, self._tls
        route = exchange.route = frontend.router.route_of(request.line, request.head)
        refusal = self._check(route, exchange)
        self._enqueue(exchange)
        self._alone = exchange
        if refusal is not None:
            self.answer(exchange, refusal)
        else:
            route.handle(exchange, content, self.answer)
        return True

    def _take_prepared(self, request: RequestHead, prepared: Prepared, content: bytes) -> bool:
        """Bring a request to OCS as the route would, but from its bytes to a frame in one pass.

        False if there is anything unusual about it; nothing has happened then, and the usual way finds out what it is.
        """
        frontend = self._frontend
        frames = frontend.frames
        # Where clients are counted no heads are prepared; but one may have come while they were.
        if frames is None or not (room := frames.room()) or (frontend.usages and self in frontend.usages):
            return False
        exchange = Exchange(request.line, request.head, self._peer, None, self._certificate)
        exchange.route = frontend.classic
        if frontend.access_log is not None:
            exchange.began = frontend.access_log.began()
        if not prepared.is_judged or self._certificate is not None:
            if self._check(exchange.route, exchange) is not None:
                return False
        else:
            exchange.target, exchange.idempotency_key = prepared.target, prepared.idempotency_key
        done = prepared.translator.action.frame(
            content,
            prepared.translator.pairs,
            frames.next_ref,
            frames.deadline_ms,
            exchange.idempotency_key,
            exchange.principal,
            request.head.request_id,
            exchange.peer or None,
            room,
        )
        if done is None:
            return False
        frame, exchange.reference = done
        exchange.transport, exchange.secure = self.transport, self._tls
        frontend.idle.stop(self)
        self._limit = None
        self._enqueue(exchange)
        self._alone = exchange
        try:
            frames.carry(exchange, frame, self.answer, self if prepared.is_plain else None)
        except Exception:  # noqa: BLE001 - a defect ends one request, not the connection
            self._not_carried(exchange)
        return True

    def _not_carried(self, exchange: Exchange) -> None:
        """A request could not be handed over because of the exception that is being handled."""
        report_failure(self._log, exchange)
        if exchange.outcome is None:
            self.answer(exchange, Refusal("internal"))

    def _answer_alone(self, exchange: Exchange, outcome: Outcome) -> None:
        """Write the answer to the only request there is; what `_flush` and `_choose_limit` would do, and no more."""
        self._write_alone(self._frontend.render(exchange, outcome, close=False))

    def _write_alone(self, answer: bytes) -> None:
        frontend = self._frontend
        self._alone = None
        self._pending.clear()
        frontend.shares.total -= 1
        write_now(self.transport, answer)
        if self._held is Hold.NOTHING and self._state is State.READING:
            self._limit = frontend.idle
            frontend.idle.start(self, frontend.clock.seconds())
