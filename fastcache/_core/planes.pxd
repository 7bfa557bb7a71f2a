"""Columns of images and masks as the read job takes them."""

from libc.stdint cimport int64_t, uint8_t

from fastcache._core cimport _capi_recipe
from fastcache._core.image cimport Spec


cdef class Plane:
    cdef _capi_recipe.fc_plane plane
    cdef readonly Py_ssize_t count
    cdef object keep

    cdef int _check_kind(self, Spec spec, bint is_mask) except -1
    cdef int _check_places(self, int64_t room, int64_t out_room, int64_t data_room) except -1


cdef bytes frozen(object of, Py_ssize_t n, Py_ssize_t each, str what)
cdef const _capi_recipe.fc_emit *emit_at(const uint8_t[::1] emit) except NULL
