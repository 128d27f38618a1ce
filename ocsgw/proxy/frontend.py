"""What all connections of one port share: settings, checks, answers, limits and the way to OCS."""

from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ocsgw.access.limits import ClientUsage, Limit, RateLimiter
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, Event, Settings
from ocsgw.proxy.http.answers import Answers
from ocsgw.proxy.http.deadlines import TimeLimit
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.policy.body_memory import BodyMemory
from ocsgw.proxy.policy.connection_limiter import ConnectionLimiter
from ocsgw.proxy.policy.fairness import LARGE, LargeBodies
from ocsgw.proxy.policy.request_policy import RequestPolicy

if TYPE_CHECKING:
    from ocsgw.proxy.http.channel import HTTPChannel
    from ocsgw.proxy.http.handshakes import Handshakes

# How long a connection may take to go once everything has been said.
_LINGER = 2.0

Deliver = Callable[[Exchange, Event | Refusal], None]


class SettingsError(Exception):
    """Settings of OCS cannot be used (P83)."""


class Gateway(Protocol):
    """The way to OCS, as the HTTP side sees it."""

    def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
        """Hand a request over; `deliver` is called once with its outcome. Return a refusal if it cannot go out."""


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
        self.gateway = gateway
        self._wall_clock = wall_clock
        limits = settings.limits
        self.connections: set[HTTPChannel] = set()
        self.handshake: TimeLimit[HTTPChannel] = TimeLimit(limits.header_timeout_ms / 1000)
        self.idle: TimeLimit[HTTPChannel] = TimeLimit(limits.idle_timeout_ms / 1000)
        self.header: TimeLimit[HTTPChannel] = TimeLimit(limits.header_timeout_ms / 1000)
        self.body: TimeLimit[HTTPChannel] = TimeLimit(limits.body_timeout_ms / 1000)
        self.writing: TimeLimit[HTTPChannel] = TimeLimit(limits.write_timeout_ms / 1000)
        self.linger: TimeLimit[HTTPChannel] = TimeLimit(_LINGER)
        self.usages: dict[HTTPChannel, ClientUsage] = {}
        self._rate_limiter = RateLimiter(clock.seconds)
        self._ticker = LoopingCall(self.tick)
        self._ticker.clock = clock
        # Only where TLS is used.
        self.handshakes: Handshakes | None = None
        self.connection_limiter = ConnectionLimiter()
        self.body_memory: BodyMemory[object] = BodyMemory()
        self._large = LargeBodies(clock, self.body_memory)
        # Answers say that the connection ends with them; idle connections are closed at once.
        self.draining = False
        self.closing = False
        self._drained: Callable[[], None] | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Work with these settings from now on (P100). Raises `SettingsError`; then nothing has changed."""
        limits = settings.limits
        try:
            policy, answers = RequestPolicy(settings, self._wall_clock), Answers(settings)
        except (LookupError, ValueError) as error:
            raise SettingsError(str(error)) from error
        self.policy = policy
        self.answers = answers
        self.limits = limits
        self.connection_limiter.use(limits)
        self.body_memory.most = limits.buffered
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

    def start(self) -> None:
        """Begin to watch the limits."""
        self._ticker.start(1.0, now=False)

    def stop(self) -> None:
        """Watch no longer."""
        self._large.stop()
        if self._ticker.running:
            self._ticker.stop()

    def tick(self) -> None:
        """Do what is due once a second: the date, and the connections whose time is over."""
        self._set_date()
        if self.handshakes is not None:
            self.handshakes.tick()
        now = self.clock.seconds()
        for channel in self.idle.expired(now):
            channel.close()
        for limit in (self.header, self.body):
            for channel in limit.expired(now):
                channel.request_timed_out()
        for channel in self.handshake.expired(now):
            channel.handshake_timed_out()
        for limit in (self.writing, self.linger):
            for channel in limit.expired(now):
                channel.abort()

    def _set_date(self) -> None:
        self.answers.set_date(formatdate(self._wall_clock(), usegmt=True).encode("ascii"))

    def handle(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        """Bring an admitted call with its whole body to OCS, or deliver why not (checks 10 to 13)."""
        if len(body) < LARGE:
            self._carry(exchange, body, deliver)
        else:
            self._large.take(
                exchange,
                len(body),
                lambda: self._carry(exchange, body, deliver),
                lambda refusal: deliver(exchange, refusal),
            )

    def _carry(self, exchange: Exchange, body: bytes, deliver: Deliver) -> None:
        try:
            data = self.policy.read_body(exchange, body)
        except Refusal as refusal:
            deliver(exchange, refusal)
            return
        except Exception:  # noqa: BLE001 - a defect ends one request, not the connection; nothing was handed over
            self._log.failure("A request failed in HTTP Proxy, request id {id}", id=exchange.head.request_id)
            deliver(exchange, Refusal("internal"))
            return
        refused = self.gateway.submit(exchange, data, deliver)
        if refused is not None:
            deliver(exchange, refused)

    def admit(self, channel: "HTTPChannel", peer: str) -> Refusal | None:
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
            self.usages[channel] = usage
        self.connections.add(channel)
        return None

    def leave(self, channel: "HTTPChannel") -> None:
        """Count a connection out."""
        self.connection_limiter.leave()
        self.body_memory.release(channel)
        self.connections.discard(channel)
        usage = self.usages.pop(channel, None)
        if usage is not None:
            usage.leave()
        if not self.connections and self._drained is not None:
            drained, self._drained = self._drained, None
            drained()

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
            for channel in list(self.connections):
                channel.drain()
