"""FieldSpec for the other modules of the core."""

from fastcache._core cimport _capi_fields

cdef class FieldSpec:
    cdef _capi_fields.fc_field_spec value
    cdef bint set_up
    cdef object segments, points
    cdef int _set_bins(self, int bins, int strategy, points) except -1
