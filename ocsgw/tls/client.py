"""TLS of outgoing calls: the server is always verified, by its authority and by its name (outgoing.md O2)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    AcceptableCiphers,
    Certificate,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ocsgw.tls import TlsError
from ocsgw.tls.pem import KeyPair, read_certificates, read_key
from ocsgw.tls.server import DEFAULT_CIPHERS

# Contexts of so many hosts are kept; the configuration names few.
_HOSTS = 32


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """TLS of outgoing calls, files as PEM text.

    `trusted_ca` None: the authorities of the system. `pair` is for servers that ask for a certificate. `minimum` is the
    oldest version that is spoken.
    """

    trusted_ca: str | None = None
    pair: KeyPair | None = None
    minimum: Literal["TLSv12", "TLSv13"] = "TLSv12"


@implementer(IPolicyForHTTPS)
class ClientTls:
    """Makes the TLS side of outgoing connections, for `twisted.web.client.Agent` or with `for_host`.

    There is no way to switch the verification off. Raises `TlsError`.
    """

    def __init__(self, options: ClientOptions) -> None:
        self._trust = _trust_root(options.trusted_ca)
        self._options: dict[str, Any] = {
            "raiseMinimumTo": TLSVersion.TLSv1_3 if options.minimum == "TLSv13" else TLSVersion.TLSv1_2,
            "acceptableCiphers": AcceptableCiphers.fromOpenSSLCipherString(DEFAULT_CIPHERS),
            **(_own_certificate(options.pair) if options.pair is not None else {}),
        }
        self.for_host = lru_cache(_HOSTS)(self._make)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:  # noqa: N802 - Twisted's
        """Return what makes connections to a host name or address, as Twisted's HTTP client asks for it."""
        return self.for_host(hostname.decode("ascii"))

    def _make(self, host: str) -> IOpenSSLClientConnectionCreator:
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            host, self._trust, extraCertificateOptions=self._options
        )
        return creator


def _trust_root(trusted_ca: str | None) -> Any:
    if trusted_ca is None:
        return platformTrust()
    authorities = read_certificates(trusted_ca, "trusted_ca")
    return trustRootFromCertificates([Certificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in authorities])


def _own_certificate(pair: KeyPair) -> dict[str, Any]:
    certificate, *chain = read_certificates(pair.certificate, "certificate")
    key = read_key(pair.certificate_key)
    if key.public_key() != certificate.public_key():
        raise TlsError(
            "certificate_key", "does not belong to the certificate", "give the key that the certificate was made for"
        )
    return {"certificate": certificate, "privateKey": key, "extraCertChain": chain}
