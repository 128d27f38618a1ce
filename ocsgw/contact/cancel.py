"""RequestRecordCancel by phone and by customer id (http.md section 10.6)."""

from collections.abc import Mapping, Sequence
from functools import partial

from ocsgw.contact.directory import CallingList
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.journal import note_records
from ocsgw.contact.reports import open_chains, report_cancelled, report_closed_chains
from ocsgw.contact.scope import CANCELLABLE, chain_attr, find_matches, named_by, scope_of
from ocsgw.contact.shown_ends import show_cancelled
from ocsgw.contact.slices import in_slices
from ocsgw.contact.transaction import Handle
from ocsgw.contact.unit_of_work import PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordStatus
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_CANCELLED = {"record_status": RecordStatus.CANCELLED.value, "call_result": CallResult.CANCEL_RECORD.value}


def cancel(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Cancel records that a contact or customer id finds, one request after the other (H250 to H256)."""
    replies: list[Reply] = []
    for pending in requests:
        try:
            replies.append(_cancel(unit, pending))
        except Refusal as refusal:
            replies.append(refusal)
    return replies


def _cancel(unit: UnitOfWork, pending: PendingRequest) -> Reply:
    lists = _named_lists(unit, pending, scope_of(unit, pending).lists)
    key = named_by(pending)
    attr = chain_attr(pending, unit.directory, "phones" if key == "GSW_PHONE" else "customer_ids")
    found = find_matches(unit, pending, lists, attr)

    def acknowledge(unit: UnitOfWork, count: int) -> KV:
        members: KV = {key: pending.data[key], "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count}
        return unit.event("RecordCancelAcknowledge", pending, members)

    return in_slices(unit, found, partial(_cancel_records, pending), acknowledge)


def _named_lists(unit: UnitOfWork, pending: PendingRequest, lists: Sequence[CallingList]) -> list[CallingList]:
    """Narrow the lists to the one, or to the campaign, that the request names (H250).

    Raises `Refusal`: `invalid_attribute` for an unknown name, `forbidden` for what the principal may not touch.
    """
    directory = unit.directory
    chosen = list(lists)
    list_name = pending.data.get("GSW_CALLING_LIST")
    if list_name is not None:
        named = directory.list_named(list_name)
        if named is None:
            raise Refusal("invalid_attribute", "GSW_CALLING_LIST")
        directory.demand_list(pending.context.principal, named)
        chosen = [each for each in chosen if each is named]
    campaign_name = pending.data.get("GSW_CAMPAIGN_NAME")
    if campaign_name is not None:
        campaign = directory.campaign_named(campaign_name)
        if campaign is None:
            raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
        directory.demand_tenant(pending.context.principal, campaign.tenant)
        chosen = [each for each in chosen if each in campaign.calling_lists]
    return chosen


def _cancel_records(
    pending: PendingRequest, unit: UnitOfWork, calling_list: CallingList, chains: Mapping[int, int]
) -> int:
    """Cancel those records that can be, given as chain ids by record ids; their handles die (H251, H252)."""
    were_open = open_chains(unit, calling_list, chains.values())
    statuses = unit.tx.record_statuses(calling_list, chains)
    records = [record_id for record_id, status in statuses.items() if status in CANCELLABLE]
    unit.tx.change_records(calling_list, dict.fromkeys(records, _CANCELLED))
    changed = [(chains[each], each, {"record_status": statuses[each]}) for each in records]
    note_records(unit, calling_list, changed, _CANCELLED, pending.request.name, pending.context.principal)
    handles = unit.tx.handles_of_records(calling_list, records)
    if handles:
        show_cancelled(unit, handles, pending.context)
        _report_cancelled(unit, handles)
        unit.tx.close_handles([each.handle for each in handles])
    report_closed_chains(unit, calling_list, were_open, {each: chains[each] for each in records})
    return len(records)


def _report_cancelled(unit: UnitOfWork, handles: Sequence[Handle]) -> None:
    """Report hand-outs whose record was cancelled."""
    if not unit.directory.sends_history:
        return
    dying = {each.handle for each in handles}
    handouts_cache = HandoutCache(unit)
    handouts_cache.open({each.handout_id for each in handles})
    for handed_out in handouts_cache.active:
        for member in handed_out.members:
            if member.handle is not None and member.handle.handle in dying:
                report_cancelled(unit, handed_out, member)
