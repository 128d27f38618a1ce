"""A PostgreSQL database as one end of a copy."""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError, UnstorableTextError
from ocsgw.store import migrate
from ocsgw.store.copying.errors import CopyError
from ocsgw.store.copying.forms import Binary, Digits, Form, Moment, Real, Text, Truth, Whole, plain_number
from ocsgw.store.copying.place import ENTRY_NUMBER, CopiedTable, Progress, RefusedRowError
from ocsgw.store.copying.unfinished import COPY_TABLE, MAKE_COPY_TABLE, UNFINISHED
from ocsgw.store.engine import Report, StoreSettings
from ocsgw.store.errors import StatementError, StoreBusyError, StoreError
from ocsgw.store.postgresql import own_schema
from ocsgw.store.postgresql.address import Address
from ocsgw.store.postgresql.connection import Connection, said, translated
from ocsgw.store.postgresql.forms import Forms, quoted
from ocsgw.store.postgresql.lease import partners_on
from ocsgw.store.postgresql.tables import PostgreSQLTables
from ocsgw.store.tables import Declared

_ROWS = 500
_WAIT_MS = 5000
_NO_LIMIT = 1 << 30
# Every value comes in one form, whatever is set for the database; a copy takes as long as it takes.
_READING = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
    " SET LOCAL synchronize_seqscans = off; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';"
    " SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
)
_WRITING = f"BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {_WAIT_MS}"
_APPLICATION = "ocsctl"
_PARTS = re.compile(r"([a-z ]+?) ?(?:\(([0-9]+)(?:,([0-9-]+))?\))?( without time zone)?").fullmatch
# So often it is looked whether anybody uses the database, ten times a second.
_TRIES = 30
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}
_USERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = ANY(?::text[])"
    " AND pid <> pg_backend_pid() ORDER BY pid"
)


class PostgreSQLPlace:
    """`store.copying.place.Place` on a database.

    With `exclusive` no server uses it, and of a source all tables are locked against writing; without that nothing is
    written at all. `tables` are those of the source that are read.
    """

    engine = "postgresql"

    def __init__(
        self,
        settings: StoreSettings,
        report: Report,
        tables: Sequence[CopiedTable],
        *,
        is_target: bool,
        exclusive: bool,
    ) -> None:
        """Connect. Raises `StoreError`."""
        self._address = address = Address(settings)
        self.url = settings.url
        self.shown = address.shown
        self._connection: Connection | None = None
        self._cursors = itertools.count(1)
        try:
            self._connection = connection = Connection(
                address.url, {**address.options, "application_name": _APPLICATION}
            )
            connection.tolerate()
            encoding = connection.row("SELECT current_setting('server_encoding')")
            self._is_unicode = encoding in {("UTF8",), ("SQL_ASCII",)}
            self._tables = PostgreSQLTables(
                connection,
                report,
                Forms(is_unicode=encoding == ("UTF8",)),
                create=True,
                create_indexes=settings.create_indexes,
                may_index=settings.create_indexes,
            )
            self._open(tables, is_target=is_target, exclusive=exclusive)
        except psycopg.Error as error:
            self.close()
            raise StoreError(f"the store {self.shown} cannot be opened: {said(error)}") from None
        except StoreFailureError as error:
            self.close()
            raise StoreError(f"the store {self.shown} cannot be opened: {error}") from None
        except BaseException:
            self.close()
            raise

    def _open(self, tables: Sequence[CopiedTable], *, is_target: bool, exclusive: bool) -> None:
        connection, address = self._open_connection, self._address
        self._has_own = bool(own_schema.tables_there(connection))
        if is_target and exclusive and not self._has_own:
            options = {**address.options, "application_name": _APPLICATION}
            own_schema.upgrade(lambda: psycopg.connect(address.url, **options))
            self._has_own = True
        if not self._has_own:
            if not is_target:
                raise CopyError(f"{self.shown} is not a store of ocsgw: it has no tables of ours")
            return
        if not (is_target and own_schema.revision_of(connection) == UNFINISHED):
            own_schema.expect_own(connection, self.shown)
        if is_target:
            if exclusive:
                self._expect_unused()
            return
        if not exclusive:
            connection.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _READING)
            return
        wanted = [self._tables.identifier(each.name) for each in tables if self.columns(each)]
        try:
            # Whoever starts meanwhile waits for these tables, and gives up.
            names = ", ".join((*wanted, "ocsgw_batch", "ocsgw_lease", "ocsgw_standby"))
            connection.control(
                "BEGIN ISOLATION LEVEL REPEATABLE READ",
                f"SET LOCAL lock_timeout = {_WAIT_MS}",
                f"LOCK TABLE {names} IN SHARE MODE",
                _READING,
            )
        except psycopg.errors.LockNotAvailable:
            raise CopyError(
                f"another program writes to {self.shown}, or keeps tables there locked; stop it first"
            ) from None
        self._expect_unused()

    def _expect_unused(self) -> None:
        """Raise `CopyError` if a server uses the database."""
        connection = self._open_connection
        own_name = conninfo_to_dict(self.url).get("application_name")
        names = ["ocsgw", *([str(own_name)] if own_name else [])]
        for _ in range(_TRIES):
            found = [row[0] for row in connection.rows(_USERS, (names,))]
            if not found:
                break
            # The session of a server that has just ended is still there for a moment.
            connection.rows("SELECT pg_stat_clear_snapshot(), pg_sleep(0.1)")
        else:
            raise CopyError(
                f"the store {self.shown} is in use by a server of ocsgw ({len(found)} sessions of the database, process"
                f" {', '.join(map(str, found[:5]))} there); stop it first. A pooler may keep sessions for a while: give"
                " the address of the database itself"
            )
        servers = partners_on(connection)
        if servers:
            raise CopyError(
                f"the store {self.shown} is in use by the servers {', '.join(servers)}; stop them"
                " first. The lease of a server that was killed lapses within some seconds"
            )

    @property
    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise StoreFailureError("the store is closed")
        return self._connection

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table."""
        return self._tables.kind(table)

    def columns(self, table: CopiedTable) -> Mapping[str, Declared]:
        """Return the columns of a table, without those that the database computes."""
        found = self._tables.columns(table.name)
        if not found:
            return {}
        computed = {
            row[0]
            for row in self._open_connection.rows(
                "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ?::regclass AND attgenerated <> ''",
                (self._tables.identifier(table.name),),
            )
        }
        return {name: each for name, each in found.items() if each.name not in computed}

    def form(self, kind: str) -> Form:
        """Return what a column of a type takes; of a type that is not known, texts."""
        name, length, scale = _parts(kind)
        if name in _BITS:
            return Whole(_BITS[name])
        if name == "numeric":
            return Digits(length, scale)
        if name in {"real", "double precision"}:
            return Real()
        if name == "boolean":
            return Truth()
        if name == "bytea":
            return Binary()
        if name == "timestamp":
            return Moment()
        return Text(_NO_LIMIT if length is None else length, self._unencodable, is_padded=name == "character")

    def _unencodable(self, texts: Sequence[str]) -> Collection[str]:
        """Return those texts that the encoding of the database lacks, by asking it."""
        if self._is_unicode:
            return ()
        try:
            self._open_connection.rows("SELECT 1 WHERE ?::text[] IS NULL", (list(texts),))
        except UnstorableTextError:
            if len(texts) == 1:
                return {texts[0]}
            middle = len(texts) // 2
            return {*self._unencodable(texts[:middle]), *self._unencodable(texts[middle:])}
        return ()

    def type_for(self, kind: str, engine: str) -> str:
        """Return the type of a new column for values of one of this type in another engine, by SQLite's own rules."""
        if engine == self.engine:
            return kind
        upper = kind.upper()
        if "BOOL" in upper:
            return "boolean"
        if "INT" in upper:
            return "bigint"
        if any(each in upper for each in ("CHAR", "CLOB", "TEXT")):
            return "text"
        if "BLOB" in upper:
            return "bytea"
        if any(each in upper for each in ("REAL", "FLOA", "DOUB")):
            return "double precision"
        return "numeric" if upper.startswith(("DEC", "NUM")) else "text"

    def other_tables(self, tables: Sequence[CopiedTable]) -> list[str]:
        """Return the first names of tables of other programs beside these."""
        known = [self._tables.identifier(each.name) for each in tables]
        rows = self._open_connection.rows(
            "SELECT format('%I.%I', n.nspname, c.relname), c.relname FROM pg_catalog.pg_class AS c"
            " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f')"
            " AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            " AND NOT starts_with(n.nspname, 'pg_') AND NOT starts_with(c.relname, 'ocsgw_')"
            " AND NOT (c.oid = ANY(SELECT known::regclass::oid FROM unnest(?::text[]) AS known)) ORDER BY 1",
            ([each for each, table in zip(known, tables, strict=True) if self._tables.columns(table.name)],),
        )
        return [name for name, _ in rows]

    def count(self, table: CopiedTable) -> int:
        """Return how many rows a table has."""
        ((count,),) = self._open_connection.rows(
            f"SELECT count(*) FROM {self._tables.identifier(table.name)}{_condition(table)}"
        )
        return int(count)

    def read(self, table: CopiedTable, columns: Sequence[Declared]) -> Iterator[list[tuple[object, ...]]]:
        """Yield all rows of a table, as they lie in the database."""
        connection = self._open_connection
        is_alone = not connection.in_transaction
        if is_alone:
            connection.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _READING)
        values = ", ".join(_read(each) for each in columns)
        numbers = [at for at, each in enumerate(columns) if _is_decimal(each.kind)]
        name = self._tables.identifier(table.name)
        # One that is not read to its end is left open, and another one begins.
        cursor = f"rows_{next(self._cursors)}"
        connection.change(f"DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {values} FROM {name}{_condition(table)}")
        while rows := connection.rows(f"FETCH {_ROWS} FROM {cursor}"):
            yield [_with_numbers(row, numbers) for row in rows] if numbers else rows
        connection.change(f"CLOSE {cursor}")
        if is_alone:
            connection.control("ROLLBACK")

    @contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[None]:
        """Carry out what follows as a whole, or with `undo` only try it."""
        connection = self._open_connection
        try:
            connection.control(_WRITING)
            yield
            connection.control("ROLLBACK" if undo else "COMMIT")
        except psycopg.Error as error:
            raise _failure(error) from None
        finally:
            if not connection.is_broken and connection.in_transaction:
                connection.control("ROLLBACK")

    def make(self, table: CopiedTable, further: Mapping[str, str]) -> None:
        """Make the table of a list or of do-not-call entries, with further columns and their types."""
        if table.lists:
            self._tables.create_list(table.lists[0])
        else:
            self._tables.create_do_not_call(table.name)
        there = self._tables.columns(table.name)
        for name, kind in further.items():
            if name.lower() not in there:
                self._open_connection.change(
                    f"ALTER TABLE {self._tables.identifier(table.name)} ADD COLUMN {quoted(name)} {kind}"
                )

    def write(self, table: CopiedTable, columns: Sequence[Declared], rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows with COPY; one that is refused is found by halving."""
        connection = self._open_connection
        connection.control("SAVEPOINT rows")
        try:
            with connection.raw.cursor() as cursor, cursor.copy(self._copy_text(table, columns)) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as error:
            if connection.is_broken:
                raise _failure(error) from None
            connection.control("ROLLBACK TO SAVEPOINT rows")
            reason = translated(error)
            if not isinstance(reason, RefusedByTableError | UnstorableTextError):
                raise _failure(error) from None
            if len(rows) == 1:
                raise RefusedRowError(0, str(reason) or "a text that cannot be stored") from None
            middle = len(rows) // 2
            self.write(table, columns, rows[:middle])
            try:
                self.write(table, columns, rows[middle:])
            except RefusedRowError as refused:
                raise RefusedRowError(middle + refused.place, refused.reason) from None
        connection.control("RELEASE SAVEPOINT rows")

    def _copy_text(self, table: CopiedTable, columns: Sequence[Declared]) -> bytes:
        names = ", ".join(quoted(each.name) for each in columns)
        return f"COPY {self._tables.identifier(table.name)} ({names}) FROM STDIN".encode()

    def empty(self, table: CopiedTable) -> None:
        """Delete all rows of a table."""
        self._open_connection.change(f"DELETE FROM {self._tables.identifier(table.name)}")

    # What marks the target.

    def progress(self) -> Progress | None:
        """Return how far the copy into this store has come."""
        connection = self._open_connection
        if own_schema.revision_of(connection) != UNFINISHED:
            return None
        ((owner, source, target, text),) = connection.rows(f"SELECT owner, source, target, progress FROM {COPY_TABLE}")
        return Progress.of(owner, source, target, text)

    def begin(self, progress: Progress) -> None:
        """Mark this store as an unfinished copy, unless a server has opened it meanwhile."""
        connection = self._open_connection
        connection.change("LOCK TABLE ocsgw_batch IN EXCLUSIVE MODE")
        self._expect_unused()
        connection.change(MAKE_COPY_TABLE)
        connection.change(
            f"INSERT INTO {COPY_TABLE} VALUES (1, ?, ?, ?, ?)",
            (progress.owner, progress.source, progress.target, progress.as_text),
        )
        connection.change(f"UPDATE {migrate.VERSION_TABLE} SET version_num = ?", (UNFINISHED,))

    def save_progress(self, progress: Progress, *, before: str | None = None) -> None:
        """Store how far the copy has come, unless another process has begun to go on with it."""
        values = (progress.owner, progress.as_text, before or progress.owner)
        try:
            changed = self._open_connection.change(
                f"UPDATE {COPY_TABLE} SET owner = ?, progress = ? WHERE owner = ?", values
            )
        except StatementError:
            # The other one has ended it.
            changed = 0
        if changed != 1:
            raise CopyError(f"another ocsctl store copy goes on with {self.shown}; nothing more is done here")

    def finish(self) -> None:
        """Mark this store as whole."""
        connection = self._open_connection
        connection.change(f"DROP TABLE {COPY_TABLE}")
        connection.change(f"UPDATE {migrate.VERSION_TABLE} SET version_num = ?", (migrate.HEAD,))

    def numbers(self) -> dict[str, int]:
        """Return, by table, the highest number of rows that the engine has given out itself."""
        ((delivery, outbox),) = self._open_connection.rows(
            "SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ocsgw_delivery_number_seq),"
            " coalesce((SELECT value FROM ocsgw_counter WHERE name = 'outbox'),"
            " (SELECT max(number) FROM ocsgw_outbox), 0)"
        )
        numbers = {"ocsgw_delivery": int(delivery), "ocsgw_outbox": int(outbox)}
        return {name: number for name, number in numbers.items() if number}

    def set_numbers(self, numbers: Mapping[str, int]) -> None:
        """Let numbers go on behind these, and those of do-not-call entries behind the highest that is there."""
        connection = self._open_connection
        if delivery := numbers.get("ocsgw_delivery"):
            connection.rows("SELECT setval('ocsgw_delivery_number_seq', ?)", (delivery,))
        if outbox := numbers.get("ocsgw_outbox"):
            connection.change(
                "INSERT INTO ocsgw_counter (name, value) VALUES ('outbox', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (outbox,),
            )

    def open_tables(self, directory: Directory) -> dict[str, str]:
        """Open all tables as a server does."""
        table = CopiedTable(directory.do_not_call.table)
        if ENTRY_NUMBER in self.columns(table):
            name = self._tables.identifier(table.name)
            self._open_connection.rows(
                f"SELECT setval(pg_get_serial_sequence(?, ?), (SELECT max({ENTRY_NUMBER}) FROM {name}))"
                f" WHERE pg_get_serial_sequence(?, ?) IS NOT NULL AND EXISTS (SELECT 1 FROM {name})",
                (name, ENTRY_NUMBER, name, ENTRY_NUMBER),
            )
        for calling_list in directory.calling_lists:
            self._tables.open_list(calling_list)
        self._tables.open_do_not_call(table.name)
        return self._tables.closed

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _parts(kind: str) -> tuple[str, int | None, int | None]:
    """Return name, length and scale of a type."""
    match = _PARTS(kind)
    if match is None:
        return kind, None, None
    return match[1], int(match[2]) if match[2] else None, int(match[3]) if match[3] else None


def _is_decimal(kind: str) -> bool:
    """Whether numbers of this type may have a fraction, which must not be rounded."""
    name, _, scale = _parts(kind)
    return name == "numeric" and (scale or kind == "numeric") != 0


def _read(column: Declared) -> str:
    """Return what is read of a column: whole numbers, floats and bytes as they are, the others as text."""
    name = quoted(column.name)
    kind = _parts(column.kind)[0]
    if kind == "boolean":
        return f"{name}::int"
    if kind in {*_BITS, "real", "double precision", "bytea"} or (kind == "numeric" and not _is_decimal(column.kind)):
        return name
    return f"{name}::text"


def _with_numbers(row: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for at in places:
        if values[at] is not None:
            values[at] = plain_number(Decimal(values[at]))
    return tuple(values)


def _condition(table: CopiedTable) -> str:
    # The number of the last outbox entry is a counter here, and belongs to the table itself in SQLite.
    conditions = [table.condition] if table.condition else []
    if table.name == "ocsgw_counter":
        conditions.append("name <> 'outbox'")
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _failure(error: psycopg.Error) -> Exception:
    failure = translated(error)
    if isinstance(failure, StoreBusyError):
        return StoreFailureError("another program keeps the tables locked")
    return failure if isinstance(failure, StoreFailureError) else StoreFailureError(str(failure))
