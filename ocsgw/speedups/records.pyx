# cython: language_level=3, embedsignature=False
"""Rows of calling lists to records, where nothing in them is unusual."""

from cpython.float cimport PyFloat_CheckExact
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stdint cimport int64_t

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyLong_CheckExact(object)
    bint PyTuple_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1
    object PyObject_Vectorcall(object, PyObject **, size_t, PyObject *)

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    # Records with more columns of their own are for others.
    MOST_COLUMNS = 32


cdef class Reader:
    """Reads rows as records.

    `kinds` are the types of the columns that every record has, `str` or `int`; their numbers are from `least` to
    `latest`. `make` is the class of records: it takes these values, and two lists of further ones.
    """

    cdef bint _is_text[MOST_COLUMNS]
    cdef Py_ssize_t _count
    cdef int64_t _least
    cdef int64_t _latest
    cdef object _make

    def __init__(self, tuple kinds not None, int64_t least, int64_t latest, make):
        if len(kinds) > MOST_COLUMNS:
            raise ValueError("too many columns")
        cdef Py_ssize_t at
        for at in range(len(kinds)):
            self._is_text[at] = kinds[at] is str
        self._count, self._least, self._latest, self._make = len(kinds), least, latest, make

    def read(self, list rows not None, Py_ssize_t first, Py_ssize_t fields, Py_ssize_t most_bytes):
        """Return the records of rows that begin at the column `first`; None if there is something unusual in one.

        The first list has so many `fields`, the other what is behind them. The texts of a row have `most_bytes`
        together at most.
        """
        cdef list records = PyList_New(len(rows))
        cdef Py_ssize_t at
        for at in range(len(rows)):
            row = rows[at]
            if (
                not PyTuple_CheckExact(row)
                or first < 0
                or fields < 0
                or PyTuple_GET_SIZE(row) < first + self._count + fields
                or not self._is_plain(<tuple> row, first, most_bytes)
            ):
                return None
            record = self._record(<tuple> row, first, fields)
            Py_INCREF(record)
            PyList_SET_ITEM(records, at, record)
        return records

    cdef bint _is_plain(self, tuple row, Py_ssize_t first, Py_ssize_t most_bytes) except -1:
        cdef Py_ssize_t at
        cdef int64_t number
        cdef int overflow = 0
        cdef object value
        for at in range(first, PyTuple_GET_SIZE(row)):
            value = <object> PyTuple_GET_ITEM(row, at)
            if PyUnicode_CheckExact(value):
                if at < first + self._count and not self._is_text[at - first]:
                    return False
                # ASCII has no surrogates, and a byte a character.
                most_bytes -= PyUnicode_GET_LENGTH(value)
                if not PyUnicode_IS_ASCII(value) or most_bytes < 0:
                    return False
            elif at < first + self._count:
                if self._is_text[at - first] or not PyLong_CheckExact(value):
                    return False
                number = PyLong_AsLongLongAndOverflow(value, &overflow)
                if overflow or not self._least <= number <= self._latest:
                    return False
            elif value is not None and not PyLong_CheckExact(value) and not PyFloat_CheckExact(value):
                return False
        return True

    cdef object _record(self, tuple row, Py_ssize_t first, Py_ssize_t fields):
        cdef PyObject *values[MOST_COLUMNS + 2]
        cdef Py_ssize_t at
        cdef Py_ssize_t behind = first + self._count
        for at in range(self._count):
            values[at] = PyTuple_GET_ITEM(row, first + at)
        cdef list custom = _part(row, behind, behind + fields)
        cdef list further = _part(row, behind + fields, PyTuple_GET_SIZE(row))
        values[self._count], values[self._count + 1] = <PyObject *> custom, <PyObject *> further
        return PyObject_Vectorcall(self._make, values, self._count + 2, NULL)


cdef list _part(tuple row, Py_ssize_t begin, Py_ssize_t end):
    """Return the values of a row from `begin` up to `end`."""
    cdef list part = PyList_New(end - begin)
    cdef Py_ssize_t at
    for at in range(begin, end):
        value = <object> PyTuple_GET_ITEM(row, at)
        Py_INCREF(value)
        PyList_SET_ITEM(part, at - begin, value)
    return part
