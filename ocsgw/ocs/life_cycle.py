"""The states of OCS: opening, standby, active, stopping. The same words stand in the log and in `ocsctl status`.

Opening: the store is being opened. Standby: everything is ready, but this server is not the one that serves. Active:
HTTP Proxies, housekeeping and changes of campaign groups. Stopping: work in flight ends, nothing begins.

A role service decides between standby and active. With a single server that is decided at once (`ocs/role.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from automat import TypeMachine, TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocsgw.guard import guarded
from ocsgw.logs import say

State = Literal["opening", "standby", "active", "stopping"]


class Inputs(Protocol):
    """What can happen to OCS: orders in the imperative, facts in the past tense."""

    def opened(self) -> None:
        """The store is open."""

    def activate(self) -> None:
        """Serve, as soon as the store is open."""

    def deactivate(self) -> None:
        """Serve no longer."""

    def stop(self) -> None:
        """End."""


@dataclass(eq=False)
class _Core:
    state: State = "opening"
    # Whether a role service wants it to be active; kept while the store is being opened.
    wanted: bool = False


def _enter_standby(inputs: Inputs, core: _Core) -> None:
    core.state = "standby"


def _enter_active(inputs: Inputs, core: _Core) -> None:
    core.state = "active"


def _enter_stopping(inputs: Inputs, core: _Core) -> None:
    core.state = "stopping"


def _want(inputs: Inputs, core: _Core) -> None:
    core.wanted = True


def _want_no_more(inputs: Inputs, core: _Core) -> None:
    core.wanted = False


def _build() -> TypeMachine[Inputs, _Core]:
    builder = TypeMachineBuilder(Inputs, _Core)
    opening = builder.state("opening")
    standby = builder.state("standby", _enter_standby)
    active = builder.state("active", _enter_active)
    stopping = builder.state("stopping", _enter_stopping)

    opening.upon(Inputs.activate).loop()(_want)
    opening.upon(Inputs.deactivate).loop()(_want_no_more)
    opening.upon(Inputs.opened).to(standby).returns(None)
    opening.upon(Inputs.stop).to(stopping).returns(None)

    standby.upon(Inputs.activate).to(active).returns(None)
    standby.upon(Inputs.deactivate).loop().returns(None)
    standby.upon(Inputs.opened).loop().returns(None)
    standby.upon(Inputs.stop).to(stopping).returns(None)

    active.upon(Inputs.deactivate).to(standby).returns(None)
    active.upon(Inputs.activate).loop().returns(None)
    active.upon(Inputs.opened).loop().returns(None)
    active.upon(Inputs.stop).to(stopping).returns(None)

    # Nothing brings a server back that is about to end.
    for every in (Inputs.opened, Inputs.activate, Inputs.deactivate, Inputs.stop):
        stopping.upon(every).loop().returns(None)
    return builder.build()


MACHINE = _build()


class LifeCycle:
    """Where OCS stands, and who follows it: each of `follow` is called after every change, with the new state."""

    _log = Logger()

    def __init__(self) -> None:
        self._core = _Core()
        self._machine: Inputs = MACHINE(self._core)
        self._followers: list[Callable[[State], object]] = []
        self._waiting: list[Deferred[None]] = []

    @property
    def state(self) -> State:
        """The state by its name."""
        return self._core.state

    def follow(self, follower: Callable[[State], object]) -> None:
        """Call `follower` with the new state after every change."""
        self._followers.append(follower)

    def when_opened(self) -> "Deferred[None]":
        """Return a Deferred that fires when the store is open, or OCS is stopping."""
        done: Deferred[None] = Deferred()
        if self.state != "opening":
            done.callback(None)
        else:
            self._waiting.append(done)
        return done

    def opened(self) -> None:
        """The store is open: standby, and active at once if that is wanted already."""
        self._put(self._machine.opened)
        if self._core.wanted:
            self.activate()

    def activate(self) -> None:
        """Serve, as soon as the store is open."""
        self._put(self._machine.activate)

    def deactivate(self) -> None:
        """Serve no longer; what serves ends its work first (`WhileActive.settled`)."""
        self._put(self._machine.deactivate)

    def stop(self) -> None:
        """End; no state follows on this one."""
        self._put(self._machine.stop)

    def _put(self, function: Callable[[], None]) -> None:
        before = self.state
        function()
        if self.state != before:
            say(self._log, 93141, state=self.state)
            for follower in self._followers:
                guarded(self._log, "life cycle", follower, self.state)
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                # What waits begins when the change is complete.
                guarded(self._log, "life cycle", each.callback, None)
