"""RequestRecordCancel by phone and by customer id (http.md section 10.6)."""

from collections.abc import Callable, Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.groups import SLICE
from ocsgw.contact.scope import CANCELLABLE, chain_attr, find_matches, named_by, scope_of
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, UnitOfWork
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
    found = [
        (calling_list.dbid, match.record_id)
        for calling_list, matches in find_matches(unit, pending, lists, attr)
        for match in matches
    ]

    def acknowledge(unit: UnitOfWork, count: int) -> KV:
        members: KV = {key: pending.data[key], "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count}
        return unit.event("RecordCancelAcknowledge", pending, members)

    if len(found) > SLICE:
        return _cancel_in_slices(unit, found, 0, acknowledge)
    return acknowledge(unit, _cancel_records(unit, found))


def _cancel_in_slices(
    unit: UnitOfWork, found: Sequence[tuple[int, int]], count: int, acknowledge: Callable[[UnitOfWork, int], KV]
) -> Reply:
    """Cancel the first of very many records, as (DBID of the list, record id); the others follow in further batches.

    Each slice has its line in the audit log; the event, with the count of all, comes after the last one.
    """
    cancelled = _cancel_records(unit, found[:SLICE])
    others = found[SLICE:]

    def go_on(unit: UnitOfWork, _: object) -> Reply:
        if others:
            return _cancel_in_slices(unit, others, count + cancelled, acknowledge)
        return acknowledge(unit, count + cancelled)

    return Continuation(go_on, event=acknowledge(unit, cancelled))


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


def _cancel_records(unit: UnitOfWork, found: Sequence[tuple[int, int]]) -> int:
    """Cancel those records, as (DBID of the list, record id), that can be; their handles die (H251, H252)."""
    by_list: dict[int, list[int]] = {}
    for dbid, record_id in found:
        by_list.setdefault(dbid, []).append(record_id)
    return sum(_cancel_of_list(unit, dbid, record_ids) for dbid, record_ids in by_list.items())


def _cancel_of_list(unit: UnitOfWork, dbid: int, record_ids: Sequence[int]) -> int:
    calling_list = unit.directory.list_by_dbid(dbid)
    if calling_list is None:
        return 0
    try:
        statuses = unit.tx.record_statuses(calling_list, record_ids)
    except UnavailableListError:
        # Closed since the record was found.
        return 0
    records = [record_id for record_id, status in statuses.items() if status in CANCELLABLE]
    unit.tx.change_records(calling_list, dict.fromkeys(records, _CANCELLED))
    handles = unit.tx.handles_of_records(calling_list, records)
    if handles:
        unit.tx.close_handles([each.handle for each in handles])
    return len(records)
