"""A connection to PostgreSQL: statements as engines share them, and errors in our words.

Nothing here depends on the session, so that PgBouncer may give every transaction another one: no advisory locks, no
prepared statements unless asked for, and settings only where the server itself is at the other end. Texts of errors may
have values of rows in them, which must not reach the log (R54): of what a table refuses only names are taken,
everything else is masked.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader, Transformer
from psycopg.types.numeric import Int8Dumper

from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError, UnstorableTextError
from ocsgw.store.dialect import Parameters
from ocsgw.store.errors import ConflictError, StatementError, StoreBusyError
from ocsgw.store.postgresql.connecting import NotConnectedError
from ocsgw.store.postgresql.exchange import Exchange, Statement

_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)=\([^()]*\)|\S*@\S*|\+?[0-9][0-9 ().-]{2,}[0-9]")
_CONFLICTS = frozenset({"40001", "40P01"})
_NO_NUMBER = frozenset({"23502", "23505"})
_NO_TIME = frozenset({"55P03"})
# What concerns one statement, because of the rows that it was given: values, constraints, errors of triggers.
_OF_ROWS = ("22", "23", "27", "P0", "44")
_OF_TABLES = "42"
# A table has got other columns since a statement was prepared.
OUT_OF_DATE = "0A000"
# Both are for long reports. Where statistics lag behind, as after a mass insert, the database takes our statements for
# such: a preview from 10 million records took 290 ms instead of 14.
_FOR_REPORTS = {"jit": "off", "max_parallel_workers_per_gather": "0"}
_ARE_SET = "SELECT name FROM pg_settings WHERE name = ANY(?::text[]) AND setting <> ALL(?::text[])"
_UNSTORABLE = frozenset({"22P05", "22021"})


class _NumericLoader(Loader):
    """A number with a fraction is a float, any other an integer."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode("ascii")
        try:
            return int(text)
        except ValueError:
            number = float(text)
            return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


class _TolerantLoader(Loader):
    """Text of a database without an encoding may be anything."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "surrogateescape")


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # Integers have one type, whatever their size, so that sums do not overflow.
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_loader("numeric", _NumericLoader)
    return adapters


_ADAPTERS = _adapters()
_TEXT_TYPES = ("text", "varchar", "bpchar", "name")


class NotBegunError(StoreFailureError):
    """The transaction that was to begin with this statement has not; `reason` is what the driver says."""

    def __init__(self, reason: psycopg.Error) -> None:
        super().__init__(masked(str(reason)))
        self.reason = reason


class Connection:
    """One connection. Raises `StoreFailureError`, or `RefusedByTableError` for rows that a table refuses.

    `has_written` is whether a statement has changed something since somebody set it to false.
    """

    def __init__(self, address: str, options: Mapping[str, Any], *, prepares: bool = False) -> None:
        """Connect. Raises `NotConnectedError`: the caller knows what it was for."""
        self.raw = self._connect(address, options)
        # A database without an encoding has whatever bytes somebody has written, and converts none of them.
        self._is_tolerant = self.raw.pgconn.parameter_status(b"server_encoding") == b"SQL_ASCII"
        if self._is_tolerant:
            self.raw.close()
            self.raw = self._connect(address, {**options, "client_encoding": "SQL_ASCII"})
        self.exchange = Exchange(self.raw, prepares=prepares)
        self._prepares = prepares
        self._tolerant: AdaptContext | None = None
        self.has_written = False
        # Whether an answer has ever come: a new one is not to blame on what was there before.
        self.was_used = False
        # Whether it was the last statement of a message that failed lately: of one that commits, the commit itself.
        self.failed_last = False
        self._queued: list[Statement] = []
        # How many of these begin the transaction.
        self._beginning = 0
        # What is set for each transaction, None while not known.
        self._settings: list[str] | None = None
        self._is_direct: bool | None = None

    @staticmethod
    def _connect(address: str, options: Mapping[str, Any]) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            return psycopg.connect(address, autocommit=True, prepare_threshold=None, context=_ADAPTERS, **options)
        except psycopg.Error as error:
            raise NotConnectedError(error) from None

    def tolerate(self) -> None:
        """Let every text that is not UTF-8 come with lone surrogates at once: a FETCH cannot be carried out again."""
        for name in _TEXT_TYPES:
            self.raw.adapters.register_loader(name, _TolerantLoader)

    @property
    def descriptor(self) -> int:
        """The number of its socket. Raises `StoreFailureError` if it is closed."""
        try:
            return self.raw.fileno()
        except psycopg.Error as error:
            raise StoreFailureError(masked(str(error))) from None

    @property
    def is_broken(self) -> bool:
        """Whether the connection is lost."""
        return self.raw.closed or self.raw.pgconn.status != pq.ConnStatus.OK

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not."""
        return self.raw.pgconn.transaction_status != pq.TransactionStatus.IDLE

    def rows(self, text: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement. Text that is not UTF-8 comes with lone surrogates (see `store.records`)."""
        if not text.startswith(("SELECT", "WITH")):
            self.has_written = True
        result = self._result(text, parameters)
        if self._is_tolerant:
            return self._rows_of(result, self._tolerantly())
        try:
            return self._rows_of(result, self.raw)
        except UnicodeDecodeError:
            return self._rows_of(result, self._tolerantly())

    @staticmethod
    def _rows_of(result: pq.abc.PGresult, context: AdaptContext) -> list[tuple[Any, ...]]:
        loader = Transformer.from_context(context)
        loader.set_pgresult(result)
        return loader.load_rows(0, result.ntuples, tuple)

    def _tolerantly(self) -> AdaptContext:
        """Return what reads every text that is not UTF-8 with lone surrogates."""
        if self._tolerant is None:
            self._tolerant = self.raw.cursor()
            for name in _TEXT_TYPES:
                self._tolerant.adapters.register_loader(name, _TolerantLoader)
        return self._tolerant

    def row(self, text: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """Return the first row of a statement, None without one."""
        rows = self.rows(text, parameters)
        return rows[0] if rows else None

    def change(self, text: str, parameters: Parameters = ()) -> int:
        """Carry out a statement without rows; return how many rows it has changed."""
        self.has_written = True
        return self._result(text, parameters).command_tuples or 0

    def _result(self, text: str, parameters: Parameters) -> pq.abc.PGresult:
        try:
            return self._send((text, parameters))
        except psycopg.Error as error:
            if self._prepares and error.sqlstate == OUT_OF_DATE:
                # The next connection prepares it anew.
                self.raw.close()
                raise ConflictError(masked(str(error))) from None
            raise translated(error) from None
        except UnicodeEncodeError:
            raise UnstorableTextError from None

    def _send(self, *statements: Statement, commits: bool = False) -> pq.abc.PGresult:
        """Send what waits, and these statements behind it; return the result of the last one.

        Raises `NotBegunError` where that is sure; that of a transaction that also `commits` is not if nobody answers.
        """
        ready = self.exchange.adapted([*self._queued, *statements])
        beginning = self._beginning
        self.forget_queued()
        try:
            result = self.exchange.carry_out(ready)
        except psycopg.Error as error:
            failed_at = self.exchange.failed_at
            self.failed_last = failed_at == len(ready) - 1
            if beginning and (not commits if failed_at is None else failed_at < beginning):
                if not self.is_broken and not self.in_transaction:
                    # What comes next must not be carried out without a transaction.
                    self.raw.close()
                raise NotBegunError(error) from None
            raise
        self.was_used = True
        return result

    def is_stale(self) -> bool:
        """Whether the server has closed the connection while nobody used it."""
        return self.is_broken or self.exchange.is_stale()

    def begin(self, text: str) -> None:
        """Let a transaction begin with its first statement, or with its commit.

        `text` is a statement or several, with "; " between them. Where they fail `NotBegunError` is raised.
        """
        statements = self.beginning(text).split("; ")
        self.has_written = False
        self._queued = [(each, ()) for each in statements]
        self._beginning = len(statements)

    def beginning(self, text: str) -> str:
        """Return what a transaction begins with: without what serves reports alone, as far as the database has it."""
        if self._settings is None:
            self.forget_queued()
            rows = self.rows(_ARE_SET, (list(_FOR_REPORTS), list(_FOR_REPORTS.values())))
            self._settings = self.setting([f"{name} = {_FOR_REPORTS[name]}" for (name,) in rows])
        first, *further = text.split("; ")
        return "; ".join((first, *self._settings, *further))

    def setting(self, settings: Sequence[str]) -> list[str]:
        """Return what each transaction begins with so that settings hold: nothing where the session keeps them.

        It does if no pooler is between that gives the next transaction to another session: a pooler makes up the number
        by which a session is known. Asked outside of transactions.
        """
        if self._is_direct is None:
            self._is_direct = self.rows("SELECT pg_backend_pid()") == [(self.raw.info.backend_pid,)]
        if not self._is_direct:
            return [f"SET LOCAL {each}" for each in settings]
        if settings:
            self.change("; ".join(f"SET {each}" for each in settings))
        return []

    def later(self, text: str, parameters: Parameters = ()) -> None:
        """Let a statement travel with the next one, whose errors are those of both; it must have no rows."""
        self.has_written = True
        self._queued.append((text, parameters))

    def forget_queued(self) -> None:
        """Send nothing of what waits for the next statement: it is being undone."""
        self._queued, self._beginning = [], 0

    def control(self, *texts: str) -> None:
        """Begin or end a transaction or a savepoint, with statements without parameters, all in one message.

        Raises `psycopg.Error`, or `NotBegunError`.
        """
        if texts[0] == "ROLLBACK":
            self.forget_queued()
        if self._queued:
            self._send(*((text, ()) for text in texts), commits=texts[0] == "COMMIT")
        else:
            self._send(("; ".join(texts), ()))

    def close(self) -> None:
        """Close the connection, with what it still has open."""
        self.raw.close()


def masked(text: str) -> str:
    """Return the text of an error without what could be values of rows (R54)."""
    return _VALUES.sub("***", " ".join(text.split()))


def said(error: Exception) -> str:
    """Return the text of an error for people."""
    return str(error) if isinstance(error, NotConnectedError) else masked(str(error))


def translated(error: psycopg.Error) -> Exception:
    """Return the error of ours for one of the driver."""
    state, diagnosis = error.sqlstate, error.diag
    text = masked(diagnosis.message_primary or str(error))
    if state is None:
        # A text with a NUL, for instance, which the driver itself refuses.
        is_of_rows = isinstance(error, psycopg.DataError)
        return UnstorableTextError() if is_of_rows else StoreFailureError(text)
    if state in _CONFLICTS:
        return ConflictError(text)
    if state in _NO_NUMBER and diagnosis.table_name == "ocsgw_outbox":
        # Its counter was deleted or lowered by somebody.
        return ConflictError(text)
    if state in _NO_TIME:
        return StoreBusyError(text)
    if state in _UNSTORABLE:
        return UnstorableTextError()
    if state.startswith(_OF_ROWS):
        return RefusedByTableError(_refusal(state, diagnosis, text))
    return StatementError(text) if state.startswith(_OF_TABLES) else StoreFailureError(text)


def _refusal(state: str, diagnosis: psycopg.errors.Diagnostic, text: str) -> str:
    if state == "23502":
        return f"column {diagnosis.column_name} must have a value"
    if state == "23505":
        return f"unique index {diagnosis.constraint_name}"
    if state.startswith("23") and diagnosis.constraint_name:
        return f"constraint {diagnosis.constraint_name}"
    return f"a trigger: {text}" if state.startswith("P0") else text
