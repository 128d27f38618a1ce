"""Connections for batches that are sent in one message (`pipelined.py`), and such a batch on its way."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.engine import Report
from ocsgw.store.errors import CommitUnknownError, NotPipelinedError
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.postgresql.batches import Batches, is_refusal
from ocsgw.store.postgresql.connection import OUT_OF_DATE, Connection
from ocsgw.store.postgresql.exchange import Statement
from ocsgw.store.postgresql.numbers import Numbers
from ocsgw.store.postgresql.pipelined import PipelinedTransaction
from ocsgw.store.postgresql.watchdog import Watchdog

# What others have committed since is seen by the next statement: ids, contacts and the lease are judged by statements.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# So long a statement waits for locks (milliseconds); whoever waits for longer does so in the usual way.
_LOCKS_MS = 1000
# A plan that is kept may have been made while the table was empty, when to read all of it was cheapest.
_SETTINGS = (f"lock_timeout = {_LOCKS_MS}", "enable_seqscan = off")
# After a try in vain it is not tried again for so long, at first and at most (seconds).
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_COMMITTED = b"COMMIT"


@dataclass(frozen=True, slots=True)
class Owner:
    """What writers are given by the engine.

    `connect` makes a connection within so many seconds, or raises `StoreFailureError`. `checking` returns the
    statements that check the lease, None if a batch may not go on its way now. `reserve` reserves numbers of lists, and
    finds out whether there are do-not-call entries.
    """

    connect: Callable[[float], Connection]
    tables: Callable[[], OpenTables]
    report: Report
    numbers: Numbers
    checking: Callable[[], list[str] | None]
    reserve: Callable[[Sequence[CallingList]], None]
    new_batches: Callable[[], Batches]
    new_watchdog: Callable[[], Watchdog]
    clock: Callable[[], float]


class Writer:
    """One connection, with its own row in `ocsgw_batch`."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.batches = owner.new_batches()
        self.watchdog = owner.new_watchdog()
        self.connection: Connection | None = None
        # What its transactions begin with.
        self.settings: list[str] = []
        self.is_busy = False

    @property
    def is_ready(self) -> bool:
        """Whether a batch may be sent at once."""
        connection = self.connection
        return (
            not self.is_busy and connection is not None and not connection.is_stale() and not connection.in_transaction
        )

    def connect(self, wait: float) -> Connection:
        """Connect anew. Raises `psycopg.Error` and errors of ours; there is no connection then."""
        self.disconnect()
        connection = self._owner.connect(wait)
        try:
            self.watchdog.watch(connection.descriptor)
            # What transactions begin with is asked here, where there is time.
            self.settings = connection.setting(_SETTINGS)
            connection.beginning(_BEGIN)
        except BaseException:
            self.watchdog.rest()
            connection.close()
            raise
        self.connection = connection
        return connection

    def enter(self, wait: float) -> None:
        """Connect anew, and make the row of this writer."""
        connection = self.connect(wait)
        try:
            connection.control(f"BEGIN; SET LOCAL lock_timeout = {_LOCKS_MS}")
            self.batches.enter(connection)
            connection.control("COMMIT")
            self.watchdog.rest()
        except BaseException:
            self.disconnect()
            raise

    def forget_entries(self) -> None:
        """Let it be asked again whether there are do-not-call entries."""
        self._owner.tables().has_entries = None

    def disconnect(self) -> None:
        """Close the connection."""
        self.watchdog.rest()
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def leave(self) -> None:
        """Remove the row of this writer and disconnect."""
        self.watchdog.stop()
        if self.connection is not None and not self.connection.is_broken and not self.connection.in_transaction:
            with contextlib.suppress(psycopg.Error, StoreFailureError):
                self.batches.leave(self.connection)
        self.disconnect()


class PipelinedBatch:
    """`store.engine.PipelinedBatch` on the connection of a writer."""

    def __init__(self, writer: Writer, connection: Connection, tx: PipelinedTransaction, begin: Sequence[str]) -> None:
        self.tx = tx
        self._writer = writer
        self._connection = connection
        self._begin = begin
        # Whether the server has said that nothing was changed.
        self._is_refused = False

    def fileno(self) -> int:
        """Return the descriptor of the connection."""
        return self._connection.descriptor

    @property
    def is_sending(self) -> bool:
        """Whether something waits for room to be sent."""
        return self._connection.exchange.is_sending

    def send(self) -> bool:
        """Send all, and return whether answers can be waited for; else the batch has come to an end.

        Raises `NotPipelinedError` where nothing was sent.
        """
        if not self.tx.statements:
            raise NotPipelinedError
        exchange = self._connection.exchange
        begin: list[Statement] = [(each, ()) for each in self._begin]
        try:
            ready = exchange.adapted([*begin, self._writer.batches.mark(), *self.tx.statements, ("COMMIT", ())])
        except (psycopg.Error, UnicodeEncodeError):
            raise NotPipelinedError from None
        try:
            self._writer.watchdog.watch(self.fileno())
            exchange.begin(ready)
        except (psycopg.Error, StoreFailureError):
            self._writer.disconnect()
            return False
        except BaseException:
            # The commit stands behind what could not be sent.
            self._writer.disconnect()
            raise
        return True

    def proceed(self) -> bool:
        """Read what has come, and send what has room; return whether the batch has come to an end."""
        try:
            return self._connection.exchange.proceed()
        except psycopg.Error:
            # What has become of the batch is found out by `settle`.
            self._writer.disconnect()
            return True

    def was_committed(self) -> bool:
        """Whether the batch that has come to an end is surely committed; if it is, nothing more has to be done."""
        self._writer.watchdog.rest()
        if self._connection.is_broken:
            return False
        exchange = self._connection.exchange
        try:
            status = exchange.result().command_status
        except psycopg.Error as error:
            self._is_refused = exchange.failed_at is not None and is_refusal(error)
            if not self._is_refused or error.sqlstate == OUT_OF_DATE:
                # The next connection prepares its statements anew.
                self._writer.disconnect()
            return False
        if status != _COMMITTED:
            self._is_refused = True
            return False
        self.tx.settled_numbers(committed=True)
        self._writer.is_busy = False
        return True

    def settle(self, wait: float) -> bool:
        """Find out what has become of a batch that is not surely committed, within `wait` seconds or a little more.

        This takes its time. Raises `CommitUnknownError`.
        """
        writer, connection = self._writer, self._connection
        try:
            if self._is_refused:
                # It may have been an entry that nobody here has known of.
                writer.forget_entries()
                if not connection.is_broken and connection.in_transaction:
                    with contextlib.suppress(psycopg.Error):
                        connection.control("ROLLBACK")
                committed: bool | None = False
            else:
                writer.disconnect()
                committed = writer.batches.was_committed(writer.connect, wait)
        finally:
            writer.watchdog.rest()
            writer.is_busy = False
        self.tx.settled_numbers(committed=bool(committed))
        if committed is None:
            writer.disconnect()
            raise CommitUnknownError("nobody can say whether the batch was committed")
        return committed

    def give_up(self) -> None:
        """Nothing is sent."""
        self.tx.settled_numbers(committed=False)
        self._writer.is_busy = False


class Writers:
    """`store.engine.Pipeline`: so many writers, connected when they are first wanted."""

    def __init__(self, owner: Owner, count: int) -> None:
        self._owner = owner
        self._writers = [Writer(owner) for _ in range(count)]
        self._wanted: list[CallingList] = []
        self._is_wanted = False
        self._pause = 0.0
        self._not_before = 0.0

    def begin(self) -> PipelinedBatch | None:
        """Begin a batch, None if there is no connection for it; `prepare` may be of help then."""
        begin = self._owner.checking()
        if begin is None:
            return None
        for writer in self._writers:
            if writer.is_ready and writer.connection is not None:
                connection = writer.connection
                # Known since it was connected: nothing is asked here, where everybody would wait for the answer.
                beginning = connection.beginning("; ".join((_BEGIN, *writer.settings, *begin)))
                tx = PipelinedTransaction(self._owner.tables(), self._owner.report, self._owner.numbers, self._wanted)
                writer.is_busy = True
                return PipelinedBatch(writer, connection, tx, beginning.split("; "))
        self._is_wanted = True
        return None

    @property
    def is_full(self) -> bool:
        """Whether all writers are at work."""
        return all(writer.is_busy for writer in self._writers)

    @property
    def needs_preparation(self) -> bool:
        """Whether `prepare` is to be called before a batch can begin."""
        is_needed = self._is_wanted or bool(self._wanted) or self._owner.tables().has_entries is None
        return is_needed and self._owner.clock() >= self._not_before

    def prepare(self, wait: float) -> None:
        """Connect, reserve numbers that batches have lacked, ask for entries; what fails is tried again later."""
        wanted, self._wanted[:], self._is_wanted = list(self._wanted), [], False
        try:
            for writer in self._writers:
                if not writer.is_busy and not writer.is_ready:
                    writer.enter(wait)
            self._owner.reserve(wanted)
        except (psycopg.Error, StoreFailureError, CommitUnknownError):
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _FIRST_PAUSE)
            self._not_before = self._owner.clock() + self._pause
        else:
            self._pause = 0.0

    def close(self) -> None:
        """Disconnect."""
        for writer in self._writers:
            writer.leave()
