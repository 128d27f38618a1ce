"""What a transaction on PostgreSQL does in its own way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from ocsgw.contact.directory import CallingList
from ocsgw.contact.outbox import OutboxEntry
from ocsgw.contact.transaction import (
    Admission,
    DncLookup,
    RefusedByTableError,
    StoreFailureError,
    UnavailableListError,
    UnstorableTextError,
)
from ocsgw.store.bulk import BulkTransaction
from ocsgw.store.dialect import as_json, upsert
from ocsgw.store.engine import Report
from ocsgw.store.errors import ConflictError, NotPrimaryError
from ocsgw.store.list_counters import chain_counter, record_counter
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.outbox import OUTBOX_COLUMNS, OUTBOX_KINDS
from ocsgw.store.postgresql.connection import Connection
from ocsgw.store.postgresql.forms import Forms
from ocsgw.store.postgresql.numbers import AHEAD, LAST, Numbers
from ocsgw.store.postgresql.statements import change_text
from ocsgw.store.postgresql.tables import PostgreSQLTables
from ocsgw.store.texts import DncStatements, ListStatements
from ocsgw.store.transaction import NOTE_NUMBERS, covered, highest_in, highest_of, names_of_numbers, scope_of

_found = msgspec.json.Decoder(list[tuple[int, str | None]])
T = TypeVar("T")

# Undoes a statement about a list whose table was changed.
_UNDO = "ROLLBACK TO SAVEPOINT of_list"
# What the kinds of columns of a table of values are in SQL.
COLUMN_TYPES = {"n": "bigint", "t": "text"}


class PostgreSQLDialect:
    """`store.dialect.Dialect` of PostgreSQL."""

    def numbers(self, parameter: str) -> str:
        """Return the query for the numbers of a JSON list."""
        return f"SELECT value::bigint FROM jsonb_array_elements_text({parameter}::jsonb)"

    def texts(self, parameter: str) -> str:
        """Return the query for the texts of a JSON list."""
        return f"SELECT value FROM jsonb_array_elements_text({parameter}::jsonb)"

    def table(self, parameter: str, kinds: str) -> str:
        """Return the query for the rows of a JSON list of lists."""
        columns = ", ".join(f"(value->>{at})::{COLUMN_TYPES[kind]} AS c{at}" for at, kind in enumerate(kinds))
        return f"SELECT {columns} FROM jsonb_array_elements({parameter}::jsonb)"


@lru_cache(maxsize=1024)
def _before_adding_text(counters: str, text: ListStatements, do_not_call: DncStatements) -> str:
    return (
        f"WITH {counters} covered AS ({do_not_call.blocked})"
        " SELECT (SELECT coalesce(json_agg(json_build_array(place, phone)), '[]')::text FROM covered),"
        f" {do_not_call.any_beyond_ascii}, {text.highest_ids}"
    )


@lru_cache(maxsize=1024)
def _numbers_text(counters: str, text: ListStatements) -> str:
    return f"WITH {counters.removesuffix(',')} SELECT {text.highest_ids}"


_NEWEST_ENTRY = "coalesce((SELECT max(number) FROM ocsgw_outbox), 0)"
# Each entry comes with its place, from 1 on.
_APPEND = (
    f" INSERT INTO ocsgw_outbox (number, {OUTBOX_COLUMNS})"
    f" SELECT outbox.value - :count + entry.c0, {', '.join(f'entry.c{at}' for at in range(1, len(OUTBOX_KINDS) + 1))}"
    f" FROM outbox, ({PostgreSQLDialect().table(':rows', f'n{OUTBOX_KINDS}')}) AS entry"
)
# Where the counter is made by this, because somebody has deleted it, the entries get no number, and are refused.
_APPEND_OUTBOX = (
    "WITH outbox AS (INSERT INTO ocsgw_counter (name, value) VALUES ('outbox', :count)"
    " ON CONFLICT (name) DO UPDATE SET value = ocsgw_counter.value + excluded.value"
    f" RETURNING nullif(value, :count) AS value){_APPEND}"
)
# It goes on behind the entries that are there.
_APPEND_BEHIND_ALL = (
    f"WITH outbox AS (INSERT INTO ocsgw_counter (name, value) SELECT 'outbox', {_NEWEST_ENTRY} + :count"
    " ON CONFLICT (name) DO UPDATE SET value = greatest(ocsgw_counter.value + :count, excluded.value)"
    f" RETURNING value){_APPEND}"
)


class PostgreSQLTransaction(BulkTransaction):
    """One write transaction; `begin` is the statement that it began with."""

    _connection: Connection
    _dialect = PostgreSQLDialect()
    _newest_outbox = "SELECT value FROM ocsgw_counter WHERE name = 'outbox'"
    # Whoever adds to a list keeps its counters until the commit: numbers are given out by one at a time.
    _counters = "counters AS (SELECT name, value FROM ocsgw_counter WHERE name IN (:records, :chains) FOR UPDATE),"

    def __init__(
        self, connection: Connection, tables: OpenTables, report: Report, begin: str, numbers: Numbers | None = None
    ) -> None:
        super().__init__(connection, tables, report)
        self._begin = begin
        self._mark = object()
        self._numbers = numbers if numbers is not None else Numbers()
        # The highest numbers that this transaction has used, by the names of their counters.
        self._used: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        self._has_appended = False

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order.

        The counter is locked until the commit, so that no number becomes visible before a lower one. After one
        that was undone it is compared with the entries: perhaps somebody has deleted or lowered it.
        """
        rows = [(place, *msgspec.structs.astuple(each)[1:]) for place, each in enumerate(entries, 1)]
        text = _APPEND_OUTBOX if self._tables.is_outbox_counted else _APPEND_BEHIND_ALL
        self._connection.later(text, {"count": len(rows), "rows": as_json(rows)})
        self._has_appended = self._has_appended or bool(rows)

    def refuse_at_once(self) -> None:
        """Have deferred constraints and triggers checked by each statement."""
        self._connection.later("SET CONSTRAINTS ALL IMMEDIATE")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if an exception leaves the block."""
        connection = self._connection
        # Before the first change the transaction itself can be undone: most batches are one run.
        is_first = not connection.has_written
        if not is_first:
            connection.change("SAVEPOINT run")
        try:
            yield
        except StoreFailureError:
            # The transaction can only be left.
            raise
        except BaseException:
            if is_first:
                self._begin_again()
            else:
                connection.forget_queued()
                connection.change("ROLLBACK TO SAVEPOINT run; RELEASE SAVEPOINT run")
            raise
        if not is_first:
            connection.change("RELEASE SAVEPOINT run")

    def _begin_again(self) -> None:
        try:
            self._connection.forget_queued()
            self._connection.change(f"ROLLBACK; {self._connection.beginning(self._begin)}")
        except RefusedByTableError as error:
            # There are no rows in it, but the check of the lease of a pair.
            raise NotPrimaryError("this server is no longer the primary") from error
        self._connection.has_written = False

    # A statement that fails ends the whole transaction. So the one that finds that the table of a list was changed lets
    # the transaction be carried out again, in which statements about that list are made in a savepoint.

    def _rows(self, calling_list: CallingList, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        rows = super()._rows

        def read() -> list[tuple[Any, ...]]:
            try:
                return rows(calling_list, text, *parameters)
            except UnstorableTextError:
                raise
            except RefusedByTableError:
                # So says a column of another type than it had, which is compared with what is none of its values.
                if self._was_changed(calling_list):
                    raise UnavailableListError(calling_list) from None
                raise

        return self._of_list(calling_list, read)

    def _change(self, calling_list: CallingList, text: str, *parameters: object) -> int:
        change = super()._change
        return self._of_list(calling_list, lambda: change(calling_list, text, *parameters))

    def _was_changed(self, calling_list: CallingList) -> bool:
        """Whether a statement has failed because of the columns of the table, or that is not known yet."""
        if not self._tables.is_changed(calling_list):
            self._tables.suspect(calling_list)
            return True
        self._connection.change(_UNDO)
        is_closed = self._closed_by_columns(calling_list)
        self._tables.suspect(calling_list, suspected=is_closed)
        return is_closed

    def _closed(self, calling_list: CallingList, reason: str) -> UnavailableListError:
        if self._tables.is_changed(calling_list):
            self._connection.change(_UNDO)
            return super()._closed(calling_list, reason)
        # Nothing can be asked any more in this transaction; the next one says what it is.
        self._tables.suspect(calling_list)
        return UnavailableListError(calling_list)

    def _misfit(self, calling_list: CallingList) -> str:
        tables = PostgreSQLTables(
            self._connection, self._report, Forms(is_unicode=True), create=False, create_indexes=False, may_index=False
        )
        return tables.misfit(calling_list)

    def _of_list(self, calling_list: CallingList, statement: Callable[[], T]) -> T:
        if not self._tables.is_changed(calling_list):
            try:
                return statement()
            except UnavailableListError:
                raise ConflictError(f"the table {calling_list.table} was changed while the server runs") from None
        connection = self._connection
        connection.change("SAVEPOINT of_list")
        try:
            result = statement()
        except UnavailableListError:
            connection.change(f"{_UNDO}; RELEASE SAVEPOINT of_list")
            raise
        connection.change("RELEASE SAVEPOINT of_list")
        return result

    def save_audit_position(self, number: int, mark: str) -> None:
        """Store number and hash of the last line of the audit log, with the changes that it stands for."""
        begin, end = upsert("ocsgw_audit", "id", "id, number, mark")
        self._connection.later(f"{begin} VALUES (1, ?, ?) {end}", (number, mark))

    def _note_numbers(self, table: str, record_id: int, chain_id: int) -> None:
        self._connection.later(NOTE_NUMBERS, (record_counter(table), record_id, chain_counter(table), chain_id))

    def _note_highest(self, calling_list: CallingList, rows: Sequence[Sequence[Any]]) -> None:
        super()._note_highest(calling_list, rows)
        for name, number in zip(names_of_numbers(calling_list).values(), highest_in(rows), strict=True):
            self._used[name] = max(self._used.get(name, 0), number)

    def reserve_ahead(self, calling_list: CallingList) -> None:
        """Reserve numbers of a list for batches that ask nothing, behind all that it has or had."""
        names = names_of_numbers(calling_list)
        (row,) = self._rows(calling_list, _numbers_text(self._counters, self._text_of(calling_list)), names)
        ends = [number + AHEAD for number in self._highest(names, row)]
        if max(ends) > LAST:
            return
        self._connection.later(NOTE_NUMBERS, (names["records"], ends[0], names["chains"], ends[1]))
        self._reserved.update(zip(names.values(), ends, strict=True))

    def begin_outbox(self) -> None:
        """Make the counter of the outbox, so that batches that ask nothing need only raise it."""
        self._connection.later(
            f"INSERT INTO ocsgw_counter (name, value) SELECT 'outbox', {_NEWEST_ENTRY} ON CONFLICT DO NOTHING"
        )

    def look_for_entries(self) -> bool:
        """Return whether there are entries in the do-not-call table at all."""
        text = f"SELECT EXISTS (SELECT 1 FROM {self._do_not_call_text().table})"
        ((found,),) = self._connection.rows(text)
        return bool(found)

    def committed(self) -> None:
        """The transaction has been committed."""
        if self._has_appended:
            self._tables.is_outbox_counted = True
        for name, number in self._used.items():
            self._numbers.used(name, number)
        for name, end in self._reserved.items():
            self._numbers.reserved(name, end - AHEAD, end)

    def _highest(self, names: Mapping[str, str], found: Sequence[int | None]) -> tuple[int, int]:
        """Return the highest numbers that a list has or had, of what `highest_ids` finds: reserved ones are free."""
        records, chains = names["records"], names["chains"]
        in_table, counter, *of_chains, chain_counter = found
        highest = highest_of(
            (
                in_table,
                self._numbers.last_used(records, counter),
                *of_chains,
                self._numbers.last_used(chains, chain_counter),
            )
        )
        return max(highest[0], self._used.get(records, 0)), max(highest[1], self._used.get(chains, 0))

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return the highest ids and what is blocked, all in one round trip."""
        names = names_of_numbers(calling_list)
        found, blocked = self._asked_before_adding(calling_list, lookups(), now, names)
        return Admission(*self._highest(names, found), blocked)

    def _asked_before_adding(
        self, calling_list: CallingList, asked: Sequence[DncLookup], now: int, parameters: Mapping[str, object]
    ) -> tuple[Sequence[int | None], set[int]]:
        """Return what `highest_ids` of a list finds with these parameters, and the places of what is blocked."""
        text = _before_adding_text(self._counters, self._text_of(calling_list), self._do_not_call_text())
        ((found, any_beyond_ascii, *highest),) = self._rows(
            calling_list, text, {**scope_of(calling_list, now), **parameters, "probes": as_json(asked)}
        )
        blocked = covered(asked, _found.decode(found.encode("utf-8", "replace")))
        if any_beyond_ascii:
            blocked |= self._blocked_beyond_ascii(calling_list, asked, now)
        return highest, blocked

    def _insert(self, calling_list: CallingList, text: ListStatements, rows: Sequence[Sequence[object]]) -> int:
        # One parameter: hundreds of them cost more than the rows.
        return self._change(calling_list, text.insert, as_json(rows))

    def _change_text(self, text: ListStatements, columns: Sequence[str]) -> str:
        return change_text(text, columns)

    def _written_by_others(self) -> object:
        # Nothing says so: what was passed over is looked at again by the next transaction.
        return self._mark

    def _version_of_entries(self) -> object:
        text = self._do_not_call_text().beyond_ascii
        ((count, marks),) = self._connection.rows(
            f"SELECT count(*), sum(xmin::text::bigint) FROM {text.partition(' FROM ')[2]}"
        )
        return count, marks

    def _refusal(self, calling_list: CallingList, reason: str) -> str:
        return reason
