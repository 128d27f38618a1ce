"""Tests of ocsgw.tls.server: versions, suites, certificates by name, resumption, client certificates."""

import contextlib
import os
import ssl
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.tls import TlsError
from ocsgw.tls.pem import KeyPair, subject_of
from ocsgw.tls.server import ServerContexts, ServerOptions
from tests.support.certificates import DAY, NOW, Authority, Issued, rsa_key
from tests.support.handshake import client_context, meet

ROOT = Authority()
SERVER = ROOT.issue("localhost", "127.0.0.1")


def pair(issued: Issued) -> KeyPair:
    """Return the texts of a certificate."""
    return KeyPair(issued.pem, issued.key_pem)


def contexts(*issued: Issued, **options: Any) -> ServerContexts:
    """Return the contexts of a listener."""
    return ServerContexts(ServerOptions(pairs=tuple(map(pair, issued or (SERVER,))), **options))


def only(version: ssl.TLSVersion, ciphers: str | None = None) -> ssl.SSLContext:
    """Return a client that speaks one version."""
    client = client_context(ROOT.pem)
    client.minimum_version = client.maximum_version = version
    if ciphers is not None:
        client.set_ciphers(ciphers)
    return client


class VersionTests(SynchronousTestCase):
    """R7, C35: versions and suites."""

    def test_default_versions(self) -> None:
        """Section 4, sec_protocol: TLS 1.2 and 1.3, nothing older."""
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            self.assertEqual(meet(contexts(), only(version)).client.version(), name)
        old = only(ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0")
        self.assertRaises((ssl.SSLError, SSL.Error), meet, contexts(), old)

    def test_one_version(self) -> None:
        """Section 4, sec_protocol: one version alone shuts the other out."""
        for ours, theirs in (("TLSv12", ssl.TLSVersion.TLSv1_3), ("TLSv13", ssl.TLSVersion.TLSv1_2)):
            self.assertRaises((ssl.SSLError, SSL.Error), meet, contexts(versions=(ours,)), only(theirs))
        self.assertEqual(meet(contexts(versions=("TLSv12",)), client_context(ROOT.pem)).client.version(), "TLSv1.2")

    def test_default_suites(self) -> None:
        """Section 4, cipher_list: forward-secret suites with authenticated encryption only."""
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            met = meet(contexts(), only(ssl.TLSVersion.TLSv1_2, suite))
            self.assertEqual((met.client.cipher() or ("",))[0], suite)
        for suite in ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA"):
            client = only(ssl.TLSVersion.TLSv1_2, suite)
            self.assertRaises((ssl.SSLError, SSL.Error), meet, contexts(), client)

    def test_preferred_suites(self) -> None:
        """Clients that can do all get AES with keys of 128 bits, those that cannot what they can."""
        for version, suite in (
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
            (ssl.TLSVersion.TLSv1_3, "TLS_AES_128_GCM_SHA256"),
        ):
            self.assertEqual((meet(contexts(), only(version)).client.cipher() or ("",))[0], suite)
        chosen = meet(contexts(ciphers="ECDHE+AES256"), only(ssl.TLSVersion.TLSv1_3)).client.cipher()
        self.assertEqual((chosen or ("",))[0], "TLS_AES_256_GCM_SHA384")
        strong = only(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384")
        self.assertEqual((meet(contexts(), strong).client.cipher() or ("",))[0], "ECDHE-ECDSA-AES256-GCM-SHA384")

    def test_server_preference(self) -> None:
        """Section 4: the order of cipher_list decides, not that of the client."""
        ours = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        theirs = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
        met = meet(contexts(ciphers=ours), only(ssl.TLSVersion.TLSv1_2, theirs))
        self.assertEqual((met.client.cipher() or ("",))[0], "ECDHE-ECDSA-AES256-GCM-SHA384")

    def test_protocols_offered(self) -> None:
        """A client may offer protocols (ALPN), as browsers and curl do: HTTP/1.1 is chosen, others are passed over."""
        offers: tuple[tuple[list[str], str | None], ...] = (
            ([], None), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), (["h2"], None), (["x"], None),
        )  # fmt: skip
        two_names = contexts(SERVER, ROOT.issue("other.example"))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for offered, chosen in offers:
                client = only(version)
                client.set_alpn_protocols(offered)
                self.assertEqual(meet(contexts(), client).client.selected_alpn_protocol(), chosen, offered)
                met = meet(two_names, client, name="other.example")
                self.assertEqual(met.client.selected_alpn_protocol(), chosen, offered)

    def test_no_compression(self) -> None:
        """C35: no compression."""
        self.assertIsNone(meet(contexts(), only(ssl.TLSVersion.TLSv1_2)).client.compression())

    def test_no_renegotiation(self) -> None:
        """C35: a client that asks for a new handshake inside the connection gets none."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client = SSL.Connection(context, None)
        client.set_connect_state()
        server = contexts().connection()
        server.set_accept_state()

        def move(source: SSL.Connection, target: SSL.Connection) -> None:
            try:
                target.bio_write(source.bio_read(1 << 16))
            except SSL.WantReadError:
                return

        for _ in range(4):
            for end, other in ((client, server), (server, client)):
                with contextlib.suppress(SSL.WantReadError):
                    end.do_handshake()
                move(end, other)
        self.assertTrue(client.renegotiate())
        with self.assertRaises(SSL.WantReadError):
            client.do_handshake()
        move(client, server)
        self.assertRaises(SSL.WantReadError, server.recv, 100)
        move(server, client)
        with self.assertRaises(SSL.Error) as raised:
            client.do_handshake()
        self.assertIn("no renegotiation", str(raised.exception))

    def test_unknown_suites(self) -> None:
        """Section 4, cipher_list: a list without any known suite is refused with its key."""
        error = self.assertRaises(TlsError, contexts, ciphers="NOTHING")
        self.assertEqual(error.part, "cipher_list")


class ResumptionTests(SynchronousTestCase):
    """Sessions are resumed in both versions."""

    def test_resumption(self) -> None:
        """Issue text, TLS server: a client that comes again resumes its session, also on a further certificate."""
        other = ROOT.issue("other.example")
        ours = contexts(SERVER, other)
        for name in ("localhost", "other.example"):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = only(version)
                first = meet(ours, client, name)
                self.assertFalse(first.client.session_reused)
                again = meet(ours, client, name, first.client.session)
                self.assertTrue(again.client.session_reused, f"{name} {version}")

    def test_new_contexts_know_no_old_session(self) -> None:
        """C66: after new files a client is judged anew, so that a new revocation list counts for everybody."""
        client = only(ssl.TLSVersion.TLSv1_3)
        first = meet(contexts(), client)
        self.assertFalse(meet(contexts(), client, session=first.client.session).client.session_reused)


class CertificateTests(SynchronousTestCase):
    """Chains, kinds of keys, certificates by name."""

    def presented(self, ours: ServerContexts, name: str | None, client: ssl.SSLContext | None = None) -> list[bytes]:
        """Return the chain that a client gets for a name."""
        return meet(ours, client or client_context(), name).chain

    def test_chain(self) -> None:
        """Section 4, certificate: the chain of the file is sent, and a client that knows only the root is content."""
        middle = Authority("Middle CA", ROOT)
        issued = middle.issue("localhost")
        met = meet(contexts(issued), client_context(ROOT.pem))
        self.assertEqual(
            met.chain, [each.public_bytes(Encoding.DER) for each in (issued.certificate, middle.certificate)]
        )

    def test_rsa(self) -> None:
        """Issue text: RSA keys serve in both versions."""
        issued = ROOT.issue("localhost", key=rsa_key())
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(
                meet(contexts(issued), only(version)).chain, [issued.certificate.public_bytes(Encoding.DER)]
            )

    def test_by_name(self) -> None:
        """Issue text: the name that a client asks for chooses; an unknown one, or none, gets the first certificate."""
        exact, wild = ROOT.issue("a.example"), ROOT.issue("*.b.example")
        ours = contexts(SERVER, exact, wild)
        for name, expected in (
            ("a.example", exact),
            ("A.Example", exact),
            ("x.b.example", wild),
            ("b.example", SERVER),
            ("x.y.b.example", SERVER),
            ("unknown.example", SERVER),
            (None, SERVER),
        ):
            self.assertEqual(
                self.presented(ours, name), [expected.certificate.public_bytes(Encoding.DER)], f"asked for {name}"
            )

    def test_two_kinds_of_keys(self) -> None:
        """Section 4: with ECDSA and RSA for the same names each client gets the one that it can use."""
        other = ROOT.issue("localhost", "127.0.0.1", key=rsa_key())
        ours = contexts(SERVER, other)
        for suite, expected in (("ECDHE-ECDSA-AES128-GCM-SHA256", SERVER), ("ECDHE-RSA-AES128-GCM-SHA256", other)):
            chain = self.presented(ours, "localhost", only(ssl.TLSVersion.TLSv1_2, suite))
            self.assertEqual(chain[0], expected.certificate.public_bytes(Encoding.DER))

    def test_weak_key(self) -> None:
        """R7: a key that OpenSSL refuses is reported as that of the certificate."""
        weak = ROOT.issue("localhost", key=rsa_key(1024))
        error = self.assertRaises(TlsError, contexts, weak)
        self.assertEqual(error.part, "certificate")
        self.assertIn("too small", str(error))

    def test_wrong_key(self) -> None:
        """C38: a key of another certificate is refused with its option."""
        wrong = Issued(SERVER.certificate, ROOT.issue("localhost").key)
        self.assertEqual(self.assertRaises(TlsError, contexts, wrong).part, "certificate_key")

    def test_key_is_not_shown(self) -> None:
        """C6: the key is in no representation."""
        self.assertNotIn("PRIVATE", repr(ServerOptions(pairs=(pair(SERVER),))))


class ClientCertificateTests(SynchronousTestCase):
    """H343: who gets in with tls_mutual."""

    def attempt(self, client: Issued | None, **options: Any) -> str | None:
        """Return the verified subject after a handshake, None without one, or the words of the refusal."""
        options.setdefault("trusted_ca", ROOT.pem)
        options.setdefault("mutual", True)
        ours = contexts(**options)
        connection = ours.connection()
        self.patch(ours, "connection", lambda: connection)
        try:
            meet(ours, client_context(ROOT.pem, client, self.folder))
        except SSL.Error as error:
            return str(connection.refusal or error.args[0][-1][2])
        certificate = connection.get_peer_certificate()
        return subject_of(certificate.to_cryptography()) if certificate is not None else None

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.makedirs(self.folder)

    def test_trusted(self) -> None:
        """H343: a certificate of a trusted authority, in both versions of TLS; its subject is the principal."""
        ivr = ROOT.issue(subject="ivr")
        for versions in (("TLSv12",), ("TLSv13",)):
            self.assertEqual(self.attempt(ivr, versions=versions), "CN=ivr")
        self.assertEqual(self.attempt(ROOT.issue("ivr.example", subject="")), "ivr.example")

    def test_none(self) -> None:
        """H343: no certificate, no connection; with "optional" there is one without a principal."""
        for versions in (("TLSv12",), ("TLSv13",)):
            self.assertEqual(self.attempt(None, versions=versions), "peer did not return a certificate")
        self.assertIsNone(self.attempt(None, mutual="optional"))

    def test_refused(self) -> None:
        """H343: a certificate of a stranger, one out of date and one not yet valid are refused, also if optional."""
        stranger = Authority("Stranger").issue(subject="ivr")
        old = ROOT.issue(subject="ivr", end=NOW - DAY / 2)
        for mutual in (True, "optional"):
            self.assertIn("its issuer is not in trusted_ca", str(self.attempt(stranger, mutual=mutual)))
            self.assertIn("CN=ivr, is refused: it has expired", str(self.attempt(old, mutual=mutual)))

    def test_revoked(self) -> None:
        """H343, tls_crl: a certificate on the list is refused, another one is not; so is one without any list."""
        bad, good = ROOT.issue(subject="bad"), ROOT.issue(subject="good")
        other = Authority("Other CA")
        crl = ROOT.revoke(bad)
        self.assertIn("it has been revoked", str(self.attempt(bad, tls_crl=crl)))
        self.assertEqual(self.attempt(good, tls_crl=crl), "CN=good")
        both = {"trusted_ca": ROOT.pem + other.pem}
        self.assertIn("no list of its issuer", str(self.attempt(other.issue(subject="ivr"), tls_crl=crl, **both)))
        self.assertEqual(self.attempt(other.issue(subject="ivr"), tls_crl=crl + other.revoke(), **both), "CN=ivr")

    def test_depth(self) -> None:
        """Issue text, depth: more authorities between than verify_depth are refused."""
        middle = Authority("Middle CA", ROOT)
        ivr = middle.issue(subject="ivr")
        self.assertEqual(self.attempt(ivr, depth=1), "CN=ivr")
        self.assertIn("verify_depth", str(self.attempt(ivr, depth=0)))

    def test_authorities_are_told(self) -> None:
        """Section 4, trusted_ca: a client is reported whose certificates are taken."""
        ours = contexts(trusted_ca=ROOT.pem, mutual="optional", versions=("TLSv12",))
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        client.set_connect_state()
        server = ours.connection()
        server.set_accept_state()
        for _ in range(3):
            for end, other in ((client, server), (server, client)):
                with contextlib.suppress(SSL.WantReadError):
                    end.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(end.bio_read(1 << 16))
        self.assertEqual([each.CN for each in client.get_client_ca_list()], ["Test CA"])
