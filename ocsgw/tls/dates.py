"""Until when certificates and revocation lists are good."""

from typing import NamedTuple

from ocsgw.tls.pem import read_certificates, read_revocation_lists, subject_of


class GoodUntil(NamedTuple):
    """One certificate or list: `what` it is in words, and until when it is good, in seconds since 1970 UTC."""

    what: str
    end: float


def ends_of_certificates(pem: str) -> list[GoodUntil]:
    """Return the ends of all certificates in a PEM text. Raises `TlsError`."""
    return [
        GoodUntil(f"The certificate of {subject_of(each)}", each.not_valid_after_utc.timestamp())
        for each in read_certificates(pem, "certificate")
    ]


def ends_of_revocation_lists(pem: str) -> list[GoodUntil]:
    """Return the ends of all revocation lists in a PEM text that have one. Raises `TlsError`."""
    return [
        GoodUntil(f"The revocation list of {each.issuer.rfc4514_string()}", each.next_update_utc.timestamp())
        for each in read_revocation_lists(pem)
        if each.next_update_utc is not None
    ]
