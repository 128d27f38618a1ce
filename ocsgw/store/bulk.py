"""What imports, exports and explanations ask of the store; a run of rows is one statement."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from ocsgw.contact.bulk_statements import ImportedEntry, ImportedRow, ImportProgress, StoredEntry, StoredImport
from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.normal_form import covers, normal_contact, normal_customer_id, search_keys
from ocsgw.contact.transaction import NewRecord, Record
from ocsgw.store.dialect import as_json, upsert
from ocsgw.store.records import LATEST, LEAST, as_whole, is_text, shown
from ocsgw.store.texts import INSERTED_COLUMNS
from ocsgw.store.transaction import RecordTransaction

_IMPORT = "target, fingerprint, file, rows, counts, started_at, finished_at, number"
_HIGHEST_IMPORT = (
    "SELECT max(number) FROM (SELECT max(number) AS number FROM ocsgw_import"
    " UNION ALL SELECT max(number) FROM ocsgw_import_rows) AS known"
)
_pack = msgspec.msgpack.Encoder()
_imported = msgspec.msgpack.Decoder(list[ImportedRow])
_counts = msgspec.json.Decoder(dict[str, int])
# Behind the columns of a new row stands one that is not exported.
_TREATMENTS = len(INSERTED_COLUMNS)
# The numbers of a do-not-call entry, in their order behind its texts; of an object that cannot be there is no DBID.
_NUMBERS = ("tenant_dbid", "campaign_dbid", "list_dbid", "time_stamp", "expires_at")
_TIMES = frozenset({"time_stamp", "expires_at"})
_NO_DBID, _LARGEST_DBID = -1, (1 << 63) - 1


class BulkTransaction(RecordTransaction):
    """One write transaction; the further methods are those of `contact.bulk_statements.BulkStatements`."""

    # Progress of imports.

    def import_progress(self, target: str, fingerprint: str) -> ImportProgress | None:
        """Return how far the import of a file has come, None if it was never begun."""
        found = self._imports("WHERE target = ? AND fingerprint = ?", target, fingerprint)
        return found[0].progress if found else None

    def save_import_progress(self, target: str, fingerprint: str, progress: ImportProgress) -> None:
        """Store how far an import has come."""
        begin, end = upsert("ocsgw_import", "target, fingerprint", _IMPORT)
        self._connection.change(
            f"{begin} VALUES (?, ?, ?, ?, ?, ?, ?, ?) {end}",
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
            " ON CONFLICT (name) DO UPDATE SET value = ocsgw_counter.value + 1 RETURNING value"
        )
        if int(number) == 1:
            # The first one, or the counter was deleted by somebody and has just been made anew.
            ((highest,),) = self._connection.rows(_HIGHEST_IMPORT)
            if highest:
                number = self._raise_counter("import", int(highest))
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
        begin, end = upsert("ocsgw_import_rows", "number, first_row", "number, first_row, rows")
        self._connection.change(f"{begin} VALUES (?, ?, ?) {end}", (number, first_row, _pack.encode(rows)))

    def imported_rows(self, number: int) -> tuple[int, list[ImportedRow]] | None:
        """Return the last slice of an import that was not taken back, with its first row; None without one."""
        return self._imported_rows("first_row >= 0 ORDER BY first_row DESC", number)

    def take_back(self, number: int, first_row: int, kept: Sequence[ImportedRow]) -> None:
        """Note that a slice of an import was taken back, but for the rows `kept`."""
        self._connection.change("DELETE FROM ocsgw_import_rows WHERE number = ? AND first_row = ?", (number, first_row))
        if kept:
            # Below all slices that are still there.
            self.save_imported_rows(number, -1 - first_row, kept)

    def kept_rows(self, number: int, behind: int) -> tuple[int, list[ImportedRow]] | None:
        """Return rows that were kept, in the order in which slices were taken back, with their place; None at the end.

        `behind` is the last place that was returned, 0 at first.
        """
        # The last slice of the file is taken back first.
        return self._imported_rows(
            "first_row < 0 AND (? = 0 OR first_row > ?) ORDER BY first_row", number, behind, behind
        )

    def _imported_rows(self, condition: str, number: int, *parameters: int) -> tuple[int, list[ImportedRow]] | None:
        row = self._connection.row(
            f"SELECT first_row, rows FROM ocsgw_import_rows WHERE number = ? AND {condition} LIMIT 1",
            (number, *parameters),
        )
        return (row[0], _imported.decode(row[1])) if row is not None else None

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

    def import_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> list[Record]:
        """Insert rows and return those that can be represented as they are read from now on."""
        self.insert_records(calling_list, records)
        return self.records(calling_list, [record.record_id for record in records])

    def delete_records(self, calling_list: CallingList, record_ids: Collection[int]) -> None:
        """Delete records that are not in process."""
        self._change(calling_list, self._text_of(calling_list).delete_records, as_json(list(record_ids)))

    def records_by_contact(self, calling_list: CallingList, contacts: Collection[str]) -> dict[str, list[int]]:
        """Return the ids of the records with these normal forms of contacts, ascending (K40)."""
        country = calling_list.tenant.country
        keys = {each for contact in contacts for each in search_keys(contact, country)}
        found: dict[str, list[int]] = {}
        rows = self._rows(calling_list, self._text_of(calling_list).records_by_contact, as_json(sorted(keys)))
        for record_id, contact in sorted(dict(rows).items()):
            if is_text(contact) and (normal := normal_contact(contact, country)) in contacts:
                found.setdefault(normal, []).append(record_id)
        return found

    def export_records(self, calling_list: CallingList, after: int, at_most: int) -> list[list[FieldValue | None]]:
        """Return records behind a record id, in its order, with what NULL is read as."""
        text = self._text_of(calling_list).export_records
        rows = self._rows(calling_list, text, {"after": after, "at_most": at_most})
        return [[shown(each) for each in (*row[:_TREATMENTS], *row[_TREATMENTS + 1 :])] for row in rows]

    def count_by_status(self, calling_list: CallingList, after: int, at_most: int) -> tuple[dict[int, int], int | None]:
        """Return how many of the records behind a record id have which status, and the last of these ids."""
        text = self._text_of(calling_list).count_by_status
        counts: dict[int, int] = {}
        last = None
        for status, count, highest in self._rows(calling_list, text, {"after": after, "at_most": at_most}):
            # What another program has written instead of a number has none.
            known = status if isinstance(status, int) else 0
            counts[known] = counts.get(known, 0) + count
            last = highest if last is None else max(last, highest)
        return counts, last

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
        text = self._do_not_call_text().entries_for
        keys = {"contacts": as_json(list(contacts)), "ids": as_json(list(customer_ids))}
        # Both its contact and its customer id may be asked for.
        return _entries(sorted({row[0]: row for row in self._connection.rows(text, keys)}.values(), key=itemgetter(0)))

    def import_entries(self, entries: Sequence[ImportedEntry], now: int) -> list[int]:
        """Add entries to the do-not-call table and return their numbers; they are not ours (`is_internal` 0)."""
        self.entries_added(each.phone for each in entries)
        text = self._do_not_call_text().import_entries
        return [row[0] for row in self._connection.rows(text, {"entries": as_json(entries), "now": now})]

    def entries(self, numbers: Collection[int]) -> list[StoredEntry]:
        """Return the entries of the do-not-call table with these numbers."""
        return _entries(self._connection.rows(self._do_not_call_text().entries, (as_json(list(numbers)),)))

    def delete_entries(self, numbers: Collection[int]) -> None:
        """Delete entries of the do-not-call table."""
        self.entries_removed()
        self._connection.change(self._do_not_call_text().delete_entries, (as_json(list(numbers)),))

    def change_entries(self, changes: Mapping[int, ImportedEntry], now: int) -> None:
        """Give stored entries, by their numbers, another message and end."""
        rows = [(number, entry.message, entry.expires_at) for number, entry in changes.items()]
        self._connection.change(self._do_not_call_text().change_entries, {"rows": as_json(rows), "now": now})

    def export_entries(self, after: int, at_most: int) -> list[StoredEntry]:
        """Return entries of the do-not-call table behind a number, in its order, at most so many."""
        text = self._do_not_call_text().export_entries
        # None of so many may be one that can be represented; that is not the end of the table.
        while rows := list(self._connection.rows(text, {"after": after, "at_most": at_most})):
            if found := _entries(rows):
                return found
            after = rows[-1][0]
        return []


def _entries(rows: Iterable[Sequence[Any]]) -> list[StoredEntry]:
    """Return the entries whose contact and customer id can be represented."""
    return [_entry(row) for row in rows if all(each is None or is_text(each) for each in row[1:3])]


def _entry(row: Sequence[Any]) -> StoredEntry:
    """Return the entry of a row, whatever other programs have written into its further columns."""
    number, phone, customer_id, message, *numbers = row
    odd: dict[str, str] = {}
    if message is not None and not is_text(message):
        message, odd["dnc_message"] = None, str(shown(message))
    for at, (column, value) in enumerate(zip(_NUMBERS, numbers, strict=True)):
        known = as_whole(value)
        least, latest = (LEAST, LATEST) if column in _TIMES else (0, _LARGEST_DBID)
        if known is not None and least <= known <= latest:
            numbers[at] = known
            continue
        odd[column] = str(shown(value))
        if column in _TIMES:
            # What is no number is after every time for the statements, as what is too large.
            numbers[at] = LEAST if column == "expires_at" and known is not None and known < least else 0
        else:
            numbers[at] = _NO_DBID
    tenant_dbid, campaign_dbid, list_dbid, made_at, expires_at = numbers
    return StoredEntry(
        number, phone, customer_id, message, tenant_dbid, campaign_dbid, list_dbid, made_at, expires_at, odd
    )


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
