"""What is needed to connect: the address of `[store] url`, with what it leaves open."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ocsgw.store.engine import StoreSettings
from ocsgw.store.errors import StoreError

# Of what the address does not say: a server or a network that is gone is noticed within some ten seconds.
_DEFAULTS: dict[str, str] = {
    "application_name": "ocsgw",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


class Address:
    """Where the database is. `shown` is for people: it has no secrets."""

    def __init__(self, settings: StoreSettings) -> None:
        """Take the settings. Raises `StoreError` for an address that the driver does not take."""
        try:
            given = conninfo_to_dict(settings.url)
        except psycopg.ProgrammingError as error:
            raise StoreError(f"[store] url is not a valid address of PostgreSQL: {error}") from None
        options: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in given}
        # Texts travel as UTF-8, whatever the encoding of the database.
        options["client_encoding"] = "UTF8"
        if "connect_timeout" not in given:
            options["connect_timeout"] = max(1, round(settings.connect_timeout))
        if settings.password_file is not None:
            options["password"] = settings.password_file.value
        self.url = settings.url
        self.options = options
        hosts = str(given.get("host") or "the local socket").replace(",", ", ")
        self.shown = f"{given.get('dbname') or 'the database'} on {hosts}"
