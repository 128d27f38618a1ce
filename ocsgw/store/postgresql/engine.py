"""A PostgreSQL database as the store (configuration.md section 6)."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError, UnavailableListError
from ocsgw.store.engine import Access, Report, StoreSettings
from ocsgw.store.errors import CommitUnknownError, ConflictError, StoreBusyError, StoreError
from ocsgw.store.lease import PairMember
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.postgresql import own_schema
from ocsgw.store.postgresql.address import Address
from ocsgw.store.postgresql.batches import Batches, is_refusal
from ocsgw.store.postgresql.blocks import Blocks
from ocsgw.store.postgresql.connection import Connection, NotBegunError, masked, said, translated
from ocsgw.store.postgresql.forms import Forms
from ocsgw.store.postgresql.lease import PostgreSQLLease, partners_on
from ocsgw.store.postgresql.numbers import Numbers
from ocsgw.store.postgresql.shared import SharedTransaction
from ocsgw.store.postgresql.tables import PostgreSQLTables
from ocsgw.store.postgresql.transaction import PostgreSQLTransaction
from ocsgw.store.postgresql.watchdog import Watchdog
from ocsgw.store.postgresql.writers import Owner, Writers
from ocsgw.store.records import largest_record
from ocsgw.store.refused_commits import is_ours

# What others have written meanwhile makes the database ask for the transaction again, instead of being written over.
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Between tries to connect, in seconds: the first is made at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# After so long without an answer the server is asked whether it is there, and has so long to answer (seconds).
_PATIENCE = 8.0
_SIGN_OF_LIFE = 2
# So long the tables may be locked by another program when the store is opened.
_OPEN_WAIT_MS = 5000
# A transaction of several servers that serve at once begins with its turn: the lock is taken before the database is
# looked at, so that nobody's transaction is refused because of what another one has written.
_TURN = "LOCK TABLE ocsgw_turn IN EXCLUSIVE MODE"
# One that is not alone shares its turn with others of that kind, and sees what they commit.
_SHARED_TURN = "LOCK TABLE ocsgw_turn IN ROW SHARE MODE"
_BEGIN_SHARED = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Who keeps its turn and has done nothing for so many seconds: between the statements of a pipeline, or with a way to
# the database that is broken, no timeout of the database counts.
_END_TURN = (
    "SELECT pg_terminate_backend(holder.pid) FROM pg_locks AS turn JOIN pg_stat_activity AS holder"
    " ON holder.pid = turn.pid WHERE turn.relation = 'ocsgw_turn'::regclass AND turn.granted"
    " AND holder.wait_event = 'ClientRead' AND holder.state_change < clock_timestamp() - make_interval(secs => ?)"
)
# How long a server may stand still in a transaction at least (seconds).
_SHORTEST_STANDSTILL = 1.0
# So long is tried to connect for a look at the lease.
_LEASE_WAIT = 1.0


class PostgreSQLEngine:
    """`store.engine.Engine` on a database.

    Every writing transaction writes the number of its batch into a row of its own in `ocsgw_batch`: if the answer to a
    commit is lost, that row says what became of it. `clock` is a monotonic time in seconds, `sleep` waits. With
    `member` other servers use the database: either the one that has the lease uses its tables, or all do, and their
    transactions take turns, or share one.
    """

    runs_in_reactor = False

    def __init__(
        self,
        settings: StoreSettings,
        report: Report,
        *,
        access: Access = "serve",
        member: PairMember | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = _PATIENCE,
    ) -> None:
        self._address = Address(settings)
        self._settings = settings
        self._report = report
        self._access = access
        self._create = settings.create and access != "read"
        self._clock = clock
        self._sleep = sleep
        self._connection: Connection | None = None
        self._is_open = False
        self._tables = OpenTables()
        self._blocks = Blocks()
        self._numbers = Numbers()
        # Looked up each time: a test may put itself between.
        self._batches = Batches(clock, lambda seconds: self._sleep(seconds))  # noqa: PLW0108 - as above
        self._pause = 0.0
        self._not_before = 0.0
        self._begin_text = _BEGIN_READING if access == "read" else _BEGIN
        self._lock = threading.RLock()
        self._watchdog = Watchdog(self._is_alive, patience, clock)
        self.lease = PostgreSQLLease(member, self._for_lease) if member is not None else None
        self._is_one_of_a_pair = member is not None and not member.all_serve
        self.pipeline = self._new_pipeline(member, clock, sleep, patience)
        # So long one of several that serve may keep the others waiting, None for a server that is alone.
        self._standstill = max(_SHORTEST_STANDSTILL, member.lease_time) if member and member.all_serve else None

    def _new_pipeline(
        self,
        member: PairMember | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        patience: float,
    ) -> Writers | None:
        """Return the writers beside this one; those of several servers are enough for each other."""
        if self._access != "serve" or (member is not None and member.all_serve) or not self._settings.writers:
            return None
        owner = Owner(
            connect=self._connect_writer,
            tables=lambda: self._tables,
            report=self._report,
            numbers=self._numbers,
            checking=self._checking,
            reserve=self._reserve,
            new_batches=lambda: Batches(clock, sleep),
            new_watchdog=lambda: Watchdog(self._is_alive, patience, clock),
            clock=clock,
        )
        return Writers(owner, self._settings.writers)

    # Life.

    @property
    def closed_lists(self) -> Mapping[str, str]:
        """The lists of the configuration in use that cannot be used, with the reason (K12)."""
        return self._tables.closed_lists

    def time(self) -> float | None:
        """Return the time of the database, in seconds since 1970 UTC. Raises `StoreFailureError`."""
        row = self._for_lease().row("SELECT extract(epoch FROM clock_timestamp())::double precision")
        return None if row is None else float(row[0])

    def open(self, directory: Directory) -> None:
        """Connect, see to our own tables, and open every list."""
        try:
            self._connection = connection = self._new_connection(self._address.options)
            self._bring_up_to_date(connection)
            if self._access != "read":
                self._become_writer(connection)
                # A copy into this database may have begun while that waited for it.
                own_schema.expect_own(connection, self._address.shown)
            self._is_open = True
            self.use(directory)
        except psycopg.Error as error:
            self.close()
            raise StoreError(self._problem(said(error))) from None
        except StoreFailureError as error:
            self.close()
            raise StoreError(self._problem(str(error))) from None
        except BaseException:
            self.close()
            raise

    def _problem(self, text: str) -> str:
        return f"the store {self._address.shown} cannot be opened: {text}"

    def _bring_up_to_date(self, connection: Connection) -> None:
        if self._access == "serve" and self._create and not own_schema.tables_there(connection):
            own_schema.upgrade(lambda: psycopg.connect(self._address.url, **self._address.options))
        own_schema.expect_own(connection, self._address.shown)

    def _become_writer(self, connection: Connection) -> None:
        partners = partners_on(connection) if self._access == "serve" and self.lease is None else []
        if partners:
            names = ", ".join(partners)
            raise StoreError(
                self._problem(f"servers with [ha] enabled use it ({names}); enable that here as well, or stop them")
            )
        connection.control(f"BEGIN; SET LOCAL lock_timeout = {_OPEN_WAIT_MS}")
        try:
            self._batches.enter(connection)
        except StoreBusyError:
            raise StoreError(
                self._problem("another program keeps its tables locked, such as ocsctl store copy; wait until it ends")
            ) from None
        connection.control("COMMIT")

    def use(self, directory: Directory) -> None:
        """Open the tables of this configuration; a server of a pair that stands by opens none."""
        with self._lock:
            if self._is_one_of_a_pair and self.lease is not None and not self.lease.is_held:
                return
            connection = self._connected(self._settings.connect_timeout)
            try:
                self._use(connection, directory)
            except StoreFailureError as error:
                self._drop_if_broken(connection)
                raise StoreError(self._problem(str(error))) from None

    def _use(self, connection: Connection, directory: Directory) -> None:
        encoding = connection.row("SELECT current_setting('server_encoding')")
        tables = PostgreSQLTables(
            connection,
            self._report,
            Forms(is_unicode=encoding == ("UTF8",)),
            create=self._create,
            create_indexes=self._settings.create_indexes,
            may_index=self._settings.create_indexes and self._access != "read",
        )
        do_not_call = tables.open_do_not_call(directory.do_not_call.table)
        lists = {each: tables.open_retired_list(each) for each in directory.retired}
        lists.update(
            {
                each: tables.open_list(each, needs_treatments=directory.needs_treatments_column(each))
                for each in directory.calling_lists
            }
        )
        largest = largest_record(directory.largest_event)
        self._tables.use(do_not_call, lists, largest, tables.closed, keeps_forms=self._access != "read")

    def close(self) -> None:
        """Disconnect."""
        self._watchdog.stop()
        if self.pipeline is not None:
            self.pipeline.close()
        with self._lock:
            connection, self._connection, self._is_open = self._connection, None, False
            if connection is not None:
                with contextlib.suppress(psycopg.Error, StoreFailureError):
                    if self._access != "read" and not connection.is_broken and not connection.in_transaction:
                        self._batches.leave(connection)
                        if not self._is_one_of_a_pair:
                            self._give_back(connection)
                connection.close()
            self._tables = OpenTables()

    def _give_back(self, connection: Connection) -> None:
        """Give back the numbers that are reserved and were not used."""
        for last, name, end in self._numbers.spare():
            connection.change(
                "UPDATE ocsgw_counter SET value = ? WHERE name = ? AND value = ?",
                (last, name, end),
            )
        self._numbers.clear()

    # Connections.

    def _connected(self, wait: float) -> Connection:
        """Return a connection that works as far as is known. Raises `StoreFailureError`; tries are made with pauses."""
        if not self._is_open and self._connection is None:
            raise StoreFailureError("the store is closed")
        connection = self._connection
        if connection is not None and not connection.is_broken:
            return connection
        now = self._clock()
        if now < self._not_before:
            raise StoreFailureError(f"{self._address.shown} cannot be reached; it is tried again at once")
        return self._reconnect(wait)

    def _reconnect(self, wait: float) -> Connection:
        if self._connection is not None:
            self._connection.close()
        try:
            connection = self._connection = self._new_connection(self._options_within(wait))
        except psycopg.Error as error:
            self._connection = None
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _FIRST_PAUSE)
            self._not_before = self._clock() + self._pause
            raise StoreFailureError(said(error)) from None
        self._pause = self._not_before = 0.0
        return connection

    def _options_within(self, wait: float) -> dict[str, Any]:
        options = dict(self._address.options)
        if "connect_timeout" in options:
            options["connect_timeout"] = max(1, min(options["connect_timeout"], round(wait)))
        return options

    def _connect_writer(self, wait: float) -> Connection:
        """Return a new connection of a further writer. Raises `StoreFailureError`."""
        try:
            return self._new_connection(self._options_within(wait))
        except psycopg.Error as error:
            raise StoreFailureError(said(error)) from None

    def _new_connection(self, options: Mapping[str, Any]) -> Connection:
        return Connection(self._address.url, options, prepares=self._settings.prepared_statements)

    def _drop_if_broken(self, connection: Connection) -> None:
        if connection.is_broken:
            connection.close()

    # Transactions.

    @contextmanager
    def transaction(self, wait: float, *, alone: bool = True) -> Iterator[PostgreSQLTransaction]:
        """Begin a write transaction; a statement in it waits at most `wait` seconds for other programs."""
        with self._lock:
            limit = f"SET LOCAL lock_timeout = {max(1, int(wait * 1000))}"
            begin = f"{self._begin_text}; {limit}"
            lease = self.lease
            if lease is None or not self._is_one_of_a_pair:
                is_shared = not alone and self._standstill is not None
                with self._turn(f"{_BEGIN_SHARED}; {limit}" if is_shared else begin, wait, is_shared=is_shared) as tx:
                    yield tx
                return
            committed = False
            begin = f"{begin}; {lease.beginning()}"
            try:
                with self._transaction(begin, wait) as tx:
                    yield tx
                committed = True
            finally:
                lease.ended(committed=committed)

    @contextmanager
    def _turn(self, begin: str, wait: float, *, is_shared: bool) -> Iterator[PostgreSQLTransaction]:
        """Begin a transaction when it is our turn, if there are others."""
        if self._standstill is not None:
            longest = int(self._standstill * 1000)
            turn = _SHARED_TURN if is_shared else _TURN
            begin = f"{begin}; SET LOCAL idle_in_transaction_session_timeout = {longest}; {turn}"
        elif self._access == "work":
            begin = f"{begin}; {_TURN}"
        try:
            if is_shared and self._blocks.low:
                self._refill(begin)
            with self._transaction(begin, wait, is_shared=is_shared) as tx:
                yield tx
        except StoreBusyError:
            if self._standstill is not None:
                self._end_turn(self._standstill)
            raise

    def _end_turn(self, standstill: float) -> None:
        """End the session of a server that has its turn and stands still; the next transaction gets it."""
        with contextlib.suppress(StoreFailureError):
            self._connected(_LEASE_WAIT).rows(_END_TURN, (standstill,))

    def _refill(self, begin: str) -> None:
        """Reserve numbers in advance. Where that fails the transaction that wants some says so."""
        connection = self._connection
        if connection is None or connection.is_broken:
            return
        names = self._blocks.low
        try:
            self._watchdog.watch(connection.descriptor)
            connection.begin(begin)
            self._blocks.refill(connection)
            connection.control("COMMIT")
        except (psycopg.Error, StoreFailureError):
            # Others may reserve the same.
            self._blocks.forget(names)
            self._roll_back(connection)
        finally:
            self._watchdog.rest()

    @contextmanager
    def _transaction(self, begin: str, wait: float, *, is_shared: bool = False) -> Iterator[PostgreSQLTransaction]:
        try:
            connection = self._begun(begin, wait)
            try:
                tx: PostgreSQLTransaction
                if is_shared:
                    tx = SharedTransaction(connection, self._tables, self._report, begin, self._blocks)
                else:
                    tx = PostgreSQLTransaction(connection, self._tables, self._report, begin, self._numbers)
                yield tx
            except BaseException:
                self._roll_back(connection)
                raise
            if self._access == "read":
                self._roll_back(connection)
                return
            self._commit(connection, wait, tx)
            self._blocks.committed()
            tx.committed()
        except NotBegunError as error:
            raise self._not_begun(connection, error.reason) from None
        except BaseException:
            self._tables.is_outbox_counted = False
            raise
        finally:
            self._blocks.undone()
            self._watchdog.rest()
        self._tables.unsettled -= tx.settled

    def _is_alive(self) -> bool:
        """Whether the server answers somebody else, if only with a refusal."""
        try:
            psycopg.connect(self._address.url, **{**self._address.options, "connect_timeout": _SIGN_OF_LIFE}).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True
        return True

    def _begun(self, begin: str, wait: float) -> Connection:
        """Return a connection on which a transaction begins with its first statement."""
        connection = self._connected(wait)
        if connection.is_stale():
            # The server has closed it while nobody used it.
            connection = self._reconnect(wait)
        self._watchdog.watch(connection.descriptor)
        connection.begin(begin)
        return connection

    def _not_begun(self, connection: Connection, error: psycopg.Error) -> Exception:
        """Return the error of ours for one at the beginning, where the lease of a pair is checked."""
        if self._is_one_of_a_pair and self.lease is not None and isinstance(error, psycopg.errors.DivisionByZero):
            return self.lease.lost()
        failure, text = translated(error), masked(str(error))
        if connection.is_broken and connection.was_used:
            # Nothing was begun: with another connection all may be well.
            return ConflictError(text)
        return failure if isinstance(failure, StoreFailureError) else StoreFailureError(text)

    # Further writers.

    def _checking(self) -> list[str] | None:
        """Return the statements that check the lease, None if a batch has to do more about it."""
        return self.lease.checking() if self.lease is not None else []

    def _reserve(self, lists: Sequence[CallingList]) -> None:
        """Reserve numbers of lists, and find out whether there are do-not-call entries."""
        with self.transaction(_LEASE_WAIT) as tx:
            for calling_list in lists:
                with contextlib.suppress(UnavailableListError):
                    tx.reserve_ahead(calling_list)
            tx.begin_outbox()
            self._tables.has_entries = tx.look_for_entries()

    def _for_lease(self) -> Connection:
        return self._connected(_LEASE_WAIT)

    def _commit(self, connection: Connection, wait: float, tx: PostgreSQLTransaction) -> None:
        is_marked = connection.has_written
        if is_marked:
            connection.later(*self._batches.mark())
        try:
            connection.control("COMMIT")
        except psycopg.Error as error:
            if not connection.is_broken and connection.exchange.failed_at is not None and is_refusal(error):
                # The server says why it has not committed.
                self._roll_back(connection)
                failure = translated(error)
                table = error.diag.table_name or ""
                if isinstance(failure, RefusedByTableError) and connection.failed_last and not is_ours(table):
                    # A constraint or trigger that is checked at the commit, where all rows of the batch are.
                    raise tx.refused_at_commit(failure, table) from None
                raise (failure if isinstance(failure, StoreFailureError) else StoreFailureError(str(failure))) from None
            text = masked(str(error))
            self._watchdog.rest()
            connection.close()
            was_committed = self._batches.was_committed(self._reconnect, wait) if is_marked else False
            if was_committed is None:
                raise CommitUnknownError(text) from None
            if not was_committed:
                raise StoreFailureError(text) from None
        except BaseException:
            self._roll_back(connection)
            raise
        if connection.in_transaction:
            # A transaction that had failed unnoticed is rolled back by its commit.
            self._roll_back(connection)

    def _roll_back(self, connection: Connection) -> None:
        # Where that fails the server has rolled back by itself, or the connection is lost.
        connection.forget_queued()
        try:
            if not connection.is_broken and connection.in_transaction:
                connection.control("ROLLBACK")
        except psycopg.Error:
            self._watchdog.rest()
            connection.close()
