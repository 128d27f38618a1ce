"""What imports, exports and explanations ask of the store, besides what requests do."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue


class ImportProgress(msgspec.Struct):
    """How far an import of one file has come.

    `rows` is how many rows of the file are done, the header not counted; `counts` how many of them got which verdict.
    Times are in seconds since 1970 UTC; `finished_at` is None while rows are missing. `number` is what an operator
    calls the import; imports of earlier versions have none.
    """

    file: str
    rows: int
    counts: dict[str, int]
    started_at: int
    finished_at: int | None = None
    number: int | None = None


class StoredImport(msgspec.Struct):
    """An import with the names that it is stored under."""

    target: str
    fingerprint: str
    progress: ImportProgress


class ImportedRow(msgspec.Struct, array_like=True):
    """A row that an import has stored: its number in the table, and a digest of what was stored."""

    number: int
    digest: int


class ImportedEntry(msgspec.Struct, array_like=True):
    """An entry of the do-not-call table, as a file has it (constants.md section 6.1).

    At least one of `phone` and `customer_id` is given; a DBID of 0 means every one, an `expires_at` of 0 no end.
    """

    phone: str | None
    customer_id: str | None
    message: str | None
    tenant_dbid: int
    campaign_dbid: int
    list_dbid: int
    expires_at: int


class StoredEntry(msgspec.Struct, array_like=True):
    """An entry as it stands in the do-not-call table; `number` is its place in the table.

    `odd` has, by their columns, the texts of values that cannot be read as what the column is for. In their place an
    entry has what statements make of them: no end, or one long ago; a DBID that no object has; no message.
    """

    number: int
    phone: str | None
    customer_id: str | None
    message: str | None
    tenant_dbid: int
    campaign_dbid: int
    list_dbid: int
    made_at: int
    expires_at: int
    odd: dict[str, str] = {}


class BulkStatements(Protocol):
    """The store, within one transaction, as imports, exports and explanations use it."""

    def refuse_at_once(self) -> None:
        """Have what a table would refuse at the commit refused by the statement, as far as the store can."""

    def import_progress(self, target: str, fingerprint: str) -> ImportProgress | None:
        """Return how far the import of a file into a list, or the do-not-call table, has come; None if never begun."""

    def save_import_progress(self, target: str, fingerprint: str, progress: ImportProgress) -> None:
        """Store how far an import has come."""

    def new_import_number(self) -> int:
        """Return the number of a new import; numbers ascend and never come again."""

    def imports(self, at_most: int) -> list[StoredImport]:
        """Return the newest imports that have a number, the newest first."""

    def import_numbered(self, number: int) -> StoredImport | None:
        """Return the import with a number, None if there is none."""

    def save_imported_rows(self, number: int, first_row: int, rows: Sequence[ImportedRow]) -> None:
        """Store which rows a slice of an import has stored."""

    def imported_rows(self, number: int) -> tuple[int, list[ImportedRow]] | None:
        """Return the last slice of an import that was not taken back, with its first row; None without one."""

    def take_back(self, number: int, first_row: int, kept: Sequence[ImportedRow]) -> None:
        """Note that a slice of an import was taken back, but for the rows `kept`."""

    def kept_rows(self, number: int, behind: int) -> tuple[int, list[ImportedRow]] | None:
        """Return rows that were kept, in the order in which slices were taken back, with their place; None at the end.

        `behind` is the last place that was returned, 0 at first.
        """

    def forget_rows_of_imports(self, before: int) -> None:
        """Forget which rows are those of imports that began before a time."""

    def forget_import(self, target: str, fingerprint: str) -> None:
        """Forget an import with all of its slices."""

    def delete_records(self, calling_list: CallingList, record_ids: Collection[int]) -> None:
        """Delete records that are not in process."""

    def renew_contact_forms(self, countries: Iterable[str], at_most: int) -> int:
        """Store missing normal forms of do-not-call entries, at most so many; return how many there were (K40)."""

    def entries(self, numbers: Collection[int]) -> list[StoredEntry]:
        """Return the entries of the do-not-call table with these numbers."""

    def delete_entries(self, numbers: Collection[int]) -> None:
        """Delete entries of the do-not-call table."""

    def records_by_contact(self, calling_list: CallingList, contacts: Collection[str]) -> dict[str, list[int]]:
        """Return the ids of the records with these normal forms of contacts, ascending (K40)."""

    def export_records(self, calling_list: CallingList, after: int, at_most: int) -> list[list[FieldValue | None]]:
        """Return records behind a record id, in its order, at most so many.

        Each has the columns of a new record, then the custom ones, with what NULL is read as.
        """

    def count_by_status(self, calling_list: CallingList, after: int, at_most: int) -> tuple[dict[int, int], int | None]:
        """Return how many of the records behind a record id, in its order and at most so many, have which status.

        The second value is the last of these ids, None without any.
        """

    def has_expiry(self) -> bool:
        """Whether the do-not-call table has a column for the end of an entry."""

    def equal_entries(self, entries: Sequence[ImportedEntry]) -> dict[int, list[StoredEntry]]:
        """Return, by the place of an entry, those stored with the same contact, customer id and scope (K40, K42)."""

    def import_entries(self, entries: Sequence[ImportedEntry], now: int) -> list[int]:
        """Add entries to the do-not-call table and return their numbers, in any order."""

    def change_entries(self, changes: Mapping[int, ImportedEntry], now: int) -> None:
        """Give stored entries, by their numbers, another message and end."""

    def export_entries(self, after: int, at_most: int) -> list[StoredEntry]:
        """Return entries of the do-not-call table behind a number, in its order, at most so many."""

    def covering_entries(self, contact: str, customer_id: str | None, country: str = "") -> list[StoredEntry]:
        """Return the entries for a contact or a customer id in their normal forms, whatever their scope and end."""
