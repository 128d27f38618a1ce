"""What the service manager sees of OCS: readiness, a line of status, and a watchdog fed only while all answer."""

import time
from collections.abc import Sequence
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ocsgw.systemd import ServiceManager

# At least so often there is a new status; seconds.
_INTERVAL = 1.0
# The watchdog is fed several times in its time, so that a busy moment is no reason for a restart.
_FEEDS = 4
# More than the stop of its children needs, on top of `[limits] stop_timeout`; seconds.
_STOP_RESERVE = 10.0


class NotifiedListener(Protocol):
    """An HTTP listener, as it is watched."""

    def is_settled(self) -> bool:
        """Whether its first proxy serves, or has failed to."""

    def answers(self) -> bool:
        """Whether the link of its proxy lives, as far as there has to be one."""

    def summary(self) -> str:
        """Return scheme, port and state, for people."""


class NotifiedService(Protocol):
    """OCS, as it is watched."""

    def listeners(self) -> Sequence[NotifiedListener]:
        """Return the HTTP listeners."""

    def requests(self) -> int:
        """Return how many requests there have been."""

    def housekeeping(self) -> None:
        """Do what is due at every look."""


class ServiceNotifier:
    """Looks at OCS at least once a second and tells the service manager.

    The watchdog is not fed while the loop of OCS stands still, nor while the link of a running proxy is silent.
    """

    def __init__(self, ocs: NotifiedService, manager: ServiceManager, clock: IReactorTime) -> None:
        self._ocs = ocs
        self._manager = manager
        self._ticker = LoopingCall(self.look)
        self._ticker.clock = clock
        self._told = ""
        self._phase = "waiting for the store"
        self._ready = False
        self._refused = False

    def start(self) -> None:
        """Begin to look."""
        watchdog = self._manager.watchdog
        self._ticker.start(_INTERVAL if watchdog is None else min(_INTERVAL, watchdog / _FEEDS))

    def look(self) -> None:
        """Look now: something has changed, or time has passed."""
        self._ocs.housekeeping()
        listeners = self._ocs.listeners()
        if not self._phase and not self._ready and all(each.is_settled() for each in listeners):
            self._ready = True
            self._manager.tell(READY=1, STATUS=self._status())
        status = self._status()
        if status != self._told:
            self._told = status
            self._manager.tell(STATUS=status)
        if self._manager.watchdog is not None and all(each.answers() for each in listeners):
            self._manager.tell(WATCHDOG=1)

    def _status(self) -> str:
        if self._phase:
            return self._phase
        parts = ["primary", *(each.summary() for each in self._ocs.listeners()), f"{self._ocs.requests():,} requests"]
        if self._refused:
            parts.append("the changed configuration was refused, see the log")
        return ", ".join(parts)

    def opened(self) -> None:
        """The store is open and the listeners have been started; OCS is ready when they have settled."""
        self._phase = ""
        self.look()

    def reloading(self) -> None:
        """The configuration is being read again."""
        if self._ready:
            self._manager.tell(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def reloaded(self, *, refused: bool) -> None:
        """The configuration has been read again, and is used or `refused`."""
        self._refused = refused
        if self._ready:
            self._manager.tell(READY=1)
        self.look()

    def stopping(self, timeout: float) -> None:
        """OCS is about to end, within `timeout` seconds and what its own work takes."""
        self._phase = self._told = "stopping"
        self._manager.tell(
            STOPPING=1, STATUS=self._phase, EXTEND_TIMEOUT_USEC=int((timeout + _STOP_RESERVE) * 1_000_000)
        )

    def stop(self) -> None:
        """Look no longer."""
        if self._ticker.running:
            self._ticker.stop()
