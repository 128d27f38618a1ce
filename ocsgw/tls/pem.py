"""Certificates, keys and revocation lists from PEM text."""

import re
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ocsgw.tls import TlsError

_REVOCATION_LIST = re.compile(r"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM texts: a certificate with its chain, and its private key, which is not shown."""

    certificate: str
    certificate_key: str = field(repr=False)


def read_certificates(pem: str, part: str) -> list[x509.Certificate]:
    """Return the certificates in a PEM text, at least one. Raises `TlsError`."""
    try:
        return x509.load_pem_x509_certificates(pem.encode("utf-8"))
    except ValueError as error:
        raise TlsError(
            part, "has no readable certificate", 'give a PEM file with "-----BEGIN CERTIFICATE-----"'
        ) from error


def read_key(pem: str) -> Any:
    """Return the private key in a PEM text. Raises `TlsError`."""
    try:
        return load_pem_private_key(pem.encode("utf-8"), None)
    except TypeError as error:
        raise TlsError(
            "certificate_key", "is protected by a passphrase", "take it off with: openssl pkey -in OLD -out NEW"
        ) from error
    except ValueError as error:
        raise TlsError(
            "certificate_key", "has no readable private key", 'give a PEM file with "-----BEGIN PRIVATE KEY-----"'
        ) from error


def read_revocation_lists(pem: str) -> list[x509.CertificateRevocationList]:
    """Return the revocation lists in a PEM text, at least one. Raises `TlsError`."""
    try:
        found = [x509.load_pem_x509_crl(each.encode("utf-8")) for each in _REVOCATION_LIST.findall(pem)]
    except ValueError:
        found = []
    if not found:
        raise TlsError("tls_crl", "has no readable revocation list", 'give a PEM file with "-----BEGIN X509 CRL-----"')
    return found


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the names of a certificate in lower case: host names, addresses, and its common name."""
    names = {str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)}
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        others = None
    if others is not None:
        names.update(others.get_values_for_type(x509.DNSName))
        names.update(str(address) for address in others.get_values_for_type(x509.IPAddress))
    return frozenset(name.lower() for name in names)


def subject_of(certificate: x509.Certificate) -> str:
    """Return the name of the owner of a certificate: its subject, or without one its first other name (H321)."""
    return certificate.subject.rfc4514_string() or next(iter(sorted(names_of(certificate))), "")
