"""Tests of ocsgw.store.sqlite.checkpoints: the write-ahead log is brought into the file beside the transactions."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future

from ocsgw.store.sqlite import checkpoints
from ocsgw.store.sqlite.checkpoints import Brought, Checkpoints
from ocsgw.store.sqlite.connection import Connection
from tests.support.case import ClockTestCase

PAGE = 2048


class HeldThread:
    """A thread whose work is done when a test says so."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Callable[[], Brought | None], Future[Brought | None]]] = []
        self.asked = 0

    def submit(self, task: Callable[[], Brought | None]) -> "Future[Brought | None]":
        """Take a task."""
        self.asked += 1
        done: Future[Brought | None] = Future()
        self.tasks.append((task, done))
        return done

    def work(self) -> None:
        """Do what there is to do."""
        while self.tasks:
            task, done = self.tasks.pop()
            done.set_result(task())


class CheckpointsTests(ClockTestCase):
    """The thread, and what is left to the one that commits."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.mktemp()
        self.connection = Connection(self.file)
        self.addCleanup(self.connection.close)
        self.connection.tune()
        self.connection.raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").close()
        self.thread = HeldThread()
        for name, value in (("_SHORT", 40 * PAGE), ("_LONG", 200 * PAGE), ("_FIRST", 10), ("_FEWEST", 5), ("_FEW", -1)):
            self.patch(checkpoints, name, value)
        self.time = 0.0
        self.checkpoints = self.make(self.thread.submit)
        self.checkpoints.fit(self.connection.raw)
        self.connection.raw.execute("PRAGMA wal_autocheckpoint = 0").close()

    def make(
        self, submit: Callable[[Callable[[], Brought | None]], "Future[Brought | None]"], file: str | None = None
    ) -> Checkpoints:
        """Return checkpoints whose thread takes no time."""
        made = Checkpoints(file or self.file, submit, lambda: self.time)
        self.addCleanup(made.close)
        return made

    def commit(self, transactions: int, rows: int = 10, during: Callable[[], None] = lambda: None) -> None:
        """Commit so many transactions with so many rows, a page each; something happens during each of them."""
        for _ in range(transactions):
            self.connection.raw.execute("BEGIN IMMEDIATE").close()
            values = [("x" * 1500,)] * rows
            self.connection.raw.executemany("INSERT INTO t (text) VALUES (?)", values).close()
            during()
            self.connection.raw.execute("COMMIT").close()
            self.checkpoints.committed(self.connection.raw)

    def in_file(self) -> int:
        """Return how many rows the file has without its log."""
        with open(self.file, "rb") as stream:
            content = stream.read()
        return content.count(b"x" * 1500)

    def test_thread_brings_it(self) -> None:
        """After enough changes the thread brings over what there is; before, nobody is asked."""
        self.commit(1, rows=9)
        self.assertEqual((self.thread.asked, self.in_file()), (0, 0))
        self.commit(1)
        self.assertEqual((self.thread.asked, self.in_file()), (1, 0))
        self.thread.work()
        self.assertEqual(self.in_file(), 19)

    def test_nobody_waits_for_the_thread(self) -> None:
        """While the thread is at work transactions go on, and it is not asked twice."""
        self.commit(100)
        self.assertEqual((self.thread.asked, self.in_file()), (1, 0))
        self.thread.work()
        self.commit(1)
        self.assertGreaterEqual(self.in_file(), 1000)

    def test_log_begins_anew(self) -> None:
        """What the thread has left is brought over between two transactions, and the log begins anew: it stays short.

        While transactions go on all the time, the thread alone never has all of it.
        """
        self.commit(300, during=self.thread.work)
        self.assertGreater(self.log_frames(), 150)
        self.assertLess(self.log_frames(), 230 + 256 * 1024 // PAGE)
        self.assertEqual(self.connection.rows("SELECT count(*) FROM t"), [(3000,)])

    def slow(self, *took: float) -> list[sqlite3.Connection]:
        """Let bringing the log over take so many seconds each time, and nothing at last; return who has done so."""
        asked: list[sqlite3.Connection] = []
        times = [*took]
        bring_over = checkpoints.bring_over

        def bring(connection: sqlite3.Connection) -> tuple[int, bool]:
            asked.append(connection)
            self.time += times.pop(0) if times else 0.0
            return bring_over(connection)

        self.patch(checkpoints, "bring_over", bring)
        return asked

    def test_quick_at_last(self) -> None:
        """The thread goes on with what has come meanwhile until that was quickly done; the rest is left to a commit."""
        asked = self.slow(1.0, 0.5, 0.001)
        self.commit(1)
        self.thread.work()
        self.assertEqual(len(asked), 3)
        self.assertNotIn(self.connection.raw, asked)
        self.commit(1, rows=1)
        self.assertEqual(asked[3:], [self.connection.raw])

    def test_slow_disk(self) -> None:
        """Where the thread does not get on nobody else waits for so much: it is asked again at once, until it does."""
        asked = self.slow(*[0.1] * 12)
        self.commit(2)
        for times in (1, 2):
            self.assertEqual(self.thread.asked, times)
            self.thread.work()
            self.commit(1, rows=1)
        self.assertEqual((self.thread.asked, len(asked)), (3, 12))
        self.assertNotIn(self.connection.raw, asked)
        self.thread.work()
        self.commit(1, rows=1)
        self.assertEqual((self.thread.asked, asked[-1]), (3, self.connection.raw))

    def test_slow_synchronizing(self) -> None:
        """A round with few frames is enough, however long the disk takes for it."""
        self.patch(checkpoints, "_FEW", 20)
        asked = self.slow(*[0.1] * 12)
        # More than twenty frames, and none after them.
        self.commit(3)
        self.thread.work()
        self.assertEqual(len(asked), 2)
        self.commit(1, rows=1)
        self.assertEqual((self.thread.asked, asked[2:]), (1, [self.connection.raw]))

    def test_quiet_day(self) -> None:
        """What few transactions have left in the log is brought over after a minute."""
        self.commit(1)
        self.thread.work()
        for asked in (1, 2, 3):
            self.time += 59
            self.commit(1, rows=1)
            self.assertEqual(self.thread.asked, asked)
            self.time += 1
            self.commit(1, rows=0)
            self.assertEqual(self.thread.asked, asked + 1)
            self.thread.work()
        # Nothing has changed since.
        self.time += 61
        self.commit(1, rows=0)
        self.assertEqual(self.thread.asked, 4)

    def test_as_long_as_file(self) -> None:
        """The log may be as long as the file, within bounds; and a commit sees to it, and it is cut, at twice that."""
        limits = []
        for rows in (10, 100, 500):
            self.commit(rows // 10)
            self.thread.work()
            self.commit(1)
            (pages,) = self.connection.row("PRAGMA page_count") or (0,)
            limits.append(self.checkpoints.limit // PAGE)
            self.assertEqual(limits[-1], 2 * min(max(pages, 40), 200))
            for setting, size in (("wal_autocheckpoint", PAGE), ("journal_size_limit", 1)):
                (value,) = self.connection.row(f"PRAGMA {setting}") or (None,)
                self.assertEqual(value, self.checkpoints.limit // size, setting)
            self.thread.work()
        self.assertEqual((limits[0], limits[-1]), (80, 400))
        self.assertTrue(80 < limits[1] < 400, limits)

    def test_other_pages(self) -> None:
        """A file with pages of another size has a log of the same bytes."""
        file = self.mktemp()
        connection = Connection(file)
        self.addCleanup(connection.close)
        connection.raw.execute("PRAGMA page_size = 8192").close()
        connection.raw.execute("PRAGMA user_version = 1").close()
        connection.tune()
        connection.raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").close()
        made = self.make(self.thread.submit, file)
        made.fit(connection.raw)
        self.assertEqual(connection.row("PRAGMA wal_autocheckpoint"), (80 * PAGE // 8192,))
        self.assertEqual(made._most, 10)

    def log_frames(self) -> int:
        """Return the length of the log in frames, from its size: it grows in steps."""
        with open(f"{self.file}-wal", "rb") as stream:
            stream.seek(0, 2)
            return (stream.tell() - 32) // (PAGE + 24)

    def test_asked_by_pages(self) -> None:
        """How often the thread is asked follows from how many frames the changes have made."""
        self.commit(10)
        self.thread.work()
        self.commit(1)
        # A page for each row; the file has so many, and so may the log.
        self.assertTrue(70 < self.checkpoints._interval < 130, self.checkpoints._interval)
        for _ in range(40):
            self.connection.raw.execute("UPDATE t SET text = 'x' WHERE id < 50").close()
            self.commit(1, rows=1)
            self.thread.work()
        # Fifty rows on few pages.
        self.assertGreater(self.checkpoints._interval, 400)

    def test_old_state_in_use(self) -> None:
        """Where not all can be brought over the log does not begin anew, and the thread is not asked all the time."""
        other = Connection(self.file)
        self.addCleanup(other.close)
        other.raw.execute("BEGIN").close()
        other.rows("SELECT count(*) FROM t")
        self.commit(20)
        for _ in range(100):
            self.thread.work()
            self.commit(1)
        self.assertLess(self.thread.asked, 60)
        other.raw.execute("ROLLBACK").close()
        for _ in range(10):
            self.thread.work()
            self.commit(1)
        self.assertGreater(self.in_file(), 1000)

    def test_file_that_cannot_be_opened(self) -> None:
        """Whatever the thread meets is no failure of a commit; it tries again."""
        self.checkpoints = self.make(self.thread.submit, file="/nowhere/at/all")
        for _ in range(30):
            self.commit(1)
            self.thread.work()
        self.assertGreater(self.thread.asked, 1)

    def test_no_thread(self) -> None:
        """A thread that cannot be made is no failure of a commit either."""

        def refuse(task: Callable[[], Brought | None]) -> "Future[Brought | None]":
            raise RuntimeError("can't start new thread")

        self.checkpoints = self.make(refuse)
        self.commit(5)
        self.assertEqual(self.connection.rows("SELECT count(*) FROM t"), [(50,)])

    def test_another_connection(self) -> None:
        """A new connection counts its changes from 0, and a counter that has run over goes on."""
        self.commit(10)
        self.thread.work()
        self.commit(1)
        asked = self.thread.asked
        self.thread.work()
        self.checkpoints._asked = self.checkpoints._next = 1 << 31
        self.commit(1)
        self.assertEqual(self.thread.asked, asked)
        self.commit(self.checkpoints._interval // 10 + 1)
        self.assertEqual(self.thread.asked, asked + 1)

    def test_threads(self) -> None:
        """With a thread of its own: nothing is lost, and the end waits for what has begun."""
        self.checkpoints = Checkpoints(self.file)
        self.commit(200)
        self.checkpoints.close()
        self.assertEqual(self.connection.rows("SELECT count(*) FROM t"), [(2000,)])
        self.assertGreater(self.in_file(), 0)
