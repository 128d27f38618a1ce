"""Undo of do-not-call: entries removed by an operator; no client can do that (http.md H266)."""

from typing import Any

import msgspec

from ocsgw.contact.bulk_statements import StoredEntry
from ocsgw.contact.normal_form import normal_contact, normal_customer_id
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.errors import OperationError
from ocsgw.operations.import_do_not_call import COLUMNS, export_row
from ocsgw.operations.ready_again import blocked_records, make_ready_again


class RemoveEntries(msgspec.Struct, kw_only=True):
    """The do-not-call entries for a contact, or for a customer id, are to be removed, for a reason.

    With `ready_again` records that they have blocked, and that no other entry blocks, become ready again.
    """

    contact: str | None = None
    customer_id: str | None = None
    reason: str = ""
    ready_again: bool = False


def remove_entries(unit: UnitOfWork, arguments: RemoveEntries) -> dict[str, Any]:
    """Remove the entries and return them, how many records became ready again, and how many stay NoCall."""
    if (arguments.contact is None) == (arguments.customer_id is None):
        raise OperationError("name a contact or a customer id, not both")
    entries = _entries(unit, arguments)
    unit.tx.delete_entries([each.number for each in entries])
    ready = make_ready_again(unit, entries) if arguments.ready_again else 0
    blocked = sum(len(records) for _, records in blocked_records(unit, entries)) if entries else 0
    for each in entries:
        unit.notes.append(_note(unit, each, arguments.reason))
    if ready:
        unit.notes.append({"action": "records ready again", "records": ready, "reason": arguments.reason})
    rows = [dict(zip(COLUMNS, export_row(unit.directory, each), strict=True)) for each in entries]
    return {"removed": rows, "ready": ready, "blocked": blocked}


def _entries(unit: UnitOfWork, arguments: RemoveEntries) -> list[StoredEntry]:
    if arguments.contact is not None:
        return _entries_for(unit, arguments.contact)
    customer_id = normal_customer_id(arguments.customer_id or "")
    found = unit.tx.covering_entries("", customer_id)
    return [
        each for each in found if each.customer_id is not None and normal_customer_id(each.customer_id) == customer_id
    ]


def _entries_for(unit: UnitOfWork, contact: str) -> list[StoredEntry]:
    """Return the entries for a contact, compared in the country of their tenant; those for all tenants in any."""
    found: dict[int, StoredEntry] = {}
    for country in {"", *(each.country for each in unit.directory.tenants)}:
        normal = normal_contact(contact, country)
        for entry in unit.tx.covering_entries(normal, None, country):
            tenant = next((each for each in unit.directory.tenants if each.dbid == entry.tenant_dbid), None)
            is_compared_so = not country or tenant is None or tenant.country == country
            if is_compared_so and entry.phone is not None and normal_contact(entry.phone, country) == normal:
                found[entry.number] = entry
    return [found[number] for number in sorted(found)]


def _note(unit: UnitOfWork, entry: StoredEntry, reason: str) -> dict[str, object]:
    shown = dict(zip(COLUMNS, export_row(unit.directory, entry), strict=True))
    scope = {name: shown[name] for name in ("tenant", "campaign", "list") if shown[name] is not None}
    note: dict[str, object] = {"action": "do-not-call removed", **scope, "reason": reason}
    # The audit log masks these like those of requests.
    if entry.phone is not None:
        note["contact"] = entry.phone
    if entry.customer_id is not None:
        note["customer_id"] = entry.customer_id
    return note
