"""Services that start one after the other, and stop in the opposite order."""

from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.logs import say
from ocsgw.ocs.life_cycle import LifeCycle, State


class OrderedServices(MultiService):
    """Named services; each starts when the start of the one before has ended, and stops before it.

    A stop while a start is under way lets nothing further start. A service that fails to stop does not keep the others.
    """

    _log = Logger()

    def __init__(self) -> None:
        super().__init__()
        self._start: object = None

    @inlineCallbacks
    def startService(self) -> Any:
        """Start all; the Deferred fires with the last one, and fails with the first that fails."""
        Service.startService(self)
        this = self._start = object()
        for service in list(self.services):
            yield maybeDeferred(service.startService)
            if self._start is not this:
                return

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop all, the last one first; those too that have not been started."""
        Service.stopService(self)
        self._start = None
        for service in reversed(list(self.services)):
            try:
                yield maybeDeferred(service.stopService)
            except Exception:  # noqa: BLE001 - whatever it is, the others are stopped
                say(self._log, 93145, part=service.name, log_failure=Failure())


class WhileActive(Service):
    """What may run only while OCS is active: `parts` are started and stopped as the life cycle goes."""

    name = "while active"

    def __init__(self, life_cycle: LifeCycle, failed: Any) -> None:
        self.parts = OrderedServices()
        self._life_cycle = life_cycle
        self._failed = failed
        self._stopped: Deferred[None] = succeed(None)
        life_cycle.follow(self._follow)

    def startService(self) -> None:
        """Follow the life cycle from now on."""
        super().startService()
        self._settle()

    def stopService(self) -> "Deferred[None]":
        """Return a Deferred that fires when all parts have stopped."""
        super().stopService()
        self._settle()
        return self.settled()

    def settled(self) -> "Deferred[None]":
        """Return a Deferred that fires when no part is about to stop any more."""
        done: Deferred[None] = Deferred()

        def tell(result: None) -> None:
            done.callback(None)

        self._stopped.addCallback(tell)
        return done

    def _follow(self, state: State) -> None:
        self._settle()

    def _settle(self) -> None:
        """Start or stop the parts; a start waits until an earlier stop has ended."""
        wanted = self.running and self._life_cycle.state == "active"
        if not self._stopped.called:
            return
        if wanted and not self.parts.running:
            self.parts.startService().addErrback(self._failed)
        elif not wanted and self.parts.running:
            self._stopped = Deferred()
            self.parts.stopService().addCallback(self._has_stopped)

    def _has_stopped(self, _: object) -> None:
        self._stopped.callback(None)
        self._settle()
