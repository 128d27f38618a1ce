"""What the service manager is told, on a fake clock."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

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
        self.chores = 0

    def listeners(self) -> list[Listener]:
        return [self.listener]

    def requests(self) -> int:
        return self.count

    def housekeeping(self) -> None:
        self.chores += 1


class WatchTests(SynchronousTestCase):
    """Readiness, status, watchdog."""

    def make(self, watchdog: float | None = None) -> ServiceNotifier:
        self.clock = Clock()
        self.manager = FakeManager(watchdog)
        self.ocs = Server()
        self.notifier = ServiceNotifier(self.ocs, self.manager, self.clock)
        self.notifier.start()
        self.addCleanup(self.notifier.stop)
        return self.notifier

    def serve(self) -> None:
        """Bring it to where it serves."""
        self.notifier.opened()
        self.ocs.listener.state = "running"
        self.notifier.look()
        self.manager.take()

    def test_ready(self) -> None:
        """sd_notify(3) READY: said once, when the store is open and the first proxy serves, with the status."""
        notifier = self.make()
        self.assertEqual(self.manager.take(), [{"STATUS": "waiting for the store"}])
        notifier.opened()
        self.assertEqual(self.manager.take(), [{"STATUS": "primary, HTTP :8080 starting, 0 requests"}])
        self.ocs.listener.state = "running"
        self.ocs.count = 12345
        notifier.look()
        status = "primary, HTTP :8080 running, 12,345 requests"
        self.assertEqual(self.manager.take()[0], {"READY": 1, "STATUS": status})
        self.clock.pump([1.0] * 5)
        self.assertEqual([each for each in self.manager.take() if "READY" in each], [])

    def test_port_is_taken(self) -> None:
        """C76: OCS is up although its proxy cannot be started; the status says so."""
        notifier = self.make()
        notifier.opened()
        self.ocs.listener.state = "waiting"
        notifier.look()
        self.assertIn({"READY": 1, "STATUS": "primary, HTTP :8080 waiting, 0 requests"}, self.manager.take())

    def test_status(self) -> None:
        """STATUS is told when it has changed, at the latest after a second, and the housekeeping is done as often."""
        self.make()
        self.serve()
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take(), [])
        self.ocs.count = 1
        chores = self.ocs.chores
        self.clock.advance(1.0)
        self.assertEqual(self.manager.take(), [{"STATUS": "primary, HTTP :8080 running, 1 requests"}])
        self.assertEqual(self.ocs.chores, chores + 1)

    def test_watchdog(self) -> None:
        """WATCHDOG is told at least twice in its time while the link answers, and not while it is silent."""
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
        self.assertEqual(self.manager.take(), [{"STATUS": "waiting for the store"}])
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
        self.assertEqual(
            self.manager.take(), [{"STOPPING": 1, "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": 25_000_000}]
        )
        self.clock.pump([1.0] * 3)
        notifier.stop()
        self.assertEqual(self.manager.take(), [])
