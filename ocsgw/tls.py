"""TLS of listeners: contexts from PEM text, checks of certificates and keys, and the names of those who call.

Certificates and keys go into a context as objects of `cryptography`; a context in use is never changed.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# Forward-secret suites with authenticated encryption, for TLS 1.2.
DEFAULT_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsError(Exception):
    """A certificate, key or list cannot be used; `part` is the option concerned."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


def read_certificates(pem: str, part: str) -> list["Certificate"]:
    """Return the certificates in a PEM text, at least one. Raises `TlsError`."""
    from cryptography import x509  # noqa: PLC0415 - only where TLS is used

    try:
        return x509.load_pem_x509_certificates(pem.encode("utf-8"))
    except ValueError as error:
        raise TlsError(part, f"has no readable certificate ({error})") from error


def read_key(pem: str) -> Any:
    """Return the private key in a PEM text. Raises `TlsError`."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    try:
        return load_pem_private_key(pem.encode("utf-8"), None)
    except (ValueError, TypeError) as error:
        raise TlsError("certificate_key", f"has no readable key without a passphrase ({error})") from error


def check_pair(certificate_pem: str, key_pem: str, now: datetime) -> None:
    """Raise `TlsError` unless the certificate is valid now and fits its key (C38)."""
    certificate = read_certificates(certificate_pem, "certificate")[0]
    key = read_key(key_pem)
    if certificate.not_valid_after_utc < now:
        raise TlsError("certificate", f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > now:
        raise TlsError("certificate", f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    if key.public_key() != certificate.public_key():
        raise TlsError("certificate_key", "does not belong to the certificate")


@implementer(IOpenSSLContextFactory)
class ServerContext:
    """Makes the context of a listener once (C35, section 4 of configuration.md)."""

    def __init__(
        self,
        *,
        certificate: str,
        certificate_key: str,
        trusted_ca: str | None,
        tls_crl: str | None,
        mutual: bool | str,
        versions: list[str],
        ciphers: str | None,
    ) -> None:
        from OpenSSL import SSL, crypto  # noqa: PLC0415 - only where TLS is used

        chain = read_certificates(certificate, "certificate")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION if "TLSv12" in versions else SSL.TLS1_3_VERSION)
        context.set_max_proto_version(SSL.TLS1_3_VERSION if "TLSv13" in versions else SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        try:
            context.set_cipher_list((ciphers or DEFAULT_CIPHERS).encode("ascii", errors="replace"))
        except SSL.Error as error:
            raise TlsError("cipher_list", f"is refused by OpenSSL ({error})") from error
        context.use_certificate(chain[0])
        for intermediate in chain[1:]:
            context.add_extra_chain_cert(intermediate)
        try:
            context.use_privatekey(read_key(certificate_key))
            context.check_privatekey()
        except SSL.Error as error:
            raise TlsError("certificate_key", "does not belong to the certificate") from error
        context.set_session_id(b"ocsgw")
        if trusted_ca is not None:
            store: Any = context.get_cert_store()
            for authority in read_certificates(trusted_ca, "trusted_ca"):
                store.add_cert(crypto.X509.from_cryptography(authority))
            if tls_crl is not None:
                _add_revocations(store, tls_crl)
        if mutual is not False:
            demand = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if mutual is True else 0)
            context.set_verify(demand)
        self._context = context

    def getContext(self) -> Any:
        """Return the context, as Twisted asks for it."""
        return self._context


def _add_revocations(store: Any, pem: str) -> None:
    from cryptography import x509  # noqa: PLC0415 - only where TLS is used
    from OpenSSL import crypto  # noqa: PLC0415 - as above

    try:
        store.add_crl(x509.load_pem_x509_crl(pem.encode("utf-8")))
    except ValueError as error:
        raise TlsError("tls_crl", f"has no readable revocation list ({error})") from error
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)


def verified_name(transport: Any) -> str | None:
    """Return the subject of the client certificate that the handshake has verified, None without one (H321)."""
    peer = transport.getPeerCertificate()
    if peer is None:
        return None
    certificate: Certificate = peer.to_cryptography()
    return certificate.subject.rfc4514_string()


def utc_now() -> datetime:
    """Return the time by which certificates are judged."""
    return datetime.now(UTC)
