"""Contacts of a file, remembered on disk: a dry run stores nothing that later rows could be compared with."""

import sqlite3
from collections.abc import Sequence

from ocsgw.contact.normal_form import normal_contact


class SeenContacts:
    """The contacts of earlier rows in their normal form (K40); they take no memory, and go with this object.

    `country` is that of the tenant of the list, empty without one.
    """

    def __init__(self, country: str) -> None:
        self._country = country
        # An empty name is a file that the system removes by itself.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE seen (contact TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def places(self, contacts: Sequence[str]) -> list[int]:
        """Return the places of those contacts that were seen before."""
        known = self._database.execute
        return [
            at
            for at, contact in enumerate(contacts)
            if known("SELECT 1 FROM seen WHERE contact = ?", (self._normal(contact),)).fetchone()
        ]

    def add(self, contacts: Sequence[str]) -> None:
        """Remember contacts."""
        rows = [(self._normal(contact),) for contact in contacts]
        self._database.executemany("INSERT OR IGNORE INTO seen (contact) VALUES (?)", rows)

    def _normal(self, contact: str) -> str:
        return normal_contact(contact, self._country)

    def close(self) -> None:
        """Forget all of them."""
        self._database.close()
