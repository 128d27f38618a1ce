# cython: language_level=3, embedsignature=False
"""What a turn of the reactor needs: sockets read and written at once, without giving up the interpreter lock; the processor.

The sockets do not block.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "sys/socket.h":
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
        SOL_SOCKET
        SCM_RIGHTS
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    cmsghdr *CMSG_FIRSTHDR(msghdr *)
    cmsghdr *CMSG_NXTHDR(msghdr *, cmsghdr *)
    unsigned char *CMSG_DATA(cmsghdr *)
    size_t CMSG_LEN(size_t)
    Py_ssize_t recv(int, void *, size_t, int)
    Py_ssize_t recvmsg(int, msghdr *, int)
    Py_ssize_t c_send "send" (int, const void *, size_t, int)

cdef extern from *:
    """
    #include <string.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    #if defined(__linux__) && defined(SYS_sched_setattr)
    /* sched_setattr(2); C libraries before 2025 have neither the structure nor the calls. */
    struct ocsgw_scheduling {
        unsigned int size, policy;
        unsigned long long flags;
        int nice;
        unsigned int priority;
        unsigned long long runtime, deadline, period;
        unsigned int least, most;
    };

    static int ocsgw_set_slice(unsigned long long nanoseconds)
    {
        struct ocsgw_scheduling attributes;
        memset(&attributes, 0, sizeof(attributes));
        if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) || attributes.policy)
            return 0;
        attributes.runtime = nanoseconds;
        return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
    }
    #else
    static int ocsgw_set_slice(unsigned long long nanoseconds)
    {
        return 0;
    }
    #endif
    """
    bint ocsgw_set_slice(unsigned long long)

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    # As much as Twisted reads at a time, and takes beside it.
    MOST = 65536
    # EPOLLIN and nothing else.
    READ = 1

# Where bytes and what comes beside them are read; used within one call, which holds the interpreter lock from its beginning
# to its end. A control message begins where a 64-bit integer may.
cdef uint8_t _read[MOST]
cdef uint64_t _beside[512]


cdef list _descriptors(msghdr *message):
    """Return the descriptors that came with a message, as bytes for each control message."""
    cdef list found = []
    cdef cmsghdr *control = CMSG_FIRSTHDR(message)
    while control is not NULL:
        if control.cmsg_level == SOL_SOCKET and control.cmsg_type == SCM_RIGHTS:
            found.append(PyBytes_FromStringAndSize(<const char *> CMSG_DATA(control), control.cmsg_len - CMSG_LEN(0)))
        control = CMSG_NXTHDR(message, control)
    return found


def receive_all(list events not None, dict selectables not None, dict streams not None, deal, give, end, fail):
    """Deal with the events of one turn of the reactor, which are pairs of descriptor and event.

    `streams` has the classes of connections that are read here, and whether descriptors may come over them. What such a
    connection has to read goes to its protocol, and each lot of descriptors before it to `give`, with the connection;
    `end` is called with one that has ended, and whether it was closed cleanly; `fail` with one whose protocol has
    raised, while the exception is being handled. All other events go to `deal`.
    """
    cdef Py_ssize_t size
    cdef int descriptor
    cdef msghdr message
    cdef iovec place
    memset(&message, 0, sizeof(message))
    place.iov_base, place.iov_len = _read, MOST
    for event in events:
        selectable = selectables.get((<tuple> event)[0])
        if selectable is None:
            # Somebody before it has closed it.
            continue
        carries = streams.get(type(selectable))
        if carries is None or (<tuple> event)[1] != READ:
            deal(selectable, (<tuple> event)[0], (<tuple> event)[1])
            continue
        descriptor = (<tuple> event)[0]
        message.msg_controllen = 0
        if carries is True:
            message.msg_iov, message.msg_iovlen = &place, 1
            message.msg_control, message.msg_controllen = _beside, sizeof(_beside)
            size = recvmsg(descriptor, &message, MSG_DONTWAIT)
        else:
            size = recv(descriptor, _read, MOST, MSG_DONTWAIT)
        if size < 0:
            if errno != EAGAIN and errno != EINTR:
                end(selectable, False)
            continue
        try:
            if message.msg_controllen:
                # A protocol may have us read again before it returns.
                data = PyBytes_FromStringAndSize(<const char *> _read, size)
                for lot in _descriptors(&message):
                    give(selectable, lot)
                if data:
                    selectable.protocol.dataReceived(data)
            elif size:
                selectable.protocol.dataReceived(PyBytes_FromStringAndSize(<const char *> _read, size))
        except BaseException:
            fail(selectable)
            continue
        if not size:
            end(selectable, True)


def send(int descriptor, bytes data not None):
    """Send what the socket takes at once; return how many bytes, 0 if it takes none or is lost."""
    cdef Py_ssize_t sent = c_send(descriptor, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL)
    return sent if sent > 0 else 0


def set_slice(unsigned long long nanoseconds):
    """Have the scheduler of Linux give this thread slices of such a length; return whether it takes that.

    Kernels before 6.12 take it and do as before. A thread with another policy than the usual one keeps what it has.
    """
    return ocsgw_set_slice(nanoseconds)
