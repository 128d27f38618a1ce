"""What imports, exports and explanations ask of the embedded store; a run of rows is one statement."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ocsgw.contact.bulk_statements import ImportedEntry, ImportedRow, ImportProgress, StoredEntry, StoredImport
from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.normal_form import covers, normal_contact, normal_customer_id, search_keys
from ocsgw.store.records import is_text, shown
from ocsgw.store.sqlite.forms import beyond_ascii, search_key_of, trimmed
from ocsgw.store.sqlite.own_tables import as_json
from ocsgw.store.sqlite.statements import INSERTED_COLUMNS, record_columns
from ocsgw.store.sqlite.transaction import SQLiteTransaction

_IMPORT = "target, fingerprint, file, rows, counts, started_at, finished_at, number"
_pack = msgspec.msgpack.Encoder()
_imported = msgspec.msgpack.Decoder(list[ImportedRow])
_counts = msgspec.json.Decoder(dict[str, int])
# Behind the columns of a new row stands one that is not exported.
_TREATMENTS = len(INSERTED_COLUMNS)


class SQLiteBulkTransaction(SQLiteTransaction):
    """One write transaction; the further methods are those of `contact.bulk_statements.BulkStatements`."""

    # Progress of imports.

    def import_progress(self, target: str, fingerprint: str) -> ImportProgress | None:
        """Return how far the import of a file has come, None if it was never begun."""
        found = self._imports("WHERE target = ? AND fingerprint = ?", target, fingerprint)
        return found[0].progress if found else None

    def save_import_progress(self, target: str, fingerprint: str, progress: ImportProgress) -> None:
        """Store how far an import has come."""
        self._connection.change(
            f"INSERT OR REPLACE INTO ocsgw_import ({_IMPORT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                target,
                fingerprint,
                progress.file,
                progress.rows,
                as_json(progress.counts),
                progress.started_at,
                progress.finished_at,
                progress.number,
            ),
        )

    def new_import_number(self) -> int:
        """Return the number of a new import; numbers ascend and never come again."""
        ((number,),) = self._connection.rows(
            "INSERT INTO ocsgw_counter (name, value) VALUES ('import', 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        )
        return int(number)

    def imports(self, at_most: int) -> list[StoredImport]:
        """Return the newest imports that have a number, the newest first."""
        return self._imports("WHERE number IS NOT NULL ORDER BY number DESC LIMIT ?", at_most)

    def import_numbered(self, number: int) -> StoredImport | None:
        """Return the import with a number, None if there is none."""
        found = self._imports("WHERE number = ?", number)
        return found[0] if found else None

    def _imports(self, condition: str, *parameters: object) -> list[StoredImport]:
        rows = self._connection.rows(f"SELECT {_IMPORT} FROM ocsgw_import {condition}", parameters)
        return [
            StoredImport(row[0], row[1], ImportProgress(row[2], row[3], _counts.decode(row[4]), row[5], row[6], row[7]))
            for row in rows
        ]

    def save_imported_rows(self, number: int, first_row: int, rows: Sequence[ImportedRow]) -> None:
        """Store which rows a slice of an import has stored."""
        self._connection.change(
            "INSERT OR REPLACE INTO ocsgw_import_rows (number, first_row, rows) VALUES (?, ?, ?)",
            (number, first_row, _pack.encode(rows)),
        )

    def imported_rows(self, number: int) -> tuple[int, list[ImportedRow]] | None:
        """Return the last slice of an import that is still remembered, with its first row; None without one."""
        row = self._connection.row(
            "SELECT first_row, rows FROM ocsgw_import_rows WHERE number = ? ORDER BY first_row DESC LIMIT 1", (number,)
        )
        return (row[0], _imported.decode(row[1])) if row is not None else None

    def forget_imported_rows(self, number: int, first_row: int) -> None:
        """Forget a slice of an import."""
        self._connection.change("DELETE FROM ocsgw_import_rows WHERE number = ? AND first_row = ?", (number, first_row))

    def forget_rows_of_imports(self, before: int) -> None:
        """Forget which rows are those of imports that began before a time."""
        self._connection.change(
            "DELETE FROM ocsgw_import_rows WHERE number IN (SELECT number FROM ocsgw_import WHERE started_at < ?)",
            (before,),
        )

    def forget_import(self, target: str, fingerprint: str) -> None:
        """Forget an import with all of its slices."""
        where = (target, fingerprint)
        self._connection.change(
            "DELETE FROM ocsgw_import_rows WHERE number IN"
            " (SELECT number FROM ocsgw_import WHERE target = ? AND fingerprint = ?)",
            where,
        )
        self._connection.change("DELETE FROM ocsgw_import WHERE target = ? AND fingerprint = ?", where)

    # Calling lists.

    def delete_records(self, calling_list: CallingList, record_ids: Collection[int]) -> None:
        """Delete records that are not in process."""
        table = self._text_of(calling_list).table
        self._change(
            calling_list,
            f"DELETE FROM {table} WHERE record_id IN (SELECT value FROM json_each(?))"
            " AND coalesce(record_status, 1) <> 2",
            as_json(list(record_ids)),
        )

    def records_by_contact(self, calling_list: CallingList, contacts: Collection[str]) -> dict[str, list[int]]:
        """Return the ids of the records with these normal forms of contacts, ascending (K40)."""
        table = self._text_of(calling_list).table
        key, country = search_key_of("contact_info"), calling_list.tenant.country
        keys = {each for contact in contacts for each in search_keys(contact, country)}
        found: dict[str, list[int]] = {}
        rows = self._rows(
            calling_list,
            f"SELECT record_id, contact_info FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"
            f" AND record_id IS NOT NULL UNION SELECT record_id, contact_info FROM {table}"
            f" WHERE {beyond_ascii('contact_info')} AND record_id IS NOT NULL ORDER BY 1",
            as_json(sorted(keys)),
        )
        for record_id, contact in rows:
            if is_text(contact) and (normal := normal_contact(contact, country)) in contacts:
                found.setdefault(normal, []).append(record_id)
        return found

    def export_records(self, calling_list: CallingList, after: int, at_most: int) -> list[list[FieldValue | None]]:
        """Return records behind a record id, in its order, with what NULL is read as."""
        text = self._text_of(calling_list)
        rows = self._rows(
            calling_list,
            f"SELECT {record_columns(calling_list, text.columns)} FROM {text.table} AS t"
            " WHERE t.record_id > :after AND t.contact_info IS NOT NULL ORDER BY t.record_id LIMIT :at_most",
            {"after": after, "at_most": at_most},
        )
        return [[shown(each) for each in (*row[:_TREATMENTS], *row[_TREATMENTS + 1 :])] for row in rows]

    # The do-not-call table.

    def has_expiry(self) -> bool:
        """Whether the do-not-call table has a column for the end of an entry."""
        return self._do_not_call_text().has_expiry

    def equal_entries(self, entries: Sequence[ImportedEntry]) -> dict[int, list[StoredEntry]]:
        """Return, by the place of an entry, those stored with the same contact, customer id and scope (K40, K42)."""
        wanted: dict[tuple[str, str, int, int, int], list[int]] = {}
        for place, entry in enumerate(entries):
            wanted.setdefault(_identity(entry), []).append(place)
        found: dict[int, list[StoredEntry]] = {}
        contacts = {key for contact, *_ in wanted if contact for key in search_keys(contact)}
        # An entry with both is found by its contact.
        customer_ids = {customer_id for contact, customer_id, *_ in wanted if not contact}
        for stored in self._entries_for(contacts, customer_ids):
            for place in wanted.get(_identity(stored), ()):
                found.setdefault(place, []).append(stored)
        return found

    def covering_entries(self, contact: str, customer_id: str | None, country: str = "") -> list[StoredEntry]:
        """Return the entries for a contact or customer id in their normal forms, whatever their scope and end."""
        customer_ids = {customer_id} if customer_id is not None else set()
        found = self._entries_for(search_keys(contact, country), customer_ids)
        return [
            each
            for each in found
            if (each.phone is not None and covers(normal_contact(each.phone, country), contact))
            or (customer_id is not None and _customer_id_of(each) == customer_id)
        ]

    def _entries_for(self, contacts: Collection[str], customer_ids: Collection[str]) -> list[StoredEntry]:
        """Return entries with one of these search keys or customer ids; and those whose contact is not ASCII."""
        text = self._do_not_call_text()
        columns = _entry_columns(has_expiry=text.has_expiry)
        contact, customer_id = search_key_of("d.phone"), trimmed("d.customer_id")
        rows = self._connection.rows(
            f"SELECT {columns} FROM {text.table} AS d"
            f" WHERE d.phone IS NOT NULL AND {contact} IN (SELECT value FROM json_each(:contacts))"
            f" UNION SELECT {columns} FROM {text.table} AS d WHERE {beyond_ascii('d.phone')}"
            f" UNION SELECT {columns} FROM {text.table} AS d"
            f" WHERE d.customer_id IS NOT NULL AND {customer_id} IN (SELECT value FROM json_each(:ids)) ORDER BY 1",
            {"contacts": as_json(list(contacts)), "ids": as_json(list(customer_ids))},
        )
        return _entries(rows)

    def import_entries(self, entries: Sequence[ImportedEntry], now: int) -> list[int]:
        """Add entries to the do-not-call table and return their numbers; they are not ours (`is_internal` 0)."""
        self.entries_change()
        text = self._do_not_call_text()
        expiry = (", expires_at", ", nullif(json_extract(value, '$[6]'), 0)") if text.has_expiry else ("", "")
        values = ", ".join(f"json_extract(value, '$[{at}]')" for at in range(6))
        rows = self._connection.rows(
            f"INSERT INTO {text.table} (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid,"
            f" is_internal, time_stamp{expiry[0]}) SELECT {values}, 0, :now{expiry[1]} FROM json_each(:entries)"
            " RETURNING rowid",
            {"entries": as_json(entries), "now": now},
        )
        return [row[0] for row in rows]

    def entries(self, numbers: Collection[int]) -> list[StoredEntry]:
        """Return the entries of the do-not-call table with these numbers."""
        text = self._do_not_call_text()
        rows = self._connection.rows(
            f"SELECT {_entry_columns(has_expiry=text.has_expiry)} FROM {text.table} AS d"
            " WHERE d.rowid IN (SELECT value FROM json_each(?))",
            (as_json(list(numbers)),),
        )
        return _entries(rows)

    def delete_entries(self, numbers: Collection[int]) -> None:
        """Delete entries of the do-not-call table."""
        self.entries_change()
        self._connection.change(
            f"DELETE FROM {self._do_not_call_text().table} WHERE rowid IN (SELECT value FROM json_each(?))",
            (as_json(list(numbers)),),
        )

    def change_entries(self, changes: Mapping[int, ImportedEntry], now: int) -> None:
        """Give stored entries, by their numbers, another message and end."""
        self.entries_change()
        text = self._do_not_call_text()
        expiry = ", expires_at = nullif(json_extract(j.value, '$[2]'), 0)" if text.has_expiry else ""
        rows = [(number, entry.message, entry.expires_at) for number, entry in changes.items()]
        self._connection.change(
            f"UPDATE {text.table} SET dnc_message = json_extract(j.value, '$[1]'), time_stamp = :now{expiry}"
            f" FROM json_each(:rows) AS j WHERE {text.table}.rowid = json_extract(j.value, '$[0]')",
            {"rows": as_json(rows), "now": now},
        )

    def export_entries(self, after: int, at_most: int) -> list[StoredEntry]:
        """Return entries of the do-not-call table behind a number, in its order, at most so many."""
        text = self._do_not_call_text()
        rows = self._connection.rows(
            f"SELECT {_entry_columns(has_expiry=text.has_expiry)} FROM {text.table} AS d"
            " WHERE d.rowid > ? AND (d.phone IS NOT NULL OR d.customer_id IS NOT NULL) ORDER BY d.rowid LIMIT ?",
            (after, at_most),
        )
        return _entries(rows)


def _entry_columns(*, has_expiry: bool) -> str:
    return (
        "d.rowid, d.phone, d.customer_id, d.dnc_message, coalesce(d.tenant_dbid, 0), coalesce(d.campaign_dbid, 0),"
        f" coalesce(d.list_dbid, 0), coalesce(d.time_stamp, 0), {'coalesce(d.expires_at, 0)' if has_expiry else '0'}"
    )


def _entries(rows: Iterable[Sequence[Any]]) -> list[StoredEntry]:
    """Return the entries whose contact and customer id can be represented; a message that cannot be is left out."""
    return [
        StoredEntry(row[0], row[1], row[2], row[3] if is_text(row[3]) else None, *row[4:])
        for row in rows
        if all(each is None or is_text(each) for each in row[1:3])
    ]


def _contact_of(entry: ImportedEntry | StoredEntry) -> str:
    return normal_contact(entry.phone) if entry.phone is not None else ""


def _customer_id_of(entry: ImportedEntry | StoredEntry) -> str:
    return normal_customer_id(entry.customer_id) if entry.customer_id is not None else ""


def _identity(entry: ImportedEntry | StoredEntry) -> tuple[Any, ...]:
    """Return what makes two entries equal."""
    return (
        _contact_of(entry),
        _customer_id_of(entry),
        entry.tenant_dbid,
        entry.campaign_dbid,
        entry.list_dbid,
    )
