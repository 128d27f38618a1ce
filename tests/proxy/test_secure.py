"""Tests of ocsgw.proxy.http.port, secure and handshakes: HTTPS in memory."""

import contextlib
import os
import ssl
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.serialization import Encoding

from ocsgw.protocol.messages import ListenerSettings, TlsSettings
from ocsgw.proxy.http.port import PortFactory
from ocsgw.tls import TlsError
from tests.support.certificates import Authority, Issued
from tests.support.handshake import client_context
from tests.support.http import (
    FakeGateway,
    HttpClient,
    HttpServer,
    HttpTestCase,
    Received,
    parse_answers,
    request,
)
from tests.support.logs import LogCapture

ROOT = Authority()
FIRST = ROOT.issue("localhost")
SECOND = ROOT.issue("localhost")


def settings(issued: Issued = FIRST, **changes: Any) -> TlsSettings:
    """Return the TLS settings of a listener."""
    return TlsSettings(certificate=issued.pem, certificate_key=issued.key_pem, **changes)


class TlsClient:
    """A client with TLS on a connection in memory."""

    def __init__(self, client: HttpClient, context: ssl.SSLContext) -> None:
        self._client = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._taken = 0
        self.plain = b""

    def _exchange(self) -> None:
        self._client.send(self._outgoing.read())
        taken = self._client.transport.taken
        self._incoming.write(taken[self._taken :])
        self._taken = len(taken)

    def shake(self) -> "TlsClient":
        """Complete the handshake."""
        for _ in range(4):
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._exchange()
        self._exchange()
        return self

    def send(self, data: bytes) -> "TlsClient":
        """Send bytes and take what comes back."""
        self.tls.write(data)
        self._exchange()
        return self.take()

    def take(self) -> "TlsClient":
        """Take what the server has sent."""
        self._exchange()
        try:
            while piece := self.tls.read(1 << 16):
                self.plain += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return self

    def half_close(self, *, of_tls: bool) -> None:
        """Send nothing more."""
        if of_tls:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLSyscallError):
                self.tls.unwrap()
            self._exchange()
        else:
            self._client.half_close()

    @property
    def connected(self) -> bool:
        """Whether the server still holds the connection."""
        return self._client.transport.connected

    def answers(self) -> list[Received]:
        """Return the answers so far."""
        return parse_answers(self.plain)

    @property
    def certificate(self) -> bytes:
        """What the server has shown, DER."""
        return self.tls.getpeercert(binary_form=True) or b""


class SecureTestCase(HttpTestCase):
    """A test with HTTPS in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.mktemp()
        os.makedirs(self.folder)
        self.log = LogCapture(self)

    def serve_tls(self, tls: TlsSettings | None = None, **changes: Any) -> HttpServer:
        """Return a server whose connections come from a port with TLS."""
        tls = tls or settings()
        listener = ListenerSettings(id="default", interface="127.0.0.1", port=8443, public_host="ocs.example", tls=tls)
        server = self.serve(listener=listener, **changes)
        self.port = server.site = PortFactory(server.frontend, self.clock)
        self.port.use(tls)
        return server

    def client(self, server: HttpServer, certificate: Issued | None = None) -> TlsClient:
        """Return a connection whose handshake is over."""
        return TlsClient(server.connect(), client_context(ROOT.pem, certificate, self.folder)).shake()

    def try_to_send(self, client: TlsClient) -> bytes:
        """Send a request to a server that may have closed already; return what came back."""
        with contextlib.suppress(ssl.SSLError):
            client.send(request())
        return client.plain

    def handshake_lines(self) -> list[str]:
        """Return what the log says about handshakes."""
        return [text for text in self.log.texts() if "handshake" in text]


class RequestTests(SecureTestCase):
    """R3, R6: the same requests over TLS."""

    def test_same_answers(self) -> None:
        """R3: a request has the same answer with and without TLS, pipelined ones keep their order."""
        raw = request() + request("/lists/CL?req=Unknown") + request()
        plain = self.serve().connect().send(raw).answers()
        secure = self.client(self.serve_tls()).send(raw).answers()
        self.assertEqual([each.body for each in secure], [each.body for each in plain])
        self.assertEqual([each.status for each in secure], [200, 400, 200])

    def test_plain_text_on_a_tls_port(self) -> None:
        """R6: a request in plain text gets no HTTP answer; the log says what the client did wrong, in one line."""
        server = self.serve_tls()
        client = server.connect().send(request())
        self.assertNotIn(b"HTTP", client.transport.taken)
        self.assertFalse(client.transport.connected)
        self.assertEqual(
            self.handshake_lines(),
            ["TLS handshake with 192.0.2.1 failed: the client spoke plain HTTP; it must use https"],
        )

    def test_end_of_a_connection(self) -> None:
        """H2: the last answer comes whole, then the end of TLS."""
        client = self.client(self.serve_tls()).send(
            request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', "Connection: close")
        )
        self.assertEqual([each.status for each in client.answers()], [200])
        self.assertEqual(client.tls.read(1), b"")

    def test_half_close(self) -> None:
        """H12: a client that ends its side, of TLS or of TCP, still gets the answers to its complete requests."""
        for of_tls in (True, False):
            for waiting in (False, True):
                gateway = FakeGateway(holds=waiting)
                server = self.serve_tls(gateway=gateway)
                client = self.client(server).send(request() + request())
                client.half_close(of_tls=of_tls)
                if waiting:
                    gateway.release()
                    gateway.release()
                    server.work()
                self.assertEqual([each.status for each in client.take().answers()], [200, 200])
                self.assertFalse(client.connected)
                self.assertEqual(server.frontend.connections, set())

    def test_half_close_within_a_request(self) -> None:
        """H12: what is not complete gets no answer, and the connection ends."""
        for of_tls in (True, False):
            client = self.client(self.serve_tls()).send(request()[:-1])
            client.half_close(of_tls=of_tls)
            self.assertEqual((client.take().answers(), client.connected), ([], False))


class HandshakeTests(SecureTestCase):
    """H27, H343: handshakes that fail, and what the log says about them."""

    def test_time_limit(self) -> None:
        """H27: a handshake that stands still is ended after header_timeout, with one line."""
        server = self.serve_tls(header_timeout_ms=5000)
        client = server.connect().send(b"\x16\x03\x01")
        self.advance(4)
        self.assertTrue(client.transport.connected)
        self.advance(2)
        self.assertFalse(client.transport.connected)
        self.assertEqual(self.handshake_lines(), ["TLS handshake with 192.0.2.1 failed: it was not completed in time"])

    def test_probe_is_silent(self) -> None:
        """R30: somebody who connects and goes, before or within the handshake, makes no line."""
        server = self.serve_tls()
        server.connect().vanish()
        server.connect().send(b"\x16\x03\x01\x02\x00").vanish()
        self.assertEqual(self.handshake_lines(), [])

    def test_lines_are_limited(self) -> None:
        """Issue text: failures are one line each, ten a minute; how many more there were comes with the next."""
        server = self.serve_tls()
        for _ in range(25):
            server.connect().send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(len(self.handshake_lines()), 10)
        self.advance(61)
        self.assertEqual(self.handshake_lines()[10:], ["15 more TLS handshakes failed within 60 s"])
        server.connect().send(b"\x00\x01\x02\x03\x04\x05\x06")
        self.assertEqual(
            self.handshake_lines()[11:], ["TLS handshake with 192.0.2.1 failed: the client did not speak TLS"]
        )

    def test_client_that_does_not_trust_us(self) -> None:
        """R7: a client that breaks off says why."""
        stranger = client_context(Authority("Stranger").pem)
        server = self.serve_tls()
        self.assertRaises(ssl.SSLError, TlsClient(server.connect(), stranger).shake)
        # Its alert is not sent by the helper that has raised; a new connection shows that the port serves.
        self.assertEqual(self.client(server).send(request()).answers()[0].status, 200)


class ClientCertificateTests(SecureTestCase):
    """H321, H343: the certificate of the client is its principal."""

    def test_principal(self) -> None:
        """H321: the verified subject belongs to the call."""
        server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=True))
        self.client(server, ROOT.issue(subject="ivr")).send(request())
        self.assertEqual([exchange.certificate for exchange in server.gateway.exchanges], ["CN=ivr"])

    def test_without_certificate(self) -> None:
        """H343: no valid certificate, no HTTP exchange."""
        server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=True))
        client = TlsClient(server.connect(), client_context(ROOT.pem))
        self.assertEqual(self.try_to_send(client.shake()), b"")
        self.assertEqual(server.gateway.requests, [])
        (line,) = self.handshake_lines()
        self.assertIn("the client has sent no certificate, and tls_mutual = true needs one", line)

    def test_revoked(self) -> None:
        """H343: who is on the list gets no exchange; the line names him and why."""
        bad = ROOT.issue(subject="bad")
        tls = settings(trusted_ca=ROOT.pem, tls_mutual=True, tls_crl=ROOT.revoke(bad))
        server = self.serve_tls(tls)
        client = TlsClient(server.connect(), client_context(ROOT.pem, bad, self.folder))
        self.assertEqual(self.try_to_send(client.shake()), b"")
        (line,) = self.handshake_lines()
        self.assertIn("CN=bad, is refused: it has been revoked", line)

    def test_unreadable(self) -> None:
        """A certificate that does not keep to its form is refused with a line that says so, whoever has made it."""
        good = ROOT.issue(subject="ivr")
        der = good.certificate.public_bytes(Encoding.DER)
        # Versions are numbered from 0 for the first; there is no sixth.
        version = b"\xa0\x03\x02\x01"
        pem = ssl.DER_cert_to_PEM_cert(der.replace(version + b"\x02", version + b"\x05"))
        for mutual in (True, "optional"):
            server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=mutual))
            context = client_context(ROOT.pem)
            files = [os.path.join(self.folder, name) for name in ("bad.pem", "bad.key")]
            for file, text in zip(files, (pem, good.key_pem), strict=True):
                with open(file, "w", encoding="ascii") as written:
                    written.write(text)
            context.load_cert_chain(*files)
            client = TlsClient(server.connect(), context)
            with contextlib.suppress(ssl.SSLError):
                client.shake()
            self.assertEqual((self.try_to_send(client), server.gateway.requests), (b"", []))
            self.assertIn("its certificate, which cannot be read (", self.handshake_lines()[-1])

    def test_unreadable_but_verified(self) -> None:
        """The same where it comes from an authority that is trusted."""
        server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=True))
        with mock.patch("ocsgw.proxy.http.handshakes.subject_of", side_effect=ValueError("bad country")):
            client = self.client(server, ROOT.issue(subject="ivr"))
            self.assertEqual(self.try_to_send(client), b"")
        self.assertEqual(
            self.handshake_lines(), ["TLS handshake with 192.0.2.1 failed: its certificate cannot be read: bad country"]
        )

    def test_names(self) -> None:
        """Section 4, client_names and tls_target_name_check: only these names, or that of the address."""
        for changes, names, is_good in (
            ({"client_names": ["ivr.example"]}, ("IVR.example",), True),
            ({"client_names": ["ivr.example"]}, ("web.example",), False),
            ({"tls_target_name_check": "host"}, ("192.0.2.1",), True),
            ({"tls_target_name_check": "host"}, ("192.0.2.2",), False),
            ({"tls_target_name_check": "host", "client_names": ["ivr.example"]}, ("ivr.example",), True),
        ):
            server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=True, **changes))
            client = TlsClient(server.connect(), client_context(ROOT.pem, ROOT.issue(*names), self.folder)).shake()
            if is_good:
                self.assertEqual(client.send(request()).answers()[0].status, 200)
            else:
                self.assertEqual(self.try_to_send(client), b"")
                self.assertIn("has no name that client_names or its address allows", self.handshake_lines()[-1])
            self.assertEqual(len(server.gateway.requests), int(is_good), f"{changes} {names}")


class ReloadTests(SecureTestCase):
    """P101, C66: new files for later connections only."""

    def der(self, issued: Issued) -> bytes:
        """Return a certificate as it travels."""
        return issued.certificate.public_bytes(Encoding.DER)

    def test_new_certificate(self) -> None:
        """P101: connections made before go on, with a request in flight; later ones see the new certificate."""
        server = self.serve_tls()
        old = self.client(server).send(request())
        server.gateway.holds = True
        old.send(request())
        halfway = TlsClient(server.connect(), client_context(ROOT.pem))
        self.port.use(settings(SECOND))
        server.gateway.release()
        server.gateway.holds = False
        server.work()
        self.assertEqual([each.status for each in old.take().answers()], [200, 200])
        self.assertEqual([each.status for each in old.send(request()).answers()], [200, 200, 200])
        self.assertEqual(halfway.shake().certificate, self.der(FIRST))
        self.assertEqual(self.client(server).certificate, self.der(SECOND))
        self.assertEqual(old.certificate, self.der(FIRST))

    def test_files_that_cannot_be_used(self) -> None:
        """C38: the old files serve on."""
        server = self.serve_tls()
        wrong = settings()
        wrong.certificate_key = SECOND.key_pem
        self.assertRaises(TlsError, self.port.use, wrong)
        self.assertEqual(self.client(server).certificate, self.der(FIRST))

    def test_same_files_keep_sessions(self) -> None:
        """C66: a reload without a change of the files costs no client its session."""
        server = self.serve_tls()
        first = self.client(server).send(request())
        self.port.use(settings())
        context = first.tls.context
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        again = TlsClient(server.connect(), context)
        again._incoming, again._outgoing = incoming, outgoing
        again.tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost", session=first.tls.session)
        self.assertTrue(again.shake().tls.session_reused)

    def test_tls_on_and_off(self) -> None:
        """C66: TLS may be switched on and off; connections stay what they were."""
        server = self.serve_tls()
        secure = self.client(server)
        self.port.use(None)
        self.assertEqual(server.connect().send(request()).statuses(), [200])
        self.assertEqual(secure.send(request()).answers()[0].status, 200)
        self.port.use(settings())
        self.assertEqual(self.client(server).send(request()).answers()[0].status, 200)

    def test_names_of_the_new_settings(self) -> None:
        """C66: client_names count for connections made after the reload."""
        server = self.serve_tls(settings(trusted_ca=ROOT.pem, tls_mutual=True))
        ivr = ROOT.issue("ivr.example")
        self.assertEqual(self.client(server, ivr).send(request()).answers()[0].status, 200)
        self.port.use(settings(trusted_ca=ROOT.pem, tls_mutual=True, client_names=["web.example"]))
        self.assertEqual(self.try_to_send(self.client(server, ivr)), b"")
        self.assertIn("CN=ivr.example, has no name", self.handshake_lines()[-1])
