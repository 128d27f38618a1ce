"""DoNotCall by record handle (http.md section 10.7)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.custom import given_columns
from ocsgw.contact.do_not_call import check_widths, different_contacts, message_of
from ocsgw.contact.endings import store_last_agent
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import ActiveHandout, Member, record_keys
from ocsgw.contact.late_results import spent_keys
from ocsgw.contact.normal_form import normal_customer_id
from ocsgw.contact.scope import chain_attr
from ocsgw.contact.transaction import DoNotCallEntry
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.messages import KV

_UPDATED = RecordStatus.UPDATED.value


def block_record(unit: UnitOfWork, handouts_cache: HandoutCache, pending: PendingRequest) -> KV:
    """Block a contact or customer id and mark the record, or its chain (H260 to H268)."""
    is_final = pending.context.client == "http_proxy"
    handed_out, member = handouts_cache.find(pending, is_final=is_final)
    data, calling_list = pending.data, handed_out.calling_list
    custom = given_columns(unit, calling_list, data)
    customer_id = normal_customer_id(cast("str", data["GSW_CUSTOMER_ID"])) if "GSW_CUSTOMER_ID" in data else None
    phone = cast("str", data.get("GSW_PHONE", member.record.contact_info))
    attr = chain_attr(pending, unit.directory, "records")
    marked = handed_out.members if attr == "AllChain" else [member]
    contacts = [] if customer_id is not None else [phone]
    if attr == "AllChain":
        contacts += [each.record.contact_info for each in marked]
    contacts = different_contacts(contacts)
    check_widths(unit, contacts, customer_id)
    unit.tx.add_do_not_call(_entries(unit, pending, handed_out, member, contacts, customer_id), unit.now)
    handouts_cache.forget_all_blocked()
    member.set_custom(calling_list, custom)
    for each in marked:
        each.set(record_type=RecordType.NO_CALL.value, call_result=CallResult.DO_NOT_CALL.value)
        if not each.is_in_process:
            each.set(record_status=_UPDATED)
    keys = record_keys(handed_out, member)
    if is_final:
        store_last_agent(handed_out, member, pending.context.agent_id or handed_out.handout.agent_id)
        handed_out.finish(member, _UPDATED)
        grace = unit.directory.do_not_call_grace
        unit.tx.spend_handle(cast("int", data["GSW_RECORD_HANDLE"]), spent_keys(handed_out, member), unit.now + grace)
    else:
        handouts_cache.touch(handed_out)
    members: KV = {**keys, "GSW_PHONE": phone, "GSW_CHAIN_ATTR": attr}
    return unit.event("DoNotCallAcknowledge", pending, members)


def _entries(
    unit: UnitOfWork,
    pending: PendingRequest,
    handed_out: ActiveHandout,
    member: Member,
    contacts: Sequence[str],
    customer_id: str | None,
) -> list[DoNotCallEntry]:
    """Return the entries to be made, with the scope of the option (H261, H265)."""
    scope = unit.directory.do_not_call.scope
    if unit.directory.permissions_of(pending.context.principal).calling_lists is not None:
        # A principal that may touch some lists only does not block for the others.
        scope = "list"
    calling_list = handed_out.calling_list
    campaign_dbid = handed_out.campaign.dbid if handed_out.campaign is not None else member.record.campaign_id
    where = (
        message_of(pending, "records"),
        calling_list.tenant.dbid,
        campaign_dbid if scope == "campaign" else 0,
        calling_list.dbid if scope == "list" else 0,
    )
    country = calling_list.tenant.country
    entries = [DoNotCallEntry(contact, None, *where, country) for contact in contacts]
    if customer_id is not None:
        entries.append(DoNotCallEntry(None, customer_id, *where))
    return entries
