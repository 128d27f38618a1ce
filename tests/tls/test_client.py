"""Tests of ocsgw.tls.client: whom an outgoing call trusts, in memory and on loopback."""

import warnings
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.interfaces import IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ocsgw.tls import TlsError
from ocsgw.tls.client import ClientOptions, ClientTls
from ocsgw.tls.pem import KeyPair
from ocsgw.tls.server import ServerContexts, ServerOptions
from tests.support.certificates import DAY, NOW, Authority, Issued

ROOT = Authority()
SERVER = ROOT.issue("rules.example", "127.0.0.1")
CLIENT = ROOT.issue(subject="ocs")


def pair(issued: Issued) -> KeyPair:
    """Return the texts of a certificate."""
    return KeyPair(issued.pem, issued.key_pem)


@implementer(IHandshakeListener)
class Ends(Protocol):
    """Remembers how the handshake went."""

    transport: Any

    def __init__(self) -> None:
        self.done = False
        self.received = b""
        self.reason: BaseException | None = None

    def handshakeCompleted(self) -> None:
        self.done = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.value


@implementer(IOpenSSLServerConnectionCreator)
class ServerSide:
    """Gives the contexts of a listener to Twisted."""

    def __init__(self, contexts: ServerContexts) -> None:
        self._contexts = contexts

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return self._contexts.connection()


class ClientTests(SynchronousTestCase):
    """O2, issue text: verification always on, own authority, own certificate, oldest version."""

    def meet(
        self, client: ClientTls, host: str = "rules.example", issued: Issued = SERVER, **options: Any
    ) -> tuple[Ends, Ends]:
        """Let a call reach a server; return the ends of the client and of the server."""
        clock = Clock()
        contexts = ServerContexts(ServerOptions(pairs=(pair(issued),), **options))
        ours, theirs = Ends(), Ends()
        creator = client.creatorForNetloc(host.encode(), 443)
        calling = TLSMemoryBIOFactory(creator, True, Factory.forProtocol(lambda: ours), clock)  # noqa: FBT003
        made = Factory.forProtocol(lambda: theirs)
        serving = TLSMemoryBIOFactory(ServerSide(contexts), False, made, clock)  # noqa: FBT003
        inner_client, inner_server = calling.buildProtocol(None), serving.buildProtocol(None)
        pump = iosim.connect(
            inner_server, iosim.makeFakeServer(inner_server), inner_client, iosim.makeFakeClient(inner_client)
        )
        for _ in range(10):
            clock.advance(0)
            pump.flush()
        if ours.done and ours.reason is None:
            ours.transport.write(b"hello")
            for _ in range(3):
                clock.advance(0)
                pump.flush()
        return ours, theirs

    def trusting(self, **options: Any) -> ClientTls:
        """Return a client that trusts the test authority only."""
        return ClientTls(ClientOptions(trusted_ca=ROOT.pem, **options))

    def assert_met(self, ends: tuple[Ends, Ends]) -> None:
        """Both ends have completed the handshake, and data comes through."""
        self.assertEqual([(end.done, end.reason) for end in ends], [(True, None)] * 2)
        self.assertEqual(ends[1].received, b"hello")

    def test_trusted(self) -> None:
        """O2: a server of the configured authority, under its name or its address."""
        for host in ("rules.example", "127.0.0.1"):
            self.assert_met(self.meet(self.trusting(), host))

    def test_wrong_name(self) -> None:
        """O2: a good certificate of another host, or of another address, is refused."""
        for host in ("other.example", "rules.example.org", "127.0.0.2"):
            ours, theirs = self.meet(self.trusting(), host)
            self.assertIsInstance(ours.reason, VerificationError, host)
            self.assertEqual(theirs.received, b"")

    def test_wrong_authority(self) -> None:
        """O2: a stranger's certificate is refused; so is a private authority's by one who trusts the system's."""
        ours, theirs = self.meet(self.trusting(), issued=Authority("Stranger").issue("rules.example"))
        self.assertIn("certificate verify failed", str(ours.reason))
        self.assertEqual(theirs.received, b"")
        ours, _ = self.meet(ClientTls(ClientOptions()))
        self.assertIn("certificate verify failed", str(ours.reason))

    def test_expired(self) -> None:
        """O2: a certificate that has expired is refused."""
        ours, _ = self.meet(self.trusting(), issued=ROOT.issue("rules.example", end=NOW - DAY / 2))
        self.assertIn("certificate verify failed", str(ours.reason))

    def test_own_certificate(self) -> None:
        """Section 9: a server that asks for a certificate gets ours, with its chain."""
        demand: dict[str, Any] = {"trusted_ca": ROOT.pem, "mutual": True}
        self.assert_met(self.meet(self.trusting(pair=pair(CLIENT)), **demand))
        middle = Authority("Middle", ROOT).issue(subject="ocs")
        self.assert_met(self.meet(self.trusting(pair=pair(middle)), **demand))
        _, theirs = self.meet(self.trusting(), **demand)
        self.assertFalse(theirs.done)

    def test_oldest_version(self) -> None:
        """O2: TLS 1.2 at least; with a minimum of 1.3 a server of 1.2 is refused."""
        self.assert_met(self.meet(self.trusting(), versions=("TLSv12",)))
        ours, _ = self.meet(self.trusting(minimum="TLSv13"), versions=("TLSv12",))
        self.assertIsInstance(ours.reason, SSL.Error)
        self.assert_met(self.meet(self.trusting(minimum="TLSv13")))

    def test_wrong_files(self) -> None:
        """R7: files that cannot be used are reported at once, with their option."""
        for options, part in (
            (ClientOptions(trusted_ca="nothing"), "trusted_ca"),
            (ClientOptions(pair=KeyPair("nothing", CLIENT.key_pem)), "certificate"),
            (ClientOptions(pair=KeyPair(CLIENT.pem, "nothing")), "certificate_key"),
            (ClientOptions(pair=KeyPair(CLIENT.pem, SERVER.key_pem)), "certificate_key"),
        ):
            self.assertEqual(self.assertRaises(TlsError, ClientTls, options).part, part)

    def test_no_deprecated_objects(self) -> None:
        """Plan of the house: nothing of pyOpenSSL that is about to go is used."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            self.assert_met(self.meet(self.trusting(pair=pair(CLIENT)), trusted_ca=ROOT.pem, mutual=True))

    def test_context_is_kept(self) -> None:
        """One context for each host: authorities are not read for every call."""
        client = self.trusting()
        self.assertIs(client.creatorForNetloc(b"a.example", 443), client.creatorForNetloc(b"a.example", 8443))
        self.assertIsNot(client.for_host("a.example"), client.for_host("b.example"))
