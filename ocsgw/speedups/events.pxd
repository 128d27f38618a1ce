# cython: language_level=3
"""Events into answers, for the lane."""

cpdef tuple answer(bytes data, Py_ssize_t at, Py_ssize_t limit, bytes head)
