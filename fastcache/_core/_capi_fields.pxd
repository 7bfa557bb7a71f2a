"""csrc/fastcache_fields.h as Cython sees it."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastcache._core._capi cimport fc_cursor, fc_status

cdef extern from "fastcache_fields.h" nogil:
    ctypedef enum fc_element:
        FC_FLOAT64
        FC_FLOAT32
        FC_FLOAT16
        FC_BFLOAT16
        FC_UINT8
        FC_UINT16
        FC_UINT32
        FC_UINT64
        FC_INT8
        FC_INT16
        FC_INT32
        FC_INT64

    size_t fc_element_size(int element) noexcept

    ctypedef struct fc_series:
        const uint8_t *data
        const int64_t *offset
        int64_t sample
        int64_t samples
        int64_t channels
        int64_t length
        int64_t channel
        int64_t step
        int32_t element

    ctypedef enum fc_field_kind:
        FC_GASF
        FC_GADF
        FC_GAF_BOTH

    ctypedef struct fc_field_spec:
        int32_t kind
        int32_t element
        int64_t size
        const int64_t *start
        const int64_t *end
        int32_t scaled
        double low
        double high
        double out_low
        double out_high

    ctypedef enum fc_store:
        FC_STORE_AUTO
        FC_STORE_CACHED
        FC_STORE_STREAMING

    ctypedef struct fc_field_job:
        fc_cursor cursor
        fc_series series
        const fc_field_spec *spec
        uint8_t *out
        int64_t out_sample
        int64_t plane
        int32_t store

    fc_status fc_field_start(fc_field_job *job) noexcept
    fc_status fc_field_run(fc_field_job *job) noexcept
    fc_status fc_field_refused(const fc_field_job *job, int64_t *which) noexcept
    size_t fc_field_scratch(const fc_field_spec *spec, int64_t length) noexcept
    int fc_field_images(int kind) noexcept
