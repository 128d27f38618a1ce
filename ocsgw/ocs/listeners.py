"""One HTTP listener with the proxy that serves it, and what a reload does to them (R31 to R34, section 14)."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from ocsgw.config import Config, Listener
from ocsgw.logs import Level, LogFile
from ocsgw.ocs.child import Child, ChildOwner, ProxyChild
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.port_holder import holder_of
from ocsgw.ocs.settings import identity_of, settings_of, times_of
from ocsgw.ocs.supervisor import Supervisor, Times
from ocsgw.ocs.trace import head_of, is_traced, pairs_of
from ocsgw.protocol.messages import Message, Settings

# A link that is silent for so many heartbeats is dead, whatever else is believed of it: two of them are enough to lose
# it (P88).
_SILENT_INTERVALS = 3


class Office(Protocol):
    """What all listeners share; the configuration is the one in force."""

    config: Config
    reactor: Any
    dispatcher: Dispatcher
    log_file: LogFile

    def next_session(self) -> int:
        """Return a number for a new link."""

    def proxy_ready(self, url: str) -> None:
        """A proxy serves."""


class HttpListener:
    """A configured HTTP listener: `wanted` is how it is configured now, `in_use` how its running proxy knows it."""

    def __init__(self, office: Office, listener: Listener) -> None:
        self._office = office
        self.wanted = listener
        self.in_use = listener
        self.supervisor = Supervisor(listener.id, self, office.reactor)
        self._child: ProxyChild | None = None

    def reconfigure(self, listener: Listener) -> bool:
        """Take a changed listener; return whether something of it waits for the next proxy (C61, C66)."""
        self.wanted = listener
        self.supervisor.use(self.settings())
        running = self.in_use
        return (listener.id, listener.interface, listener.port) != (running.id, running.interface, running.port)

    def settings(self) -> Settings:
        """Return the settings for the proxy that runs, or is about to."""
        return settings_of(self._office.config, self.wanted, self.in_use)

    # What the service manager is told.

    def is_settled(self) -> bool:
        """Whether its first proxy serves, or has failed to."""
        return self.supervisor.state not in {"stopped", "starting"}

    def answers(self) -> bool:
        """Whether a proxy that runs has given a sign of life of late."""
        if self.supervisor.state != "running" or self._child is None:
            return True
        return self._child.silence() < _SILENT_INTERVALS * self._office.config.limits.heartbeat

    def summary(self) -> str:
        """Return scheme, port and state, for people."""
        running = self.supervisor.state == "running"
        scheme = "HTTPS" if self.in_use.tls is not None else "HTTP"
        return f"{scheme} :{self.supervisor.port if running else self.in_use.port} {self.supervisor.state}"

    # What the supervisor needs.

    def times(self) -> Times:
        """Return the times in force."""
        return times_of(self._office.config)

    def start_child(self, owner: ChildOwner) -> Child:
        """Start a process with the listener as it is configured now (C62)."""
        self.in_use = self.wanted
        office = self._office
        child = self._child = ProxyChild(
            office.reactor,
            owner,
            office.dispatcher,
            identity_of(office.config),
            office.next_session(),
            self.settings,
            self.base_uri,
            self.trace,
        )
        child.start()
        return child

    def url(self, port: int) -> str:
        """Return where the proxy can be reached, for people."""
        scheme = "https" if self.in_use.tls is not None else "http"
        interface = self.in_use.interface
        return f"{scheme}://{f'[{interface}]' if ':' in interface else interface}:{port}"

    def base_uri(self, port: int) -> str:
        """Return what `GSW_RECORD_URI` begins with; the port is always printed (H65, H68)."""
        listener = self.wanted
        return f"{listener.public_scheme}://{listener.public_host}:{listener.public_port or port}"

    def why_no_port(self) -> str:
        """Return who holds the port and what to do (R24)."""
        return (
            f"{holder_of(self.in_use.port)}; stop that program, or change the port of [[listener]] "
            f"{self.in_use.id} in {self._office.config.path}"
        )

    def write_log(self, when: float | None, level: Level, number: int, text: str) -> None:
        """Write a line of the proxy into the one log."""
        self._office.log_file.write(when if when is not None else time.time(), level, number, text)

    def trace(self, message: Message, received: bool) -> None:
        """Write a message on the link into the log, if that is wanted (K62)."""
        log = self._office.config.log
        if log.http_trace and is_traced(message):
            self._office.log_file.write_pairs(
                time.time(),
                "debug",
                head_of(message, f"{self.in_use.id} {self.supervisor.pid or 0}", received=received),
                pairs_of(message, clear=log.contacts == "clear"),
            )

    def became_ready(self, port: int) -> None:
        """The proxy serves."""
        self._office.proxy_ready(self.url(port))


def match_listeners(
    current: list[HttpListener], wanted: list[Listener]
) -> tuple[list[tuple[HttpListener, Listener]], list[HttpListener], list[Listener]]:
    """Return which listeners stay, which are removed, and which are new.

    They are the same by their id; where only the id changed, by interface and port (C65).
    """
    stay: list[tuple[HttpListener, Listener]] = []
    left = list(wanted)
    rules: tuple[Callable[[Listener], object], ...] = (lambda each: each.id, lambda each: (each.interface, each.port))
    remaining = list(current)
    for rule in rules:
        for running in list(remaining):
            same = next((each for each in left if rule(each) == rule(running.wanted)), None)
            if same is not None:
                stay.append((running, same))
                remaining.remove(running)
                left.remove(same)
    return stay, remaining, left
