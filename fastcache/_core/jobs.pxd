"""What other modules build jobs of: paths, and what every job can do."""

from libc.stdint cimport int64_t, uint8_t

from fastcache._core cimport _capi


cdef class Paths:
    cdef const uint8_t[::1] text
    cdef int64_t[::1] offset
    cdef readonly Py_ssize_t count

    cdef _capi.fc_paths view(self)


cdef class _Job:
    cdef _capi.fc_cursor *cursor


cdef int check_runs(Py_ssize_t n, int64_t room, int64_t[::1] offset, int64_t[::1] size,
                    str what) except -1
