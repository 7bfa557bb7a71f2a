/* tint.c: which colours are applied together, and the mean that contrast is measured from. */
#include "tint.h"

#include <float.h>

const uint8_t fc_hue_sixths[16] = {
    FC_HUE_RED_MOST | FC_HUE_GREEN_MIDDLE,  FC_HUE_GREEN_MOST | FC_HUE_RED_MIDDLE | FC_HUE_FALLING,
    FC_HUE_GREEN_MOST | FC_HUE_BLUE_MIDDLE, FC_HUE_BLUE_MOST | FC_HUE_GREEN_MIDDLE | FC_HUE_FALLING,
    FC_HUE_BLUE_MOST | FC_HUE_RED_MIDDLE,   FC_HUE_RED_MOST | FC_HUE_BLUE_MIDDLE | FC_HUE_FALLING,
    FC_HUE_RED_MOST | FC_HUE_GREEN_MIDDLE,
};

static fc_tint_run run_of_this_processor(void) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512) return fc_tint_avx512;
  if (fc_cpu_get() == FC_CPU_AVX2) return fc_tint_avx2;
#endif
  return fc_tint_scalar;
}

/* What is no number becomes `low`. */
static float between(float value, float low, float high) {
  value = value > low ? value : low;
  return value < high ? value : high;
}

/* Whether there is anything to do.  A factor of 1, or no turn, gives every value as it was. */
static int plan(fc_tint *tint, const fc_colour *colour, int channels) {
  tint->kind = colour->kind;
  tint->mean = 0;
  switch (colour->kind) {
    case FC_BRIGHTNESS:
    case FC_CONTRAST:
    case FC_SATURATION:
      tint->amount = between(colour->amount, 0, FLT_MAX);
      break;
    case FC_HUE:
      tint->amount = between(colour->amount, -0.5f, 0.5f);
      break;
    case FC_GREY:
      tint->amount = 0;
      break;
    default:
      return 0;
  }
  tint->rest = (float)(1.0 - (double)tint->amount);
  if (channels == 1 && tint->kind > FC_CONTRAST) return 0;
  return tint->kind == FC_GREY || tint->amount != (tint->kind == FC_HUE ? 0 : 1);
}

/* One visit of all pixels.  Rows without gaps are one long row. */
static uint64_t visit(fc_tint_run run, uint8_t *pixels, size_t stride, int32_t h, int32_t w,
                      int channels, const fc_tint *tints, int number, int measure) {
  size_t rows = (size_t)h, columns = (size_t)w;
  uint64_t sum = 0;
  if (stride == columns * (size_t)channels) {
    columns *= rows;
    rows = 1;
  }
  for (size_t y = 0; y < rows; y++)
    sum += run(pixels + y * stride, columns, channels, tints, number, measure);
  return sum;
}

/* Contrast needs the mean of what the colours before it leave: pixels are visited once for all
 * colours up to the next contrast, and their grey is summed up meanwhile. */
void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                      const fc_colour *colours, int count) {
  const fc_tint_run run = run_of_this_processor();
  fc_tint tints[FC_MOST_COLOURS];
  int number = 0;
  if (h < 1 || w < 1) return;
  for (int at = 0; at < count; at++) {
    fc_tint tint;
    if (!plan(&tint, &colours[at], channels)) continue;
    const int measure = tint.kind == FC_CONTRAST;
    if (measure || number == FC_MOST_COLOURS) {
      const uint64_t sum = visit(run, pixels, stride, h, w, channels, tints, number, measure);
      /* The twin sums in float32, which is exact below 2^24. */
      if (measure) tint.mean = (float)sum / (float)((uint64_t)h * (uint64_t)w);
      number = 0;
    }
    tints[number++] = tint;
  }
  if (number > 0) visit(run, pixels, stride, h, w, channels, tints, number, 0);
}
