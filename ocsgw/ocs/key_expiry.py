"""API keys that are about to expire are reported ahead of time (configuration.md section 5)."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from twisted.logger import Logger

from ocsgw.config import ApiKey
from ocsgw.logs import say

_DAY = 86400
# Days ahead of the end at which it is reported; 0 when it is there.
_STAGES = (0, 1, 7, 30)


class KeyExpiry:
    """Logs 30, 7 and 1 days ahead that a key expires, and that it has expired, each once.

    `wall_clock` is in seconds since 1970 UTC.
    """

    _log = Logger()

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._reported: dict[tuple[str, int], int] = {}

    def look(self, keys: Iterable[ApiKey]) -> None:
        """Look at all keys; to be called at the start, after a reload and now and then."""
        now = self._wall_clock()
        for key in keys:
            if key.expires is None:
                continue
            left = key.expires - now
            stage = next((days for days in _STAGES if left <= days * _DAY), None)
            if stage is not None and self._reported.get((key.name, key.expires)) != stage:
                self._reported[key.name, key.expires] = stage
                self._report(key.name, key.expires, left)

    def _report(self, name: str, expires: int, left: float) -> None:
        end = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if left <= 0:
            say(self._log, 93151, name=name, end=end)
        else:
            say(self._log, 93150, name=name, end=end, days=max(1, round(left / _DAY)))
