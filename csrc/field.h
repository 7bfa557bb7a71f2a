/* field.h: what the files that make fields of series say to one another.
 *
 * A field is an image whose pixel (i, j) follows from values i and j of a series.  One job
 * (field.c) loads a series as doubles (field_load.c), lets its kind prepare what the rows are made
 * of, and writes bands of rows.  A kind is a table entry (fc_field_kind_table); what has to be fast
 * is one template (field_kernels.h), compiled for each instruction set with equal results. */
#ifndef FC_FIELD_H
#define FC_FIELD_H

#include "fastcache_fields.h"
#include "fc_internal.h"

/* ---- kernels, one set for each instruction set ---------------------------------------------- */

/* Factors of columns are read in whole vectors: arrays of them begin anew behind their end, and
 * have this room. */
#define FC_FIELD_PAD 64
static inline size_t fc_field_padded(int64_t count) {
  return ((size_t)count + 2 * FC_FIELD_PAD - 1) / FC_FIELD_PAD * FC_FIELD_PAD;
}
/* Scratch begins on boundaries of a cache line. */
static inline size_t fc_field_lines(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/* Rows of pixels clip(left_i * along_j - right_i * across_j + offset): what Gramian fields are, and
 * with a constant `left` and no `right` any row of values on its way to the type of the image.
 * Arrays are float, or double where the image is. */
typedef struct fc_outer {
  const void *left, *right;   /* [rows], of the first row on */
  const void *along, *across; /* [columns], padded */
  int64_t rows, columns;
  double offset, low, high;
} fc_outer;

/* Least and greatest of some values, and whether all are finite; if not, these say nothing. */
typedef struct fc_extent {
  double low, high;
  int finite;
} fc_extent;

/* From values to factors: c = clip(value * scale + shift, low, high) and s = sqrt(1 - c * c), both
 * times gain; with `centre`, `base` is taken from the value first. */
typedef struct fc_angles {
  const double *value;
  int64_t count;
  double base, scale, shift, low, high, gain;
  int centre;
  int64_t more;        /* factors that are wanted behind the last one: the first ones again */
  void *cosine, *sine; /* float, or double where `wide`; padded */
  int wide;
} fc_angles;

typedef struct fc_field_kernels {
  fc_extent (*extent)(const double *values, int64_t count); /* of at least one */
  void (*doubles_of_floats)(const float *values, int64_t count, double *doubles);
  void (*angles)(const fc_angles *angles);
  /* By fc_element of the image.  With `streaming` the output lies on a multiple of its value's
   * size. */
  void (*outer[FC_UINT16 + 1])(const fc_outer *outer, uint8_t *out, int streaming);
  int64_t step[FC_UINT16 + 1]; /* columns in a vector of such an image */
  int streams;                 /* whether `streaming` makes a difference */
} fc_field_kernels;

extern const fc_field_kernels fc_field_scalar, fc_field_avx2, fc_field_avx512;
const fc_field_kernels *fc_field_kernels_get(void);

/* ---- kinds ---------------------------------------------------------------------------------- */

/* A series as doubles. */
typedef struct fc_values {
  const double *value;
  int64_t count;
  fc_extent extent;
} fc_values;

/* One series ready for its rows: what a kind's functions share. */
typedef struct fc_field {
  const fc_field_spec *spec;
  const fc_field_kernels *kernels;
  uint8_t *state; /* the kind's own scratch, aligned to a cache line */
  int64_t more;   /* factors of columns that are read behind the last one */
} fc_field;

typedef struct fc_field_kind_entry {
  int images;  /* per series */
  int streams; /* whether its rows can go past the cache by themselves */
  fc_status (*check)(const fc_field_spec *spec, int64_t length);
  size_t (*scratch)(const fc_field_spec *spec, int64_t length); /* bytes of state */
  fc_status (*prepare)(const fc_field *field, const fc_values *values);
  /* Rows [first, first + rows) of an image, one behind the other.  `streaming` only if `streams`,
   * and the output lies on a multiple of its value's size. */
  void (*rows)(const fc_field *field, int image, int64_t first, int64_t rows, uint8_t *out,
               int streaming);
} fc_field_kind_entry;

/* NULL when there is no such kind. */
const fc_field_kind_entry *fc_field_kind_of(int kind);
extern const fc_field_kind_entry fc_gasf_kind, fc_gadf_kind, fc_gaf_both_kind;

/* Whether an image may have this element, and whether it is computed in double. */
static inline int fc_field_is_image(int element) {
  return element >= FC_FLOAT64 && element <= FC_UINT16;
}

/* ---- field_load.c ---------------------------------------------------------------------------- */

/* The `length` values at `at` as doubles: where they lie, or copied to `room`. */
fc_status fc_field_load(const fc_series *series, const uint8_t *at, double *room,
                        const fc_field_kernels *kernels, fc_values *values);
/* Means of values [start, end), each summed up in order, of values multiplied by `times`. */
void fc_field_means(const double *values, const int64_t *start, const int64_t *end, int64_t count,
                    double times, double *means);

#endif
