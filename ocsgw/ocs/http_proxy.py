"""One HTTP Proxy of a listener, with its supervisor: how it is started, how it takes the place of another one."""

import os
import time
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks

from ocsgw.config import Config, Listener
from ocsgw.logs import Level, LogFile
from ocsgw.ocs.access_log import AccessLog
from ocsgw.ocs.bell import Bell
from ocsgw.ocs.child import INHERITED_PORT, Child, ChildOwner, PortNotHandedError, ProxyChild
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.settings import identity_of, settings_of, times_of
from ocsgw.ocs.supervisor import Supervisor, Times
from ocsgw.ocs.trace import head_of, is_traced, pairs_of
from ocsgw.protocol.messages import AccessLines, Message, Settings

# A link that is silent for so many heartbeats is dead, whatever else is believed of it: two of them are enough to lose
# it (P88).
_SILENT_INTERVALS = 3


class ProxyContext(Protocol):
    """What all listeners share; the configuration is the one in force."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def reactor(self) -> Any:
        """IReactorTime, IReactorProcess and IReactorSocket."""

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries requests out."""

    @property
    def bell(self) -> Bell:
        """What tells proxies that the outbox has grown."""

    @property
    def log_file(self) -> LogFile:
        """The one log."""

    @property
    def access_log(self) -> AccessLog:
        """The access log, whether there is one or not."""

    def next_session(self) -> int:
        """Return a number for a new link."""

    def proxy_ready(self, url: str) -> None:
        """A proxy serves."""


class ServedListener(Protocol):
    """The listener that a proxy serves; `wanted` is how it is configured now."""

    wanted: Listener


class RenewalError(Exception):
    """A proxy could not be replaced; the old one goes on. The text says why."""


class HttpProxy:
    """One proxy of a listener.

    `number` counts the proxies of the listener from 1. `in_use` is the listener as the running process knows it.
    `starts` is how many processes have been started in this place, those of its predecessors included. `overlaps` while
    another proxy has the same port for a moment.
    """

    def __init__(self, context: ProxyContext, site: ServedListener, number: int, starts: int = 0) -> None:
        self._context = context
        self._site = site
        self.number = number
        self.starts = starts
        self.in_use = site.wanted
        self.supervisor = Supervisor(self.name, self, context.reactor)
        # The listening socket of the predecessor, until the first process has it.
        self._inherited: int | None = None
        self.overlaps = False
        self._serves: Deferred[None] | None = None
        # Counts the settings; those that a process gets are never older than those of the last one.
        self._generation = 1
        self._child: ProxyChild | None = None

    @property
    def name(self) -> str:
        """The id of the listener, with a number where it has several proxies."""
        listener = self.in_use
        return listener.id if listener.workers == 1 else f"{listener.id}/{self.number}"

    def is_outdated(self) -> bool:
        """Whether something is configured that only the next process will use (C61)."""
        wanted, running = self._site.wanted, self.in_use
        return (wanted.id, wanted.interface, wanted.port) != (running.id, running.interface, running.port)

    def update(self) -> None:
        """Let the process have the settings in force, whatever it is doing (P100)."""
        self._generation += 1
        self.supervisor.update()

    def answers(self) -> bool:
        """Whether the process, if it runs, has given a sign of life of late."""
        if self.supervisor.state != "running" or self._child is None:
            return True
        return self._child.silence() < _SILENT_INTERVALS * self._context.config.limits.heartbeat

    @property
    def in_flight(self) -> int:
        """How many requests of the process have no answer yet."""
        return self._child.in_flight if self._child is not None and self.supervisor.pid is not None else 0

    @property
    def window(self) -> int:
        """How many requests the link of the process takes at once; the proxy refuses what is beyond that."""
        return self._context.config.limits.in_flight

    def caller(self) -> ProxyChild | None:
        """Return the process, if it can make outgoing calls."""
        return self._child if self.supervisor.state == "running" else None

    def stop(self, reason: str | None = None) -> "Deferred[None]":
        """End the process; fires when it is gone."""
        self._settle(RenewalError("the server is stopping, or the listener was removed"))
        return self.supervisor.stop(reason)

    @inlineCallbacks
    def take_over(self, predecessor: "HttpProxy") -> Any:
        """Start and wait until the port is open; then the predecessor may leave (R33).

        Where the port stays the same, the listening socket itself goes from one to the other, so that no connection is
        lost. Fails with `RenewalError`.
        """
        wanted, before = self._site.wanted, predecessor.in_use
        serves = self._serves = Deferred()
        try:
            if wanted.interface == before.interface and wanted.port in (before.port, predecessor.supervisor.port):
                self._inherited = yield predecessor.supervisor.take_port()
            elif predecessor.supervisor.state != "running":
                raise RenewalError(f"the HTTP Proxy of listener {self.name} is {predecessor.supervisor.state}")
            elif wanted.port == predecessor.supervisor.port:
                # Of another interface, but nobody gets a port that is not shared.
                self.overlaps = predecessor.overlaps = True
                predecessor.update()
            # Unless a stop came meanwhile.
            if self._serves is not None:
                self.supervisor.start()
            yield serves
        except (PortNotHandedError, RenewalError) as error:
            # It may have failed too, if a stop came between.
            serves.addErrback(lambda _: None)
            self._serves = None
            self._forget_inherited()
            raise RenewalError(f"{error}; the running HTTP Proxy goes on") from error
        finally:
            if self.overlaps:
                self.overlaps = predecessor.overlaps = False
                predecessor.update()
                self.update()

    # What the supervisor needs.

    def times(self) -> Times:
        """Return the times in force."""
        return times_of(self._context.config)

    def start_child(self, owner: ChildOwner) -> Child:
        """Start a process with the listener as it is configured now (C62)."""
        self.in_use = self._site.wanted
        self.starts += 1
        inherited, self._inherited = self._inherited, None
        descriptor = INHERITED_PORT if inherited is not None else None
        context = self._context
        child = self._child = ProxyChild(
            context.reactor,
            owner,
            context.dispatcher,
            context.bell,
            identity_of(context.config),
            context.next_session(),
            lambda: self._settings(descriptor),
            self.base_uri,
            lambda: self.trace if context.config.log.http_trace else None,
            name=self.name,
            descriptor=inherited,
        )
        try:
            child.start()
        finally:
            if inherited is not None:
                # Only children have the port (R13).
                os.close(inherited)
        return child

    def url(self, port: int) -> str:
        """Return where the proxy can be reached, for people."""
        scheme = "https" if self.in_use.tls is not None else "http"
        interface = self.in_use.interface
        return f"{scheme}://{f'[{interface}]' if ':' in interface else interface}:{port}"

    def base_uri(self, port: int) -> str:
        """Return what `GSW_RECORD_URI` begins with; the port is always printed (H65, H68)."""
        listener = self._site.wanted
        return f"{listener.public_scheme}://{listener.public_host}:{listener.public_port or port}"

    def where_configured(self) -> str:
        """Return where the port is configured, for people."""
        return f"[[listener]] {self.in_use.id} in {self._context.config.path}"

    def write_log(self, when: float | None, level: Level, number: int, text: str) -> None:
        """Write a line of the proxy into the one log."""
        self._context.log_file.write(when if when is not None else time.time(), level, number, text)

    def write_access(self, message: AccessLines) -> None:
        """Write lines of the proxy into the access log."""
        self._context.access_log.write(self.name, message)

    def trace(self, message: Message, received: bool) -> None:
        """Write a message on the link into the log, if that is wanted (K62)."""
        log = self._context.config.log
        if is_traced(message):
            self._context.log_file.write_pairs(
                time.time(),
                "debug",
                head_of(message, f"{self.name} {self.supervisor.pid or 0}", received=received),
                pairs_of(message, clear=log.contacts == "clear"),
            )

    def became_ready(self, port: int) -> None:
        """The proxy serves."""
        self._context.proxy_ready(self.url(port))
        self._settle(None)

    def ended(self, reason: str) -> None:
        """The process has ended unexpectedly."""
        self._settle(RenewalError(f"the new HTTP Proxy of listener {self.name} has ended: {reason}"))

    def _settle(self, failure: RenewalError | None) -> None:
        """Notify everything that waits for the port to be open."""
        serves, self._serves = self._serves, None
        if serves is not None and failure is None:
            serves.callback(None)
        elif serves is not None:
            serves.errback(failure)

    def _forget_inherited(self) -> None:
        if self._inherited is not None:
            os.close(self._inherited)
            self._inherited = None

    def _settings(self, descriptor: int | None) -> Settings:
        settings = settings_of(self._context.config, self._site.wanted, self.in_use, descriptor, shared=self.overlaps)
        settings.generation = self._generation
        return settings
