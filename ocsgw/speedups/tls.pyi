SOURCES: str

class Functions:
    """Functions of OpenSSL by their addresses, and the address at which a new `Shortcut` finds those it is about."""

    def __init__(
        self,
        places: int,
        ssl_read: int,
        ssl_write: int,
        bio_read: int,
        bio_write: int,
        shake: int,
        shutdown: int,
        get_error: int,
    ) -> None: ...

class Records:
    """Follows a stream by the headers of its records, which are not encrypted."""

    def is_one(self, data: bytes) -> bool: ...

class Shortcut:
    """What a connection does in one call each: a step of its handshake, a whole record, an answer, its end."""

    def __init__(self, connection: object, functions: Functions, records: object) -> None: ...
    def shake(self, data: bytes) -> bytes | int | None: ...
    def read(self) -> bytes | int | None: ...
    def open(self, data: bytes) -> bytes | int | None: ...
    def seal(self, data: bytes) -> bytes | int: ...
    def outgoing(self) -> bytes: ...
    def end(self) -> int: ...
