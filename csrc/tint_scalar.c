/* tint_scalar.c: colours without vectors: one value at a time, for any processor. */
#include <math.h>
#include <string.h>

#include "tint.h"

#define RUN fc_tint_scalar
#define TARGET
#define SCALAR static inline __attribute__((always_inline))

typedef float VF;
#define VF_N 1

SCALAR float vf_load(const float *from) {
  return *from;
}

SCALAR void vf_store(float *to, float value) {
  *to = value;
}

SCALAR float vf_set(float value) {
  return value;
}

SCALAR float vf_add(float a, float b) {
  return a + b;
}

SCALAR float vf_sub(float a, float b) {
  return a - b;
}

SCALAR float vf_mul(float a, float b) {
  return a * b;
}

SCALAR float vf_div(float a, float b) {
  return a / b;
}

SCALAR float vf_fma(float a, float b, float c) {
  return fmaf(a, b, c);
}

/* The second of equals, as the vector instructions have it. */
SCALAR float vf_min(float a, float b) {
  return a < b ? a : b;
}

SCALAR float vf_max(float a, float b) {
  return a > b ? a : b;
}

/* By way of an integer: all values here are small, and a call of the library is slow. */
SCALAR float vf_trunc(float value) {
  return (float)(int32_t)value;
}

SCALAR float vf_floor(float value) {
  const float cut = vf_trunc(value);
  return cut > value ? cut - 1 : cut;
}

SCALAR float vf_first(float value, int n) {
  return n > 0 ? value : 0;
}

SCALAR void hue_parts(float red, float green, float blue, float *plus, float *minus, float *start) {
  const int is_red = red == 0, is_green = green == 0;
  *plus = is_red ? blue : is_green ? red : green;
  *minus = is_red ? green : is_green ? blue : red;
  *start = is_red ? 0 : is_green ? 2 : 4;
}

typedef unsigned hue_choice;

SCALAR hue_choice hue_choose(float sector) {
  return fc_hue_sixths[(int)sector];
}

SCALAR float hue_between(hue_choice choice, float falling, float rising) {
  return choice & FC_HUE_FALLING ? falling : rising;
}

#define HUE_CHANNEL(name, IS_MOST, IS_MIDDLE)                                   \
  SCALAR float name(hue_choice choice, float most, float middle, float least) { \
    return choice & (IS_MOST) ? most : choice & (IS_MIDDLE) ? middle : least;   \
  }
HUE_CHANNEL(hue_red, FC_HUE_RED_MOST, FC_HUE_RED_MIDDLE)
HUE_CHANNEL(hue_green, FC_HUE_GREEN_MOST, FC_HUE_GREEN_MIDDLE)
HUE_CHANNEL(hue_blue, FC_HUE_BLUE_MOST, FC_HUE_BLUE_MIDDLE)

SCALAR void load_grey(const uint8_t *in, float *grey) {
  *grey = in[0];
}

SCALAR void load_rgb(const uint8_t *in, float *red, float *green, float *blue) {
  *red = in[0];
  *green = in[1];
  *blue = in[2];
}

SCALAR void store_grey(uint8_t *out, const float *grey) {
  out[0] = (uint8_t)*grey;
}

SCALAR void store_rgb(uint8_t *out, const float *red, const float *green, const float *blue) {
  out[0] = (uint8_t)*red;
  out[1] = (uint8_t)*green;
  out[2] = (uint8_t)*blue;
}

#define load_rgba load_rgb
#define store_rgba store_rgb

#include "tint_kernels.h"
