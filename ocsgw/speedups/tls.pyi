SOURCES: str

class Functions:
    """OpenSSL's SSL_read, SSL_write, BIO_read and BIO_write, by their addresses."""

    def __init__(self, ssl_read: int, ssl_write: int, bio_read: int, bio_write: int) -> None: ...

class Records:
    """Follows a stream by the headers of its records, which are not encrypted."""

    def is_one(self, data: bytes) -> bool: ...

class Shortcut:
    """What an established connection does with a whole record, and with an answer."""

    def __init__(
        self, connection: object, functions: Functions, records: object, ssl: int, into: int, out: int
    ) -> None: ...
    def open(self, data: bytes) -> bytes | int | None: ...
    def seal(self, data: bytes) -> bytes | int: ...
