"""The role of a server of a pair, with a store of its own, another one beside it, and a clock that the test sets."""

import sqlite3
from contextlib import closing
from typing import Any

from twisted.internet.defer import Deferred

from ocsgw.control.errors import ControlError
from ocsgw.ocs.pair import Pair
from ocsgw.store.sqlite.lease import time_of_kernel
from tests.ocs.service import FakeProxy, ServiceTestCase

_HA = '[ha]\nenabled = true\nname = "one"\nlease_time = "60s"\nrenew_interval = "10s"'


class PairTests(ServiceTestCase):
    """One OCS of a pair; its partner is played by rows in the store."""

    def setUp(self) -> None:
        super().setUp()
        self.configure(application='state_dir = "state"', more=_HA)

    def begin(self) -> FakeProxy:
        """Start; nobody else is there, so it becomes the primary with the first look."""
        self.make().startService()
        self.reactor.advance(0)
        return FakeProxy(self.reactor, 0).get_ready()

    def sql(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the other server would."""
        with closing(sqlite3.connect(self.folder / "var" / "ocsgw.sqlite", isolation_level=None)) as connection:
            return connection.execute(text, parameters).fetchall()

    def role(self) -> Pair:
        """Return the role service."""
        found = self.service.getServiceNamed("role")
        assert isinstance(found, Pair)
        return found

    def become_backup(self) -> None:
        """Begin as the primary, whose lease another server then takes."""
        proxy = self.begin()
        self.other_takes()
        self.reactor.advance(1)
        self.reactor.advance(0.25)
        proxy.leave()
        self.reactor.lose_link()

    def other_takes(self, epoch: int = 7) -> None:
        """Let the other server have the lease."""
        self.sql(
            "UPDATE ocsgw_lease SET epoch = ?, token = 'other', name = 'two', expires_at = expires_at + 1000", epoch
        )

    def other_lapses(self) -> None:
        """Let the lease lapse."""
        self.sql("UPDATE ocsgw_lease SET expires_at = 0")

    def other_is_ready(self) -> None:
        """Let the other server stand by."""
        self.sql(
            "INSERT INTO ocsgw_standby (token, name, boot, ready_until) SELECT 'other', 'two', boot, expires_at + 1000"
            " FROM ocsgw_lease"
        )

    def test_first(self) -> None:
        """C80, C81: who is alone takes the lease, and is the primary."""
        proxy = self.begin()
        self.assertEqual(self.role().role, "primary")
        self.assertEqual(self.sql("SELECT epoch, name FROM ocsgw_lease"), [(1, "one")])
        lease = self.role().lease()
        assert lease is not None
        self.assertEqual(lease["epoch"], 1)
        self.assertTrue(50 < lease["remaining"] <= 60, lease)
        self.assertEqual([number for number in self.log.numbers() if number in (93011, 93223)], [93011, 93223])
        self.stop(proxy)
        self.assertEqual(self.sql("SELECT expires_at FROM ocsgw_lease"), [(0.0,)])
        self.assertEqual(self.log.numbers().count(93012), 1)

    def test_lost(self) -> None:
        """C82, R38: a lease that another server has ends the service: 503 at once, ports closed, backup."""
        proxy = self.begin()
        self.other_takes()
        # The next transaction finds out, here that of a chore.
        self.reactor.advance(1)
        self.reactor.advance(0.25)
        self.assertEqual((self.role().role, self.service.life_cycle.state), ("backup", "standby"))
        self.assertFalse(self.service.store.dispatcher.available)
        self.assertEqual(self.role().partners()["standby"], "one")
        error = self.assertRaises(ControlError, self.role().check_primary)
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(1)
        error = self.assertRaises(ControlError, self.role().check_primary)
        self.assertIn("this server is the backup; two is the primary", str(error))
        lease = self.role().lease()
        assert lease is not None
        self.assertEqual(lease["epoch"], 7)
        self.assertIn(93220, self.log.numbers())
        self.other_lapses()
        self.reactor.advance(1)
        self.assertEqual((self.role().role, self.service.life_cycle.state), ("primary", "active"))
        self.assertTrue(self.service.store.dispatcher.available)
        second = FakeProxy(self.reactor, 1).get_ready()
        self.stop(second)

    def test_failure_is_over(self) -> None:
        """A failure of the last transaction as primary does not count against a backup whose store works."""
        proxy = self.begin()
        self.service.store.committer()._batch_log.failure = "no connection"
        self.other_takes()
        for _ in range(3):
            self.reactor.advance(1)
        self.assertEqual(self.service.store.status(), {"state": "open", "reason": None})
        self.stop(proxy)

    def test_compared(self) -> None:
        """C88: a backup reports what its primary has otherwise, once, and a name that both have."""
        self.become_backup()
        self.sql("""UPDATE ocsgw_lease SET name = 'one', objects = '{"tenant": {"Environment": 9}}'""")
        for _ in range(4):
            self.reactor.advance(1)
        numbers = self.log.numbers()
        self.assertEqual(numbers.count(93224), 1)
        self.assertGreater(numbers.count(93225), 0)
        differing = [text for text in self.log.texts() if "differs from" in text]
        self.assertEqual(len(differing), len(set(differing)))
        self.stop()

    def test_odd(self) -> None:
        """R50: a lease that no server has written is reported, and taken unless its holder renews it in time."""
        self.become_backup()
        self.sql("UPDATE ocsgw_lease SET expires_at = 'tomorrow'")
        self.reactor.pump([0.25] * 230)
        self.assertEqual((self.log.numbers().count(93236), self.role().role), (1, "backup"))
        self.reactor.pump([0.25] * 20)
        self.assertEqual((self.role().role, self.service.life_cycle.state), ("primary", "active"))
        self.assertEqual(self.sql("SELECT epoch, name FROM ocsgw_lease"), [(8, "one")])
        self.stop(FakeProxy(self.reactor, 1).get_ready())

    def test_trouble(self) -> None:
        """R50: a backup that cannot look after the lease could not take over, and says so; whatever the reason is."""
        self.become_backup()
        self.other_lapses()
        self.sql("CREATE TRIGGER nobody BEFORE UPDATE ON ocsgw_lease BEGIN SELECT raise(ABORT, 'not today'); END")
        self.reactor.pump([0.25] * 8)
        self.assertEqual(self.role().trouble, "a trigger: not today")
        self.assertEqual(self.log.numbers().count(93222), 1)
        self.assertNotIn(93156, self.log.numbers())
        self.sql("DROP TRIGGER nobody")
        self.reactor.advance(0.25)
        self.assertEqual((self.role().role, self.role().trouble), ("primary", None))
        self.stop(FakeProxy(self.reactor, 1).get_ready())

    def test_switch_over(self) -> None:
        """C84: as asked, it ends its work, hands the lease over, and waits for the other server."""
        proxy = self.begin()
        error = self.failureResultOf(self.role().switch_over(), ControlError)
        self.assertIn("no other server is ready", error.getErrorMessage())
        self.other_is_ready()
        done: Deferred[dict[str, Any]] = self.role().switch_over()
        self.assertNoResult(done)
        self.assertEqual(self.service.life_cycle.state, "standby")
        error = self.failureResultOf(self.role().switch_over(), ControlError)
        self.assertIn("this server is switching over already", error.getErrorMessage())
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(0.1)
        self.assertEqual((self.role().role, self.sql("SELECT expires_at FROM ocsgw_lease")), ("backup", [(0.0,)]))
        self.sql(
            "UPDATE ocsgw_lease SET epoch = 2, token = 'other', name = 'two', expires_at = ?", time_of_kernel() + 60
        )
        self.reactor.advance(0.1)
        self.assertEqual(self.successResultOf(done), {"primary": "two"})
        self.stop()

    def test_nobody_takes_over(self) -> None:
        """If nobody takes over within the lease's time, it serves again, and the command fails."""
        proxy = self.begin()
        self.other_is_ready()
        done: Deferred[dict[str, Any]] = self.role().switch_over()
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.pump([0.1] * 590)
        self.assertNoResult(done)
        self.assertEqual(self.role().role, "backup")
        self.reactor.pump([0.1] * 20)
        self.assertIn("two did not take over within 60 s", self.failureResultOf(done, ControlError).getErrorMessage())
        self.assertEqual((self.role().role, self.service.life_cycle.state), ("primary", "active"))
        self.stop(FakeProxy(self.reactor, 1).get_ready())
