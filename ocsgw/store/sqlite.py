"""The embedded store: one SQLite file, one writer (configuration.md section 6)."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.columns import CALLING_LIST_COLUMNS, DO_NOT_CALL_COLUMNS
from ocsgw.store.errors import CommitUnknownError, StoreError
from ocsgw.store.migrate import needs_migration, upgrade
from ocsgw.store.sqlite_text import (
    DO_NOT_CALL_INDEXES,
    DoNotCallText,
    ListText,
    do_not_call_text,
    list_indexes,
    list_text,
    quoted,
)
from ocsgw.store.sqlite_transaction import SQLiteTransaction, primary_code

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# After these a commit has surely not happened.
_NOT_COMMITTED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_PAGE_CACHE_KIB = 32 * 1024
_OPEN_WAIT_MS = 5000


class SQLiteStore:
    """Owns the connection and makes transactions.

    Used by one thread at a time. `report` is told what the operator should know. `create` makes missing tables,
    `create_indexes` indexes (K12, K23).
    """

    def __init__(
        self, file: str, report: Callable[[str], None], *, create: bool = True, create_indexes: bool = True
    ) -> None:
        self._file = file
        self._report = report
        self._create = create
        self._create_indexes = create_indexes
        self._lock: IO[str] | None = None
        self._connection: sqlite3.Connection | None = None
        self._lists: dict[CallingList, ListText | None] = {}
        self._do_not_call: DoNotCallText | None = None
        self._do_not_call_widths = (128, 255)

    # Life.

    def open(self, directory: Directory) -> None:
        """Open the file, bring our own tables up to date, and open every list. Raises `StoreError`."""
        self._take_lock()
        try:
            self._connection = self._connect()
            if needs_migration(self._connection):
                upgrade(self._file)
            self.use(directory)
        except sqlite3.Error as error:
            self.close()
            raise StoreError(f"the store {self._file} cannot be opened: {error}") from error
        except BaseException:
            self.close()
            raise

    def use(self, directory: Directory) -> None:
        """Open the tables of this configuration; a list that cannot be opened is reported and left out (K12)."""
        self._needed().execute(f"PRAGMA busy_timeout = {_OPEN_WAIT_MS}")
        self._open_do_not_call(directory.do_not_call.table)
        self._lists = {each: self._open_list(each) for each in directory.calling_lists}
        # From here on every transaction says how long it waits.
        self._needed().execute("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        """Let no second server work on the same file; the system frees the lock when the process ends."""
        folder = os.path.dirname(self._file)
        try:
            os.makedirs(folder, exist_ok=True)
            # Not opened with a context manager: the lock lives as long as the file is open.
            lock = open(f"{self._file}.lock", "a+", encoding="ascii")  # noqa: SIM115
        except OSError as error:
            raise StoreError(f"the store {self._file} cannot be opened: {error.strerror}; check [store] url") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StoreError(
                f"the store {self._file} is in use by process {holder}; stop that server or use another [store] url"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=0)
        connection.execute(f"PRAGMA busy_timeout = {_OPEN_WAIT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _needed(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreFailureError("the store is closed")
        return self._connection

    # Tables.

    def _columns(self, table: str) -> dict[str, str]:
        """Return the columns of a table with their declared types, nothing if there is no such table."""
        schema, point, name = table.rpartition(".")
        rows = self._needed().execute(
            "SELECT name, type FROM pragma_table_info(?, ?)", (name, schema if point else "main")
        )
        return {column.lower(): kind.upper() for column, kind in rows}

    def _open_list(self, calling_list: CallingList) -> ListText | None:
        columns = self._columns(calling_list.table)
        if not columns and self._create:
            from ocsgw.store.schema import calling_list_table  # noqa: PLC0415 - SQLAlchemy is slow to import

            self._create_table(calling_list_table(calling_list))
            columns = self._columns(calling_list.table)
        problems = _problems(calling_list, columns)
        if problems:
            self._report(
                f"Calling list {calling_list.name} is not opened: table {calling_list.table} {'; '.join(problems)}"
            )
            return None
        if self._create_indexes:
            self._index(calling_list.table, list_indexes(calling_list))
        return list_text(calling_list, frozenset(columns))

    def _open_do_not_call(self, table: str) -> None:
        columns = self._columns(table)
        if not columns:
            if not self._create:
                raise StoreError(f"there is no do-not-call table {table}; create it or set [store] create = true")
            from ocsgw.store.schema import do_not_call_table  # noqa: PLC0415 - SQLAlchemy is slow to import

            self._create_table(do_not_call_table(table))
            columns = self._columns(table)
        missing = [each.name for each in DO_NOT_CALL_COLUMNS if each.block == 1 and each.name not in columns]
        if missing:
            raise StoreError(f"the do-not-call table {table} lacks the columns {', '.join(missing)}")
        if self._create_indexes:
            self._index(table, list(DO_NOT_CALL_INDEXES))
        self._do_not_call = do_not_call_text(table, has_expiry="expires_at" in columns)
        self._do_not_call_widths = (_length(columns["phone"]), _length(columns["customer_id"]))

    def _create_table(self, table: object) -> None:
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - SQLAlchemy is slow to import

        from ocsgw.store.schema import create_statement  # noqa: PLC0415 - SQLAlchemy is slow to import

        self._needed().execute(create_statement(table, sqlite.dialect()))  # type: ignore[arg-type]  # a Table

    def _index(self, table: str, indexes: Sequence[tuple[str, str]]) -> None:
        """Create what indexes are missing, named by K23; one whose text has changed is made anew."""
        schema, point, name = table.rpartition(".")
        prefix = f"{schema}{point}"
        for number, (expression, condition) in enumerate(indexes, start=1):
            index = f"ocsgw_ix_{name}_{number}"
            where = f" WHERE {condition}" if condition else ""
            body = f"ON {quoted(name)} ({expression}){where}"
            catalogue = f"{quoted(schema)}.sqlite_master" if point else "sqlite_master"
            found = self._needed().execute(f"SELECT sql FROM {catalogue} WHERE type = 'index' AND name = ?", (index,))
            row = found.fetchone()
            if row is not None and row[0].endswith(body):
                continue
            if row is not None:
                self._needed().execute(f"DROP INDEX {quoted(prefix + index)}")
            self._needed().execute(f"CREATE INDEX {quoted(prefix + index)} {body}")

    # Transactions.

    @contextmanager
    def transaction(self, wait: float) -> Iterator["SQLiteTransaction"]:
        """Begin a write transaction, waiting at most `wait` seconds for other programs; commit at the end.

        Raises `StoreFailureError` if nothing was changed, `CommitUnknownError` if that cannot be known.
        """
        connection = self._needed()
        try:
            self._begin(connection, wait)
            yield SQLiteTransaction(connection, self._lists, self._do_not_call, self._do_not_call_widths)
        except sqlite3.Error as error:
            self._roll_back(connection)
            raise StoreFailureError(str(error)) from error
        except BaseException:
            self._roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back(connection)
            if primary_code(error) in _NOT_COMMITTED:
                raise StoreFailureError(str(error)) from error
            raise CommitUnknownError(str(error)) from error

    @staticmethod
    def _begin(connection: sqlite3.Connection, wait: float) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _BUSY or wait <= 0:
                raise
            # Another program writes; wait for it, but not longer than the requests do.
            connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            try:
                connection.execute("BEGIN IMMEDIATE")
            finally:
                connection.execute("PRAGMA busy_timeout = 0")

    @staticmethod
    def _roll_back(connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The engine has rolled back by itself.
            return


def _length(declared: str) -> int:
    """Return the length in a declared type such as VARCHAR(64); without one there is no limit."""
    digits = "".join(character for character in declared if character.isdigit())
    return int(digits) if digits else 1 << 30


def _problems(calling_list: CallingList, columns: Mapping[str, str]) -> list[str]:
    """Return why a table cannot be used as the table of a list (K12, K24)."""
    if not columns:
        return ["does not exist; create it or set [store] create = true"]
    problems = []
    for column in CALLING_LIST_COLUMNS:
        declared = columns.get(column.name)
        if declared is None:
            if column.block == 1:
                problems.append(f"lacks the column {column.name}")
        elif column.family != _family(declared):
            problems.append(f"has the column {column.name} as {declared}, which is no {column.family}")
    problems += [
        f"lacks the custom column {field.column}; add it with ALTER TABLE"
        for field in calling_list.fields
        if field.column.lower() not in columns
    ]
    return problems


def _family(declared: str) -> str:
    if any(word in declared for word in ("CHAR", "TEXT", "CLOB")):
        return "text"
    if any(word in declared for word in ("INT", "DEC", "NUM")):
        return "integer"
    return declared.lower() or "without a type"
