"""DoNotCall by phone and by customer id (http.md section 10.7)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.directory import CallingList, Tenant
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.transaction import DoNotCallEntry, Match, UnavailableListError
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

EVERY_TENANT = 0


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
    tenants, scopes = _scope(turn, work)
    whole_chain = _chain_attr(turn, work, "phones")
    contact = normal_contact(phone)
    blocked = {contact: phone}
    count = 0
    for calling_list in _lists_of(turn, tenants):
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
    tenants, scopes = _scope(turn, work)
    whole_chain = _chain_attr(turn, work, "customer_ids")
    count = 0
    for calling_list in _lists_of(turn, tenants):
        matches = turn.tx.find_by_customer_id(calling_list, normal_customer_id(customer_id))
        count += len(_mark(turn, calling_list, matches, whole_chain=whole_chain))
    message = f"{work.principal or 'anonymous'} customer_ids"
    turn.tx.add_do_not_call([DoNotCallEntry(None, customer_id, message, scope) for scope in scopes], turn.now)
    return _acknowledge(turn, work, {"GSW_CUSTOMER_ID": customer_id}, count, whole_chain=whole_chain)


def _scope(turn: Turn, work: Work) -> tuple[tuple[Tenant, ...], list[int]]:
    """Return the tenants concerned and the tenant DBIDs of the entries (H250, H265, H346)."""
    directory = turn.directory
    tenant = directory.tenant(work.data.get("GSW_TENANT_DBID"), work.data.get("GSW_TENANT_NAME"))
    if tenant is not None:
        if not directory.permits(work.principal, tenant):
            raise Refusal("forbidden")
        return (tenant,), [tenant.dbid]
    tenants = directory.tenants_of(work.principal)
    if len(tenants) == len(directory.tenants):
        return tenants, [EVERY_TENANT]
    return tenants, [each.dbid for each in tenants]


def _lists_of(turn: Turn, tenants: tuple[Tenant, ...]) -> list[CallingList]:
    return [each for each in turn.directory.calling_lists if each.tenant in tenants]


def _chain_attr(turn: Turn, work: Work, resource: str) -> bool:
    """Whether the request concerns whole chains."""
    return (work.data.get("GSW_CHAIN_ATTR") or turn.directory.chain_attr[resource]) == "AllChain"


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
