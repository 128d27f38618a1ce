# cython: language_level=3, embedsignature=False
"""Members of usual AddRecords to rows and acknowledgements."""

from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.object cimport PyObject

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    PyObject *PyTuple_GET_ITEM(tuple, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(tuple)

SOURCES = OCSGW_SOURCES.decode("ascii")


cdef inline bint _is_same(object one, object other) except -1:
    return one is other or one == other


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
    return _fill(stored, hidden, named, custom, data, row, event)


cdef list _fill(tuple stored, tuple hidden, tuple named, tuple custom, dict data, list row, dict event):
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


cdef bint _has_keys(dict data, tuple keys) except -1:
    """Whether `data` has these keys, in this order."""
    cdef PyObject *key = NULL
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t which = 0
    if PyDict_Size(data) != PyTuple_GET_SIZE(keys):
        return False
    while PyDict_Next(data, &at, &key, NULL):
        if not _is_same(<object> key, <object> PyTuple_GET_ITEM(keys, which)):
            return False
        which += 1
    return True


def drafts(
    list requests not None,
    Py_ssize_t at,
    tuple keys not None,
    tuple stored not None,
    tuple hidden not None,
    tuple named not None,
    tuple custom not None,
    list row not None,
    dict event not None,
    make,
):
    """Return drafts of records for requests from `at` on, as long as they are like the first and need no conversion.

    Those are alike that have these `keys`, name the same calling list and come from the same sender. `row` and `event`
    have the defaults; `make` is the class of a draft.
    """
    cdef list made = []
    cdef list filled
    cdef dict shown
    first = requests[at]
    context, name = first.context, (<dict?> first.data)["GSW_CALLING_LIST"]
    while at < len(requests):
        pending = requests[at]
        data = <dict?> pending.data
        if pending.context is not context or not _has_keys(data, keys) or not _is_same(data["GSW_CALLING_LIST"], name):
            break
        filled, shown = row[:], event.copy()
        if _fill(stored, hidden, named, custom, data, filled, shown):
            break
        made.append(make(at, filled, shown, None))
        at += 1
    return made
