"""The store in trouble: foreign writers, full disks, commits that fail, savepoints (configuration.md C41)."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from ocsgw.contact.transaction import NewRecord, RefusedByTableError, StoreFailureError
from ocsgw.store.errors import CommitUnknownError
from tests.support.rules import RuleTestCase, add_record, by_phone


class _Commit:
    """A connection on which COMMIT fails, before or after it has happened."""

    def __init__(self, connection: sqlite3.Connection, code: int, *, happens: bool) -> None:
        self._connection = connection
        self._code = code
        self._happens = happens

    def execute(self, text: str, *parameters: Any) -> sqlite3.Cursor:
        if text == "COMMIT":
            if self._happens:
                self._connection.execute(text)
            error = sqlite3.OperationalError("made by a test")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(text, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class ForeignWriterTests(RuleTestCase):
    """Another program holds the write lock."""

    def begin(self, wait: float) -> None:
        """Begin a transaction and commit it."""
        with self.store.store.transaction(wait):
            pass

    def test_busy(self) -> None:
        """C41, architecture: the transaction waits as long as it may, then fails without a change; later it works."""
        with closing(sqlite3.connect(self.store.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for wait in (-1.0, 0.0, 0.05):
                error = self.assertRaises(StoreFailureError, self.begin, wait)
                self.assertIn("locked", str(error))
            other.execute("COMMIT")
        self.add("1")

    def test_readers(self) -> None:
        """K16: a program that reads does not keep us from writing, nor we it."""
        with closing(sqlite3.connect(self.store.file, isolation_level=None)) as other:
            other.execute("BEGIN")
            before = other.execute("SELECT count(*) FROM CL_Test").fetchall()
            self.add("1")
            self.assertEqual(other.execute("SELECT count(*) FROM CL_Test").fetchall(), before)
            other.execute("COMMIT")
            self.assertEqual(other.execute("SELECT count(*) FROM CL_Test").fetchall(), [(1,)])


class FullDiskTests(RuleTestCase):
    """No space is left."""

    def limit(self, pages: int) -> None:
        """Let the file have at most so many pages more than it has."""
        connection = self.store.store._needed().raw
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {count + pages}")

    def test_full(self) -> None:
        """C41: a full disk fails the batch as a whole and changes nothing; with space again everything works."""
        self.add("0")
        self.limit(2)
        batch = [add_record(str(number), Remarks="x" * 250) for number in range(400)]
        error = self.assertRaises(StoreFailureError, self.outcomes, by_phone("DoNotCall", "0"), *batch)
        self.assertIn("full", str(error))
        self.assertEqual((self.column("record_type"), self.rows("gsw_donotcall_list")), ([2], []))
        self.limit(10_000)
        self.assertEqual(len(self.replies(*batch)), 400)
        self.assertEqual(len(self.rows()), 401)


class DamageTests(RuleTestCase):
    """A file that is damaged for a while."""

    def test_whole_again(self) -> None:
        """What was read of it meanwhile is not kept: the server goes on when the file is as it was."""
        for number in range(300):
            self.add(str(number), Remarks="x" * 200)
        # Another program has brought the log over, so that pages are read from the file.
        self.store.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        file = Path(self.store.file)
        whole = file.read_bytes()
        os.truncate(file, 8192)
        for _ in range(2):
            self.assertRaises(StoreFailureError, self.preview)
        file.write_bytes(whole)
        self.assertEqual(self.preview()["GSW_PHONE"], "0")
        self.assertEqual(self.store.sql("PRAGMA integrity_check"), [("ok",)])


class CommitTests(RuleTestCase):
    """COMMIT itself fails."""

    def failing(self, code: int, *, happens: bool) -> Any:
        """Let COMMIT fail with a code."""
        store = self.store.store
        connection = store._needed()
        return mock.patch.object(connection, "raw", _Commit(connection.raw, code, happens=happens))

    def test_surely_not_committed(self) -> None:
        """C41: after these errors nothing was changed: 503."""
        for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            with self.failing(code, happens=False):
                self.assertRaises(StoreFailureError, self.outcomes, add_record("1"))
        self.assertEqual(self.rows(), [])
        self.add("1")

    def test_unknown(self) -> None:
        """C41: after others nobody can say: 504; both outcomes leave a store that works."""
        for count, happens in enumerate((False, True)):
            with self.failing(sqlite3.SQLITE_IOERR, happens=happens):
                self.assertRaises(CommitUnknownError, self.outcomes, add_record("1"))
            self.assertEqual(len(self.rows()), count)
        self.add("2")
        # What the commit may have reserved is left out (H200).
        self.assertEqual(self.column("record_id"), [1, 102])


class SavepointTests(RuleTestCase):
    """A part of a transaction is undone."""

    def insert(self, tx: Any, record_id: int, chain_id: int) -> None:
        """Insert a row."""
        row = NewRecord(record_id, "1", 0, 2, 1, 28, 0, 0, 0, 0, 86399, 101, 301, None, chain_id, 0, [None] * 4)
        tx.insert_records(self.directory.calling_lists[0], [row])

    def undone(self, tx: Any, *rows: tuple[int, int], error: Exception | None = None) -> None:
        """Insert rows within a savepoint that an error leaves: the one given, or that of the rows."""
        with tx.savepoint():
            for row in rows:
                self.insert(tx, *row)
            if error is not None:
                raise error

    def failing(self, error: Exception, *, inside: bool) -> None:
        """Insert a row in a transaction that an error leaves, from inside a savepoint or not."""
        with self.store.store.transaction(0.0) as tx:
            if inside:
                self.undone(tx, (1, 1), error=error)
            self.insert(tx, 1, 1)
            raise error

    def test_undone(self) -> None:
        """Architecture: what is done inside a savepoint is undone by an exception, what was before stays."""
        with self.store.store.transaction(0.0) as tx:
            self.insert(tx, 1, 1)
            self.assertRaises(ZeroDivisionError, self.undone, tx, (2, 2), error=ZeroDivisionError())
            self.assertRaises(RefusedByTableError, self.undone, tx, (3, 3), (1, 4))
            self.undone(tx, (4, 5))
        self.assertEqual(self.column("record_id"), [1, 4])

    def test_numbers(self) -> None:
        """H200: numbers that were taken inside a savepoint that is undone are free again."""
        with self.store.store.transaction(0.0) as tx:
            self.insert(tx, 1, 1)
            self.assertRaises(ZeroDivisionError, self.undone, tx, (2, 2), error=ZeroDivisionError())
            self.insert(tx, 2, 2)
        self.assertEqual(self.add("1")["GSW_CHAIN_ID"], 3)

    def test_failure_of_the_store(self) -> None:
        """C41: an error of the store itself is not a matter of one run: nothing of the transaction is done."""
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        self.assertRaises(StoreFailureError, self.failing, error, inside=True)
        self.assertEqual(self.rows(), [])
        self.add("1")

    def test_exception_outside(self) -> None:
        """Architecture: an exception outside of any savepoint undoes the whole transaction."""
        self.assertRaises(ZeroDivisionError, self.failing, ZeroDivisionError(), inside=False)
        self.assertEqual(self.rows(), [])
