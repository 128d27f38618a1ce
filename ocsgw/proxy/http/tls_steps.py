"""The steps of a TLS connection in memory: bytes of the client in, data of the application out, and back.

pyOpenSSL makes a buffer of 32 KiB for each step, asks after each what was wrong, also where the result says that
nothing was, and raises an exception where more bytes are needed, which is the usual end of a step; that takes longer
than the cryptography of a request and its answer. `QuickSteps` calls OpenSSL as pyOpenSSL does, and asks it only where
a step has failed; a `Shortcut`, where that is compiled, does several of them in one call. The inside of pyOpenSSL is
not public: where it is another one, `Steps` uses what is.
"""

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL

from ocsgw import speedups

try:
    from OpenSSL._util import ffi, lib

    _bio_read, _bio_write, _ssl_read, _ssl_write = lib.BIO_read, lib.BIO_write, lib.SSL_read, lib.SSL_write
    _shake, _error = lib.SSL_do_handshake, lib.SSL_get_error
    _want_read, _ended = lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_ZERO_RETURN
except (ImportError, AttributeError):  # pragma: no cover - with another pyOpenSSL
    ffi = None

# Type, version and length; the type of records with data of an application, and in TLS 1.3 of all encrypted ones.
_HEADER = 5
_APPLICATION_DATA = 23
# What a record may carry (RFC 8446 section 5.1), and more than one takes with all that is around it.
LARGEST = 1 << 14
_ROOM = LARGEST + 512
# Used within one step, in the reactor's thread.
_buffer: Any = ffi.new("char[]", _ROOM) if ffi is not None else None
_bytes: Any = ffi.buffer(_buffer) if ffi is not None else None
# The SSL and the BIOs of a connection, by which a short cut is made of it.
_places: Any = ffi.new("void *[3]") if ffi is not None else None
_FUNCTIONS = ("SSL_read", "SSL_write", "BIO_read", "BIO_write", "SSL_do_handshake", "SSL_shutdown", "SSL_get_error")
# What pyOpenSSL's connections have inside.
_INSIDE = ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error")


if TYPE_CHECKING or not speedups.is_used():

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
            if self._header:
                data = self._header + data
            at, size = self._missing, len(data)
            while at + _HEADER <= size:
                at += _HEADER + (data[at + 3] << 8 | data[at + 4])
            self._missing = at - size if at > size else 0
            self._header = data[at:]

else:
    from ocsgw.speedups.tls import Records

if TYPE_CHECKING or speedups.is_used():
    from ocsgw.speedups.tls import Functions, Shortcut


class Steps:
    """The steps by what pyOpenSSL promises; all raise `SSL.Error` if the connection cannot go on."""

    @staticmethod
    def put(connection: Any, data: bytes) -> None:
        """Hand over bytes of the client."""
        connection.bio_write(data)

    @staticmethod
    def shake(connection: Any) -> bool:
        """Go on with the handshake; return whether it is complete."""
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    @staticmethod
    def taken(connection: Any) -> bytes | None:
        """Return data of one record; None: more bytes are needed. Empty where the client has ended its side."""
        try:
            data: bytes = connection.recv(_ROOM)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""
        return data

    @staticmethod
    def give(connection: Any, data: bytes) -> bool:
        """Take data for the client, LARGEST bytes at most; false: bytes of the client are needed first."""
        try:
            connection.send(data)
        except SSL.WantReadError:
            return False
        return True

    @staticmethod
    def outgoing(connection: Any) -> bytes:
        """Return what is to be sent, as much as one step makes at most."""
        try:
            data: bytes = connection.bio_read(_ROOM)
        except SSL.WantReadError:
            return b""
        return data

    @staticmethod
    def shortcut(connection: Any, records: Records) -> "Shortcut | None":
        """Return what does several steps at once; there is nothing that does."""
        return None


class QuickSteps(Steps):
    """The same, as pyOpenSSL does them inside."""

    @staticmethod
    def put(connection: Any, data: bytes) -> None:
        """Hand over bytes of the client."""
        if _bio_write(connection._into_ssl, data, len(data)) != len(data):  # noqa: SLF001
            connection.bio_write(data)

    @staticmethod
    def shake(connection: Any) -> bool:
        """Go on with the handshake; return whether it is complete."""
        result = _shake(connection._ssl)  # noqa: SLF001
        if result == 1:
            return True
        if _find_out(connection, result) == _ended:
            raise SSL.ZeroReturnError
        return False

    @staticmethod
    def taken(connection: Any) -> bytes | None:
        """Return data of one record; None: more bytes are needed. Empty where the client has ended its side."""
        size: int = _ssl_read(connection._ssl, _buffer, _ROOM)  # noqa: SLF001
        if size > 0:
            data: bytes = _bytes[:size]
            return data
        return why_none(connection, size)

    @staticmethod
    def give(connection: Any, data: bytes) -> bool:
        """Take data for the client, LARGEST bytes at most; false: bytes of the client are needed first."""
        result = _ssl_write(connection._ssl, data, len(data))  # noqa: SLF001
        if result == len(data):
            return True
        why_none(connection, result)
        return False

    @staticmethod
    def outgoing(connection: Any) -> bytes:
        """Return what is to be sent, as much as one step makes at most."""
        size: int = _bio_read(connection._from_ssl, _buffer, _ROOM)  # noqa: SLF001
        return _bytes[:size] if size > 0 else b""

    @staticmethod
    def shortcut(connection: Any, records: Records) -> "Shortcut | None":
        """Return what does several steps at once, where that is compiled."""
        if _functions is None:
            return None
        _places[0] = connection._ssl  # noqa: SLF001
        _places[1] = connection._into_ssl  # noqa: SLF001
        _places[2] = connection._from_ssl  # noqa: SLF001
        return Shortcut(connection, _functions, records)


def why_none(connection: Any, result: int) -> bytes | None:
    """Return what there is instead of data, as `QuickSteps.taken`: None, or empty where the client has ended its side.

    `result` is OpenSSL's. Raises `SSL.Error` if the connection cannot go on.
    """
    return b"" if _find_out(connection, result) == _ended else None


def _find_out(connection: Any, result: int) -> int:
    """Return why a step was not taken, if it needs more bytes or the client has ended its side; raise what is wrong."""
    reason: int = _error(connection._ssl, result)  # noqa: SLF001
    if reason not in (_want_read, _ended):
        connection._raise_ssl_error(connection._ssl, result)  # noqa: SLF001
    return reason


def steps_of(connection: SSL.Connection) -> type[Steps]:
    """Return the quickest steps that this pyOpenSSL has."""
    return QuickSteps if ffi is not None and all(hasattr(connection, name) for name in _INSIDE) else Steps


def _functions_of_openssl() -> "Functions | None":
    """Return the functions of OpenSSL that pyOpenSSL calls."""
    if ffi is None or not speedups.is_used():
        return None
    try:
        from cryptography.hazmat.bindings._rust import _openssl  # noqa: PLC0415 - not public

        functions = [ffi.addressof(_openssl.lib, name) for name in _FUNCTIONS]
        return Functions(*(int(ffi.cast("uintptr_t", each)) for each in (_places, *functions)))
    except (ImportError, AttributeError, TypeError):  # pragma: no cover - with another cryptography
        return None


_functions = _functions_of_openssl()
