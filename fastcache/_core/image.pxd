"""What the jobs share with single images."""

from libc.stdint cimport uint8_t

from fastcache._core cimport _capi


cdef class Spec:
    cdef _capi.fc_image_spec value


cdef void *at(uint8_t[::1] buffer, Py_ssize_t need) except? NULL
cdef int pixel_bytes(Spec spec) noexcept
