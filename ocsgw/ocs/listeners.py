"""One HTTP listener with the proxies that serve it, and what a reload does to them (R31 to R34, section 14)."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks

from ocsgw.config import Listener
from ocsgw.ocs.http_proxy import HttpProxy, ProxyContext, RenewalError
from ocsgw.protocol.messages import RENEWAL


class HttpListener:
    """A configured HTTP listener: `wanted` is how it is configured now, `proxies` are those that serve it."""

    def __init__(self, context: ProxyContext, listener: Listener) -> None:
        self._context = context
        self.wanted = listener
        self.proxies: list[HttpProxy] = []
        # Those that still end their work, and the one that is about to take another's place.
        self._leaving: list[HttpProxy] = []
        self._coming: HttpProxy | None = None

    @property
    def id(self) -> str:
        """The id by which running proxies know the listener."""
        return self.proxies[0].in_use.id if self.proxies else self.wanted.id

    def start(self) -> None:
        """Start as many proxies as are configured."""
        self._fit()

    def stop(self) -> "Deferred[None]":
        """End all proxies; fires when their processes are gone."""
        return DeferredList([each.stop() for each in self._everyone()]).addCallback(lambda _: None)

    def reconfigure(self, listener: Listener) -> bool:
        """Take a changed listener; return whether something of it waits for the next proxy (C61, C66)."""
        self.wanted = listener
        self.update()
        self._fit()
        return self.is_outdated()

    def is_outdated(self) -> bool:
        """Whether something is configured that only the next proxies will use (C61)."""
        return any(each.is_outdated() for each in self.proxies)

    def update(self) -> None:
        """Let every proxy have the settings in force, those too that come or still end their work."""
        for each in self._everyone():
            each.update()

    def hurry(self) -> None:
        """End at once the proxies that are about to end."""
        for each in self._everyone():
            each.supervisor.hurry()

    def _everyone(self) -> list[HttpProxy]:
        """Return those that serve, those that still end their work, and the one that is coming."""
        return [*self.proxies, *self._leaving, *([self._coming] if self._coming is not None else [])]

    @inlineCallbacks
    def renew(self) -> Any:
        """Replace the proxies one after another, without a moment in which nobody serves.

        Fires with (pid of the old, pid of the new) for each. Fails with `RenewalError`; those that were not reached yet
        go on as they are.
        """
        if self._coming is not None:
            raise RenewalError(f"listener {self.id} is being renewed already")
        replaced = []
        for old in list(self.proxies):
            if old not in self.proxies:
                continue
            new = self._coming = HttpProxy(self._context, self, old.number, old.starts)
            pid = old.supervisor.pid
            try:
                yield new.take_over(old)
            except RenewalError:
                self._see_off(new)
                raise
            finally:
                self._coming = None
            if old in self.proxies:
                self.proxies[self.proxies.index(old)] = new
                self._see_off(old)
                replaced.append((pid, new.supervisor.pid))
            else:
                self._see_off(new)
        return replaced

    # What is reported to the service manager.

    def is_settled(self) -> bool:
        """Whether the first proxies serve, or have failed to."""
        return all(each.supervisor.state not in {"stopped", "starting"} for each in self.proxies)

    def answers(self) -> bool:
        """Whether each proxy that runs has given a sign of life of late."""
        return all(each.answers() for each in self.proxies)

    def summary(self) -> str:
        """Return scheme, port and state, for people."""
        listener = self.proxies[0].in_use
        running = [each for each in self.proxies if each.supervisor.state == "running"]
        port = running[0].supervisor.port if running else listener.port
        several = len(self.proxies) > 1
        state = f"{len(running)} of {len(self.proxies)} running" if several else self.proxies[0].supervisor.state
        return f"{'HTTPS' if listener.tls is not None else 'HTTP'} :{port} {state}"

    def _fit(self) -> None:
        """Have as many proxies as are configured."""
        while len(self.proxies) > self.wanted.workers:
            self._see_off(self.proxies.pop())
        while len(self.proxies) < self.wanted.workers:
            proxy = HttpProxy(self._context, self, len(self.proxies) + 1)
            self.proxies.append(proxy)
            proxy.supervisor.start()

    def _see_off(self, old: HttpProxy) -> None:
        """Let a proxy end its work; the others serve meanwhile."""
        self._leaving.append(old)
        old.stop(RENEWAL).addCallback(lambda _: self._leaving.remove(old))


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
