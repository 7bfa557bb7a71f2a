/* png_unfilter.h: what the files png_unfilter*.c say to one another. */
#ifndef FC_PNG_UNFILTER_H
#define FC_PNG_UNFILTER_H

#include <stddef.h>
#include <stdint.h>

/* Filter types of the PNG specification, section 9.2. */
enum { FC_PNG_NONE, FC_PNG_SUB, FC_PNG_UP, FC_PNG_AVERAGE, FC_PNG_PAETH, FC_PNG_FILTERS };

/* Undo one row of `bytes` in place; `above` is the finished row above it, NULL for zeros. */
void fc_png_unfilter_row(int filter, uint8_t *row, const uint8_t *above, size_t bytes,
                         size_t pixel_bytes);

/* ---- png_unfilter_avx2.c --------------------------------------------------------------------- */

/* fc_png_unfilter for rows whose filters are all known. */
void fc_png_unfilter_avx2(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes, int first);

/* ---- png_unfilter_wave.c --------------------------------------------------------------------- */

enum { FC_PNG_BLOCK = 16, FC_PNG_LANES = 4 };

/* A row of a wave.  Its last block, of 1 to 16 bytes, is worked on in a copy, for a whole store
 * would run into the next row. */
typedef struct fc_png_strip {
  uint8_t *row;
  uint8_t last[FC_PNG_BLOCK];
} fc_png_strip;

typedef struct fc_png_wave {
  int count;
  fc_png_strip lane[FC_PNG_LANES];
  fc_png_strip done[FC_PNG_LANES]; /* rows above those lanes that do not follow the lane before */
  fc_png_strip *above[FC_PNG_LANES];
  int8_t is_average[FC_PNG_LANES]; /* -1: Average, 0: Paeth */
} fc_png_wave;

/* Add a row, below all that are in the wave; the row above it is finished or the last one added. */
void fc_png_wave_add(fc_png_wave *wave, int is_average, uint8_t *row, uint8_t *above, size_t bytes);
/* Finish the rows that were added and empty the wave. */
void fc_png_wave_run(fc_png_wave *wave, size_t bytes, size_t pixel_bytes);

#endif
