"""RecordReschedule and ScheduledRecordReschedule (http.md section 10.4)."""

from collections.abc import Mapping
from copy import copy
from typing import cast

from ocsgw.contact.book import Book
from ocsgw.contact.custom import given_columns
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.handouts import Member, Process, record_keys
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.probes import customer_value, make_probe
from ocsgw.contact.transaction import new_record_of
from ocsgw.contact.work import Turn, Work
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


def reschedule_record(turn: Turn, book: Book, work: Work) -> KV:
    """Agree a callback for a record of the chain (H230 to H234)."""
    process, member = book.find(work)
    data, calling_list, record = work.data, process.calling_list, member.record
    custom = given_columns(turn, calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    if zone_name is not None:
        zone = turn.directory.zone_named(zone_name)
    else:
        zone = turn.directory.zone_of(record.tz_dbid, calling_list.tenant)
    # 0 means "not scheduled".
    when = to_epoch(cast("str", data["GSW_DATE_TIME"]), zone.zone) or 1
    phone = cast("str", data.get("GSW_PHONE", record.contact_info))
    target = _member_with(process, member, phone)
    _refuse_blocked(turn, process, member, phone, target, custom)
    is_personal = data["GSW_CALLBACK_TYPE"] == "Personal"
    if custom:
        member.set_custom(calling_list, custom)
        book.forget_blocked(process, member)
    if "GSW_CALL_RESULT" in data:
        member.set(call_result=data["GSW_CALL_RESULT"])
    if target is None:
        target = _added_to_chain(turn, process, member, phone)
    kind = RecordType.PERSONAL_CALLBACK if is_personal else RecordType.CAMPAIGN_CALLBACK
    target.set(record_type=kind.value, dial_sched_time=when)
    agent = data.get("GSW_AGENT_ID") or work.agent_id or process.handout.agent_id or record.agent_id
    if is_personal and agent:
        target.set(agent_id=agent)
    if "GSW_PHONE_TYPE" in data:
        target.set(contact_info_type=data["GSW_PHONE_TYPE"])
    process.reschedule(target)
    book.touch(process)
    members = record_keys(process, member)
    members["GSW_CALLBACK_TYPE"] = data["GSW_CALLBACK_TYPE"]
    members["GSW_DATE_TIME"] = to_date_time(when, zone.zone)
    members["GSW_TZ_NAME"] = zone.name
    members["GSW_PHONE"] = target.record.contact_info
    members["GSW_RECORD_TYPE"] = kind.value
    return turn.event(f"{data['GSW_AGENT_REQ_TYPE']}Acknowledge", work, members)


def _member_with(process: Process, member: Member, phone: str) -> Member | None:
    """Return the member of the chain with a contact, the one of the handle first; None for a new contact (H232)."""
    contact = normal_contact(phone)
    for each in (member, *process.members):
        if normal_contact(each.record.contact_info) == contact:
            return each
    return None


def _refuse_blocked(
    turn: Turn,
    process: Process,
    member: Member,
    phone: str,
    target: Member | None,
    custom: Mapping[str, FieldValue],
) -> None:
    """H234: neither the record, nor the contact to be called back, nor the customer may be blocked."""
    calling_list = process.calling_list
    concerned = [member.record] if target is None or target is member else [member.record, target.record]
    probes = [
        make_probe(turn.directory, calling_list, phone, customer_value(calling_list, each), each.campaign_id)
        for each in concerned
    ]
    if calling_list.customer_id is not None and calling_list.customer_id.column in custom:
        customer = custom[calling_list.customer_id.column]
        probes.append(make_probe(turn.directory, calling_list, phone, customer, member.record.campaign_id))
    marked = member.is_no_call or (target is not None and target.is_no_call)
    if marked or turn.tx.blocked(calling_list, probes, turn.now):
        raise Refusal("do_not_call")


def _added_to_chain(turn: Turn, process: Process, member: Member, phone: str) -> Member:
    """Add a record with a new contact to the chain, copied from the record of the handle (H232)."""
    calling_list, chain_id = process.calling_list, process.handout.chain_id
    fresh = copy(member.record)
    fresh.record_id = turn.tx.before_adding(calling_list, [], turn.now).record_id + 1
    fresh.chain_n = turn.tx.chain_ends(calling_list, [chain_id])[chain_id] + 1
    fresh.contact_info = phone
    fresh.record_status = RecordStatus.READY.value
    fresh.attempt = 0
    fresh.custom = list(fresh.custom)
    turn.tx.insert_records(calling_list, [new_record_of(fresh)])
    turn.tx.copy_further_columns(calling_list, member.record.record_id, fresh.record_id)
    added = Member(fresh)
    process.members.append(added)
    return added
