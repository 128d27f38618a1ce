"""Records of TLS: where they end in a stream, and a short way through OpenSSL for those with data of an application.

pyOpenSSL makes a buffer of 32 KiB for each step of a record and asks each time what was wrong, also where the result
says that nothing was; that takes twice as long as the cryptography of a request and its answer. Here a step that does
not succeed returns None, and its caller takes the way of pyOpenSSL, which finds out why. The inside of pyOpenSSL is not
public: where it is another one, `has_short_way` is false.
"""

from typing import Any

from OpenSSL import SSL

try:
    from OpenSSL._util import ffi, lib

    _bio_read, _bio_write, _ssl_read, _ssl_write = lib.BIO_read, lib.BIO_write, lib.SSL_read, lib.SSL_write
except (ImportError, AttributeError):  # pragma: no cover - with another pyOpenSSL
    ffi = None

# Type, version and length; the type of records with data of an application, and in TLS 1.3 of all encrypted ones.
_HEADER = 5
_APPLICATION_DATA = 23
# What a record may carry (RFC 8446 section 5.1).
LARGEST = 1 << 14
# More than a record takes with all that is around it. The buffer is used within one step, in the reactor's thread.
_ROOM = LARGEST + 512
_buffer: Any = ffi.new("char[]", _ROOM) if ffi is not None else None
_bytes: Any = ffi.buffer(_buffer) if ffi is not None else None


class Records:
    """Follows a stream by the headers of its records, which are not encrypted."""

    __slots__ = ("_header", "_missing")

    def __init__(self) -> None:
        # What has come of a header, and how many bytes of the record behind a complete one are still to come.
        self._header = b""
        self._missing = 0

    def is_one(self, data: bytes) -> bool:
        """Take the next bytes; return whether they are exactly one record that may have data of an application."""
        if (
            not self._missing
            and not self._header
            and len(data) >= _HEADER
            and data[0] == _APPLICATION_DATA
            and (data[3] << 8 | data[4]) + _HEADER == len(data)
        ):
            return True
        self._follow(data)
        return False

    def _follow(self, data: bytes) -> None:
        data = self._header + data
        at = self._missing
        while at + _HEADER <= len(data):
            at += _HEADER + (data[at + 3] << 8 | data[at + 4])
        self._missing = max(0, at - len(data))
        self._header = data[at:]


def has_short_way(connection: SSL.Connection) -> bool:
    """Return whether the functions below know this pyOpenSSL."""
    return ffi is not None and all(hasattr(connection, name) for name in ("_ssl", "_into_ssl", "_from_ssl"))


def opened(connection: Any, record: bytes) -> bytes | None:
    """Return the data of a whole record that a connection receives; None: it is there, and `recv` says what it is."""
    if len(record) > _ROOM or _bio_write(connection._into_ssl, record, len(record)) != len(record):  # noqa: SLF001
        connection.bio_write(record)
        return None
    size: int = _ssl_read(connection._ssl, _buffer, _ROOM)  # noqa: SLF001
    return _bytes[:size] if size > 0 else None


def sealed(connection: Any, data: bytes) -> bytes | None:
    """Return the record that sends `data`, LARGEST bytes at most; None: nothing was sent, and `send` says why."""
    if len(data) > LARGEST or _ssl_write(connection._ssl, data, len(data)) != len(data):  # noqa: SLF001
        return None
    size: int = _bio_read(connection._from_ssl, _buffer, _ROOM)  # noqa: SLF001
    return _bytes[:size] if size > 0 else b""
