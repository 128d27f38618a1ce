# cython: language_level=3, embedsignature=False
"""The lane of usual requests through a connection of HTTP Proxy: from bytes of the client to the link, and back.

What `Lane` does is what `proxy/http/channel.py` and `proxy/link.py` do in several steps. Whatever is unusual about the
request, its connection, the link or the answer it declines, before it has changed anything.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from ocsgw.speedups.events cimport answer
from ocsgw.speedups.packing cimport Out, put_integer, put_text

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "sys/socket.h":
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
    Py_ssize_t c_send "send" (int, const void *, size_t, int)

SOURCES = OCSGW_SOURCES.decode("ascii")


# The target of an exchange whose head has not been judged.
cdef object _unknown = None


def know(target):
    """Use this as the target of a new exchange."""
    global _unknown
    _unknown = target


cdef enum:
    # A type byte, a length, and the digits of a number in a target.
    LONGEST_NUMBER = 32


cdef class HeadFields:
    """What is known of a head that has been read; see `proxy.http.whole`."""

    cdef readonly bytes raw
    cdef readonly Py_ssize_t begin
    cdef readonly Py_ssize_t end
    cdef readonly object request
    # Whether its requests may take the lane, and what is needed for that.
    cdef bint _is_usable
    cdef Py_ssize_t _size
    cdef object _line
    cdef object _head
    cdef object _target
    cdef object _key
    cdef object _request_id
    cdef object _frame
    cdef bytes _pairs
    cdef bint _is_handle
    cdef bint _is_plain

    def __init__(self, bytes raw not None, Py_ssize_t begin, Py_ssize_t end, request):
        if not 0 <= begin <= end <= PyBytes_GET_SIZE(raw) or end - begin + 2 > LONGEST_NUMBER:
            raise ValueError("no such place")
        self.raw, self.begin, self.end, self.request = raw, begin, end, request
        head, prepared = request.head, request.prepared
        if prepared is None or not prepared.is_judged:
            return
        translator = prepared.translator
        self._is_usable, self._size = True, PyBytes_GET_SIZE(raw) + head.content_length
        self._line, self._head, self._request_id = request.line, head, head.request_id
        self._target, self._key, self._is_plain = prepared.target, prepared.idempotency_key, prepared.is_plain
        self._frame, self._is_handle = translator.action.frame, translator.is_handle
        self._pairs = translator.pairs if begin == end else translator.before

    cdef bint _begins(self, bytes data) noexcept:
        """Whether a segment is a usual request with this head, or with this head but for its number."""
        cdef const uint8_t *at = <const uint8_t *> PyBytes_AS_STRING(data)
        cdef const uint8_t *raw = <const uint8_t *> PyBytes_AS_STRING(self.raw)
        cdef Py_ssize_t place
        if not self._is_usable or PyBytes_GET_SIZE(data) != self._size or memcmp(at, raw, self.begin) != 0:
            return False
        for place in range(self.begin, self.end):
            if not c"0" <= at[place] <= c"9":
                return False
        if self.begin < self.end and at[self.begin] == c"0":
            return False
        return memcmp(at + self.end, raw + self.end, PyBytes_GET_SIZE(self.raw) - self.end) == 0

    cdef bytes _pairs_of(self, bytes data):
        """Return the pairs that name the target of a segment, with its number."""
        cdef uint8_t written[LONGEST_NUMBER]
        cdef const uint8_t *digits = <const uint8_t *> PyBytes_AS_STRING(data) + self.begin
        cdef Py_ssize_t place
        cdef int64_t number = 0
        cdef Out out
        if self.begin == self.end:
            return self._pairs
        out.at = written
        out.end = written + LONGEST_NUMBER
        if self._is_handle:
            for place in range(self.end - self.begin):
                number = number * 10 + (digits[place] - c"0")
            put_integer(&out, number)
        else:
            put_text(&out, digits, self.end - self.begin)
        return self._pairs + PyBytes_FromStringAndSize(<const char *> written, out.at - written)


@cython.freelist(256)
cdef class Exchange:
    """A request on its way; see `proxy.http.exchange`."""

    cdef object _line
    cdef object _target
    # Where these come from when somebody asks: a head with another number in its target.
    cdef HeadFields _known
    cdef bytes _number
    cdef public object head
    cdef public object peer
    cdef public object encoding
    cdef public object certificate
    cdef public object usage
    cdef public object principal
    cdef public object idempotency_key
    cdef public object reference
    cdef public object outcome
    cdef public object route
    cdef public object transport
    cdef public object quota
    cdef public bint close
    cdef public bint secure
    cdef public double began

    def __init__(self, line, head, peer, encoding=None, certificate=None, usage=None):
        self._line, self.head, self.peer = line, head, peer
        self.encoding, self.certificate, self.usage = encoding, certificate, usage
        self._target, self.close, self.began = _unknown, not head.keep_alive, -1.0

    @property
    def line(self):
        """The request line."""
        if self._line is None:
            self._name()
        return self._line

    @property
    def target(self):
        """What the request is about."""
        if self._target is None:
            self._name()
        return self._target

    @target.setter
    def target(self, target):
        self._target = target

    cdef int _name(self) except -1:
        request = self._known.with_number(self._number)
        self._line, self._target = request.line, request.prepared.target
        return 0


cdef class ChannelFields:
    """What connections of clients have, as far as a usual request needs it."""

    cdef public object transport
    cdef public object _frontend
    cdef public object _peer
    cdef public bint _tls
    cdef public bint _short_cut
    cdef public object _certificate
    cdef public object _state
    cdef public object _held
    cdef public list _pending
    cdef public object _limit
    cdef public object _alone

    def dataReceived(self, bytes data not None):
        """Take bytes of the client: a usual request by the lane, everything else by `_receive`."""
        lane = self._frontend.lane
        if lane is None or not (<Lane?> lane)._take(self, data):
            self._receive(data)


cdef class LinkFields:
    """What the link to OCS has, as far as a usual request needs it."""

    cdef public long long next_ref
    cdef public long long deadline_ms
    cdef public dict _open
    cdef public Py_ssize_t _window
    cdef public object _connection
    cdef public object _session


@cython.freelist(256)
cdef class Waiting:
    """A request in the hands of OCS; `parts` are the events that came before its final one.

    There is an `addressee` if the usual event may be answered in one pass. `since` is a time of the clock.
    """

    cdef readonly object exchange
    cdef readonly object addressee
    cdef readonly double since
    cdef public list parts
    cdef object _deliver
    # Whose `answer` delivers, where there is no `_deliver`.
    cdef ChannelFields _channel

    def __init__(self, exchange, deliver, double since, addressee=None):
        self.exchange, self._deliver, self.since, self.addressee = exchange, deliver, since, addressee

    @property
    def deliver(self):
        """What takes the outcome."""
        return self._channel.answer if self._channel is not None else self._deliver


cdef class Lane:
    """The lane of the connections of one `frontend`, whose requests go over `link`.

    `reading` and `held` are the state and the hold of a connection that waits for a request, `server` is the class of
    its transport, for which there is a short way to the socket.
    """

    cdef object _frontend
    cdef LinkFields _link
    cdef object _limit
    cdef dict _since
    cdef list _recent
    cdef object _shares
    cdef object _usages
    cdef object _classic
    cdef object _seconds
    cdef object _reading
    cdef object _held
    cdef object _server

    def __init__(self, frontend, LinkFields link not None, reading, held, server):
        self._frontend, self._link = frontend, link
        self._limit, self._since = frontend.idle, frontend.idle.since
        self._reading, self._held, self._server = reading, held, server
        self._recent, self._shares, self._usages = frontend.whole_requests.recent, frontend.shares, frontend.usages
        self._classic, self._seconds = frontend.classic, frontend.clock.seconds

    cdef bint _take(self, ChannelFields channel, bytes data) except -1:
        """Take a segment that is exactly one usual request with one of the recent heads; else return False."""
        if channel._state is not self._reading or channel._limit is not self._limit or not channel._short_cut:
            return False
        for known in self._recent:
            if (<HeadFields?> known)._begins(data):
                return self._carry(channel, <HeadFields> known, data)
        return False

    def take_known(self, ChannelFields channel not None, HeadFields known not None, bytes data not None):
        """Take a segment that is one request, on a connection that waits for one; return False if it is unusual."""
        return known._begins(data) and self._carry(channel, known, data)

    cdef bint _carry(self, ChannelFields channel, HeadFields known, bytes data) except -1:
        frontend, link = self._frontend, self._link
        if channel._certificate is not None or self._usages or frontend.access_log is not None:
            return False
        connection = link._connection
        if not connection.is_open or not link._session.greeted or (connection.is_slow and connection.is_full):
            return False
        cdef Py_ssize_t waiting = len(link._open)
        if waiting >= link._window:
            return False
        ref = link.next_ref
        cdef Py_ssize_t size = PyBytes_GET_SIZE(known.raw)
        content = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + size, PyBytes_GET_SIZE(data) - size)
        done = known._frame(
            *(content, known._pairs_of(data), ref, link.deadline_ms, known._key, None, known._request_id),
            *(channel._peer or None, connection.limits.frame),
        )
        if done is None:
            return False
        cdef Exchange exchange = Exchange.__new__(Exchange)
        exchange.head, exchange.peer = known._head, channel._peer
        if known.begin == known.end:
            exchange._line, exchange._target = known._line, known._target
        else:
            exchange._known = known
            exchange._number = PyBytes_FromStringAndSize(
                PyBytes_AS_STRING(data) + known.begin, known.end - known.begin
            )
        exchange.route, exchange.idempotency_key = self._classic, known._key
        exchange.reference = (<tuple?> done)[1]
        exchange.transport, exchange.secure, exchange.began = channel.transport, channel._tls, -1.0
        self._since.pop(channel, None)
        channel._limit = None
        self._shares.total += 1
        channel._pending.append(exchange)
        channel._alone = exchange
        cdef Waiting request = Waiting.__new__(Waiting)
        request.exchange, request._channel, request.since = exchange, channel, self._seconds()
        if known._is_plain:
            request.addressee = channel
        try:
            # A lone client: there was nothing to go along with the last request either.
            is_last = waiting == 0 and connection.gathered <= 1
            link._open[ref] = request
            link.next_ref = ref + 1
            if is_last:
                connection.queue((<tuple> done)[0], is_last=True)
            else:
                connection.queue((<tuple> done)[0])
        except Exception:
            channel._not_carried(exchange)
        return True

    def answer(self, bytes data not None, Py_ssize_t at, Py_ssize_t limit, bytes head not None):
        """Answer the usual events of a segment from `at` on, one after the other; return where another begins.

        Answers begin with `head`; an event has at most `limit` bytes.
        """
        cdef LinkFields link = self._link
        cdef dict open_requests = link._open
        cdef Waiting request
        cdef ChannelFields channel
        cdef double now = self._seconds()
        frontend = self._frontend
        if frontend.draining or frontend.access_log is not None:
            return at
        cdef tuple found
        cdef Py_ssize_t count = 0
        try:
            while True:
                found = answer(data, at, limit, head)
                if found is None:
                    return at
                ref = found[0]
                waiting = open_requests.get(ref)
                if type(waiting) is not Waiting:
                    return at
                request = <Waiting> waiting
                if request.addressee is None or request.parts is not None or request._channel is None:
                    return at
                channel = request._channel
                if request.exchange is not channel._alone or (<Exchange> request.exchange).close:
                    return at
                try:
                    channel._alone = None
                    channel._pending.clear()
                    count += 1
                    self._write(channel.transport, <bytes> found[1])
                    if channel._held is self._held and channel._state is self._reading:
                        channel._limit = self._limit
                        self._since.pop(channel, None)
                        self._since[channel] = now
                except Exception:
                    link._fail(request)
                open_requests.pop(ref, None)
                at = found[2]
        finally:
            self._shares.total -= count

    cdef int _write(self, transport, bytes data) except -1:
        """Do what `writing.write_now` does."""
        cdef Py_ssize_t sent
        if (
            type(transport) is self._server
            and not transport.dataBuffer
            and not transport._tempDataBuffer
            and transport.connected
            and not transport._writeDisconnected
        ):
            sent = c_send(
                transport.fileno(), PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL
            )
            if sent == PyBytes_GET_SIZE(data):
                return 0
            if sent > 0:
                data = data[sent:]
        transport.write(data)
        return 0
