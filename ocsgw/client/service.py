"""The client for programs on Twisted: a service that stays connected."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from zope.interface import implementer

from ocsgw.client.answers import Answer, NotConnectedError, OcsClientError, RefusedError
from ocsgw.client.requests import Requests
from ocsgw.client.session import Session, hello_of
from ocsgw.guard import guarded
from ocsgw.protocol.messages import KV, Welcome

EventHandler = Callable[[Answer], object]

# Between attempts to connect, in seconds: the first, the longest, and how much they grow.
_FIRST_DELAY, _LONGEST_DELAY, _GROWTH = 0.2, 10.0, 1.5


@implementer(IStreamClientEndpoint)
class _InTurn:
    """Endpoints of which the next one is tried when one has failed, or is a backup."""

    def __init__(self, endpoints: Sequence[IStreamClientEndpoint]) -> None:
        self._endpoints = list(endpoints)

    def next(self) -> None:
        self._endpoints.append(self._endpoints.pop(0))

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":  # noqa: N803 - Twisted's name
        def failed(reason: Any) -> Any:
            self.next()
            return reason

        return self._endpoints[0].connect(protocolFactory).addErrback(failed)


class OcsClient(Service, Requests["Deferred[Answer]"]):
    """A client of OCS that connects when it is started, and again whenever the connection is lost.

    `endpoints` are those of the server, of a pair both. `agent_id` makes it the desktop of an agent; without one it is
    a third-party application. `key` is an API key, `name` what OCS calls the client in its log. A request gives a
    Deferred of its `Answer`; without a connection it waits for one up to `timeout` seconds, then fails with
    `NotConnectedError`. Handles stay valid over a lost connection.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoints: Sequence[IStreamClientEndpoint],
        *,
        agent_id: str | None = None,
        key: str | None = None,
        tenant: str | None = None,
        name: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        if not endpoints:
            raise ValueError("name at least one endpoint")
        self._hello = hello_of(agent_id, key, tenant, name)
        self._clock = clock
        self._timeout = timeout
        self._endpoint = _InTurn(endpoints)
        factory = Factory.forProtocol(self._make_protocol)
        factory.noisy = False
        policy = backoffPolicy(_FIRST_DELAY, _LONGEST_DELAY, _GROWTH, jitter=lambda: 0.0)
        self._connector = ClientService(self._endpoint, factory, retryPolicy=policy, clock=clock)
        self._session: Session | None = None
        self._handlers: list[tuple[str | None, EventHandler]] = []
        # Those who wait for a connection.
        self._waiters: list[Deferred[None]] = []
        self.refused: RefusedError | None = None
        self.welcome: Welcome | None = None

    # Events.

    def on(self, event: str | None, handler: EventHandler) -> None:
        """Call `handler` with each event of this name that OCS sends by itself, None for all."""
        self._handlers.append((event, handler))

    # Life.

    @property
    def is_connected(self) -> bool:
        """Whether requests can be sent now."""
        return self._session is not None and self._session.is_ready

    def startService(self) -> None:
        """Connect."""
        super().startService()
        self._connector.startService()

    def stopService(self) -> "Deferred[None]":
        """Say goodbye and connect no more."""
        super().stopService()
        if self._session is not None:
            self._session.close()
        self._wake(NotConnectedError("the client was stopped; nothing was sent"))
        stopped: Deferred[None] = Deferred()
        self._connector.stopService().addBoth(lambda _: stopped.callback(None))
        return stopped

    def when_connected(self) -> "Deferred[None]":
        """Fire when there is a connection; fail with `NotConnectedError` after the time-out, or `RefusedError`."""
        if self.is_connected:
            return succeed(None)
        if self.refused is not None:
            return fail(self.refused)
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        due = self._clock.callLater(self._timeout, self._give_up, waiter)

        def settled(result: Any) -> Any:
            if due.active():
                due.cancel()
            return result

        return waiter.addBoth(settled)

    def request(self, name: str, keys: KV, *, idempotency_key: str | None = None) -> "Deferred[Answer]":
        """Send a request by its name; fires with its answer, fails with an `OcsClientError`."""
        data: KV = {"GSW_AGENT_REQ_TYPE": name, **keys}
        if self._session is not None and self._session.is_ready:
            return self._session.request(data, idempotency_key)
        return self.when_connected().addCallback(lambda _: self._send_now(data, idempotency_key))

    # Inside.

    def _send_now(self, data: KV, idempotency_key: str | None) -> "Deferred[Answer]":
        if self._session is None:
            return fail(NotConnectedError("there is no connection to OCS; nothing was sent"))
        return self._session.request(data, idempotency_key)

    def _make_protocol(self) -> Protocol:
        session = self._session = Session(self._hello, self._clock, self._take_event, self._timeout)
        session.welcomed.addCallbacks(self._welcomed, lambda reason: self._not_welcomed(reason.value))
        session.closed.addCallback(lambda _: self._closed(session))
        return session.protocol

    def _welcomed(self, welcome: Welcome) -> None:
        self.welcome = welcome
        self._wake(None)

    def _not_welcomed(self, error: Exception) -> None:
        if isinstance(error, RefusedError):
            self.refused = error
            self._log.error("{error}; not trying again", error=str(error))
            self._wake(error)
            self._connector.stopService()

    def _closed(self, session: Session) -> None:
        if not session.greeted or session.bye is not None:
            self._endpoint.next()

    def _wake(self, error: OcsClientError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if error is None:
                guarded(self._log, "client", waiter.callback, None)
            else:
                guarded(self._log, "client", waiter.errback, error)

    def _give_up(self, waiter: "Deferred[None]") -> None:
        self._waiters.remove(waiter)
        waiter.errback(NotConnectedError(f"no connection to OCS within {self._timeout:g} s; nothing was sent"))

    def _take_event(self, answer: Answer) -> None:
        for event, handler in list(self._handlers):
            if event in {None, answer.event}:
                guarded(self._log, "client", handler, answer)
