"""What decides whether a record may be handed out now, and in which order (http.md H271 to H274, H359)."""

from collections.abc import Mapping, Sequence

from ocsgw.contact.directory import Directory, Priorities, Tenant
from ocsgw.contact.transaction import Record, Window
from ocsgw.contact.zones import seconds_of_day
from ocsgw.protocol.enumerations import PERSONAL_TYPES, RecordStatus, RecordType

_READY = RecordStatus.READY.value
# What is claimed with its chain when a record is handed out (H276).
CLAIMED = frozenset({_READY, RecordStatus.CHAIN_READY.value})
_NO_CALL = RecordType.NO_CALL.value


# Record type -> class of priority; all others are general (H359).
PRIORITY_CLASSES = {
    RecordType.CAMPAIGN_RESCHEDULED.value: 1,
    RecordType.CAMPAIGN_CALLBACK.value: 2,
    RecordType.PERSONAL_RESCHEDULED.value: 3,
    RecordType.PERSONAL_CALLBACK.value: 3,
}
# A daily window is known by the half hours in which it begins and ends.
SLOT = 1800
WITHIN_A_DAY, OVER_MIDNIGHT, WHOLE_DAY = range(3)


def agent_of(record: Record) -> str:
    """Return the only agent who may get a record, empty for anyone (H271, H201)."""
    return record.agent_id if record.record_type in PERSONAL_TYPES else ""


def window_of(record: Record) -> Window:
    """Return the window of a record."""
    begin, end = record.daily_from, record.daily_till
    priority = PRIORITY_CLASSES.get(record.record_type, 0)
    if begin == end:
        return Window(record.campaign_id, agent_of(record), record.tz_dbid, WHOLE_DAY, 0, 0, priority)
    shape = WITHIN_A_DAY if begin < end else OVER_MIDNIGHT
    slots = (begin // SLOT, -(-end // SLOT))
    return Window(record.campaign_id, agent_of(record), record.tz_dbid, shape, *slots, priority)


def _may_be_open(window: Window, moment: int) -> bool:
    """Whether some daily window of these slots is open at a moment, in seconds since local midnight."""
    if window.shape == WHOLE_DAY:
        return True
    has_begun, has_not_ended = window.from_slot * SLOT <= moment, moment <= window.till_slot * SLOT
    return has_begun and has_not_ended if window.shape == WITHIN_A_DAY else has_begun or has_not_ended


def is_open(daily_from: int, daily_till: int, moment: int) -> bool:
    """Whether a moment, in seconds since local midnight, is within a daily window (H176)."""
    if daily_from < daily_till:
        return daily_from <= moment <= daily_till
    return daily_from == daily_till or moment >= daily_from or moment <= daily_till


def open_windows(windows: Sequence[Window], directory: Directory, tenant: Tenant, now: int) -> dict[Window, int]:
    """Return the windows of a list of which some are open now, with the time of day in the zone of their records."""
    moments: dict[int, int] = {}
    for each in windows:
        if each.tz_dbid not in moments:
            moments[each.tz_dbid] = seconds_of_day(now, directory.zone_of(each.tz_dbid, tenant).zone)
    return {each: moments[each.tz_dbid] for each in windows if _may_be_open(each, moments[each.tz_dbid])}


def may_take_part(record: Record) -> bool:
    """Whether a record can be claimed with its chain, but for the do-not-call table (H276)."""
    return record.record_status in CLAIMED and record.record_type != _NO_CALL and has_contact(record)


def has_contact(record: Record) -> bool:
    """Whether there is somebody to be contacted; other programs store empty contacts."""
    return not record.contact_info.isspace() and record.contact_info != ""


def may_be_handed_out(record: Record, windows: Mapping[Window, int], now: int) -> bool:
    """Whether a record may be handed out in these windows, but for its chain and the do-not-call table (H271)."""
    if not may_take_part(record) or record.record_status != _READY or record.dial_sched_time > now:
        return False
    moment = windows.get(window_of(record))
    return moment is not None and is_open(record.daily_from, record.daily_till, moment)


def order_of(record: Record, priorities: Priorities) -> tuple[int, int, int]:
    """Return the place of a record in the order of hand-outs, without ties: its priority, then H273 (H359)."""
    priority = -priorities[PRIORITY_CLASSES.get(record.record_type, 0)]
    return (priority, 0, record.dial_sched_time) if record.dial_sched_time else (priority, 1, record.call_time)
