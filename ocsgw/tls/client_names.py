"""What the certificates of clients say, and which a listener takes by their names (configuration.md section 4)."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address

from cryptography.x509 import Certificate

from ocsgw.tls.pem import names_of


class UnreadableCertificateError(Exception):
    """A certificate of a client that does not keep to the form of certificates; the message says what is wrong."""


@contextmanager
def client_certificate() -> Iterator[None]:
    """Read in here what a client has made: anything may be in it. Raises `UnreadableCertificateError`.

    `cryptography` reads a certificate where it is asked for a part of it, and has an exception for each part; what it
    merely warns of is not our business.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:
            raise UnreadableCertificateError(str(error) or type(error).__name__) from error


def is_accepted(certificate: Certificate, peer: str, client_names: Iterable[str], *, by_address: bool) -> bool:
    """Whether a verified certificate may be used by a client at the address `peer`.

    With the check `by_address` its name has to be that address or one of `client_names`; else one of `client_names`, if
    there are any.
    """
    accepted = {name.lower() for name in client_names}
    if by_address:
        accepted.add(_plain_address(peer))
    return not accepted or not accepted.isdisjoint(names_of(certificate))


def _plain_address(peer: str) -> str:
    """Return an address as certificates name it: an IPv4 client of an IPv6 port is an IPv4 client."""
    address = ip_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
