"""Records that the do-not-call list has blocked, once an entry is gone."""

from ocsgw.contact.bulk_statements import StoredEntry
from ocsgw.contact.directory import CallingList
from ocsgw.contact.dnc_lookup import dnc_lookup_of
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.transaction import Record, UnavailableListError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType


def blocked_records(unit: UnitOfWork, entries: list[StoredEntry]) -> list[tuple[CallingList, list[Record]]]:
    """Return the records of type NoCall with the contacts or customer ids of entries, list by list.

    Records in process are not among them, nor those of lists that cannot be used.
    """
    found = []
    phones = [each.phone for each in entries if each.phone is not None]
    customer_ids = {normal_customer_id(each.customer_id) for each in entries if each.customer_id is not None}
    for calling_list in unit.directory.calling_lists:
        contacts = {normal_contact(each, calling_list.tenant.country) for each in phones}
        try:
            by_contact = unit.tx.records_by_contact(calling_list, contacts) if contacts else {}
            ids = {record_id for each in by_contact.values() for record_id in each}
            for customer_id in customer_ids:
                ids |= {each.record_id for each in unit.tx.find_by_customer_id(calling_list, customer_id)}
            records = [each for each in unit.tx.records(calling_list, ids) if _is_blocked(each)] if ids else []
        except UnavailableListError:
            continue
        if records:
            found.append((calling_list, records))
    return found


def make_ready_again(unit: UnitOfWork, removed: list[StoredEntry]) -> int:
    """Make the records ready that entries, which are gone, have blocked and no other entry blocks; return how many."""
    count = 0
    for calling_list, records in blocked_records(unit, removed):
        lookups = [dnc_lookup_of(unit.directory, calling_list, each) for each in records]
        still = unit.tx.blocked(calling_list, lookups, unit.now)
        free = [each for at, each in enumerate(records) if at not in still]
        ready: dict[str, object] = {
            "record_type": RecordType.GENERAL.value,
            "record_status": RecordStatus.READY.value,
            "call_result": CallResult.UNKNOWN.value,
        }
        if free:
            unit.tx.change_records(calling_list, {each.record_id: ready for each in free})
        count += len(free)
    return count


def _is_blocked(record: Record) -> bool:
    return (
        record.record_type == RecordType.NO_CALL.value
        and record.call_result == CallResult.DO_NOT_CALL.value
        and record.record_status != RecordStatus.RETRIEVED.value
    )
