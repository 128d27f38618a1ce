# cython: language_level=3, embedsignature=False
"""Members of usual AddRecords to rows and acknowledgements."""

from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.object cimport PyObject

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)

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


cdef class Steps:
    """What `fill` does, by the places of the keys in the requests that have these, in this order."""

    cdef Step _steps[MOST_STEPS]
    cdef Py_ssize_t _count
    # What the steps point to.
    cdef list _kept

    def __cinit__(self, tuple keys not None, tuple stored, tuple hidden, tuple named, tuple custom):
        if len(keys) > MOST_STEPS:
            raise ValueError("too many keys")
        self._kept = [keys, named]
        self._count = len(keys)
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

    cdef bint _fill(self, dict data, object name, list row, dict event) except -1:
        """Fill row and event; false for a request that has other keys or another list, or needs a conversion."""
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
            elif step.kind == STORED:
                row[step.at] = value
                event[<object> key] = value
            elif step.kind == HIDDEN:
                row[step.at] = value
            elif not PyUnicode_CheckExact(value):
                return False
            elif step.kind == NAMED:
                found = (<dict> step.names).get(value)
                if found is None:
                    return False
                row[step.at] = (<tuple?> found)[0]
                event[<object> key] = (<tuple> found)[1]
            elif 0 < PyUnicode_GET_LENGTH(value) <= step.longest:
                row[step.at] = value
                event[<object> key] = value
            else:
                return False
        return True


def drafts(list requests not None, Py_ssize_t at, Steps steps not None, list row not None, dict event not None, make):
    """Return drafts of records for requests from `at` on, as long as they are like the first and need no conversion.

    Those are alike that have the keys of `steps`, name the same calling list and come from the same sender. `row` and
    `event` have the defaults; `make` is the class of a draft.
    """
    cdef list made = []
    cdef list filled
    cdef dict shown
    first = requests[at]
    context, name = first.context, (<dict?> first.data)["GSW_CALLING_LIST"]
    while at < len(requests):
        pending = requests[at]
        if pending.context is not context:
            break
        filled, shown = row[:], event.copy()
        if not steps._fill(<dict?> pending.data, name, filled, shown):
            break
        made.append(make(at, filled, shown, None))
        at += 1
    return made
