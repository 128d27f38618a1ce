# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Events of OCS into answers, in one pass: from MessagePack to head and JSON.

What this does is what `protocol/frames`, `protocol/messages` and `proxy/http/answers` do in several steps. It knows events
that report a success, with flat data, as OCS writes them; for whatever else comes `answer` returns None. All reading
stays before the end of the frame, with which each step compares; nothing here indexes a Python sequence.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from ocsgw.speedups.packing cimport Out, behind_plain, put, width_of_character
from ocsgw.speedups.unpacking cimport In, Name, big_endian, read_integer, read_map_size, read_text, take

cdef extern from *:
    const char *OCSGW_SOURCES

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    # Larger bodies are for others, and so are those with more members.
    LONGEST = 65536
    MOST_MEMBERS = 64
    # What kind, event and data are, with their names.
    BEGINNING = 17

cdef const char *_BEGINNING = b"\x83\xa4kind\xa5event\xa4data"
# The first member of every answer; its name and the beginning of a message that is none of a success.
cdef const char *_FIRST = b"\xaeGSW_USER_EVENT"
cdef const char *_ERROR = b"\xa5Error"

# Where bodies are written; used within one call, which holds the interpreter lock from its beginning to its end.
cdef uint8_t _body[LONGEST]
cdef const char *_HEXADECIMAL = b"0123456789abcdef"


cpdef tuple answer(bytes data, Py_ssize_t at, Py_ssize_t limit, bytes head):
    """Return the `ref` of the event at `at`, the answer to its request and the place behind it; None for what is unusual.

    `limit` is the largest payload. `head` is that of the answer up to the value of `Content-Length`.
    """
    cdef In frame
    cdef Py_ssize_t size
    frame.at = <const uint8_t *> PyBytes_AS_STRING(data) + at
    frame.end = <const uint8_t *> PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(data)
    if at < 0 or frame.end - frame.at < 4:
        return None
    size = <Py_ssize_t> big_endian(frame.at, 4)
    if size > limit or frame.end - frame.at - 4 < size:
        return None
    frame.at += 4
    frame.end = frame.at + size
    cdef Out body
    body.at = _body
    body.end = _body + LONGEST
    cdef int64_t ref = _read(&frame, &body)
    if ref < 1:
        return None
    return ref, _with_head(head, body.at - _body), at + 4 + size


cdef object _with_head(bytes head, Py_ssize_t size):
    """Return an answer with the body in `_body`."""
    cdef uint8_t digits[24]
    cdef Out length
    length.at = digits
    length.end = digits + sizeof(digits)
    _write_integer(&length, size)
    put(&length, b"\r\n\r\n", 4)
    cdef Py_ssize_t whole = PyBytes_GET_SIZE(head) + (length.at - digits) + size
    made = PyBytes_FromStringAndSize(NULL, whole)
    cdef Out out
    out.at = <uint8_t *> PyBytes_AS_STRING(made)
    out.end = out.at + whole
    put(&out, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))
    put(&out, digits, length.at - digits)
    put(&out, _body, size)
    return made


cdef int64_t _read(In *frame, Out *body) noexcept nogil:
    """Write the data of an event as JSON; return its `ref`, 0 for what is unusual."""
    cdef Py_ssize_t count
    cdef int64_t ref = 0
    if not take(frame, _BEGINNING, BEGINNING):
        return 0
    count = read_map_size(frame)
    if not 0 < count <= MOST_MEMBERS or not _begins_well(frame) or not _write_members(frame, body, count):
        return 0
    if not take(frame, b"\xa3ref", 4) or not read_integer(frame, &ref) or frame.at != frame.end:
        return 0
    return ref if ref <= <int64_t> 9007199254740991 else 0


cdef bint _begins_well(In *frame) noexcept nogil:
    """Whether the name of the event comes first, and is a text that is none of an error; nothing is taken."""
    if frame.end - frame.at < 22 or memcmp(frame.at, _FIRST, 15) != 0:
        return False
    # A name of more than 31 bytes has its length in a byte of its own.
    if frame.at[15] == 0xD9:
        return frame.at[16] > 31
    return 0xA0 <= frame.at[15] < 0xC0 and memcmp(frame.at + 15, _ERROR, 6) != 0


cdef bint _write_members(In *frame, Out *body, Py_ssize_t count) noexcept nogil:
    cdef Name names[MOST_MEMBERS]
    cdef uint64_t seen = 0
    cdef uint64_t mark
    cdef Py_ssize_t which
    for which in range(count):
        if not _write_bytes(body, c"{" if which == 0 else c","):
            return False
        if not read_text(frame, &names[which]):
            return False
        mark = <uint64_t> 1 << _mark_of(&names[which])
        # The same mark may mean the same name.
        if seen & mark and _is_among(names, which):
            return False
        seen |= mark
        if not _write_text(body, &names[which]) or not _write_bytes(body, c":") or not _write_value(frame, body):
            return False
    return _write_bytes(body, c"}")


cdef inline int _mark_of(Name *name) noexcept nogil:
    if name.size == 0:
        return 0
    return (name.size * 7 + name.text[name.size - 1] + name.text[name.size // 2] * 3) & 63


cdef bint _is_among(Name *names, Py_ssize_t which) noexcept nogil:
    cdef Py_ssize_t other
    for other in range(which):
        if names[other].size == names[which].size and memcmp(names[other].text, names[which].text, names[other].size) == 0:
            return True
    return False


# Writing JSON, as msgspec writes it.


cdef inline bint _write_bytes(Out *out, uint8_t byte) noexcept nogil:
    return put(out, &byte, 1)


cdef bint _write_value(In *frame, Out *out) noexcept nogil:
    cdef Name text
    cdef int64_t number = 0
    if frame.at == frame.end:
        return False
    cdef uint8_t first = frame.at[0]
    if first == 0xC2 or first == 0xC3:
        frame.at += 1
        return put(out, b"true", 4) if first == 0xC3 else put(out, b"false", 5)
    if first & 0xE0 == 0xA0 or first == 0xD9 or first == 0xDA:
        return read_text(frame, &text) and _write_text(out, &text)
    return read_integer(frame, &number) and _write_integer(out, number)


cdef bint _write_integer(Out *out, int64_t number) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int at = 20
    cdef uint64_t left = <uint64_t> number
    if number < 0:
        left = ~left + 1
        if not _write_bytes(out, c"-"):
            return False
    while True:
        at -= 1
        digits[at] = <uint8_t> (c"0" + left % 10)
        left //= 10
        if left == 0:
            return put(out, digits + at, 20 - at)


cdef bint _write_text(Out *out, Name *text) noexcept nogil:
    """Write a text with the escapes that it needs; false also for what is no UTF-8."""
    cdef const uint8_t *at = text.text
    cdef const uint8_t *end = at + text.size
    cdef const uint8_t *written = at
    cdef int width
    at = behind_plain(at, end)
    if not _write_bytes(out, c'"'):
        return False
    while at < end:
        if at[0] >= 0x80:
            width = width_of_character(at, end)
            if width == 0:
                return False
            at += width
        elif at[0] < 0x20 or at[0] == c'"' or at[0] == c"\\":
            if not put(out, written, at - written) or not _write_escape(out, at[0]):
                return False
            at += 1
            written = at
        else:
            at += 1
    return put(out, written, end - written) and _write_bytes(out, c'"')


cdef bint _write_escape(Out *out, uint8_t byte) noexcept nogil:
    cdef uint8_t escape[6]
    cdef Py_ssize_t size = 2
    escape[0] = c"\\"
    if byte == c'"' or byte == c"\\":
        escape[1] = byte
    elif byte == 8:
        escape[1] = c"b"
    elif byte == 9:
        escape[1] = c"t"
    elif byte == 10:
        escape[1] = c"n"
    elif byte == 12:
        escape[1] = c"f"
    elif byte == 13:
        escape[1] = c"r"
    else:
        size = 6
        escape[1] = c"u"
        escape[2] = escape[3] = c"0"
        escape[4] = _HEXADECIMAL[byte >> 4]
        escape[5] = _HEXADECIMAL[byte & 15]
    return put(out, escape, size)
