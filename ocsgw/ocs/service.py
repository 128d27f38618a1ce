"""OCS as one service: its parts start one after the other, and stop in the opposite order."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from ocsgw.config import Config
from ocsgw.control.server import Command
from ocsgw.execution.committer import Committer
from ocsgw.logs import LogFile, say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.housekeeping import Housekeeping
from ocsgw.ocs.http_listeners import HttpListeners
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.listeners import HttpListener
from ocsgw.ocs.log_rotation import LogRotation
from ocsgw.ocs.ordered import OrderedServices
from ocsgw.ocs.principals import open_listeners
from ocsgw.ocs.reload import Reload
from ocsgw.ocs.service_notifier import ServiceNotifier
from ocsgw.ocs.store_service import StoreService
from ocsgw.version import VERSION

EXIT_FAILURE = 1


class OCSService(OrderedServices):
    """A running OCS, put together by `compose.make_service`.

    `end` is called with an exit status when the server cannot go on. `getServiceNamed` finds a part.
    """

    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        end: Callable[[int], None],
    ) -> None:
        super().__init__()
        self.context = context
        self.life_cycle = life_cycle
        self._end = end
        self._started_at = context.reactor.seconds()
        # Given by the composition.
        self.store: StoreService
        self.http: HttpListeners
        self.housekeeping: Housekeeping
        self.rotation: LogRotation
        self.notifier: ServiceNotifier
        self.reload: Reload
        self.commands: Mapping[str, Command]

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.context.config

    @property
    def log_file(self) -> LogFile:
        """The one log."""
        return self.context.log_file

    # Life.

    def setServiceParent(self, parent: Any) -> None:
        """Join an application, and be its log."""
        super().setServiceParent(parent)
        if hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, self.log_file)

    def startService(self) -> "Deferred[None]":
        """Start all parts; what fails on the way ends OCS."""
        say(self._log, 93030, version=VERSION, path=self.config.path, pid=os.getpid())
        say(self._log, 93141, state=self.life_cycle.state)
        for warning in map(str, self.config.warnings):
            say(self._log, 93143, warning=warning)
        far, near = open_listeners(self.config)
        if far or near:
            say(self._log, 93159 if far else 93165, listeners=", ".join(far or near))
        started: Deferred[None] = super().startService()
        return started.addErrback(self.failed)

    def failed(self, reason: Failure) -> None:
        """End, because a part cannot work."""
        say(self._log, 93142, log_failure=reason)
        self._end(EXIT_FAILURE)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop HTTP, answer what is in flight, then close the store; the reactor waits for it."""
        self.notifier.stopping(self.config.limits.stop_timeout)
        self.life_cycle.stop()
        yield super().stopService()
        say(self._log, 93031)

    def hurry(self) -> None:
        """Stop at once: HTTP Proxies do not wait any longer for what is in flight."""
        say(self._log, 93155)
        self.http.hurry()

    # What signals ask for.

    def reload_on_signal(self) -> None:
        """Reload; everything there is to say about it is in the log."""
        self.reload.on_signal()

    def reopen_log(self) -> None:
        """Open the log again, as after a rotation."""
        self.rotation.reopen()

    # What commands and the service manager see.

    def committer(self) -> Committer:
        """Return the committer. Raises `ControlError` while the store is not open."""
        return self.store.committer()

    def listeners(self) -> list[HttpListener]:
        """Return the HTTP listeners."""
        return self.http.all()

    def uptime(self) -> float:
        """Return the seconds since the start."""
        uptime: float = self.context.reactor.seconds() - self._started_at
        return uptime
