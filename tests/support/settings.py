"""Settings as OCS sends them to a proxy, for tests."""

from typing import Any

from ocsgw.protocol.messages import AliasSettings, HttpLimits, ListenerSettings, Settings


def make_settings(limits: HttpLimits | None = None, **changes: Any) -> Settings:
    """Return the settings of a plain listener, with changes."""
    values: dict[str, Any] = {
        "listener": ListenerSettings(id="default", interface="127.0.0.1", port=8080, public_host="ocs.example"),
        "encoding": None,
        "encoding_detect": True,
        "http_custom_headers": [],
        "keys": [],
        "limits": limits or HttpLimits(),
        "client": None,
        "error_codes": False,
        "log_level": "info",
        "retry_after": 1,
        "aliases": AliasSettings(),
    }
    return Settings(**{**values, **changes})
