"""The two clocks: one for timers and deadlines, one for the rules.

Timers, deadlines and heartbeats ask the reactor, which must not follow the wall clock: a step of the wall clock by an
hour would end every wait at once, or hold it up for an hour. Rules ask the wall clock, for dates and times are theirs.
"""

import time
from collections.abc import Callable
from typing import Any

# Seconds since 1970 UTC.
WallClock = Callable[[], float]


def use_monotonic_time(reactor: Any) -> None:
    """Let `reactor.seconds`, and with it every delayed call, follow a clock that never steps.

    Called where a process begins, before anything is scheduled.
    """
    reactor.seconds = time.monotonic
