"""TLS: certificates and keys from PEM text, what is wrong with them, and the contexts of servers and clients.

Certificates and keys go into contexts as objects of `cryptography`. A context in use is never changed: new files make
new contexts, which later connections get (P101). The modules of this room load OpenSSL; they are imported only where
TLS is used.
"""


class TlsError(Exception):
    """A certificate, key or list cannot be used; `part` is the option concerned, `hint` says what to do."""

    def __init__(self, part: str, text: str, hint: str) -> None:
        super().__init__(text)
        self.part = part
        self.hint = hint
