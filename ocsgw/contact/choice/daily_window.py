"""When a daily window opens and closes in a zone, over changes of the clocks (http.md H172, H176, H271)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ocsgw.contact.choice.eligibility import is_open
from ocsgw.contact.zones import offset, seconds_of_day

_DAY = 86400
_HOUR = 3600
# A window that the clocks skip opens on a day after that.
_DAYS = 4


def next_change(daily_from: int, daily_till: int, zone: ZoneInfo, now: int) -> int | None:
    """Return when the window, open or closed at `now`, closes or opens next; None if it is always open.

    Times are in seconds since 1970 UTC.
    """

    def is_open_at(moment: int) -> bool:
        return is_open(daily_from, daily_till, seconds_of_day(moment, zone))

    state = is_open_at(now)
    # The state changes only where the clock shows one of these, or where the clock itself is changed.
    shown = {0, daily_from % _DAY, (daily_till + 1) % _DAY}
    moments = {*_moments(shown, zone, now), *_clock_changes(zone, now)}
    return next((moment for moment in sorted(moments) if moment > now and is_open_at(moment) != state), None)


def _moments(shown: set[int], zone: ZoneInfo, now: int) -> Iterator[int]:
    """Yield when a clock in the zone shows these seconds of a day, on the days around `now`."""
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(-1, _DAYS + 1):
        for seconds in shown:
            wall = today.replace(tzinfo=None) + timedelta(days=day, seconds=seconds)
            for fold in (0, 1):
                yield int(wall.replace(tzinfo=zone, fold=fold).timestamp())


def _clock_changes(zone: ZoneInfo, now: int) -> Iterator[int]:
    """Yield when the clocks are changed, on the days after `now`."""
    for start in range(now, now + _DAYS * _DAY, _HOUR):
        low, high = start, start + _HOUR
        before = offset(low, zone)
        if offset(high, zone) == before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle, zone) == before else (low, middle)
        yield high
