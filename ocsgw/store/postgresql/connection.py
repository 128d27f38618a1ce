"""A connection to PostgreSQL: statements as engines share them, and errors in our words.

Nothing here depends on the session, so that PgBouncer may give every transaction another one: no prepared statements,
no settings, no advisory locks. Texts of errors may have values of rows in them, which must not reach the log (R54): of
what a table refuses only names are taken, everything else is masked.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.numeric import Int8Dumper

from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError, UnstorableTextError
from ocsgw.store.dialect import Parameters
from ocsgw.store.errors import ConflictError, StatementError, StoreBusyError
from ocsgw.store.postgresql.connecting import NotConnectedError

_PARAMETER = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|::)|:([a-z_]+)|(\?)|(%)""")
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)=\([^()]*\)|\S*@\S*|\+?[0-9][0-9 ().-]{2,}[0-9]")
_CONFLICTS = frozenset({"40001", "40P01"})
_NO_TIME = frozenset({"55P03"})
# What concerns one statement, because of the rows that it was given: values, constraints, errors of triggers.
_OF_ROWS = ("22", "23", "27", "P0", "44")
_OF_TABLES = "42"
# A table has got other columns since a statement was prepared.
_OUT_OF_DATE = "0A000"
# So often a statement is carried out before it is prepared.
_PREPARED_AFTER = 5
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


@lru_cache(maxsize=8192)
def translated_text(text: str) -> str:
    """Return a statement with its parameters written as the driver wants them."""

    def one(match: re.Match[str]) -> str:
        if match[2] is not None:
            return f"%({match[2]})s"
        if match[3] is not None:
            return "%s"
        return match[0].replace("%", "%%")

    return _PARAMETER.sub(one, text)


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
        if prepares:
            self.raw.prepare_threshold = _PREPARED_AFTER
        self.has_written = False
        self._queued: list[tuple[str, Parameters]] = []

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
        try:
            return self._cursor(text, parameters).fetchall()
        except UnicodeDecodeError:
            return self._cursor(text, parameters, tolerant=True).fetchall()

    def row(self, text: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """Return the first row of a statement, None without one."""
        rows = self.rows(text, parameters)
        return rows[0] if rows else None

    def change(self, text: str, parameters: Parameters = ()) -> int:
        """Carry out a statement without rows; return how many rows it has changed."""
        self.has_written = True
        return self._cursor(text, parameters).rowcount

    def _cursor(self, text: str, parameters: Parameters, *, tolerant: bool = False) -> psycopg.Cursor[tuple[Any, ...]]:
        cursor = self.raw.cursor()
        if tolerant or self._is_tolerant:
            for name in _TEXT_TYPES:
                cursor.adapters.register_loader(name, _TolerantLoader)
        try:
            if not self._queued:
                self._execute(cursor, text, parameters)
                return cursor
            with self.raw.pipeline():
                self._send_queued()
                self._execute(cursor, text, parameters)
            return cursor
        except psycopg.Error as error:
            if self.raw.prepare_threshold is not None and error.sqlstate == _OUT_OF_DATE:
                # The next connection prepares it anew.
                self.raw.close()
                raise ConflictError(masked(str(error))) from None
            raise translated(error) from None
        except UnicodeEncodeError:
            raise UnstorableTextError from None

    @staticmethod
    def _execute(cursor: psycopg.Cursor[tuple[Any, ...]], text: str, parameters: Parameters) -> None:
        # Several statements in one text cannot be prepared; they have no parameters.
        cursor.execute(translated_text(text).encode(), parameters or None, prepare=None if parameters else False)

    def later(self, text: str, parameters: Parameters = ()) -> None:
        """Let a statement travel with the next one, whose errors are those of both; it must have no rows."""
        self.has_written = True
        self._queued.append((text, parameters))

    def forget_queued(self) -> None:
        """Send nothing of what waits for the next statement: it is being undone."""
        self._queued = []

    def _send_queued(self) -> None:
        queued, self._queued = self._queued, []
        for text, parameters in queued:
            self._execute(self.raw.cursor(), text, parameters)

    def control(self, *texts: str) -> None:
        """Begin or end a transaction or a savepoint, with statements without parameters, all in one message.

        Raises `psycopg.Error`.
        """
        if texts[0] == "ROLLBACK":
            self.forget_queued()
        if not self._queued:
            self.raw.execute("; ".join(texts).encode(), prepare=False)
            return
        with self.raw.pipeline():
            self._send_queued()
            for text in texts:
                self.raw.execute(text.encode(), prepare=False)

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
