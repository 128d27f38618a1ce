# cython: language_level=3, embedsignature=False
"""The way of a usual request through HTTP Proxy."""

cdef extern from *:
    const char *OCSGW_SOURCES

SOURCES = OCSGW_SOURCES.decode("ascii")
