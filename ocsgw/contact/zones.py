"""Local times of records (http.md section 10, H170 to H176)."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from ocsgw.protocol.attributes import parse_date_time


def to_epoch(text: str, zone: ZoneInfo) -> int:
    """Return the seconds since 1970 UTC of a `GSW_DATE_TIME` in a zone.

    A time that the clocks skip is moved forward by the gap, one that comes twice is the first (H172): that is what a
    datetime with `fold=0` means. Raises `Refusal` (`invalid_datetime`).
    """
    year, month, day, hour, minute = parse_date_time(text)
    return wall_time_to_epoch(datetime(year, month, day, hour, minute), zone)  # noqa: DTZ001 - what a clock shows


def wall_time_to_epoch(moment: datetime, zone: ZoneInfo) -> int:
    """Return the seconds since 1970 UTC when a clock in a zone shows `moment`, which has no zone (H172)."""
    return int(moment.replace(tzinfo=zone, fold=0).timestamp())


def to_date_time(epoch: int, zone: ZoneInfo) -> str:
    """Return seconds since 1970 UTC as `GSW_DATE_TIME` in a zone, with two digits each."""
    return datetime.fromtimestamp(epoch, zone).strftime("%m/%d/%Y %H:%M")


def time_in_words(epoch: object, zone: tzinfo = UTC, *, with_seconds: bool = False) -> str:
    """Return seconds since 1970 UTC for people, as a clock in a zone shows them.

    Seconds that are 0 are left out unless `with_seconds`. What another program has
    written in place of a time is shown as it stands.
    """
    try:
        moment = datetime.fromtimestamp(epoch, UTC).astimezone(zone)  # type: ignore[arg-type]  # what is none raises
    except (TypeError, ValueError, OverflowError, OSError):
        return str(epoch)
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return text if with_seconds else text.removesuffix(":00")


def both_times(epoch: int, zone: ZoneInfo) -> str:
    """Return seconds since 1970 UTC for people, in a zone with its name at that time, and in UTC."""
    local = datetime.fromtimestamp(epoch, UTC).astimezone(zone)
    return f"{time_in_words(epoch, zone)} {local.tzname()} ({time_in_words(epoch)} UTC)"


@lru_cache(maxsize=1024)
def offset(epoch: int, zone: ZoneInfo) -> int:
    """Return the seconds east of UTC in a zone at a time (`GSW_TZ_OFFSET`)."""
    delta = datetime.fromtimestamp(epoch, UTC).astimezone(zone).utcoffset()
    return int(delta.total_seconds()) if delta is not None else 0


def seconds_of_day(epoch: int, zone: ZoneInfo) -> int:
    """Return the seconds since local midnight that a clock in the zone shows at a time."""
    local = datetime.fromtimestamp(epoch, UTC).astimezone(zone)
    return local.hour * 3600 + local.minute * 60 + local.second
