# cython: language_level=3
"""Writing MessagePack and judging UTF-8, for all parts.

Whoever writes has an `Out`, whose room is asked for with each piece: nothing is ever written behind its end. Functions
return false where there is no room; a part declines then.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef struct Out:
    uint8_t *at
    uint8_t *end


cdef inline bint put(Out *out, const void *data, Py_ssize_t size) noexcept nogil:
    """Write bytes as they are."""
    if out.end - out.at < size:
        return False
    memcpy(out.at, data, size)
    out.at += size
    return True


cdef inline bint put_big_endian(Out *out, uint8_t first, uint64_t number, int width) noexcept nogil:
    """Write a type byte, and a number in `width` bytes behind it."""
    if out.end - out.at < 1 + width:
        return False
    out.at[0] = first
    cdef int place
    for place in range(width):
        out.at[1 + place] = <uint8_t> (number >> (8 * (width - 1 - place)))
    out.at += 1 + width
    return True


cdef inline bint put_integer(Out *out, int64_t number) noexcept nogil:
    """Write an integer in its shortest form, as msgspec does."""
    if number >= 0:
        if number < 0x80:
            return put_big_endian(out, <uint8_t> number, 0, 0)
        if number < 0x100:
            return put_big_endian(out, 0xCC, number, 1)
        if number < 0x10000:
            return put_big_endian(out, 0xCD, number, 2)
        if number >> 32 == 0:
            return put_big_endian(out, 0xCE, number, 4)
        return put_big_endian(out, 0xCF, number, 8)
    if number >= -0x20:
        return put_big_endian(out, <uint8_t> number, 0, 0)
    if number >= -0x80:
        return put_big_endian(out, 0xD0, <uint64_t> number, 1)
    if number >= -0x8000:
        return put_big_endian(out, 0xD1, <uint64_t> number, 2)
    if number >> 31 == -1:
        return put_big_endian(out, 0xD2, <uint64_t> number, 4)
    return put_big_endian(out, 0xD3, <uint64_t> number, 8)


cdef inline bint put_text(Out *out, const uint8_t *text, Py_ssize_t size) noexcept nogil:
    """Write a text, whose UTF-8 its caller has judged."""
    cdef bint fits
    if size < 0x20:
        fits = put_big_endian(out, <uint8_t> (0xA0 | size), 0, 0)
    elif size < 0x100:
        fits = put_big_endian(out, 0xD9, size, 1)
    elif size < 0x10000:
        fits = put_big_endian(out, 0xDA, size, 2)
    else:
        fits = put_big_endian(out, 0xDB, size, 4)
    return fits and put(out, text, size)


cdef inline bint put_map(Out *out, uint32_t size) noexcept nogil:
    """Write the head of a map of so many pairs."""
    if size < 0x10:
        return put_big_endian(out, <uint8_t> (0x80 | size), 0, 0)
    if size < 0x10000:
        return put_big_endian(out, 0xDE, size, 2)
    return put_big_endian(out, 0xDF, size, 4)


cdef inline const uint8_t *behind_plain(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return a place up to which there is only ASCII that JSON writes as it is; what follows has to be looked at."""
    cdef uint64_t bytes_
    while end - at >= 8:
        memcpy(&bytes_, at, 8)
        # In the highest bit of a byte: whether it is beyond ASCII, below a blank, a quotation mark, a backslash. A byte
        # above such a one may look like one, too.
        if (
            bytes_
            | (bytes_ - 0x2020202020202020ULL)
            | ((bytes_ ^ 0x2222222222222222ULL) - 0x0101010101010101ULL)
            | ((bytes_ ^ 0x5C5C5C5C5C5C5C5CULL) - 0x0101010101010101ULL)
        ) & 0x8080808080808080ULL:
            break
        at += 8
    return at


cdef inline int width_of_character(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return how many bytes the character beyond ASCII at `at` has, 0 if that is no UTF-8 (RFC 3629)."""
    cdef uint8_t first = at[0]
    cdef Py_ssize_t left = end - at
    if first < 0xC2:
        return 0
    if first < 0xE0:
        return 2 if left >= 2 and at[1] & 0xC0 == 0x80 else 0
    if first < 0xF0:
        if left < 3 or at[1] & 0xC0 != 0x80 or at[2] & 0xC0 != 0x80:
            return 0
        # Neither longer than need be nor a surrogate.
        if (first == 0xE0 and at[1] < 0xA0) or (first == 0xED and at[1] >= 0xA0):
            return 0
        return 3
    if first < 0xF5:
        if left < 4 or at[1] & 0xC0 != 0x80 or at[2] & 0xC0 != 0x80 or at[3] & 0xC0 != 0x80:
            return 0
        # The same, and not beyond U+10FFFF.
        if (first == 0xF0 and at[1] < 0x90) or (first == 0xF4 and at[1] >= 0x90):
            return 0
        return 4
    return 0
