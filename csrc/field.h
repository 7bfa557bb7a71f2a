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

/* What becomes of values that are doubles on their way to pixels. */
typedef enum fc_pixel_rule {
  FC_PIXEL_SCALED = 0, /* clip(value * scale + offset, low, high) */
  FC_PIXEL_ROOT,       /* sqrt(value) */
  FC_PIXEL_FLOAT_ROOT, /* the same, taken in float where the image is not double */
  FC_PIXEL_BELOW       /* value < limit ? high : low */
} fc_pixel_rule;

typedef struct fc_pixels {
  const double *value; /* [count], padded */
  int64_t count;
  int32_t rule; /* fc_pixel_rule */
  double scale, offset, low, high, limit;
} fc_pixels;

/* Trajectory i are values i, i + delay, ..., `dimension` of them.  A value is high + low, both
 * exact; low is NULL where all are 0.  Padded with zeros. */
typedef struct fc_trajectories {
  const double *high, *low;
  int64_t dimension, delay;
} fc_trajectories;

typedef struct fc_field_kernels {
  fc_extent (*extent)(const double *values, int64_t count); /* of at least one */
  void (*doubles_of_floats)(const float *values, int64_t count, double *doubles);
  void (*angles)(const fc_angles *angles);
  /* By fc_element of the image.  With `streaming` the output lies on a multiple of its value's
   * size. */
  void (*outer[FC_UINT16 + 1])(const fc_outer *outer, uint8_t *out, int streaming);
  /* Pixels of one row, by fc_element; with `streaming` it is whole cache lines. */
  void (*pixels[FC_UINT16 + 1])(const fc_pixels *pixels, uint8_t *out, int streaming);
  /* Distances of trajectory `from` to [first, end): |difference| where there is one dimension, else
   * their squares.  `out` is padded. */
  void (*distances)(const fc_trajectories *of, int64_t from, int64_t first, int64_t end,
                    double *out);
  /* How many edges, of which there are few, are less than value * times. */
  void (*bins)(const double *values, int64_t count, double times, const double *edge, int32_t edges,
               int32_t *bin);
  /* Sums of the rows of a table that `which` names; a row has `columns` values, padded, in
   * `stride`. */
  void (*sum_rows)(const double *table, int64_t stride, const int32_t *which, int64_t count,
                   int64_t columns, double *sums);
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
  const fc_series *series; /* that they come from */
  const uint8_t *at;
} fc_values;

/* One series ready for its rows: what a kind's functions share. */
typedef struct fc_field {
  const fc_field_spec *spec;
  int64_t length; /* of the series */
  const fc_field_kernels *kernels;
  uint8_t *state;  /* the kind's own scratch, aligned to a cache line */
  int64_t more;    /* factors of columns that are read behind the last one */
  uint8_t *merged; /* this series' place in the job's `merged`, or NULL */
} fc_field;

/* Whether rows of a kind can go past the cache by themselves. */
typedef enum fc_field_streams {
  FC_STREAMS_NEVER = 0,
  FC_STREAMS_VALUES, /* from any multiple of a pixel's size on */
  FC_STREAMS_LINES   /* where every row is whole cache lines */
} fc_field_streams;

typedef struct fc_field_kind_entry {
  int images;  /* per series */
  int streams; /* fc_field_streams */
  fc_status (*check)(const fc_field_spec *spec, int64_t length);
  size_t (*scratch)(const fc_field_spec *spec, int64_t length); /* bytes of state */
  fc_status (*prepare)(const fc_field *field, const fc_values *values);
  /* Rows [first, first + rows) of an image, one behind the other.  `streaming` only as `streams`
   * says. */
  void (*rows)(const fc_field *field, int image, int64_t first, int64_t rows, uint8_t *out,
               int streaming);
} fc_field_kind_entry;

/* NULL when there is no such kind. */
const fc_field_kind_entry *fc_field_kind_of(int kind);
extern const fc_field_kind_entry fc_gasf_kind, fc_gadf_kind, fc_gaf_both_kind, fc_mtf_kind,
    fc_recurrence_kind;

/* Whether an image may have this element. */
static inline int fc_field_is_image(int element) {
  return element >= FC_FLOAT64 && element <= FC_UINT16;
}

/* ---- field_load.c ---------------------------------------------------------------------------- */

/* The `length` values at `at` as doubles: where they lie, or copied to `room`. */
fc_status fc_field_load(const fc_series *series, const uint8_t *at, double *room,
                        const fc_field_kernels *kernels, fc_values *values);
/* Whether these are integers that doubles do not tell apart; and all of them as sums of two. */
int fc_field_needs_halves(const fc_values *values);
void fc_field_halves(const fc_values *values, double *high, double *low);
/* Means of values [start, end), each summed up in order, of values multiplied by `times`. */
void fc_field_means(const double *values, const int64_t *start, const int64_t *end, int64_t count,
                    double times, double *means);

/* ---- field_order.c --------------------------------------------------------------------------- */

/* Sort; returns where the sorted values are: `values` or `room`, each of `count`. */
double *fc_field_sort(double *values, double *room, int64_t count);

/* Values in groups, which are in order among themselves: a group is sorted when one of its values
 * is asked for, which takes less time than sorting all when few are. */
typedef struct fc_order {
  double *grouped, *room; /* [count] */
  int32_t *group;         /* [count] of each value */
  int32_t *first;         /* [count + 2] where each group begins */
  int64_t here;           /* the group that was asked for last */
} fc_order;
/* Values multiplied by `times`, which are from `low` to `high` then. */
void fc_field_group(fc_order *order, const double *values, int64_t count, double times, double low,
                    double high);
/* The value of this rank, from 0 on; ranks never decrease from call to call. */
double fc_field_ranked(fc_order *order, int64_t rank);

/* NumPy's linear interpolation: where quantile q of `count` values lies, and the value there. */
typedef struct fc_quantile {
  int64_t rank, next; /* of the sorted values around it */
  double share;       /* of the way from one to the other */
} fc_quantile;
fc_quantile fc_field_quantile(double q, int64_t count);
double fc_field_between(double low, double high, double share);

#endif
