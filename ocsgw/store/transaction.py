"""One transaction, in the language of the rules."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Any

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact, normal_customer_id, search_keys, without_extension
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    DoNotCallEntry,
    Handle,
    Handout,
    Match,
    NewRecord,
    Record,
    RefusedByTableError,
    StoreFailureError,
    UnavailableListError,
    UnstorableTextError,
    Window,
    row_of,
)
from ocsgw.store.contact_forms import ContactForms
from ocsgw.store.dialect import Connection, as_json
from ocsgw.store.engine import Report
from ocsgw.store.errors import StatementError
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.outbox import OutboxTable
from ocsgw.store.own_tables import OwnTables
from ocsgw.store.records import column_at, is_text, plain_records, record_of, unreadable_column
from ocsgw.store.refused_commits import RefusedCommits
from ocsgw.store.texts import INSERTED_COLUMNS, DncStatements, ListStatements, insert_text

# Names with the numbers that they have at least.
NOTE_NUMBERS = (
    "INSERT INTO ocsgw_counter (name, value) VALUES (?, ?), (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > ocsgw_counter.value"
)
# Where in a row its numbers stand.
_RECORD_ID = itemgetter(INSERTED_COLUMNS.index("record_id"))
_CHAIN_ID = itemgetter(INSERTED_COLUMNS.index("chain_id"))
# Later than every time that a column can hold.
_LAST_TIME = 1 << 60
# How many times as many records are read where unreadable ones were among them, and how many at most.
_GROWTH = 4
_MOST_READ = 4096


def scope_of(calling_list: CallingList, now: int) -> dict[str, int]:
    """Return the parameters of statements about entries that concern a list at a time."""
    return {"tenant": calling_list.tenant.dbid, "list": calling_list.dbid, "now": now}


class RecordTransaction(ContactForms, OwnTables, OutboxTable, RefusedCommits):
    """One write transaction; the methods are those of `contact.transaction.Transaction`.

    What an engine does in its own way is a method of its subclass. `settled` are the tables for which this transaction
    has looked after the records in process (K2).
    """

    def __init__(self, connection: Connection, tables: OpenTables, report: Report) -> None:
        self._connection = connection
        self._tables = tables
        self._report = report
        self.settled: set[str] = set()
        self._changed: dict[CallingList, None] = {}
        self._unreadable: dict[tuple[int, int], str] = {}

    # What engines do in their own ways.

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what is done inside if an exception leaves the block."""
        raise NotImplementedError

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return the highest record id and chain id that a list has or had, and what `blocked` returns.

        It is asked for every run of added records: in as few statements as the engine can.
        """
        raise NotImplementedError

    def _insert(self, calling_list: CallingList, text: ListStatements, rows: Sequence[Sequence[object]]) -> int:
        """Insert rows with all their values and return how many it were."""
        values: list[object] = []
        for row in rows:
            values += row
        return self._change(calling_list, insert_text(text, len(rows)), values)

    def _change_text(self, text: ListStatements, columns: Sequence[str]) -> str:
        """Return the statement that sets columns of records; its parameter is a JSON list of (record id, values...)."""
        raise NotImplementedError

    def _written_by_others(self) -> object:
        """Return what changes when another program writes."""
        raise NotImplementedError

    def _misfit(self, calling_list: CallingList) -> str:
        """Return what `Tables.misfit` does, as of now."""
        raise NotImplementedError

    def _refusal(self, calling_list: CallingList, reason: str) -> str:
        """Return what stands behind the error text of a constraint, without values of the row (R54)."""
        raise NotImplementedError

    def chain_ends(self, calling_list: CallingList, chain_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest `chain_n` of those chains that exist."""
        text = self._text_of(calling_list).chain_ends
        return dict(self._rows(calling_list, text, {"chains": as_json(list(chain_ids))}))

    def insert_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> None:
        """Insert rows."""
        self.insert_rows(calling_list, list(map(row_of, records)))

    def insert_rows(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, each with its values as `row_of` has them."""
        self._insert_rows(calling_list, rows)
        self._note_highest(calling_list, rows)

    def _insert_rows(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        text = self._text_of(calling_list)
        for begin in range(0, len(rows), text.insert_at_once):
            part = rows[begin : begin + text.insert_at_once]
            if self._insert(calling_list, text, part) < len(part):
                raise RefusedByTableError("a trigger of its table ignores the row", calling_list.name)

    def _note_highest(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        self._note_numbers(calling_list.table, *highest_in(rows))

    def open_handouts(self, handouts: Sequence[Handout], handles: Sequence[Handle]) -> None:
        """Store hand-outs with their handles, and that their records have been seen (H200)."""
        super().open_handouts(handouts, handles)
        tables = {each.dbid: each.table for each, text in self._tables.lists.items() if text is not None}
        chains = {each.handout_id: each.chain_id for each in handouts}
        seen: dict[str, tuple[int, int]] = {}
        for each in handles:
            table = tables.get(each.list_dbid, "")
            record_id, chain_id = seen.get(table, (0, 0))
            seen[table] = max(record_id, each.record_id), max(chain_id, chains[each.handout_id])
        for table, numbers in seen.items():
            self._note_numbers(table, *numbers)

    def _note_numbers(self, table: str, record_id: int, chain_id: int) -> None:
        """Remember the highest numbers of a list, which are never used again (H200)."""
        self._connection.change(NOTE_NUMBERS, (record_counter(table), record_id, chain_counter(table), chain_id))

    def copy_further_columns(self, calling_list: CallingList, source: int, target: int) -> None:
        """Give a record what another one has in the columns that `NewRecord` lacks (K13)."""
        text = self._text_of(calling_list).copy_further_columns
        if text is not None:
            self._change(calling_list, text, {"source": source, "target": target})

    def has_entries(self) -> bool:
        """Whether there may be entries in the do-not-call table at all; here that is not asked."""
        return True

    def blocked(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""
        return self._blocked_by_search_keys(calling_list, lookups, now) | self._blocked_beyond_ascii(
            calling_list, lookups, now
        )

    def _blocked_by_search_keys(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        text = self._do_not_call_text().blocked
        found = self._connection.rows(text, {**scope_of(calling_list, now), "probes": as_json(lookups)})
        return covered(lookups, found)

    def _blocked_beyond_ascii(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        """Return the places of those probes that an entry covers whose normal form SQL cannot compute."""
        if not lookups:
            return set()
        scope = scope_of(calling_list, now)
        contacts = {contact for each in lookups for contact in (each.contact, without_extension(each.contact))}
        entries = self._scopes_beyond_ascii(contacts, lookups[0].country)
        return {
            place
            for place, lookup in enumerate(lookups)
            if entries
            and any(
                each.campaign_dbid in (0, *lookup.campaign_dbids)
                and each.tenant_dbid in (0, scope["tenant"])
                and each.list_dbid in (0, scope["list"])
                and each.lasts(scope["now"])
                for contact in {lookup.contact, without_extension(lookup.contact)}
                for each in entries.get(contact, ())
            )
        }

    def find_by_contacts(self, calling_list: CallingList, contacts: Collection[str]) -> dict[str, list[Match]]:
        """Return the records whose contact has one of these normal forms, by that; none without a record (K40)."""
        country = calling_list.tenant.country
        keys = as_json(sorted({key for contact in contacts for key in search_keys(contact, country)}))
        rows = self._rows(calling_list, self._text_of(calling_list).find_by_contact, keys)
        found: dict[str, list[Match]] = {}
        for match in {match.record_id: match for match in _matches(rows)}.values():
            contact = normal_contact(match.contact_info, country)
            if contact in contacts:
                found.setdefault(contact, []).append(match)
        return found

    def find_by_customer_id(self, calling_list: CallingList, customer_id: str) -> list[Match]:
        """Return the records with this customer id (K42); none if the list has no such field."""
        text = self._text_of(calling_list).find_by_customer_id
        return [] if text is None else _matches(self._rows(calling_list, text, customer_id))

    def find_by_chain(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Match]:
        """Return all records of chains."""
        text = self._text_of(calling_list).find_by_chain
        return _matches(self._rows(calling_list, text, {"chains": as_json(list(chain_ids))}))

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""
        self._change(calling_list, self._text_of(calling_list).mark_do_not_call, as_json(record_ids))

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""
        text = self._do_not_call_text()
        contacts = [normal_contact(each.phone, each.country) if each.phone is not None else "" for each in entries]
        keys = {
            key for each, contact in zip(entries, contacts, strict=True) for key in search_keys(contact, each.country)
        }
        there: dict[tuple[int, ...], set[tuple[str, str]]] = {}
        countries = {each.country for each in entries}
        for phone, *scope in self._connection.rows(text.lasting, (as_json(sorted(keys)),)):
            forms = {(normal_contact(phone, country), country) for country in countries}
            there.setdefault(tuple(scope), set()).update(forms)
        beyond_ascii = {
            country: self._scopes_beyond_ascii(
                {contact for each, contact in zip(entries, contacts, strict=True) if each.country == country}, country
            )
            for country in countries
        }
        rows = []
        for entry, contact in zip(entries, contacts, strict=True):
            of_entry = (entry.tenant_dbid, entry.campaign_dbid, entry.list_dbid)
            known = there.setdefault(of_entry, set())
            if entry.phone is None:
                rows.append(entry)
            elif (contact, entry.country) not in known and (*of_entry, 0) not in beyond_ascii[entry.country].get(
                contact, ()
            ):
                rows.append(entry)
                known.add((contact, entry.country))
        self.entries_added(each.phone for each in rows)
        added = self._connection.change(text.insert, {"entries": as_json(rows), "now": now})
        # Those by customer id are left out by the statement itself where they exist.
        if added < len(rows) and (
            added < sum(each.phone is not None for each in rows)
            or not all(self._blocks_customer(each, now) for each in rows if each.phone is None)
        ):
            raise RefusedByTableError("a trigger ignores the entry")

    def _blocks_customer(self, entry: DoNotCallEntry, now: int) -> bool:
        """Whether the customer id of an entry is blocked, by itself or another one."""
        lookup = DncLookup("", normal_customer_id(entry.customer_id or ""), (entry.campaign_dbid,), ())
        scope = {"tenant": entry.tenant_dbid, "list": entry.list_dbid, "now": now}
        return bool(self._connection.rows(self._do_not_call_text().blocked, {**scope, "probes": as_json([lookup])}))

    # Records in process.

    def records(self, calling_list: CallingList, record_ids: Iterable[int]) -> list[Record]:
        """Return those records that exist."""
        text = self._text_of(calling_list).records
        return self._records(calling_list, self._rows(calling_list, text, as_json(list(record_ids))))

    def records_of_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return all records of chains, ordered by chain and `chain_n`."""
        text = self._text_of(calling_list).records_of_chains
        return self._records(calling_list, self._rows(calling_list, text, {"chains": as_json(list(chain_ids))}))

    def free_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return all records of chains that no other server is about to change, ordered likewise."""
        return self.records_of_chains(calling_list, chain_ids)

    def demand_all_ready(self, calling_list: CallingList, windows: Mapping[Window, int], now: int) -> None:
        """Raise `NotAloneError` if records are ready that `ready_records` has left out: alone it leaves out none."""

    def demand_alone(self) -> None:
        """Raise `NotAloneError` unless nobody else writes until the end of the transaction."""

    def record_statuses(self, calling_list: CallingList, record_ids: Iterable[int]) -> dict[int, int]:
        """Return the statuses of those records that exist and have one."""
        text = self._text_of(calling_list).record_statuses
        return dict(self._rows(calling_list, text, as_json(list(record_ids))))

    def change_records(self, calling_list: CallingList, changes: Mapping[int, Mapping[str, object]]) -> None:
        """Set columns of records; one statement for all that set the same columns (K13)."""
        text = self._text_of(calling_list)
        alike: dict[tuple[str, ...], list[list[object]]] = {}
        # By the columns that are given, in their order, those that the table has.
        known: dict[tuple[str, ...], tuple[str, ...]] = {}
        for record_id, values in changes.items():
            columns = known.get(given := tuple(values))
            if columns is None:
                columns = known[given] = tuple(sorted(each for each in given if each.lower() in text.columns))
                alike.setdefault(columns, [])
            alike[columns].append([record_id, *map(values.__getitem__, columns)])
        for columns, rows in alike.items():
            if columns:
                self._set_columns(calling_list, text, columns, rows)

    def _set_columns(
        self, calling_list: CallingList, text: ListStatements, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """Set columns of records; a row is a record id with the values."""
        self._change(calling_list, self._change_text(text, columns), as_json(rows))

    def windows(self, calling_list: CallingList, campaign_dbids: Sequence[int], agents: Sequence[str]) -> list[Window]:
        """Return the different windows of records that are ready, for these campaigns and agents."""
        pairs = as_json([(campaign, agent) for campaign in campaign_dbids for agent in agents])
        rows = self._rows(calling_list, self._text_of(calling_list).windows, pairs)
        return [Window(campaign, agent, *map(int, window.split(" "))) for campaign, agent, window in rows]

    recent_windows = windows

    def ready_records(
        self, calling_list: CallingList, windows: Mapping[Window, int], now: int, at_most: int
    ) -> list[list[Record]]:
        """Return records that are ready and due, of these windows, whose chain is not in process."""
        keys = [
            (each.campaign_dbid, each.agent, _window_text(each), kind, latest, moment)
            for each, moment in windows.items()
            for kind, latest in ((0, now), (1, _LAST_TIME))
        ]
        text, parameters, limit = self._text_of(calling_list), {"keys": as_json(keys)}, at_most
        while True:
            skipped = self._skipped(calling_list)
            if skipped:
                but = as_json(list(skipped))
                rows = self._rows(calling_list, text.ready_records_but, {**parameters, "limit": limit, "but": but})
            else:
                rows = self._rows(calling_list, text.ready_records, {**parameters, "limit": limit})
            found: list[list[Record]] = [[] for _ in keys]
            known = len(skipped)
            for row, record in zip(rows, self._readable(calling_list, rows, 1), strict=True):
                if record is None:
                    skipped[row[1]] = ""
                else:
                    found[row[0]].append(record)
            if len(skipped) == known:
                return found
            # Those that cannot be read must not hide the ones behind them.
            limit = max(at_most, min(_MOST_READ, limit * _GROWTH))

    def waiting_agents(
        self, calling_list: CallingList, campaign_dbids: Sequence[int], after: str, at_most: int
    ) -> list[str]:
        """Return agents for whom records are ready, in order behind `after`, at most so many (H360)."""
        parameters = {
            "campaigns": as_json(list(campaign_dbids)),
            "after": after,
            "limit": at_most,
            # The beginning of each campaign, and each agent once for each campaign.
            "rows": len(campaign_dbids) * (at_most + 1),
        }
        return [row[0] for row in self._rows(calling_list, self._text_of(calling_list).waiting_agents, parameters)]

    def reset_unexplained(self, calling_list: CallingList) -> int:
        """Set records in process that no hand-out explains to ready; return how many there were (K2)."""
        text = self._text_of(calling_list)
        if calling_list.table not in self._tables.unsettled:
            return 0
        count = self._change(calling_list, text.reset_unexplained, calling_list.dbid)
        self.settled.add(calling_list.table)
        return count

    # The rest.

    def do_not_call_widths(self) -> tuple[int, int]:
        """Return how many characters the columns for contacts and customer ids take (K44)."""
        return self._tables.do_not_call_widths

    def unreadable(self, calling_list: CallingList, record_id: int) -> str | None:
        """Return the column with which a record met in this transaction cannot be represented (K63)."""
        return self._unreadable.get((calling_list.dbid, record_id))

    def _records(self, calling_list: CallingList, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
        """Return the records that can be represented (K63)."""
        return [each for each in self._readable(calling_list, rows) if each is not None]

    def _readable(
        self, calling_list: CallingList, rows: Sequence[tuple[Any, ...]], first: int = 0
    ) -> Sequence[Record | None]:
        """Return the records of rows, which begin at the column `first`; None for one that cannot be represented."""
        plain = plain_records(calling_list, rows, self._tables.largest_record, first)
        return plain if plain is not None else [self._record(calling_list, row[first:]) for row in rows]

    def _record(self, calling_list: CallingList, row: Sequence[Any]) -> Record | None:
        place = unreadable_column(row, self._tables.largest_record)
        if place is None:
            return record_of(calling_list, row)
        column = column_at(calling_list, place)
        self._unreadable[calling_list.dbid, row[0]] = column
        if self._tables.is_new_fault(calling_list, row[0]):
            self._report(93126, calling_list=calling_list.name, record=row[0], column=column)
        return None

    def _skipped(self, calling_list: CallingList) -> dict[Any, str]:
        """Return the records that previews pass over, until another program writes: it may have corrected them."""
        skipped = self._tables.skipped.setdefault(calling_list.table, {})
        if skipped:
            version = self._written_by_others()
            if version != self._tables.skipped_at:
                skipped.clear()
                self._tables.skipped_at = version
        return skipped

    def _text_of(self, calling_list: CallingList) -> ListStatements:
        text = self._tables.lists.get(calling_list)
        if text is None:
            raise UnavailableListError(calling_list)
        return text

    def _do_not_call_text(self) -> DncStatements:
        if self._tables.do_not_call is None:
            raise StoreFailureError("the do-not-call table is not open")
        return self._tables.do_not_call

    def _rows(self, calling_list: CallingList, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.rows(text, _given(parameters))
        except StatementError as error:
            raise self._closed(calling_list, str(error)) from None

    def _change(self, calling_list: CallingList, text: str, *parameters: object) -> int:
        """Carry out a statement that changes rows of a list; return how many."""
        self._changed[calling_list] = None
        try:
            return self._connection.change(text, _given(parameters))
        except StatementError as error:
            raise self._closed(calling_list, str(error)) from None
        except UnstorableTextError:
            raise
        except RefusedByTableError as error:
            raise self._refused(calling_list, self._refusal(calling_list, error.reason)) from None

    def look_at_tables(self) -> None:
        """Close the lists whose tables no longer have the columns that they need: somebody has changed tables (K16)."""
        for calling_list in [each for each, text in self._tables.lists.items() if text is not None]:
            self._closed_by_columns(calling_list)

    def _closed(self, calling_list: CallingList, reason: str) -> UnavailableListError:
        """Somebody has changed or dropped the table while we run, which a statement has found: `reason` (K16)."""
        if not self._closed_by_columns(calling_list):
            self._note_change(calling_list, reason)
        return UnavailableListError(calling_list)

    def _closed_by_columns(self, calling_list: CallingList) -> bool:
        """Close a list whose table no longer has the columns that it needs; return whether it is so."""
        misfit = self._misfit(calling_list)
        if misfit:
            self._tables.close(calling_list)
            self._note_change(calling_list, f"it {misfit}")
        return bool(misfit)

    def _note_change(self, calling_list: CallingList, reason: str) -> None:
        if self._tables.is_newly_changed(calling_list, reason):
            self._report(93127, calling_list=calling_list.name, table=calling_list.table, reason=reason)


def names_of_numbers(calling_list: CallingList) -> dict[str, str]:
    """Return the parameters of `highest_ids`."""
    return {"records": record_counter(calling_list.table), "chains": chain_counter(calling_list.table)}


def highest_in(rows: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """Return the highest record id and chain id of rows as they are inserted, 0 without any."""
    return max(map(_RECORD_ID, rows), default=0), max(map(_CHAIN_ID, rows), default=0)


def highest_of(found: Sequence[int | None]) -> tuple[int, int]:
    """Return the highest record id and chain id, of what `highest_ids` finds."""
    record_id, chain_id = (max(int(each or 0) for each in part) for part in (found[:2], found[2:]))
    return record_id, chain_id


def covered(lookups: Sequence[DncLookup], found: Iterable[tuple[int, str | None]]) -> set[int]:
    """Return the places of look-ups that entries cover; without a contact the customer id is the same."""
    return {place for place, phone in found if phone is None or lookups[place].is_covered_by(phone)}


def _window_text(window: Window) -> str:
    """Return the window as it stands in the index."""
    return f"{window.tz_dbid} {window.shape} {window.from_slot} {window.till_slot} {window.priority}"


def _matches(rows: Iterable[Sequence[Any]]) -> list[Match]:
    """Return the records whose contact can be represented by their ids; other programs may have given no number."""
    found = (Match(*row) for row in rows if is_text(row[2]))
    return sorted(found, key=lambda each: (0, each.record_id) if isinstance(each.record_id, int) else (1, 0))


def _given(parameters: Sequence[object]) -> Any:
    """Return the parameters of a statement, which may be given as one list, or by their names."""
    return parameters[0] if parameters and isinstance(parameters[0], dict | list) else parameters
