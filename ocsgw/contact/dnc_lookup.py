"""Questions to the do-not-call table about records (constants.md K40 to K43)."""

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.normal_form import normal_contact, normal_customer_id, search_keys
from ocsgw.contact.transaction import DncLookup, Record


def dnc_lookup_of(directory: Directory, calling_list: CallingList, record: Record) -> DncLookup:
    """Return the question whether a record must not be contacted."""
    return dnc_lookup_for(
        directory, calling_list, record.contact_info, customer_value(calling_list, record), record.campaign_id
    )


def dnc_lookup_for(
    directory: Directory,
    calling_list: CallingList,
    contact: str,
    customer_id: FieldValue | None,
    campaign_dbid: int,
) -> DncLookup:
    """Return the question about a contact and a customer id as they are stored."""
    country = calling_list.tenant.country
    normal = normal_contact(contact, country)
    return DncLookup(
        normal,
        customer_id_text(customer_id),
        directory.campaign_dbids(calling_list, campaign_dbid),
        search_keys(normal, country),
        country,
    )


def customer_value(calling_list: CallingList, record: Record) -> FieldValue | None:
    """Return the value of a record's customer id, None without one (K34)."""
    return record.custom[calling_list.customer_at] if calling_list.customer_at is not None else None


def customer_id_text(value: FieldValue | None) -> str | None:
    """Return a customer id in the form in which it is compared; None if there is none (K42)."""
    return normal_customer_id(str(value)) or None if value is not None else None
