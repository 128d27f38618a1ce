"""The admin listeners of a running OCS."""

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.testing import StringTransport

from tests.ocs.service import FakeProxy, ServiceTestCase

ADMIN = """
[[listener]]
id = "admin"
protocol = "admin"
interface = "127.0.0.1"
port = 9080
"""


class AdminListenerTests(ServiceTestCase):
    """Ports of protocol `admin`."""

    def factory(self) -> Any:
        """Return the factory of the admin port."""
        (found,) = [each for each in self.reactor.tcpServers if each[0] == 9080]
        return found[1]

    def get(self, target: str) -> bytes:
        """Return an answer."""
        protocol = self.factory().buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        answer: bytes = transport.value()
        return answer

    def test_life(self) -> None:
        """It is open from the start on, and says when OCS serves."""
        self.configure(listener=ADMIN)
        self.make().startService()
        self.assertEqual(self.log.text(93251), "Admin listener admin is ready on http://127.0.0.1:9080")
        self.assertIn(b" 200 ", self.get("/livez"))
        self.assertIn(b"no HTTP Proxy is running", self.get("/readyz"))
        proxy = FakeProxy(self.reactor, 0).get_ready()
        self.assertIn(b" 200 ", self.get("/readyz"))
        self.assertIn(b'ocsgw_proxy_state{proxy="default",state="running"} 1.0', self.get("/metrics"))
        self.stop(proxy)
        self.assertIn(b"OCS is stopping", self.get("/readyz"))

    def test_port_in_use(self) -> None:
        """A port that somebody else has is reported once and tried again; HTTP goes on meanwhile."""
        self.configure(listener=ADMIN)
        listen = self.reactor.listenTCP
        refused = CannotListenError("127.0.0.1", 9080, OSError(98, "Address already in use"))

        def refuse(*_: Any, **__: Any) -> Any:
            raise refused

        self.patch(self.reactor, "listenTCP", refuse)
        proxy = self.start()
        self.reactor.advance(5)
        self.assertIn("Address already in use", self.log.text(93250))
        self.assertEqual(self.log.numbers().count(93250), 1)
        self.patch(self.reactor, "listenTCP", listen)
        self.reactor.advance(5)
        self.assertIn(b"ok\n", self.get("/readyz"))
        self.stop(proxy)
