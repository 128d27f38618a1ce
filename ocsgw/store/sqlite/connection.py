"""The connection to the file: every statement goes through here, and none is left unfinished.

An unfinished statement, held by a traceback for instance, would keep an old state of the file in use: every later write
of another program would then lock us out. So rows are always read to the end, and cursors closed on every path. Errors
of the driver end here as well: their texts may have values of rows in them, which must not reach the log (R54).
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError
from ocsgw.store.dialect import Parameters
from ocsgw.store.errors import StatementError
from ocsgw.store.sqlite.layer import address

# Every list has some twenty statements of its own.
_CACHED_STATEMENTS = 2000
# What does not fit is read from the cache of the system. Of this size it stays in the caches of the processor: with
# 32 MiB adding takes a twentieth more processor time, whatever the length of the list, and with 128 MiB a fifth.
_PAGE_CACHE_KIB = 8 * 1024
# Bytes of a page in a new file. With random keys, where each row changes two pages of indexes, half of SQLite's 4,096
# costs a tenth less, and a quarter more again.
_PAGE_SIZE = 2048
# After so many bytes the write-ahead log is brought into the file by a commit. With SQLite's 1,000 pages that happens
# with every second batch as soon as keys are random, and each page is written over and over.
_LOG_LENGTH = 32 << 20
# The driver gives an error of its own, without a code, for text that is not UTF-8.
_NOT_DECODED = "Could not decode to UTF-8"
# What concerns one statement, because of the rows that it was given.
_OF_ROWS = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})
# Texts within a message that may be values: quoted ones, numbers of several digits, addresses.
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\S*@\S*|\+?[0-9][0-9 ().-]{2,}[0-9]")


class Connection:
    """One connection. Raises `StoreFailureError`, or `RefusedByTableError` for rows that a table refuses."""

    def __init__(self, file: str) -> None:
        """Connect. Raises `sqlite3.Error`: the caller knows what to say of a file that cannot be opened."""
        self.raw = sqlite3.connect(
            address(file),
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=0,
            cached_statements=_CACHED_STATEMENTS,
        )
        # How many rows statements have changed; those that triggers have are not among them.
        self.changed = 0
        # Judges each write transaction as soon as it has begun, the one place for that (C82).
        self.judge: Callable[[Connection], None] | None = None

    def begin(self) -> None:
        """Begin a write transaction. Raises `sqlite3.Error`, and what the judge raises; none has begun then."""
        self.raw.execute("BEGIN IMMEDIATE").close()
        if self.judge is None:
            return
        try:
            self.judge(self)
        except BaseException:
            self.raw.execute("ROLLBACK").close()
            raise

    def tune(self) -> None:
        """Set what a connection that writes needs. Raises `sqlite3.Error`."""
        for setting in (
            # It counts for a file without content.
            f"page_size = {_PAGE_SIZE}",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{_PAGE_CACHE_KIB}",
            "temp_store = MEMORY",
            # A page that went to the log before the end of its transaction, and was changed again within a savepoint
            # that is undone, keeps SQLite (3.40 at least) from reading what follows in the log after a crash.
            "cache_spill = OFF",
        ):
            self.raw.execute(f"PRAGMA {setting}").close()
        ((size,),) = self.raw.execute("PRAGMA page_size").fetchall()
        self.raw.execute(f"PRAGMA wal_autocheckpoint = {_LOG_LENGTH // size}").close()

    @contextmanager
    def spilling(self) -> Iterator[None]:
        """Let transactions inside, which have no savepoints, take no more memory than the page cache has.

        Inside a transaction SQLite does not change that.
        """
        self.change("PRAGMA cache_spill = ON")
        try:
            yield
        finally:
            self.change("PRAGMA cache_spill = OFF")

    def begin_again(self) -> None:
        """Begin a write transaction in place of one that was rolled back; raises errors of ours."""
        try:
            self.begin()
        except sqlite3.Error as error:
            raise translated(error) from None

    def rows(self, text: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement. Text that is not UTF-8 comes with lone surrogates (see `store.records`)."""
        try:
            cursor = self.raw.execute(text, parameters)
            try:
                return cursor.fetchall()
            finally:
                cursor.close()
        except sqlite3.Error as error:
            if not str(error).startswith(_NOT_DECODED):
                raise translated(error) from None
        with self._tolerant():
            return self.rows(text, parameters)

    def row(self, text: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """Return the first row of a statement, None without one."""
        rows = self.rows(text, parameters)
        return rows[0] if rows else None

    def change(self, text: str, parameters: Parameters = ()) -> int:
        """Carry out a statement without rows; return how many rows it has changed."""
        try:
            cursor = self.raw.execute(text, parameters)
            try:
                count = cursor.rowcount
                if count > 0:
                    self.changed += count
                return count
            finally:
                cursor.close()
        except sqlite3.Error as error:
            raise translated(error) from None

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        # Not used always: a function costs more than the driver's own way, for each text.
        self.raw.text_factory = _tolerant_text
        try:
            yield
        finally:
            self.raw.text_factory = str

    def close(self) -> None:
        """Close the connection, with what it still has open."""
        self.raw.close()


def _tolerant_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code of an error of SQLite."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def masked(text: str) -> str:
    """Return the text of an error without what could be values of rows (R54)."""
    return _VALUES.sub("***", text)


def translated(error: sqlite3.Error) -> Exception:
    """Return the error of ours for one of the driver."""
    code = primary_code(error)
    text = str(error)
    if code in _OF_ROWS:
        # A trigger of the site writes its own text; the others have names only.
        is_own_text = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_TRIGGER
        return RefusedByTableError(f"a trigger: {masked(text)}" if is_own_text else text)
    if text.startswith(_NOT_DECODED):
        return StoreFailureError("a text is not UTF-8")
    return (StatementError if code == sqlite3.SQLITE_ERROR else StoreFailureError)(masked(text))
