"""Why a handshake failed, in the words of operators."""

from typing import Any

from OpenSSL import SSL
from twisted.python.failure import Failure

from ocsgw.tls.client_names import UnreadableCertificateError, client_certificate
from ocsgw.tls.pem import subject_of

# Numbers of X509_verify_cert_error: what is wrong with a client certificate.
_REFUSALS = {
    2: "its issuer is not in trusted_ca",
    3: "tls_crl has no list of its issuer",
    9: "it is not valid yet",
    10: "it has expired",
    12: "the list in tls_crl has expired; fetch the present one and reload",
    18: "it is self-signed",
    19: "its authority is not in trusted_ca",
    20: "its issuer is not in trusted_ca",
    21: "its issuer is not in trusted_ca",
    22: "its chain is longer than verify_depth allows",
    23: "it has been revoked",
    26: "it is not for clients",
}
# Part of what OpenSSL says -> what it means here.
_REASONS = {
    "http request": "the client spoke plain HTTP; it must use https",
    "https proxy request": "the client took this port for an HTTP proxy",
    "wrong version number": "the client did not speak TLS",
    "packet length too long": "the client did not speak TLS",
    "record layer failure": "the client did not speak TLS",
    "unsupported protocol": "the client offers no version of TLS that sec_protocol allows",
    "version too low": "the client offers no version of TLS that sec_protocol allows",
    "no shared cipher": "the client offers no cipher suite that cipher_list allows",
    "peer did not return a certificate": "the client has sent no certificate, and tls_mutual = true needs one",
    "alert handshake failure": "the client accepts none of our certificates, cipher suites or versions of TLS",
    "alert unknown ca": "the client does not trust the authority of our certificate",
    "alert bad certificate": "the client refuses our certificate",
    "alert certificate unknown": "the client refuses our certificate",
    "alert certificate expired": "the client says that our certificate has expired",
}


class ServerConnection(SSL.Connection):
    """The TLS state of one connection; `refusal` is why the client's certificate was refused, None if it was not."""

    refusal: str | None = None


def remember_refusal(connection: Any, certificate: Any, error: int, depth: int, is_good: int) -> bool:
    """Take OpenSSL's judgement of one certificate of a chain as it is, and remember why it was bad."""
    if not is_good:
        what = "its certificate" if depth == 0 else f"authority {depth} above its certificate"
        why = _REFUSALS.get(error, f"verification error {error}")
        try:
            with client_certificate():
                whose = subject_of(certificate.to_cryptography())
        except UnreadableCertificateError as problem:
            whose = f"which cannot be read ({problem})"
        connection.refusal = f"{what}, {whose}, is refused: {why}"
    return bool(is_good)


def problem_in(handle: Any, text: str) -> str | None:
    """Return why a handshake failed, from what OpenSSL has said; None if the text says nothing of a handshake."""
    if isinstance(handle, ServerConnection) and handle.refusal is not None:
        return handle.refusal
    return next((words for part, words in _REASONS.items() if part in text), None)


def handshake_problem(handle: ServerConnection | None, reason: Failure) -> str | None:
    """Return why a handshake failed, None if the client just went away."""
    if handle is not None and handle.refusal is not None:
        return handle.refusal
    if not isinstance(reason.value, SSL.Error) or isinstance(reason.value, SSL.ZeroReturnError):
        return None
    errors = reason.value.args[0] if reason.value.args else []
    said = errors[-1][2] if errors and isinstance(errors, list) else "no reason given"
    return next((words for part, words in _REASONS.items() if part in said), _other_words(said))


def _other_words(said: str) -> str:
    """Return what an operator makes of a reason that has no words here."""
    _, is_alert, name = said.partition("alert ")
    if is_alert:
        return f'the client gave up with the TLS alert "{name}"; its own log may say why'
    return f"the client sent what TLS does not allow there ({said}); it is faulty, or a scanner"
