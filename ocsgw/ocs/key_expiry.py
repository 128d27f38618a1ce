"""Telling ahead that API keys expire (configuration.md section 5)."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from twisted.logger import Logger

from ocsgw.config import ApiKey

_DAY = 86400
# Days ahead of the end at which it is told; 0 when it is there.
_STAGES = (0, 1, 7, 30)


class KeyExpiry:
    """Logs 30, 7 and 1 days ahead that a key expires, and that it has expired, each once.

    `wall_clock` is in seconds since 1970 UTC.
    """

    _log = Logger()

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._told: dict[tuple[str, int], int] = {}

    def look(self, keys: Iterable[ApiKey]) -> None:
        """Look at all keys; to be called at the start, after a reload and now and then."""
        now = self._wall_clock()
        for key in keys:
            if key.expires is None:
                continue
            left = key.expires - now
            stage = next((days for days in _STAGES if left <= days * _DAY), None)
            if stage is not None and self._told.get((key.name, key.expires)) != stage:
                self._told[key.name, key.expires] = stage
                self._tell(key.name, key.expires, left)

    def _tell(self, name: str, expires: int, left: float) -> None:
        end = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if left <= 0:
            self._log.warn(
                "A key of [[api_key]] {name} has expired at {end} UTC; requests with it get 401. Remove it, or make "
                "another with: ocsgw key create",
                name=name,
                end=end,
            )
        else:
            self._log.warn(
                "A key of [[api_key]] {name} expires at {end} UTC, in {days} days; make another with: ocsgw key "
                "create, and let both count until all clients have the new one",
                name=name,
                end=end,
                days=max(1, round(left / _DAY)),
            )
