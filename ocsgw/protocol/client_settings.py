"""What HTTP Proxy needs for outgoing calls (protocol.md section 7)."""

from typing import Literal

import msgspec


class ClientTlsSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """TLS of outgoing calls, as PEM text."""

    trusted_ca: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None
    minimum: Literal["TLSv12", "TLSv13"] = "TLSv12"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"  # the key is secret


class ClientSettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Outgoing HTTP.

    `headers` are further ones of every call (O7); with a `signing_key` calls are signed in the form of Standard
    Webhooks.
    """

    response_timeout_ms: int
    pool_size: int
    tls: ClientTlsSettings | None = None
    http_proxy: str | None = None
    signing_key: str | None = None
    headers: list[tuple[str, str]] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"  # headers may be secret
