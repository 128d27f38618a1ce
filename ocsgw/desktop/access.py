"""Who may use an `ocs` listener: the same keys and certificates as for HTTP listeners (http.md section 13, P86)."""

from collections.abc import Callable

from ocsgw.access.keys import KeyRing
from ocsgw.protocol.context import ANONYMOUS


class ClientAccess:
    """Knows who a client is.

    `keys` are those that count on the listener; `certificates` gives a principal to each subject of a client
    certificate, None takes every verified one. `has_certificates` says whether the listener asks for them. `wall_clock`
    is in seconds since 1970 UTC, for keys that expire.
    """

    def __init__(
        self,
        keys: KeyRing,
        certificates: dict[str, str] | None,
        wall_clock: Callable[[], float],
        *,
        has_certificates: bool,
        allow_anonymous: bool,
    ) -> None:
        self._keys = keys
        self._certificates = certificates
        self._wall_clock = wall_clock
        self._has_certificates = has_certificates
        self._allow_anonymous = allow_anonymous

    def principal_of(self, key: str | None, subject: str | None) -> str | None:
        """Return who a client with this API key and verified certificate is, None if nobody vouches for it.

        Where neither keys nor certificates are configured everybody may come; a key is ignored then (H345).
        """
        by_certificate = subject
        if self._certificates is not None:
            by_certificate = self._certificates.get(subject or "")
        if not self._keys and self._certificates is None:
            return by_certificate or ANONYMOUS
        if key is not None:
            by_key = self._keys.owner_of(b"Bearer " + key.encode(errors="replace"), self._wall_clock())
            if by_key is not None:
                return by_key
        if self._has_certificates and by_certificate is not None:
            return by_certificate
        return ANONYMOUS if self._allow_anonymous and key is None else None
