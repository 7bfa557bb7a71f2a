"""csrc/fastcache.h as Cython sees it; with _capi_fields.pxd the only `cdef extern` of the package.

Contracts stand in the header. Atomic members are declared as plain integers: Cython writes
ordinary reads and assignments, which C11 makes atomic on the real type. Their addresses must not
be taken here.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef extern from "fastcache.h" nogil:
    # ---- status
    ctypedef enum fc_status:
        FC_OK
        FC_NEEDS_PYTHON
        FC_PENDING
        FC_E_ARGUMENT
        FC_E_NOMEM
        FC_E_IO
        FC_E_NOT_REGULAR
        FC_E_EMPTY
        FC_E_FORMAT
        FC_E_TRUNCATED
        FC_E_CORRUPT
        FC_E_PIXELS
        FC_E_SCANS
        FC_E_BYTES
        FC_E_TIME
        FC_E_CHANGED
        FC_E_NOT_FINITE
        FC_E_RANGE
        FC_STATUS_COUNT

    const char *fc_status_text(int status) noexcept
    const char *fc_describe(int status, int detail, char *buffer, size_t capacity) noexcept

    # ---- processor
    const char *fc_cpu_name() noexcept
    const char *fc_cpu_mask_error() noexcept

    # ---- block
    ctypedef struct fc_block:
        uint8_t *data
        size_t size
        int fd
        int32_t owner
        int32_t sealed

    fc_status fc_block_create(fc_block *block, size_t size, const char *name,
                              int *detail) noexcept
    fc_status fc_block_allocate(fc_block *block, size_t offset, size_t size, int *detail) noexcept
    fc_status fc_block_open(fc_block *block, const char *path, uint64_t inode, size_t size,
                            int *detail) noexcept
    fc_status fc_block_adopt(fc_block *block, int fd, uint64_t inode, size_t size,
                             int *detail) noexcept
    uint64_t fc_block_inode(const fc_block *block) noexcept
    fc_status fc_block_seal(fc_block *block, int *detail) noexcept
    fc_status fc_block_reserve(fc_block *block, size_t size, int *detail) noexcept
    fc_status fc_block_map_file(fc_block *block, size_t at, int fd, size_t file_offset,
                                size_t length, int *detail) noexcept

    ctypedef enum fc_advice:
        FC_WILLNEED
        FC_DONTNEED
        FC_COLD
        FC_PAGEOUT
        FC_RANDOM
        FC_NORMAL

    fc_status fc_block_advise(const fc_block *block, const int64_t *offsets,
                              const int64_t *lengths, size_t count, fc_advice advice,
                              int *detail) noexcept
    void fc_block_close(fc_block *block) noexcept

    # ---- probe
    ctypedef enum fc_format:
        FC_FORMAT_UNKNOWN
        FC_FORMAT_JPEG
        FC_FORMAT_PNG
        FC_FORMAT_WEBP
        FC_FORMAT_GIF
        FC_FORMAT_BMP
        FC_FORMAT_TIFF
        FC_FORMAT_COUNT

    const char *fc_format_name(int format) noexcept

    enum:
        FC_IMAGE_IN_C
        FC_IMAGE_MULTISCAN
        FC_IMAGE_ALPHA
        FC_IMAGE_ANIMATED
        FC_IMAGE_ASK_ORIENTATION

    ctypedef struct fc_image_info:
        int64_t bytes
        int32_t height
        int32_t width
        int32_t format
        int32_t components
        int32_t depth
        int32_t orientation
        int32_t flags
        int32_t scans

    ctypedef struct fc_limits:
        int64_t max_pixels
        int64_t max_bytes
        int32_t max_scans
        int32_t max_ms

    const fc_limits fc_default_limits

    fc_status fc_probe_bytes(const uint8_t *data, size_t size, const fc_limits *limits,
                             fc_image_info *info) noexcept
    fc_status fc_probe_file(const char *path, const fc_limits *limits, int whole,
                            fc_image_info *info, int *detail) noexcept

    # ---- resample
    ctypedef enum fc_filter:
        FC_NEAREST
        FC_BOX
        FC_BILINEAR
        FC_HAMMING
        FC_BICUBIC
        FC_LANCZOS
        FC_FILTER_COUNT

    ctypedef struct fc_geometry:
        int32_t src_h
        int32_t src_w
        int32_t crop_y
        int32_t crop_x
        int32_t crop_h
        int32_t crop_w
        int32_t size_h
        int32_t size_w
        int32_t win_y
        int32_t win_x
        int32_t out_h
        int32_t out_w

    ctypedef struct fc_image_spec:
        int32_t channels
        int32_t filter
        int32_t apply_orientation
        int32_t wide
        int32_t premultiply
        int32_t scale
        uint8_t fill[4]
        fc_limits limits

    fc_status fc_geometry_check(const fc_geometry *geometry) noexcept
    fc_status fc_resample(const uint8_t *source, size_t source_stride,
                          const fc_geometry *geometry, const fc_image_spec *spec, uint8_t *out,
                          size_t out_stride) noexcept

    # ---- decode
    ctypedef struct fc_decoder:
        pass

    fc_decoder *fc_decoder_new() noexcept
    void fc_decoder_free(fc_decoder *decoder) noexcept
    fc_status fc_decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                        const fc_image_spec *spec, const fc_geometry *geometry, uint8_t *out,
                        size_t out_stride, int *detail) noexcept
    ctypedef struct fc_scratch:
        size_t kept
        size_t passing
        size_t resampler
        size_t upright

    fc_scratch fc_decode_scratch(const fc_image_info *info, const fc_image_spec *spec,
                             const fc_geometry *geometry) noexcept
    size_t fc_scratch_sum(const fc_scratch *scratch) noexcept

    ctypedef struct fc_codec_about:
        int32_t format
        const char *library
        char version[24]

    int fc_codec_list(int index, fc_codec_about *about) noexcept

    # ---- jobs
    ctypedef struct fc_cursor:
        int64_t count
        int64_t next
        int64_t done
        int64_t failed
        int64_t bytes
        int32_t cancel

    ctypedef struct fc_paths:
        const char *text
        const int64_t *offset

    ctypedef struct fc_probe_job:
        fc_cursor cursor
        fc_paths paths
        fc_limits limits
        int32_t whole
        fc_image_info *info
        int32_t *status
        int32_t *detail

    void fc_probe_run(fc_probe_job *job) noexcept

    ctypedef struct fc_fill_job:
        fc_cursor cursor
        fc_cursor *shared
        fc_paths paths
        const uint8_t *data
        const int64_t *data_offset
        const int64_t *data_size
        const fc_image_spec *spec
        const fc_geometry *geometry
        uint8_t *base
        const int64_t *slot
        int32_t damaged_needs_python
        int32_t *status
        int32_t *detail

    fc_status fc_fill_run(fc_fill_job *job) noexcept

    ctypedef struct fc_read_job:
        fc_cursor cursor
        fc_paths paths
        uint8_t *base
        const int64_t *slot
        const int64_t *size
        int32_t *status
        int32_t *detail

    void fc_read_run(fc_read_job *job) noexcept

    ctypedef struct fc_copy_job:
        fc_cursor cursor
        const uint8_t *source
        uint8_t *target
        const int64_t *source_offset
        const int64_t *target_offset
        const int64_t *length
        int64_t row
        int32_t streaming

    void fc_copy_run(fc_copy_job *job) noexcept
