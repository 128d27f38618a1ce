"""What is wrong with certificates, keys and revocation lists before they are used (C38)."""

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from ocsgw.tls import TlsError
from ocsgw.tls.pem import (
    KeyPair,
    read_certificates,
    read_key,
    read_revocation_lists,
    subject_of,
)

_DAY = "%Y-%m-%d"
_MINUTE = "%Y-%m-%d %H:%M UTC"


def pair_problems(pair: KeyPair, now: datetime) -> Iterator[TlsError]:
    """Yield what is wrong with a certificate, its chain and its key at the time `now` (UTC)."""
    try:
        chain = read_certificates(pair.certificate, "certificate")
    except TlsError as error:
        chain = []
        yield error
    try:
        key = read_key(pair.certificate_key)
    except TlsError as error:
        key = None
        yield error
    for number, certificate in enumerate(chain, 1):
        which = "" if number == 1 else f"certificate {number} of the chain, {subject_of(certificate)}, "
        if certificate.not_valid_after_utc < now:
            yield TlsError(
                "certificate",
                f"{which}expired on {certificate.not_valid_after_utc:{_DAY}}",
                "renew it, then start again or reload",
            )
        elif certificate.not_valid_before_utc > now:
            yield TlsError(
                "certificate",
                f"{which}is not valid before {certificate.not_valid_before_utc:{_MINUTE}}",
                "check the clock of this machine, or use the old certificate until then",
            )
    if chain and key is not None and key.public_key() != chain[0].public_key():
        yield TlsError(
            "certificate_key",
            "does not belong to the certificate",
            "give the key that the certificate was made for; the certificate of the server comes first in its file",
        )


def authority_problems(trusted_ca: str, now: datetime) -> Iterator[TlsError]:
    """Yield what is wrong with a file of authorities; one that is valid is enough."""
    try:
        authorities = read_certificates(trusted_ca, "trusted_ca")
    except TlsError as error:
        yield error
        return
    if all(each.not_valid_after_utc < now for each in authorities):
        yield TlsError("trusted_ca", "has only authorities that have expired", "give the certificates now in use")


def revocation_problems(tls_crl: str, trusted_ca: str | None, now: datetime) -> Iterator[TlsError]:
    """Yield what is wrong with a file of revocation lists: with such a list OpenSSL would let nobody in."""
    try:
        lists = read_revocation_lists(tls_crl)
        authorities = read_certificates(trusted_ca, "trusted_ca") if trusted_ca is not None else []
    except TlsError as error:
        if error.part == "tls_crl":
            yield error
        return
    for each in lists:
        issuer = each.issuer.rfc4514_string()
        if each.next_update_utc is not None and each.next_update_utc < now:
            yield TlsError(
                "tls_crl",
                f"has a list of {issuer} that was valid until {each.next_update_utc:{_MINUTE}}",
                "fetch the present list, then start again or reload",
            )
        if not any(_issued(authority, each) for authority in authorities):
            yield TlsError(
                "tls_crl",
                f"has a list of {issuer}, which no authority in trusted_ca has signed",
                "give the lists of the authorities in trusted_ca",
            )


def _issued(authority: x509.Certificate, revocations: x509.CertificateRevocationList) -> bool:
    if authority.subject != revocations.issuer:
        return False
    key = authority.public_key()
    try:
        return revocations.is_signature_valid(key)  # type: ignore[arg-type]  # another kind of key raises TypeError
    except TypeError:
        return False
