"""Events that show a record: PreviewRecord and ChainedRecord (http.md sections 10.8 and 10.9)."""

from ocsgw.contact.custom import custom_members, shown_members
from ocsgw.contact.dnc_lookup import customer_id_text, customer_value
from ocsgw.contact.handouts import ActiveHandout, Member, record_keys
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.contact.zones import offset, to_date_time
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV


def preview_record(
    unit: UnitOfWork, pending: PendingRequest, handed_out: ActiveHandout, member: Member, mode: str
) -> KV:
    """Return the event PreviewRecord of a hand-out; `mode` is the dial mode of the group."""
    return unit.event("PreviewRecord", pending, preview_members(unit, pending.context, handed_out, member, mode))


def preview_members(
    unit: UnitOfWork, context: RequestContext, handed_out: ActiveHandout, member: Member, mode: str
) -> KV:
    """Return what PreviewRecord, ScheduledCall and RecordShared have besides the common keys."""
    members = record_keys(handed_out, member)
    _add_uri(members, context)
    group = handed_out.group
    if group is not None:
        members["GSW_CAMPAIGN_GROUP_NAME"] = group.name
        members["GSW_CAMPAIGN_GROUP_DBID"] = group.dbid
        members["GSW_CAMPAIGN_MODE"] = mode
    members.update(_properties(unit, handed_out, member))
    return members


def chained_record(
    unit: UnitOfWork, pending: PendingRequest, handed_out: ActiveHandout, member: Member
) -> dict[str, object]:
    """Return a ChainedRecord: what PreviewRecord has, without the campaign group (H291)."""
    members = record_keys(handed_out, member)
    _add_uri(members, pending.context)
    members.update(_properties(unit, handed_out, member))
    common: dict[str, object] = {
        "GSW_USER_EVENT": "ChainedRecord",
        "GSW_APPLICATION_ID": unit.directory.application_dbid,
    }
    return {**common, **members}


def _add_uri(members: KV, context: RequestContext) -> None:
    """Add `GSW_RECORD_URI`; clients take it apart by its slashes (H65, H66)."""
    if context.base_uri is not None:
        members["GSW_RECORD_URI"] = f"{context.base_uri}/records/{members['GSW_RECORD_HANDLE']}"


def _properties(unit: UnitOfWork, handed_out: ActiveHandout, member: Member) -> KV:
    record, calling_list = member.record, handed_out.calling_list
    zone = unit.directory.zone_of(record.tz_dbid, calling_list.tenant)
    members: KV = {
        "GSW_CALLING_LIST_DBID": calling_list.dbid,
        "GSW_CHAIN_N": record.chain_n,
        "GSW_PHONE": record.contact_info,
        "GSW_PHONE_TYPE": record.contact_info_type,
        "GSW_RECORD_TYPE": record.record_type,
        "GSW_CALL_RESULT": record.call_result,
        "GSW_ATTEMPTS": record.attempt,
        "GSW_FROM": record.daily_from,
        "GSW_UNTIL": record.daily_till,
        "GSW_TZ_NAME": zone.name,
        "GSW_TZ_OFFSET": offset(unit.now, zone.zone),
    }
    if record.dial_sched_time:
        members["GSW_DATE_TIME"] = to_date_time(record.dial_sched_time, zone.zone)
    if record.agent_id:
        members["GSW_AGENT_ID"] = record.agent_id
    customer_id = customer_id_text(customer_value(calling_list, record))
    if customer_id:
        members["GSW_CUSTOMER_ID"] = customer_id
    if member.handle is not None:
        members["GSW_CALL_ATTEMPT_GUID"] = member.handle.guid
    members.update(custom_members(calling_list, record.custom))
    if calling_list.shown:
        members.update(shown_members(calling_list, record))
    return members
