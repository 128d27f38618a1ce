"""What the service manager sees of OCS: readiness, a line of status, and a watchdog fed only while all answer."""

import time
from collections.abc import Sequence
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from ocsgw.ocs.life_cycle import LifeCycle, State
from ocsgw.periodic import Periodic
from ocsgw.systemd import ServiceManager

# At least so often there is a new status; seconds.
_INTERVAL = 1.0
# The watchdog is fed several times in its time, so that a busy moment is not a reason for a restart.
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


class NotifiedListeners(Protocol):
    """All HTTP listeners, as they are watched."""

    running: int

    def all(self) -> Sequence[NotifiedListener]:
        """Return those that are open."""


class NotifiedStore(Protocol):
    """The store, as it is watched."""

    @property
    def waits(self) -> str | None:
        """Why it takes its time to be opened, None if all is well."""

    def requests(self) -> int:
        """Return how many requests there have been."""


class ServiceNotifier(Service):
    """Looks at OCS at least once a second and reports to the service manager.

    The watchdog is not fed while the loop of OCS stands still, nor while the link of a running proxy is silent.
    """

    name = "notifier"

    def __init__(self, life_cycle: LifeCycle, manager: ServiceManager, clock: IReactorTime) -> None:
        self._life_cycle = life_cycle
        self._manager = manager
        self._periodic = Periodic("service manager", self.look, clock)
        self._listeners: NotifiedListeners
        self._store: NotifiedStore
        self._reported = ""
        self._ready = False
        self._refused = False
        life_cycle.follow(self._follow)

    def watch(self, listeners: NotifiedListeners, store: NotifiedStore) -> None:
        """Take what is watched; to be called once, before the start."""
        self._listeners = listeners
        self._store = store

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        watchdog = self._manager.watchdog
        self._periodic.start(_INTERVAL if watchdog is None else min(_INTERVAL, watchdog / _FEEDS), now=True)

    def stopService(self) -> None:
        """Look no longer."""
        super().stopService()
        self._periodic.stop()

    def _follow(self, state: State) -> None:
        # From standby the role may bring it to active at once; that is reported, not the moment between.
        if state == "active":
            self.look()

    def look(self) -> None:
        """Look now: something has changed, or time has passed."""
        listeners = self._listeners.all()
        status = self._status(listeners)
        if not self._ready and self._has_settled(listeners):
            self._ready = True
            self._manager.tell(READY=1, STATUS=status)
        if status != self._reported:
            self._reported = status
            self._manager.tell(STATUS=status)
        if self._manager.watchdog is not None and all(each.answers() for each in listeners):
            self._manager.tell(WATCHDOG=1)

    def _has_settled(self, listeners: Sequence[NotifiedListener]) -> bool:
        """Whether OCS does what it can do: serve, or stand by for another server."""
        state = self._life_cycle.state
        if state == "active":
            return bool(self._listeners.running) and all(each.is_settled() for each in listeners)
        return state == "standby"

    def _status(self, listeners: Sequence[NotifiedListener]) -> str:
        state = self._life_cycle.state
        if state == "opening":
            return f"{state}, {self._store.waits or 'waiting for the store'}"
        if state == "stopping":
            return state
        parts = [state, *(each.summary() for each in listeners), f"{self._store.requests():,} requests"]
        if self._refused:
            parts.append("the changed configuration was refused, see the log")
        return ", ".join(parts)

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
        self._reported = "stopping"
        self._manager.tell(
            STOPPING=1, STATUS=self._reported, EXTEND_TIMEOUT_USEC=int((timeout + _STOP_RESERVE) * 1_000_000)
        )
