# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""JSON bodies into frames for OCS, in one pass.

What this does is what `proxy/translation` and `protocol/messages` do in several steps. It knows flat objects of the usual
kind only; whatever else a body is, or is wrong with it, `Action.frame` returns None. All reading stays before the `end`
of the body, which each step compares with; nothing here indexes a Python sequence.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from ocsgw.speedups.packing cimport Out, put, put_big_endian, put_integer, put_map, put_text
from ocsgw.speedups.reading cimport LITERAL_NULL, LITERAL_TRUE, NUMBER, STRING, In, Name, Value
from ocsgw.speedups.reading cimport expect, read_name, read_value, skip_blanks

cdef extern from *:
    const char *OCSGW_SOURCES

SOURCES = OCSGW_SOURCES.decode("ascii")

# Bodies of this size, in bytes, and those with more members are for others.
cdef enum:
    LONGEST = 16384
    MOST_FIELDS = 40
    MOST_CUSTOM = 48

MOST_MEMBERS = MOST_FIELDS + MOST_CUSTOM

# What a field takes (`Form` in protocol/attributes.py).
cdef enum Kind:
    OTHER
    TEXT
    CONTACT
    INTEGER
    CHOICE
    DATE_TIME
    REFERENCE
    INFORMATION

cdef dict _KINDS = {
    "text": TEXT,
    "contact": CONTACT,
    "integer": INTEGER,
    "choice": CHOICE,
    "date_time": DATE_TIME,
    "reference": REFERENCE,
    "information": INFORMATION,
}

# What a conversion ends with.
cdef enum Converted:
    DECLINED
    ABSENT
    WRITTEN

cdef struct Field:
    # Its name, and that as MessagePack.
    const uint8_t *name
    Py_ssize_t size
    const uint8_t *packed
    Py_ssize_t packed_size
    Kind kind
    # The least and the largest number, or the length of a text in characters; the numbers below 64 that are none.
    int64_t low
    int64_t high
    uint64_t but
    bint trim
    # What may be chosen, in lower case unless `exact`, and the values: dict of bytes to bytes.
    void *choices
    bint exact
    bint mandatory
    # Mandatory also when this field, -1 for none, has one of these numbers below 64.
    int needed_by
    uint64_t needed_for

# Where texts with escapes are written out, and where pairs are written; used within one call, which holds the interpreter lock
# from its beginning to its end.
cdef uint8_t _plain[LONGEST]
cdef uint8_t _pairs[4 * LONGEST]


cdef class Action:
    """One action on one kind of resource: what its bodies may have.

    `fields` are (name, form, mandatory, mandatory for) as in the table of requests, `form` a tuple or None for what has
    to be declined. `custom`: other members are taken, too.
    """

    cdef Field _fields[MOST_FIELDS]
    cdef int _count
    cdef bint _custom
    # What the fields point into.
    cdef list _kept
    # The reference id of the body that is being read.
    cdef object _reference

    def __cinit__(self, fields, bint custom):
        if len(fields) > MOST_FIELDS:
            raise ValueError("too many fields")
        self._kept = []
        self._custom = custom
        self._count = 0
        cdef Field *field
        for name, form, mandatory, mandatory_for in fields:
            field = &self._fields[self._count]
            self._name(field, name.encode("ascii"))
            self._form(field, form)
            field.mandatory = mandatory
            field.needed_by = -1
            if mandatory_for is not None:
                field.needed_by = [each[0] for each in fields].index(mandatory_for[0])
                field.needed_for = _mask(mandatory_for[1])
            self._count += 1

    cdef int _name(self, Field *field, bytes name) except -1:
        # A name is shorter than 32 bytes, or has one byte for its size.
        packed = (bytes((0xA0 | len(name),)) if len(name) < 32 else bytes((0xD9, len(name)))) + name
        self._kept += (name, packed)
        field.name = <const uint8_t *> PyBytes_AS_STRING(name)
        field.size = PyBytes_GET_SIZE(name)
        field.packed = <const uint8_t *> PyBytes_AS_STRING(packed)
        field.packed_size = PyBytes_GET_SIZE(packed)
        return 0

    cdef int _form(self, Field *field, object form) except -1:
        field.kind = OTHER
        if form is None:
            return 0
        field.low, field.high = form.low, form.high
        field.trim, field.exact = form.trim, form.exact
        field.but = _mask(form.but)
        if form.choices is not None:
            choices = {spelling.encode("ascii"): value.encode("ascii") for spelling, value in form.choices.items()}
            self._kept.append(choices)
            field.choices = <void *> choices
        field.kind = _KINDS[form.kind]
        return 0

    def frame(
        self,
        bytes body,
        bytes target,
        uint64_t ref,
        int64_t deadline,
        str key,
        str principal,
        bytes request_id,
        str peer,
        Py_ssize_t limit,
    ):
        """Return the frame of a request with this body, and its reference id or None; None for what is unusual.

        `target` are the two pairs of the target as MessagePack; of `key`, `principal`, `request_id` and `peer` those
        are left out that are None. `limit` is the largest payload in bytes.
        """
        if PyBytes_GET_SIZE(body) >= LONGEST:
            return None
        cdef Out pairs
        pairs.at = _pairs
        pairs.end = _pairs + sizeof(_pairs)
        if not put(&pairs, PyBytes_AS_STRING(target), PyBytes_GET_SIZE(target)):
            return None
        self._reference = None
        cdef int count = self._read(body, &pairs)
        if count < 0:
            return None
        cdef int optional = _put_optional(&pairs, deadline, key, principal, request_id, peer)
        if optional < 0:
            return None
        frame = _framed(3 + optional, ref, 2 + count, pairs.at - _pairs, limit)
        return (frame, self._reference) if frame is not None else None

    cdef int _read(self, bytes body, Out *pairs) except -2:
        """Write the pairs of a body; return how many, -1 for what is unusual."""
        cdef In json
        json.at = <const uint8_t *> PyBytes_AS_STRING(body)
        json.end = json.at + PyBytes_GET_SIZE(body)
        json.plain = _plain
        cdef uint64_t seen = 0
        cdef uint64_t given = 0
        cdef int64_t numbers[MOST_FIELDS]
        cdef Name others[MOST_CUSTOM]
        cdef int others_count = 0
        cdef int count = 0
        cdef int which
        cdef uint8_t behind
        cdef Value value
        cdef Name name
        cdef Converted converted
        if not expect(&json, c"{"):
            return -1
        skip_blanks(&json)
        if json.at < json.end and json.at[0] == c"}":
            json.at += 1
        else:
            while True:
                if not read_name(&json, &name) or not read_value(&json, &value):
                    return -1
                which = self._find(&name)
                if which >= 0:
                    if seen >> which & 1:
                        return -1
                    seen |= <uint64_t> 1 << which
                    if value.type != LITERAL_NULL:
                        converted = _convert(&self._fields[which], &value, pairs)
                        if converted == DECLINED:
                            return -1
                        if converted == WRITTEN:
                            if self._fields[which].kind == REFERENCE:
                                self._reference = _as_object(&value)
                            given |= <uint64_t> 1 << which
                            # As far as it matters a number; a text that stands for one was written as one.
                            numbers[which] = value.number
                            count += 1
                else:
                    if others_count == MOST_CUSTOM or not self._may_be_custom(&name, others, others_count):
                        return -1
                    others[others_count] = name
                    others_count += 1
                    if value.type != LITERAL_NULL:
                        if not _put_custom(&name, &value, pairs):
                            return -1
                        count += 1
                skip_blanks(&json)
                if json.at == json.end:
                    return -1
                behind = json.at[0]
                json.at += 1
                if behind == c"}":
                    break
                if behind != c",":
                    return -1
        skip_blanks(&json)
        if json.at != json.end or self._lacks(given, numbers):
            return -1
        return count

    cdef int _find(self, Name *name) noexcept:
        """Return the number of the field that is called so, -1 if there is none."""
        cdef int which
        for which in range(self._count):
            if self._fields[which].size == name.size and memcmp(self._fields[which].name, name.text, name.size) == 0:
                return which
        return -1

    cdef bint _may_be_custom(self, Name *name, Name *others, int count) noexcept:
        """Whether a member is a custom one that this action takes, and the first of its name."""
        if not self._custom or (name.size >= 4 and memcmp(name.text, b"GSW_", 4) == 0):
            return False
        cdef int other
        for other in range(count):
            if others[other].size == name.size and memcmp(others[other].text, name.text, name.size) == 0:
                return False
        return True

    cdef bint _lacks(self, uint64_t given, int64_t *numbers) noexcept:
        """Whether something mandatory is missing."""
        cdef int which, key
        for which in range(self._count):
            if given >> which & 1:
                continue
            if self._fields[which].mandatory:
                return True
            key = self._fields[which].needed_by
            if key >= 0 and given >> key & 1:
                if 0 <= numbers[key] < 64 and self._fields[which].needed_for >> numbers[key] & 1:
                    return True
        return False


cdef object _mask(object numbers):
    """Return a set of numbers as bits. Raises `ValueError` for one that has none."""
    mask = 0
    for number in numbers:
        if not 0 <= number < 64:
            raise ValueError(f"{number} is not below 64")
        mask |= 1 << number
    return mask


cdef object _as_object(Value *value):
    return value.number if value.type == NUMBER else value.text[: value.size].decode("utf-8")


# Converting and writing.


cdef Converted _convert(Field *field, Value *value, Out *out) noexcept:
    """Write a field and its value as the converter of its form would convert it."""
    cdef Converted fit = DECLINED
    if value.type == STRING and value.size == 0 and field.kind != REFERENCE and field.kind != OTHER:
        return ABSENT
    if field.kind == TEXT:
        fit = _fits_as_text(field, value)
    elif field.kind == CONTACT:
        fit = _fits_as_contact(field, value)
    elif field.kind == INTEGER:
        return _put_number(field, value, out)
    elif field.kind == CHOICE:
        return _put_choice(field, value, out)
    elif field.kind == DATE_TIME:
        fit = WRITTEN if value.type == STRING and _is_date_time(value) else DECLINED
    elif field.kind == REFERENCE or field.kind == INFORMATION:
        if value.type == NUMBER:
            return WRITTEN if _put_name(field, out) and put_integer(out, value.number) else DECLINED
        fit = WRITTEN if value.type == STRING and value.characters <= field.high else DECLINED
    if fit != WRITTEN:
        return fit
    return WRITTEN if _put_name(field, out) and put_text(out, value.text, value.size) else DECLINED


cdef inline bint _put_name(Field *field, Out *out) noexcept nogil:
    return put(out, field.packed, field.packed_size)


cdef Converted _fits_as_text(Field *field, Value *value) noexcept nogil:
    """A number stands for its digits. A text that would have to be trimmed, or may have to, is unusual."""
    if (value.type != STRING and value.type != NUMBER) or value.characters > field.high:
        return DECLINED
    if field.trim and (_may_be_blank(value.text[0]) or _may_be_blank(value.text[value.size - 1])):
        return DECLINED
    return WRITTEN


cdef inline bint _may_be_blank(uint8_t byte) noexcept nogil:
    return byte <= 0x20 or byte >= 0x80


cdef Converted _fits_as_contact(Field *field, Value *value) noexcept nogil:
    """A text that may be a number which a program has rounded is unusual."""
    cdef Py_ssize_t at
    cdef uint8_t byte
    cdef bint rounded = False
    if value.type == STRING:
        for at in range(value.size):
            byte = value.text[at]
            if byte == c"e" or byte == c"E" or byte == c"." or byte == c",":
                rounded = True
            elif not (c"0" <= byte <= c"9" or byte == c"+" or byte == c"-" or byte <= 0x20):
                # Nothing that is rounded has such a character.
                rounded = False
                break
        if rounded:
            return DECLINED
    return _fits_as_text(field, value)


cdef Converted _put_number(Field *field, Value *value, Out *out) noexcept nogil:
    if value.type == STRING:
        if not _is_digits(value):
            return DECLINED
    elif value.type != NUMBER:
        return DECLINED
    if not field.low <= value.number <= field.high:
        return DECLINED
    if 0 <= value.number < 64 and field.but >> value.number & 1:
        return DECLINED
    return WRITTEN if _put_name(field, out) and put_integer(out, value.number) else DECLINED


cdef bint _is_digits(Value *value) noexcept nogil:
    """Take the number of a text that is one, of up to 18 digits."""
    cdef Py_ssize_t at = 0
    cdef int64_t number = 0
    cdef bint negative = value.text[0] == c"-"
    if negative:
        at = 1
    if not 0 < value.size - at <= 18:
        return False
    while at < value.size:
        if not c"0" <= value.text[at] <= c"9":
            return False
        number = number * 10 + (value.text[at] - c"0")
        at += 1
    value.number = -number if negative else number
    return True


cdef Converted _put_choice(Field *field, Value *value, Out *out) noexcept:
    if value.type != STRING or field.choices == NULL:
        return DECLINED
    spelling = value.text[: value.size]
    chosen = (<dict> field.choices).get(spelling if field.exact else spelling.lower())
    if chosen is None:
        return DECLINED
    if _put_name(field, out) and put_text(
        out, <const uint8_t *> PyBytes_AS_STRING(chosen), PyBytes_GET_SIZE(chosen)
    ):
        return WRITTEN
    return DECLINED


cdef bint _is_date_time(Value *value) noexcept nogil:
    """Whether a text is a date and a time, M/D/YYYY H:MM with one or two digits for month, day and hour."""
    cdef const uint8_t *at = value.text
    cdef const uint8_t *end = at + value.size
    cdef int month = _take_digits(&at, end, 1, 2, c"/")
    cdef int day = _take_digits(&at, end, 1, 2, c"/")
    cdef int year = _take_digits(&at, end, 4, 4, c" ")
    cdef int hour = _take_digits(&at, end, 1, 2, c":")
    cdef int minute = _take_digits(&at, end, 2, 2, 0)
    if at != end or not 1 <= month <= 12 or not 1970 <= year <= 2037 or not 0 <= hour <= 23 or not 0 <= minute <= 59:
        return False
    cdef int days = 31
    if month == 2:
        # Within these years every fourth one is a leap year.
        days = 29 if year % 4 == 0 else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        days = 30
    return 1 <= day <= days


cdef int _take_digits(const uint8_t **at, const uint8_t *end, int least, int most, uint8_t behind) noexcept nogil:
    """Return the number at `at` and go past it and the byte behind it, 0 for none; -1 if it is not there."""
    cdef int number = 0
    cdef int count = 0
    while count < most and at[0] < end and c"0" <= at[0][0] <= c"9":
        number = number * 10 + at[0][0] - c"0"
        at[0] += 1
        count += 1
    if count < least:
        return -1
    if behind != 0:
        if at[0] == end or at[0][0] != behind:
            return -1
        at[0] += 1
    return number


cdef bint _put_custom(Name *name, Value *value, Out *out) noexcept nogil:
    """Write a custom member: a text or a number as it is, true and false as numbers."""
    if not put_text(out, name.text, name.size):
        return False
    if value.type == STRING:
        return put_text(out, value.text, value.size)
    return put_integer(out, value.number if value.type == NUMBER else value.type == LITERAL_TRUE)


cdef int _put_optional(Out *out, int64_t deadline, str key, str principal, bytes request_id, str peer) except -2:
    """Write what a request has behind its data; return how many pairs, -1 for what is unusual."""
    if not (put(out, b"\xabdeadline_ms", 12) and put_integer(out, deadline)):
        return -1
    cdef int count = 1
    cdef Py_ssize_t size
    cdef const char *text
    if key is not None:
        text = PyUnicode_AsUTF8AndSize(key, &size)
        if not (put(out, b"\xafidempotency_key", 16) and put_text(out, <const uint8_t *> text, size)):
            return -1
        count += 1
    if principal is not None:
        text = PyUnicode_AsUTF8AndSize(principal, &size)
        if not (put(out, b"\xa9principal", 10) and put_text(out, <const uint8_t *> text, size)):
            return -1
        count += 1
    if request_id is not None:
        text = PyBytes_AS_STRING(request_id)
        size = PyBytes_GET_SIZE(request_id)
        if not (put(out, b"\xaarequest_id", 11) and put_text(out, <const uint8_t *> text, size)):
            return -1
        count += 1
    if peer is not None:
        text = PyUnicode_AsUTF8AndSize(peer, &size)
        if not (put(out, b"\xa4peer", 5) and put_text(out, <const uint8_t *> text, size)):
            return -1
        count += 1
    return count


cdef object _framed(int fields, uint64_t ref, int pairs, Py_ssize_t size, Py_ssize_t limit):
    """Return the frame of a request with what stands in `_pairs`, None if that is larger than `limit`."""
    cdef uint8_t head[64]
    cdef Out out
    out.at = head + 4
    out.end = head + sizeof(head)
    if not (
        put_map(&out, fields)
        and put(&out, b"\xa4kind\xa7request\xa3ref", 17)
        and put_integer(&out, <int64_t> ref)
        and put(&out, b"\xa4data", 5)
        and put_map(&out, pairs)
    ):
        return None
    cdef Py_ssize_t head_size = out.at - head
    cdef Py_ssize_t payload = head_size - 4 + size
    if payload > limit:
        return None
    out.at = head
    put_big_endian(&out, <uint8_t> (payload >> 24), payload & 0xFFFFFF, 3)
    frame = PyBytes_FromStringAndSize(NULL, head_size + size)
    out.at = <uint8_t *> PyBytes_AS_STRING(frame)
    out.end = out.at + head_size + size
    put(&out, head, head_size)
    put(&out, _pairs, size)
    return frame
