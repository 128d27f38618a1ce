"""`twistd ocsgw`: options, and the service made of a configuration file."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.python import usage

from ocsgw.clock import use_monotonic_time
from ocsgw.config import Check, Config, ConfigurationError, Rule, load
from ocsgw.logs import STDOUT, LogFile
from ocsgw.ocs.checks import CHECKS, RULES
from ocsgw.ocs.compose import make_service
from ocsgw.ocs.service import OCSService
from ocsgw.resources import raise_descriptor_limit
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


class Ending:
    """The exit status of the process, once something has decided it."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.status: int | None = None

    def end(self, status: int) -> None:
        """Stop the reactor and exit with `status`."""
        if self.status is None:
            self.status = status
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            # It has been stopped, or is about to start and will see the status then.
            return

    def exit_now(self) -> None:
        """Leave with the status, whatever the program that runs us would return."""
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


def install_signals(reactor: Any, service: OCSService) -> None:
    """SIGHUP reloads and SIGUSR1 reopens the log, at once; SIGTERM and SIGINT end with 0 once the reactor runs."""

    def on(number: int, action: Callable[[], object]) -> None:
        signal.signal(number, lambda *_: reactor.callFromThread(action))

    def when_running() -> None:
        on(signal.SIGTERM, reactor.stop)
        on(signal.SIGINT, reactor.stop)

    on(signal.SIGHUP, service.reload_on_signal)
    on(signal.SIGUSR1, service.reopen_log)
    reactor.callWhenRunning(when_running)


def make(options: Options) -> tuple[OCSService, Ending]:
    """Return the service of a configuration file, and how it will end."""
    from twisted.internet import reactor

    use_monotonic_time(reactor)
    config = load_or_exit(options["config"])
    try:
        log_file = LogFile(
            config.log.target,
            config.log.format,
            config.log.level,
            config.application.name,
            journal=is_journal(STDOUT, os.environ),
        )
    except OSError as error:
        sys.stderr.write(f"{config.path}: [log] target: {config.log.target} cannot be written: {error.strerror}\n")
        sys.exit(EXIT_CONFIGURATION)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    raise_descriptor_limit()
    ending = Ending(reactor)
    say_example = (lambda line: print(f"Try: {line}", flush=True)) if options["example"] else None  # noqa: T201
    manager = ServiceManager(os.environ, os.getpid())
    service = make_service(config, reactor, log_file, ending.end, manager=manager, say_example=say_example)
    install_signals(reactor, service)
    return service, ending


def makeService(options: Options) -> OCSService:
    """Return the service for twistd."""
    service, ending = make(options)
    atexit.register(ending.exit_now)
    return service
