"""Outgoing calls that HTTP Proxy makes on behalf of OCS: orders, and exactly one verdict on each (P110)."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ocsgw.protocol.messages import KV, Message, Purpose, Validate, Verdict
from ocsgw.protocol.sendable import UnsendableError

# What a proxy gets beyond the time of the call itself, in seconds.
_GRACE = 1.0


# The number that a verdict has on what no HTTP Proxy has tried to its end.
_UNTRIED = 0


def not_made(reason: Any, text: str) -> Verdict:
    """Return the verdict on a call of which nothing is known."""
    return Verdict(ref=1, outcome="failed", status=None, data={}, reason=reason, text=text)


def untried(text: str) -> Verdict:
    """Return the verdict on a call for which there was no HTTP Proxy, or none any more (P111)."""
    return Verdict(ref=_UNTRIED, outcome="failed", status=None, data={}, reason="connect", text=text)


def was_tried(verdict: Verdict) -> bool:
    """Whether a verdict says something about whoever was called."""
    return verdict.ref != _UNTRIED


class Orders:
    """The calls that one HTTP Proxy has been ordered to make; `send` puts a message on its link."""

    def __init__(self, clock: IReactorTime, send: Callable[[Message], None]) -> None:
        self._clock = clock
        self._send = send
        self._open: dict[int, tuple[Deferred[Verdict], Any]] = {}
        self._last = 0

    def order(self, purpose: Purpose, uri: str, data: KV, timeout: float) -> "Deferred[Verdict]":
        """Order a call; fires with the verdict within `timeout` and a second, and never fails."""
        self._last += 1
        ref = self._last
        done: Deferred[Verdict] = Deferred()
        late = self._clock.callLater(
            timeout + _GRACE, self._settle, ref, not_made("timeout", "HTTP Proxy gives no verdict")
        )
        self._open[ref] = (done, late)
        try:
            self._send(Validate(ref=ref, purpose=purpose, uri=uri, data=data, timeout_ms=max(1, int(timeout * 1000))))
        except UnsendableError as error:
            self._settle(ref, not_made("protocol", str(error)))
        return done

    def take(self, verdict: Verdict) -> None:
        """Take a verdict; one that came too late is dropped."""
        self._settle(verdict.ref, verdict)

    def lost(self) -> None:
        """The link is gone: nothing is known of what was ordered."""
        for ref in list(self._open):
            self._settle(ref, untried("the connection to HTTP Proxy is lost"))

    def _settle(self, ref: int, verdict: Verdict) -> None:
        order = self._open.pop(ref, None)
        if order is None:
            return
        done, late = order
        if late.active():
            late.cancel()
        done.callback(verdict)
