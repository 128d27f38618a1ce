"""Several servers that write to one database at the same time: their transactions take turns, in real time."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from ocsgw.store.errors import NotPrimaryError, StoreBusyError
from ocsgw.store.lease import PairMember
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.store.contract import new_record
from tests.support.case import ClockTestCase
from tests.support.postgresql import PASSWORD
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import NOW, make_directory

_LEASE, _RENEW = 1.2, 0.3
_PATIENCE = 20.0


class TurnTests(ClockTestCase):
    """Two engines that both serve."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = make_directory()
        self.settings = PostgreSQLSettings(new_database(self))
        self.one, self.two = self.engine("one"), self.engine("two")

    def engine(self, name: str) -> PostgreSQLEngine:
        """Return a server that has opened the store."""
        member = PairMember(name, _LEASE, _RENEW, all_serve=True)
        engine = PostgreSQLEngine(self.settings, unreported, member=member)
        engine.open(self.directory)
        self.addCleanup(engine.close)
        return engine

    def add(self, engine: PostgreSQLEngine, wait: float = _PATIENCE) -> int:
        """Add the next record, and hand nothing out; return its number."""
        calling_list = self.directory.calling_lists[0]
        with engine.transaction(wait) as tx:
            number = tx.before_adding(calling_list, 1, list, NOW).record_id + 1
            tx.insert_records(calling_list, [new_record(number)])
            tx.new_handles(1)
        return number

    def test_both_write(self) -> None:
        """Without having a lease both write; no number twice, and no transaction is refused because of the other's."""

        def work(engine: PostgreSQLEngine) -> list[int]:
            return [self.add(engine) for _ in range(50)]

        with ThreadPoolExecutor(2) as pool:
            numbers = [number for of_one in pool.map(work, (self.one, self.two)) for number in of_one]
        self.assertEqual(sorted(numbers), list(range(1, 101)))

    def test_waits(self) -> None:
        """Who does not get its turn in time has begun nothing; then it sees what the other has written."""
        with self.one.transaction(1.0) as tx:
            tx.insert_records(self.directory.calling_lists[0], [new_record(7)])
            self.assertRaises(StoreBusyError, self.add, self.two, 0.05)
        self.assertEqual(self.add(self.two), 8)

    def test_command(self) -> None:
        """A command that changes records takes its turn, too."""
        command = PostgreSQLEngine(self.settings, unreported, access="work")
        command.open(self.directory)
        self.addCleanup(command.close)
        with self.one.transaction(1.0) as tx:
            # A transaction begins with its first statement.
            tx.outbox_bounds()
            self.assertRaises(StoreBusyError, self.add, command, 0.05)
        self.assertEqual(self.add(command), 1)

    def test_standing_still(self) -> None:
        """Who stands still in its turn is ended, wherever it stands, after the time of the lease."""
        with psycopg.connect(self.settings.url, password=PASSWORD) as frozen:
            frozen.execute("LOCK TABLE ocsgw_turn IN EXCLUSIVE MODE")
            self.assertRaises(StoreBusyError, self.add, self.two, 0.05)
            until = time.monotonic() + _PATIENCE
            added = 0
            while not added:
                self.assertLess(time.monotonic(), until)
                try:
                    added = self.add(self.two, 0.2)
                except StoreBusyError:
                    continue
            self.assertRaises(psycopg.OperationalError, frozen.execute, "SELECT 1")

    def test_chores(self) -> None:
        """The lease is checked within the transaction of a chore; who lost it cannot act, its other work goes on."""
        one, two = self.one.lease, self.two.lease
        assert one is not None
        assert two is not None
        self.assertTrue(one.take())
        with self.one.transaction(1.0):
            one.check()
        with self.two.transaction(1.0):
            self.assertRaises(NotPrimaryError, two.check)
        self.assertEqual((two.look().holder, one.look().ready), ("one", ("two",)))
        until = time.monotonic() + _PATIENCE
        while not two.take():
            self.assertLess(time.monotonic(), until)
        self.assertEqual(two.look().epoch, 2)
        with self.one.transaction(1.0):
            self.assertRaises(NotPrimaryError, one.check)
        self.assertIsNone(one.remaining)
        self.assertEqual(self.add(self.one), 1)

    def test_remembered(self) -> None:
        """A server that serves for long is not forgotten by one that starts: its commits can still be looked up."""
        with psycopg.connect(self.settings.url, password=PASSWORD) as other:
            other.execute("UPDATE ocsgw_batch SET opened_at = 0")
            other.commit()
            self.add(self.one)
            self.engine("three")
            rows = other.execute("SELECT batch FROM ocsgw_batch ORDER BY batch").fetchall()
        self.assertEqual(rows, [(0,), (1,)])
