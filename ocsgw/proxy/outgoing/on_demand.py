"""Outgoing calls of a proxy that may never make one: what makes them is loaded when it is needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ocsgw.protocol.messages import Settings, Validate, Verdict

if TYPE_CHECKING:
    from ocsgw.proxy.outgoing.calls import OutgoingCalls


class CallsOnDemand:
    """Makes the calls that OCS orders, as `OutgoingCalls`.

    The client of Twisted and OpenSSL, 15 MiB and some tenths of a second, are loaded for the first call, or as soon as
    certificates are configured for calls, which have to be judged with the settings.
    """

    def __init__(self, reactor: Any, reply: Callable[[Verdict], None]) -> None:
        self._reactor = reactor
        self._reply = reply
        self._calls: OutgoingCalls | None = None
        self._settings: Settings | None = None

    def use(self, settings: Settings) -> None:
        """Use settings from the next call on. Raises `TlsError`; then nothing has changed."""
        if self._calls is not None:
            self._calls.use(settings)
        elif _has_certificates(settings):
            self._calls = self._made(settings)
        self._settings = settings

    def call(self, order: Validate) -> None:
        """Make a call. Whatever happens to it is its verdict."""
        if self._calls is None:
            self._calls = self._made(self._settings)
        self._calls.call(order)

    def close(self) -> None:
        """Close the kept connections."""
        if self._calls is not None:
            self._calls.close()

    def _made(self, settings: Settings | None) -> "OutgoingCalls":
        from ocsgw.proxy.outgoing.calls import OutgoingCalls  # noqa: PLC0415 - only where calls are made

        calls = OutgoingCalls(self._reactor, self._reply)
        if settings is not None:
            calls.use(settings)
        return calls


def _has_certificates(settings: Settings) -> bool:
    return any(
        each is not None and each.tls is not None and (each.tls.trusted_ca or each.tls.certificate)
        for each in (settings.client, settings.notifications)
    )
