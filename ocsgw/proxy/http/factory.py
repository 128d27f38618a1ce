"""Makes the connections of a port without TLS."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.channel import HTTPChannel


class ChannelFactory(Factory):
    """Makes a channel for each connection."""

    noisy = False

    def __init__(self, frontend: HttpFrontend, *, short_cut: bool = True) -> None:
        self._frontend = frontend
        self._short_cut = short_cut

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a channel for one connection."""
        return HTTPChannel(self._frontend, getattr(addr, "host", ""), short_cut=self._short_cut)
