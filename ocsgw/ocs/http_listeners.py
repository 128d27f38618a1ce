"""All HTTP listeners as one service: they are open while OCS is active."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger

from ocsgw.config import Config
from ocsgw.counters import OUTGOING_CALL_SECONDS, OUTGOING_CALLS
from ocsgw.execution.committer import Committer
from ocsgw.logs import LogFile, say
from ocsgw.ocs.access_log import AccessLog
from ocsgw.ocs.bell import Bell
from ocsgw.ocs.child import ProxyChild
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.listeners import HttpListener, match_listeners
from ocsgw.ocs.outgoing import untried
from ocsgw.ocs.settings import served_listeners
from ocsgw.ocs.store_service import StoreService
from ocsgw.protocol.messages import KV, Purpose, Verdict


class HttpListeners(Service):
    """An HTTP Proxy, or several, for each `http` listener (C31, C70).

    `changed` is called when there is news for whoever watches, `say_example` with a command that tries the server out,
    each time a proxy serves.
    """

    name = "listeners"
    _log = Logger()

    def __init__(
        self,
        context: OCSContext,
        store: StoreService,
        changed: Callable[[], None],
        say_example: Callable[[str], None] | None,
    ) -> None:
        self._context = context
        self._store = store
        self._changed = changed
        self._say_example = say_example
        self.bell = Bell(context.reactor)
        self._heard: Committer | None = None
        self._sessions = 0
        self._listeners: list[HttpListener] = []
        # Those that still end their work.
        self._removed: list[HttpListener] = []

    # What the listeners share.

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._context.config

    @property
    def reactor(self) -> Any:
        """The reactor."""
        return self._context.reactor

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries requests out."""
        return self._store.dispatcher

    @property
    def access_log(self) -> AccessLog:
        """The access log, whether there is one or not."""
        return self._context.access_log

    @property
    def log_file(self) -> LogFile:
        """The one log."""
        return self._context.log_file

    def next_session(self) -> int:
        """Return a number for a new link."""
        self._sessions += 1
        return self._sessions

    def proxy_ready(self, url: str) -> None:
        """Say so, and how to try the server out if somebody wants to know."""
        self._changed()
        example = next((each for each in self._context.directory.calling_lists if each.enabled), None)
        if self._say_example is not None and example is not None:
            target = f"{url}/lists/{quote(example.name)}?req=AddRecord"
            self._say_example(f"curl -s -X POST '{target}' -d '{{\"GSW_PHONE\":\"6505550100\"}}'")

    # Life.

    def startService(self) -> None:
        """Open all."""
        super().startService()
        committer = self._store.committer()
        if committer is not self._heard:
            self._heard = committer
            committer.listen(self.bell.ring)
        for listener in served_listeners(self.config):
            self._listen(HttpListener(self, listener))
        self._changed()

    def stopService(self) -> "Deferred[None]":
        """Close all; fires when their processes are gone and have answered what was in flight."""
        super().stopService()
        gone = DeferredList([each.stop() for each in (*self._listeners, *self._removed)])
        return gone.addCallback(lambda _: self._listeners.clear())

    def hurry(self) -> None:
        """Close at once what is about to close."""
        for each in (*self._listeners, *self._removed):
            each.hurry()

    def all(self) -> list[HttpListener]:
        """Return those that are open."""
        return list(self._listeners)

    def order(self, purpose: Purpose, uri: str, data: KV, timeout: float, link: int = 0) -> "Deferred[Verdict]":
        """Have an HTTP Proxy make an outgoing call: the one with that link, else the first that runs (P111).

        Fires with the verdict and never fails.
        """
        callers = self._callers()
        if not callers:
            OUTGOING_CALLS.add(purpose=purpose, outcome="failed")
            return succeed(untried("no HTTP Proxy runs"))
        caller = next((each for each in callers if each.session == link), callers[0])
        begun = self.reactor.seconds()

        def count(verdict: Verdict) -> Verdict:
            OUTGOING_CALL_SECONDS.observe(self.reactor.seconds() - begun)
            OUTGOING_CALLS.add(purpose=purpose, outcome=verdict.outcome)
            return verdict

        return caller.order(purpose, uri, data, timeout).addCallback(count)

    def _callers(self) -> list[ProxyChild]:
        return [caller for each in self._listeners for proxy in each.proxies if (caller := proxy.caller())]

    @property
    def makes_calls(self) -> bool:
        """Whether an HTTP Proxy is there that can make outgoing calls."""
        return bool(self._callers())

    def base_uri(self) -> str | None:
        """Return what record URIs begin with for clients of other listeners: those of the first one (H68)."""
        if not self._listeners:
            return None
        proxy = self._listeners[0].proxies[0]
        supervisor = proxy.supervisor
        port = supervisor.port if supervisor.state == "running" else proxy.in_use.port
        return proxy.base_uri(port) if port else None

    # A reload.

    def use(self, config: Config) -> None:
        """Open what is new, close what is gone, send the rest its new settings."""
        if not self.running:
            return
        wanted = served_listeners(config)
        stay, removed, added = match_listeners(self._listeners, wanted)
        for running, listener in stay:
            if running.reconfigure(listener):
                say(self._log, 93015, listener=running.id)
        for running in (*self._removed, *removed):
            # It still ends its work, with the keys that are in force now.
            running.update()
        for running in removed:
            say(self._log, 93016, listener=running.id)
            self._listeners.remove(running)
            self._removed.append(running)
            running.stop().addCallback(self._forget, running)
        for listener in added:
            self._listen(HttpListener(self, listener))

    def _listen(self, listener: HttpListener) -> None:
        self._listeners.append(listener)
        listener.start()

    def _forget(self, _: None, gone: HttpListener) -> None:
        self._removed.remove(gone)
