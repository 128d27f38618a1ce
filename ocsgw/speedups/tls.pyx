# cython: language_level=3, embedsignature=False
"""The steps of a handshake, a record of TLS to what is in it, and an answer to its record: calls of OpenSSL, nothing else.

The functions of OpenSSL are those of whoever has made the connection, by their addresses.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uintptr_t

cdef extern from *:
    const char *OCSGW_SOURCES

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    # Type, version and length; the type of records with data of an application (RFC 8446 section 5.1).
    HEADER = 5
    APPLICATION_DATA = 23
    # More than a record takes.
    ROOM = 16896
    # openssl/ssl.h: more bytes are needed; the other side has ended TLS.
    SSL_ERROR_WANT_READ = 2
    SSL_ERROR_ZERO_RETURN = 6

# int (SSL *, void *, int), or with a BIO; int (SSL *); int (SSL *, int).
ctypedef int (*Step)(void *, const void *, int) noexcept nogil
ctypedef int (*Turn)(void *) noexcept nogil
ctypedef int (*Reason)(const void *, int) noexcept nogil

# Used within one call, which keeps the interpreter lock.
cdef char _buffer[ROOM]


cdef class Functions:
    """Functions of OpenSSL by their addresses, and the address at which a new `Shortcut` finds those it is about.

    These are three: of its SSL, of the BIO into it and of the one out of it.
    """

    cdef Step ssl_read, ssl_write, bio_read, bio_write
    cdef Turn shake, shutdown
    cdef Reason get_error
    cdef void **places

    def __init__(
        self,
        uintptr_t places,
        uintptr_t ssl_read,
        uintptr_t ssl_write,
        uintptr_t bio_read,
        uintptr_t bio_write,
        uintptr_t shake,
        uintptr_t shutdown,
        uintptr_t get_error,
    ):
        self.places = <void **> places
        self.ssl_read = <Step> ssl_read
        self.ssl_write = <Step> ssl_write
        self.bio_read = <Step> bio_read
        self.bio_write = <Step> bio_write
        self.shake = <Turn> shake
        self.shutdown = <Turn> shutdown
        self.get_error = <Reason> get_error


cdef class Records:
    """Follows a stream by the headers of its records, which are not encrypted."""

    # What has come of a header, and how many bytes of the record behind a complete one are still to come.
    cdef bytes header
    cdef Py_ssize_t missing

    def __cinit__(self):
        self.header = b""

    def is_one(self, bytes data not None):
        """Take the next bytes; return whether they are exactly one record that may have data of an application."""
        if self.has_one(data):
            return True
        self.follow(data)
        return False

    cdef bint has_one(self, bytes data):
        cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        return (
            self.missing == 0
            and size >= HEADER
            and at[0] == APPLICATION_DATA
            and (at[3] << 8 | at[4]) + HEADER == size
            and PyBytes_GET_SIZE(self.header) == 0
        )

    cdef int follow(self, bytes data) except -1:
        if PyBytes_GET_SIZE(self.header):
            data = self.header + data
        cdef const unsigned char *stream = <const unsigned char *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t at = self.missing
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        while at + HEADER <= size:
            at += HEADER + (stream[at + 3] << 8 | stream[at + 4])
        self.missing = at - size if at > size else 0
        self.header = data[at:]
        return 0


# The collector of garbage must not take the connection away from something that may still be called.
@cython.no_gc_clear
cdef class Shortcut:
    """What a connection does in one call each: a step of its handshake, a whole record, an answer, its end.

    `connection` is kept for as long as this: it owns what the addresses of its SSL and of its two BIOs stand for. A
    number that is returned is OpenSSL's result of a step that has failed.
    """

    cdef object connection
    cdef Functions functions
    cdef Records records
    cdef void *ssl
    cdef void *into
    cdef void *out

    def __init__(self, object connection, Functions functions not None, Records records not None):
        self.connection = connection
        self.functions = functions
        self.records = records
        self.ssl, self.into, self.out = functions.places[0], functions.places[1], functions.places[2]

    def shake(self, bytes data not None):
        """Hand over bytes of the client and go on with the handshake; return what is to be sent, None when it is complete.

        What is to be sent then is left to what comes next.
        """
        if not self.records.has_one(data):
            self.records.follow(data)
        self.put(data)
        cdef int result = self.functions.shake(self.ssl)
        if result == 1:
            return None
        if self.functions.get_error(self.ssl, result) != SSL_ERROR_WANT_READ:
            return result
        return self.outgoing()

    def read(self):
        """Return data of one record; None: more bytes are needed. Empty where the client has ended its side."""
        cdef int result = self.functions.ssl_read(self.ssl, _buffer, ROOM)
        if result > 0:
            return PyBytes_FromStringAndSize(_buffer, result)
        cdef int reason = self.functions.get_error(self.ssl, result)
        return None if reason == SSL_ERROR_WANT_READ else b"" if reason == SSL_ERROR_ZERO_RETURN else result

    def open(self, bytes data not None):
        """Return what is in bytes of the client, once the handshake is complete.

        None if they are not exactly one record: nothing was done with them. A number, OpenSSL's result, if they were
        handed over and there is no data in them.
        """
        if not self.records.has_one(data):
            return None
        self.put(data)
        cdef int result = self.functions.ssl_read(self.ssl, _buffer, ROOM)
        return PyBytes_FromStringAndSize(_buffer, result) if result > 0 else result

    def seal(self, bytes data not None):
        """Return what is to be sent for data of a record at most; a number, OpenSSL's result, if it takes none now."""
        cdef int size = <int> PyBytes_GET_SIZE(data)
        cdef int result = self.functions.ssl_write(self.ssl, PyBytes_AS_STRING(data), size)
        return self.outgoing() if result == size else result

    cpdef bytes outgoing(self):
        """Return what is to be sent, as much as one step makes at most."""
        cdef int size = self.functions.bio_read(self.out, _buffer, ROOM)
        return PyBytes_FromStringAndSize(_buffer, size if size > 0 else 0)

    def end(self):
        """End our side of TLS; return OpenSSL's result: 1 if both sides are ended, 0 if the client's is not."""
        return self.functions.shutdown(self.ssl)

    cdef int put(self, bytes data) except -1:
        cdef int size = <int> PyBytes_GET_SIZE(data)
        if self.functions.bio_write(self.into, PyBytes_AS_STRING(data), size) != size:
            raise MemoryError
        return 0
