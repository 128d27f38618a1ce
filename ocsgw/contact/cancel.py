"""RequestRecordCancel by phone and by customer id (http.md section 10.6)."""

from collections.abc import Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.scope import CANCELLABLE, chain_attr, find_matches, named_by, scope_of
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.enumerations import CallResult, RecordStatus
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_CANCELLED = {"record_status": RecordStatus.CANCELLED.value, "call_result": CallResult.CANCEL_RECORD.value}


def cancel(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Cancel records that a contact or customer id finds, one request after the other (H250 to H256)."""
    replies: list[Reply] = []
    for work in works:
        try:
            replies.append(_cancel(turn, work))
        except Refusal as refusal:
            replies.append(refusal)
    return replies


def _cancel(turn: Turn, work: Work) -> KV:
    lists = _named_lists(turn, work, scope_of(turn, work).lists)
    key = named_by(work)
    attr = chain_attr(work, turn.directory, "phones" if key == "GSW_PHONE" else "customer_ids")
    count = 0
    for calling_list, matches in find_matches(turn, work, lists, attr):
        count += _cancel_records(turn, calling_list, [match.record_id for match in matches])
    members: KV = {key: work.data[key], "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count}
    return turn.event("RecordCancelAcknowledge", work, members)


def _named_lists(turn: Turn, work: Work, lists: Sequence[CallingList]) -> list[CallingList]:
    """Narrow the lists to the one, or to the campaign, that the request names (H250).

    Raises `Refusal`: `invalid_attribute` for an unknown name, `forbidden` for what the principal may not touch.
    """
    directory = turn.directory
    chosen = list(lists)
    list_name = work.data.get("GSW_CALLING_LIST")
    if list_name is not None:
        named = directory.list_named(list_name)
        if named is None:
            raise Refusal("invalid_attribute", "GSW_CALLING_LIST")
        directory.demand_list(work.principal, named)
        chosen = [each for each in chosen if each is named]
    campaign_name = work.data.get("GSW_CAMPAIGN_NAME")
    if campaign_name is not None:
        campaign = directory.campaign_named(campaign_name)
        if campaign is None:
            raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
        directory.demand_tenant(work.principal, campaign.tenant)
        chosen = [each for each in chosen if each in campaign.calling_lists]
    return chosen


def _cancel_records(turn: Turn, calling_list: CallingList, record_ids: Sequence[int]) -> int:
    """Cancel those that can be; handles of cancelled records die (H251, H252)."""
    records = [each for each in turn.tx.records(calling_list, record_ids) if each.record_status in CANCELLABLE]
    turn.tx.change_records(calling_list, {each.record_id: _CANCELLED for each in records})
    handles = turn.tx.handles_of_records(calling_list, [each.record_id for each in records])
    if handles:
        turn.tx.close_handles([each.handle for each in handles])
    return len(records)
