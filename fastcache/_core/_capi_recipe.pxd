"""csrc/fastcache_recipe.h and csrc/tint.h as Cython sees them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastcache._core._capi cimport fc_cursor, fc_geometry, fc_image_spec, fc_paths, fc_status

cdef extern from "fastcache_recipe.h" nogil:
    ctypedef struct fc_key:
        uint64_t seed
        uint64_t epoch
        uint64_t sample
        uint32_t occurrence

    ctypedef struct fc_random:
        pass

    void fc_random_begin(fc_random *random, const fc_key *key, uint32_t step) noexcept
    uint32_t fc_random_bits(fc_random *random) noexcept
    double fc_random_uniform(fc_random *random) noexcept
    int32_t fc_random_below(fc_random *random, int32_t count) noexcept
    double fc_random_normal(fc_random *random) noexcept
    void fc_random_normals(fc_random *random, float *out, size_t count) noexcept
    double fc_random_gamma(fc_random *random, double shape) noexcept
    double fc_random_beta(fc_random *random, double a, double b) noexcept

    ctypedef struct fc_visits:
        pass

    size_t fc_visits_bytes(int64_t count) noexcept
    fc_status fc_visits_tell(fc_visits *visits, int64_t count, uint64_t epoch) noexcept
    fc_status fc_visit(fc_visits *visits, int64_t count, const int64_t *rows, size_t n,
                       uint32_t *times, uint64_t *epoch) noexcept

    ctypedef struct fc_step:
        int32_t kind
        int32_t filter
        int32_t number[8]
        double real[8]
        float value[4]
        uint8_t fill[4]

    fc_status fc_step_check(const fc_step *step) noexcept

    int FC_MOST_STAGES
    int FC_MOST_COLOURS
    int FC_MOST_ERASED
    uint32_t FC_STEP_PIXELS

    ctypedef enum fc_colour_kind:
        FC_BRIGHTNESS
        FC_CONTRAST
        FC_SATURATION
        FC_HUE
        FC_GREY

    ctypedef struct fc_colour:
        int32_t kind
        float amount

    ctypedef struct fc_stage:
        fc_geometry geometry
        int32_t filter
        int32_t padding
        uint8_t fill[4]
        int32_t scale
        int32_t flip_y
        int32_t flip_x
        int32_t colours
        fc_colour colour[8]

    ctypedef struct fc_erased:
        int32_t y
        int32_t x
        int32_t h
        int32_t w
        int32_t erase_with "with"
        float value[4]
        uint32_t step

    ctypedef struct fc_drawn:
        int32_t stages
        int32_t erased
        fc_stage stage[4]
        fc_erased erase[4]

    fc_status fc_draw(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                      const fc_stage *before, fc_drawn *drawn, int *at) noexcept

    ctypedef struct fc_map:
        double scale_y
        double shift_y
        double scale_x
        double shift_x
        double seen_y[2]
        double seen_x[2]
        int32_t h
        int32_t w

    fc_map fc_drawn_map(const fc_drawn *drawn) noexcept

    ctypedef enum fc_scaling:
        FC_PLAIN
        FC_UNIT
        FC_NORMALISED
        FC_NORMALISED_PLAIN

    ctypedef struct fc_emit:
        int32_t element
        int32_t planar
        int32_t channels
        int32_t scaling
        float mean[4]
        float std[4]
        int32_t streaming

    fc_status fc_emit_check(const fc_emit *emit) noexcept
    size_t fc_emit_bytes(const fc_emit *emit, int32_t h, int32_t w) noexcept

    ctypedef struct fc_maker:
        pass

    fc_maker *fc_maker_new() noexcept
    void fc_maker_free(fc_maker *maker) noexcept
    fc_status fc_make_scratch(const fc_step *steps, int count, int32_t h, int32_t w,
                              const fc_stage *before, const fc_image_spec *spec,
                              const fc_emit *emit, size_t *bytes, int *at) noexcept
    fc_status fc_make(fc_maker *maker, const uint8_t *source, size_t stride,
                      const fc_image_spec *spec, const fc_drawn *drawn, const fc_key *key,
                      const fc_emit *emit, uint8_t *out) noexcept
    fc_status fc_make_from_file(fc_maker *maker, const uint8_t *data, size_t size,
                                const fc_image_spec *spec, const fc_drawn *drawn,
                                const fc_key *key, const fc_emit *emit, uint8_t *out,
                                int *detail) noexcept

    ctypedef struct fc_plane:
        const fc_image_spec *spec
        const uint8_t *base
        const int64_t *offset
        const int32_t *height
        const int32_t *width
        fc_paths paths
        const uint8_t *data
        const int64_t *data_offset
        const int64_t *data_size
        const fc_stage *before
        int32_t is_mask
        const fc_step *steps
        int32_t step_count
        fc_emit emit
        uint8_t *out
        const int64_t *out_offset
        const int64_t *out_size

    ctypedef struct fc_make_job:
        fc_cursor cursor
        const fc_step *steps
        int32_t step_count
        uint64_t seed
        const uint64_t *epoch
        const uint64_t *sample
        const uint32_t *occurrence
        const fc_plane *planes
        int32_t plane_count
        int32_t is_views
        int32_t damaged_needs_python
        fc_map *map
        int32_t *status
        int32_t *detail

    fc_status fc_make_run(fc_make_job *job) noexcept

cdef extern from "tint.h" nogil:
    void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                          const fc_colour *colours, int count) noexcept
