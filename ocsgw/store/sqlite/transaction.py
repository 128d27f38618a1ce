"""What a transaction of the embedded store does in its own way."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import quote

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.outbox import OutboxEntry
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    NewRecord,
    Record,
    RefusedByTableError,
    StoreFailureError,
    row_of,
)
from ocsgw.store.bulk import BulkTransaction
from ocsgw.store.engine import Report
from ocsgw.store.errors import UndoneTransactionError
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.outbox import OUTBOX_COLUMNS, OUTBOX_KINDS
from ocsgw.store.own_tables import AUDIT_POSITION
from ocsgw.store.sqlite.as_stored import as_stored
from ocsgw.store.sqlite.connection import Connection
from ocsgw.store.sqlite.refusals import refused_by
from ocsgw.store.sqlite.statements import change_text
from ocsgw.store.texts import ROWS_AT_ONCE, DncStatements, ListStatements
from ocsgw.store.transaction import highest_of, names_of_numbers


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


@lru_cache(maxsize=1024)
def _before_adding_text(text: ListStatements, do_not_call: DncStatements) -> str:
    return f"SELECT EXISTS (SELECT 1 FROM {do_not_call.table}), {do_not_call.any_beyond_ascii}, {text.highest_ids}"


@lru_cache(maxsize=ROWS_AT_ONCE)
def _append_text(rows: int) -> str:
    row = f"({', '.join('?' * len(OUTBOX_KINDS))})"
    return f"INSERT INTO ocsgw_outbox ({OUTBOX_COLUMNS}) VALUES {', '.join([row] * rows)}"


class SQLiteTransaction(BulkTransaction):
    """One write transaction."""

    _connection: Connection
    _dialect = SQLiteDialect()
    _newest_outbox = "SELECT seq FROM sqlite_sequence WHERE name = 'ocsgw_outbox'"

    def __init__(self, connection: Connection, tables: OpenTables, report: Report) -> None:
        super().__init__(connection, tables, report)
        self._changes_before = connection.raw.total_changes

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order."""
        for begin in range(0, len(entries), ROWS_AT_ONCE):
            part = entries[begin : begin + ROWS_AT_ONCE]
            values = [value for each in part for value in msgspec.structs.astuple(each)[1:]]
            self._connection.change(_append_text(len(part)), values)

    def before_adding(
        self, calling_list: CallingList, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return the highest ids and what is blocked; where there are no entries, no look-up is even made."""
        text = _before_adding_text(self._text_of(calling_list), self._do_not_call_text())
        ((has_entries, any_beyond_ascii, *highest),) = self._rows(calling_list, text, names_of_numbers(calling_list))
        blocked: set[int] = set()
        if has_entries:
            asked = lookups()
            blocked = self._blocked_by_search_keys(calling_list, asked, now)
            if any_beyond_ascii:
                blocked |= self._blocked_beyond_ascii(calling_list, asked, now)
        return Admission(*highest_of(highest), blocked)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if an exception leaves the block."""
        connection = self._connection
        # Before the first change the transaction itself can be undone: most batches are one run.
        is_first = connection.raw.total_changes == self._changes_before
        if not is_first:
            connection.change("SAVEPOINT run")
        try:
            yield
        except StoreFailureError:
            # The transaction can only be left.
            raise
        except BaseException as error:
            if is_first:
                self._begin_again()
            elif isinstance(error, RefusedByTableError) and not connection.raw.in_transaction:
                # RAISE(ROLLBACK): what was done before the savepoint is gone too.
                raise UndoneTransactionError(error) from None
            else:
                connection.change("ROLLBACK TO run")
                connection.change("RELEASE run")
            raise
        if not is_first:
            connection.change("RELEASE run")

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
        stored = as_stored(calling_list, text, records, self._tables.largest_record) if was_all else None
        ids = [record.record_id for record in records]
        if stored is not None and self.records(calling_list, ids[-1:]) == stored[-1:]:
            return stored
        return self.records(calling_list, ids)

    def _change_text(self, text: ListStatements, columns: Sequence[str]) -> str:
        return change_text(text, columns)

    def _written_by_others(self) -> object:
        ((version,),) = self._connection.rows("PRAGMA data_version")
        return version

    _version_of_entries = _written_by_others

    def _refusal(self, calling_list: CallingList, reason: str) -> str:
        return refused_by(self._connection, calling_list.table, reason)


def open_read_only(file: str) -> sqlite3.Connection:
    """Open a store without changing anything in it. Raises `sqlite3.Error`."""
    return sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, isolation_level=None)


def read_audit_position(connection: sqlite3.Connection) -> tuple[int, str] | None:
    """Return number and hash of the last line of the audit log that a store knows."""
    rows = connection.execute(AUDIT_POSITION).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None
