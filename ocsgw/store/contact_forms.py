"""Do-not-call entries whose contact SQL cannot bring into its normal form: their forms are stored beside them (K40).

There may be many, and other programs write them. To bring a contact into its normal form costs some microseconds, with
a country some more, so each is stored once, by the text of the contact: it can never be wrong, whatever becomes of the
entry, and is found by an index. Contacts without a stored form are looked for when another program has written since
there were none. Where there are very many entries requests then see only whether some were added; the text of one that
was changed in its place counts when housekeeping has looked (K45).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ocsgw.contact.normal_form import normal_contact, rules_of
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.dialect import Connection, Dialect, as_json
from ocsgw.store.engine import Report
from ocsgw.store.open_tables import CompleteForms, OpenTables
from ocsgw.store.records import is_text
from ocsgw.store.texts import DncStatements

# So many contacts get their forms within a batch, some tenths of a second of work; where there are more, requests that
# would have to know them are refused until housekeeping has done it.
_MOST_IN_A_BATCH = 20_000
_ALL = 1 << 40
# So many entries are compared with their forms in less than a millisecond.
_MANY = 5000
_AT_ONCE = 500
# Contacts that statements bring into their form.
_is_printable_ascii = re.compile(r"[ -~\t]*").fullmatch


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

    def entries_added(self, phones: Iterable[str | None]) -> None:
        """Do-not-call entries with these contacts are added: forms that are complete stay so."""
        self._tables.has_entries = True
        odd = [each for each in phones if each is not None and not _is_printable_ascii(each)]
        for country in self._tables.complete_forms if odd else ():
            self._store(country, [(each, normal_contact(each, country)) for each in odd])

    def entries_removed(self) -> None:
        """Do-not-call entries are removed, which may be undone: what is complete without them says nothing."""
        self._changes_entries = True

    def _scopes_beyond_ascii(self, contacts: Iterable[str], country: str) -> dict[str, list[Scope]]:
        """Return, by their normal form, the scopes of the entries with one of these normal forms."""
        wanted = set(contacts)
        forms = {}
        if not self._is_complete(country):
            added = self._store_added(country)
            if added is None:
                added = self._store_missing(country, _MOST_IN_A_BATCH if self._tables.keeps_forms else _ALL)
            if len(added) == _MOST_IN_A_BATCH and self._tables.keeps_forms:
                raise StoreFailureError("do-not-call entries of another program are being prepared")
            forms = {contact: form for contact, form in added if form in wanted}
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
        known = self._tables.complete_forms.get(country)
        return known is not None and known.version == self._version_of_entries()

    def _store_added(self, country: str) -> Sequence[tuple[str, str]] | None:
        """Store the forms of entries that were added since all had theirs; return those; None if that is not enough.

        It is where there are so many entries that to look at all of them takes long.
        """
        known = self._tables.complete_forms.get(country)
        if known is None or known.newest is None or known.count < _MANY:
            return None
        version = self._version_of_entries()
        if version == known.alike_at:
            return ()
        parameters = {"after": known.newest, "limit": _MOST_IN_A_BATCH}
        contacts = [row[0] for row in self._connection.rows(self._do_not_call_text().added_beyond_ascii, parameters)]
        added = [(contact, normal_contact(contact, country)) for contact in contacts if is_text(contact)]
        self._store(country, added)
        if not contacts and not self._changes_entries:
            known.alike_at = version
        return added

    def _store_missing(self, country: str, at_most: int) -> Sequence[tuple[str, str]]:
        """Bring contacts into their form that have none stored, at most so many, and store it; return both.

        Where this transaction has found none, and has not removed any, nothing is missing until somebody writes.
        """
        version = self._version_of_entries()
        missing = [(contact, normal_contact(contact, country)) for contact in self._missing(country, at_most)]
        self._store(country, missing)
        if missing:
            self._changes_entries = True
        elif not self._changes_entries:
            self._tables.complete_forms[country] = CompleteForms(version, self._count(), self._newest())
        return missing

    def _count(self) -> int:
        ((count,),) = self._connection.rows(f"SELECT count(*) FROM ({self._do_not_call_text().beyond_ascii}) AS j")
        return int(count)

    def _newest(self) -> int | None:
        text = self._do_not_call_text().newest_beyond_ascii
        rows = self._connection.rows(text) if text else [(None,)]
        return rows[0][0] if rows else 0

    def _store(self, country: str, forms: Sequence[tuple[str, str]]) -> None:
        if not self._tables.keeps_forms:
            return
        rules = rules_of(country)
        for begin in range(0, len(forms), _AT_ONCE):
            rows = [(rules, country, *each) for each in forms[begin : begin + _AT_ONCE]]
            self._connection.change(
                "INSERT INTO ocsgw_contact_form (rules, country, contact, form)"
                # SQLite takes ON CONFLICT behind a query for a join without a condition.
                f" SELECT * FROM ({self._dialect.table('?', 'nttt')}) AS j WHERE true ON CONFLICT DO NOTHING",
                (as_json(rows),),
            )

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
