"""AddRecord (http.md section 10.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ocsgw.contact.directory import CallingList, Campaign, Directory, TimeZone
from ocsgw.contact.dnc_lookup import dnc_lookup_for
from ocsgw.contact.new_record import default_campaign
from ocsgw.contact.outbox import RecordChanged
from ocsgw.contact.record_plan import add_custom_members, new_record
from ocsgw.contact.transaction import Admission, DncLookup, NewRecord, UnavailableListError
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.contact.zones import to_date_time, to_epoch
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.enumerations import CallResult, RecordType
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


@dataclass(slots=True, eq=False)
class _Draft:
    """A record that passed the checks without the store, and its place in the run."""

    at: int
    pending: PendingRequest
    record: NewRecord
    zone: TimeZone
    campaign: Campaign | None
    chain: int | None


def add_records(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Add one record per request, in order; the rows of one list go in at once (H200 to H205)."""
    replies: list[Reply | None] = [None] * len(requests)
    drafts: dict[CallingList, list[_Draft]] = {}
    for at, pending in enumerate(requests):
        try:
            calling_list = _list_of(unit, pending)
            unit.directory.demand_list(pending.context.principal, calling_list)
            drafts.setdefault(calling_list, []).append(_draft(unit, calling_list, at, pending))
        except Refusal as refusal:
            replies[at] = refusal
    for calling_list, of_list in drafts.items():
        try:
            _add(unit, calling_list, of_list, replies)
        except UnavailableListError:
            for draft in of_list:
                replies[draft.at] = Refusal("list_unavailable", calling_list.name)
    return cast("list[Reply]", replies)


def _list_of(unit: UnitOfWork, pending: PendingRequest) -> CallingList:
    """Return the list that a request names, or else that of a record which the client holds. Raises `Refusal`."""
    handle = pending.data.get("GSW_RECORD_HANDLE")
    if "GSW_CALLING_LIST" in pending.data or not isinstance(handle, int):
        return unit.directory.calling_list(pending.data.get("GSW_CALLING_LIST"))
    found = unit.tx.handouts_of_handles([handle])
    calling_list = unit.directory.list_by_dbid(found[0][0].list_dbid) if found else None
    if calling_list is None or found[0][0].expires_at <= unit.now:
        raise Refusal("invalid_handle")
    context = pending.context
    if context.tenant not in (None, calling_list.tenant.name):
        raise Refusal("forbidden", missing="tenant")
    if context.client == "desktop" and not found[0][0].holding.get(context.agent_id):
        raise Refusal("invalid_state")
    return unit.directory.calling_list(calling_list.name)


def _draft(unit: UnitOfWork, calling_list: CallingList, at: int, pending: PendingRequest) -> _Draft:
    """Check what needs the configuration and fill in the defaults (check 16)."""
    data, directory = pending.data, unit.directory
    record = new_record(unit, calling_list, data)
    zone_name = data.get("GSW_TZ_NAME")
    zone = directory.zone_named(zone_name) if zone_name is not None else calling_list.tenant.default_zone
    record.tz_dbid = zone.dbid
    campaign = _campaign(directory, calling_list, data)
    if campaign is not None:
        record.campaign_id = campaign.dbid
    date_time = data.get("GSW_DATE_TIME")
    if date_time is not None:
        # 0 means "not scheduled"; the one date that is 0 is long past, as is the second after it.
        record.dial_sched_time = to_epoch(cast("str", date_time), zone.zone) or 1
    return _Draft(at, pending, record, zone, campaign, cast("int | None", data.get("GSW_CHAIN_ID")))


def _campaign(directory: Directory, calling_list: CallingList, data: KV) -> Campaign | None:
    """Return the campaign that the request names; without a name the only one of the list."""
    name = data.get("GSW_CAMPAIGN_NAME")
    if name is None:
        return default_campaign(directory, calling_list)
    campaign = directory.campaign_named(name)
    if campaign not in directory.campaigns_of(calling_list):
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
    return campaign


def _add(unit: UnitOfWork, calling_list: CallingList, drafts: list[_Draft], replies: list[Reply | None]) -> None:
    """Check against the store, number and insert the records of one list."""
    named = {draft.chain for draft in drafts if draft.chain is not None}
    chains = unit.tx.chain_ends(calling_list, named) if named else {}
    drafts = _with_known_chain(drafts, chains, replies)
    if not drafts:
        return
    admission = unit.tx.before_adding(
        calling_list, lambda: [_probe(unit.directory, calling_list, draft.record) for draft in drafts], unit.now
    )
    for place in admission.blocked:
        drafts[place].record.record_type = RecordType.NO_CALL.value
        drafts[place].record.call_result = CallResult.DO_NOT_CALL.value
    record_id, chain_id = admission.record_id, admission.chain_id
    ends = dict(chains)
    drafts, beyond = drafts[: free_numbers(admission)], drafts[free_numbers(admission) :]
    for draft in beyond:
        replies[draft.at] = Refusal("ids_used_up", calling_list.name)
    for draft in drafts:
        record_id += 1
        draft.record.record_id = record_id
        if draft.chain is None:
            chain_id += 1
            draft.record.chain_id = chain_id
            ends[chain_id] = 0
        else:
            ends[draft.chain] += 1
            draft.record.chain_id, draft.record.chain_n = draft.chain, ends[draft.chain]
    if drafts:
        unit.tx.insert_records(calling_list, [draft.record for draft in drafts])
        unit.blocked += ["add"] * sum(place < len(drafts) for place in admission.blocked)
        principals = {draft.pending.context.principal for draft in drafts}
        unit.outbox.append(
            RecordChanged(
                "AddRecord",
                calling_list.dbid,
                0,
                drafts[0].record.record_id,
                principal=principals.pop() if len(principals) == 1 else "several",
                last_id=record_id,
            )
        )
    for draft in drafts:
        replies[draft.at] = _acknowledge(unit, calling_list, draft)


def free_numbers(admission: Admission) -> int:
    """Return how many records can be numbered: neither record ids nor chain ids leave 32 bits."""
    return max(0, INT32_MAX - max(admission.record_id, admission.chain_id))


def _with_known_chain(drafts: list[_Draft], chains: Mapping[int, int], replies: list[Reply | None]) -> list[_Draft]:
    known = []
    for draft in drafts:
        if draft.chain is not None and draft.chain not in chains:
            replies[draft.at] = Refusal("chain_not_found")
        else:
            known.append(draft)
    return known


def _probe(directory: Directory, calling_list: CallingList, record: NewRecord) -> DncLookup:
    customer_at = calling_list.customer_at
    customer = record.custom[customer_at] if customer_at is not None else None
    return dnc_lookup_for(directory, calling_list, record.contact_info, customer, record.campaign_id)


def _acknowledge(unit: UnitOfWork, calling_list: CallingList, draft: _Draft) -> KV:
    """Return the event, made from what was written; nothing is read back."""
    record = draft.record
    event: KV = {
        "GSW_USER_EVENT": "AddRecordAcknowledge",
        "GSW_APPLICATION_ID": unit.directory.application_dbid,
        "GSW_CALLING_LIST": calling_list.name,
    }
    if draft.campaign is not None:
        event["GSW_CAMPAIGN_NAME"] = draft.campaign.name
    event["GSW_PHONE"] = record.contact_info
    event["GSW_PHONE_TYPE"] = record.contact_info_type
    event["GSW_RECORD_TYPE"] = record.record_type
    event["GSW_RECORD_STATUS"] = record.record_status
    event["GSW_CALL_RESULT"] = record.call_result
    event["GSW_ATTEMPTS"] = record.attempt
    event["GSW_FROM"] = record.daily_from
    event["GSW_UNTIL"] = record.daily_till
    event["GSW_TZ_NAME"] = draft.zone.name
    if record.dial_sched_time:
        event["GSW_DATE_TIME"] = to_date_time(record.dial_sched_time, draft.zone.zone)
    event["GSW_CHAIN_ID"] = record.chain_id
    event["GSW_CHAIN_N"] = record.chain_n
    add_custom_members(event, calling_list, record.custom)
    reference = draft.pending.data.get("GSW_REFERENCE_ID")
    if reference is not None:
        event["GSW_REFERENCE_ID"] = reference
    return event
