"""RequestRecordCancel by phone and by customer id (http.md section 10.6)."""

from collections.abc import Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.scope import CANCELLABLE, chain_attr, find_matches, named_by, scope_of
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


def _cancel(unit: UnitOfWork, pending: PendingRequest) -> KV:
    lists = _named_lists(unit, pending, scope_of(unit, pending).lists)
    key = named_by(pending)
    attr = chain_attr(pending, unit.directory, "phones" if key == "GSW_PHONE" else "customer_ids")
    count = 0
    for calling_list, matches in find_matches(unit, pending, lists, attr):
        count += _cancel_records(unit, calling_list, [match.record_id for match in matches])
    members: KV = {key: pending.data[key], "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count}
    return unit.event("RecordCancelAcknowledge", pending, members)


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


def _cancel_records(unit: UnitOfWork, calling_list: CallingList, record_ids: Sequence[int]) -> int:
    """Cancel those that can be; handles of cancelled records die (H251, H252)."""
    records = [each for each in unit.tx.records(calling_list, record_ids) if each.record_status in CANCELLABLE]
    unit.tx.change_records(calling_list, {each.record_id: _CANCELLED for each in records})
    handles = unit.tx.handles_of_records(calling_list, [each.record_id for each in records])
    if handles:
        unit.tx.close_handles([each.handle for each in handles])
    return len(records)
