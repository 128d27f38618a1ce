"""The lease of a pair on PostgreSQL, in real time: the database's own clock decides."""

import contextlib
import time

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.errors import CommitUnknownError, NotPrimaryError, StoreBusyError, StoreError
from ocsgw.store.lease import PairMember
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.store.contract import new_record
from tests.support.case import ClockTestCase
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import make_directory

_LEASE, _RENEW = 1.2, 0.3
_PATIENCE = 20.0
# What no server writes.
_ODD = (
    "expires_at = 1e15",
    "expires_at = 1e15, token = 'x'",
    "expires_at = 'NaN'",
    "expires_at = 'Infinity', token = 'x'",
    "epoch = 9223372036854775807",
    "epoch = -5",
)


class LeaseTests(ClockTestCase):
    """Two engines on one database."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = make_directory()
        self.settings = PostgreSQLSettings(new_database(self))
        self.one, self.two = self.engine("one"), self.engine("two")

    def engine(self, name: str) -> PostgreSQLEngine:
        """Return a server of the pair that has opened the store."""
        engine = PostgreSQLEngine(self.settings, unreported, member=PairMember(name, _LEASE, _RENEW))
        engine.open(self.directory)
        self.addCleanup(engine.close)
        return engine

    def take(self, engine: PostgreSQLEngine) -> None:
        """Wait until it has the lease."""
        assert engine.lease is not None
        until = time.monotonic() + _PATIENCE
        taken = False
        while not taken:
            self.assertLess(time.monotonic(), until)
            with contextlib.suppress(StoreBusyError):
                taken = engine.lease.take()
        engine.use(self.directory)

    def write(self, engine: PostgreSQLEngine, number: int) -> None:
        """Store a record."""
        with engine.transaction(1.0) as tx:
            tx.insert_records(self.directory.calling_lists[0], [new_record(number)])

    def stored(self, engine: PostgreSQLEngine) -> list[int]:
        """Return the numbers of the records."""
        assert engine._connection is not None
        return [row[0] for row in engine._connection.rows('SELECT record_id FROM "CL_Test" ORDER BY record_id')]

    def test_roles(self) -> None:
        """C80 to C82: a server writes while it has the lease, the other one never; the epoch rises."""
        assert self.one.lease is not None
        assert self.two.lease is not None
        self.assertRaises(NotPrimaryError, self.write, self.one, 1)
        self.take(self.one)
        self.assertFalse(self.two.lease.take())
        self.write(self.one, 1)
        self.assertRaises(NotPrimaryError, self.write, self.two, 2)
        seen = self.two.lease.look()
        self.assertEqual((seen.epoch, seen.holder, seen.is_ours, seen.objects), (1, "one", False, ""))
        self.assertGreater(seen.remaining, 0)
        self.assertEqual(self.one.lease.look().standby, "two")
        self.one.lease.objects = "objects"
        self.one.lease.renew()
        self.assertEqual(self.two.lease.look().objects, "objects")
        self.one.lease.hand_over()
        self.assertRaises(NotPrimaryError, self.write, self.one, 2)
        self.assertTrue(self.two.lease.take())
        self.two.use(self.directory)
        self.write(self.two, 2)
        self.assertEqual((self.two.lease.look().epoch, self.stored(self.two)), (2, [1, 2]))

    def test_odd(self) -> None:
        """R50: whatever another program writes into the row of the lease, one server or the other goes on to serve."""
        assert self.one.lease is not None
        assert self.two.lease is not None
        assert self.two._connection is not None
        for number, odd in enumerate(_ODD):
            self.take(self.one)
            self.two._connection.change(f"UPDATE ocsgw_lease SET {odd}")
            self.assertTrue(self.two.lease.look().is_odd, odd)
            try:
                self.one.lease.renew()
            except NotPrimaryError:
                self.take(self.two)
                server = self.two
            else:
                server = self.one
            self.write(server, number + 1)
            assert server.lease is not None
            seen = server.lease.look()
            self.assertEqual((seen.is_ours, seen.is_odd), (True, False), odd)
            self.assertTrue(0 < seen.epoch < 1000, seen)
            server.lease.hand_over()
        self.take(self.one)
        self.two._connection.change("UPDATE ocsgw_standby SET ready_until = 'NaN', token = token || 'x'")
        self.assertIsNone(self.one.lease.look().standby)

    def test_single_server(self) -> None:
        """A server without partners is kept out of a database that others use as a pair, until they are gone."""
        assert self.one.lease is not None
        assert self.two.lease is not None
        self.take(self.one)
        self.two.lease.look()
        single = PostgreSQLEngine(self.settings, unreported)
        error = str(self.assertRaises(StoreError, single.open, self.directory))
        self.assertIn("servers with [ha] enabled use it (one, two); enable that here as well, or stop them", error)
        assert self.one._connection is not None
        self.one.lease.hand_over()
        self.one._connection.change("UPDATE ocsgw_standby SET ready_until = 'NaN'")
        single.open(self.directory)
        self.addCleanup(single.close)

    def test_clock(self) -> None:
        """The time of the database comes with the lease."""
        assert self.one.lease is not None
        self.take(self.one)
        now = self.one.lease.look().now
        assert now is not None
        self.assertLess(abs(now - time.time()), _PATIENCE)

    def test_woken(self) -> None:
        """C82, R38: who was replaced writes nothing, whatever it believes of its lease."""
        assert self.one.lease is not None
        self.take(self.one)
        self.take(self.two)
        self.assertRaises(NotPrimaryError, self.write, self.one, 1)
        self.one.lease._epoch, self.one.lease._expires_at = 1, time.monotonic() + 100
        self.assertRaises(NotPrimaryError, self.write, self.one, 1)
        self.assertIsNone(self.one.lease.remaining)
        self.one.lease._epoch = 1
        self.assertRaises(NotPrimaryError, self.one.lease.renew)
        self.write(self.two, 2)
        self.assertEqual(self.stored(self.two), [2])

    def test_frozen_in_a_transaction(self) -> None:
        """C82, C84: a transaction that stands still is ended by the database; the other server takes over in time."""
        self.take(self.one)
        with contextlib.suppress(StoreFailureError, CommitUnknownError), self.one.transaction(1.0) as tx:
            tx.insert_records(self.directory.calling_lists[0], [new_record(1)])
            began = time.monotonic()
            self.take(self.two)
            self.assertGreater(time.monotonic() - began, _LEASE / 2)
        self.write(self.two, 2)
        self.assertEqual(self.stored(self.two), [2])
        self.assertRaises(StoreFailureError, self.write, self.one, 3)

    def test_session_without_a_timeout(self) -> None:
        """C84: a session that stands still where no timeout counts, as in a pipeline, is ended by who takes over."""
        self.take(self.one)
        with contextlib.suppress(StoreFailureError, CommitUnknownError), self.one.transaction(1.0) as tx:
            tx.insert_records(self.directory.calling_lists[0], [new_record(1)])
            assert self.one._connection is not None
            self.one._connection.control("SET LOCAL idle_in_transaction_session_timeout = 0")
            self.take(self.two)
        self.write(self.two, 2)
        self.assertEqual(self.stored(self.two), [2])

    def test_renewed_by_work(self) -> None:
        """C81: transactions renew the lease, those too that are begun again within; the other server gets none."""
        assert self.one.lease is not None
        assert self.two.lease is not None
        self.take(self.one)
        until = time.monotonic() + 2 * _LEASE
        number = 0
        while time.monotonic() < until:
            number += 1
            with self.one.transaction(1.0) as tx:
                with contextlib.suppress(ValueError), tx.savepoint():
                    raise ValueError
                tx.insert_records(self.directory.calling_lists[0], [new_record(number)])
            self.assertFalse(self.two.lease.take())
        self.assertEqual(len(self.stored(self.one)), number)
        self.assertGreater(self.one.lease.remaining or 0, 0)
