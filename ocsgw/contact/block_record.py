"""DoNotCall by record handle (http.md section 10.7)."""

from collections.abc import Sequence
from typing import cast

from ocsgw.contact.book import Book
from ocsgw.contact.custom import given_columns
from ocsgw.contact.do_not_call import check_widths, different_contacts, message_of
from ocsgw.contact.endings import store_last_agent
from ocsgw.contact.handouts import Member, Process, record_keys
from ocsgw.contact.normal_form import normal_customer_id
from ocsgw.contact.scope import chain_attr
from ocsgw.contact.transaction import DoNotCallEntry
from ocsgw.contact.work import Turn, Work
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType
from ocsgw.protocol.messages import KV

_UPDATED = RecordStatus.UPDATED.value


def block_record(turn: Turn, book: Book, work: Work) -> KV:
    """Block a contact or customer id and mark the record, or its chain (H260 to H268)."""
    is_final = work.client == "http_proxy"
    process, member = book.find(work, is_final=is_final)
    data, calling_list = work.data, process.calling_list
    custom = given_columns(turn, calling_list, data)
    customer_id = normal_customer_id(cast("str", data["GSW_CUSTOMER_ID"])) if "GSW_CUSTOMER_ID" in data else None
    phone = cast("str", data.get("GSW_PHONE", member.record.contact_info))
    attr = chain_attr(work, turn.directory, "records")
    marked = process.members if attr == "AllChain" else [member]
    contacts = [] if customer_id is not None else [phone]
    if attr == "AllChain":
        contacts += [each.record.contact_info for each in marked]
    contacts = different_contacts(contacts)
    check_widths(turn, contacts, customer_id)
    turn.tx.add_do_not_call(_entries(turn, work, process, member, contacts, customer_id), turn.now)
    book.forget_all_blocked()
    member.set_custom(calling_list, custom)
    for each in marked:
        each.set(record_type=RecordType.NO_CALL.value, call_result=CallResult.DO_NOT_CALL.value)
        if not each.is_in_process:
            each.set(record_status=_UPDATED)
    keys = record_keys(process, member)
    if is_final:
        store_last_agent(process, member, work.agent_id or process.handout.agent_id)
        process.finish(member, _UPDATED)
        grace = turn.directory.do_not_call_grace
        turn.tx.spend_handle(cast("int", data["GSW_RECORD_HANDLE"]), keys, turn.now + grace)
    else:
        book.touch(process)
    members: KV = {**keys, "GSW_PHONE": phone, "GSW_CHAIN_ATTR": attr}
    return turn.event("DoNotCallAcknowledge", work, members)


def _entries(
    turn: Turn, work: Work, process: Process, member: Member, contacts: Sequence[str], customer_id: str | None
) -> list[DoNotCallEntry]:
    """Return the entries to be made, with the scope of the option (H261, H265)."""
    scope = turn.directory.do_not_call.scope
    if turn.directory.permissions_of(work.principal).calling_lists is not None:
        # Who may touch some lists only does not block for the others.
        scope = "list"
    calling_list = process.calling_list
    campaign_dbid = process.campaign.dbid if process.campaign is not None else member.record.campaign_id
    where = (
        message_of(work, "records"),
        calling_list.tenant.dbid,
        campaign_dbid if scope == "campaign" else 0,
        calling_list.dbid if scope == "list" else 0,
    )
    entries = [DoNotCallEntry(contact, None, *where) for contact in contacts]
    if customer_id is not None:
        entries.append(DoNotCallEntry(None, customer_id, *where))
    return entries
