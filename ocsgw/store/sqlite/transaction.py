"""One transaction of the embedded store, in the language of the rules."""

import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact, search_keys, without_extension
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    DoNotCallEntry,
    Match,
    NewRecord,
    Record,
    StoreFailureError,
    UnavailableListError,
    Window,
)
from ocsgw.store.sqlite.do_not_call import DncStatements
from ocsgw.store.sqlite.own_tables import OwnTables, as_json
from ocsgw.store.sqlite.statements import ListStatements, change_text, insert_text

# These concern one statement or one table; every other error means that the store itself fails (C41).
_OF_A_STATEMENT = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})


# Later than every time that a column can hold.
_LAST_TIME = 1 << 60


def _record(calling_list: CallingList, row: Sequence[Any]) -> Record:
    further = _FIXED + len(calling_list.fields)
    return Record(*row[:_FIXED], list(row[_FIXED:further]), list(row[further:]))  # type: ignore[call-arg]  # so many


def _scope(calling_list: CallingList, now: int) -> dict[str, int]:
    return {"tenant": calling_list.tenant.dbid, "list": calling_list.dbid, "now": now}


@lru_cache(maxsize=1024)
def _before_adding_text(text: ListStatements, do_not_call: DncStatements) -> str:
    return (
        f"SELECT (SELECT json_group_array(json_array(place, phone)) FROM ({do_not_call.blocked})),"
        f" EXISTS ({do_not_call.beyond_ascii}), {text.highest_ids}"
    )


_FIXED = len(Record.__struct_fields__) - 2


class SQLiteTransaction(OwnTables):
    """One write transaction; the methods are those of `contact.transaction.Transaction`.

    `unsettled` are the tables whose records in process have not been looked after since they were opened (K2), and
    `settled` those for which this transaction has done it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        lists: Mapping[CallingList, ListStatements | None],
        do_not_call: DncStatements | None,
        do_not_call_widths: tuple[int, int],
        unsettled: Container[str] = (),
    ) -> None:
        self._connection = connection
        self._lists = lists
        self._do_not_call = do_not_call
        self._widths = do_not_call_widths
        self._unsettled = unsettled
        self.settled: set[str] = set()
        self._changes_before = connection.total_changes

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if an exception leaves the block."""
        connection = self._connection
        # Before the first change the transaction itself can be undone: most batches are one run.
        is_first = connection.total_changes == self._changes_before
        if not is_first:
            connection.execute("SAVEPOINT run")
        try:
            yield
        except BaseException as error:
            if isinstance(error, sqlite3.Error) and primary_code(error) not in _OF_A_STATEMENT:
                raise StoreFailureError(str(error)) from error
            if is_first:
                self._begin_again()
            else:
                connection.execute("ROLLBACK TO run")
                connection.execute("RELEASE run")
            raise
        if not is_first:
            connection.execute("RELEASE run")

    def _begin_again(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StoreFailureError(str(error)) from error
        self._changes_before = self._connection.total_changes

    def before_adding(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> Admission:
        """Return the highest record id and chain id of a list, 0 without rows, and what `blocked` returns.

        All of it in one statement: it is asked for every run of added records.
        """
        text = _before_adding_text(self._text_of(calling_list), self._do_not_call_text())
        scope = _scope(calling_list, now)
        row = self._query(calling_list, text, {**scope, "probes": as_json(lookups)}).fetchone()
        found, any_beyond_ascii, record_id, *chain_ids = row
        blocked = _covered(lookups, msgspec.json.decode(found, type=list[tuple[int, str | None]]))
        if any_beyond_ascii:
            blocked |= self._blocked_beyond_ascii(lookups, scope)
        return Admission(record_id or 0, max(chain_id or 0 for chain_id in chain_ids), blocked)

    def chain_ends(self, calling_list: CallingList, chain_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest `chain_n` of those chains that exist."""
        text = self._text_of(calling_list).chain_ends
        return dict(self._query(calling_list, text, {"chains": as_json(list(chain_ids))}).fetchall())

    def insert_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> None:
        """Insert rows."""
        text = self._text_of(calling_list)
        for begin in range(0, len(records), text.insert_at_once):
            rows = records[begin : begin + text.insert_at_once]
            values: list[Any] = []
            for record in rows:
                values += msgspec.structs.astuple(record)
                # The custom columns stand last, as a list.
                values += values.pop()
            self._query(calling_list, insert_text(text, len(rows)), *values)

    def copy_further_columns(self, calling_list: CallingList, source: int, target: int) -> None:
        """Give a record what another one has in the columns that `NewRecord` lacks (K13)."""
        text = self._text_of(calling_list).copy_further_columns
        if text is not None:
            self._query(calling_list, text, {"source": source, "target": target})

    def blocked(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""
        text = self._do_not_call_text()
        scope = _scope(calling_list, now)
        found = self._connection.execute(text.blocked, {**scope, "probes": as_json(lookups)}).fetchall()
        return _covered(lookups, found) | self._blocked_beyond_ascii(lookups, scope)

    def _blocked_beyond_ascii(self, lookups: Sequence[DncLookup], scope: Mapping[str, int]) -> set[int]:
        """Return the places of those probes that an entry covers whose normal form SQL cannot compute."""
        found = self._connection.execute(self._do_not_call_text().beyond_ascii, scope).fetchall()
        country = lookups[0].country if lookups else ""
        covering = {(normal_contact(phone, country), campaign) for phone, campaign in found}
        return {
            place
            for place, lookup in enumerate(lookups)
            if covering
            and any(
                (contact, campaign) in covering
                for contact in {lookup.contact, without_extension(lookup.contact)}
                for campaign in (0, *lookup.campaign_dbids)
            )
        }

    def find_by_contact(self, calling_list: CallingList, contact: str) -> list[Match]:
        """Return the records whose contact has this normal form in the country of the list's tenant (K40)."""
        country = calling_list.tenant.country
        keys = as_json(search_keys(contact, country))
        found = self._query(calling_list, self._text_of(calling_list).find_by_contact, keys)
        matches = {row[0]: Match(*row) for row in found}
        return [match for match in matches.values() if normal_contact(match.contact_info, country) == contact]

    def find_by_customer_id(self, calling_list: CallingList, customer_id: str) -> list[Match]:
        """Return the records with this customer id (K42); none if the list has no such field."""
        text = self._text_of(calling_list).find_by_customer_id
        return [] if text is None else [Match(*row) for row in self._query(calling_list, text, customer_id)]

    def find_by_chain(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Match]:
        """Return all records of chains."""
        text = self._text_of(calling_list).find_by_chain
        return [Match(*row) for row in self._query(calling_list, text, {"chains": as_json(list(chain_ids))})]

    def mark_do_not_call(self, calling_list: CallingList, record_ids: Sequence[int]) -> None:
        """Mark records: type 7, call result 51, status 3 unless in process (H262)."""
        self._query(calling_list, self._text_of(calling_list).mark_do_not_call, as_json(record_ids))

    def add_do_not_call(self, entries: Sequence[DoNotCallEntry], now: int) -> None:
        """Make entries, except those that exist with the same scope and without an end (H264)."""
        text = self._do_not_call_text()
        contacts = [normal_contact(each.phone, each.country) if each.phone is not None else "" for each in entries]
        keys = {
            key for each, contact in zip(entries, contacts, strict=True) for key in search_keys(contact, each.country)
        }
        there: dict[tuple[int, ...], list[str]] = {}
        for phone, *scope in self._connection.execute(text.lasting, (as_json(sorted(keys)),)).fetchall():
            there.setdefault(tuple(scope), []).append(phone)
        rows = []
        for entry, contact in zip(entries, contacts, strict=True):
            known = there.setdefault((entry.tenant_dbid, entry.campaign_dbid, entry.list_dbid), [])
            if entry.phone is None:
                rows.append(entry)
            elif all(normal_contact(phone, entry.country) != contact for phone in known):
                rows.append(entry)
                known.append(entry.phone)
        self._connection.execute(text.insert, {"entries": as_json(rows), "now": now})

    # Records in process.

    def records(self, calling_list: CallingList, record_ids: Iterable[int]) -> list[Record]:
        """Return those records that exist."""
        text = self._text_of(calling_list).records
        return [_record(calling_list, row) for row in self._query(calling_list, text, as_json(list(record_ids)))]

    def records_of_chains(self, calling_list: CallingList, chain_ids: Iterable[int]) -> list[Record]:
        """Return all records of chains, ordered by chain and `chain_n`."""
        text = self._text_of(calling_list).records_of_chains
        return [
            _record(calling_list, row) for row in self._query(calling_list, text, {"chains": as_json(list(chain_ids))})
        ]

    def change_records(self, calling_list: CallingList, changes: Mapping[int, Mapping[str, object]]) -> None:
        """Set columns of records; one statement for all that set the same columns (K13)."""
        text = self._text_of(calling_list)
        alike: dict[tuple[str, ...], list[list[object]]] = {}
        for record_id, values in changes.items():
            columns = tuple(sorted(column for column in values if column.lower() in text.columns))
            alike.setdefault(columns, []).append([record_id, *(values[column] for column in columns)])
        for columns, rows in alike.items():
            if columns:
                self._query(calling_list, change_text(text, columns), as_json(rows))

    def windows(self, calling_list: CallingList, campaign_dbids: Sequence[int], agents: Sequence[str]) -> list[Window]:
        """Return the different windows of records that are ready, for these campaigns and agents."""
        pairs = as_json([(campaign, agent) for campaign in campaign_dbids for agent in agents])
        rows = self._query(calling_list, self._text_of(calling_list).windows, pairs)
        return [Window(campaign, agent, *map(int, window.split(" "))) for campaign, agent, window in rows]

    def ready_records(
        self, calling_list: CallingList, windows: Mapping[Window, int], now: int, at_most: int
    ) -> list[list[Record]]:
        """Return records that are ready and due, of these windows, whose chain is not in process."""
        keys = [
            (each.campaign_dbid, each.agent, _window_text(each), kind, latest, moment)
            for each, moment in windows.items()
            for kind, latest in ((0, now), (1, _LAST_TIME))
        ]
        text = self._text_of(calling_list).ready_records
        found: list[list[Record]] = [[] for _ in keys]
        for key, *row in self._query(calling_list, text, {"keys": as_json(keys), "limit": at_most}):
            found[key].append(_record(calling_list, row))
        return found

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
        return [row[0] for row in self._query(calling_list, self._text_of(calling_list).waiting_agents, parameters)]

    def reset_unexplained(self, calling_list: CallingList) -> int:
        """Set records in process that no hand-out explains to ready; return how many there were (K2)."""
        text = self._text_of(calling_list)
        if calling_list.table not in self._unsettled:
            return 0
        count = self._query(calling_list, text.reset_unexplained, calling_list.dbid).rowcount
        self.settled.add(calling_list.table)
        return count

    # The rest.

    def do_not_call_widths(self) -> tuple[int, int]:
        """Return how many characters the columns for contacts and customer ids take (K44)."""
        return self._widths

    def _text_of(self, calling_list: CallingList) -> ListStatements:
        text = self._lists.get(calling_list)
        if text is None:
            raise UnavailableListError(calling_list.name)
        return text

    def _do_not_call_text(self) -> DncStatements:
        if self._do_not_call is None:
            raise StoreFailureError("the do-not-call table is not open")
        return self._do_not_call

    def _query(self, calling_list: CallingList, text: str, *parameters: object) -> sqlite3.Cursor:
        given = parameters[0] if parameters and isinstance(parameters[0], dict) else parameters
        try:
            return self._connection.execute(text, given)
        except sqlite3.OperationalError as error:
            if primary_code(error) == sqlite3.SQLITE_ERROR:
                # Somebody has changed or dropped the table while we run (K16).
                raise UnavailableListError(f"{calling_list.name}: {error}") from error
            raise


def _covered(lookups: Sequence[DncLookup], found: Iterable[tuple[int, str | None]]) -> set[int]:
    """Return the places of look-ups that entries cover; without a contact the customer id is the same."""
    return {place for place, phone in found if phone is None or lookups[place].is_covered_by(phone)}


def _window_text(window: Window) -> str:
    """Return the window as it stands in the index."""
    return f"{window.tz_dbid} {window.shape} {window.from_slot} {window.till_slot} {window.priority}"


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code of an error of SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
