"""Call report records and contact processed notifications, made where a hand-out begins and ends (outgoing.md 4 and 5).

They are written in the transaction of what they report.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ocsgw.contact.custom import custom_members, shown_members
from ocsgw.contact.directory import CallingList, Campaign, Tenant
from ocsgw.contact.dnc_lookup import customer_id_text, customer_value
from ocsgw.contact.group_states import status_of
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.new_record import default_campaign
from ocsgw.contact.outbox import Delivery
from ocsgw.contact.transaction import Record
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.zones import offset
from ocsgw.protocol.enumerations import RecordStatus, RecordType
from ocsgw.protocol.messages import KV

UNDEFINED = "undefined"
_OPEN = frozenset({RecordStatus.READY.value, RecordStatus.CHAIN_READY.value})
_RETRIEVED = RecordStatus.RETRIEVED.value
_NO_CALL = RecordType.NO_CALL.value
# Requests after which a record has a result (O61).
_WITH_RESULT = frozenset({"RecordProcessed", "RequestRecordCancel", "DoNotCall"})
_json = msgspec.json.Encoder()


def tenant_members(tenant: Tenant) -> KV:
    """Return what outgoing bodies say about a tenant."""
    return {"GSW_TENANT_NAME": tenant.customer_name or UNDEFINED, "GSW_TENANT_CCID": tenant.ccid or UNDEFINED}


def report_handout(unit: UnitOfWork, handed_out: ActiveHandout, member: Member) -> None:
    """Report that a record was handed out (O51, sequence number 0)."""
    if unit.directory.sends_history and member.handle is not None:
        body = _report(unit, handed_out, member, member.handle.guid, 0)
        _add(unit, "history", handed_out.calling_list, member.record.chain_id, body)


def report_end(unit: UnitOfWork, handed_out: ActiveHandout, member: Member | None, kind: str) -> None:
    """Report the end of a hand-out; `member` is what it ended with, None for the record that was handed out.

    `kind` is the request, or the occasion, that has ended it. A hand-out that was still being validated, or whose
    record was cancelled before, has no report.
    """
    directory = unit.directory
    if not directory.sends_history and not directory.sends_processed:
        return
    first = next(
        (
            each
            for each in handed_out.members
            if each.handle is not None and each.record.record_id == handed_out.handout.record_id
        ),
        None,
    )
    if directory.sends_history and not handed_out.is_claim and first is not None and first.handle is not None:
        body = _report(unit, handed_out, member or first, first.handle.guid, 1)
        _add(unit, "history", handed_out.calling_list, handed_out.handout.chain_id, body)
    if member is not None and kind in _WITH_RESULT:
        report_processed(unit, handed_out.calling_list, handed_out.campaign, member.record, _records(handed_out))


def report_cancelled(unit: UnitOfWork, handed_out: ActiveHandout, member: Member) -> None:
    """Report that the record of a hand-out was cancelled by phone or customer id, while it goes on perhaps (O68)."""
    handout = handed_out.handout
    if (
        unit.directory.sends_history
        and member.handle is not None
        and member.record.record_id == handout.record_id
        and not handed_out.is_claim
    ):
        body = _report(unit, handed_out, member, member.handle.guid, 1)
        _add(unit, "history", handed_out.calling_list, handout.chain_id, body)


def report_kept_back(unit: UnitOfWork, handed_out: ActiveHandout, member: Member) -> None:
    """Report that the processing of a chain has ended without a hand-out (O61)."""
    report_processed(unit, handed_out.calling_list, handed_out.campaign, member.record, _records(handed_out))


def report_processed(
    unit: UnitOfWork, calling_list: CallingList, campaign: Campaign | None, record: Record, chain: Iterable[Record]
) -> None:
    """Report the end of processing of a chain; `record` is its primary record, as it is after the end (O64)."""
    if not unit.directory.sends_processed:
        return
    if campaign is None:
        campaign = next((each for each in unit.directory.campaigns if each.dbid == record.campaign_id), None)
    campaign = campaign or default_campaign(unit.directory, calling_list)
    is_open = any(each.record_status in _OPEN and each.record_type != _NO_CALL for each in chain)
    body: KV = {"GSW_TENANT_NAME": calling_list.tenant.customer_name or UNDEFINED}
    if campaign is not None:
        body["GSW_CAMPAIGN_NAME"] = campaign.name
    body["GSW_CALLING_LIST"] = calling_list.name
    body["GSW_CALLING_LIST_DBID"] = calling_list.dbid
    body["GSW_CHAIN_ID"] = record.chain_id
    body["GSW_CHAIN_OPEN"] = int(is_open)
    body["GSW_PHONE"] = record.contact_info
    body["GSW_PHONE_TYPE"] = record.contact_info_type
    body["GSW_CALL_RESULT"] = record.call_result
    body["GSW_ATTEMPTS"] = record.attempt
    body["GSW_RECORD_TYPE"] = record.record_type
    body["GSW_RECORD_STATUS"] = record.record_status
    body.update(_customer(calling_list, record))
    body["GSW_COMPLETE_PROCESSING"] = unit.now
    body.update(_custom(calling_list, record))
    _add(unit, "contact_processed", calling_list, record.chain_id, body)


def open_chains(unit: UnitOfWork, calling_list: CallingList, chain_ids: Iterable[int]) -> frozenset[int]:
    """Return those of some chains that are open and not in process, to be compared after a request by number (O61)."""
    if not unit.directory.sends_processed:
        return frozenset()
    return frozenset(
        chain_id
        for chain_id, records in _chains(unit, calling_list, chain_ids).items()
        if not _is_in_process(records) and _has_open_record(records)
    )


def report_closed_chains(
    unit: UnitOfWork, calling_list: CallingList, were_open: frozenset[int], ended: Mapping[int, int]
) -> None:
    """Report those chains that a request by number has left without an open record; `ended` are chain ids by record."""
    if not were_open:
        return
    for chain_id, records in _chains(unit, calling_list, were_open).items():
        if not _has_open_record(records) and not _is_in_process(records):
            last = [each for each in records if ended.get(each.record_id) == chain_id]
            if last:
                report_processed(unit, calling_list, None, last[-1], records)


def _chains(unit: UnitOfWork, calling_list: CallingList, chain_ids: Iterable[int]) -> dict[int, list[Record]]:
    chains: dict[int, list[Record]] = {}
    for each in unit.tx.records_of_chains(calling_list, set(chain_ids)):
        chains.setdefault(each.chain_id, []).append(each)
    return chains


def _has_open_record(records: Sequence[Record]) -> bool:
    return any(each.record_status in _OPEN and each.record_type != _NO_CALL for each in records)


def _is_in_process(records: Sequence[Record]) -> bool:
    return any(each.record_status == _RETRIEVED for each in records)


def _report(unit: UnitOfWork, handed_out: ActiveHandout, member: Member, guid: str, number: int) -> KV:
    calling_list, record, handout = handed_out.calling_list, member.record, handed_out.handout
    body: KV = {"GSW_HIST_SEQUENCE_NUM": number, "GSW_CALL_ATTEMPT_GUID": guid, **tenant_members(calling_list.tenant)}
    campaign, group = handed_out.campaign, handed_out.group
    if campaign is not None:
        body["GSW_CAMPAIGN_NAME"] = campaign.name
        body["GSW_CAMPAIGN_DBID"] = campaign.dbid
        body["GSW_CAMPAIGN_TEMPLATE_NAME"] = campaign.template or UNDEFINED
    mode = None
    if group is not None:
        status = status_of(unit, group)
        mode = status.dial_mode
        body["GSW_CAMPAIGN_GROUP_NAME"] = group.name
        body["GSW_CAMPAIGN_GROUP_GUID"] = status.guid
        body["GSW_GROUP_NAME"] = group.group
    body["GSW_CALLING_LIST"] = calling_list.name
    body["GSW_CALLING_LIST_DBID"] = calling_list.dbid
    body["GSW_CHAIN_ID"] = record.chain_id
    body["GSW_CHAIN_N"] = record.chain_n
    body["GSW_PHONE"] = record.contact_info
    body["GSW_PHONE_TYPE"] = record.contact_info_type
    body.update(_customer(calling_list, record))
    if mode is not None:
        body["GSW_DIAL_MODE"] = mode
    zone = unit.directory.zone_of(record.tz_dbid, calling_list.tenant)
    body["GSW_TZ_NAME"] = zone.name
    body["GSW_TZ_OFFSET"] = offset(unit.now, zone.zone)
    if record.dial_sched_time:
        body["GSW_SCHEDULED_TIME"] = record.dial_sched_time
    body["GSW_START_PROCESSING"] = handout.started_at
    if number:
        body["GSW_COMPLETE_PROCESSING"] = unit.now
        body["GSW_CALL_TIME"] = record.call_time
        body["GSW_CALL_RESULT"] = record.call_result
        if record.agent_id:
            body["GSW_AGENT_ID"] = record.agent_id
    body.update(_custom(calling_list, record))
    return body


def _customer(calling_list: CallingList, record: Record) -> KV:
    customer_id = customer_id_text(customer_value(calling_list, record))
    return {"GSW_CUSTOMER_ID": customer_id} if customer_id else {}


def _custom(calling_list: CallingList, record: Record) -> KV:
    members = custom_members(calling_list, record.custom)
    return {**members, **shown_members(calling_list, record)} if calling_list.shown else members


def _records(handed_out: ActiveHandout) -> list[Record]:
    return [each.record for each in handed_out.members]


def _add(unit: UnitOfWork, purpose: str, calling_list: CallingList, chain_id: int, body: KV) -> None:
    text = _json.encode(body).decode("utf-8")
    unit.deliveries.append(Delivery(0, purpose, calling_list.dbid, chain_id, unit.now, text))
