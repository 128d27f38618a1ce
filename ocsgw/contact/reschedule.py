"""RecordReschedule and ScheduledRecordReschedule (http.md section 10.4)."""

from collections.abc import Mapping
from copy import copy
from typing import cast

from ocsgw.contact.custom import given_columns
from ocsgw.contact.dnc_lookup import customer_value, dnc_lookup_for
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import ActiveHandout, Member, record_keys
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.transaction import new_record_of
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


def reschedule_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """Agree a callback for a record of the chain (H230 to H234)."""
    handed_out, member = handouts_cache.find(pending)
    data, calling_list, record = pending.data, handed_out.calling_list, member.record
    custom = given_columns(unit, calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    if zone_name is not None:
        zone = unit.directory.zone_named(zone_name)
    else:
        zone = unit.directory.zone_of(record.tz_dbid, calling_list.tenant)
    # 0 means "not scheduled".
    when = to_epoch(cast("str", data["GSW_DATE_TIME"]), zone.zone) or 1
    phone = cast("str", data.get("GSW_PHONE", record.contact_info))
    target = _member_with(handed_out, member, phone)
    _refuse_blocked(unit, handed_out, member, phone, target, custom)
    is_personal = data["GSW_CALLBACK_TYPE"] == "Personal"
    if custom:
        member.set_custom(calling_list, custom)
        handouts_cache.forget_blocked(handed_out, member)
    if "GSW_CALL_RESULT" in data:
        member.set(call_result=data["GSW_CALL_RESULT"])
    if target is None:
        target = _added_to_chain(unit, handed_out, member, phone)
    kind = RecordType.PERSONAL_CALLBACK if is_personal else RecordType.CAMPAIGN_CALLBACK
    target.set(record_type=kind.value, dial_sched_time=when)
    agent = data.get("GSW_AGENT_ID") or pending.context.agent_id or handed_out.handout.agent_id or record.agent_id
    if is_personal and agent:
        target.set(agent_id=agent)
    if "GSW_PHONE_TYPE" in data:
        target.set(contact_info_type=data["GSW_PHONE_TYPE"])
    handed_out.reschedule(target)
    handouts_cache.touch(handed_out)
    members = record_keys(handed_out, member)
    members["GSW_CALLBACK_TYPE"] = data["GSW_CALLBACK_TYPE"]
    members["GSW_DATE_TIME"] = to_date_time(when, zone.zone)
    members["GSW_TZ_NAME"] = zone.name
    members["GSW_PHONE"] = target.record.contact_info
    members["GSW_RECORD_TYPE"] = kind.value
    return unit.event(f"{pending.request.name}Acknowledge", pending, members)


def _member_with(handed_out: ActiveHandout, member: Member, phone: str) -> Member | None:
    """Return the member of the chain with a contact, the one of the handle first; None for a new contact (H232)."""
    country = handed_out.calling_list.tenant.country
    contact = normal_contact(phone, country)
    for each in (member, *handed_out.members):
        if normal_contact(each.record.contact_info, country) == contact:
            return each
    return None


def _refuse_blocked(
    unit: UnitOfWork,
    handed_out: ActiveHandout,
    member: Member,
    phone: str,
    target: Member | None,
    custom: Mapping[str, FieldValue],
) -> None:
    """H234: neither the record, nor the contact to be called back, nor the customer may be blocked."""
    calling_list = handed_out.calling_list
    concerned = [member.record] if target is None or target is member else [member.record, target.record]
    lookups = [
        dnc_lookup_for(unit.directory, calling_list, phone, customer_value(calling_list, each), each.campaign_id)
        for each in concerned
    ]
    if calling_list.customer_id is not None and calling_list.customer_id.column in custom:
        customer = custom[calling_list.customer_id.column]
        lookups.append(dnc_lookup_for(unit.directory, calling_list, phone, customer, member.record.campaign_id))
    marked = member.is_no_call or (target is not None and target.is_no_call)
    if marked or unit.tx.blocked(calling_list, lookups, unit.now):
        raise Refusal("do_not_call")


def _added_to_chain(unit: UnitOfWork, handed_out: ActiveHandout, member: Member, phone: str) -> Member:
    """Add a record with a new contact to the chain, copied from the record of the handle (H232)."""
    calling_list, chain_id = handed_out.calling_list, handed_out.handout.chain_id
    fresh = copy(member.record)
    fresh.record_id = unit.tx.before_adding(calling_list, 1, tuple, unit.now).record_id + 1
    fresh.chain_n = unit.tx.chain_ends(calling_list, [chain_id])[chain_id] + 1
    fresh.contact_info = phone
    fresh.record_status = RecordStatus.READY.value
    fresh.attempt = 0
    fresh.treatments = ""
    fresh.custom = list(fresh.custom)
    unit.tx.insert_records(calling_list, [new_record_of(fresh)])
    unit.tx.copy_further_columns(calling_list, member.record.record_id, fresh.record_id)
    added = Member(fresh)
    handed_out.members.append(added)
    return added
