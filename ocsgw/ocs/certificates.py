"""The certificates of a configuration: what is wrong with them, in the words of its file (C38)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ocsgw.config import PemFile, Section
from ocsgw.tls import TlsError

_PAIR = ("certificate", "certificate_key")
_OUTGOING = ("pre_dial_validation", "notifications")


def check_certificates(document: Section) -> None:
    """Report certificates that have expired, do not fit their key, or cannot be used, of listeners and outgoing calls.

    What could not be read is reported already; everything else is judged in the same run (C3).
    """
    with_files = [
        section
        for listener in document.tables("listener")
        for section in (*listener.tables("tls"), *listener.tables("sni_certificate"))
    ]
    with_files += [section for kind in _OUTGOING for section in document.tables(kind)]
    if any(_text(section, key) is not None for section in with_files for key in (*_PAIR, "trusted_ca", "tls_crl")):
        now = datetime.now(UTC)
        sound = {id(section) for section in with_files if not _report(section, _file_problems(section, now))}
        for listener in document.tables("listener"):
            parts = (*listener.tables("tls"), *listener.tables("sni_certificate"))
            if parts and all(id(each) in sound and each.sound(*_PAIR) for each in parts):
                _try_contexts(*parts)


def _file_problems(section: Section, now: datetime) -> Iterable[TlsError]:
    # OpenSSL is loaded only where TLS is used.
    from ocsgw.tls.checks import authority_problems, pair_problems, revocation_problems  # noqa: PLC0415
    from ocsgw.tls.pem import KeyPair  # noqa: PLC0415

    certificate, key = _text(section, "certificate"), _text(section, "certificate_key")
    trusted_ca, tls_crl = _text(section, "trusted_ca"), _text(section, "tls_crl")
    if certificate is not None and key is not None:
        yield from pair_problems(KeyPair(certificate, key), now)
    if trusted_ca is not None:
        yield from authority_problems(trusted_ca, now)
    if tls_crl is not None and "trusted_ca" not in section.spoiled:
        yield from revocation_problems(tls_crl, trusted_ca, now)


def _try_contexts(tls: Section, *further: Section) -> None:
    """Make the contexts of a listener, as its HTTP Proxy will."""
    from ocsgw.tls.pem import KeyPair  # noqa: PLC0415 - as above
    from ocsgw.tls.server import ServerContexts, ServerOptions  # noqa: PLC0415 - as above

    if not tls.sound("sec_protocol", "cipher_list", "tls_mutual", "trusted_ca", "tls_crl", "verify_depth"):
        return
    common: dict[str, Any] = {
        "trusted_ca": _text(tls, "trusted_ca"),
        "tls_crl": _text(tls, "tls_crl"),
        "mutual": tls["tls_mutual"],
        "versions": tls["sec_protocol"],
        "ciphers": tls["cipher_list"],
        "depth": tls["verify_depth"],
    }
    for section in (tls, *further):
        pair = KeyPair(section["certificate"].text, section["certificate_key"].text)
        try:
            ServerContexts(ServerOptions(pairs=(pair,), **common))
        except TlsError as error:
            _report(section if error.part in _PAIR else tls, [error])


def _report(section: Section, problems: Iterable[TlsError]) -> bool:
    """Report problems at the keys of a table; return whether there were any."""
    found = list(problems)
    for each in found:
        value = section.values.get(each.part)
        file = f"{value.path} " if isinstance(value, PemFile) else ""
        section.problem(each.part, f"{file}{each}", each.hint)
    return bool(found)


def _text(section: Section, key: str) -> str | None:
    value = section.values.get(key)
    return value.text if isinstance(value, PemFile) else None
