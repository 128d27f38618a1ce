"""Which client certificates a listener takes, by their names (configuration.md section 4)."""

from typing import TYPE_CHECKING

from ocsgw.protocol.messages import TlsSettings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def names_of(certificate: "Certificate") -> frozenset[str]:
    """Return the names of a certificate in lower case: host names, addresses, and its common name."""
    from cryptography import x509  # noqa: PLC0415 - only where TLS is used

    names = {str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)}
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        others = None
    if others is not None:
        names.update(others.get_values_for_type(x509.DNSName))
        names.update(str(address) for address in others.get_values_for_type(x509.IPAddress))
    return frozenset(name.lower() for name in names)


def is_accepted(tls: TlsSettings, certificate: "Certificate", peer: str) -> bool:
    """Whether a verified certificate may be used by a client at the address `peer`.

    With the check `host` its name has to be that address or one of `client_names`; else one of `client_names`, if
    there are any.
    """
    accepted = {name.lower() for name in tls.client_names}
    if tls.tls_target_name_check == "host":
        accepted.add(peer.lower())
    return not accepted or not accepted.isdisjoint(names_of(certificate))
