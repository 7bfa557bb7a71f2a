"""csrc/fastcache_recipe.h as Cython sees it."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from fastcache._core._capi cimport fc_geometry, fc_status

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

    ctypedef struct fc_colour:
        int32_t kind
        float amount

    ctypedef struct fc_stage:
        fc_geometry geometry
        int32_t filter
        int32_t padding
        uint8_t fill[4]
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
        int32_t h
        int32_t w

    fc_map fc_drawn_map(const fc_drawn *drawn) noexcept
