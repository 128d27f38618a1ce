"""The states of OCS, and what runs in which of them."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.ordered import OrderedServices, WhileActive
from tests.support.logs import LogCapture

ORDERS = ("opened", "activate", "deactivate", "stop")
# State, then what happens, then the state that follows; what is not here leaves the state as it is.
STEPS = {
    ("opening", "opened"): "standby",
    ("standby", "activate"): "active",
    ("active", "deactivate"): "standby",
    **{(state, "stop"): "stopping" for state in ("opening", "standby", "active")},
}


class Part(Service):
    """A part whose start and stop end as the test says."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events
        self.starting: Deferred[None] | None = None
        self.stopping: Deferred[None] | None = None
        self.broken = False

    def startService(self) -> "Deferred[None] | None":
        super().startService()
        self.events.append(f"start {self.name}")
        return self.starting

    def stopService(self) -> "Deferred[None] | None":
        super().stopService()
        self.events.append(f"stop {self.name}")
        if self.broken:
            raise RuntimeError(self.name)
        return self.stopping


class LifeCycleTests(SynchronousTestCase):
    """The machine."""

    def at(self, state: str) -> LifeCycle:
        """Return a life cycle in a state."""
        life_cycle = LifeCycle()
        for order in {"opening": (), "standby": ("opened",), "active": ("opened", "activate"), "stopping": ("stop",)}[
            state
        ]:
            getattr(life_cycle, order)()
        return life_cycle

    def test_every_step(self) -> None:
        """Whatever happens in whatever state, the next state is the one of the table; it is logged by its name."""
        log = LogCapture(self)
        for state in ("opening", "standby", "active", "stopping"):
            for order in ORDERS:
                life_cycle = self.at(state)
                seen: list[str] = []
                life_cycle.follow(seen.append)
                getattr(life_cycle, order)()
                following = STEPS.get((state, order), state)
                self.assertEqual((life_cycle.state, seen), (following, [following] if following != state else []))
                if following != state:
                    self.assertEqual(log.text(93141), f"OCS is {following}")

    def test_wish_while_opening(self) -> None:
        """Who wants it to be active need not wait for the store; who changes his mind is heard too."""
        life_cycle = self.at("opening")
        life_cycle.activate()
        life_cycle.deactivate()
        life_cycle.opened()
        self.assertEqual(life_cycle.state, "standby")
        life_cycle = self.at("opening")
        life_cycle.activate()
        life_cycle.opened()
        self.assertEqual(life_cycle.state, "active")

    def test_follower_that_fails(self) -> None:
        """One follower that fails does not keep the others from the news."""
        seen: list[str] = []
        life_cycle = self.at("opening")
        life_cycle.follow(lambda state: 1 // 0)
        life_cycle.follow(seen.append)
        life_cycle.opened()
        self.assertEqual(seen, ["standby"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_when_opened(self) -> None:
        """Who waits for the store goes on when it is open, and at a stop too."""
        for order in ("opened", "stop"):
            life_cycle = self.at("opening")
            waiting = life_cycle.when_opened()
            self.assertNoResult(waiting)
            getattr(life_cycle, order)()
            self.successResultOf(waiting)
            self.successResultOf(life_cycle.when_opened())


class OrderedTests(SynchronousTestCase):
    """One after the other."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.parts = [Part(name, self.events) for name in "abc"]
        self.services = OrderedServices()
        for part in self.parts:
            part.setServiceParent(self.services)

    def test_order(self) -> None:
        """Each starts when the one before has started, and stops when the one after has stopped."""
        self.parts[1].starting, self.parts[1].stopping = Deferred(), Deferred()
        started = self.services.startService()
        self.assertEqual(self.events, ["start a", "start b"])
        self.parts[1].starting.callback(None)
        self.successResultOf(started)
        stopped = self.services.stopService()
        self.assertEqual(self.events[2:], ["start c", "stop c", "stop b"])
        self.parts[1].stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.events[-1], "stop a")

    def test_stop_while_starting(self) -> None:
        """A stop while a part still starts lets no further part start, also when that start ends afterwards."""
        self.parts[1].starting = Deferred()
        self.services.startService()
        self.successResultOf(self.services.stopService())
        self.parts[1].starting.callback(None)
        self.assertNotIn("start c", self.events)

    def test_part_that_fails_to_stop(self) -> None:
        """The others are stopped all the same, and the log has the name of the part."""
        log = LogCapture(self)
        self.parts[1].broken = True
        self.successResultOf(self.services.startService())
        self.successResultOf(self.services.stopService())
        self.assertEqual(self.events[-3:], ["stop c", "stop b", "stop a"])
        self.assertIn("part b", log.text(93145))
        self.flushLoggedErrors(RuntimeError)

    def test_part_that_fails_to_start(self) -> None:
        """The start fails with it."""
        self.parts[1].starting = Deferred()
        started = self.services.startService()
        self.parts[1].starting.errback(RuntimeError())
        self.failureResultOf(started, RuntimeError)


class WhileActiveTests(SynchronousTestCase):
    """What hangs on the active state."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.failures: list[object] = []
        self.life_cycle = LifeCycle()
        self.service = WhileActive(self.life_cycle, self.failures.append)
        self.part = Part("a", self.events)
        self.part.setServiceParent(self.service.parts)

    def test_whole_life(self) -> None:
        """It runs while OCS is active, as often as it becomes so, and at no other time."""
        self.service.startService()
        self.life_cycle.opened()
        self.assertEqual(self.events, [])
        for _ in range(2):
            self.life_cycle.activate()
            self.life_cycle.deactivate()
        self.assertEqual(self.events, ["start a", "stop a"] * 2)
        self.life_cycle.stop()
        self.successResultOf(self.service.stopService())
        self.assertEqual(len(self.events), 4)

    def test_active_before_the_start(self) -> None:
        """It may be started when OCS is active already."""
        self.life_cycle.activate()
        self.life_cycle.opened()
        self.assertEqual(self.events, [])
        self.service.startService()
        self.assertEqual(self.events, ["start a"])

    def test_active_again_while_it_stops(self) -> None:
        """A new start waits for the end of the stop, and the stop of OCS for both."""
        self.test_active_before_the_start()
        self.part.stopping = Deferred()
        self.life_cycle.deactivate()
        settled = self.service.settled()
        self.life_cycle.activate()
        self.assertEqual(self.events, ["start a", "stop a"])
        self.assertNoResult(settled)
        stopping, self.part.stopping = self.part.stopping, None
        stopping.callback(None)
        self.successResultOf(settled)
        self.assertEqual(self.events, ["start a", "stop a", "start a"])

    def test_stop(self) -> None:
        """A stop waits for the parts, and nothing starts any more."""
        self.test_active_before_the_start()
        self.part.stopping = Deferred()
        self.life_cycle.stop()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.part.stopping.callback(None)
        self.successResultOf(stopped)
        self.life_cycle.activate()
        self.assertEqual(self.events, ["start a", "stop a"])

    def test_part_that_cannot_start(self) -> None:
        """Whoever runs it is reported."""
        self.part.starting = Deferred()
        self.test_active_before_the_start()
        self.part.starting.errback(RuntimeError())
        self.assertEqual(len(self.failures), 1)
