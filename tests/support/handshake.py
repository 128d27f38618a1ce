"""TLS in memory: a client of the standard library against our contexts, byte by byte without a socket."""

import ssl
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL

from ocsgw.tls.server import ServerContexts
from tests.support.certificates import Issued

# What the standard library means by it.
_DER = 2


def client_context(trusted: str | None = None, certificate: Issued | None = None, folder: str = "") -> ssl.SSLContext:
    """Return a client that trusts an authority (None: anybody), perhaps with a certificate of its own.

    It offers protocols as browsers and curl do.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.check_hostname = trusted is not None
    if trusted is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=trusted)
    if certificate is not None:
        path = f"{folder}/client-{certificate.certificate.serial_number}.pem"
        with open(path, "w", encoding="ascii") as file:
            file.write(certificate.pem + certificate.key_pem)
        context.load_cert_chain(path)
    return context


@dataclass
class Met:
    """Both ends of a connection after the handshake."""

    client: ssl.SSLObject
    server: SSL.Connection
    pump: Any

    @property
    def chain(self) -> list[bytes]:
        """The certificates that the server has sent, DER."""
        return [each.public_bytes(_DER) for each in self.client._sslobj.get_unverified_chain()]  # type: ignore[attr-defined]


def meet(contexts: ServerContexts, client: ssl.SSLContext, name: str | None = "localhost", session: Any = None) -> Met:
    """Let a client and a server shake hands. Raises what either side raises."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(incoming, outgoing, server_hostname=name, session=session)
    ours = contexts.connection()
    ours.set_accept_state()

    def pump() -> None:
        data = outgoing.read()
        if data:
            ours.bio_write(data)
        try:
            incoming.write(ours.bio_read(1 << 16))
        except SSL.WantReadError:
            return

    done = {"client": False, "server": False}
    for _ in range(10):
        for which, act, waits in (
            ("client", theirs.do_handshake, ssl.SSLWantReadError),
            ("server", ours.do_handshake, SSL.WantReadError),
        ):
            if not done[which]:
                try:
                    act()
                    done[which] = True
                except waits:
                    pass
            pump()
        if all(done.values()):
            break
    # Tickets of TLS 1.3 come after the handshake.
    ours.send(b"hello")
    pump()
    assert theirs.read(5) == b"hello"
    return Met(theirs, ours, pump)
