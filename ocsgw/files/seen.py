"""Contacts of a file, remembered on disk: a dry run stores nothing that later rows could be compared with."""

import sqlite3
from collections.abc import Iterable, Sequence

from ocsgw.contact.normal_form import normal_contact
from ocsgw.files.csv_files import NumberedRow


class SeenContacts:
    """The contacts of earlier rows in their normal form (K40); they take no memory, and go with this object.

    `contact_at` is the column with the contacts, `country` that of the tenant of the list, empty without one.
    """

    def __init__(self, contact_at: int, country: str) -> None:
        self._contact_at = contact_at
        self._country = country
        # An empty name is a file that the system removes by itself.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE seen (contact TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def places(self, rows: Sequence[NumberedRow]) -> list[int]:
        """Return the places of those rows whose contact was seen before."""
        known = self._database.execute
        return [
            at
            for at, row in enumerate(rows)
            if known("SELECT 1 FROM seen WHERE contact = ?", (self._contact_of(row),)).fetchone()
        ]

    def add(self, rows: Sequence[NumberedRow], verdicts: Iterable[tuple[int, str, str]]) -> None:
        """Remember the contacts of rows; refused ones do not count."""
        refused = {at for at, name, _ in verdicts if name == "refused"}
        contacts = [(self._contact_of(row),) for at, row in enumerate(rows) if at not in refused]
        self._database.executemany("INSERT OR IGNORE INTO seen (contact) VALUES (?)", contacts)

    def _contact_of(self, row: NumberedRow) -> str:
        short = isinstance(row.cells, str) or len(row.cells) <= self._contact_at
        return normal_contact("" if short else row.cells[self._contact_at], self._country)

    def close(self) -> None:
        """Forget all of them."""
        self._database.close()
