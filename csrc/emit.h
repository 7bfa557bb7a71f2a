/* emit.h: what the files emit*.c, lines.c and recipe.c say to one another: from rows of pixels to
 * the numbers of an output.
 *
 * A pixel has 256 values, so what each becomes is found once, by the arithmetic that users know
 * from torch, and kept in tables: they define the output.  The vector code computes: with the
 * cheapest formula that gives all these numbers to the last bit, which is found by trying. */
#ifndef FC_EMIT_H
#define FC_EMIT_H

#include "ahead.h"
#include "fastcache_recipe.h"
#include "fc_internal.h"

/* Whether this element is made of floating point numbers. */
static inline int fc_emit_is_real(int element) {
  return element == FC_FLOAT32 || element == FC_FLOAT16 || element == FC_BFLOAT16;
}

typedef enum fc_emit_way {
  FC_EMIT_LINE = 0, /* fma(x, times, mean): a straight line */
  /* Divisions by multiplying with reciprocals of twice the precision:
   * x = fma(x, times, x * low); x -= mean; fma(x, by, x * by_low) */
  FC_EMIT_EXACT,
  FC_EMIT_DIVIDED /* (x / times - mean) / by, where that misses a bit */
} fc_emit_way;

#define FC_EMIT_LANES 16 /* pixels that a unit has at most */

/* What the vector code multiplies with, by vector of a unit and lane. */
typedef struct fc_emit_factors {
  float times[4][FC_EMIT_LANES], low[4][FC_EMIT_LANES], mean[4][FC_EMIT_LANES];
  float by[4][FC_EMIT_LANES], by_low[4][FC_EMIT_LANES];
} fc_emit_factors;

/* A unit is as many pixels as a vector has floats; its `channels` vectors of output values come
 * from one load.  First whole groups of 4 bytes go to the 128-bit lane that needs them, then each
 * byte goes to its place. */
typedef struct fc_emit_order {
  int32_t group[4][FC_EMIT_LANES];
  uint8_t byte[4][4 * FC_EMIT_LANES];
} fc_emit_order;

struct fc_emit_kernels;

typedef struct fc_emitter {
  _Alignas(64) fc_emit_factors factors;
  fc_emit_order order[2]; /* as they come, mirrored */
  fc_emit emit;
  int channels; /* of pixels: of one, three are the same; of three (equal ones), one is the first */
  int wide;     /* pixels are uint16 */
  int way;      /* fc_emit_way */
  const struct fc_emit_kernels *kernels;
  float value[4][256];   /* by channel; uint8 pixels only */
  uint16_t half[4][256]; /* the same in 16 bits, if that is what is asked for */
} fc_emitter;

/* Get ready for what passes fc_emit_check; FC_E_ARGUMENT if pixels of that width and so many
 * channels cannot become this. */
fc_status fc_emitter_set(fc_emitter *emitter, const fc_emit *emit, int channels, int wide);

/* Rows of pixels that have the output's channels already, and where they go. */
typedef struct fc_emit_rows {
  const uint8_t *row; /* the first; each is readable FC_ROW_SLACK bytes beyond its end */
  size_t stride;
  int32_t count, width;
  int flip; /* mirrored */
  uint8_t
      *out[4];  /* out[c] is where the first row of plane c goes, out[0] that of interleaved ones */
  ptrdiff_t on; /* from there to the next row's place */
  int streaming;   /* only where each of these rows is whole cache lines */
  fc_fetch *fetch; /* what is fetched meanwhile */
} fc_emit_rows;
void fc_emitter_rows(const fc_emitter *emitter, const fc_emit_rows *rows);
/* One number of the output. */
void fc_emitter_put(const fc_emitter *emitter, float value, uint8_t *out);

typedef struct fc_emit_kernels {
  int lanes; /* pixels of a unit; 0: it has none */
  /* Floating point numbers of rows of at least one unit; NULL if there is none. */
  void (*reals)(const fc_emitter *emitter, const fc_emit_rows *rows);
  /* One row of uint8, planar or mirrored. */
  void (*bytes)(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                uint8_t *const *out);
} fc_emit_kernels;

extern const fc_emit_kernels fc_emit_scalar;
void fc_emit_scalar_reals(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                          uint8_t *const *out);
#ifdef __x86_64__
extern const fc_emit_kernels fc_emit_avx2, fc_emit_avx512;
/* emit_bytes_avx2.c */
void fc_emit_bytes_avx2(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                        uint8_t *const *out);
#endif

/* ---- lines.c --------------------------------------------------------------------------------- */

#define FC_LINE 64

/* Bytes written one run after another, past the cache, in whole lines: what is left of a run waits
 * for the next. */
typedef struct fc_lines {
  _Alignas(FC_LINE) uint8_t carry[2 * FC_LINE];
  uint8_t *at; /* the next byte */
  size_t from; /* where the bytes of the line of `at` begin that are in `carry` */
} fc_lines;

void fc_lines_begin(fc_lines *lines, uint8_t *at);
/* `bytes` are readable FC_LINE bytes beyond their end. */
void fc_lines_append(fc_lines *lines, const uint8_t *bytes, size_t count);
void fc_lines_end(fc_lines *lines);

/* ---- emission.c ------------------------------------------------------------------------------ */

/* One image on its way out. */
typedef struct fc_emission {
  const fc_emitter *emitter;
  uint8_t *out;
  int32_t h, w, flip_y, flip_x;
  size_t row, plane; /* bytes of the output */
  int planes;
  int by_lines;             /* rows end within cache lines, and bypass it all the same */
  int streaming;            /* rows are whole cache lines */
  int32_t next;             /* by_lines: the row that would continue */
  uint8_t *row_of_channels; /* one row of pixels with the output's channels; NULL: they have them */
  uint8_t *room;            /* by_lines: one row of each plane */
  int as_is;                /* by_lines: the pixels are the output */
  fc_emit_rows rows;        /* the next ones; what is the same for all from the beginning */
  fc_fetch fetch;
  fc_lines lines[4];
} fc_emission;

/* Bytes of `room` for rows of that width, aligned to a cache line. */
size_t fc_emission_room(const fc_emitter *emitter, int32_t w);
/* `ahead`, or NULL, is fetched with the rows. */
void fc_emission_begin(fc_emission *emission, const fc_emitter *emitter, uint8_t *out, int32_t h,
                       int32_t w, int flip_y, int flip_x, uint8_t *room, const fc_ahead *ahead);
/* Row y of the image before it is mirrored. */
void fc_emission_row(fc_emission *emission, int32_t y, const uint8_t *row);
/* Rows y, y + 1, … that lie `stride` bytes apart. */
void fc_emission_rows(fc_emission *emission, int32_t y, const uint8_t *row, size_t stride,
                      int32_t count);
void fc_emission_end(fc_emission *emission);

#endif
