"""Whether the clock of this machine and that of the store agree, where both are not the same.

Lease and rules go by the store's, logs and API keys by that of the machine.
"""

from twisted.logger import Logger

from ocsgw.clock import WallClock
from ocsgw.logs import say

# So far they may be apart (seconds).
_APART = 5.0


class Clocks:
    """Compares them, and reports once that they differ; `wall_clock` is that of this machine."""

    _log = Logger()

    def __init__(self, wall_clock: WallClock) -> None:
        self._wall_clock = wall_clock
        self._asked_at = 0.0
        self._differ = False

    def asked(self) -> None:
        """The store is about to be asked for its time."""
        self._asked_at = self._wall_clock()

    def compare(self, there: float | None) -> None:
        """The store has answered; it did so between two looks at our own clock."""
        if there is None:
            return
        behind, ahead = there - self._wall_clock(), self._asked_at - there
        differ = max(behind, ahead) > _APART
        if differ and not self._differ:
            say(self._log, 93237, seconds=round(max(behind, ahead)), direction="behind" if behind > 0 else "ahead of")
        self._differ = differ
