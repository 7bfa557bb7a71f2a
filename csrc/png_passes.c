/* png_passes.c: where rows lie in the inflated data: one after the other, or in Adam7's seven
 * passes. */
#include <string.h>

#include "png.h"

static const struct {
  int32_t y0, x0, step_y, step_x;
} adam7[FC_PNG_PASSES] = {
    {0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
    {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1},
};

/* How many of first, first + step, first + 2 step… are less than size. */
static int32_t steps_below(int32_t size, int32_t first, int32_t step) {
  return size > first ? (size - first - 1) / step + 1 : 0;
}

static void add_pass(fc_png_passes *passes, const fc_png_header *header, int32_t y0, int32_t x0,
                     int32_t step_y, int32_t step_x) {
  fc_png_pass pass = {.y0 = y0, .x0 = x0, .step_y = step_y, .step_x = step_x};
  pass.rows = steps_below(header->height, y0, step_y);
  pass.columns = steps_below(header->width, x0, step_x);
  if (pass.rows == 0 || pass.columns == 0) return;
  size_t pixel_bits = (size_t)(fc_png_components(header->colours) * header->depth);
  pass.row_bytes = ((size_t)pass.columns * pixel_bits + 7) / 8;
  pass.offset = passes->bytes;
  size_t rows = (size_t)pass.rows;
  if (passes->bytes == SIZE_MAX || rows > (SIZE_MAX - 1 - passes->bytes) / (1 + pass.row_bytes))
    passes->bytes = SIZE_MAX;
  else
    passes->bytes += rows * (1 + pass.row_bytes);
  passes->pass[passes->count++] = pass;
}

void fc_png_plan_passes(const fc_png_header *header, fc_png_passes *passes) {
  int pixel_bits = fc_png_components(header->colours) * header->depth;
  passes->count = 0;
  passes->bytes = 0;
  passes->depth = header->depth;
  passes->pixel_bytes = pixel_bits < 8 ? 1 : (size_t)pixel_bits / 8;
  if (!header->interlaced) {
    add_pass(passes, header, 0, 0, 1, 1);
    return;
  }
  for (int i = 0; i < FC_PNG_PASSES; i++)
    add_pass(passes, header, adam7[i].y0, adam7[i].x0, adam7[i].step_y, adam7[i].step_x);
}

/* ---- filters --------------------------------------------------------------------------------- */

static size_t row_at(const fc_png_pass *pass, int32_t row) {
  return pass->offset + (size_t)row * (1 + pass->row_bytes);
}

fc_status fc_png_unfilter_to(const fc_png_passes *passes, fc_png_pass *pass, uint8_t *data,
                             int32_t end) {
  int32_t rows = FC_MIN(steps_below(end, pass->y0, pass->step_y), pass->rows);
  if (rows <= pass->done) return FC_OK;
  size_t count = (size_t)(rows - pass->done);
  size_t done = fc_png_unfilter(data + row_at(pass, pass->done), count, pass->row_bytes,
                                passes->pixel_bytes, pass->done == 0);
  pass->done += (int32_t)done;
  return done == count ? FC_OK : FC_E_CORRUPT;
}

fc_status fc_png_check_filters(const fc_png_passes *passes, const uint8_t *data) {
  for (int i = 0; i < passes->count; i++) {
    const fc_png_pass *pass = &passes->pass[i];
    for (int32_t row = pass->done; row < pass->rows; row++)
      if (data[row_at(pass, row)] > 4) return FC_E_CORRUPT;
  }
  return FC_OK;
}

/* ---- pixels of a row ------------------------------------------------------------------------- */

/* Samples of less than a byte, from number `first` on, to one byte each, `step` bytes apart. */
static inline void unpack(uint8_t *out, const uint8_t *row, size_t first, size_t count, size_t step,
                          const unsigned depth) {
  for (size_t i = first; i < first + count; i++, out += step) {
    size_t bit = i * depth;
    *out = (uint8_t)(row[bit / 8] >> (8 - depth - bit % 8) & ((1u << depth) - 1));
  }
}

static inline void spread(uint8_t *out, const uint8_t *in, size_t count, size_t step,
                          const size_t pixel) {
  for (size_t i = 0; i < count; i++, in += pixel, out += step * pixel) memcpy(out, in, pixel);
}

/* Pixels from number `first` of a pass's row on, `step` pixels apart. */
static void put_pixels(const fc_png_passes *passes, uint8_t *out, const uint8_t *row, size_t first,
                       size_t count, size_t step) {
  const uint8_t *in = row + first * passes->pixel_bytes; /* if they are whole bytes */
  switch (passes->depth >= 8 ? 8 * (int)passes->pixel_bytes : passes->depth) {
    case 1:
      unpack(out, row, first, count, step, 1);
      break;
    case 2:
      unpack(out, row, first, count, step, 2);
      break;
    case 4:
      unpack(out, row, first, count, step, 4);
      break;
    case 8:
      spread(out, in, count, step, 1);
      break;
    case 16:
      spread(out, in, count, step, 2);
      break;
    case 24:
      spread(out, in, count, step, 3);
      break;
    case 32:
      spread(out, in, count, step, 4);
      break;
    case 48:
      spread(out, in, count, step, 6);
      break;
    default:
      spread(out, in, count, step, 8);
      break;
  }
}

const uint8_t *fc_png_fetch(const fc_png_passes *passes, const uint8_t *data, int32_t y, int32_t x0,
                            int32_t x1, uint8_t *room) {
  for (int i = 0; i < passes->count; i++) {
    const fc_png_pass *pass = &passes->pass[i];
    if (y < pass->y0 || (y - pass->y0) % pass->step_y != 0) continue;
    const uint8_t *row = data + row_at(pass, (y - pass->y0) / pass->step_y) + 1;
    /* A row that is there as it is wanted. */
    if (pass->step_x == 1 && passes->depth >= 8) return row + (size_t)x0 * passes->pixel_bytes;
    int32_t first = steps_below(x0, pass->x0, pass->step_x);
    int32_t count = steps_below(x1, pass->x0, pass->step_x) - first;
    size_t at = (size_t)(pass->x0 + first * pass->step_x - x0);
    put_pixels(passes, room + at * passes->pixel_bytes, row, (size_t)first, (size_t)count,
               (size_t)pass->step_x);
  }
  return room;
}
