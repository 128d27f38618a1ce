"""What all connections of one port share: settings, routes, answers, limits and the way to OCS."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw import speedups
from ocsgw.access.limits import ClientUsage, Limit, RateLimiter
from ocsgw.guard import guarded
from ocsgw.periodic import Periodic
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import Event, Settings
from ocsgw.proxy import openapi
from ocsgw.proxy.access_log import AccessLog
from ocsgw.proxy.classic import ClassicSurface
from ocsgw.proxy.events.route import SEGMENT, EventStreams
from ocsgw.proxy.http.answers import Answers
from ocsgw.proxy.http.deadlines import TimeLimit
from ocsgw.proxy.http.exchange import Exchange, Gateway, Outcome
from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.http.whole import WholeRequests
from ocsgw.proxy.policy.body_memory import BodyMemory
from ocsgw.proxy.policy.connection_limiter import ConnectionLimiter
from ocsgw.proxy.policy.cross_origin import CrossOrigin
from ocsgw.proxy.policy.prepared import Prepared
from ocsgw.proxy.policy.reports import RefusalReports, UnknownMembers, report_failure
from ocsgw.proxy.policy.request_policy import RequestPolicy
from ocsgw.proxy.policy.router import Router
from ocsgw.proxy.policy.shares import RequestShares

if speedups.is_used():
    from ocsgw.speedups.lane import Lane

# How long a connection may take to go once everything has been said.
_LINGER = 2.0
_PLACE = "connection"


class SettingsError(Exception):
    """Settings of OCS cannot be used (P83)."""


class Connection(Protocol):
    """A connection, as far as the front end deals with all of them alike."""

    def close(self) -> None:
        """Close without an answer."""

    def abort(self) -> None:
        """Cut the connection."""

    def drain(self) -> None:
        """Take no new request; end what has been begun, then close (H353)."""

    def request_timed_out(self) -> None:
        """A request was begun and not completed in time (H27, H28)."""

    def handshake_timed_out(self) -> None:
        """The TLS handshake was not completed in time (H27)."""

    def linger_timed_out(self) -> None:
        """The client has not closed its side in time (H11)."""


class HttpFrontend:
    """The HTTP side of one HTTP Proxy.

    `clock` gives time to limits, `wall_clock` seconds since 1970 to the header `Date`. `start` begins to watch the
    limits, once a second; `stop` ends that. Raises `SettingsError`.
    """

    _log = Logger()

    def __init__(
        self, settings: Settings, gateway: Gateway, clock: IReactorTime, wall_clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self._wall_clock = wall_clock
        limits = settings.limits
        self.connections: set[Connection] = set()
        self.handshake: TimeLimit[Connection] = TimeLimit(limits.header_timeout_ms / 1000)
        self.idle: TimeLimit[Connection] = TimeLimit(limits.idle_timeout_ms / 1000)
        self.header: TimeLimit[Connection] = TimeLimit(limits.header_timeout_ms / 1000)
        self.body: TimeLimit[Connection] = TimeLimit(limits.body_timeout_ms / 1000)
        self.writing: TimeLimit[Connection] = TimeLimit(limits.write_timeout_ms / 1000)
        self.linger: TimeLimit[Connection] = TimeLimit(_LINGER)
        self.usages: dict[Connection, ClientUsage] = {}
        self._rate_limiter = RateLimiter(clock.seconds)
        self._ticker = Periodic("time limits of connections", self.tick, clock)
        # What else is due once a second.
        self.each_second: list[Callable[[], None]] = []
        self.connection_limiter = ConnectionLimiter()
        self.body_memory: BodyMemory[object] = BodyMemory()
        self.shares = RequestShares()
        self.refusals = RefusalReports(clock)
        self.each_second.append(self.refusals.tick)
        self._unknown = UnknownMembers()
        policy, answers = self._made_of(settings)
        self.classic = ClassicSurface(policy, gateway, clock, self.body_memory)
        self.router = Router(self.classic)
        self.router.mount_document(openapi.SEGMENT, openapi.OpenApi())
        self.events = EventStreams(policy, gateway, clock)
        self.router.mount_document(SEGMENT, self.events)
        self.each_second.append(self.events.tick)
        self.whole_requests = WholeRequests(self, self._prepare)
        # The way of requests that are frames already.
        self.frames = gateway.frames
        # The shortest way for the usual ones.
        self.lane: Lane | None = None
        if self.frames is not None:
            self.frames.use_head(lambda: self.answers.ok)
            self.lane = self.frames.make_lane(self)
        # None: there is none.
        self.access_log: AccessLog | None = None
        # Answers say that the connection ends with them; idle connections are closed at once.
        self.draining = False
        self.closing = False
        self._drained: Callable[[], None] | None = None
        self._begin_with(settings, policy, answers)

    def use(self, settings: Settings) -> None:
        """Work with these settings from now on (P100). Raises `SettingsError`; then nothing has changed."""
        self._begin_with(settings, *self._made_of(settings))

    def _made_of(self, settings: Settings) -> tuple[RequestPolicy, Answers]:
        try:
            return RequestPolicy(settings, self._wall_clock, self._unknown.found), Answers(settings)
        except (LookupError, ValueError) as error:
            raise SettingsError(str(error)) from error

    def _begin_with(self, settings: Settings, policy: RequestPolicy, answers: Answers) -> None:
        limits = settings.limits
        self.policy = self.classic.policy = policy
        self.events.use(policy)
        self.answers = answers
        self.limits = limits
        self.router.cross_origin = CrossOrigin(settings.listener.cors_origins if settings.listener is not None else ())
        self._unknown.strict = settings.strict
        self.whole_requests.forget()
        self.connection_limiter.use(limits)
        self.body_memory.most = limits.buffered
        self.shares.most = limits.in_flight
        for limit, milliseconds in (
            (self.handshake, limits.header_timeout_ms),
            (self.idle, limits.idle_timeout_ms),
            (self.header, limits.header_timeout_ms),
            (self.body, limits.body_timeout_ms),
            (self.writing, limits.write_timeout_ms),
        ):
            limit.seconds = milliseconds / 1000
        address = Limit(limits.address_rate, limits.address_burst, limits.address_connections)
        principal = Limit(limits.principal_rate, limits.principal_burst, limits.principal_connections)
        self._rate_limiter.use(address, principal, limits.remembered_addresses)
        # Nobody is counted where nobody is limited.
        self._limited = any((*address, *principal))
        self._set_date()

    def check_line(self, line: RequestLine) -> None:
        """Raise `FramingError` for a request line that ends the connection (H354)."""
        self.policy.check_line(line)

    def _prepare(self, line: RequestLine, head: Head) -> Prepared | None:
        """Return what a head is good for; None where clients are counted, or somebody else answers."""
        if self.frames is None or self._limited or self.router.route_of(line, head) is not self.classic:
            return None
        return self.policy.prepare(line, head)

    def start(self) -> None:
        """Begin to watch the limits."""
        self._ticker.start(1.0)

    def stop(self) -> None:
        """Watch no longer."""
        self.classic.stop()
        self.events.stop()
        self._ticker.stop()

    def tick(self) -> None:
        """Do what is due once a second: the date, and the connections whose time is over."""
        self._set_date()
        for job in self.each_second:
            guarded(self._log, "each second", job)
        now = self.clock.seconds()
        for connection in self.idle.expired(now):
            guarded(self._log, _PLACE, connection.close)
        for limit in (self.header, self.body):
            for connection in limit.expired(now):
                guarded(self._log, _PLACE, connection.request_timed_out)
        for connection in self.handshake.expired(now):
            guarded(self._log, _PLACE, connection.handshake_timed_out)
        for connection in self.writing.expired(now):
            guarded(self._log, _PLACE, connection.abort)
        for connection in self.linger.expired(now):
            guarded(self._log, _PLACE, connection.linger_timed_out)

    def _set_date(self) -> None:
        self.answers.set_date(formatdate(self._wall_clock(), usegmt=True).encode("ascii"))

    def admit(self, connection: Connection, peer: str) -> Refusal | None:
        """Count a new connection in, or return why not: no room even after the longest idle one was closed (H32)."""
        self.connection_limiter.enter()
        if len(self.connections) >= self.limits.connections:
            longest = self.idle.longest()
            if longest is None:
                return Refusal("busy")
            longest.close()
            self.connections.discard(longest)
        if self._limited:
            usage = self._rate_limiter.enter(peer)
            if not usage.admitted:
                return Refusal("too_many_requests")
            self.usages[connection] = usage
        self.connections.add(connection)
        return None

    def leave(self, connection: Connection) -> None:
        """Count a connection out."""
        self.connection_limiter.leave()
        self.body_memory.release(connection)
        self.connections.discard(connection)
        usage = self.usages.pop(connection, None)
        if usage is not None:
            usage.leave()
        if not self.connections and self._drained is not None:
            drained, self._drained = self._drained, None
            drained()

    def render(self, exchange: Exchange, outcome: Outcome, *, close: bool) -> bytes:
        """Return an answer as bytes, and note it; `close` if its connection ends with it."""
        if not (isinstance(outcome, Event) and outcome.code is None):
            self.refusals.note(exchange, outcome)
        try:
            answer = self.answers.render(exchange, outcome, close=close)
        except Exception:  # noqa: BLE001 - what cannot be written costs one answer, not the connection
            report_failure(self._log, exchange)
            answer = self.answers.render(exchange, Refusal("internal"), close=close)
        if self.access_log is not None:
            self.access_log.answered(exchange, answer)
        return answer

    def drain(self, drained: Callable[[], None], *, gently: bool = False) -> None:
        """Let every connection end what it has begun, then close it; call `drained` when all are gone (H353).

        `gently` leaves idle connections open for one more request, whose answer says that it is the last one. Asked
        again, only the last `drained` is called.
        """
        self.draining = True
        self.closing = not gently
        self._drained = None
        if not self.connections:
            drained()
            return
        self._drained = drained
        if self.closing:
            for connection in list(self.connections):
                guarded(self._log, _PLACE, connection.drain)
