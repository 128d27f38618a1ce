"""TLS of the listeners that OCS itself opens: those of protocol `ocs` and `admin`."""

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from ocsgw.config import Listener, ServerCertificate, Tls

if TYPE_CHECKING:
    from ocsgw.tls.server import ServerContexts


@implementer(IOpenSSLServerConnectionCreator)
class ListenerContexts:
    """Gives each new connection the contexts in force; a connection keeps those that it began with (P101)."""

    def __init__(self, tls: Tls, further: tuple[ServerCertificate, ...]) -> None:
        self._made_of = tls, further
        self._contexts = _contexts_of(tls, further)

    @classmethod
    def of(cls, listener: Listener) -> "ListenerContexts | None":
        """Return the contexts of a listener, None without TLS."""
        return cls(listener.tls, listener.sni_certificates) if listener.tls is not None else None

    def use(self, listener: Listener) -> None:
        """Give contexts of these files from now on; those that are the same keep the sessions of clients."""
        if listener.tls is not None and (listener.tls, listener.sni_certificates) != self._made_of:
            self._made_of = listener.tls, listener.sni_certificates
            self._contexts = _contexts_of(*self._made_of)

    def wrapped(self, factory: Any, clock: Any) -> Any:
        """Return a factory whose connections speak TLS and within it what `factory` makes; `clock` is the reactor."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - as below

        secure = TLSMemoryBIOFactory(self, False, factory, clock=clock)  # noqa: FBT003 - Twisted's order: a server
        secure.noisy = False
        return secure

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Return the state machine of a new connection."""
        return self._contexts.connection()


def _contexts_of(tls: Tls, further: tuple[ServerCertificate, ...]) -> "ServerContexts":
    # OpenSSL is loaded only where TLS is used.
    from ocsgw.tls.pem import KeyPair  # noqa: PLC0415
    from ocsgw.tls.server import ServerContexts, ServerOptions  # noqa: PLC0415

    others = (KeyPair(each.certificate.text, each.certificate_key.text) for each in further)
    return ServerContexts(
        ServerOptions(
            (KeyPair(tls.certificate.text, tls.certificate_key.text), *others),
            trusted_ca=tls.trusted_ca.text if tls.trusted_ca is not None else None,
            tls_crl=tls.tls_crl.text if tls.tls_crl is not None else None,
            mutual=tls.tls_mutual,
            versions=tuple(tls.sec_protocol),
            ciphers=tls.cipher_list,
            depth=tls.verify_depth,
        )
    )
