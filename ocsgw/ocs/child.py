"""One HTTP Proxy process, from spawn to exit, with its link (architecture section 1)."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

import ocsgw
from ocsgw import speedups
from ocsgw.link.counted import CounterTotals
from ocsgw.logs import Level, say
from ocsgw.ocs.bell import Bell
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.link import Identity, OcsEnd, Trace
from ocsgw.ocs.outgoing import Orders
from ocsgw.protocol.messages import (
    KV,
    AccessLines,
    Bye,
    Drain,
    Hello,
    Log,
    News,
    Port,
    Purpose,
    Settings,
    Stats,
    Verdict,
)
from ocsgw.protocol.requests import ClientKind
from ocsgw.protocol.sendable import UnsendableError

_ONLY_PROXIES: frozenset[ClientKind] = frozenset({"http_proxy"})
_LINK = 3
# Where a child finds the listening socket of the one that it replaces.
INHERITED_PORT = 4
# A child that runs hands its socket over at once; in seconds.
_HAND_OVER_TIMEOUT = 5.0
_MAX_OUTPUT_LINE = 4096
# Of our own environment the child gets what makes Python and time zones work, nothing that could be a secret.
_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "PYTHONTZPATH",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    speedups.SWITCH,
)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: by an exit status or by a signal; neither if it could not be started."""

    status: int | None = None
    signal: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal}"
        return f"status {self.status}" if self.status is not None else self.reason


class PortNotHandedError(Exception):
    """A child does not hand its listening socket over."""


class ChildOwner(Protocol):
    """What is called with what a child does."""

    def child_ready(self, port: int, interface: str) -> None:
        """Its port is open."""

    def child_log(self, message: Log) -> None:
        """It has lines for the log."""

    def child_access(self, message: AccessLines) -> None:
        """It has lines for the access log."""

    def child_output(self, level: Level, text: str) -> None:
        """It has written a line to standard output or error (P124)."""

    def child_frozen(self) -> None:
        """It does not answer; its link has been cut."""

    def child_link_lost(self, reason: str) -> None:
        """Its link is gone."""

    def child_exited(self, ending: Exit) -> None:
        """The process has ended."""


class Child(Protocol):
    """A started child, as the supervisor handles it."""

    pid: int
    last_words: Bye | None

    def update(self) -> None:
        """Send the settings in force, if it does not have them."""

    def drain(self, timeout: float, reason: str | None = None) -> None:
        """Ask it to end its work within `timeout` seconds and leave."""

    def take_port(self) -> "Deferred[int]":
        """Ask it for its listening socket; fires with the descriptor, fails with `PortNotHandedError`."""

    def close_link(self) -> None:
        """Cut the link; a child that lives leaves by itself then."""

    def signal(self, name: str) -> None:
        """Send the signal TERM or KILL, if it still runs."""


class ProxyChild(ProcessProtocol):
    """Starts the process, holds both ends of its link until it has its own, and reports what happens.

    `name` is that of the proxy in the log. `settings` and `trace` are asked at the beginning and after each reload.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        owner: ChildOwner,
        dispatcher: Dispatcher,
        bell: Bell,
        identity: Identity,
        session: int,
        settings: Callable[[], Settings],
        base_uri: Callable[[int], str],
        trace: Callable[[], Trace | None] = lambda: None,
        *,
        name: str = "default",
        descriptor: int | None = None,
    ) -> None:
        # IReactorTime, IReactorProcess and IReactorSocket.
        self._reactor = reactor
        self._owner = owner
        self._bell = bell
        self._settings = settings
        self._base_uri = base_uri
        self._trace = trace
        self._port = 0
        self._descriptor = descriptor
        self._port_taken: Deferred[int] | None = None
        self._link = OcsEnd(
            self,
            dispatcher,
            identity,
            reactor,
            accepts=_ONLY_PROXIES,
            session=session,
            peer=f"HTTP Proxy of listener {name}",
            trace=trace(),
        )
        self.session = session
        self._orders = Orders(reactor, self._link.send)
        self._process: Any = None
        self._outputs = {1: _Lines(), 2: _Lines()}
        self._exited = False
        self._greeted = False
        self._counters = CounterTotals()
        # Which settings it has.
        self._generation = 0
        self.pid = 0
        self.last_words: Bye | None = None

    def start(self) -> None:
        """Spawn the process with its link as descriptor 3. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        descriptors: dict[int, int | str] = {0: nothing, 1: "r", 2: "r", _LINK: theirs.fileno()}
        if self._descriptor is not None:
            descriptors[INHERITED_PORT] = self._descriptor
        try:
            # No path, uid or gid, so that Twisted takes posix_spawn: no copy of this process is made.
            self._process = self._reactor.spawnProcess(
                self,
                sys.executable,
                [sys.executable, "-P", "-u", "-m", "ocsgw.proxy"],
                env=child_environment(os.environ),
                childFDs=descriptors,
            )
            self.pid = self._process.pid
            ours.setblocking(False)  # noqa: FBT003 - its only parameter
            factory = Factory.forProtocol(lambda: self._link.protocol)
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        except BaseException:
            # Nobody would ever hear of it.
            self.signal("KILL")
            raise
        finally:
            os.close(nothing)
            ours.close()
            theirs.close()

    # What the supervisor orders.

    def update(self) -> None:
        """Send the settings in force, if it does not have them; before its hello it has none."""
        self._link.use_trace(self._trace())
        if self._greeted and not self._exited:
            self._link.use_base_uri(self._base_uri(self._port))
            settings = self._settings()
            if settings.generation != self._generation:
                self._send_settings(settings)

    def _send_settings(self, settings: Settings) -> None:
        try:
            self._link.send(settings)
        except UnsendableError as error:
            # A proxy that goes on with old keys would be worse than none.
            say(self._log, 93101, peer=self._link.peer, reason=str(error))
            self._link.end("settings", "the settings cannot be sent")
        else:
            self._generation = settings.generation

    def drain(self, timeout: float, reason: str | None = None) -> None:
        """Ask it to end its work within `timeout` seconds and leave."""
        self._link.send(Drain(timeout_ms=int(timeout * 1000), reason=reason))

    def take_port(self) -> "Deferred[int]":
        """Ask it for its listening socket; fires with the descriptor, fails with `PortNotHandedError`."""
        self._forget_port("asked again")
        taken = self._port_taken = Deferred()
        self._link.send(Port())
        late = self._reactor.callLater(_HAND_OVER_TIMEOUT, self._forget_port, "it does not answer")

        def settled(result: Any) -> Any:
            if late.active():
                late.cancel()
            return result

        return taken.addBoth(settled)

    def close_link(self) -> None:
        """Cut the link."""
        self._link.end("timeout")

    def signal(self, name: str) -> None:
        """Send the signal TERM or KILL, if it still runs."""
        if not self._exited and self._process is not None:
            try:
                self._process.signalProcess(name)
            except ProcessExitedAlready:
                return

    def order(self, purpose: Purpose, uri: str, data: KV, timeout: float) -> "Deferred[Verdict]":
        """Have it make an outgoing call; fires with the verdict and never fails."""
        return self._orders.order(purpose, uri, data, timeout)

    @property
    def in_flight(self) -> int:
        """How many of its requests have no answer yet."""
        return self._link.in_work

    def silence(self) -> float:
        """Return the seconds since it sent something."""
        return self._link.silence()

    # What the link reports.

    def greeted(self, hello: Hello) -> None:
        """Send the settings at once (P82)."""
        self._greeted = True
        self._send_settings(self._settings())

    def ready(self, port: int, interface: str) -> None:
        """Its port is open; nobody wants to know any more once the process has ended."""
        if self._exited:
            return
        self._port = port
        self._link.use_base_uri(self._base_uri(port))
        # It may have opened its port with settings that are no longer those in force.
        self.update()
        self._owner.child_ready(port, interface)

    def log_lines(self, message: Log) -> None:
        """It has lines for the log."""
        self._owner.child_log(message)

    def access_lines(self, message: AccessLines) -> None:
        """It has lines for the access log."""
        self._owner.child_access(message)

    def counted(self, stats: Stats) -> None:
        """Add what it has counted to the counters of this process."""
        if not self._exited:
            self._counters.add(stats)

    def verdict(self, verdict: Verdict) -> None:
        """It has made an outgoing call."""
        self._orders.take(verdict)

    def news_wanted(self) -> None:
        """It wants to be told when the outbox has grown."""
        self._bell.wait(self, lambda: self._link.send(News()))

    def port_handed(self, descriptor: int) -> None:
        """Its listening socket is here; whoever asked for it closes it."""
        taken, self._port_taken = self._port_taken, None
        if taken is None:
            os.close(descriptor)
        else:
            taken.callback(descriptor)

    def said_bye(self, bye: Bye) -> None:
        """Keep why it leaves; the exit says the rest."""
        self.last_words = bye

    def frozen(self) -> None:
        """It does not answer."""
        self._owner.child_frozen()

    def link_lost(self, reason: str) -> None:
        """The link is gone; after a bye or an exit that is as it should be."""
        self._forget_port(reason)
        self._bell.forget(self)
        self._orders.lost()
        if self.last_words is None and not self._exited:
            self._owner.child_link_lost(reason)

    def _forget_port(self, reason: str) -> None:
        taken, self._port_taken = self._port_taken, None
        if taken is not None:
            taken.errback(PortNotHandedError(f"process {self.pid} does not hand its port over: {reason}"))

    # What Twisted calls.

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take what it writes to standard output or error."""
        for line in self._outputs[childFD].feed(data):
            self._owner.child_output("warning", line)

    def processExited(self, reason: Failure) -> None:
        """The process has ended; a grandchild may still hold its pipes, which does not concern us."""
        self._exited = True
        self._counters.end()
        for lines in self._outputs.values():
            for line in lines.rest():
                self._owner.child_output("warning", line)
        value: Any = reason.value
        self._owner.child_exited(Exit(value.exitCode, value.signal))


class _Lines:
    """Cuts output into lines of at most 4 KiB (P124)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > _MAX_OUTPUT_LINE:
            lines.append(self._rest[:_MAX_OUTPUT_LINE])
            self._rest = self._rest[_MAX_OUTPUT_LINE:]
        return [self._text(line) for line in lines if line.strip()]

    def rest(self) -> list[str]:
        lines, self._rest = ([self._rest] if self._rest.strip() else []), b""
        return [self._text(line) for line in lines]

    @staticmethod
    def _text(line: bytes) -> str:
        return line[:_MAX_OUTPUT_LINE].decode("utf-8", errors="backslashreplace").rstrip("\r")


def child_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: explicit, and with the folder of this package on its path."""
    environment = {name: ours[name] for name in _INHERITED if name in ours}
    # With -P the child does not see the working directory; from a checkout the package is found this way only.
    environment["PYTHONPATH"] = os.path.dirname(os.path.dirname(os.path.abspath(ocsgw.__file__)))
    return environment
