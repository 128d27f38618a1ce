"""What decides whether a record may be handed out now (http.md H271 to H274)."""

from collections.abc import Container, Sequence

from ocsgw.contact.directory import Directory, Tenant
from ocsgw.contact.transaction import Record, Window
from ocsgw.contact.zones import seconds_of_day
from ocsgw.protocol.enumerations import PERSONAL_TYPES, RecordStatus, RecordType

_READY = RecordStatus.READY.value
_NO_CALL = RecordType.NO_CALL.value


def window_of(record: Record) -> Window:
    """Return the window of a record."""
    agent = record.agent_id if record.record_type in PERSONAL_TYPES else ""
    return Window(record.campaign_id, agent, record.tz_dbid, record.daily_from, record.daily_till)


def is_open(daily_from: int, daily_till: int, moment: int) -> bool:
    """Whether a moment, in seconds since local midnight, is within a daily window (H176)."""
    if daily_from < daily_till:
        return daily_from <= moment <= daily_till
    return daily_from == daily_till or moment >= daily_from or moment <= daily_till


def open_windows(windows: Sequence[Window], directory: Directory, tenant: Tenant, now: int) -> list[Window]:
    """Return the windows of a list that are open now, each in the zone of its records (H271)."""
    moments: dict[int, int] = {}
    for each in windows:
        if each.tz_dbid not in moments:
            moments[each.tz_dbid] = seconds_of_day(now, directory.zone_of(each.tz_dbid, tenant).zone)
    return [each for each in windows if is_open(each.daily_from, each.daily_till, moments[each.tz_dbid])]


def may_be_handed_out(record: Record, windows: Container[Window], now: int) -> bool:
    """Whether a record may be handed out in these windows, but for its chain and the do-not-call table (H271)."""
    return (
        record.record_status == _READY
        and record.record_type != _NO_CALL
        and record.dial_sched_time <= now
        and window_of(record) in windows
    )


def order_of(record: Record) -> tuple[int, int]:
    """Return the place of a record in the order of hand-outs, without ties (H273)."""
    return (0, record.dial_sched_time) if record.dial_sched_time else (1, record.call_time)
