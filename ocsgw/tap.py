"""`twistd ocsgw`: options, and the service made of a configuration file."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.python import usage

from ocsgw import signals
from ocsgw.clock import use_monotonic_time
from ocsgw.config import Check, Config, ConfigurationError, Rule, load
from ocsgw.logs import STDOUT, LogFile
from ocsgw.ocs.checks import CHECKS, RULES
from ocsgw.ocs.compose import make_service
from ocsgw.ocs.service import OCSService
from ocsgw.resources import raise_descriptor_limit, settle_memory
from ocsgw.systemd import ServiceManager, is_journal
from ocsgw.version import VERSION

DEFAULT_CONFIG = "etc/ocsgw.toml"
EXIT_USAGE = 64
EXIT_CONFIGURATION = 78

# A worker that computes must not hold the reactor up for long, nor the reactor the worker: both threads are often
# busy at once, and the interpreter's own interval of 5 ms would be the time of each hand-over.
_SWITCH_INTERVAL = 0.0002


class Options(usage.Options):
    """Options of `twistd ocsgw` and of `ocsgw run`."""

    synopsis = "[options]"
    longdesc = "Runs the Outbound Contact Server with its HTTP Proxy. See ocsgw(8)."
    optParameters = [["config", "c", DEFAULT_CONFIG, "The configuration file."]]  # noqa: RUF012 - as Twisted wants it
    optFlags = [["example", None, "Print a command that tries the server out once it serves."]]  # noqa: RUF012

    def opt_version(self) -> None:
        """Print the version of ocsgw and exit."""
        sys.stdout.write(f"ocsgw {VERSION}\n")
        sys.exit(0)

    def parseOptions(self, options: Any = None) -> None:
        """Parse; a wrong command line ends with status 64."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            sys.stderr.write(f"ocsgw: {error}; see --help\n")
            sys.exit(EXIT_USAGE)


class ProcessEnd:
    """How the process ends: the exit status, once something has decided it, and a stop that may be asked for twice."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._stops = 0
        self.status: int | None = None

    def end(self, status: int) -> None:
        """Stop the reactor and exit with `status`."""
        if self.status is None:
            self.status = status
        self._stop_reactor()

    def stop(self, hurry: Callable[[], object]) -> None:
        """Stop as a signal asks for; at the second time call `hurry`, and nothing more after that."""
        self._stops += 1
        if self._stops == 1:
            self._stop_reactor()
        elif self._stops == 2:
            hurry()

    def _stop_reactor(self) -> None:
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            # It has been stopped, or is about to start and will see the status then.
            return

    def exit_now(self) -> None:
        """Leave with the status, whatever the program that runs us would return."""
        signals.ignore()
        if self.status is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.status)


def load_or_exit(path: str, checks: Sequence[Check] = (), rules: Sequence[Rule] = ()) -> Config:
    """Return the configuration; print every problem and exit with status 78 if there is one.

    `checks` and `rules` are further ones, beside those of every start.
    """
    try:
        return load(path, (*CHECKS, *checks), (*RULES, *rules))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CONFIGURATION)


def install_signals(reactor: Any, service: OCSService, process: ProcessEnd) -> None:
    """SIGHUP reloads, SIGUSR1 reopens the log, SIGTERM and SIGINT stop; a second one of these stops at once."""

    def on(number: int, action: Callable[[], object]) -> None:
        signals.handle(number, lambda: reactor.callFromThread(action))

    def on_ends() -> None:
        for number in signals.ENDS:
            on(number, lambda: process.stop(service.hurry))

    on(signal.SIGHUP, service.reload_on_signal)
    on(signal.SIGUSR1, service.reopen_log)
    on_ends()
    # The reactor installs handlers of its own when it starts.
    reactor.callWhenRunning(on_ends)
    reactor.callWhenRunning(settle_memory)


def make(options: Options) -> tuple[OCSService, ProcessEnd]:
    """Return the service of a configuration file, and how the process will end."""
    from twisted.internet import reactor

    signals.hold()
    use_monotonic_time(reactor)
    twistd = Twistd(options.parent)
    config = load_or_exit(twistd.absolute(options["config"]))
    target = twistd.log_target(config.log.target)
    try:
        log_file = LogFile(
            target, config.log.format, config.log.level, config.application.name, journal=is_journal(STDOUT, os.environ)
        )
    except OSError as error:
        key = "--logfile" if target != config.log.target else f"{config.path}: [log] target"
        sys.stderr.write(f"{key}: {target} cannot be written: {error.strerror}\n")
        sys.exit(EXIT_CONFIGURATION)
    for warning in twistd.warnings(target):
        sys.stderr.write(f"ocsgw: {warning}\n")
    sys.setswitchinterval(_SWITCH_INTERVAL)
    raise_descriptor_limit()
    process = ProcessEnd(reactor)
    say_example = _print_example if options["example"] else None
    manager = ServiceManager(os.environ, os.getpid())
    service = make_service(config, reactor, log_file, process.end, manager=manager, say_example=say_example)
    install_signals(reactor, service, process)
    return service, process


def _print_example(command: str) -> None:
    """Tell whoever has just started OCS by hand what it runs on, and how to try it out."""
    from ocsgw.interpreter import description

    print(f"Runs on {description()}.\nTry: {command}", flush=True)  # noqa: T201


def makeService(options: Options) -> OCSService:
    """Return the service for twistd."""
    service, process = make(options)
    atexit.register(process.exit_now)
    return service


class Twistd:
    """What the options of twistd, `given` if it is twistd that runs us, mean for OCS."""

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        self._given = given if given is not None else {}
        self._is_daemon = given is not None and not (given.get("nodaemon") or given.get("debug"))

    def absolute(self, path: str) -> str:
        """Return a path that holds after the change of folder that a daemon makes."""
        return os.path.abspath(path) if self._is_daemon else path

    def log_target(self, configured: str) -> str:
        """Return where the log goes: `--logfile` of twistd counts before `[log] target`."""
        logfile = self._given.get("logfile")
        if logfile is None:
            return configured
        return "stdout" if logfile == "-" else os.path.abspath(os.path.join(self._given.get("rundir") or ".", logfile))

    def warnings(self, target: str) -> list[str]:
        """Return what twistd will not do, or what nobody will see."""
        found = []
        if self._is_daemon and target == "stdout":
            found.append(
                "warning: without -n, twistd closes standard output, and nobody will see the log: use twistd -n, "
                "--logfile, or a file as [log] target"
            )
        found += [
            f"warning: --{name} of twistd has no effect; the log goes to {target}"
            for name in ("syslog", "logger")
            if self._given.get(name)
        ]
        return found
