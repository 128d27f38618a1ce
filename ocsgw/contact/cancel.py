"""RequestRecordCancel by phone and by customer id (http.md section 10.6)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.scope import chain_attr, lists_in_scope, scope_of
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.enumerations import CallResult, RecordStatus
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_CANCELLABLE = frozenset({1, 2, 8, 9})


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
    tenants, _ = scope_of(turn, work)
    by_phone = "GSW_PHONE" in work.data
    key = "GSW_PHONE" if by_phone else "GSW_CUSTOMER_ID"
    named = cast("str", work.data[key])
    attr = chain_attr(turn, work, "phones" if by_phone else "customer_ids")
    count = 0
    for calling_list in _lists(turn, work, lists_in_scope(turn, tenants)):
        try:
            if by_phone:
                matches = turn.tx.find_by_contact(calling_list, normal_contact(named))
            else:
                matches = turn.tx.find_by_customer_id(calling_list, normal_customer_id(named))
            if matches and attr == "AllChain":
                matches = turn.tx.find_by_chain(calling_list, {match.chain_id for match in matches})
            count += _cancel_records(turn, calling_list, [match.record_id for match in matches])
        except UnavailableListError:
            continue
    return turn.event("RecordCancelAcknowledge", work, {key: named, "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": count})


def _lists(turn: Turn, work: Work, lists: Sequence[CallingList]) -> list[CallingList]:
    """Narrow the lists to the one, or to the campaign, that the request names."""
    chosen = list(lists)
    name = work.data.get("GSW_CALLING_LIST")
    if name is not None:
        chosen = [each for each in chosen if each.name == name]
        if not chosen:
            raise Refusal("invalid_attribute", "GSW_CALLING_LIST")
    campaign_name = work.data.get("GSW_CAMPAIGN_NAME")
    if campaign_name is not None:
        campaign = turn.directory.campaign_named(campaign_name)
        if campaign is None:
            raise Refusal("invalid_attribute", "GSW_CAMPAIGN_NAME")
        chosen = [each for each in chosen if each in campaign.calling_lists]
    return chosen


def _cancel_records(turn: Turn, calling_list: CallingList, record_ids: Sequence[int]) -> int:
    """Cancel those that can be; handles of cancelled records die (H251, H252)."""
    if not record_ids:
        return 0
    records = [each for each in turn.tx.records(calling_list, record_ids) if each.record_status in _CANCELLABLE]
    columns = {"record_status": RecordStatus.CANCELLED.value, "call_result": CallResult.CANCEL_RECORD.value}
    turn.tx.change_records(calling_list, {each.record_id: columns for each in records})
    in_process = [each.record_id for each in records if each.record_status == RecordStatus.RETRIEVED.value]
    if in_process:
        turn.tx.close_handles(each.handle for each in turn.tx.handles_of_records(calling_list, in_process))
    return len(records)
