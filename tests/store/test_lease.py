"""The lease of a pair on one file: one server writes at a time, whatever stands still, wakes up or hands over."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.store.errors import NotPrimaryError, StoreBusyError, StoreError
from ocsgw.store.lease import PairMember
from ocsgw.store.sqlite.engine import SQLiteEngine
from ocsgw.store.sqlite.lease import SQLiteLease
from tests.store.contract import new_record
from tests.support.case import ClockTestCase
from tests.support.reports import Reports
from tests.support.rules import make_directory

_LEASE, _RENEW = 5.0, 1.0


# What no server writes, and what one could have written.
_KNOWN = ("expires_at = 0, token = 'x'", "objects = x'ff'", "name = x'ff'", "expires_at = -9e999")
_ODD = (
    *_KNOWN,
    "expires_at = 1e15",
    "expires_at = 1e15, token = 'x'",
    "expires_at = 9e999, token = 'x'",
    "expires_at = 'tomorrow'",
    "expires_at = x'00', token = x'ff'",
    "epoch = 9223372036854775807",
    "epoch = -5",
    "epoch = 'seven'",
    "epoch = 1.5",
)


class Watchdog:
    """Notes when it would end the process."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.history: list[float] = []

    def arm(self, at: float) -> None:
        """Note the time."""
        self.at = at
        self.history.append(at)

    def disarm(self) -> None:
        """Forget the time."""
        self.at = None


class Server:
    """An engine as a server of a pair has it."""

    def __init__(self, test: "LeaseTestCase", name: str, boot: str = "this start") -> None:
        self.watchdog = Watchdog()
        self.calling_list = test.directory.calling_lists[0]
        member = PairMember(name, _LEASE, _RENEW, token=f"token of {name}")
        self.engine = SQLiteEngine(
            test.file,
            test.reports,
            member=member,
            make_lease=lambda member, connection: SQLiteLease(
                member, connection, self.watchdog, lambda: test.now, boot
            ),
        )
        assert self.engine.lease is not None
        self.lease = self.engine.lease
        self.engine.open(test.directory)
        test.addCleanup(self.engine.close)

    def take(self, test: "LeaseTestCase") -> bool:
        """Become primary, if the lease has lapsed."""
        taken = self.lease.take()
        if taken:
            self.engine.use(test.directory)
        return taken

    def write(self, number: int = 1) -> None:
        """Store a record."""
        with self.engine.transaction(0.0) as tx:
            tx.insert_records(self.calling_list, [new_record(number)])

    def writes(self, number: int = 1) -> bool:
        """Whether a record could be stored."""
        try:
            self.write(number)
        except NotPrimaryError:
            return False
        return True


class LeaseTestCase(ClockTestCase):
    """A file, and a clock that the test sets."""

    def setUp(self) -> None:
        super().setUp()
        self.file = os.path.abspath(os.path.join(self.mktemp(), "store.sqlite"))
        self.reports = Reports()
        self.directory = make_directory()
        self.now = 1000.0

    def server(self, name: str, boot: str = "this start") -> Server:
        """Return a server of the pair that has opened the store."""
        return Server(self, name, boot)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Read the store as another program."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(text).fetchall()


class LeaseTests(LeaseTestCase):
    """What the lease allows and refuses."""

    def test_standby(self) -> None:
        """C81, C82: a server that has opened the store and has no lease writes nothing and opens no list."""
        server = self.server("a")
        self.assertFalse(server.writes())
        self.assertEqual(self.rows("SELECT name FROM sqlite_master WHERE name = 'CL_Test'"), [])
        self.assertIsNone(server.lease.remaining)
        self.assertEqual(server.watchdog.at, None)

    def test_take(self) -> None:
        """C81: the first takes the lease, the second sees who has it; the epoch rises with each switch."""
        one, two = self.server("a"), self.server("b")
        self.assertTrue(one.take(self))
        self.assertFalse(two.take(self))
        seen = two.lease.look()
        self.assertEqual((seen.epoch, seen.holder, seen.is_ours, seen.remaining), (1, "a", False, _LEASE))
        self.assertEqual(one.lease.look().standby, "b")
        self.assertTrue(one.writes())
        self.assertFalse(two.writes())
        self.now += _LEASE
        self.assertTrue(two.take(self))
        self.assertEqual(two.lease.look().epoch, 2)
        self.assertTrue(two.writes(2))

    def test_woken(self) -> None:
        """C82, R38: what was stopped until the other has taken over writes nothing more, nor once its lease lapsed."""
        one, two = self.server("a"), self.server("b")
        one.take(self)
        self.now += _LEASE
        self.assertFalse(one.writes())
        one.take(self)
        self.now += _LEASE
        two.take(self)
        # It believes whatever it likes.
        one.lease._expires_at = self.now + 100
        one.lease._epoch = 2
        self.assertFalse(one.writes())
        self.assertRaises(NotPrimaryError, one.lease.renew)
        self.assertIsNone(one.lease.remaining)
        self.assertTrue(two.writes())

    def test_renewal(self) -> None:
        """C81: transactions renew the lease when that is due, and only if they are committed."""
        one = self.server("a")
        one.take(self)
        self.now += 0.5
        one.write(1)
        self.assertEqual(one.lease.remaining, _LEASE - 0.5)
        self.now += 0.5
        one.write(2)
        self.assertEqual(one.lease.remaining, _LEASE)
        self.now += 1.0

        def fail() -> None:
            with one.engine.transaction(0.0):
                raise ValueError

        self.assertRaises(ValueError, fail)
        self.assertEqual(one.lease.remaining, _LEASE - 1)
        self.assertEqual(self.rows("SELECT expires_at FROM ocsgw_lease"), [(self.now - 1 + _LEASE,)])
        one.lease.renew()
        self.assertEqual(one.lease.remaining, _LEASE)

    def test_objects(self) -> None:
        """C88: what the primary says of its configuration is stored with the lease, a later change with a renewal."""
        one, two = self.server("a"), self.server("b")
        one.lease.objects = "first"
        one.take(self)
        self.assertEqual(two.lease.look().objects, "first")
        one.lease.objects = "second"
        self.now += 1
        one.write()
        self.assertEqual(two.lease.look().objects, "second")

    def test_hand_over(self) -> None:
        """C84: a lease that is given up may be taken at once; who gave it up writes nothing more."""
        one, two = self.server("a"), self.server("b")
        one.take(self)
        one.lease.hand_over()
        self.assertFalse(one.writes())
        self.assertTrue(two.take(self))
        self.assertTrue(two.writes())

    def test_start_of_the_machine(self) -> None:
        """R56: a lease of an earlier start of the machine has lapsed, whatever its time says."""
        one = self.server("a", "yesterday")
        one.take(self)
        one.engine.close()
        two = self.server("b", "today")
        self.assertEqual(two.lease.look().remaining, 0.0)
        self.assertTrue(two.take(self))

    def test_standby_is_forgotten(self) -> None:
        """A server that does not say any more that it is ready is none that could take over."""
        one, two = self.server("a"), self.server("b")
        one.take(self)
        two.lease.look()
        self.now += 3 * _LEASE
        self.assertIsNone(one.lease.look().standby)

    def test_second_beginning(self) -> None:
        """C82: a run that is undone by a second beginning of the transaction is judged again, and renews again."""
        one, two = self.server("a"), self.server("b")
        one.take(self)
        self.now += 1

        def undo() -> None:
            with one.engine.transaction(0.0) as tx:
                try:
                    with tx.savepoint():
                        raise ValueError
                except ValueError:
                    tx.insert_records(one.calling_list, [new_record(7)])

        undo()
        self.assertEqual(one.lease.remaining, _LEASE)
        self.assertEqual(self.rows("SELECT record_id FROM CL_Test"), [(7,)])

        def undo_late() -> None:
            with one.engine.transaction(0.0) as tx, tx.savepoint():
                self.now += _LEASE
                raise ValueError

        self.assertRaises(StoreFailureError, undo_late)
        self.assertTrue(two.take(self))

    def test_watchdog(self) -> None:
        """A transaction that stands still is ended when the lease lapses; outside of transactions nothing is."""
        one, two = self.server("a"), self.server("b")
        two.lease.look()
        self.assertEqual(two.watchdog.at, None)
        one.take(self)
        with one.engine.transaction(0.0):
            self.assertEqual(one.watchdog.at, self.now + _LEASE)
        self.assertIsNone(one.watchdog.at)
        self.now += _LEASE
        armed = len(one.watchdog.history)
        self.assertFalse(one.writes())
        # Never with a time that has passed: the process would end, although it holds nothing.
        self.assertEqual(len(one.watchdog.history), armed)

    def test_busy(self) -> None:
        """Another program holds the file: neither look, take nor renewal waits for it for long, and nothing changes."""
        one, two = self.server("a"), self.server("b")
        one.take(self)
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.assertEqual(two.lease.look().holder, "a")
            self.assertRaises(StoreBusyError, two.lease.take)
            self.assertRaises(StoreBusyError, one.lease.renew)
            self.assertRaises(StoreBusyError, one.write)
            other.execute("COMMIT")
        self.assertTrue(one.writes())
        self.assertEqual((one.watchdog.at, two.watchdog.at), (None, None))

    def test_odd(self) -> None:
        """R50: whatever another program writes into the row of the lease, one server or the other goes on to serve."""
        one, two = self.server("a"), self.server("b")
        for number, odd in enumerate(_ODD):
            one.take(self)
            self.change(f"UPDATE ocsgw_lease SET {odd}")
            is_odd = two.lease.look().is_odd
            self.assertEqual(is_odd, odd not in _KNOWN, odd)
            self.now += 1.0
            writes = one.writes(2 * number)
            # What it has renewed is its own.
            self.assertEqual(two.take(self), not writes, odd)
            server = one if writes else two
            self.assertTrue(server.writes(2 * number + 1), odd)
            seen = server.lease.look()
            self.assertEqual((seen.is_ours, seen.is_odd, seen.remaining > _LEASE - 2), (True, False, True), odd)
            self.assertTrue(0 < seen.epoch < 1000, seen)
            server.lease.hand_over()
            # Who has lost it may not know that yet.
            one.lease.drop()
        one.take(self)
        self.change("UPDATE ocsgw_standby SET ready_until = 'x', token = token || 'x'")
        self.assertIsNone(one.lease.look().standby)

    def change(self, text: str) -> None:
        """Change the store as another program."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(text)

    def test_anything(self) -> None:
        """C80 to C82: in whatever order things happen, who writes is always the one with the lease."""
        randomness = random.Random(4711)
        one, two = servers = self.server("a"), self.server("b")
        one.engine.use(self.directory)
        number = switches = 0
        for _ in range(2000):
            server = randomness.choice(servers)
            step = randomness.randrange(6)
            if step == 0:
                self.now += randomness.choice([0.1, 1, _LEASE - 1, _LEASE])
            elif step == 1:
                switches += server.take(self)
            elif step == 2 and server.lease.is_held and randomness.random() < 0.2:
                with contextlib.suppress(NotPrimaryError):
                    server.lease.hand_over()
            else:
                number += 1
                ((token, expires_at),) = self.rows("SELECT token, expires_at FROM ocsgw_lease") or [("", 0)]
                may = token == f"token of {'a' if server is one else 'b'}" and float(str(expires_at)) > self.now
                self.assertEqual(server.writes(number), may)
        self.assertGreater(switches, 100)
        self.assertEqual(two.lease.look().epoch, switches)


class FileTests(LeaseTestCase):
    """Who may have the file open."""

    def test_single_server(self) -> None:
        """Single servers, and commands that change the store, are kept out by one of a pair, and it by them."""
        server = self.server("a")
        for access in ("serve", "work"):
            engine = SQLiteEngine(self.file, self.reports, access=access)
            error = self.assertRaises(StoreError, engine.open, self.directory)
            self.assertIn(f"in use by process {os.getpid()}", str(error))
        server.engine.close()
        single = SQLiteEngine(self.file, self.reports)
        single.open(self.directory)
        self.addCleanup(single.close)
        self.assertRaises(StoreError, self.server, "b")

    def test_third(self) -> None:
        """The second finds the file open and shares it; a store of an earlier version waits for the first to stop."""
        self.server("a")
        self.server("b")
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("UPDATE ocsgw_alembic_version SET version_num = '0005'")
        self.assertIn("stop that one first", str(self.assertRaises(StoreError, self.server, "c")))


_STANDS_STILL = """
import os, signal, sys, time
from ocsgw.store.sqlite.watchdog import CLOCK, Watchdog
watchdog = Watchdog()
watchdog.arm(time.clock_gettime(CLOCK) + 0.2)
if sys.argv[1] == "disarmed":
    watchdog.disarm()
    time.sleep(0.5)
    watchdog.close()
    sys.exit(7)
os.kill(os.getpid(), signal.SIGSTOP)
"""


class WatchdogTests(ClockTestCase):
    """The timer of the kernel."""

    def run_with(self, state: str) -> int:
        """Return how a process ended that has armed its timer."""
        command = [sys.executable, "-c", _STANDS_STILL, state]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        return subprocess.run(command, env=environment, timeout=60, check=False).returncode

    def test_stopped(self) -> None:
        """A stopped process ends at its time; one that has disarmed the timer goes on."""
        self.assertEqual(self.run_with("armed"), -signal.SIGKILL)
        self.assertEqual(self.run_with("disarmed"), 7)
