"""When to ask whether the other side of a connection lives, and when to give it up (P88)."""

import math

from ocsgw.protocol.messages import Ping


class Heartbeat:
    """When to ask whether the other side lives, and when to give it up (P88).

    `interval` is in seconds. Times are those of the caller's clock. Any byte from the other side counts as life.
    `tick` and then `is_lost` are asked several times in an interval; a side that did not ask for an interval was frozen
    itself and cannot know what the other side did meanwhile. It asks again, and waits at most `after_freeze`
    seconds then.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self.after_freeze = math.inf
        self._heard = now
        self._ticked = now
        self._asked: float | None = None
        self._patience = interval
        self._ref = 0

    def heard(self, now: float) -> None:
        """Something came from the other side."""
        self._heard = now
        self._asked = None

    def silence(self, now: float) -> float:
        """Return the seconds since something came from the other side."""
        return now - self._heard

    def tick(self, now: float) -> Ping | None:
        """Return a ping to send, if one is due."""
        since, self._ticked = now - self._ticked, now
        was_frozen = since >= self.interval
        if was_frozen:
            # What was answered meanwhile has not been read yet: ask again before giving the other side up.
            self._asked = None
        if self._asked is None and now - self._heard >= self.interval:
            self._asked = now
            self._patience = min(self.interval, self.after_freeze) if was_frozen else self.interval
            self._ref += 1
            return Ping(ref=self._ref)
        return None

    def is_lost(self, now: float) -> bool:
        """Whether nothing came after a ping for as long as that is waited for."""
        return self._asked is not None and now - self._asked >= self._patience
