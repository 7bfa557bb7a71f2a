/* fuzz_choice.h: what the fuzz targets share: choices read from the end of the input, so that real
 * files are seeds as they are, and checks that stop the fuzzer. */
#ifndef FC_TEST_FUZZ_CHOICE_H
#define FC_TEST_FUZZ_CHOICE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastcache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() is what libFuzzer takes for a crash; it keeps the input. */
#define FUZZ_CHECK(condition)                                                       \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      abort();                                                                      \
    }                                                                               \
  } while (0)

/* Pairs of bytes, taken from the end backwards; zeros when there are no more. */
typedef struct fuzz_choice {
  const uint8_t *data;
  size_t left;
} fuzz_choice;

/* A choice from low to high; zero bytes give the lowest. */
static inline int32_t fuzz_pick(fuzz_choice *choice, int32_t low, int32_t high) {
  int32_t value = 0;
  if (choice->left >= 2) {
    choice->left -= 2;
    value = choice->data[choice->left] | choice->data[choice->left + 1] << 8;
  }
  return low + value % (high - low + 1);
}

/* A rectangle of the source and a window on what it is resampled to, of any size. */
static inline fc_geometry fuzz_pick_geometry(fuzz_choice *choice, int32_t h, int32_t w) {
  fc_geometry g = {.src_h = h, .src_w = w};
  g.crop_y = fuzz_pick(choice, 0, h - 1);
  g.crop_x = fuzz_pick(choice, 0, w - 1);
  g.crop_h = h - g.crop_y - fuzz_pick(choice, 0, h - g.crop_y - 1);
  g.crop_w = w - g.crop_x - fuzz_pick(choice, 0, w - g.crop_x - 1);
  g.size_h = fuzz_pick(choice, 1, 200);
  g.size_w = fuzz_pick(choice, 1, 200);
  g.win_y = fuzz_pick(choice, 0, 260) - 30;
  g.win_x = fuzz_pick(choice, 0, 260) - 30;
  g.out_h = fuzz_pick(choice, 1, 220);
  g.out_w = fuzz_pick(choice, 1, 220);
  return g;
}

/* The rectangle of a geometry, copied. */
static inline fc_geometry fuzz_copy_geometry(const fc_geometry *g) {
  fc_geometry copy = *g;
  copy.size_h = copy.out_h = g->crop_h;
  copy.size_w = copy.out_w = g->crop_w;
  copy.win_y = copy.win_x = 0;
  return copy;
}

static inline fc_image_spec fuzz_pick_spec(fuzz_choice *choice, const fc_limits *limits) {
  static const int32_t channels[4] = {3, 1, 4, 1}, scales[4] = {0, 2, 4, 4};
  const int32_t bits = fuzz_pick(choice, 0, 0xffff);
  return (fc_image_spec){.channels = channels[bits & 3],
                         .wide = (bits & 3) == 3,
                         .filter = (bits >> 2) % FC_FILTER_COUNT,
                         .apply_orientation = bits >> 8 & 1,
                         .premultiply = bits >> 9 & 1,
                         .scale = scales[bits >> 10 & 3],
                         .fill = {9, 8, 7, 6},
                         .limits = *limits};
}

static inline size_t fuzz_pixel_bytes(const fc_image_spec *spec) {
  return spec->wide ? 2 : (size_t)spec->channels;
}

/* An allocation of exactly these bytes: the sanitizer sees any access beyond them. */
static inline uint8_t *fuzz_alloc(size_t size) {
  uint8_t *memory = malloc(size ? size : 1);
  FUZZ_CHECK(memory);
  return memory;
}

static inline uint8_t *fuzz_exact_copy(const uint8_t *data, size_t size) {
  uint8_t *copy = fuzz_alloc(size);
  memcpy(copy, data, size);
  return copy;
}

#endif
