"""Paths as the jobs take them."""

from libc.stdint cimport int64_t, uint8_t

from fastcache._core cimport _capi


cdef class Paths:
    cdef const uint8_t[::1] text
    cdef int64_t[::1] offset
    cdef readonly Py_ssize_t count

    cdef _capi.fc_paths view(self)
