/* colour.c: rows of the codec's colours to rows of the arena's, in Pillow's integer arithmetic. */
#include "fc_internal.h"

/* ITU-R 601 luma in Q16, rounded, as Image.convert("L") computes it. */
static inline uint8_t luma(unsigned r, unsigned g, unsigned b) {
  return (uint8_t)((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16);
}

/* a * b / 255, rounded, for bytes. */
static inline unsigned scale255(unsigned a, unsigned b) {
  unsigned product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/* Adobe stores CMYK inverted: `ink` and `key` are 255 minus the amounts that Pillow speaks of. */
static inline uint8_t ink_to_light(unsigned ink, unsigned key) {
  return (uint8_t)(key - scale255(255 - ink, key));
}

static void grey_to_rgb(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, out += 3) out[0] = out[1] = out[2] = in[i];
}

static void grey_to_rgba(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, out += 4) {
    out[0] = out[1] = out[2] = in[i];
    out[3] = 255;
  }
}

static void rgb_to_grey(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 3) out[i] = luma(in[0], in[1], in[2]);
}

static void rgb_to_rgba(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 3, out += 4) {
    out[0] = in[0];
    out[1] = in[1];
    out[2] = in[2];
    out[3] = 255;
  }
}

static void cmyk_to_rgb(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 4, out += 3) {
    out[0] = ink_to_light(in[0], in[3]);
    out[1] = ink_to_light(in[1], in[3]);
    out[2] = ink_to_light(in[2], in[3]);
  }
}

static void cmyk_to_rgba(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 4, out += 4) {
    out[0] = ink_to_light(in[0], in[3]);
    out[1] = ink_to_light(in[1], in[3]);
    out[2] = ink_to_light(in[2], in[3]);
    out[3] = 255;
  }
}

/* By way of RGB, with its rounding: Pillow has no direct road either. */
static void cmyk_to_grey(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 4)
    out[i] =
        luma(ink_to_light(in[0], in[3]), ink_to_light(in[1], in[3]), ink_to_light(in[2], in[3]));
}

void fc_multiply_alpha(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 4, out += 4) {
    const unsigned alpha = in[3];
    out[0] = (uint8_t)scale255(in[0], alpha);
    out[1] = (uint8_t)scale255(in[1], alpha);
    out[2] = (uint8_t)scale255(in[2], alpha);
    out[3] = (uint8_t)alpha;
  }
}

/* Rounded down, and cut where the colour became stronger than its opacity in resampling. */
static inline uint8_t divide255(unsigned colour, unsigned alpha) {
  return (uint8_t)FC_MIN(255 * colour / alpha, 255);
}

void fc_divide_alpha(uint8_t *row, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, row += 4) {
    const unsigned alpha = row[3];
    if (alpha == 0 || alpha == 255) continue;
    row[0] = divide255(row[0], alpha);
    row[1] = divide255(row[1], alpha);
    row[2] = divide255(row[2], alpha);
  }
}

fc_convert_row fc_convert_for(int components, int channels) {
  static const fc_convert_row table[5][5] = {
      [1] = {[3] = grey_to_rgb, [4] = grey_to_rgba},
      [3] = {[1] = rgb_to_grey, [4] = rgb_to_rgba},
      [4] = {[1] = cmyk_to_grey, [3] = cmyk_to_rgb, [4] = cmyk_to_rgba},
  };
  return table[components][channels];
}
