"""The clocks: one for timers and deadlines, one for the rules.

Timers, deadlines and heartbeats ask the reactor, which must not follow the wall clock: a step of the wall clock by an
hour would end every wait at once, or hold it up for an hour. Rules ask the wall clock, for dates and times are theirs.
"""

import time
from collections.abc import Callable
from typing import Any

# Seconds since 1970 UTC.
WallClock = Callable[[], float]


# Differences below this are those of answers that come sooner or later (seconds).
_NOTHING = 0.1


class RulesClock:
    """The clock of the rules: that of the machine, put right by a store that has a clock of its own (R56).

    So servers of several machines judge hand-outs, callbacks and keys by one time, whatever their machines show.
    `machine` is the clock of this one.
    """

    def __init__(self, machine: WallClock) -> None:
        self._machine = machine
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the time in seconds since 1970 UTC."""
        return self._machine() + self._ahead

    def follow(self, store_time: Callable[[], float | None]) -> None:
        """Ask a store for its time, in seconds since 1970 UTC, and go by that; None changes nothing."""
        asked = self._machine()
        there = store_time()
        if there is None:
            return
        answered = self._machine()
        ahead = there - (asked + answered) / 2
        # So much may be due to the way of the question and of the answer.
        unknown = abs(answered - asked) / 2
        if abs(ahead - self._ahead) > _NOTHING + unknown:
            self._ahead = ahead


def use_monotonic_time(reactor: Any) -> None:
    """Let `reactor.seconds`, and with it every delayed call, follow a clock that never steps.

    Called where a process begins, before anything is scheduled.
    """
    reactor.seconds = time.monotonic
