"""The port of a listener that OCS itself opens."""

from typing import Any

import msgspec
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from ocsgw.config import Listener
from ocsgw.ocs.listening_port import RETRY, ListeningPort
from tests.support.case import ClockTestCase

LISTENER = Listener(
    id="desktops",
    protocol="ocs",
    interface="127.0.0.1",
    port=7000,
    public_host="127.0.0.1",
    public_scheme="http",
    public_port=None,
    backlog=50,
    workers=1,
    allow_anonymous=True,
    cors_origins=(),
    tls=None,
    sni_certificates=(),
)


class Reactor(MemoryReactorClock):
    """Refuses ports for a reason, if it has one."""

    reason: str | None = None

    def listenTCP(self, port: Any, factory: Any, backlog: Any = 50, interface: Any = "") -> Any:
        """Return a port. Raises `CannotListenError`."""
        if self.reason is not None:
            raise CannotListenError(interface, port, OSError(0, self.reason))
        return super().listenTCP(port, factory, backlog, interface)


class ListeningPortTests(ClockTestCase):
    """Opened at once, later, or no longer."""

    def setUp(self) -> None:
        """Make a port."""
        super().setUp()
        self.reactor = Reactor()
        self.opened: list[str] = []
        self.failed: list[tuple[int, str]] = []

    def make(self, interface: str = "127.0.0.1") -> ListeningPort:
        """Return a port of a listener."""
        listener = msgspec.structs.replace(LISTENER, interface=interface)
        return ListeningPort(
            self.reactor, listener, Factory(), None, self.opened.append, lambda *told: self.failed.append(told)
        )

    def test_open(self) -> None:
        """It is opened at once, and once."""
        self.make().open()
        self.reactor.pump([RETRY] * 3)
        self.assertEqual(self.opened, ["127.0.0.1:7000"])
        self.assertEqual(len(self.reactor.tcpServers), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ipv6(self) -> None:
        """An IPv6 address stands in brackets."""
        self.make("::1").open()
        self.assertEqual(self.opened, ["[::1]:7000"])

    def test_each_reason_once(self) -> None:
        """What keeps it from opening is told once; another reason is told as well."""
        self.reactor.reason = "Address already in use"
        self.make().open()
        self.reactor.advance(RETRY)
        self.reactor.reason = "Permission denied"
        self.reactor.pump([RETRY] * 2)
        reasons = [reason for _, reason in self.failed]
        self.assertEqual(len(reasons), 2)
        self.assertIn("Address already in use", reasons[0])
        self.assertIn("Permission denied", reasons[1])
        self.assertEqual([port for port, _ in self.failed], [7000, 7000])
        self.reactor.reason = None
        self.reactor.advance(RETRY)
        self.assertEqual(self.opened, ["127.0.0.1:7000"])

    def test_closed_while_it_waits(self) -> None:
        """Once closed it is not opened any more."""
        self.reactor.reason = "Address already in use"
        port = self.make()
        port.open()
        self.successResultOf(port.close())
        self.reactor.reason = None
        self.reactor.advance(RETRY)
        self.assertEqual(self.opened, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
