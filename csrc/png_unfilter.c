/* png_unfilter.c: from filtered rows to pixels, in portable code, and the choice of the processor's
 * own. */
#include <stdlib.h>

#include "png.h"
#include "png_unfilter.h"

/* The one nearest to left + above - corner; of equals the first. */
static inline int paeth(int left, int above, int corner) {
  const int rise = above - corner, shift = left - corner;
  const int to_left = abs(rise), to_above = abs(shift), to_corner = abs(rise + shift);
  const int nearer = to_above < to_left ? above : left;
  return to_corner < FC_MIN(to_left, to_above) ? corner : nearer;
}

/* Left to themselves compilers keep the loop over a pixel, and with it small arrays in memory. */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* `filter` and `pixel` are constants wherever it stands. */
INLINE void undo(int filter, uint8_t *row, const uint8_t *above, size_t bytes, const size_t pixel) {
  uint8_t left[8] = {0}, corner[8] = {0};
  for (size_t x = 0; x < bytes; x += pixel) {
    UNROLL for (size_t i = 0; i < pixel; i++) {
      const int up = above ? above[x + i] : 0;
      int guess = left[i];
      if (filter == FC_PNG_AVERAGE) guess = (left[i] + up) >> 1;
      if (filter == FC_PNG_PAETH) guess = paeth(left[i], up, corner[i]);
      row[x + i] = left[i] = (uint8_t)(row[x + i] + guess);
      corner[i] = (uint8_t)up;
    }
  }
}

/* Without a row above Paeth's guess is the pixel to the left. */
INLINE void undo_serial(int filter, uint8_t *row, const uint8_t *above, size_t bytes,
                        const size_t pixel) {
  if (filter == FC_PNG_SUB || (filter == FC_PNG_PAETH && !above))
    undo(FC_PNG_SUB, row, NULL, bytes, pixel);
  else if (filter == FC_PNG_PAETH)
    undo(FC_PNG_PAETH, row, above, bytes, pixel);
  else if (above)
    undo(FC_PNG_AVERAGE, row, above, bytes, pixel);
  else
    undo(FC_PNG_AVERAGE, row, NULL, bytes, pixel);
}

void fc_png_unfilter_row(int filter, uint8_t *row, const uint8_t *above, size_t bytes,
                         size_t pixel_bytes) {
  if (filter == FC_PNG_NONE) return;
  if (filter == FC_PNG_UP) {
    for (size_t x = 0; above && x < bytes; x++) row[x] = (uint8_t)(row[x] + above[x]);
    return;
  }
  switch (pixel_bytes) {
    case 1:
      undo_serial(filter, row, above, bytes, 1);
      return;
    case 2:
      undo_serial(filter, row, above, bytes, 2);
      return;
    case 3:
      undo_serial(filter, row, above, bytes, 3);
      return;
    case 4:
      undo_serial(filter, row, above, bytes, 4);
      return;
    case 6:
      undo_serial(filter, row, above, bytes, 6);
      return;
    default:
      undo_serial(filter, row, above, bytes, 8);
      return;
  }
}

size_t fc_png_unfilter(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes, int first) {
  const size_t stride = 1 + bytes;
  size_t known = 0;
  while (known < count && rows[known * stride] < FC_PNG_FILTERS) known++;
#ifdef __x86_64__
  if (fc_cpu_runs_avx2()) {
    fc_png_unfilter_avx2(rows, known, bytes, pixel_bytes, first);
    return known;
  }
#endif
  for (size_t y = 0; y < known; y++) {
    uint8_t *row = rows + y * stride + 1;
    fc_png_unfilter_row(row[-1], row, first && !y ? NULL : row - stride, bytes, pixel_bytes);
  }
  return known;
}
