"""Chores: in slices, one failure logged once, and all of it only while OCS is active."""

from typing import Any

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.ocs import housekeeping
from ocsgw.ocs.housekeeping import Chore, Housekeeping, Slice
from ocsgw.protocol.messages import Ping
from tests.ocs.service import ServiceTestCase


class HousekeepingTests(ServiceTestCase):
    """The chores of one OCS."""

    def housekeeping(self) -> Housekeeping:
        parts: Any = next(each for each in self.service if each.name == "while active")
        found: Housekeeping = parts.parts.getServiceNamed("housekeeping")
        return found

    def carry_out(self, run: Any) -> None:
        """Carry out a chore of the test, with its first slice."""
        chore = Chore("a chore", 1.0, run, 93017)
        self.housekeeping()._carry_out(chore, run)

    def test_slices(self) -> None:
        """A chore goes on until nothing is left, each slice in a transaction of its own; what it did is logged."""
        proxy = self.start()
        units: list[UnitOfWork] = []

        def run(unit: UnitOfWork) -> Slice:
            units.append(unit)
            return Slice(5, run if len(units) < 3 else None)

        self.carry_out(run)
        self.assertEqual(len(units), 3)
        self.assertEqual(len({id(each) for each in units}), 3)
        self.assertEqual(self.log.numbers().count(93017), 3)
        self.stop(proxy)

    def test_failure(self) -> None:
        """An outage is logged once, whatever fails and how often; health shows it; its end is logged too."""
        proxy = self.start()
        status = self.service.commands["status"].run

        def fail(unit: UnitOfWork) -> Slice:
            raise StoreFailureError("disk full")

        for _ in range(3):
            self.carry_out(fail)
        self.assertEqual(self.log.numbers().count(93040), 1)
        self.assertIn("a chore: disk full", self.log.text(93040))
        shown = self.successResultOf(status({}))
        self.assertEqual(shown["chores"], [{"name": "a chore", "failures": 3}])
        self.assertEqual(shown["health"], "degraded")
        self.carry_out(lambda unit: Slice(0))
        self.assertEqual(self.log.numbers().count(93154), 1)
        self.assertEqual(self.successResultOf(status({}))["health"], "good")
        self.stop(proxy)

    def test_store_held_at_the_start(self) -> None:
        """What has to be put right at the start is tried again until it succeeds; the proxies serve meanwhile."""
        calls: list[object] = []

        def prepare(unit: UnitOfWork) -> dict[str, int]:
            calls.append(unit)
            if len(calls) < 3:
                raise StoreFailureError("database is locked")
            return {}

        self.patch(housekeeping, "prepare", prepare)
        proxy = self.start()
        self.assertEqual(self.log.numbers().count(93040), 1)
        for at in range(20):
            self.reactor.advance(1)
            # A sign of life.
            proxy.send(Ping(ref=at + 1))
        self.assertEqual(len(calls), 3)
        self.assertEqual(self.log.numbers().count(93154), 1)
        self.stop(proxy)

    def test_defect(self) -> None:
        """A defect is logged with its traceback, the state of the store without."""
        proxy = self.start()
        self.carry_out(lambda unit: 1 // 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.stop(proxy)

    def test_only_while_active(self) -> None:
        """In standby, and as soon as a stop begins, no chore is carried out."""
        proxy = self.start()
        ran: list[object] = []

        def run(unit: UnitOfWork) -> Slice:
            ran.append(unit)
            return Slice(0)

        self.service.life_cycle.deactivate()
        self.carry_out(run)
        self.service.life_cycle.stop()
        self.carry_out(run)
        self.assertEqual(ran, [])
        self.stop(proxy)
