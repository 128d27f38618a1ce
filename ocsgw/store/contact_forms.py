"""Do-not-call entries whose contact SQL cannot bring into its normal form: their forms are stored beside them (K40).

There may be many, and other programs write them. To bring a contact into its normal form costs some microseconds, with
a country some more, so each is stored once, by the text of the contact: it can never be wrong, whatever becomes of the
entry, and is found by an index. Contacts without a stored form are looked for when somebody has written since there
were none, which for other programs the engine says.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ocsgw.contact.normal_form import normal_contact, rules_of
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.dialect import Connection, Dialect, as_json
from ocsgw.store.engine import Report
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.records import is_text
from ocsgw.store.texts import DncStatements

# So many contacts get their forms within a batch, some tenths of a second of work; where there are more, requests that
# would have to know them are refused until housekeeping has done it.
_MOST_IN_A_BATCH = 20_000
_ALL = 1 << 40
_AT_ONCE = 500


class Scope(NamedTuple):
    """What an entry is for; a DBID of 0 means every one, an `expires_at` of 0 no end."""

    tenant_dbid: int
    campaign_dbid: int
    list_dbid: int
    expires_at: int

    def lasts(self, now: int) -> bool:
        """Whether the entry has not ended; an end that is not a number is none."""
        return not isinstance(self.expires_at, int | float) or not 0 != self.expires_at <= now


class ContactForms:
    """The part of a transaction that concerns the forms of contacts in the do-not-call table."""

    _connection: Connection
    _dialect: Dialect
    _tables: OpenTables
    _report: Report
    _changes_entries = False

    def _do_not_call_text(self) -> DncStatements:
        raise NotImplementedError

    def _version_of_entries(self) -> object:
        """Return what changes when do-not-call entries beyond ASCII do by the hand of another program."""
        raise NotImplementedError

    def renew_contact_forms(self, countries: Iterable[str], at_most: int) -> int:
        """Store normal forms that are missing, for tenants in these countries, at most so many; return how many.

        Forms by the rules of another version are forgotten when none is missing.
        """
        count = 0
        countries = sorted(set(countries))
        for country in countries:
            if count < at_most and not self._is_complete(country):
                count += len(self._store_missing(country, at_most - count))
        if not count and not self._tables.old_forms_forgotten:
            self._tables.old_forms_forgotten = True
            rules = as_json(sorted({rules_of(country) for country in countries}))
            self._connection.change(
                f"DELETE FROM ocsgw_contact_form WHERE rules NOT IN ({self._dialect.numbers('?')})", (rules,)
            )
        return count

    def entries_change(self) -> None:
        """Do-not-call entries are written: their forms may be missing, and what is known may be undone."""
        self._tables.complete_forms.clear()
        self._changes_entries = True

    def _scopes_beyond_ascii(self, contacts: Iterable[str], country: str) -> dict[str, list[Scope]]:
        """Return, by their normal form, the scopes of the entries with one of these normal forms."""
        wanted = set(contacts)
        forms = {}
        if not self._is_complete(country):
            missing = self._store_missing(country, _MOST_IN_A_BATCH if self._tables.keeps_forms else _ALL)
            if len(missing) == _MOST_IN_A_BATCH and self._tables.keeps_forms:
                raise StoreFailureError("do-not-call entries of another program are being prepared")
            forms = {contact: form for contact, form in missing if form in wanted}
        stored = self._connection.rows(
            "SELECT contact, form FROM ocsgw_contact_form WHERE rules = ? AND country = ?"
            f" AND form IN ({self._dialect.texts('?')})",
            (rules_of(country), country, as_json(sorted(wanted))),
        )
        forms.update(stored)
        found: dict[str, list[Scope]] = {}
        if forms:
            text = self._do_not_call_text().of_contacts
            for contact, *scope in self._connection.rows(text, (as_json(sorted(forms)),)):
                if contact in forms:
                    found.setdefault(forms[contact], []).append(Scope(*scope))
        return found

    def _is_complete(self, country: str) -> bool:
        complete = self._tables.complete_forms
        return country in complete and complete[country] == self._version_of_entries()

    def _store_missing(self, country: str, at_most: int) -> Sequence[tuple[str, str]]:
        """Bring contacts into their form that have none stored, at most so many, and store it; return both.

        Where this transaction has found none, and has not written any, nothing is missing until somebody writes.
        """
        version, rules = self._version_of_entries(), rules_of(country)
        missing = [(contact, normal_contact(contact, country)) for contact in self._missing(country, at_most)]
        if self._tables.keeps_forms:
            for begin in range(0, len(missing), _AT_ONCE):
                rows = [(rules, country, *each) for each in missing[begin : begin + _AT_ONCE]]
                self._connection.change(
                    "INSERT INTO ocsgw_contact_form (rules, country, contact, form)"
                    # SQLite takes ON CONFLICT behind a query for a join without a condition.
                    f" SELECT * FROM ({self._dialect.table('?', 'nttt')}) AS j WHERE true ON CONFLICT DO NOTHING",
                    (as_json(rows),),
                )
        if missing:
            self._changes_entries = True
        elif not self._changes_entries:
            self._tables.complete_forms[country] = version
        return missing

    def _missing(self, country: str, at_most: int) -> Iterator[str]:
        """Yield contacts without a stored form; what cannot be read is nobody's contact, and is reported once."""
        text, skipped, left = self._do_not_call_text(), 0, at_most
        while left:
            rows = self._connection.rows(
                text.without_form,
                {"rules": rules_of(country), "country": country, "limit": left, "skipped": skipped},
            )
            readable = [contact for (contact,) in rows if is_text(contact)]
            skipped += len(rows) - len(readable)
            yield from readable
            if len(rows) < left:
                break
            left -= len(readable)
        if skipped and not self._tables.entries_reported:
            self._tables.entries_reported = True
            self._report(93133, table=text.table, count=skipped)
