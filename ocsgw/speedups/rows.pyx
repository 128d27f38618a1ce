# cython: language_level=3, embedsignature=False
"""Members of usual AddRecords to rows and acknowledgements."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t

from ocsgw.speedups.packing cimport Out, put, put_integer, put_map, put_text

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyLong_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1

SOURCES = OCSGW_SOURCES.decode("ascii")


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


cdef enum:
    # More keys than these are unusual.
    MOST_STEPS = 64

MOST_KEYS = MOST_STEPS

# What is done with the value of a key.
cdef enum Kind:
    NOTHING
    LIST
    STORED
    HIDDEN
    NAMED
    CUSTOM

cdef struct Step:
    Kind kind
    # Where in a row it goes, and how many characters a custom text may have.
    Py_ssize_t at
    Py_ssize_t longest
    # Its key, and the numbers and names that there are.
    PyObject *key
    PyObject *names


# A part of an acknowledgement: bytes that are always the same, and a value of the row behind them.
cdef struct Piece:
    const uint8_t *text
    Py_ssize_t size
    # Where in the row the value stands, -1 for none; and what is shown instead of a number.
    Py_ssize_t at
    PyObject *names
    # What the member is called.
    PyObject *key


cdef class Steps:
    """What `fill` does, by the places of the keys in the requests that have these, in this order.

    `event` is the acknowledgement with its defaults, and `chain` the place of the chain id in a row, which it shows.
    """

    cdef Step _steps[MOST_STEPS]
    cdef Py_ssize_t _count
    cdef Piece _pieces[MOST_STEPS]
    cdef Py_ssize_t _pieces_count
    cdef dict _event
    # What the steps and pieces point to.
    cdef list _kept

    def __cinit__(
        self, tuple keys not None, tuple stored, tuple hidden, tuple named, tuple custom, dict event, Py_ssize_t chain
    ):
        if len(keys) > MOST_STEPS:
            raise ValueError("too many keys")
        self._kept = [keys, named]
        self._count = len(keys)
        self._event = event
        cdef Step *step
        cdef Py_ssize_t which
        kinds = {place[1]: (STORED, place) for place in stored}
        kinds.update({place[1]: (HIDDEN, place) for place in hidden})
        kinds.update({place[1]: (NAMED, place) for place in named})
        kinds.update({place[1]: (CUSTOM, place) for place in custom})
        for which in range(self._count):
            key = keys[which]
            step = &self._steps[which]
            step.key = <PyObject *> key
            step.names = NULL
            step.kind = LIST if key == "GSW_CALLING_LIST" else NOTHING
            if key in kinds:
                kind, place = kinds[key]
                step.kind, step.at = kind, place[0]
                if kind == NAMED:
                    names = <dict?> place[2]
                    step.names = <PyObject *> names
                elif kind == CUSTOM:
                    step.longest = place[2]
        self._lay_out(kinds, chain)

    cdef int _lay_out(self, dict kinds, Py_ssize_t chain) except -1:
        """Find the pieces of the acknowledgement. Raises `ValueError` where it cannot be made of some."""
        cdef Piece *piece
        constant = _packed((len(self._event),))
        self._pieces_count = 0
        for key, value in self._event.items():
            kind, place = kinds.get(key, (NOTHING, (-1,)))
            at = chain if key == "GSW_CHAIN_ID" else place[0] if kind != HIDDEN else -1
            packed = _packed(key) + (_packed(value) if at < 0 else b"")
            constant += packed
            if at < 0:
                continue
            if self._pieces_count == MOST_STEPS - 1:
                raise ValueError("too many members")
            piece = &self._pieces[self._pieces_count]
            piece.at, piece.names, piece.key = at, NULL, <PyObject *> key
            if kind == NAMED:
                names = dict((<dict> place[2]).values())
                if len(names) < len(<dict> place[2]):
                    raise ValueError("a number has several names")
                self._kept.append(names)
                piece.names = <PyObject *> names
            self._end_piece(piece, constant)
            constant = b""
        piece = &self._pieces[self._pieces_count]
        piece.at, piece.names, piece.key = -1, NULL, NULL
        self._end_piece(piece, constant)
        return 0

    cdef int _end_piece(self, Piece *piece, bytes constant) except -1:
        self._kept.append(constant)
        piece.text, piece.size = <const uint8_t *> PyBytes_AS_STRING(constant), PyBytes_GET_SIZE(constant)
        self._pieces_count += 1
        return 0

    cdef bint _fill(self, dict data, object name, list row) except -1:
        """Fill a row; false for a request that has other keys or another list, or needs a conversion."""
        cdef PyObject *key = NULL
        cdef PyObject *given = NULL
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t which = 0
        cdef Step *step
        if PyDict_Size(data) != self._count:
            return False
        while PyDict_Next(data, &at, &key, &given):
            step = &self._steps[which]
            which += 1
            if key != step.key and <object> key != <object> step.key:
                return False
            if step.kind == NOTHING:
                continue
            value = <object> given
            if step.kind == LIST:
                if value is not name and value != name:
                    return False
            elif step.kind == STORED or step.kind == HIDDEN:
                row[step.at] = value
            elif not PyUnicode_CheckExact(value):
                return False
            elif step.kind == NAMED:
                found = (<dict> step.names).get(value)
                if found is None:
                    return False
                row[step.at] = (<tuple?> found)[0]
            elif 0 < PyUnicode_GET_LENGTH(value) <= step.longest:
                row[step.at] = value
            else:
                return False
        return True

    cdef dict _shown(self, list row):
        """Return the acknowledgement of a row."""
        cdef Py_ssize_t which
        cdef Piece *piece
        event = self._event.copy()
        for which in range(self._pieces_count - 1):
            piece = &self._pieces[which]
            event[<object> piece.key] = _shown_value(piece, row)
        return event

    cdef bint _put(self, list row, Out *out) except -1:
        """Write the acknowledgement of a row; false where it has more than texts and integers of 64 bits, or no room."""
        cdef Py_ssize_t which
        cdef Piece *piece
        for which in range(self._pieces_count):
            piece = &self._pieces[which]
            if not put(out, piece.text, piece.size):
                return False
            if piece.at >= 0 and not _put_value(_shown_value(piece, row), out):
                return False
        return True


cdef inline object _shown_value(Piece *piece, list row):
    value = row[piece.at]
    return value if piece.names == NULL else (<dict> piece.names)[value]


cdef bint _put_value(object value, Out *out) except -1:
    """Write a text or an integer; false for anything else. Raises `UnicodeEncodeError` for lone surrogates."""
    cdef Py_ssize_t size = 0
    cdef const char *text
    cdef int64_t number
    cdef int overflow = 0
    if PyUnicode_CheckExact(value):
        text = PyUnicode_AsUTF8AndSize(value, &size)
        return put_text(out, <const uint8_t *> text, size)
    if not PyLong_CheckExact(value):
        return False
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    return not overflow and put_integer(out, number)


cdef bytes _packed(object value):
    """Return a constant as MessagePack; a number of members of a map is given as its tuple."""
    cdef uint8_t room[4096]
    cdef Out out
    out.at = room
    out.end = room + sizeof(room)
    if type(value) is tuple:
        if not put_map(&out, value[0]):
            raise ValueError("too large")
    elif not _put_value(value, &out):
        raise ValueError("no text and no integer")
    return PyBytes_FromStringAndSize(<const char *> room, out.at - room)


@cython.freelist(256)
cdef class Draft:
    """A record to be added; see `contact.record_plan.Draft`. Its acknowledgement is made when somebody asks for it."""

    def __init__(self, Py_ssize_t at, list row not None, dict event, chain):
        self.at, self.row, self._event, self.chain = at, row, event, chain

    @property
    def event(self):
        """The acknowledgement; whoever changes it is who says what it has from then on."""
        if self._event is None:
            self._event = (<Steps> self._steps)._shown(self.row)
        return self._event

    cdef bint put(self, Out *out) except -1:
        """Write the acknowledgement; false where somebody else has to."""
        return self._event is None and (<Steps> self._steps)._put(self.row, out)


@cython.freelist(256)
cdef class Outcome:
    """What became of one request; see `contact.batch.Outcome`."""

    def __init__(self, reply, bint replayed=False):
        self.replied, self.replayed = reply, replayed

    @property
    def reply(self):
        """What the rule has answered."""
        return (<Draft> self.replied).event if type(self.replied) is Draft else self.replied

    def __eq__(self, other):
        return type(other) is Outcome and (self.reply, self.replayed) == (other.reply, other.replayed)


def number(list drafts not None, record_id, chain_id, Py_ssize_t at_record, Py_ssize_t at_chain):
    """Give drafts the ids behind these, and chains of their own."""
    cdef Draft draft
    for each in drafts:
        draft = <Draft?> each
        record_id += 1
        chain_id += 1
        draft.row[at_record] = record_id
        draft.row[at_chain] = chain_id
        if draft._event is not None:
            draft._event["GSW_CHAIN_ID"] = chain_id


def answer_with(list drafts not None, list replies not None):
    """Put what drafts are acknowledged with into the places of their requests."""
    cdef Draft draft
    for each in drafts:
        draft = <Draft?> each
        replies[draft.at] = draft if draft._event is None else draft._event


def rows_of(list drafts not None):
    """Return the rows of drafts."""
    return [(<Draft?> each).row for each in drafts]


def are_plain(list requests not None):
    """Whether requests ask for the same, without a key, and none goes on from before."""
    asked = requests[0].request
    for pending in requests:
        if pending.request is not asked or pending.key is not None or pending.resume is not None:
            return False
    return True


def drafts(list requests not None, Py_ssize_t at, Steps steps not None, list row not None):
    """Return drafts of records for requests from `at` on, as long as they are like the first and need no conversion.

    Those are alike that have the keys of `steps`, name the same calling list and come from the same sender. `row` has
    the defaults.
    """
    cdef list made = []
    cdef list filled
    cdef Draft draft
    first = requests[at]
    context, name = first.context, (<dict?> first.data)["GSW_CALLING_LIST"]
    while at < len(requests):
        pending = requests[at]
        if pending.context is not context:
            break
        filled = row[:]
        if not steps._fill(<dict?> pending.data, name, filled):
            break
        draft = Draft.__new__(Draft)
        draft.at, draft.row, draft._steps = at, filled, steps
        made.append(draft)
        at += 1
    return made
