"""The contexts of a listener with TLS: one for each certificate, chosen by the name that the client asks for.

They come from Twisted's certificate options; what those have no word for is added before the first connection.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion

from ocsgw.tls import TlsError
from ocsgw.tls.failures import ServerConnection, remember_refusal
from ocsgw.tls.pem import KeyPair, names_of, read_certificates, read_key, read_revocation_lists

# Forward-secret suites with authenticated encryption, for TLS 1.2; those of 1.3 are all of this kind. AES with keys of
# 128 bits comes first: with it go SHA-256, which processors have instructions for, and quicker handshakes.
DEFAULT_CIPHERS = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20"
_SUITES_OF_13 = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
DEFAULT_DEPTH = 3
# How long a session can be resumed, in seconds. A client certificate is verified anew after this time at the latest.
_SESSION_TIME = 300
_SESSION_CONTEXT = b"ocsgw"
# The name of the one protocol, as clients offer it in a handshake.
_HTTP = b"http/1.1"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """TLS of one listener as in section 4 of configuration.md, files as PEM text.

    The first of `pairs` serves clients that ask for no name or an unknown one. `depth` is how many authorities may
    stand between a client certificate and one in `trusted_ca`.
    """

    pairs: tuple[KeyPair, ...]
    trusted_ca: str | None = None
    tls_crl: str | None = None
    mutual: bool | Literal["optional"] = False
    versions: tuple[str, ...] = ("TLSv12", "TLSv13")
    ciphers: str | None = None
    depth: int = DEFAULT_DEPTH


class _Identity:
    """Certificates of one set of names: at most one for each kind of key, the client's abilities decide."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.chains: dict[type, list[x509.Certificate]] = {}
        self.keys: dict[type, Any] = {}


class ServerContexts:
    """Makes the TLS side of connections of a listener (R7, C35). Raises `TlsError`."""

    def __init__(self, options: ServerOptions) -> None:
        identities = _identities(options.pairs)
        contexts = [_make_context(identity, options) for identity in identities]
        self._default = contexts[0]
        self._by_name: dict[str, SSL.Context] = {}
        for identity, context in zip(identities, contexts, strict=True):
            for name in identity.names:
                self._by_name.setdefault(name, context)
        if len(contexts) > 1:
            self._default.set_tlsext_servername_callback(self._choose)

    def connection(self) -> ServerConnection:
        """Return the state machine of a new connection."""
        connection = ServerConnection(self._default, None)
        connection.set_accept_state()
        return connection

    def _choose(self, connection: SSL.Connection) -> None:
        """Take the certificate of the name that the client asks for, or of the wildcard above it."""
        name = (connection.get_servername() or b"").decode("latin-1").lower()
        context = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        if context is not None:
            connection.set_context(context)


def _identities(pairs: tuple[KeyPair, ...]) -> list[_Identity]:
    found: list[_Identity] = []
    for pair in pairs:
        chain, key = read_certificates(pair.certificate, "certificate"), read_key(pair.certificate_key)
        names, kind = names_of(chain[0]), type(key)
        same = next((each for each in found if each.names == names and kind not in each.keys), None)
        if same is None:
            same = _Identity(names)
            found.append(same)
        same.chains[kind] = chain
        same.keys[kind] = key
    return found


def _make_context(identity: _Identity, options: ServerOptions) -> SSL.Context:
    context = _certificate_options(options).getContext()
    # Twisted's own choice (since 26.10) asks a connection of Twisted's own, and fails with ours.
    context.set_alpn_select_callback(_choose_protocol)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    if options.ciphers in (None, DEFAULT_CIPHERS):
        # Whoever has chosen suites for TLS 1.2 gets OpenSSL's order for 1.3, and so does one whose OpenSSL lacks these.
        with contextlib.suppress(SSL.Error):
            context.set_tls13_ciphersuites(_SUITES_OF_13)
    context.set_session_id(_SESSION_CONTEXT)
    context.set_timeout(_SESSION_TIME)
    sent: set[x509.Certificate] = set()
    for kind, (leaf, *chain) in identity.chains.items():
        _use_pair(context, leaf, identity.keys[kind])
        for each in chain:
            if each not in sent:
                context.add_extra_chain_cert(each)
                sent.add(each)
    if options.trusted_ca is not None:
        _trust(context, read_certificates(options.trusted_ca, "trusted_ca"), options.tls_crl)
    if options.mutual is not False:
        demand = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if options.mutual is True else 0
        context.set_verify(SSL.VERIFY_PEER | demand, remember_refusal)
        context.set_verify_depth(options.depth)
    return context


def _choose_protocol(_connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    """Choose HTTP/1.1 for a client that offers it by ALPN; with one that does not, go on as if it had not asked."""
    return _HTTP if _HTTP in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _certificate_options(options: ServerOptions) -> CertificateOptions:
    versions: dict[str, Any] = {"raiseMinimumTo": TLSVersion.TLSv1_2}
    if "TLSv12" not in options.versions:
        versions["raiseMinimumTo"] = TLSVersion.TLSv1_3
    if "TLSv13" not in options.versions:
        versions["lowerMaximumSecurityTo"] = TLSVersion.TLSv1_2
    try:
        return CertificateOptions(
            acceptableCiphers=AcceptableCiphers.fromOpenSSLCipherString(options.ciphers or DEFAULT_CIPHERS),
            enableSessions=True,
            enableSessionTickets=True,
            **versions,
        )
    except (ValueError, SSL.Error) as error:
        raise TlsError(
            "cipher_list", "names no cipher suite that OpenSSL knows", "write names as: openssl ciphers -v prints them"
        ) from error


def _use_pair(context: SSL.Context, certificate: x509.Certificate, key: Any) -> None:
    part = "certificate"
    try:
        context.use_certificate(certificate)
        part = "certificate_key"
        context.use_privatekey(key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        reason = str(error) if isinstance(error, TypeError) else ", ".join(each[2] for each in error.args[0])
        raise TlsError(
            part, f"is refused by OpenSSL ({reason})", "use an ECDSA P-256 or an RSA key of at least 2048 bits"
        ) from error


def _trust(context: SSL.Context, authorities: list[x509.Certificate], tls_crl: str | None) -> None:
    store: Any = context.get_cert_store()
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(authority)
    if tls_crl is not None:
        for revocations in read_revocation_lists(tls_crl):
            store.add_crl(revocations)
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
