"""Who may use an admin listener: the same keys and certificates as for HTTP listeners (http.md section 13)."""

from collections.abc import Callable

from twisted.web.server import Request

from ocsgw.access.keys import KeyRing


class AdminAccess:
    """Knows who sends a request.

    `keys` are those that count on the listener; `certificates` gives a principal to each subject of a client
    certificate, None takes every verified one. `wall_clock` is in seconds since 1970 UTC, for keys that expire.
    """

    def __init__(
        self, keys: KeyRing, certificates: dict[str, str] | None, wall_clock: Callable[[], float], *, verifies: bool
    ) -> None:
        self._keys = keys
        self._certificates = certificates
        self._wall_clock = wall_clock
        # Whether client certificates are asked for at all.
        self._verifies = verifies

    @property
    def is_open(self) -> bool:
        """Whether everybody who can connect may use it: no key and no certificate counts here (H340)."""
        return not self._keys and not self._verifies

    def principal_of(self, request: Request) -> str | None:
        """Return who sends a request, None if nobody vouches for the client. An open listener needs nobody."""
        if self.is_open:
            return ""
        by_key = self._keys.owner_of(request.getHeader(b"authorization"), self._wall_clock())
        return by_key if by_key is not None else self._by_certificate(request)

    def owner_of_digest(self, digest: bytes) -> str | None:
        """Return whose API key has this SHA-256, None if none that counts now has it."""
        return self._keys.owner_of_digest(digest, self._wall_clock())

    def _by_certificate(self, request: Request) -> str | None:
        transport = getattr(request.channel, "transport", None)
        find = getattr(transport, "getPeerCertificate", None)
        found = find() if self._verifies and find is not None else None
        if found is None:
            return None
        # OpenSSL is loaded only where TLS is used.
        from ocsgw.tls.client_names import UnreadableCertificateError, client_certificate  # noqa: PLC0415

        try:
            with client_certificate():
                subject = found.to_cryptography().subject.rfc4514_string()
        except UnreadableCertificateError:
            return None
        return subject if self._certificates is None else self._certificates.get(subject)
