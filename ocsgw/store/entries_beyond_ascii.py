"""Do-not-call entries whose contact SQL cannot bring into its normal form: kept by that form, in memory.

There may be many, typed with no-break spaces for instance. To bring each into its normal form costs some microseconds,
so it is done once; the entries are read again when somebody has written, which for other programs the engine
says.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ocsgw.contact.normal_form import normal_contact
from ocsgw.store.dialect import Connection

# So many normal forms are remembered beyond those of the entries that are there.
_MOST_FORMS = 200_000


class Scope(NamedTuple):
    """What an entry is for; a DBID of 0 means every one, an `expires_at` of 0 no end."""

    tenant_dbid: int
    campaign_dbid: int
    list_dbid: int
    expires_at: int

    def lasts(self, now: int) -> bool:
        """Whether the entry has not ended; an end that is not a number is none."""
        return not isinstance(self.expires_at, int | float) or not 0 != self.expires_at <= now


class EntriesBeyondAscii:
    """The scopes of such entries by the normal form of their contact in a country."""

    def __init__(self) -> None:
        self._version: object = None
        self._by_form: dict[str, dict[str, list[Scope]]] = {}
        self._forms: dict[tuple[str, str], str] = {}

    def forget(self) -> None:
        """Entries are being written, or what was written is being undone: read them again."""
        self._version = None

    def by_form(self, connection: Connection, text: str, country: str, version: object) -> Mapping[str, list[Scope]]:
        """Return the entries; `text` reads contact and scope of all of them.

        `version` changes when another program has written; it is not None.
        """
        if version != self._version:
            self._by_form = {}
            self._version = version
        found = self._by_form.get(country)
        if found is None:
            found = self._by_form[country] = {}
            for form, scope in self._read(connection, text, country):
                found.setdefault(form, []).append(scope)
        return found

    def _read(self, connection: Connection, text: str, country: str) -> Iterator[tuple[str, Scope]]:
        if len(self._forms) > _MOST_FORMS:
            self._forms = {}
        for phone, *scope in connection.rows(text):
            # Text that is not UTF-8 is no contact of anybody, and harms nobody.
            if isinstance(phone, str):
                form = self._forms.get((phone, country))
                if form is None:
                    form = self._forms[phone, country] = normal_contact(phone, country)
                yield form, Scope(*scope)
