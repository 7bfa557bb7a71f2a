/* tint.h: brightness, contrast, saturation, hue and grey of pixels in memory, and what the files
 * tint*.c say to one another.
 *
 * The twin is torchvision.transforms.v2.functional on uint8 tensors, one function after the other:
 * each of them ends in whole numbers.  Its arithmetic is followed step by step in float32, so that
 * results are equal, and not only near: where its sums are fused with a product (it adds with
 * alpha=), so are ours, by fma; nothing else is fused. */
#ifndef FC_TINT_H
#define FC_TINT_H

#include "fastcache_recipe.h"
#include "fc_internal.h"

/* Change h rows of w pixels, `stride` bytes apart, in place.  Channels: 1, 3, or 4, of which the
 * last (alpha) stays.  Grey images (1) know no saturation, hue and grey: they stay.  Amounts are as
 * in fc_colour; one that is out of range is moved to the nearest that is not. */
void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                      const fc_colour *colours, int count);

/* One colour, ready to be applied. */
typedef struct fc_tint {
  int32_t kind;       /* fc_colour_kind */
  float amount, rest; /* rest: 1 - amount */
  float mean;         /* FC_CONTRAST: of the grey image */
} fc_tint;

/* Pixels that are taken through all tints at once, as planes of floats: 3 KB, which stay in L1. */
#define FC_TINT_BLOCK 256

/* What each tint*.c with an instruction set offers: `count` pixels side by side go through the
 * tints; returned is the sum of their grey values afterwards, if `measure`, else 0. */
typedef uint64_t (*fc_tint_run)(uint8_t *pixels, size_t count, int channels, const fc_tint *tints,
                                int number, int measure);
uint64_t fc_tint_scalar(uint8_t *pixels, size_t count, int channels, const fc_tint *tints,
                        int number, int measure);
#ifdef __x86_64__
uint64_t fc_tint_avx2(uint8_t *pixels, size_t count, int channels, const fc_tint *tints, int number,
                      int measure);
uint64_t fc_tint_avx512(uint8_t *pixels, size_t count, int channels, const fc_tint *tints,
                        int number, int measure);
#endif

/* What a channel gets of a colour's three numbers, in one sixth of the circle of hues: the most,
 * the middle, or else the least; and whether the middle falls along this sixth, or rises. */
enum {
  FC_HUE_FALLING = 1 << 7,
  FC_HUE_RED_MOST = 1 << 6,
  FC_HUE_RED_MIDDLE = 1 << 5,
  FC_HUE_GREEN_MOST = 1 << 4,
  FC_HUE_GREEN_MIDDLE = 1 << 3,
  FC_HUE_BLUE_MOST = 1 << 2,
  FC_HUE_BLUE_MIDDLE = 1 << 1
};
/* The six, and the first once more, for hues that rounding has made a whole turn. */
extern const uint8_t fc_hue_sixths[16];

#endif
