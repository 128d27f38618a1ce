"""A sandbox as a service: OCS with a virtual clock in a folder of its own, behind a door."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

from ocsgw.clock import WallClock
from ocsgw.config import Config, load
from ocsgw.logs import LogFile
from ocsgw.ocs.compose import make_service
from ocsgw.ocs.http_proxy import HttpProxy
from ocsgw.sandbox.clock import VirtualClock
from ocsgw.sandbox.defaults import CONFIG
from ocsgw.sandbox.door import Door
from ocsgw.sandbox.examples import add_examples
from ocsgw.sandbox.faults import Faults
from ocsgw.sandbox.orders import OrderError, Orders
from ocsgw.sandbox.traffic import Traffic

STORE = "sandbox.sqlite"
# How often it is looked for a new HTTP Proxy, and after how many seconds.
_LOOKS, _LOOK = 1000, 0.02


def configuration_in(folder: Path, path: Path | None, port_behind: int = 0) -> Config:
    """Return the configuration of a sandbox in `folder`: that of a file, or a default, with places of its own.

    The first HTTP listener of the file is served, on a free port of this machine and without TLS; keys and everything
    else are as the file says. Raises `ConfigurationError`.
    """
    if path is None:
        path = folder / "ocsgw.toml"
        path.write_text(CONFIG, encoding="utf-8")
    config = load(path)
    replace = msgspec.structs.replace
    listener = next(each for each in config.listeners if each.protocol == "http")
    file = str(folder / STORE)
    return replace(
        config,
        application=replace(config.application, state_dir=str(folder)),
        listeners=(
            replace(
                listener,
                interface="127.0.0.1",
                port=port_behind,
                public_host="127.0.0.1",
                public_scheme="http",
                public_port=None,
                tls=None,
                sni_certificates=(),
                workers=1,
            ),
        ),
        store=replace(config.store, url=f"sqlite:///{file}", kind="sqlite", file=file, create=True),
        log=replace(config.log, target="stdout"),
    )


class Sandbox(MultiService):
    """A server for tests.

    `ready` is called once with its URL, `end` with an exit status when it cannot go on; `port` is that of the door.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        log_file: LogFile,
        end: Callable[[int], None],
        ready: Callable[[str], None],
        wall_clock: WallClock,
        port: int = 0,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._ready = ready
        self._wanted_port = port
        self._clock = VirtualClock(wall_clock)
        self._faults = Faults()
        self._traffic = Traffic()
        self._store_file = Path(config.store.file or "")
        self._template = self._store_file.with_suffix(".empty")
        self._port: Any = None
        # The process id of an HTTP Proxy that was killed; it takes a moment until its supervisor knows.
        self._killed: int | None = None
        self.ocs = make_service(
            config, reactor, log_file, end, wall_clock=self._clock, say_example=lambda _: self._serves()
        )
        self.ocs.setServiceParent(self)

    # Life.

    def startService(self) -> None:
        """Open the door, then start the server behind it."""
        root = Resource()
        root.putChild(b"_sandbox", Orders(self, self._clock, self._faults, self._traffic))
        site = _DoorSite(root, Door(self._reactor, self, self._clock, self._faults, self._traffic))
        self._port = self._reactor.listenTCP(self._wanted_port, site, interface="127.0.0.1")
        super().startService()

    @inlineCallbacks
    def stopService(self) -> Any:
        """Close the door and end the server."""
        if self._port is not None:
            yield self._port.stopListening()
        yield super().stopService()

    @property
    def url(self) -> str:
        """Where tests find it."""
        return f"http://127.0.0.1:{self._port.getHost().port}"

    def _serves(self) -> None:
        if not self._template.exists():
            with closing(sqlite3.connect(self._store_file)) as live, closing(sqlite3.connect(self._template)) as copy:
                live.backup(copy)
            self._ready(self.url)

    # What the door and orders ask for.

    def _proxy(self) -> HttpProxy | None:
        proxies = [proxy for listener in self.ocs.listeners() for proxy in listener.proxies]
        return next(
            (each for each in proxies if each.supervisor.state == "running" and each.supervisor.pid != self._killed),
            None,
        )

    def address(self) -> tuple[str, int] | None:
        """Return host and port of the HTTP Proxy, None while there is none."""
        proxy = self._proxy()
        return ("127.0.0.1", proxy.supervisor.port) if proxy is not None else None

    def crash_proxy(self) -> None:
        """Kill the HTTP Proxy; another one follows after the Reconnect Timeout."""
        proxy = self._proxy()
        if proxy is None or proxy.supervisor.pid is None:
            raise OrderError("there is no HTTP Proxy at the moment")
        self._killed = proxy.supervisor.pid
        os.kill(self._killed, signal.SIGKILL)

    def catch_up(self) -> "Deferred[None]":
        """Do what the time has brought about."""
        return self.ocs.housekeeping.catch_up()

    @inlineCallbacks
    def reset(self) -> Any:
        """Begin with the store as it was at the start, and with an HTTP Proxy that serves."""
        yield self.served()
        yield self.ocs.committer().drained()
        with (
            closing(sqlite3.connect(self._template)) as empty,
            closing(sqlite3.connect(self._store_file, timeout=5)) as live,
        ):
            empty.backup(live)

    def add_examples(self, records: int) -> "Deferred[int]":
        """Add records to the first calling list; fires with how many there are more."""
        return add_examples(self.ocs.committer(), records)

    @inlineCallbacks
    def served(self) -> Any:
        """Wait until there is an HTTP Proxy. Raises `OrderError`."""
        for _ in range(_LOOKS):
            if self.address() is not None:
                return
            yield deferLater(self._reactor, _LOOK)
        raise OrderError("there is no HTTP Proxy; the messages of the sandbox say why")

    def describe(self) -> dict[str, Any]:
        """Return where it can be reached, and its process ids."""
        address = self.address()
        proxy = self._proxy()
        return {
            "url": self.url,
            "direct": f"http://{address[0]}:{address[1]}" if address is not None else None,
            "pid": os.getpid(),
            "proxy_pid": proxy.supervisor.pid if proxy is not None else None,
            "time": self._clock(),
        }


class _DoorSite(Site):
    """Brings the orders of tests to their resource, and everything else to the door."""

    noisy = False

    def __init__(self, root: Resource, door: Door) -> None:
        # Bodies of forms are the business of the server behind.
        super().__init__(root, parsePOSTFormSubmission=False)
        self.displayTracebacks = False
        self._door = door

    def getResourceFor(self, request: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the resource of a request."""
        if request.prepath or not request.postpath or request.postpath[0] != b"_sandbox":
            request.site = self
            return self._door
        return super().getResourceFor(request)

    def startFactory(self) -> None:
        """Open no access log."""

    def stopFactory(self) -> None:
        """There is nothing to close."""
