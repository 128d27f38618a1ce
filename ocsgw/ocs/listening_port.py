"""The TCP port of a listener that OCS itself opens: of protocol `ocs` or `admin`."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError

from ocsgw.config import Listener
from ocsgw.ocs.tls_contexts import ListenerContexts
from ocsgw.periodic import Periodic

# How often a port that could not be opened is tried again, in seconds.
RETRY = 5.0


class ListeningPort:
    """Opens the port of a listener as soon as that is possible; nothing else waits for it.

    `opened` is called with where the port is, as host and port for a URL. `failed` is called with the
    number of the port and the reason why it could not be opened, once for each reason; it is tried again every `RETRY`
    seconds.
    """

    def __init__(
        self,
        reactor: Any,
        listener: Listener,
        factory: Any,
        contexts: ListenerContexts | None,
        opened: Callable[[str], None],
        failed: Callable[[int, str], None],
    ) -> None:
        self._reactor = reactor
        self._listener = listener
        self._factory = factory if contexts is None else contexts.wrapped(factory, reactor)
        self._opened = opened
        self._failed = failed
        self._port: Any = None
        self._told = ""
        self._retry = Periodic(f"opening {listener.protocol} listener {listener.id}", self._try, reactor)

    def open(self) -> None:
        """Open the port, now or as soon as possible."""
        self._retry.start(RETRY, now=True)

    def close(self) -> "Deferred[Any]":
        """Close the port, or no longer try to open it."""
        self._retry.stop()
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)

    def _try(self) -> None:
        listener = self._listener
        try:
            self._port = self._reactor.listenTCP(listener.port, self._factory, listener.backlog, listener.interface)
        except CannotListenError as error:
            reason = str(error.socketError)
            if reason != self._told:
                self._told = reason
                self._failed(listener.port, reason)
            return
        self._retry.stop()
        interface = f"[{listener.interface}]" if ":" in listener.interface else listener.interface
        self._opened(f"{interface}:{self._port.getHost().port}")
