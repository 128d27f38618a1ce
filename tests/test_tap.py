"""Options, the end, and the signals of the process (configuration.md section 15)."""

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from ocsgw import signals, tap
from ocsgw.tap import Options, ProcessEnd, Twistd, install_signals, load_or_exit
from ocsgw.version import VERSION


class OptionsTests(SynchronousTestCase):
    """The command line of `twistd ocsgw`."""

    def exit_of(self, *words: str) -> tuple[Any, str, str]:
        """Parse a command line that ends the process; return status, output and error output."""
        output, errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        end = self.assertRaises(SystemExit, Options().parseOptions, list(words))
        return end.code, output.getvalue(), errors.getvalue()

    def test_defaults(self) -> None:
        """Without options the supplied file is used and no example is printed."""
        options = Options()
        options.parseOptions([])
        self.assertEqual((options["config"], options["example"]), ("etc/ocsgw.toml", 0))

    def test_given(self) -> None:
        """Both options have an effect, the file in its short form too."""
        options = Options()
        options.parseOptions(["-c", "other.toml", "--example"])
        self.assertEqual((options["config"], options["example"]), ("other.toml", 1))

    def test_wrong(self) -> None:
        """Exit status 64: a wrong command line, with what is wrong."""
        status, output, errors = self.exit_of("--fast")
        self.assertEqual((status, output), (64, ""))
        self.assertIn("--fast", errors)

    def test_version(self) -> None:
        """`--version` prints our version, not that of Twisted."""
        self.assertEqual(self.exit_of("--version"), (0, f"ocsgw {VERSION}\n", ""))

    def test_configuration(self) -> None:
        """Exit status 78: each problem of the configuration is printed, nothing is started."""
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        end = self.assertRaises(SystemExit, load_or_exit, "/does/not/exist.toml")
        self.assertEqual(end.code, 78)
        self.assertIn("/does/not/exist.toml", errors.getvalue())

    def test_log_target(self) -> None:
        """Exit status 78: a log that cannot be written is a mistake in the configuration, told with its key."""
        self.patch(signals, "hold", lambda: None)
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write('[application]\ndbid = 1\n[log]\ntarget = "/does/not/exist/log"\n')
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        options = Options()
        options.parseOptions(["--config", path])
        end = self.assertRaises(SystemExit, tap.make, options)
        self.assertEqual(end.code, 78)
        self.assertIn("/does/not/exist", errors.getvalue())


class FakeReactor:
    """Takes what is to be called; `running` as if it ran."""

    def __init__(self, *, running: bool = True) -> None:
        self.running = running
        self.stops = 0
        self.when_running: list[Callable[[], object]] = []

    def stop(self) -> None:
        if not self.running:
            raise ReactorNotRunning
        self.running = False
        self.stops += 1

    def callWhenRunning(self, function: Callable[[], object]) -> None:
        self.when_running.append(function)

    def callFromThread(self, function: Callable[[], object]) -> None:
        function()


class ProcessEndTests(SynchronousTestCase):
    """With which status the process ends."""

    def setUp(self) -> None:
        self.statuses: list[int] = []
        self.patch(os, "_exit", self.statuses.append)
        self.patch(signal, "signal", lambda *_: None)

    def test_first_reason(self) -> None:
        """Section 15: the first reason decides, however many follow."""
        reactor = FakeReactor()
        process = ProcessEnd(reactor)
        process.end(69)
        process.end(1)
        self.assertEqual((process.status, reactor.stops), (69, 1))
        process.exit_now()
        self.assertEqual(self.statuses, [69])

    def test_before_the_start(self) -> None:
        """A reason that comes before the reactor runs is kept for then."""
        process = ProcessEnd(FakeReactor(running=False))
        process.end(69)
        self.assertEqual(process.status, 69)

    def test_no_reason(self) -> None:
        """Without a reason the process ends as whoever runs it wants."""
        ProcessEnd(FakeReactor()).exit_now()
        self.assertEqual(self.statuses, [])


class FakeService:
    """Counts what it is reported."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def reload_on_signal(self) -> None:
        self.told.append("reload")

    def reopen_log(self) -> None:
        self.told.append("reopen")

    def hurry(self) -> None:
        self.told.append("hurry")


class SignalTests(SynchronousTestCase):
    """Section 14 and 15: what the signals do."""

    def setUp(self) -> None:
        self.handlers: dict[int, Callable[..., object]] = {}
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.reactor = FakeReactor()
        self.service = FakeService()
        process = ProcessEnd(self.reactor)
        install_signals(self.reactor, self.service, process)  # type: ignore[arg-type]  # all that is used of a service

    def send(self, number: int) -> None:
        self.handlers[number](number, None)

    def test_at_once(self) -> None:
        """SIGHUP reloads and SIGUSR1 reopens the log from the first moment; without a handler they would kill."""
        self.send(signal.SIGHUP)
        self.send(signal.SIGUSR1)
        self.assertEqual(self.service.told, ["reload", "reopen"])

    def test_stop(self) -> None:
        """Exit status 0: SIGTERM and SIGINT stop the reactor, whoever has handled them before."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                self.setUp()
                self.handlers.clear()
                for function in self.reactor.when_running:
                    function()
                self.send(number)
                self.assertEqual((self.reactor.stops, self.service.told), (1, []))

    def test_impatience(self) -> None:
        """A second signal stops at once, whichever of both it is; a third one changes nothing, and none is an error."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGINT)
        self.send(signal.SIGTERM)
        self.assertEqual((self.reactor.stops, self.service.told), (1, ["hurry"]))

    def test_before_the_server(self) -> None:
        """What comes before the server can act is kept, once; an end is quiet; blocked signals are let through."""
        statuses: list[int] = []
        masks: list[tuple[int, set[int]]] = []
        self.patch(os, "_exit", statuses.append)
        self.patch(signal, "pthread_sigmask", lambda how, numbers: masks.append((how, set(numbers))))
        self.addCleanup(signals.forget)
        signals.hold()
        self.assertEqual([how for how, _ in masks], [signal.SIG_UNBLOCK])
        self.assertLessEqual({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}, masks[0][1])
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
            self.send(number)
        self.assertEqual((statuses, self.service.told), ([0], []))
        install_signals(self.reactor, self.service, ProcessEnd(self.reactor))  # type: ignore[arg-type]  # as above
        self.assertEqual(self.service.told, ["reload"])

    def test_at_the_end(self) -> None:
        """Nothing disturbs the last moments of the process."""
        signals.ignore()
        self.assertEqual(set(self.handlers.values()), {signal.SIG_IGN})


class TwistdTests(SynchronousTestCase):
    """What the options of twistd mean."""

    def test_without_twistd(self) -> None:
        """`ocsgw run` has none of them."""
        twistd = Twistd(None)
        self.assertEqual(
            (twistd.log_target("stdout"), twistd.warnings("stdout"), twistd.absolute("a")), ("stdout", [], "a")
        )

    def test_logfile(self) -> None:
        """`--logfile` counts before the configuration, from the folder of `--rundir`; `-` is standard output."""
        self.assertEqual(Twistd({"logfile": "/var/log/x", "nodaemon": 1}).log_target("stdout"), "/var/log/x")
        self.assertEqual(Twistd({"logfile": "x", "rundir": "/run"}).log_target("stdout"), "/run/x")
        self.assertEqual(Twistd({"logfile": "-", "nodaemon": 1}).log_target("/var/log/x"), "stdout")
        self.assertEqual(Twistd({"logfile": None}).log_target("/var/log/x"), "/var/log/x")

    def test_warnings(self) -> None:
        """A log that nobody would see, and options that do nothing, are reported."""
        self.assertIn("twistd -n", Twistd({}).warnings("stdout")[0])
        self.assertEqual(Twistd({}).warnings("/var/log/x"), [])
        self.assertEqual(Twistd({"nodaemon": 1}).warnings("stdout"), [])
        self.assertIn("--syslog", Twistd({"nodaemon": 1, "syslog": 1}).warnings("stdout")[0])

    def test_folder_of_a_daemon(self) -> None:
        """A daemon changes its folder; the path of its configuration still holds for a reload."""
        self.assertEqual(Twistd({}).absolute("etc/x"), os.path.abspath("etc/x"))
