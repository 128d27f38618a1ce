"""Why a database cannot be connected to: the words of its own library, which name host and port, and what to do."""

import psycopg

# By what stands in such a text. There are no values of rows in it, and never the password.
_HINTS = (
    (
        "certificate verify failed",
        "the certificate of the server is not from an authority in sslrootcert of [store] url, or has expired",
    ),
    ("does not match host name", "use a name of the certificate as host in [store] url"),
    ("server does not support SSL", "switch ssl on in postgresql.conf"),
    ("valid client certificate", "name certificate and key of this client with sslcert and sslkey in [store] url"),
    ("alert unknown ca", "the server does not know the authority of sslcert (ssl_ca_file in postgresql.conf)"),
    ("certificate authentication failed", "the server wants the user of [store] url as common name of sslcert"),
    ("no password supplied", "name a file with the password in [store] password_file"),
    ("password authentication failed", "look at the user in [store] url and at [store] password_file"),
    ("no pg_hba.conf entry", "let this client in with a line in pg_hba.conf of the server"),
    ("session is read-only", "no server of [store] url can be written to now; it is tried again"),
)


class NotConnectedError(psycopg.OperationalError):
    """There is no connection; the text says why and what to do, and may be shown as it is."""

    def __init__(self, error: psycopg.Error) -> None:
        text = " ".join(str(error).split())
        hints = [hint for part, hint in _HINTS if part in text]
        super().__init__("; ".join([text, *hints]))
