"""One connection of a client to OCS: the greeting, requests with their answers, and events (protocol.md section 6)."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ocsgw.client.answers import Answer, NotConnectedError, OcsClientError, OutcomeUnknownError, RefusedError, answer_of
from ocsgw.guard import contain
from ocsgw.link.connection import Connection, LinkLimits
from ocsgw.link.stream import StreamProtocol
from ocsgw.protocol.messages import KV, VERSION, Bye, Drain, Event, Hello, Message, Request, Welcome
from ocsgw.protocol.sendable import UnsendableError
from ocsgw.protocol.session import ClientSession

# Until OCS has said its own, in bytes and seconds.
FRAME_LIMIT = 2 << 20
HEARTBEAT = 3.0
_FRAME_TIMEOUT = 30.0
_SEND_BUFFER = 4 << 20
# Goodbyes after which another attempt would get the same answer.
REFUSALS = frozenset({"version", "refused", "unauthorized"})


def hello_of(agent_id: str | None, key: str | None, tenant: str | None, name: str | None) -> Hello:
    """Return the greeting: of the desktop of an agent, or of a third-party application without one."""
    return Hello(
        versions=[VERSION],
        client="desktop" if agent_id is not None else "third_party",
        agent_id=agent_id,
        key=key,
        tenant=tenant,
        name=name,
        software="ocsgw.client",
    )


class _Waiting:
    """A request without its final event."""

    __slots__ = ("done", "parts", "since")

    def __init__(self, done: "Deferred[Answer]", since: float) -> None:
        self.done = done
        self.since = since
        self.parts: list[KV] = []


class Session:
    """One connection; `protocol` goes on the transport.

    `welcomed` fires with the Welcome of OCS, or fails with `RefusedError` or `NotConnectedError`. `on_event` gets every
    event that answers no request. A request without an answer after `timeout` seconds fails with `OutcomeUnknownError`.
    """

    _log = Logger()

    def __init__(self, hello: Hello, clock: IReactorTime, on_event: Callable[[Answer], object], timeout: float) -> None:
        self._hello = hello
        self._clock = clock
        self._on_event = on_event
        self._timeout = timeout
        self.welcomed: Deferred[Welcome] = Deferred()
        self.closed: Deferred[str] = Deferred()
        # What OCS has said goodbye with.
        self.bye: Bye | None = None
        self.greeted = False
        self._draining = False
        self._next_ref = 1
        self._waiting: dict[int, _Waiting] = {}
        limits = LinkLimits(HEARTBEAT, FRAME_LIMIT, _FRAME_TIMEOUT, _SEND_BUFFER, when_full="refuse")
        self._connection = Connection(self, ClientSession(hello.client, FRAME_LIMIT), limits, clock, "OCS")
        self.protocol = StreamProtocol(self._connection)

    @property
    def is_ready(self) -> bool:
        """Whether requests may be sent."""
        return self.greeted and self._connection.is_open and not self._draining

    def request(self, data: KV, idempotency_key: str | None = None) -> "Deferred[Answer]":
        """Send a request; fires with its answer, fails with an `OcsClientError`."""
        if not self.is_ready:
            return fail(NotConnectedError("there is no connection to OCS; nothing was sent"))
        if self._connection.is_full:
            return fail(NotConnectedError("OCS does not read; nothing was sent"))
        ref, self._next_ref = self._next_ref, self._next_ref + 1
        message = Request(ref=ref, data=data, deadline_ms=int(self._timeout * 1000), idempotency_key=idempotency_key)
        waiting = _Waiting(Deferred(), self._clock.seconds())
        try:
            self._connection.send(message)
        except UnsendableError as error:
            return fail(OcsClientError(f"the request cannot be sent: {error}"))
        self._waiting[ref] = waiting
        return waiting.done

    def close(self) -> None:
        """Say goodbye."""
        self._connection.end("done")

    # What the connection calls.

    def connected(self) -> None:
        """The transport is there: greet."""
        self._connection.send(self._hello)

    def take(self, message: Message) -> None:
        """Deal with a message of OCS."""
        if isinstance(message, Event):
            self._take_event(message)
        elif isinstance(message, Welcome):
            self.greeted = True
            self._connection.limits.frame = message.limits.frame
            self._connection.use_heartbeat(message.limits.heartbeat_ms / 1000)
            self.welcomed.callback(message)
        elif isinstance(message, Drain):
            # What is open gets its answer; new requests go to the next connection.
            self._draining = True
        elif isinstance(message, Bye):
            self.bye = message
            self._connection.leave(f"OCS said goodbye: {message.text or message.code}")

    def tick(self, now: float) -> None:
        """Give up requests that have waited too long."""
        for ref, waiting in list(self._waiting.items()):
            if now - waiting.since < self._timeout:
                break
            del self._waiting[ref]
            self._fail(waiting, OutcomeUnknownError(f"no answer came within {self._timeout:g} s"))

    def frozen(self) -> None:
        """OCS does not answer; `lost` follows."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            self._fail(each, OutcomeUnknownError(f"the connection to OCS was lost: {reason}"))
        if not self.greeted:
            bye = self.bye
            refused = bye is not None and bye.code in REFUSALS
            self.welcomed.errback(
                RefusedError(bye.code, bye.text or "") if bye is not None and refused else NotConnectedError(reason)
            )
        self.closed.callback(reason)

    # Events.

    def _take_event(self, event: Event) -> None:
        if event.ref is None:
            self._on_event(Answer(event.data))
            return
        waiting = self._waiting.get(event.ref)
        if waiting is None:
            return
        if event.more:
            waiting.parts.append(event.data)
            return
        del self._waiting[event.ref]
        try:
            answer = answer_of(event, tuple(waiting.parts))
        except OcsClientError as error:
            self._fail(waiting, error)
            return
        try:
            waiting.done.callback(answer)
        except Exception:  # noqa: BLE001 - one caller must not end the others
            contain(self._log, "client")

    def _fail(self, waiting: _Waiting, error: OcsClientError) -> None:
        try:
            waiting.done.errback(error)
        except Exception:  # noqa: BLE001 - as above
            contain(self._log, "client")
