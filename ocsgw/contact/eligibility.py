"""What decides whether a record may be handed out now (http.md H271 to H274)."""

from ocsgw.contact.directory import Directory, Tenant
from ocsgw.contact.transaction import Record, Window
from ocsgw.contact.zones import seconds_of_day

_PERSONAL = frozenset({4, 5})


def window_of(record: Record) -> Window:
    """Return the window of a record."""
    agent = record.agent_id if record.record_type in _PERSONAL else ""
    return Window(record.campaign_id, agent, record.tz_dbid, record.daily_from, record.daily_till)


def is_open(window: Window, directory: Directory, tenant: Tenant, now: int) -> bool:
    """Whether now is within a daily window, in the zone of its records (H176)."""
    first, last = window.daily_from, window.daily_till
    if first == last:
        return True
    moment = seconds_of_day(now, directory.zone_of(window.tz_dbid, tenant).zone)
    if first < last:
        return first <= moment <= last
    return moment >= first or moment <= last


def order_of(record: Record) -> tuple[int, int]:
    """Return the place of a record in the order of hand-outs, without ties (H273)."""
    return (0, record.dial_sched_time) if record.dial_sched_time else (1, record.call_time)
