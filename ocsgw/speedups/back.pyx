# cython: language_level=3, embedsignature=False
"""The way of a usual request through OCS: from the frames of a link to a row, and back to a frame."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem, PyDict_Size
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from libc.string cimport memcmp, memcpy

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    bint PyLong_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    const char *PyUnicode_AsUTF8AndSize(object, Py_ssize_t *) except NULL
    object PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1
    object PyObject_Vectorcall(object, PyObject *const *, size_t, PyObject *)

SOURCES = OCSGW_SOURCES.decode("ascii")

ctypedef const unsigned char *Bytes


# Reading MessagePack. Each of these reads at `at[0]`, never at `end` or behind, and moves `at[0]` behind what it has
# read; 0 says that there is something else, or that it is cut off.

cdef inline unsigned long long _big_endian(Bytes at, int width) noexcept:
    cdef unsigned long long number = 0
    cdef int each
    for each in range(width):
        number = number << 8 | at[each]
    return number


cdef inline bint _starts(Bytes *at, Bytes end, const char *text, Py_ssize_t size) noexcept:
    if end - at[0] < size or memcmp(at[0], text, size) != 0:
        return False
    at[0] += size
    return True


cdef inline bint _text_size(Bytes *at, Bytes end, Py_ssize_t *size) noexcept:
    """Read the head of a text; `size` bytes of it stand at `at[0]` then."""
    cdef unsigned char first
    cdef int width
    if at[0] >= end:
        return False
    first = at[0][0]
    if 0xA0 <= first <= 0xBF:
        at[0] += 1
        size[0] = first & 0x1F
    elif 0xD9 <= first <= 0xDB:
        width = 1 << (first - 0xD9)
        if end - at[0] <= width:
            return False
        size[0] = <Py_ssize_t> _big_endian(at[0] + 1, width)
        at[0] += 1 + width
    else:
        return False
    return size[0] <= end - at[0]


cdef inline bint _integer(Bytes *at, Bytes end, long long *number) noexcept:
    """Read an integer of 64 bits, signed."""
    cdef unsigned char first
    cdef unsigned long long found
    cdef int width
    if at[0] >= end:
        return False
    first = at[0][0]
    if first <= 0x7F or first >= 0xE0:
        number[0] = first if first <= 0x7F else <long long> first - 256
        at[0] += 1
        return True
    if not 0xCC <= first <= 0xD3:
        return False
    width = 1 << ((first - 0xCC) & 3)
    if end - at[0] <= width:
        return False
    found = _big_endian(at[0] + 1, width)
    if first == 0xCF and found >> 63:
        return False
    if first >= 0xD0 and width < 8 and found >> (8 * width - 1):
        # Negative, in fewer than 64 bits.
        found |= ~(<unsigned long long> 0) << (8 * width)
    number[0] = <long long> found
    at[0] += 1 + width
    return True


cdef inline bint _map_size(Bytes *at, Bytes end, Py_ssize_t *size) noexcept:
    cdef unsigned char first
    if at[0] >= end:
        return False
    first = at[0][0]
    if 0x80 <= first <= 0x8F:
        size[0] = first & 0x0F
        at[0] += 1
    elif first == 0xDE and end - at[0] > 2:
        size[0] = <Py_ssize_t> _big_endian(at[0] + 1, 2)
        at[0] += 3
    else:
        return False
    return True


# Requests.

# Keys that have come before: clients send the same ones again and again. Found by a sum over a few of their bytes.
cdef enum:
    MOST_KEYS = 512
    # Longer ones are not worth to be kept, in bytes.
    LONGEST_KEY = 64
cdef list _keys = [None] * MOST_KEYS
cdef dict _own = {}


def know(keys):
    """Use these objects where a text is the same: looking up one's own is quickest."""
    _own.update({key: key for key in keys})


cdef object _key(Bytes at, Py_ssize_t size):
    cdef Py_ssize_t place
    cdef object found, text
    if not 0 < size <= LONGEST_KEY:
        return PyUnicode_DecodeUTF8(<const char *> at, size, NULL)
    place = (size * 37 + at[size - 1] * 5 + at[size // 2] * 3 + at[size * 3 // 4]) % MOST_KEYS
    found = _keys[place]
    if found is not None:
        if PyBytes_GET_SIZE((<tuple> found)[0]) == size and memcmp(
            PyBytes_AS_STRING((<tuple> found)[0]), at, size
        ) == 0:
            return (<tuple> found)[1]
    text = PyUnicode_DecodeUTF8(<const char *> at, size, NULL)
    text = _own.get(text, text)
    _keys[place] = (PyBytes_FromStringAndSize(<const char *> at, size), text)
    return text


cdef object _value(Bytes *at, Bytes end):
    """Return a text, integer, boolean or None. Raises `ValueError` for anything else."""
    cdef Py_ssize_t size
    cdef long long number
    cdef object text
    if _text_size(at, end, &size):
        text = PyUnicode_DecodeUTF8(<const char *> at[0], size, NULL)
        at[0] += size
        return text
    if _integer(at, end, &number):
        return number
    if at[0] < end and (at[0][0] == 0xC0 or at[0][0] == 0xC2 or at[0][0] == 0xC3):
        at[0] += 1
        return None if at[0][-1] == 0xC0 else at[0][-1] == 0xC3
    raise ValueError


cdef object _request(Bytes at, Bytes end, object make):
    """Return the request of a payload, None if it is anything but a request as `encode` writes it, with flat data."""
    cdef Py_ssize_t members, pairs, size
    cdef long long number
    cdef dict data = {}
    cdef object ref, deadline = None, key = None, principal = None, request_id = None, peer = None
    if not _map_size(&at, end, &members) or not _starts(&at, end, b"\xa4kind\xa7request\xa3ref", 17):
        return None
    if at >= end or 0xCF < at[0] or not _integer(&at, end, &number) or not 1 <= number < <long long> 1 << 53:
        return None
    ref = number
    if not _starts(&at, end, b"\xa4data", 5) or not _map_size(&at, end, &pairs):
        return None
    for _ in range(pairs):
        if not _text_size(&at, end, &size):
            return None
        name = _key(at, size)
        at += size
        PyDict_SetItem(data, name, _value(&at, end))
    if PyDict_Size(data) != pairs:
        return None
    members -= 3
    if _starts(&at, end, b"\xabdeadline_ms", 12):
        if not _integer(&at, end, &number):
            return None
        deadline = number
        members -= 1
    if _starts(&at, end, b"\xafidempotency_key", 16):
        key = _given_text(&at, end)
        members -= 1
    if _starts(&at, end, b"\xa9principal", 10):
        principal = _given_text(&at, end)
        members -= 1
    if _starts(&at, end, b"\xaarequest_id", 11):
        request_id = _given_text(&at, end)
        members -= 1
    if _starts(&at, end, b"\xa4peer", 5):
        peer = _given_text(&at, end)
        members -= 1
    if at != end or members != 0:
        return None
    return _made(make, ref, data, deadline, key, principal, request_id, peer)


cdef object _given_text(Bytes *at, Bytes end):
    cdef Py_ssize_t size
    cdef object text
    if not _text_size(at, end, &size):
        raise ValueError
    text = PyUnicode_DecodeUTF8(<const char *> at[0], size, NULL)
    at[0] += size
    return text


cdef tuple _names = ("ref", "data", "deadline_ms", "idempotency_key", "principal", "request_id", "peer")


cdef object _made(
    object make, object ref, dict data, object deadline, object key, object principal, object request_id, object peer
):
    cdef PyObject *given[7]
    given[0] = <PyObject *> ref
    given[1] = <PyObject *> data
    given[2] = <PyObject *> deadline
    given[3] = <PyObject *> key
    given[4] = <PyObject *> principal
    given[5] = <PyObject *> request_id
    given[6] = <PyObject *> peer
    return PyObject_Vectorcall(make, given, 0, <PyObject *> _names)


def requests(bytes data not None, Py_ssize_t limit, make):
    """Return the usual requests with which `data` begins, and where the first other frame begins.

    A frame is a length of four bytes and a payload of at most `limit` bytes. `make` is the class of requests. What is
    cut off, a breach, another kind of message, or a request with something unusual in it is left to the caller.
    """
    cdef Bytes begin = <Bytes> PyBytes_AS_STRING(data)
    cdef Bytes end = begin + PyBytes_GET_SIZE(data), at = begin
    cdef Py_ssize_t size
    cdef list found = []
    while end - at > 4:
        size = <Py_ssize_t> _big_endian(at, 4)
        if not 0 < size <= limit or size > end - at - 4:
            break
        try:
            request = _request(at + 4, at + 4 + size, make)
        except ValueError:
            break
        if request is None:
            break
        found.append(request)
        at += 4 + size
    return found, at - begin


# Rows.

def fill(
    tuple stored not None,
    tuple hidden not None,
    tuple named not None,
    tuple custom not None,
    dict data not None,
    list row not None,
    dict event not None,
):
    """Do what `record_plan._fill_slowly` does; each key of `stored`, `hidden`, `named` and `custom` is in `data`.

    Returns the keys whose values are for the caller.
    """
    cdef list left = []
    cdef tuple place
    cdef Py_ssize_t size
    for place in stored:
        value = data[place[1]]
        row[place[0]] = value
        event[place[1]] = value
    for place in hidden:
        row[place[0]] = data[place[1]]
    for place in named:
        value = data[place[1]]
        found = (<dict?> place[2]).get(value) if PyUnicode_CheckExact(value) else None
        if found is not None:
            row[place[0]] = (<tuple?> found)[0]
            event[place[1]] = (<tuple?> found)[1]
        else:
            left.append(place[1])
    for each in custom:
        # A named tuple: it has the same form.
        place = <tuple> each
        value = data[place[1]]
        if PyUnicode_CheckExact(value) and 0 < PyUnicode_GET_LENGTH(value) <= <Py_ssize_t> place[2]:
            row[place[0]] = value
            event[place[1]] = value
        else:
            left.append(place[1])
    return left


# Events.

cdef class Buffer:
    """Bytes that grow. One of them is used for all frames, one after the other."""

    cdef unsigned char *data
    cdef Py_ssize_t size, room

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef inline unsigned char *take(self, Py_ssize_t size) except NULL:
        """Return where so many more bytes go."""
        cdef Py_ssize_t room
        cdef void *data
        if self.size + size > self.room:
            room = 2 * (self.size + size) + 1024
            data = PyMem_Realloc(self.data, room)
            if data == NULL:
                raise MemoryError
            self.data, self.room = <unsigned char *> data, room
        self.size += size
        return self.data + self.size - size


cdef Buffer _buffer = Buffer()
# What is larger than this is given back when it has been sent.
cdef enum:
    KEPT = 1 << 20


cdef inline void _put(unsigned char *to, unsigned long long number, int width) noexcept:
    cdef int each
    for each in range(width):
        to[each] = (number >> (8 * (width - 1 - each))) & 0xFF


cdef int _add_integer(long long number) except -1:
    cdef unsigned char *to
    cdef int width, kind
    if -32 <= number <= 127:
        _buffer.take(1)[0] = <unsigned char> (number & 0xFF)
        return 0
    if number >= 0:
        kind = 0 if number < 1 << 8 else 1 if number < 1 << 16 else 2 if number < 1LL << 32 else 3
        kind, width = 0xCC + kind, 1 << kind
    else:
        kind = 0 if number >= -(1 << 7) else 1 if number >= -(1 << 15) else 2 if number >= -(1LL << 31) else 3
        kind, width = 0xD0 + kind, 1 << kind
    to = _buffer.take(1 + width)
    to[0] = kind
    _put(to + 1, <unsigned long long> number, width)
    return 0


cdef int _add_text(object text) except -1:
    """Add a text. Raises `UnicodeEncodeError` for one with lone surrogates."""
    cdef Py_ssize_t size
    cdef const char *data = PyUnicode_AsUTF8AndSize(text, &size)
    cdef unsigned char *to
    if size < 32:
        to = _buffer.take(1 + size)
        to[0] = 0xA0 | size
        memcpy(to + 1, data, size)
    elif size < 1 << 8:
        to = _buffer.take(2 + size)
        to[0] = 0xD9
        to[1] = size
        memcpy(to + 2, data, size)
    elif size < 1 << 16:
        to = _buffer.take(3 + size)
        to[0] = 0xDA
        _put(to + 1, size, 2)
        memcpy(to + 3, data, size)
    else:
        to = _buffer.take(5 + size)
        to[0] = 0xDB
        _put(to + 1, size, 4)
        memcpy(to + 5, data, size)
    return 0


cdef bint _add_event(object ref, dict data) except -1:
    """Add the frame of an event at the end of the buffer, and return whether that can be done here.

    If not, the buffer ends with a part of it.
    """
    cdef PyObject *key = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t at = 0, begin = _buffer.size, pairs = PyDict_Size(data)
    cdef long long number
    cdef int overflow
    cdef unsigned char *to
    memcpy(_buffer.take(21) + 4, b"\x83\xa4kind\xa5event\xa4data", 17)
    if pairs < 16:
        _buffer.take(1)[0] = 0x80 | pairs
    elif pairs < 1 << 16:
        to = _buffer.take(3)
        to[0] = 0xDE
        _put(to + 1, pairs, 2)
    else:
        return False
    while PyDict_Next(data, &at, &key, &value):
        if not PyUnicode_CheckExact(<object> key):
            return False
        _add_text(<object> key)
        if PyUnicode_CheckExact(<object> value):
            _add_text(<object> value)
        elif PyLong_CheckExact(<object> value):
            number = PyLong_AsLongLongAndOverflow(<object> value, &overflow)
            if overflow:
                return False
            _add_integer(number)
        else:
            return False
    memcpy(_buffer.take(4), b"\xa3ref", 4)
    _add_integer(ref)
    _put(_buffer.data + begin, _buffer.size - begin - 4, 4)
    return True


def event_frame(ref, dict data not None, Py_ssize_t limit):
    """Return the frame of a final event that is no stored answer, None where `encode_event` has to look at it.

    It is for events whose members are texts and integers, with a payload of at most `limit` bytes.
    """
    cdef object frame = None
    _buffer.size = 0
    try:
        if _add_event(ref, data) and _buffer.size - 4 <= limit:
            frame = PyBytes_FromStringAndSize(<const char *> _buffer.data, _buffer.size)
    except (ValueError, OverflowError):
        # A text that is none, or a number that is not one of 64 bits.
        pass
    if _buffer.room > KEPT:
        PyMem_Free(_buffer.data)
        _buffer.data, _buffer.room = NULL, 0
    return frame
