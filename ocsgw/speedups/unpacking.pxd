# cython: language_level=3
"""Reading MessagePack, for all parts.

Each function reads at `frame.at`, before `frame.end`, and moves the former behind what it has read; false, or -1, for
whatever is something else or is cut off.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp


cdef struct In:
    const uint8_t *at
    const uint8_t *end

cdef struct Name:
    const uint8_t *text
    Py_ssize_t size


cdef inline bint take(In *frame, const char *expected, Py_ssize_t size) noexcept nogil:
    """Read these bytes; false, and nothing is read, where others stand."""
    if frame.end - frame.at < size or memcmp(frame.at, expected, size) != 0:
        return False
    frame.at += size
    return True


cdef inline uint64_t big_endian(const uint8_t *at, int width) noexcept nogil:
    """Return a number of so many bytes, which are there."""
    cdef uint64_t number = 0
    cdef int place
    for place in range(width):
        number = number << 8 | at[place]
    return number


cdef inline Py_ssize_t read_map_size(In *frame) noexcept nogil:
    """Read the head of a map; -1 for what is none."""
    cdef Py_ssize_t size
    if frame.at == frame.end:
        return -1
    if frame.at[0] & 0xF0 == 0x80:
        size = frame.at[0] & 0x0F
        frame.at += 1
        return size
    if frame.at[0] != 0xDE or frame.end - frame.at < 3:
        return -1
    size = <Py_ssize_t> big_endian(frame.at + 1, 2)
    frame.at += 3
    return size


cdef inline bint read_text(In *frame, Name *text) noexcept nogil:
    """Read a text up to 65,535 bytes; its UTF-8 is judged when it is written."""
    cdef int width
    if frame.at == frame.end:
        return False
    cdef uint8_t first = frame.at[0]
    if first & 0xE0 == 0xA0:
        width = 0
        text.size = first & 0x1F
    elif first == 0xD9:
        width = 1
    elif first == 0xDA:
        width = 2
    else:
        return False
    frame.at += 1
    if width:
        if frame.end - frame.at < width:
            return False
        text.size = <Py_ssize_t> big_endian(frame.at, width)
        frame.at += width
    if frame.end - frame.at < text.size:
        return False
    text.text = frame.at
    frame.at += text.size
    return True


cdef inline bint read_integer(In *frame, int64_t *number) noexcept nogil:
    """Read an integer of 64 bits with a sign."""
    cdef int width
    if frame.at == frame.end:
        return False
    cdef uint8_t first = frame.at[0]
    frame.at += 1
    if first < 0x80:
        number[0] = first
        return True
    if first >= 0xE0:
        number[0] = <int64_t> first - 0x100
        return True
    if not (0xCC <= first <= 0xCF or 0xD0 <= first <= 0xD3):
        return False
    width = 1 << ((first - 0xCC) & 3)
    if frame.end - frame.at < width:
        return False
    cdef uint64_t bits = big_endian(frame.at, width)
    frame.at += width
    if first >= 0xD0 and width < 8 and bits >> (8 * width - 1):
        # A negative number: its sign goes on to the left.
        bits |= ~(<uint64_t> 0) << (8 * width)
    elif first == 0xCF and bits >> 63:
        return False
    number[0] = <int64_t> bits
    return True
