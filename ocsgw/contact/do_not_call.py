"""DoNotCall by phone and by customer id (http.md section 10.7)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.scope import chain_attr, lists_in_scope, scope_of
from ocsgw.contact.transaction import DoNotCallEntry, Match, UnavailableListError
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV


def do_not_call(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Block contacts and customer ids, one request after the other (H260 to H266)."""
    replies: list[Reply] = []
    for work in works:
        try:
            if "GSW_PHONE" in work.data:
                replies.append(_by_phone(turn, work))
            else:
                replies.append(_by_customer_id(turn, work))
        except Refusal as refusal:
            replies.append(refusal)
        except UnavailableListError:
            replies.append(Refusal("unavailable"))
    return replies


def _by_phone(turn: Turn, work: Work) -> KV:
    phone = cast("str", work.data["GSW_PHONE"])
    if len(phone) > turn.tx.do_not_call_widths()[0]:
        raise Refusal("invalid_attribute", "GSW_PHONE")
    tenants, scopes = scope_of(turn, work)
    whole_chain = chain_attr(turn, work, "phones") == "AllChain"
    contact = normal_contact(phone)
    blocked = {contact: phone}
    count = 0
    for calling_list in lists_in_scope(turn, tenants):
        matches = turn.tx.find_by_contact(calling_list, contact)
        marked = _mark(turn, calling_list, matches, whole_chain=whole_chain)
        count += len(marked)
        for match in marked if whole_chain else ():
            blocked.setdefault(normal_contact(match.contact_info), match.contact_info.strip())
    message = f"{work.principal or 'anonymous'} phones"
    turn.tx.add_do_not_call(
        [DoNotCallEntry(text, None, message, scope) for text in blocked.values() for scope in scopes], turn.now
    )
    return _acknowledge(turn, work, {"GSW_PHONE": phone}, count, whole_chain=whole_chain)


def _by_customer_id(turn: Turn, work: Work) -> KV:
    customer_id = cast("str", work.data["GSW_CUSTOMER_ID"])
    if len(customer_id) > turn.tx.do_not_call_widths()[1]:
        raise Refusal("invalid_attribute", "GSW_CUSTOMER_ID")
    tenants, scopes = scope_of(turn, work)
    whole_chain = chain_attr(turn, work, "customer_ids") == "AllChain"
    count = 0
    for calling_list in lists_in_scope(turn, tenants):
        matches = turn.tx.find_by_customer_id(calling_list, normal_customer_id(customer_id))
        count += len(_mark(turn, calling_list, matches, whole_chain=whole_chain))
    message = f"{work.principal or 'anonymous'} customer_ids"
    turn.tx.add_do_not_call([DoNotCallEntry(None, customer_id, message, scope) for scope in scopes], turn.now)
    return _acknowledge(turn, work, {"GSW_CUSTOMER_ID": customer_id}, count, whole_chain=whole_chain)


def _mark(turn: Turn, calling_list: CallingList, matches: list[Match], *, whole_chain: bool) -> list[Match]:
    """Mark the matching records, with their chains if asked, and return them all (H262)."""
    if not matches:
        return []
    if whole_chain:
        matches = turn.tx.find_by_chain(calling_list, {match.chain_id for match in matches})
    turn.tx.mark_do_not_call(calling_list, [match.record_id for match in matches])
    return matches


def _acknowledge(turn: Turn, work: Work, named: KV, count: int, *, whole_chain: bool) -> KV:
    members: KV = {
        **named,
        "GSW_CHAIN_ATTR": "AllChain" if whole_chain else "RecordOnly",
        "GSW_RECORDS_COUNT": count,
    }
    return turn.event("DoNotCallAcknowledge", work, members)
