"""The embedded store: one SQLite file, one writer (configuration.md section 6)."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError
from ocsgw.store import migrate
from ocsgw.store.engine import Access, Report
from ocsgw.store.errors import CommitUnknownError, NotPrimaryError, StoreBusyError, StoreVersionError
from ocsgw.store.lease import PairMember
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.records import largest_record
from ocsgw.store.sqlite.checkpoints import Checkpoints, bring_over
from ocsgw.store.sqlite.connection import Connection, masked, primary_code, translated
from ocsgw.store.sqlite.file import StoreFile
from ocsgw.store.sqlite.lease import SQLiteLease
from ocsgw.store.sqlite.log import WriteAheadLog
from ocsgw.store.sqlite.numbers import Memory
from ocsgw.store.sqlite.tables import SQLiteTables
from ocsgw.store.sqlite.transaction import SQLiteTransaction

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# "Locked" without anybody else who holds a lock: a statement of our own keeps an old state of the file in use.
_OURSELVES = frozenset({sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_LOCKED})
# After these a commit has surely not happened: primary codes, and the one for a write that was refused, because what
# makes a transaction one is its last frame, which is written last. A failed synchronization proves nothing.
_NOT_COMMITTED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_WRITE_REFUSED = sqlite3.SQLITE_IOERR_WRITE
_FAILURES = (sqlite3.Error, StoreFailureError)
_OPEN_WAIT_MS = 5000
_SCHEMA_VERSION = "PRAGMA schema_version"
_DATA_VERSION = "PRAGMA data_version"
_REPLACING = "SELECT lower(name) FROM sqlite_master WHERE type = 'table' AND sql LIKE '%REPLACE%'"
# File and log are looked at so often, at a commit (seconds).
_LOOK_EVERY = 1.0
# Without a thread for it the write-ahead log is cut to this size when it can be, and reported when it has grown to the
# other, or to twice the limit of the thread (bytes).
_LOG_LIMIT = 64 << 20
_LOG_WARNING = 256 << 20


class SQLiteEngine:
    """`store.engine.Engine` on an SQLite file.

    `clock` is a monotonic time in seconds. With `member` the file is that of a pair: two servers have it open, and only
    the one that has the lease uses its tables; `make_lease` makes the lease of a connection.
    """

    runs_in_reactor = True
    pipeline = None

    def __init__(
        self,
        file: str,
        report: Report,
        *,
        access: Access = "serve",
        create: bool = True,
        create_indexes: bool = True,
        clock: Callable[[], float] = time.monotonic,
        member: PairMember | None = None,
        make_lease: Callable[[PairMember, Callable[[], Connection]], SQLiteLease] = SQLiteLease,
    ) -> None:
        self._file = StoreFile(file)
        self._report = report
        self._access = access
        self._create = create and access != "read"
        self._create_indexes = create_indexes
        self._clock = clock
        self._connection: Connection | None = None
        self._tables = OpenTables()
        self._memory = Memory()
        # What says whether tables were changed since the lists were opened or looked at.
        self._schema: list[tuple[object, ...]] = []
        self.lease = make_lease(member, self._needed) if member is not None else None
        self._checkpoints: Checkpoints | None = None
        self._looked_at = 0.0
        # The file that was deleted or replaced, or its log.
        self._missing = ""
        self._log = WriteAheadLog(self._file.path)
        self._is_brought_over = False
        self._log_reported = _LOG_WARNING

    # Life.

    @property
    def closed_lists(self) -> Mapping[str, str]:
        """The lists of the configuration in use that cannot be used, with the reason (K12)."""
        return self._tables.closed_lists

    def time(self) -> float | None:
        """Return None: the file has no clock."""
        return None

    def open(self, directory: Directory) -> None:
        """Open the file, bring our own tables up to date, and open every list."""
        self._file = StoreFile(self._file.path)
        try:
            self._file.prepare(make=self._access == "serve")
            is_alone = self._access == "read" or self._file.lock(shared=self.lease is not None)
            if self._access == "serve" and self.lease is None:
                # A server of a pair that stood still in the middle of a checkpoint would keep the other one from any.
                self._checkpoints = Checkpoints(self._file.path)
            self._connect()
            self._bring_up_to_date(is_alone=is_alone)
            if self.lease is not None and is_alone:
                # Nothing is left to do that the other server of the pair must not see.
                self._file.share()
            self.use(directory)
            self._file.remember()
            self._log = WriteAheadLog(self._file.path)
            self._log.remember(self._needed().rows(_DATA_VERSION))
            self._missing = ""
        except sqlite3.Error as error:
            self.close()
            raise self._file.problem_of(error) from None
        except StoreFailureError as error:
            self.close()
            cause = error.__context__
            raise (
                self._file.problem_of(cause) if isinstance(cause, sqlite3.Error) else self._file.problem(str(error))
            ) from None
        except OSError as error:
            self.close()
            raise self._file.problem_of_system(error) from None
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        self._connection = connection = Connection(self._file.path)
        self._memory.forget()
        if self.lease is not None:
            connection.judge = self.lease.begun
        raw = connection.raw
        raw.execute(f"PRAGMA busy_timeout = {_OPEN_WAIT_MS}").close()
        if self._access == "read":
            raw.execute("PRAGMA query_only = ON").close()
            return
        connection.tune()
        if self._checkpoints is not None:
            self._checkpoints.fit(raw)
        else:
            raw.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}").close()

    def _bring_up_to_date(self, *, is_alone: bool) -> None:
        connection = self._needed().raw
        if self._file.is_small:
            cursor = connection.execute("PRAGMA quick_check(1)")
            found = cursor.fetchall()
            cursor.close()
            if found != [("ok",)]:
                raise self._file.problem("it is damaged; restore a backup (ocsctl restore)")
        revision = migrate.revision_of(connection)
        if migrate.needs_migration(connection):
            if self._access != "serve":
                raise StoreVersionError(
                    f"the store {self._file.path} was made by an earlier ocsgw (schema {revision or 'none'}; this one"
                    f" knows {migrate.HEAD}); start the server once, which brings it up to date"
                )
            if not is_alone:
                raise self._file.problem(
                    "its tables have to be brought up to date, and the other server of the pair still uses it; stop"
                    " that one first"
                )
            if revision is not None:
                copy = f"{self._file.path}.before-{revision}"
                migrate.copy(connection, copy)
                self._report(93123, file=self._file.path, old=revision, new=migrate.HEAD, copy=copy)
                migrate.upgrade(self._file.path)
            else:
                migrate.create(connection)
        missing = migrate.missing_tables(connection)
        if missing:
            raise self._file.problem(
                f"tables of ocsgw are missing in it: {', '.join(missing)}; restore a backup (ocsctl restore)"
            )
        if self._access != "read" and is_alone:
            # A disk that is full or read-only is found here, not by the first request.
            connection.executescript(
                "BEGIN IMMEDIATE; INSERT INTO ocsgw_counter (name, value) VALUES ('opened', 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1; COMMIT"
            ).close()

    def use(self, directory: Directory) -> None:
        """Open the tables of this configuration; a server of a pair that stands by opens none, and touches nothing."""
        connection = self._needed()
        self._memory.forget()
        if self.lease is not None:
            # The other server of the pair has used numbers since.
            self._memory = Memory()
            if not self.lease.is_held:
                return
        tables = SQLiteTables(
            connection,
            self._report,
            create=self._create,
            create_indexes=self._create_indexes,
            may_index=self._create_indexes and self._access != "read",
        )
        # What is changed from here on, indexes of ours too, is looked at by the next transaction.
        schema = connection.rows(_SCHEMA_VERSION)
        connection.change(f"PRAGMA busy_timeout = {_OPEN_WAIT_MS}")
        try:
            do_not_call = tables.open_do_not_call(directory.do_not_call.table)
            lists = {each: tables.open_retired_list(each) for each in directory.retired}
            lists.update(
                {
                    each: tables.open_list(each, needs_treatments=directory.needs_treatments_column(each))
                    for each in directory.calling_lists
                }
            )
        finally:
            # From here on every transaction says how long it waits.
            connection.change("PRAGMA busy_timeout = 0")
        largest = largest_record(directory.largest_event)
        self._tables.use(do_not_call, lists, largest, tables.closed, keeps_forms=self._access != "read")
        self._schema = schema
        self._memory.replacing = _replacing(connection)

    def close(self) -> None:
        """Close the file."""
        if self._checkpoints is not None:
            self._checkpoints.close()
            self._checkpoints = None
        if self._connection is not None:
            self._give_back(self._connection)
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        self._file.unlock()
        self._tables, self._memory = OpenTables(), Memory()

    def _give_back(self, connection: Connection) -> None:
        """Let the next start use the numbers that were reserved and not used; without success they are left out."""
        unused = list(self._memory.reserved())
        if not unused:
            return
        with contextlib.suppress(sqlite3.Error, StoreFailureError, NotPrimaryError):
            connection.begin()
            connection.raw.executemany(
                "UPDATE ocsgw_counter SET value = ? WHERE name = ? AND value = ?", unused
            ).close()
            connection.raw.execute("COMMIT").close()

    def _needed(self) -> Connection:
        if self._connection is None:
            raise StoreFailureError("the store is closed")
        return self._connection

    # Transactions.

    def transaction(self, wait: float, *, alone: bool = True) -> "_Scope":
        """Begin a write transaction, waiting at most `wait` seconds for other programs; commit at the end."""
        return _Scope(self, self.lease, wait)

    def enter(self, wait: float) -> SQLiteTransaction:
        """Begin a transaction."""
        self._begin(wait)
        connection = self._needed()
        tx = SQLiteTransaction(connection, self._tables, self._report, self._memory)
        try:
            if self._memory.begin(connection):
                self._look_at_schema(connection, tx)
        except BaseException:
            self._roll_back(connection)
            raise
        return tx

    def _look_at_schema(self, connection: Connection, tx: SQLiteTransaction) -> None:
        """Where tables were changed see whether lists can still be used: most such changes break no statement."""
        version = connection.rows(_SCHEMA_VERSION)
        if version != self._schema:
            self._memory.replacing = _replacing(connection)
            tx.look_at_tables()
            self._schema = version

    def leave(self, tx: SQLiteTransaction, error: BaseException | None) -> None:
        """Commit a transaction, or undo it because of an error, which is raised anew if it is one of the driver."""
        connection = self._needed()
        try:
            # What cannot be read may be missing.
            if error is None or (isinstance(error, _FAILURES) and connection.raw.in_transaction):
                self._look_at_file()
        except BaseException:
            self._roll_back(connection)
            self._save_log(connection)
            raise
        if error is not None or self._access == "read":
            self._roll_back(connection)
            if isinstance(error, _FAILURES):
                # What was read of a file that is damaged, and is whole again, is not read from memory.
                with contextlib.suppress(sqlite3.Error):
                    connection.raw.execute("PRAGMA shrink_memory").close()
            if isinstance(error, sqlite3.Error):
                raise translated(error) from None
            return
        try:
            connection.raw.execute("COMMIT").close()
        except sqlite3.Error as failed:
            self._roll_back(connection)
            refusal, text = translated(failed), masked(str(failed))
            if isinstance(refusal, RefusedByTableError):
                # A foreign key that is checked at the commit, where all rows of the batch are.
                raise tx.refused_at_commit(refusal) from None
            if primary_code(failed) in _NOT_COMMITTED or failed.sqlite_errorcode == _WRITE_REFUSED:
                raise StoreFailureError(text) from None
            raise CommitUnknownError(text) from None
        tx.committed()
        if self._checkpoints is not None:
            self._checkpoints.committed(connection.raw)

    def _begin(self, wait: float) -> None:
        connection = self._needed()
        try:
            self._begin_on(connection, wait)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) not in _OURSELVES:
                busy = primary_code(error) in _BUSY
                raise (StoreBusyError(masked(str(error))) if busy else translated(error)) from None
            self._reconnect(masked(str(error)))

    def _begin_on(self, connection: Connection, wait: float) -> None:
        raw = connection.raw
        begin = (lambda: raw.execute("BEGIN").close()) if self._access == "read" else connection.begin
        try:
            begin()
        except sqlite3.OperationalError as error:
            if primary_code(error) not in _BUSY or error.sqlite_errorcode in _OURSELVES or wait <= 0:
                raise
            # Another program writes; wait for it, but not longer than the requests do.
            raw.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}").close()
            try:
                begin()
            finally:
                raw.execute("PRAGMA busy_timeout = 0").close()

    def _reconnect(self, reason: str) -> None:
        """Take a new connection, with which everything that the old one had open is gone, and begin on it."""
        self._report(93130, reason=reason)
        # The new one counts what others write anew.
        self._tables.written_by_others()
        self._log.leave()
        self._needed().close()
        try:
            self._connect()
            connection = self._needed()
            connection.raw.execute("PRAGMA busy_timeout = 0").close()
            connection.begin()
            self._log.remember(connection.rows(_DATA_VERSION))
        except sqlite3.Error as error:
            raise translated(error) from None

    def _look_at_file(self) -> None:
        """Now and then see whether file and log are still there, and how long the log is. Raises `StoreFailureError`.

        Within a write transaction, as `WriteAheadLog` wants it.
        """
        now = self._clock()
        if not self._missing and 0 <= now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        was_missing, self._missing = self._missing, self._find_missing()
        if self._missing:
            if self._missing != was_missing:
                self._report(93124, file=self._missing)
                self._is_brought_over = False
            raise StoreFailureError(f"the file {self._missing} was deleted, overwritten or replaced")
        size = self._file.log_size
        limit = self._checkpoints.limit if self._checkpoints is not None else _LOG_LIMIT
        threshold = max(self._log_reported, 2 * limit)
        if size >= threshold:
            self._report(93125, file=f"{self._file.path}-wal", size=size >> 20)
            self._log_reported = 2 * threshold
        elif size <= limit:
            self._log_reported = _LOG_WARNING

    def _find_missing(self) -> str:
        if not self._file.is_in_place:
            return self._file.path
        if self._access == "serve" and not self._log.is_in_place(self._needed().rows(_DATA_VERSION)):
            return self._log.path
        return ""

    def _save_log(self, connection: Connection) -> None:
        """Bring what a log without its name has into the file, so that the next start finds it."""
        if self._missing != self._log.path or self._is_brought_over or not self._log.is_whole:
            return
        # What cannot be done now is done with the next transaction.
        with contextlib.suppress(sqlite3.Error):
            _, self._is_brought_over = bring_over(connection.raw)

    def _roll_back(self, connection: Connection) -> None:
        self._memory.forget()
        # Where that fails the engine has rolled back by itself.
        with contextlib.suppress(sqlite3.Error):
            if connection.raw.in_transaction:
                connection.raw.execute("ROLLBACK").close()


def _replacing(connection: Connection) -> frozenset[str]:
    return frozenset(name for (name,) in connection.rows(_REPLACING))


class _Scope:
    """What `SQLiteEngine.transaction` returns; no generators, which would cost each batch microseconds."""

    __slots__ = ("_engine", "_lease", "_tx", "_wait")

    def __init__(self, engine: SQLiteEngine, lease: SQLiteLease | None, wait: float) -> None:
        self._engine = engine
        self._lease = lease
        self._wait = wait
        self._tx: SQLiteTransaction | None = None

    def __enter__(self) -> SQLiteTransaction:
        lease, wait = self._lease, self._wait
        try:
            if lease is not None:
                wait = min(wait, lease.beginning())
            tx = self._tx = self._engine.enter(wait)
        except BaseException:
            if lease is not None:
                lease.ended(committed=False)
            raise
        return tx

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        committed = False
        try:
            if self._tx is not None:
                self._engine.leave(self._tx, error)
            committed = error is None
        finally:
            if self._lease is not None:
                self._lease.ended(committed=committed)
