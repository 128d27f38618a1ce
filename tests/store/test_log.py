"""The write-ahead log deleted, replaced, cut or overwritten while the server runs, and what others may do with it."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.sqlite.log import _is_sound
from tests.store.contract import new_record
from tests.store.test_lease import LeaseTestCase
from tests.support.rules import RuleTestCase


def sound_rows(file: str) -> int:
    """Return how many records the file has without its log; it must be sound."""
    copy = f"{file}.alone"
    shutil.copyfile(file, copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((rows,),) = connection.execute("SELECT count(*) FROM CL_Test").fetchall()
    os.unlink(copy)
    return int(rows)


def _delete(log: Path) -> None:
    log.unlink()


def _replace(log: Path) -> None:
    log.rename(f"{log}.aside")
    log.write_bytes(b"something else" * 100_000)


def _replace_by_folder(log: Path) -> None:
    log.unlink()
    log.mkdir()


def _replace_by_pipe(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


def _cut_off_beginning(log: Path) -> None:
    os.truncate(log, 10)


def _cut_off(log: Path) -> None:
    os.truncate(log, 0)


def _cut_off_all_pages(log: Path) -> None:
    os.truncate(log, 32)


def _cut_off_most_pages(log: Path) -> None:
    os.truncate(log, 6000)


def _overwrite(log: Path) -> None:
    with log.open("r+b") as stream:
        stream.write(bytes(32))


class LogTestCase(RuleTestCase):
    """A store with a time for its looks, and the number of records that it has acknowledged."""

    def setUp(self) -> None:
        super().setUp()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Use a new store."""
        self.use_directory(self.directory)
        self.time = 1000.0
        self.store.store._clock = lambda: self.time
        self.log = Path(f"{self.store.file}-wal")
        self.added = 0
        self.commit()

    def commit(self, records: int = 1) -> None:
        """Store records, one in a transaction."""
        for _ in range(records):
            with self.store.store.transaction(0.0) as tx:
                tx.insert_records(self.directory.calling_lists[0], [new_record(self.added + 1)])
            self.added += 1

    def look(self) -> None:
        """Store a record with a look at the files."""
        self.time += 1
        self.commit()

    def assert_refused(self) -> None:
        """Each transaction is refused, with one report."""
        for _ in range(3):
            self.time += 1
            error = self.assertRaises(StoreFailureError, self.commit)
            self.assertIn(f"{self.log} was deleted, overwritten or replaced", str(error))
        self.assertEqual(self.complaints(), 1)

    def complaints(self) -> int:
        """Return how often the log was reported."""
        return len([text for text in self.store.reports if f"The file {self.log} of the store was deleted" in text])

    def killed(self) -> int:
        """Return how many records are there after `kill -9` and another start."""
        left = f"{self.store.file}.left"
        for end in ("", "-wal"):
            if os.path.isfile(f"{self.store.file}{end}"):
                shutil.copyfile(f"{self.store.file}{end}", f"{left}{end}")
        with closing(sqlite3.connect(left)) as connection:
            ((rows,),) = connection.execute("SELECT count(*) FROM CL_Test").fetchall()
        return int(rows)


class LostTests(LogTestCase):
    """What is committed from here on would be lost."""

    def test_lost(self) -> None:
        """A log without its name goes into the file at once: all that was acknowledged is there."""

        def check(harm: Callable[[Path], None]) -> None:
            self.begin_anew()
            self.look()
            harm(self.log)
            self.commit(3)
            self.assertLess(sound_rows(self.store.file), self.added)
            self.assert_refused()
            self.assertEqual(sound_rows(self.store.file), self.added)
            self.assertEqual(self.killed(), self.added)

        self.for_each((_delete, _replace, _replace_by_folder, _replace_by_pipe), check)

    def test_broken(self) -> None:
        """A log that was written to by others is refused, and nothing of it goes into the file."""

        def check(harm: Callable[[Path], None]) -> None:
            self.begin_anew()
            self.look()
            before = sound_rows(self.store.file)
            harm(self.log)
            self.commit(3)
            self.assert_refused()
            self.assertEqual(sound_rows(self.store.file), before)
            # Nothing mends it but a start.
            os.truncate(self.log, 0)
            self.assertRaises(StoreFailureError, self.commit)

        harms = _cut_off_beginning, _cut_off, _cut_off_all_pages, _cut_off_most_pages, _overwrite
        self.for_each(harms, check)

    def test_put_back(self) -> None:
        """With the log back all goes on."""
        self.look()
        self.log.rename(f"{self.log}.aside")
        self.assert_refused()
        Path(f"{self.log}.aside").rename(self.log)
        self.look()
        self.assertEqual(self.killed(), self.added)

    def test_kept_in_use(self) -> None:
        """What another program keeps from the file goes there when it has ended."""
        with closing(sqlite3.connect(self.store.file, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM CL_Test").fetchall()
            self.look()
            self.log.unlink()
            self.commit(3)
            self.assert_refused()
            self.assertLess(sound_rows(self.store.file), self.added)
            other.execute("COMMIT")
            self.assert_refused()
            self.assertEqual(sound_rows(self.store.file), self.added)

    def test_replaced_by_a_log(self) -> None:
        """Another log, which a start would write over the file, is not mixed with ours; an orderly end keeps ours."""
        self.look()
        before = sound_rows(self.store.file)
        self.log.rename(f"{self.log}.aside")
        shutil.copyfile(f"{self.log}.aside", self.log)
        self.commit(3)
        self.assert_refused()
        self.assertEqual((sound_rows(self.store.file), self.killed()), (before, self.added - 3))
        self.store.close()
        self.assertEqual((sound_rows(self.store.file), self.killed()), (self.added, self.added))
        self.store.restart()

    def test_written_by_others(self) -> None:
        """Where another program has begun a log of its own, ours need not be whole: it is left, and of no use again."""

        def check(*, is_seen: bool) -> None:
            self.begin_anew()
            self.look()
            if not is_seen:
                self.store.store._needed().rows("PRAGMA wal_checkpoint(PASSIVE)")
            self.log.rename(f"{self.log}.aside")
            if is_seen:
                self.assert_refused()
            self.store.sql("UPDATE ocsgw_counter SET value = value + 1 WHERE name = 'opened'")
            self.assertGreater(self.log.stat().st_size, 0)
            if not is_seen:
                self.assert_refused()
            os.replace(f"{self.log}.aside", self.log)
            self.assert_refused()
            self.assertEqual(sound_rows(self.store.file), self.added)

        check(is_seen=False)
        check(is_seen=True)

    def test_another_has_written_before(self) -> None:
        """What others have written into the log before it was deleted is no reason to lose it."""
        self.look()
        self.store.sql("UPDATE CL_Test SET attempt = 7")
        self.log.unlink()
        self.assert_refused()
        self.assertEqual(sound_rows(self.store.file), self.added)

    def test_connection_replaced(self) -> None:
        """A connection that is made while the log is gone is none to go on with."""
        self.look()
        self.log.unlink()
        self.store.store._reconnect("a test")
        self.store.store._needed().change("ROLLBACK")
        self.assert_refused()


class UsualTests(LogTestCase):
    """What may happen to a log is not reported."""

    def stock(self, *statements: str) -> Callable[[], None]:
        """Return what runs statements on a connection as other programs have it."""

        def run() -> None:
            with closing(sqlite3.connect(self.store.file, isolation_level=None)) as connection:
                for each in statements:
                    connection.execute(each).fetchall()

        return run

    def reconnect(self) -> None:
        """Let the engine take a new connection, the last one of the file being closed before."""
        engine: Any = self.store.store
        engine._reconnect("a test")
        engine._needed().change("ROLLBACK")

    def bring_over(self) -> None:
        """Let the next transaction begin the log anew."""
        self.store.store._needed().rows("PRAGMA wal_checkpoint(PASSIVE)")

    def unreadable(self) -> None:
        """Let nothing be read: there are no descriptors, say."""
        self.patch(os, "open", lambda *values: (_ for _ in ()).throw(OSError(24, "Too many open files")))

    def test_usual(self) -> None:
        """Others read, write, bring the log into the file by any way, and go; a log begins anew; one is empty."""
        write = "UPDATE CL_Test SET attempt = attempt + 1"

        def check(case: tuple[str, Callable[[], None]]) -> None:
            self.begin_anew()
            for _ in range(3):
                self.look()
                case[1]()
            self.time += 1
            self.look()
            self.commit(5)
            self.assertEqual((self.complaints(), self.killed()), (0, self.added))

        checkpoints = [
            (kind, self.stock(*before, f"PRAGMA wal_checkpoint({kind})", *after))
            for kind in ("PASSIVE", "FULL", "RESTART", "TRUNCATE")
            for before in ((), (write,))
            for after in ((), (write,))
        ]
        self.for_each(
            [
                ("reads", self.stock("SELECT count(*) FROM CL_Test")),
                ("writes", self.stock(write)),
                ("goes back", self.stock("BEGIN IMMEDIATE", write, "ROLLBACK")),
                ("vacuum", self.stock("VACUUM")),
                ("vacuum and truncate", self.stock("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")),
                *checkpoints,
                ("reconnection", self.reconnect),
                ("begins anew", self.bring_over),
            ],
            check,
        )

    def test_unreadable(self) -> None:
        """A log that cannot be read is not judged."""
        self.look()
        self.unreadable()
        self.look()
        self.assertEqual(self.complaints(), 0)

    def test_header(self) -> None:
        """The beginning of a log in either order of bytes, and what is none."""
        with self.log.open("rb") as stream:
            sound = stream.read(32)
        self.assertTrue(_is_sound(sound))
        for at in range(32):
            self.assertFalse(_is_sound(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :]), at)
            self.assertFalse(_is_sound(sound[:at]), at)


class PairTests(LeaseTestCase):
    """Two servers have the same log open."""

    def test_deleted(self) -> None:
        """The primary brings the log into the file; the server that takes over is refused like it."""
        one, other = self.server("one"), self.server("other")
        times = [1000.0]
        for each in (one, other):
            each.engine._clock = lambda: times[0]
        self.assertTrue(one.take(self))
        one.write(1)
        os.unlink(f"{self.file}-wal")
        one.write(2)
        times[0] += 1
        self.assertRaises(StoreFailureError, one.write, 3)
        self.assertEqual(sound_rows(self.file), 2)
        self.now += 10
        self.assertTrue(other.take(self))
        self.assertRaises(StoreFailureError, other.write, 3)
        self.assertEqual(sound_rows(self.file), 2)
        self.assertEqual(len([text for text in self.reports if "-wal of the store was deleted" in text]), 2)
