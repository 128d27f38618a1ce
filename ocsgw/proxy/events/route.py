"""`GET /events`: all event streams of one HTTP Proxy, and the one reading of the outbox that serves them."""

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.guard import guarded
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import read_page
from ocsgw.protocol.messages import KV, Event
from ocsgw.proxy.events.query import EventFilter, query_of
from ocsgw.proxy.events.stream import EventStream, Page
from ocsgw.proxy.http.deadlines import TimeLimit
from ocsgw.proxy.http.exchange import Answer, Deliver, Exchange, Gateway, Outcome, check_address
from ocsgw.proxy.http.grammar import NO_HEAD, NO_LINE
from ocsgw.proxy.policy.request_policy import RequestPolicy

SEGMENT = b"events"
# What a principal has to be permitted.
ACTION = "EventStreamRequest"

# A stream shows that it lives when nothing was written for so long, and its client is judged again so often; seconds.
_HEARTBEAT = 15.0
_JUDGED_EVERY = 60.0


class EventStreams:
    """The streams, each at its own place in the outbox.

    One page is read at a time: behind the first stream that has something to come, for all that are there. What a
    client does not take is not read for it, so nothing is kept for anybody. At the end of the outbox OCS is asked to
    say when there is more; `news` is that. `policy` may be replaced at any time.
    """

    methods = b"GET"
    _log = Logger()

    def __init__(self, policy: RequestPolicy, gateway: Gateway, clock: IReactorTime) -> None:
        self._policy = policy
        self._gateway = gateway
        self._clock = clock
        self._streams: dict[EventStream, None] = {}
        self._quiet: TimeLimit[EventStream] = TimeLimit(_HEARTBEAT)
        self._judged: TimeLimit[EventStream] = TimeLimit(_JUDGED_EVERY)
        # The end of the outbox as far as it is known, whether there may be more, and whether OCS will say so.
        self._end = 0
        self._has_news = False
        self._has_asked = False
        self._reading = False
        self._rest: IDelayedCall | None = None

    # The route.

    def check(self, exchange: Exchange) -> Refusal | None:
        """Return the refusal that the head earns."""
        refusal = check_address(exchange)
        if refusal is None and not self._policy.limits.event_streams:
            refusal = Refusal("unknown_resource")
        if refusal is None and exchange.line.method != b"GET":
            refusal = Refusal("method_not_allowed")
        if refusal is None:
            refusal = self._policy.check_caller(exchange, ACTION)
        if refusal is None and exchange.head.bad_expectation:
            refusal = Refusal("expectation_failed")
        if refusal is None:
            # Nothing else comes on its connection.
            exchange.close = True
        return refusal

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Ask OCS what the client may see; then the stream begins."""
        try:
            stream = EventStream(exchange, query_of(exchange), self._stream_changed)
        except Refusal as refusal:
            deliver(exchange, refusal)
            return
        refused = self._full() or self._ask_scope(
            stream, lambda _, outcome: deliver(exchange, self._answer(stream, outcome))
        )
        if refused is not None:
            deliver(exchange, refused)

    def forget(self, exchange: Exchange, reason: Failure) -> None:
        """Its stream has not begun."""

    def _full(self) -> Refusal | None:
        return Refusal("too_many_streams") if len(self._streams) >= self._policy.limits.event_streams else None

    def _ask_scope(self, stream: EventStream, deliver: Deliver) -> Refusal | None:
        data: KV = {"GSW_AGENT_REQ_TYPE": ACTION}
        if stream.query.lists:
            data["GSW_CALLING_LISTS"] = list(stream.query.lists)
        if stream.query.groups:
            data["GSW_CAMPAIGN_GROUP_DBIDS"] = list(stream.query.groups)
        return self._gateway.submit(stream.exchange, data, deliver)

    def _answer(self, stream: EventStream, outcome: Outcome) -> Outcome:
        """Return how a stream begins, or why it does not."""
        if not (isinstance(outcome, Event) and outcome.code is None):
            return outcome
        full = self._full()
        if full is not None:
            return full
        stream.filter = _filter_of(stream, outcome.data)
        newest = outcome.data.get("GSW_EVENT_ID")
        stream.position = stream.query.after if stream.query.after is not None else _number(newest)
        # nginx would keep events back.
        fields = [(b"Content-Type", b"text/event-stream; charset=utf-8"), (b"X-Accel-Buffering", b"no")]
        if stream.exchange.head.request_id is not None:
            fields.append((b"X-Request-Id", stream.exchange.head.request_id))
        if stream.exchange.head.minor:
            fields.append((b"Transfer-Encoding", b"chunked"))
        return Answer(200, fields, stream.beginning(), framed=True, stream=stream)

    # The streams.

    def _stream_changed(self, stream: EventStream) -> None:
        """A stream is open, takes events again, or is gone."""
        now = self._clock.seconds()
        if not stream.is_open:
            self._streams.pop(stream, None)
            self._quiet.stop(stream)
            self._judged.stop(stream)
            return
        if stream not in self._streams:
            self._streams[stream] = None
            self._quiet.start(stream, now)
            self._judged.start(stream, now)
            # Something may have been committed since its scope was asked for.
            self._has_news = True
        self._go_on()

    def use(self, policy: RequestPolicy) -> None:
        """Work with another policy from now on; what clients may see is asked anew."""
        self._policy = policy
        for stream in list(self._streams):
            guarded(self._log, "event stream", self._judge, stream)

    def tick(self) -> None:
        """Do what is due once a second."""
        now = self._clock.seconds()
        for stream in self._quiet.expired(now):
            guarded(self._log, "event stream", stream.beat)
            self._quiet.start(stream, now)
        for stream in self._judged.expired(now):
            guarded(self._log, "event stream", self._judge, stream)
        self._go_on()

    def stop(self) -> None:
        """Read no more."""
        self._streams.clear()
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _judge(self, stream: EventStream) -> None:
        """Let a client go on only with what it may see now: keys expire and are taken back, permissions change."""
        refusal = self._policy.check_again(stream.exchange, ACTION)
        if refusal is None:
            self._judged.start(stream, self._clock.seconds())
            # What OCS cannot answer at the moment is asked again in a while.
            self._ask_scope(stream, lambda _, outcome: self._judged_again(stream, outcome))
        else:
            stream.finish("refused")

    def _judged_again(self, stream: EventStream, outcome: Outcome) -> None:
        if not isinstance(outcome, Event):
            return
        if outcome.code is None:
            stream.filter = _filter_of(stream, outcome.data)
        elif outcome.code not in _FOR_THE_MOMENT:
            stream.finish("refused")

    # Reading.

    def news(self) -> None:
        """The outbox has grown."""
        self._has_asked = False
        self._has_news = True
        self._go_on()

    def _go_on(self) -> None:
        """Read the next page, if somebody has something to come, and nothing is read already."""
        if self._reading or self._rest is not None:
            return
        stream = next((each for each in self._streams if self._has_more(each)), None)
        if stream is None:
            return
        # The next one first, the next time.
        del self._streams[stream]
        self._streams[stream] = None
        self._read(stream.position)

    def _has_more(self, stream: EventStream) -> bool:
        return not stream.is_paused and (self._has_news or stream.position != self._end)

    def _read(self, after: int) -> None:
        if after >= self._end:
            self._has_news = False
            if not self._has_asked:
                # Before the reading, so that nothing is committed unnoticed between the two.
                self._has_asked = True
                self._gateway.ask_for_news()
        self._reading = True
        began = self._clock.seconds()
        refusal = self._gateway.submit(
            Exchange(NO_LINE, NO_HEAD, ""),
            {"GSW_AGENT_REQ_TYPE": "EventsRequest", "GSW_EVENT_ID": after},
            lambda _, outcome: self._has_read(after, began, outcome),
        )
        if refusal is not None:
            self._has_read(after, began, refusal)

    def _has_read(self, after: int, began: float, outcome: Outcome) -> None:
        self._reading = False
        text = outcome.data.get("GSW_EVENTS") if isinstance(outcome, Event) and outcome.code is None else None
        if not isinstance(text, str):
            # The next tick reads again.
            self._has_news = True
            return
        page = Page(read_page(text))
        self._end = max(self._end, page.last) if after <= page.last else page.last
        if page.more and page.last == self._end:
            self._has_news = True
        for stream in list(self._streams):
            if not stream.is_paused and (stream.position == after or after < stream.position < page.last):
                guarded(self._log, "event stream", self._show, stream, page)
        # Requests come first: at most half of the time goes into reading.
        self._rest = self._clock.callLater(self._clock.seconds() - began, self._has_rested)

    def _show(self, stream: EventStream, page: Page) -> None:
        if stream.take(page):
            self._quiet.start(stream, self._clock.seconds())

    def _has_rested(self) -> None:
        self._rest = None
        self._go_on()


# Codes of OCS that say nothing about the client.
_FOR_THE_MOMENT = frozenset({"busy", "unavailable", "no_response", "internal"})


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _filter_of(stream: EventStream, data: KV) -> EventFilter:
    """Return what a stream shows, as OCS says it."""
    return EventFilter(
        stream.query.types or None,
        _dbids(data.get("GSW_CALLING_LIST_DBIDS")),
        _dbids(data.get("GSW_CAMPAIGN_GROUP_DBIDS")),
    )


def _dbids(value: object) -> frozenset[int] | None:
    return frozenset(each for each in value if isinstance(each, int)) if isinstance(value, list) else None
