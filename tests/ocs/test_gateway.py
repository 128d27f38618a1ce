"""The role of a server beside others that serve the same store at once, with a lease that the test has in its hands."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.control.errors import ControlError
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.gateway import Gateway
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.store_service import StoreService
from ocsgw.store.errors import NotPrimaryError
from ocsgw.store.lease import Lease
from tests.support.logs import LogCapture

_UNIT = cast("UnitOfWork", None)


class FakeLease:
    """A lease: `holder` has it, empty for nobody; every use fails while `broken`."""

    def __init__(self) -> None:
        self.objects = ""
        self.theirs = ""
        self.holder = ""
        self.epoch = 0
        self.broken = False
        self.held = False
        # Another process has the name of this one.
        self.namesake = False
        self.odd = False

    @property
    def remaining(self) -> float | None:
        return 5.0 if self.held else None

    def _use(self) -> None:
        if self.broken:
            raise StoreFailureError("no connection")

    def look(self) -> Lease:
        self._use()
        ours = self.holder == "one"
        ready = ("two",) if ours else ("one",)
        is_ours = ours and not self.namesake
        valid_for = 5.0 if self.holder and not self.odd else 0.0
        return Lease(self.epoch, self.holder, is_ours, valid_for, self.theirs, ready, self.odd, now=1000.0)

    def take(self) -> bool:
        self.holder, self.held, self.epoch, self.odd = "one", True, self.epoch + 1, False
        return True

    def renew(self) -> None:
        self._use()
        self.check()

    def check(self) -> None:
        if self.holder != "one":
            self.held = False
            raise NotPrimaryError("lost")

    def hand_over(self) -> None:
        self._use()
        self.holder, self.held = "", False

    def drop(self) -> None:
        self.held = False


class FakeStore:
    """Does what it is given at once."""

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        return maybeDeferred(function)


class GatewayTests(SynchronousTestCase):
    """One server; the other one is played by the lease."""

    def setUp(self) -> None:
        self.log = LogCapture(self)
        self.clock, self.lease, self.life_cycle = Clock(), FakeLease(), LifeCycle()
        ha = SimpleNamespace(name="one", renew_interval=1.0, mode="active")
        config = SimpleNamespace(
            ha=ha,
            tenants=(),
            time_zones=(),
            calling_lists=(),
            campaigns=(),
            campaign_groups=(),
            treatments=(),
            do_not_call=SimpleNamespace(table="dnc"),
        )
        wall_clock = lambda: 1000.0  # noqa: E731 - a clock that stands
        context = cast("OCSContext", SimpleNamespace(config=config, reactor=self.clock, wall_clock=wall_clock))
        self.role = Gateway(context, self.life_cycle, cast("StoreService", FakeStore()), self.lease)
        self.life_cycle.opened()

    def start(self) -> None:
        """Start, with a stop at the end."""
        self.role.startService()
        self.addCleanup(self.role.stopService)

    def test_first(self) -> None:
        """It serves at once, takes the chores that nobody has, and gives them up when it stops."""
        self.assertIsNone(self.role.lease())
        self.role.startService()
        self.assertEqual((self.life_cycle.state, self.role.role), ("active", "primary"))
        self.assertEqual(self.role.lease(), {"epoch": 1, "remaining": 5.0})
        gateways = [{"name": "one", "chores": True}, {"name": "two", "chores": False}]
        self.assertEqual(self.role.gateways(), gateways)
        self.role.check_primary()
        self.assertIn("stop it", str(self.failureResultOf(self.role.switch_over(), ControlError).value))
        self.successResultOf(self.role.stopService())
        self.assertEqual((self.lease.holder, self.log.numbers().count(93226)), ("", 1))

    def test_other(self) -> None:
        """It serves while another one does the chores, reports what that one has otherwise, and takes them over."""
        self.lease.holder, self.lease.theirs = "two", '{"tenant": {"Environment": 9}}'
        self.start()
        self.clock.advance(1)
        self.assertEqual((self.life_cycle.state, self.lease.held), ("active", False))
        self.assertEqual(self.role.gateways(), [{"name": "one", "chores": False}, {"name": "two", "chores": True}])
        self.assertEqual(self.log.numbers().count(93225), 1)
        self.lease.holder = ""
        self.clock.advance(1)
        self.assertTrue(self.lease.held)

    def test_lost(self) -> None:
        """Chores that another server has taken are not done any more; it goes on to serve."""
        self.start()
        self.lease.holder = "two"
        self.clock.advance(1)
        self.assertEqual((self.life_cycle.state, self.lease.held), ("active", False))
        self.assertEqual([each for each in self.log.numbers() if each in (93226, 93227)], [93226, 93227])

    def test_namesake(self) -> None:
        """Another process that has the same name is reported, once."""
        self.start()
        self.lease.namesake = True
        self.lease.held = False
        self.clock.pump([1, 1, 1])
        self.assertEqual(self.log.numbers().count(93224), 1)

    def test_failures(self) -> None:
        """A store that fails is reported once, and it goes on; a stop needs no store."""
        self.start()
        self.lease.broken = True
        self.clock.pump([1, 1, 1])
        self.assertEqual((self.log.numbers().count(93222), self.role.trouble), (1, "no connection"))
        self.successResultOf(self.role.stopService())
        self.assertFalse(self.lease.held)

    def test_odd(self) -> None:
        """A lease that no server has written is reported, and taken."""
        self.lease.holder, self.lease.odd = "two", True
        self.start()
        self.clock.pump([1, 1])
        self.assertEqual((self.log.numbers().count(93236), self.lease.held), (1, True))

    def test_duty(self) -> None:
        """A chore looks at the lease in each of its transactions; a server without partners has nothing to look at."""
        duty = Duty(self.lease)
        self.assertFalse(duty.is_ours)
        self.start()
        self.assertTrue(duty.is_ours)

        def rest(unit: UnitOfWork) -> int:
            return 7

        def chore(unit: UnitOfWork) -> int | Unfinished[int]:
            return Unfinished(rest)

        first = duty.checked(chore)(_UNIT)
        assert isinstance(first, Unfinished)
        self.assertEqual(first.function(_UNIT), 7)
        self.lease.holder = "two"
        self.assertRaises(NotPrimaryError, first.function, _UNIT)
        self.assertRaises(NotPrimaryError, duty.checked(chore), _UNIT)
        self.assertTrue(Duty(None).is_ours)
        self.assertIs(Duty(None).checked(chore), chore)
