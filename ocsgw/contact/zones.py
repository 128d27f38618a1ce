"""Local times of records (http.md section 10, H170 to H176)."""

from datetime import UTC, datetime
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


def offset(epoch: int, zone: ZoneInfo) -> int:
    """Return the seconds east of UTC in a zone at a time (`GSW_TZ_OFFSET`)."""
    delta = datetime.fromtimestamp(epoch, UTC).astimezone(zone).utcoffset()
    return int(delta.total_seconds()) if delta is not None else 0


def seconds_of_day(epoch: int, zone: ZoneInfo) -> int:
    """Return the seconds since local midnight that a clock in the zone shows at a time."""
    local = datetime.fromtimestamp(epoch, UTC).astimezone(zone)
    return local.hour * 3600 + local.minute * 60 + local.second
