"""A reload, a start and a stop that meet one another; what fails while a configuration is used."""

import signal
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from ocsgw.control.errors import ControlError, InvalidConfigurationError
from ocsgw.protocol.messages import Event, Request
from tests.ocs.service import SECOND_LISTENER, ServiceTestCase
from tests.support.workers import HeldWorker


class MeetingTests(ServiceTestCase):
    """Whatever meets a stop starts nothing any more."""

    def held(self) -> HeldWorker:
        """Return a worker that goes on when the test says so, in place of the usual one."""
        held = HeldWorker()
        self.worker = held  # type: ignore[assignment]  # a worker too
        return held

    def let_everything_end(self, held: HeldWorker) -> None:
        """Let the worker do all that it is given, and time pass."""
        for _ in range(20):
            while held.tasks:
                held.go_on()
            self.reactor.advance(1)

    def assert_nothing_runs(self, started: int) -> None:
        """After the stop there are no processes and no chores but those that were started before."""
        self.assertEqual(len(self.reactor.processes), started)
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])

    def test_stop_while_the_store_is_opened(self) -> None:
        """A stop during the opening, or during the preparation that follows on it, starts nothing after the stop."""
        for steps in (0, 1):
            with self.subTest(steps=steps):
                held = self.held()
                service = self.make()
                service.startService()
                for _ in range(steps):
                    held.go_on()
                self.assertEqual(len(held.tasks), 1)
                stopped = service.stopService()
                self.let_everything_end(held)
                self.successResultOf(stopped)
                self.assert_nothing_runs(0)
                self.assertEqual(service.life_cycle.state, "stopping")

    def test_stop_while_a_reload_reads(self) -> None:
        """A stop while the files are being read: the reload is refused, its new listener is not opened."""
        reading: Deferred[Any] = Deferred()
        proxy = self.start()
        self.service.reload._in_thread = lambda function: reading
        self.configure(more=SECOND_LISTENER)
        reloaded = self.service.reload()
        stopped = self.service.stopService()
        result = self.service.reload._read()
        reading.callback(result)
        self.failureResultOf(reloaded, ControlError)
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assert_nothing_runs(1)

    def test_stop_while_a_reload_opens_tables(self) -> None:
        """A stop while the store opens the tables of a new configuration: it is not used any more."""
        proxy = self.start()
        opening: Deferred[Any] = Deferred()
        self.patch(self.service.store, "take", lambda directory: opening)
        self.configure(more=SECOND_LISTENER)
        reloaded = self.service.reload()
        stopped = self.service.stopService()
        opening.callback(None)
        self.failureResultOf(reloaded, ControlError)
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assert_nothing_runs(1)

    def test_reload_while_the_store_is_opened(self) -> None:
        """A reload that comes before the store is open is not lost: it is carried out when it is."""
        held = self.held()
        service = self.make()
        service.startService()
        self.configure(more=SECOND_LISTENER)
        reloaded = service.reload()
        self.assertNoResult(reloaded)
        for _ in range(5):
            while held.tasks:
                held.go_on()
        self.successResultOf(reloaded)
        self.assertEqual(len(self.reactor.processes), 2)
        stopped = service.stopService()
        for process in self.reactor.processes:
            process.end(status=0)
        self.let_everything_end(held)
        self.successResultOf(stopped)

    def test_several_at_once(self) -> None:
        """Reloads are carried out one after the other; the last one has the file as it is then."""
        proxy = self.start()
        readings: list[tuple[Any, Deferred[Any]]] = []

        def read_later(function: Any) -> "Deferred[Any]":
            done: Deferred[Any] = Deferred()
            readings.append((function, done))
            return done

        self.service.reload._in_thread = read_later
        first, second = self.service.reload(), self.service.reload()
        self.assertEqual(len(readings), 1)
        function, done = readings[0]
        done.callback(function())
        self.successResultOf(first)
        self.configure(application='encoding = "windows-1252"')
        function, done = readings[1]
        done.callback(function())
        self.successResultOf(second)
        self.assertEqual(proxy.settings()[-1].encoding, "windows-1252")
        self.stop(proxy)

    def test_files_are_read_in_a_thread(self) -> None:
        """Reading files and making contexts is given away from the reactor; everything else happens in it."""
        proxy = self.start()
        given: list[Any] = []

        def call(function: Any) -> "Deferred[Any]":
            given.append(function)
            return maybeDeferred(function)

        self.service.reload._in_thread = call
        self.successResultOf(self.service.reload())
        self.assertEqual(given, [self.service.reload._read])
        self.stop(proxy)


class UseTests(ServiceTestCase):
    """What fails while a configuration is taken."""

    def test_part_that_fails(self) -> None:
        """One part that fails to take it is logged by its name; the others take it, and the reload has happened."""
        proxy = self.start()
        self.patch(self.service.rotation, "use", lambda config: 1 // 0)
        self.configure(application='encoding = "windows-1252"')
        self.successResultOf(self.service.reload())
        self.assertIn("The part log", self.log.text(93146))
        self.assertEqual(proxy.settings()[-1].encoding, "windows-1252")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.stop(proxy)

    def test_defect(self) -> None:
        """A defect on the way refuses the reload, with its traceback in the log; the next one works."""
        proxy = self.start()
        in_thread = self.service.reload._in_thread
        self.service.reload._in_thread = lambda function: maybeDeferred(lambda: 1 // 0)
        self.service.reload_on_signal()
        self.assertIn("internal error", self.log.text(93014))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.service.reload._in_thread = in_thread
        self.successResultOf(self.service.reload())
        self.stop(proxy)

    def test_last_key_is_taken_away(self) -> None:
        """A listener that has lost its last key is named in log and answer, again until it has one or is meant so."""
        file = self.path.with_name("web.key")
        file.write_text("correct horse battery", encoding="utf-8")
        file.chmod(0o600)
        key = '[[api_key]]\nname = "web"\nkey_file = "web.key"\nlisteners = ["default"]\n'
        self.configure(more=SECOND_LISTENER + key)
        proxy = self.start()
        reload = self.service.commands["reload"].run

        def opened() -> Any:
            return self.successResultOf(reload({}))["opened_listeners"]

        self.assertEqual(opened(), [])
        self.configure(more=SECOND_LISTENER)
        self.assertEqual([opened(), opened()], [["default"], ["default"]])
        self.assertIn("Listener default has no API key", self.log.text(93158))
        self.configure(more=SECOND_LISTENER + key)
        self.assertEqual(opened(), [])
        self.assertEqual(self.log.numbers().count(93158), 2)
        for process in self.reactor.processes[1:]:
            process.end(signal=signal.SIGKILL)
        self.stop(proxy)

    def test_invalid(self) -> None:
        """Errors of the configuration are told apart, and health has them until a reload succeeds."""
        proxy = self.start()
        status = self.service.commands["status"].run
        self.configure(application="nonsense = 1")
        self.failureResultOf(self.service.reload(), InvalidConfigurationError)
        shown = self.successResultOf(status({}))
        self.assertEqual(shown["health"], "degraded")
        self.assertIn("nonsense", shown["problems"][0])
        self.configure()
        self.successResultOf(self.service.reload())
        self.assertEqual(self.successResultOf(status({}))["health"], "good")
        self.stop(proxy)

    def test_deactivated(self) -> None:
        """In standby there are neither proxies nor chores, whatever is reloaded; active again all are back."""
        proxy = self.start()
        self.service.life_cycle.deactivate()
        proxy.leave()
        self.reactor.lose_link()
        self.reactor.advance(30)
        self.assertEqual((len(self.reactor.processes), self.service.listeners()), (1, []))
        self.configure(more=SECOND_LISTENER)
        self.successResultOf(self.service.reload())
        self.assertEqual(len(self.reactor.processes), 1)
        self.service.life_cycle.activate()
        self.assertEqual(len(self.reactor.processes), 3)
        for process in self.reactor.processes[1:]:
            process.end(signal=signal.SIGKILL)
        self.stop()

    def test_request_in_standby(self) -> None:
        """What still comes over a link that ends is carried out: only a stop refuses."""
        proxy = self.start()
        self.service.life_cycle.deactivate()
        proxy.send(
            Request(ref=1, data={"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "1"})
        )
        self.reactor.advance(0)
        self.assertEqual([each.code for each in proxy.received() if isinstance(each, Event)], [None])
        self.stop(proxy)
