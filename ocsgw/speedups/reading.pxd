# cython: language_level=3
"""Reading flat JSON, for the part that translates bodies.

Each function reads at `json.at`, before `json.end`, and moves the former behind what it has read; false for whatever is
unusual or wrong, which is then for others to find out.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from ocsgw.speedups.packing cimport behind_plain, width_of_character


cdef enum Type:
    STRING
    NUMBER
    LITERAL_NULL
    LITERAL_TRUE
    LITERAL_FALSE


cdef struct In:
    const uint8_t *at
    const uint8_t *end
    # Where a text with escapes is written out: as much room as the whole has, and for one text at a time.
    uint8_t *plain


# A value as it was read: a text in UTF-8 with its number of characters, or a number.
cdef struct Value:
    Type type
    const uint8_t *text
    Py_ssize_t size
    Py_ssize_t characters
    int64_t number


cdef struct Name:
    const uint8_t *text
    Py_ssize_t size


cdef inline void skip_blanks(In *json) noexcept nogil:
    while json.at < json.end and (json.at[0] == c" " or json.at[0] == c"\n" or json.at[0] == c"\r" or json.at[0] == c"\t"):
        json.at += 1


cdef inline bint expect(In *json, uint8_t byte) noexcept nogil:
    """Go past a byte and the blanks before it."""
    skip_blanks(json)
    if json.at == json.end or json.at[0] != byte:
        return False
    json.at += 1
    return True


cdef inline bint read_name(In *json, Name *name) noexcept nogil:
    """Read the name of a member and the colon; one with escapes is unusual."""
    if not expect(json, c'"'):
        return False
    name.text = json.at
    cdef int width
    json.at = behind_plain(json.at, json.end)
    while json.at < json.end and json.at[0] != c'"':
        if json.at[0] < 0x20 or json.at[0] == c"\\":
            return False
        if json.at[0] < 0x80:
            json.at += 1
            continue
        width = width_of_character(json.at, json.end)
        if width == 0:
            return False
        json.at += width
    if json.at == json.end:
        return False
    name.size = json.at - name.text
    json.at += 1
    return expect(json, c":")


cdef inline bint _read_literal(In *json, const char *word, Py_ssize_t size) noexcept nogil:
    if json.end - json.at < size or memcmp(json.at, word, size) != 0:
        return False
    json.at += size
    return True


cdef inline bint _read_number(In *json, Value *value) noexcept nogil:
    """Read an integer as RFC 8259 writes it; what follows shows that it is none with a fraction or an exponent."""
    value.text = json.at
    cdef bint negative = json.at[0] == c"-"
    if negative:
        json.at += 1
    cdef const uint8_t *digits = json.at
    cdef int64_t number = 0
    while json.at < json.end and c"0" <= json.at[0] <= c"9" and json.at - digits < 18:
        number = number * 10 + (json.at[0] - c"0")
        json.at += 1
    # None, or zeros before others, or minus zero.
    if json.at == digits or (digits[0] == c"0" and (negative or json.at - digits > 1)):
        return False
    value.number = -number if negative else number
    value.size = value.characters = json.at - value.text
    return json.at < json.end and (
        json.at[0] == c"," or json.at[0] == c"}" or json.at[0] == c" "
        or json.at[0] == c"\n" or json.at[0] == c"\r" or json.at[0] == c"\t"
    )


cdef inline int _read_escape(In *json, uint8_t *out) noexcept nogil:
    """Read one escape and write its character; return how many bytes, 0 for U+0000, surrogates and what is wrong."""
    cdef unsigned int code = 0
    cdef int place
    cdef uint8_t digit
    if json.end - json.at < 2:
        return 0
    cdef uint8_t letter = json.at[1]
    json.at += 2
    if letter == c'"' or letter == c"\\" or letter == c"/":
        out[0] = letter
        return 1
    if letter == c"n":
        out[0] = c"\n"
    elif letter == c"t":
        out[0] = c"\t"
    elif letter == c"r":
        out[0] = c"\r"
    elif letter == c"b":
        out[0] = 8
    elif letter == c"f":
        out[0] = 12
    elif letter != c"u" or json.end - json.at < 4:
        return 0
    if letter != c"u":
        return 1
    for place in range(4):
        digit = json.at[place]
        if c"0" <= digit <= c"9":
            code = code * 16 + digit - c"0"
        elif c"a" <= (digit | 0x20) <= c"f":
            code = code * 16 + (digit | 0x20) - c"a" + 10
        else:
            return 0
    json.at += 4
    if code == 0 or 0xD800 <= code < 0xE000:
        return 0
    if code < 0x80:
        out[0] = <uint8_t> code
        return 1
    if code < 0x800:
        out[0] = <uint8_t> (0xC0 | code >> 6)
        out[1] = <uint8_t> (0x80 | code & 0x3F)
        return 2
    out[0] = <uint8_t> (0xE0 | code >> 12)
    out[1] = <uint8_t> (0x80 | code >> 6 & 0x3F)
    out[2] = <uint8_t> (0x80 | code & 0x3F)
    return 3


cdef inline bint _read_escaped(In *json, Value *value) noexcept nogil:
    """Read a text with escapes. What comes out is no longer than what it is written with, so `json.plain` has room."""
    cdef uint8_t *out = json.plain
    cdef Py_ssize_t characters = 0
    cdef int width, place
    while json.at < json.end:
        if json.at[0] == c'"':
            value.text = json.plain
            value.size = out - json.plain
            value.characters = characters
            json.at += 1
            return True
        characters += 1
        if json.at[0] == c"\\":
            width = _read_escape(json, out)
            if width == 0:
                return False
            out += width
        elif json.at[0] >= 0x80:
            width = width_of_character(json.at, json.end)
            if width == 0:
                return False
            for place in range(width):
                out[place] = json.at[place]
            out += width
            json.at += width
        elif json.at[0] < 0x20:
            return False
        else:
            out[0] = json.at[0]
            out += 1
            json.at += 1
    return False


cdef inline bint _read_text(In *json, Value *value) noexcept nogil:
    """Read a text behind its first quotation mark."""
    cdef const uint8_t *start = json.at
    cdef Py_ssize_t beyond = 0
    cdef int width
    json.at = behind_plain(json.at, json.end)
    while json.at < json.end:
        if json.at[0] == c'"':
            value.text = start
            value.size = json.at - start
            value.characters = value.size - beyond
            json.at += 1
            return True
        if json.at[0] >= 0x80:
            width = width_of_character(json.at, json.end)
            if width == 0:
                return False
            beyond += width - 1
            json.at += width
        elif json.at[0] == c"\\":
            json.at = start
            return _read_escaped(json, value)
        elif json.at[0] < 0x20:
            return False
        else:
            json.at += 1
    return False


cdef inline bint read_value(In *json, Value *value) noexcept nogil:
    """Read a text, an integer of up to 18 digits, null, true or false; the rest is unusual."""
    skip_blanks(json)
    if json.at == json.end:
        return False
    value.text = NULL
    value.size = value.characters = 0
    value.number = -1
    if json.at[0] == c'"':
        value.type = STRING
        json.at += 1
        return _read_text(json, value)
    if json.at[0] == c"-" or c"0" <= json.at[0] <= c"9":
        value.type = NUMBER
        return _read_number(json, value)
    if _read_literal(json, b"null", 4):
        value.type = LITERAL_NULL
    elif _read_literal(json, b"true", 4):
        value.type = LITERAL_TRUE
    elif _read_literal(json, b"false", 5):
        value.type = LITERAL_FALSE
    else:
        return False
    return True
