# cython: language_level=3, embedsignature=False
"""Sockets as a turn of the reactor needs them: read and written at once, without giving up the interpreter lock.

Everything here is for sockets that do not block.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "sys/socket.h":
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
    Py_ssize_t recv(int, void *, size_t, int)
    Py_ssize_t c_send "send" (int, const void *, size_t, int)

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    # As much as Twisted reads at a time.
    MOST = 65536
    # EPOLLIN and nothing else.
    READ = 1

# Where bytes are read; used within one call, which holds the interpreter lock from its beginning to its end.
cdef uint8_t _read[MOST]


def receive_all(list events not None, dict selectables not None, tuple plain not None, deal, end, fail):
    """Deal with the events of one turn of the reactor, which are pairs of descriptor and event.

    What a connection of one of the classes `plain` has to read goes to its protocol; `end` is called with a connection that has
    ended, and whether it was closed cleanly; `fail` with one whose protocol has raised, while the exception is being
    handled. All other events go to `deal`.
    """
    cdef Py_ssize_t size
    cdef int descriptor
    for event in events:
        selectable = selectables.get((<tuple> event)[0])
        if selectable is None:
            # Somebody before it has closed it.
            continue
        if type(selectable) not in plain or (<tuple> event)[1] != READ:
            deal(selectable, (<tuple> event)[0], (<tuple> event)[1])
            continue
        descriptor = (<tuple> event)[0]
        size = recv(descriptor, _read, MOST, MSG_DONTWAIT)
        if size > 0:
            try:
                selectable.protocol.dataReceived(PyBytes_FromStringAndSize(<const char *> _read, size))
            except BaseException:
                fail(selectable)
        elif size == 0:
            end(selectable, True)
        elif errno != EAGAIN and errno != EINTR:
            end(selectable, False)


def send(int descriptor, bytes data not None):
    """Send what the socket takes at once; return how many bytes, 0 if it takes none or is lost."""
    cdef Py_ssize_t sent = c_send(descriptor, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL)
    return sent if sent > 0 else 0
