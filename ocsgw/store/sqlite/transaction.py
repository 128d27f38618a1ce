"""What a transaction of the embedded store does in its own way."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any
from urllib.parse import quote

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    NewRecord,
    Record,
    RefusedByTableError,
    StoreFailureError,
    row_of,
)
from ocsgw.store.dialect import as_json
from ocsgw.store.engine import Report
from ocsgw.store.errors import RunFailedError, UndoneTransactionError
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.outbox import OUTBOX_COLUMNS, OUTBOX_KINDS
from ocsgw.store.own_tables import AUDIT_POSITION
from ocsgw.store.sqlite.as_stored import as_stored
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.forms import quoted
from ocsgw.store.sqlite.in_process import RememberingTransaction
from ocsgw.store.sqlite.numbers import Memory, Numbers
from ocsgw.store.sqlite.refusals import refused_by
from ocsgw.store.sqlite.statements import change_text, same_text
from ocsgw.store.sqlite.tables import SQLiteTables
from ocsgw.store.texts import ROWS_AT_ONCE, DncStatements, ListStatements
from ocsgw.store.transaction import NOTE_NUMBERS, names_of_numbers, scope_of

# So many statements with values of their own cost less than one that reads the values of each row from JSON.
_FEW = 4
_NOTED = "SELECT name, value FROM ocsgw_counter WHERE name IN (?, ?)"


class SQLiteDialect:
    """`store.dialect.Dialect` of SQLite."""

    def numbers(self, parameter: str) -> str:
        """Return the query for the numbers of a JSON list."""
        return f"SELECT value FROM json_each({parameter})"

    texts = numbers

    def table(self, parameter: str, kinds: str) -> str:
        """Return the query for the rows of a JSON list of lists."""
        columns = ", ".join(f"json_extract(value, '$[{at}]') AS c{at}" for at in range(len(kinds)))
        return f"SELECT {columns} FROM json_each({parameter})"


def _alike(rows: Sequence[Sequence[object]]) -> dict[tuple[object, ...], list[object]] | None:
    """Return the numbers of rows, which come first in them, by their other values; None if these are many."""
    alike: dict[tuple[object, ...], list[object]] = {}
    for number, *values in rows:
        alike.setdefault(tuple(values), []).append(number)
    return alike if len(alike) <= _FEW or len(alike) * _FEW <= len(rows) else None


@lru_cache(maxsize=1024)
def _before_adding_text(text: ListStatements, do_not_call: DncStatements) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {do_not_call.table}), {do_not_call.any_beyond_ascii}, {text.highest_ids}"


@lru_cache(maxsize=64)
def _entries_text(do_not_call: DncStatements) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {do_not_call.table}), {do_not_call.any_beyond_ascii}"


@lru_cache(maxsize=8 * ROWS_AT_ONCE)
def _append_text(table: str, columns: str, rows: int) -> str:
    row = f"({', '.join('?' * (columns.count(',') + 1))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)}"


class SQLiteTransaction(RememberingTransaction):
    """One write transaction."""

    _dialect = SQLiteDialect()
    _newest_outbox = "SELECT seq FROM sqlite_sequence WHERE name = 'ocsgw_outbox'"

    def __init__(self, connection: Connection, tables: OpenTables, report: Report, memory: Memory) -> None:
        super().__init__(connection, tables, report)
        self._begin_to_remember(memory)
        # What has become of the numbers of lists in this transaction.
        self._numbers: dict[str, Numbers] = {}
        self._changes_before = connection.raw.total_changes
        self._has_savepoints = True

    def committed(self) -> None:
        """The transaction has been committed."""
        self._tables.unsettled -= self.settled
        self._memory.numbers.update(self._numbers)
        self._remember()

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order."""
        rows = [msgspec.structs.astuple(each)[1:] for each in entries]
        self._append("ocsgw_outbox", OUTBOX_COLUMNS, OUTBOX_KINDS, rows)

    def _append(self, table: str, columns: str, kinds: str, rows: Sequence[Sequence[object]]) -> int:
        """Store new rows, as values: read as JSON each value would cost as much as its column."""
        count = 0
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[begin : begin + ROWS_AT_ONCE]
            count += self._connection.change(_append_text(table, columns, len(part)), [*chain.from_iterable(part)])
        self._memory.account(count)
        if count < len(rows):
            self._forget_chains()
        return count

    def _replace(self, table: str, key: str, columns: str, kinds: str, rows: Sequence[Sequence[object]]) -> None:
        before = self._connection.changed
        super()._replace(table, key, columns, kinds, rows)
        self._account_for(before)

    def new_handles(self, count: int) -> int:
        """Reserve so many record handles and return the first; they ascend and never come again (H310)."""
        first = super().new_handles(count)
        self._memory.account(1)
        return first

    def _group_rows(self) -> Sequence[tuple[Any, ...]]:
        if not self._memory.is_sure(self._connection) or self._memory.groups is None:
            self._memory.groups = super()._group_rows()
        return self._memory.groups

    def save_audit_position(self, number: int, mark: str) -> None:
        """Store number and hash of the last line of the audit log, with the changes that it stands for."""
        before = self._connection.changed
        super().save_audit_position(number, mark)
        self._account_for(before)

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Store notifications behind all others, which gives them their numbers."""
        before = self._connection.changed
        super().add_deliveries(deliveries)
        self._account_for(before)

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return the highest ids and what is blocked; where there are no entries, no look-up is even made.

        While nobody else has written anything, nothing is asked but for that.
        """
        if not self._memory.is_current(self._connection, calling_list.table):
            self._read_numbers(calling_list)
        known, blocked = self._numbers_of(calling_list.table), set[int]()
        if self._memory.has_entries:
            asked = lookups()
            blocked = self._blocked_by_search_keys(calling_list, asked, now)
            if self._memory.any_beyond_ascii:
                blocked |= self._blocked_beyond_ascii(calling_list, asked, now)
        return Admission(known.record_id, known.chain_id, blocked)

    def has_entries(self) -> bool:
        """Whether there are entries in the do-not-call table at all."""
        if not self._memory.knows_entries(self._connection):
            has_entries, any_beyond_ascii = self._connection.rows(_entries_text(self._do_not_call_text()))[0]
            self._memory.has_read_entries(
                self._connection, has_entries=bool(has_entries), any_beyond_ascii=bool(any_beyond_ascii)
            )
        return self._memory.has_entries

    def blocked(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        """Return the places of those probes that an entry of the do-not-call table covers."""
        if not self.has_entries():
            return set()
        blocked = self._blocked_by_search_keys(calling_list, lookups, now)
        if self._memory.any_beyond_ascii:
            blocked |= self._blocked_beyond_ascii(calling_list, lookups, now)
        return blocked

    def _blocked_by_search_keys(self, calling_list: CallingList, lookups: Sequence[DncLookup], now: int) -> set[int]:
        text = self._do_not_call_text().blocking
        if text is None:
            return super()._blocked_by_search_keys(calling_list, lookups, now)
        of_keys: dict[str, list[int]] = {}
        of_customers: dict[str, list[int]] = {}
        for place, each in enumerate(lookups):
            for key in each.keys:
                of_keys.setdefault(key, []).append(place)
            if each.customer_id is not None:
                of_customers.setdefault(each.customer_id, []).append(place)
        asked = {"keys": as_json([*of_keys]), "customers": as_json([*of_customers])}
        return {
            place
            for value, phone, campaign in self._connection.rows(text, {**scope_of(calling_list, now), **asked})
            for place in (of_customers[value] if phone is None else of_keys[value])
            if (campaign == 0 or campaign in lookups[place].campaign_dbids)
            and (phone is None or lookups[place].is_covered_by(phone))
        }

    def _read_numbers(self, calling_list: CallingList) -> None:
        """Read the highest ids of a list, and whether there are do-not-call entries."""
        table = calling_list.table
        text = _before_adding_text(self._text_of(calling_list), self._do_not_call_text())
        found = self._rows(calling_list, text, names_of_numbers(calling_list))
        ((has_entries, any_beyond_ascii, record_id, noted_record_id, *chain_ids, noted_chain_id),) = found
        known = self._numbers.get(table) or self._memory.numbers.get(table)
        noted = Numbers.noted(noted_record_id or 0, noted_chain_id or 0)
        if known is not None and any(now < before for now, before in zip(noted[2:], known[2:], strict=True)):
            # Bounds do not go back: these are of another store, which has taken the place of the one that we knew.
            known = None
        if known is None or known[2:] != noted[2:]:
            # Up to what somebody else has noted, a process before this one as a rule, any number may have been used.
            used = known or noted
            known = noted._replace(
                record_id=max(used.record_id, noted.record_id), chain_id=max(used.chain_id, noted.chain_id)
            )
        in_table = record_id or 0, max(each or 0 for each in chain_ids)
        self._numbers[table] = known._replace(
            record_id=max(known.record_id, in_table[0]), chain_id=max(known.chain_id, in_table[1])
        )
        self._memory.has_read(
            self._connection, table, has_entries=bool(has_entries), any_beyond_ascii=bool(any_beyond_ascii)
        )

    def _numbers_of(self, table: str) -> Numbers:
        """Return what is known of the numbers of a table; at first that is what was noted of them."""
        known = self._numbers.get(table) or self._memory.numbers.get(table)
        if known is None:
            noted = dict(self._connection.rows(_NOTED, (record_counter(table), chain_counter(table))))
            known = Numbers.noted(noted.get(record_counter(table), 0), noted.get(chain_counter(table), 0))
        return known

    def _insert_rows(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        super()._insert_rows(calling_list, rows)
        self._memory.account(len(rows))
        self._forget_chains_of(calling_list, rows)

    def _note_numbers(self, table: str, record_id: int, chain_id: int) -> None:
        known = self._numbers_of(table)
        used = known.with_used(record_id, chain_id)
        if used[2:] != known[2:]:
            values = (record_counter(table), used.noted_record_id, chain_counter(table), used.noted_chain_id)
            self._memory.account(self._connection.change(NOTE_NUMBERS, values))
        self._numbers[table] = used

    def savepoint(self) -> "_Savepoint":
        """Undo what is done inside if an exception leaves the block."""
        return _Savepoint(self)

    def spare_savepoints(self) -> None:
        """Let runs begin without a savepoint: each page that a run changes would be copied for it."""
        self._has_savepoints = False

    def begin_run(self) -> dict[str, Numbers] | None:
        """Begin what can be undone; return what `undo_run` needs.

        Before the first change the transaction itself can be undone: most batches are one run, which costs nothing.
        """
        if self._connection.raw.total_changes == self._changes_before:
            return None
        if self._has_savepoints:
            self._connection.change("SAVEPOINT run")
        return self._numbers.copy()

    def end_run(self, numbers: dict[str, Numbers] | None) -> None:
        """What was begun by `begin_run` stays."""
        if numbers is not None and self._has_savepoints:
            self._connection.change("RELEASE run")

    def undo_run(self, numbers: dict[str, Numbers] | None, error: BaseException) -> None:
        """Undo what was done since `begin_run`.

        Raises `UndoneTransactionError` if more had to be undone, `RunFailedError` where there is no savepoint.
        """
        connection = self._connection
        self._forget_chains()
        if numbers is None:
            self._begin_again()
        elif isinstance(error, RefusedByTableError) and not connection.raw.in_transaction:
            # RAISE(ROLLBACK): what was done before the savepoint is gone too.
            raise UndoneTransactionError(error) from None
        elif not self._has_savepoints:
            raise RunFailedError from None
        else:
            connection.change("ROLLBACK TO run")
            connection.change("RELEASE run")
        self._numbers = numbers or {}

    def _begin_again(self) -> None:
        if self._connection.raw.in_transaction:
            self._connection.change("ROLLBACK")
        self._connection.begin_again()
        self._changes_before = self._connection.raw.total_changes

    def import_records(self, calling_list: CallingList, records: Sequence[NewRecord]) -> list[Record]:
        """Insert rows and return those that can be represented as they are read from now on.

        They are not read for that where no trigger has changed anything, and what is true of one is true of all.
        """
        raw, text = self._connection.raw, self._text_of(calling_list)
        before = raw.total_changes
        rows = list(map(row_of, records))
        self._insert_rows(calling_list, rows)
        was_all = raw.total_changes - before == len(records)
        self._note_highest(calling_list, rows)
        stored = as_stored(calling_list, text, records, rows, self._tables.largest_record) if was_all else None
        ids = [record.record_id for record in records]
        if stored is not None and self.records(calling_list, ids[-1:]) == stored[-1:]:
            return stored
        return self.records(calling_list, ids)

    def _change_text(self, text: ListStatements, columns: Sequence[str]) -> str:
        return change_text(text, columns)

    def _set_columns(
        self, calling_list: CallingList, text: ListStatements, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        alike = _alike(rows)
        if alike is None:
            super()._set_columns(calling_list, text, columns, rows)
            return
        same = same_text(text.table, "record_id", tuple(map(quoted, columns)))
        for shared, record_ids in alike.items():
            self._change(calling_list, same, *shared, as_json(record_ids))

    def _change_rows(self, table: str, columns: Sequence[str], kinds: str, rows: Sequence[Sequence[object]]) -> None:
        alike = _alike(rows)
        if alike is None:
            super()._change_rows(table, columns, kinds, rows)
            return
        same = same_text(table, columns[0], tuple(columns[1:]))
        for shared, numbers in alike.items():
            self._connection.change(same, (*shared, as_json(numbers)))

    def _written_by_others(self) -> object:
        ((version,),) = self._connection.rows("PRAGMA data_version")
        return version

    _version_of_entries = _written_by_others

    def _misfit(self, calling_list: CallingList) -> str:
        tables = SQLiteTables(self._connection, self._report, create=False, create_indexes=False, may_index=False)
        return tables.misfit(calling_list)

    def _refusal(self, calling_list: CallingList, reason: str) -> str:
        return refused_by(self._connection, calling_list.table, reason)


class _Savepoint:
    """What `savepoint` returns; no generator, which would cost each batch a microsecond."""

    __slots__ = ("_numbers", "_tx")

    def __init__(self, tx: SQLiteTransaction) -> None:
        self._tx = tx
        self._numbers: dict[str, Numbers] | None = None

    def __enter__(self) -> None:
        self._numbers = self._tx.begin_run()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._tx.end_run(self._numbers)
        elif not isinstance(error, StoreFailureError):
            # After such a failure the transaction can only be left.
            self._tx.undo_run(self._numbers, error)


def open_read_only(file: str) -> sqlite3.Connection:
    """Open a store without changing anything in it. Raises `sqlite3.Error`."""
    return sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, isolation_level=None)


def read_audit_position(connection: sqlite3.Connection) -> tuple[int, str] | None:
    """Return number and hash of the last line of the audit log that a store knows."""
    rows = connection.execute(AUDIT_POSITION).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None
