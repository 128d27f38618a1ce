# cython: language_level=3
"""What becomes of added records, for the part that answers them."""

from ocsgw.speedups.packing cimport Out


cdef class Draft:
    cdef readonly Py_ssize_t at
    cdef readonly list row
    cdef readonly object chain
    # None while nobody has asked for it; then the steps say what it is.
    cdef dict _event
    cdef object _steps
    cdef bint put(self, Out *out) except -1


cdef class Outcome:
    # The reply, or the draft whose acknowledgement it is.
    cdef readonly object replied
    cdef readonly bint replayed
