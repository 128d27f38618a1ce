"""Tests of ocsgw.store.sqlite.checkpoints: the write-ahead log is brought into the file beside the transactions."""

from collections.abc import Callable
from concurrent.futures import Future

from ocsgw.store.sqlite import checkpoints
from ocsgw.store.sqlite.checkpoints import Checkpoints
from ocsgw.store.sqlite.connection import Connection
from tests.support.case import ClockTestCase


class HeldThread:
    """A thread whose work is done when a test says so."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Callable[[], int], Future[int]]] = []
        self.asked = 0

    def submit(self, task: Callable[[], int]) -> "Future[int]":
        """Take a task."""
        self.asked += 1
        done: Future[int] = Future()
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
        self.connection.tune(checkpoint=0)
        self.connection.raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").close()
        self.thread = HeldThread()
        for name, value in (("_LONG", 300), ("_NEW", 40), ("_FIRST", 10), ("_FEWEST", 5)):
            self.patch(checkpoints, name, value)
        self.checkpoints = self.make(self.thread.submit)

    def make(self, submit: Callable[[Callable[[], int]], "Future[int]"], file: str | None = None) -> Checkpoints:
        """Return checkpoints whose thread takes no time."""
        made = Checkpoints(file or self.file, submit, lambda: 0.0)
        self.addCleanup(made.close)
        return made

    def commit(self, transactions: int, rows: int = 10, during: Callable[[], None] = lambda: None) -> None:
        """Commit so many transactions with so many rows, a page each; something happens during each of them."""
        for _ in range(transactions):
            self.connection.raw.execute("BEGIN IMMEDIATE").close()
            values = [("x" * 3000,)] * rows
            self.connection.raw.executemany("INSERT INTO t (text) VALUES (?)", values).close()
            during()
            self.connection.raw.execute("COMMIT").close()
            self.checkpoints.committed(self.connection.raw)

    def in_file(self) -> int:
        """Return how many rows the file has without its log."""
        with open(self.file, "rb") as stream:
            content = stream.read()
        return content.count(b"x" * 3000)

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
        """A long log is brought over whole between two transactions, and begins anew: it does not grow for ever.

        While transactions go on all the time, the thread alone never has all of it.
        """
        self.commit(300, during=self.thread.work)
        self.assertGreater(self.log_frames(), 300)
        self.assertLess(self.log_frames(), 500)
        self.assertEqual(self.connection.rows("SELECT count(*) FROM t"), [(3000,)])

    def log_frames(self) -> int:
        """Return the length of the log in frames, from its size: it is written from the beginning, never cut."""
        with open(f"{self.file}-wal", "rb") as stream:
            stream.seek(0, 2)
            return (stream.tell() - 32) // (4096 + 24)

    def test_asked_by_pages(self) -> None:
        """How often the thread is asked follows from how many pages the changes have made."""
        self.commit(10)
        self.thread.work()
        self.commit(1)
        self.thread.work()
        self.assertLess(self.checkpoints._wait, 10)
        for _ in range(40):
            self.commit(1, rows=1)
            self.connection.raw.execute("UPDATE t SET text = 'x' WHERE id < 50").close()
            self.thread.work()
        self.assertGreater(self.checkpoints._wait, 10)

    def test_file_that_cannot_be_opened(self) -> None:
        """Whatever the thread meets is no failure of a commit; it tries again."""
        self.checkpoints = self.make(self.thread.submit, file="/nowhere/at/all")
        for _ in range(30):
            self.commit(1)
            self.thread.work()
        self.assertGreater(self.thread.asked, 1)

    def test_no_thread(self) -> None:
        """A thread that cannot be made is no failure of a commit either."""

        def refuse(task: Callable[[], int]) -> "Future[int]":
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
        self.checkpoints._changes = 1 << 31
        self.thread.work()
        self.commit(1)
        self.assertEqual(self.thread.asked, asked + 1)

    def test_threads(self) -> None:
        """With a thread of its own: nothing is lost, and the end waits for what has begun."""
        self.checkpoints = Checkpoints(self.file)
        self.commit(200)
        self.checkpoints.close()
        self.assertEqual(self.connection.rows("SELECT count(*) FROM t"), [(2000,)])
        self.assertGreater(self.in_file(), 0)
