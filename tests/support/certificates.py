"""Authorities, certificates, keys and revocation lists, made when a test needs them."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with the chain above it, and its key, as PEM text."""

    certificate: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        """The certificate and its chain."""
        return "".join(each.public_bytes(Encoding.PEM).decode() for each in (self.certificate, *self.chain))

    @property
    def key_pem(self) -> str:
        """The private key."""
        raw: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return raw.decode()

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.pem and NAME.key, each in one step, as a careful operator does."""
        for suffix, text in ((".key", self.key_pem), (".pem", self.pem)):
            new = folder / f"{name}{suffix}.new"
            new.write_text(text, encoding="ascii")
            new.chmod(0o600)
            os.replace(new, folder / f"{name}{suffix}")


class Authority:
    """An authority; `above` is the one that has signed its own certificate, None for a root."""

    def __init__(self, name: str = "Test CA", above: "Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above = above
        signer = above or self
        self.name = _named(name)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
            .add_extension(_usage(is_authority=True), critical=True)
            .sign(signer.key, SHA256())
        )
        self.certificate = certificate
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        *names: str,
        subject: str | None = None,
        begin: datetime = NOW - DAY,
        end: datetime = NOW + 365 * DAY,
        key: Any = None,
    ) -> Issued:
        """Return a certificate for host names and addresses; `subject` is its common name, "" for none."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        common = subject if subject is not None else (names[0] if names else "localhost")
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(common))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(is_authority=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=not common
            )
        certificate = builder.sign(self.key, SHA256())
        return Issued(certificate, key, (self.certificate,) if self.above is not None else ())

    def revoke(self, *revoked: Issued, end: datetime = NOW + 30 * DAY) -> str:
        """Return a revocation list as PEM text."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(min(NOW, end) - DAY)
            .next_update(end)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.certificate.serial_number)
                .revocation_date(NOW - DAY)
                .build()
            )
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM).decode()


def rsa_key(size: int = 2048) -> Any:
    """Return a new RSA key."""
    return rsa.generate_private_key(65537, size)


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
