# cython: language_level=3, embedsignature=False
"""The way of usual requests into OCS and out of it: from the frames of a link to jobs, and from events back to frames."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem, PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp, memset

from ocsgw.speedups.packing cimport Out, put, put_integer, put_map, put_text
from ocsgw.speedups.rows cimport Draft, Outcome
from ocsgw.speedups.unpacking cimport In, Name, big_endian, read_integer, read_map_size, read_text, take

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyLong_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

cdef extern from *:
    # For so many pairs; with none an empty one.
    dict __Pyx_PyDict_NewPresized(Py_ssize_t)

SOURCES = OCSGW_SOURCES.decode("ascii")

# Requests.

# Keys that have come before: clients send the same ones again and again. Found by a sum over a few of their bytes.
cdef enum:
    MOST_KEYS = 512
    # Longer ones are not worth to be kept, in bytes.
    LONGEST_KEY = 64
    # For more members than these no room is made before they are read.
    MOST_PAIRS = 64
cdef list _keys = [None] * MOST_KEYS
cdef dict _own = {}


def know(keys):
    """Use these objects where a text is the same: looking up one's own is quickest."""
    _own.update({key: key for key in keys})


cdef inline object _text(Name *text):
    """Return a text. Raises `UnicodeDecodeError`."""
    return PyUnicode_DecodeUTF8(<const char *> text.text, text.size, NULL)


cdef object _key(Name *name):
    cdef Py_ssize_t place, size = name.size
    cdef const uint8_t *at = name.text
    cdef object found, text
    if not 0 < size <= LONGEST_KEY:
        return _text(name)
    place = (size * 37 + at[size - 1] * 5 + at[size // 2] * 3 + at[size * 3 // 4]) % MOST_KEYS
    found = _keys[place]
    if found is not None:
        if PyBytes_GET_SIZE((<tuple> found)[0]) == size and memcmp(
            PyBytes_AS_STRING((<tuple> found)[0]), at, size
        ) == 0:
            return (<tuple> found)[1]
    text = _text(name)
    text = _own.get(text, text)
    _keys[place] = (PyBytes_FromStringAndSize(<const char *> at, size), text)
    return text


cdef object _value(In *frame):
    """Return a text, integer, boolean or None. Raises `ValueError` for anything else."""
    cdef Name text
    cdef int64_t number = 0
    if frame.at == frame.end:
        raise ValueError
    cdef uint8_t first = frame.at[0]
    if first & 0xE0 == 0xA0 or first == 0xD9 or first == 0xDA:
        return _given_text(frame)
    if first == 0xC0 or first == 0xC2 or first == 0xC3:
        frame.at += 1
        return None if first == 0xC0 else first == 0xC3
    if not read_integer(frame, &number):
        raise ValueError
    return number


cdef object _given_text(In *frame):
    """Return a text. Raises `ValueError` for anything else."""
    cdef Name text
    if not read_text(frame, &text):
        raise ValueError
    return _text(&text)


@cython.freelist(256)
cdef class Arrived:
    """A request that has come; it has the attributes of `protocol.messages.Request`."""

    cdef public object ref
    cdef public dict data
    cdef public object deadline_ms
    cdef public object idempotency_key
    cdef public object principal
    cdef public object request_id
    cdef public object peer

    def __eq__(self, other):
        return (
            *(self.ref, self.data, self.deadline_ms, self.idempotency_key),
            *(self.principal, self.request_id, self.peer),
        ) == (
            *(other.ref, other.data, other.deadline_ms, other.idempotency_key),
            *(other.principal, other.request_id, other.peer),
        )


cdef Arrived _arrived(object request):
    """Return a request in this form; some have come another way."""
    cdef Arrived arrived
    if type(request) is Arrived:
        return <Arrived> request
    arrived = Arrived.__new__(Arrived)
    arrived.ref, arrived.data, arrived.deadline_ms = request.ref, request.data, request.deadline_ms
    arrived.idempotency_key, arrived.principal = request.idempotency_key, request.principal
    arrived.request_id, arrived.peer = request.request_id, request.peer
    return arrived


cdef Arrived _request(In *frame):
    """Return the request of a payload, None if it is anything but a request as `encode` writes it, with flat data.

    Raises `ValueError` for what is none as well.
    """
    cdef Py_ssize_t members = read_map_size(frame), pairs
    cdef int64_t number = 0
    cdef Name name
    cdef dict data
    cdef Arrived request = Arrived.__new__(Arrived)
    if not take(frame, b"\xa4kind\xa7request\xa3ref", 17):
        return None
    # An integer without a sign.
    if frame.at == frame.end or 0xCF < frame.at[0] or not read_integer(frame, &number) or not 1 <= number < 1LL << 53:
        return None
    request.ref = number
    if not take(frame, b"\xa4data", 5):
        return None
    pairs = read_map_size(frame)
    # What a frame says of itself may be untrue.
    request.data = data = __Pyx_PyDict_NewPresized(pairs if 0 < pairs <= MOST_PAIRS else 0)
    for _ in range(pairs):
        if not read_text(frame, &name):
            return None
        # The value stands behind it, so the text is made first.
        text = _key(&name)
        PyDict_SetItem(data, text, _value(frame))
    if PyDict_Size(data) != pairs:
        return None
    members -= 3
    if take(frame, b"\xabdeadline_ms", 12):
        if not read_integer(frame, &number):
            return None
        request.deadline_ms = number
        members -= 1
    if take(frame, b"\xafidempotency_key", 16):
        request.idempotency_key = _given_text(frame)
        members -= 1
    if take(frame, b"\xa9principal", 10):
        request.principal = _given_text(frame)
        members -= 1
    if take(frame, b"\xaarequest_id", 11):
        request.request_id = _given_text(frame)
        members -= 1
    if take(frame, b"\xa4peer", 5):
        request.peer = _given_text(frame)
        members -= 1
    if frame.at != frame.end or members != 0:
        return None
    return request


def requests(bytes data not None, Py_ssize_t limit):
    """Return the usual requests with which `data` begins, and where the first other frame begins.

    A frame is a length of four bytes and a payload of at most `limit` bytes. What is cut off, a breach, another kind of
    message, or a request with something unusual in it is left to the caller.
    """
    cdef const uint8_t *begin = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef const uint8_t *end = begin + PyBytes_GET_SIZE(data)
    cdef const uint8_t *at = begin
    cdef Py_ssize_t size
    cdef In frame
    cdef Arrived request
    cdef list found = []
    while end - at > 4:
        size = <Py_ssize_t> big_endian(at, 4)
        if not 0 < size <= limit or size > end - at - 4:
            break
        frame.at = at + 4
        frame.end = frame.at + size
        try:
            request = _request(&frame)
        except ValueError:
            break
        if request is None:
            break
        found.append(request)
        at += 4 + size
    return found, at - begin


# Events.

cdef enum:
    # Larger frames are for others.
    LONGEST = 65536

# Where frames are written; used within one call, which holds the interpreter lock from its beginning to its end.
cdef uint8_t _frame[LONGEST]


cdef inline bint _put_text(Out *out, object text) except -1:
    """Write a text. Raises `UnicodeEncodeError` for one with lone surrogates."""
    cdef Py_ssize_t size = 0
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &size)
    return put_text(out, <const uint8_t *> data, size)


cdef bint _put_data(Out *out, dict data) except -1:
    """Write key-values; false if there is something else in them than texts and integers of 64 bits."""
    cdef PyObject *key = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t at = 0
    cdef int64_t number
    cdef int overflow = 0
    if not put_map(out, <unsigned int> PyDict_Size(data)):
        return False
    while PyDict_Next(data, &at, &key, &value):
        if not PyUnicode_CheckExact(<object> key) or not _put_text(out, <object> key):
            return False
        if PyUnicode_CheckExact(<object> value):
            if not _put_text(out, <object> value):
                return False
        elif PyLong_CheckExact(<object> value):
            number = PyLong_AsLongLongAndOverflow(<object> value, &overflow)
            if overflow or not put_integer(out, number):
                return False
        else:
            return False
    return True


cdef bint _put_event(Out *out, ref, data, Py_ssize_t limit) except -1:
    """Write the frame of a final event with these key-values, or with the acknowledgement of a draft.

    False where it is for others. Raises what texts and numbers raise.
    """
    cdef uint8_t *begin = out.at
    if not put(out, b"\0\0\0\0\x83\xa4kind\xa5event\xa4data", 21):
        return False
    if type(data) is Draft:
        if not (<Draft> data).put(out):
            return False
    elif type(data) is not dict or not _put_data(out, <dict> data):
        return False
    if not put(out, b"\xa3ref", 4) or not put_integer(out, ref):
        return False
    cdef Py_ssize_t size = out.at - begin - 4
    if size > limit:
        return False
    cdef int place
    for place in range(4):
        begin[place] = <uint8_t> (size >> (8 * (3 - place)))
    return True


def event_frame(ref, data not None, Py_ssize_t limit):
    """Return the frame of a final event that is no stored answer, None where `encode_event` has to look at it.

    It is for events whose members are texts and integers, or drafts whose acknowledgement nobody has asked for, with a
    payload of at most `limit` bytes.
    """
    cdef Out out
    out.at = _frame
    out.end = _frame + LONGEST
    try:
        if not _put_event(&out, ref, data, limit):
            return None
    except (UnicodeEncodeError, OverflowError):
        return None
    return PyBytes_FromStringAndSize(<const char *> _frame, out.at - _frame)


def are_short(dict data not None, Py_ssize_t longest):
    """Whether all values are texts of at most so many characters, or integers of 64 bits."""
    cdef PyObject *key = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t at = 0
    cdef int overflow = 0
    while PyDict_Next(data, &at, &key, &value):
        if PyUnicode_CheckExact(<object> value):
            if PyUnicode_GET_LENGTH(<object> value) > longest:
                return False
        elif not PyLong_CheckExact(<object> value):
            return False
        else:
            PyLong_AsLongLongAndOverflow(<object> value, &overflow)
            if overflow:
                return False
    return True


# Requests that have come together, and their answers that go out together.

cdef enum:
    MOST_BOUNDS = 32


cdef inline bint _is_same(object one, object other) except -1:
    return one is other or one == other


cdef class Job:
    """A usual request on its way to the committer and back.

    `pending` is what the rules get of the `request`, `end` has it from its client, and `dispatcher` takes its outcome.
    `deadline` and `begun` are times of the clock.
    """

    cdef readonly object dispatcher
    cdef readonly object request
    cdef readonly object pending
    cdef readonly object end
    cdef public object deadline
    cdef readonly double begun
    cdef object _ref
    cdef object _known

    def deliver(self, outcome):
        """Take what has become of the request."""
        self.dispatcher.finish(self, outcome)

    @property
    def reply(self):
        """What takes the events of the request."""
        return self.end.reply_to(self.request)


def jobs(
    list requests not None,
    Py_ssize_t at,
    Py_ssize_t room,
    Py_ssize_t large_room,
    set refs not None,
    dict kinds not None,
    frozenset large not None,
    context,
    make,
    dispatcher,
    end,
    double now,
):
    """Return jobs for requests from `at` on, `room` at most, as long as they are usual; note their refs.

    Usual are those without a key, in the name of the same principal at the same address as the first one, that ask for
    one of `kinds`, which are found by their names. `make` is the class of what the rules get: it takes what a request
    asks for, its key-values and its context. Also returns the refs of those with `large` answers, `large_room` at most.
    """
    cdef list made = []
    cdef list admitted = []
    cdef Job job
    cdef Arrived request, first = _arrived(requests[at])
    cdef Py_ssize_t until = min(len(requests), at + room)
    while at < until:
        request = _arrived(requests[at])
        if (
            request.idempotency_key is not None
            or not _is_same(request.principal, first.principal)
            or not _is_same(request.peer, first.peer)
            or request.ref in refs
        ):
            break
        name = request.data.get("GSW_AGENT_REQ_TYPE")
        known = kinds.get(name) if type(name) is str else None
        if known is None:
            break
        deadline = request.deadline_ms
        if name in large:
            # Such a request may have to wait, and whether it can is for others.
            if PyList_GET_SIZE(admitted) >= large_room or (deadline is not None and deadline <= 0):
                break
            admitted.append(request.ref)
        job = Job.__new__(Job)
        job.dispatcher, job.request, job.end = dispatcher, requests[at], end
        job._ref, job._known, job.begun = request.ref, known, now
        job.pending = make(known, request.data, context) if request.request_id is None else make(
            known, request.data, context, request_id=request.request_id
        )
        job.deadline = now + deadline / 1000 if deadline is not None else None
        refs.add(request.ref)
        made.append(job)
        at += 1
    return made, admitted


cdef enum:
    # Answers of more kinds do not go together.
    MOST_KINDS = 8

# How long the requests of a kind took.
cdef struct Taken:
    Py_ssize_t counts[MOST_BOUNDS + 1]
    double total


def answers(
    list jobs not None,
    list outcomes not None,
    Py_ssize_t at,
    set refs not None,
    Py_ssize_t limit,
    double now,
    tuple bounds not None,
    frozenset but not None,
):
    """Write the answers to jobs from `at` on, as long as they are usual and for the same client.

    Usual is an event that reports a success, of texts and integers, to a request that is still open and of none of the
    kinds named in `but`; `refs` loses those that have their answer. Returns the frames, how many there are, and for each kind
    of request how many seconds they took: how often up to each of `bounds` and beyond, and their sum.
    """
    cdef double limits[MOST_BOUNDS]
    cdef double took
    cdef Taken taken[MOST_KINDS]
    cdef list kinds = []
    cdef Py_ssize_t which, kind, most = len(bounds), begin = at
    cdef Job job, first = jobs[at]
    cdef Outcome outcome
    cdef Out out
    cdef uint8_t *written
    if most > MOST_BOUNDS:
        raise ValueError("too many bounds")
    for which in range(most):
        limits[which] = bounds[which]
    out.at = _frame
    out.end = _frame + LONGEST
    while at < len(jobs):
        if type(jobs[at]) is not Job:
            break
        job = <Job> jobs[at]
        if job.end is not first.end or job._ref not in refs:
            break
        outcome = <Outcome?> outcomes[at]
        if outcome.replayed:
            break
        kind = _place_among(kinds, job._known)
        if kind < 0:
            if job._known.name in but or PyList_GET_SIZE(kinds) == MOST_KINDS:
                break
            kind = PyList_GET_SIZE(kinds)
            kinds.append(job._known)
            memset(&taken[kind], 0, sizeof(Taken))
        written = out.at
        try:
            if not _put_event(&out, job._ref, outcome.replied, limit):
                out.at = written
                break
        except (UnicodeEncodeError, OverflowError):
            out.at = written
            break
        refs.discard(job._ref)
        took = now - job.begun
        which = 0
        while which < most and limits[which] < took:
            which += 1
        taken[kind].counts[which] += 1
        taken[kind].total += took
        at += 1
    frames = PyBytes_FromStringAndSize(<const char *> _frame, out.at - _frame)
    return frames, at - begin, [
        (kinds[kind], [taken[kind].counts[which] for which in range(most + 1)], taken[kind].total)
        for kind in range(PyList_GET_SIZE(kinds))
    ]


cdef inline Py_ssize_t _place_among(list kinds, object kind):
    """Return where a kind stands in a short list, -1 if it does not."""
    cdef Py_ssize_t at
    for at in range(PyList_GET_SIZE(kinds)):
        if <PyObject *> PyList_GET_ITEM(kinds, at) is <PyObject *> kind:
            return at
    return -1
