"""What the service manager is reported, on a fake clock."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.service_notifier import ServiceNotifier
from tests.support.manager import FakeManager


class Listener:
    """A listener in any state."""

    def __init__(self) -> None:
        self.state = "starting"
        self.alive = True

    def is_settled(self) -> bool:
        return self.state != "starting"

    def answers(self) -> bool:
        return self.alive

    def summary(self) -> str:
        return f"HTTP :8080 {self.state}"


class Server:
    """An OCS with one listener."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.count = 0
        self.waits: str | None = None
        self.running = 1

    def all(self) -> list[Listener]:
        return [self.listener]

    def requests(self) -> int:
        return self.count


class WatchTests(SynchronousTestCase):
    """Readiness, status, watchdog."""

    def make(self, watchdog: float | None = None) -> ServiceNotifier:
        self.clock = Clock()
        self.manager = FakeManager(watchdog)
        self.ocs = Server()
        self.life_cycle = LifeCycle()
        self.notifier = ServiceNotifier(self.life_cycle, self.manager, self.clock)
        self.notifier.watch(self.ocs, self.ocs)
        self.notifier.startService()
        self.addCleanup(self.notifier.stopService)
        return self.notifier

    def open(self) -> None:
        """Let it be active."""
        self.life_cycle.activate()
        self.life_cycle.opened()

    def serve(self) -> None:
        """Bring it to where it serves."""
        self.open()
        self.ocs.listener.state = "running"
        self.notifier.look()
        self.manager.take()

    def test_ready(self) -> None:
        """sd_notify(3) READY: said once, when the store is open and the first proxy serves, with the status."""
        notifier = self.make()
        self.assertEqual(self.manager.take(), [{"STATUS": "opening, waiting for the store"}])
        self.open()
        self.assertEqual(self.manager.take(), [{"STATUS": "active, HTTP :8080 starting, 0 requests"}])
        self.ocs.listener.state = "running"
        self.ocs.count = 12345
        notifier.look()
        status = "active, HTTP :8080 running, 12,345 requests"
        self.assertEqual(self.manager.take()[0], {"READY": 1, "STATUS": status})
        self.clock.pump([1.0] * 5)
        self.assertEqual([each for each in self.manager.take() if "READY" in each], [])

    def test_standby(self) -> None:
        """A server that stands by for another one is ready too; a moment on the way to active is not reported."""
        self.make()
        self.life_cycle.opened()
        self.assertEqual(self.manager.take(), [{"STATUS": "opening, waiting for the store"}])
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take()[0], {"READY": 1, "STATUS": "standby, HTTP :8080 starting, 0 requests"})

    def test_store_that_is_not_available(self) -> None:
        """What the start waits for is in the status."""
        self.make()
        self.ocs.waits = "the disk is full"
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take()[-1], {"STATUS": "opening, the disk is full"})

    def test_port_is_taken(self) -> None:
        """C76: OCS is up although its proxy cannot be started; the status says so."""
        notifier = self.make()
        self.open()
        self.ocs.listener.state = "waiting"
        notifier.look()
        self.assertIn({"READY": 1, "STATUS": "active, HTTP :8080 waiting, 0 requests"}, self.manager.take())

    def test_status(self) -> None:
        """STATUS is reported when it has changed, at the latest after a second."""
        self.make()
        self.serve()
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take(), [])
        self.ocs.count = 1
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take(), [{"STATUS": "active, HTTP :8080 running, 1 requests"}])

    def test_watchdog(self) -> None:
        """WATCHDOG is reported at least twice in its time while the link answers, and not while it is silent."""
        self.make(watchdog=2.0)
        self.serve()
        self.clock.pump([0.5] * 4)
        self.assertEqual(self.manager.take(), [{"WATCHDOG": 1}] * 4)
        self.ocs.listener.alive = False
        self.clock.pump([0.5] * 4)
        self.assertEqual(self.manager.take(), [])
        self.ocs.listener.alive = True
        self.clock.advance(0.5)
        self.assertEqual(self.manager.take(), [{"WATCHDOG": 1}])

    def test_loop_stands_still(self) -> None:
        """A loop that stood still is not made up for: one look tells one sign of life."""
        self.make(watchdog=2.0)
        self.serve()
        self.clock.advance(10.0)
        self.assertEqual(self.manager.take(), [{"WATCHDOG": 1}])

    def test_no_watchdog(self) -> None:
        """Without a watchdog none is fed."""
        self.make()
        self.serve()
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.manager.take(), [])

    def test_reload(self) -> None:
        """RELOADING has the time since the start of the machine in microseconds and is ended by READY."""
        notifier = self.make()
        notifier.reloading()
        self.assertEqual(self.manager.take(), [{"STATUS": "opening, waiting for the store"}])
        self.serve()
        notifier.reloading()
        (told,) = self.manager.take()
        self.assertEqual(told["RELOADING"], 1)
        self.assertIsInstance(told["MONOTONIC_USEC"], int)
        notifier.reloaded(refused=True)
        ready, status = self.manager.take()
        self.assertEqual(ready, {"READY": 1})
        self.assertIn("configuration was refused", str(status["STATUS"]))
        notifier.reloaded(refused=False)
        self.assertNotIn("refused", str(self.manager.take()[-1]["STATUS"]))

    def test_stop(self) -> None:
        """STOPPING comes with more time than the stop may take; the status says nothing else from then on."""
        notifier = self.make()
        self.serve()
        notifier.stopping(15.0)
        self.life_cycle.stop()
        self.assertEqual(
            self.manager.take(), [{"STOPPING": 1, "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": 25_000_000}]
        )
        self.clock.pump([1.0] * 3)
        notifier.stopService()
        self.assertEqual(self.manager.take(), [])
