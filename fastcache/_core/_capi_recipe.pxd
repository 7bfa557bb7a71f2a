"""csrc/fastcache_recipe.h and csrc/tint.h as Cython sees them."""

from libc.stdint cimport int32_t, uint8_t

cdef extern from "fastcache_recipe.h" nogil:
    ctypedef enum fc_colour_kind:
        FC_BRIGHTNESS
        FC_CONTRAST
        FC_SATURATION
        FC_HUE
        FC_GREY

    ctypedef struct fc_colour:
        int32_t kind
        float amount

cdef extern from "tint.h" nogil:
    void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                          const fc_colour *colours, int count) noexcept
