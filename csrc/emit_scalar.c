/* emit_scalar.c: rows of numbers by tables: the definition of what every instruction set computes.
 */
#include <string.h>

#include "emit.h"

/* Where a row's values lie: those of a channel `step` values apart. */
typedef struct layout {
  uint8_t *first;
  size_t step;
} layout;

static layout layout_of(const fc_emit *emit, uint8_t *const *out, int channel, size_t size) {
  if (emit->planar) return (layout){out[channel], size};
  return (layout){out[0] + (size_t)channel * size, (size_t)emit->channels * size};
}

/* The first pixel of a channel that goes out, and the way to the next. */
static const uint8_t *first_pixel(const fc_emit *emit, const uint8_t *row, int32_t width, int flip,
                                  int channel, ptrdiff_t *step) {
  const ptrdiff_t channels = emit->channels;
  *step = flip ? -channels : channels;
  return row + channel + (flip ? (ptrdiff_t)(width - 1) * channels : 0);
}

void fc_emit_scalar_reals(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                          uint8_t *const *out) {
  const fc_emit *emit = &emitter->emit;
  const size_t size = fc_element_size(emit->element);
  for (int c = 0; c < emit->channels; c++) {
    ptrdiff_t step;
    const uint8_t *pixel = first_pixel(emit, row, width, flip, c, &step);
    const layout to = layout_of(emit, out, c, size);
    const uint8_t *table = size == sizeof(float) ? (const uint8_t *)emitter->value[c]
                                                 : (const uint8_t *)emitter->half[c];
    uint8_t *at = to.first;
    for (int32_t x = 0; x < width; x++, pixel += step, at += to.step)
      memcpy(at, table + *pixel * size, size);
  }
}

static void bytes(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                  uint8_t *const *out) {
  const fc_emit *emit = &emitter->emit;
  for (int c = 0; c < emit->channels; c++) {
    ptrdiff_t step;
    const uint8_t *pixel = first_pixel(emit, row, width, flip, c, &step);
    const layout to = layout_of(emit, out, c, 1);
    uint8_t *at = to.first;
    for (int32_t x = 0; x < width; x++, pixel += step, at += to.step) *at = *pixel;
  }
}

const fc_emit_kernels fc_emit_scalar = {0, NULL, bytes};
