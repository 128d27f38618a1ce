"""The embedded store: one SQLite file, one writer (configuration.md section 6)."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.errors import CommitUnknownError, StoreBusyError, StoreError
from ocsgw.store.migrate import needs_migration, upgrade
from ocsgw.store.sqlite.bulk import SQLiteBulkTransaction
from ocsgw.store.sqlite.do_not_call import DncStatements
from ocsgw.store.sqlite.statements import ListStatements
from ocsgw.store.sqlite.tables import Tables
from ocsgw.store.sqlite.transaction import primary_code

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# After these a commit has surely not happened: primary codes, and the one for a write that was refused, because what
# makes a transaction one is its last frame, which is written last. A failed synchronization proves nothing.
_NOT_COMMITTED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_WRITE_REFUSED = sqlite3.SQLITE_IOERR_WRITE
_PAGE_CACHE_KIB = 32 * 1024
# Every list has some twenty statements of its own.
_CACHED_STATEMENTS = 2000
_OPEN_WAIT_MS = 5000


class SQLiteStore:
    """Owns the connection and makes transactions.

    Used by one thread at a time. `report` is called with what the operator should know. `create` makes missing tables,
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
        # Those of the configuration in use, and of the one before it.
        self._newest_lists: dict[CallingList, ListStatements | None] = {}
        self._lists: dict[CallingList, ListStatements | None] = {}
        # Lists of the configuration in use that could not be opened, with the reason.
        self.closed_lists: dict[str, str] = {}
        self._do_not_call: DncStatements | None = None
        self._do_not_call_widths = (0, 0)
        self._opened_tables: set[str] = set()
        self._unsettled: set[str] = set()

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
        """Open the tables of this configuration; a list that cannot be opened is reported and left out (K12).

        Lists of the configuration before stay usable for batches that have begun with it. Raises `StoreError` for the
        do-not-call table; then nothing has changed.
        """
        connection = self._needed()
        tables = Tables(connection, self._report, create=self._create, create_indexes=self._create_indexes)
        connection.execute(f"PRAGMA busy_timeout = {_OPEN_WAIT_MS}")
        try:
            do_not_call, widths = tables.open_do_not_call(directory.do_not_call.table)
            lists = {each: tables.open_retired_list(each) for each in directory.retired}
            lists.update(
                {
                    each: tables.open_list(each, needs_treatments=directory.needs_treatments_column(each))
                    for each in directory.calling_lists
                }
            )
        finally:
            # From here on every transaction says how long it waits.
            connection.execute("PRAGMA busy_timeout = 0")
        self._do_not_call, self._do_not_call_widths = do_not_call, widths
        self._lists = {**self._newest_lists, **lists}
        self._newest_lists = lists
        self.closed_lists = tables.closed
        opened = {each.table for each, text in lists.items() if text is not None}
        self._unsettled |= opened - self._opened_tables
        self._opened_tables |= opened

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._newest_lists, self._lists = {}, {}
        self._opened_tables, self._unsettled = set(), set()

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
        connection = sqlite3.connect(
            self._file,
            isolation_level=None,
            check_same_thread=False,
            timeout=0,
            cached_statements=_CACHED_STATEMENTS,
        )
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

    # Transactions.

    @contextmanager
    def transaction(self, wait: float) -> Iterator["SQLiteBulkTransaction"]:
        """Begin a write transaction, waiting at most `wait` seconds for other programs; commit at the end.

        Raises `StoreFailureError` if nothing was changed, `CommitUnknownError` if that cannot be known.
        """
        connection = self._needed()
        try:
            self._begin(connection, wait)
            tx = SQLiteBulkTransaction(
                connection, self._lists, self._do_not_call, self._do_not_call_widths, self._unsettled
            )
            yield tx
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
            if primary_code(error) in _NOT_COMMITTED or error.sqlite_errorcode == _WRITE_REFUSED:
                raise StoreFailureError(str(error)) from error
            raise CommitUnknownError(str(error)) from error
        self._unsettled -= tx.settled

    @staticmethod
    def _begin(connection: sqlite3.Connection, wait: float) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _BUSY:
                raise
            if wait <= 0:
                raise StoreBusyError(str(error)) from error
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
