/* fastcache_fields.h: the public face of the C core for time series: fields, the square images that
 * are made of them.  The rules of fastcache.h hold here too. */
#ifndef FASTCACHE_FIELDS_H
#define FASTCACHE_FIELDS_H

#include "fastcache.h"

/* Types of values, all in the processor's byte order.  Series may have any but bfloat16, images
 * the floating point ones, uint8 and uint16. */
typedef enum fc_element {
  FC_FLOAT64 = 0,
  FC_FLOAT32,
  FC_FLOAT16,
  FC_BFLOAT16,
  FC_UINT8, /* and bool */
  FC_UINT16,
  FC_UINT32,
  FC_UINT64,
  FC_INT8,
  FC_INT16,
  FC_INT32,
  FC_INT64,
  FC_ELEMENT_COUNT
} fc_element;

/* Bytes of one value; 0 for what is no fc_element. */
size_t fc_element_size(int element);

/* Samples of `channels` series of `length` values each, `step` bytes apart; steps may be negative.
 */
typedef struct fc_series {
  const uint8_t *data;
  const int64_t *offset; /* [samples] bytes from data to a sample's first value; or NULL: */
  int64_t sample;        /* bytes from one sample to the next */
  int64_t samples, channels, length;
  int64_t channel, step; /* bytes from one channel, and from one value, to the next */
  int32_t element;
} fc_series;

typedef enum fc_field_kind {
  FC_GASF = 0,   /* Gramian angular summation field: cos(a_i + a_j) */
  FC_GADF,       /* difference field: sin(a_i - a_j) */
  FC_GAF_BOTH,   /* both of one preparation: two images per series */
  FC_MTF,        /* Markov transition field: how often one value's bin follows the other's */
  FC_RECURRENCE, /* recurrence plot: distances of stretches of the series */
  FC_FIELD_KIND_COUNT
} fc_field_kind;

/* Images that are made of one series: 1 or 2; 0 for what is no fc_field_kind. */
int fc_field_images(int kind);

typedef enum fc_mtf_strategy {
  FC_MTF_QUANTILE = 0, /* `point`: the quantiles, 0 < q < 1, that separate the bins */
  FC_MTF_UNIFORM,      /* bins of equal width; no points */
  FC_MTF_FIXED         /* `point`: the edges themselves, the same for all series */
} fc_mtf_strategy;

/* Pixel (i, j) is the share of steps from the bin of value i that lead to the bin of value j, or
 * the mean of that over segments i and j.  Edges of quantiles less than 1e-8 apart are one. */
typedef struct fc_mtf_spec {
  int32_t bins;        /* at least 2 */
  int32_t strategy;    /* fc_mtf_strategy */
  const double *point; /* [bins - 1], ascending */
} fc_mtf_spec;

typedef enum fc_threshold {
  FC_THRESHOLD_NONE = 0, /* pixels are the distances */
  FC_THRESHOLD_VALUE,    /* pixels are whether distances are less than `threshold` */
  FC_THRESHOLD_POINT,    /* less than this quantile (0 to 1) of the image's distances */
  FC_THRESHOLD_DISTANCE  /* less than this share of the largest one */
} fc_threshold;

/* Pixel (i, j) follows from the distance of trajectories i and j; trajectory i are values i, i +
 * delay, ... , `dimension` of them.  There are length - (dimension - 1) * delay. */
typedef struct fc_recurrence_spec {
  int64_t dimension, delay;
  int32_t limit; /* fc_threshold */
  double threshold;
} fc_recurrence_spec;

/* What is made of each series.  For all but recurrence plots the series is reduced to `size` means
 * of values [start, end), or taken as it is (size equal to its length) if start is NULL. */
typedef struct fc_field_spec {
  int32_t kind;               /* fc_field_kind */
  int32_t element;            /* of the images */
  int64_t size;               /* images have size x size pixels */
  const int64_t *start, *end; /* [size] */
  double out_low, out_high;   /* what the least and the largest possible value become */
  /* Gramian fields: the means are scaled to [low, high], or, if `scaled` is 0, must lie in [-1, 1]
   * already. */
  int32_t scaled;
  double low, high;
  fc_mtf_spec mtf;
  fc_recurrence_spec recurrence; /* distances themselves know no range: they ignore out_… */
} fc_field_spec;

typedef enum fc_store {
  FC_STORE_AUTO = 0, /* by the bytes that the job writes and the processor's caches */
  FC_STORE_CACHED,
  FC_STORE_STREAMING
} fc_store;

/* Images of all series of all samples.  A sample's planes lie `plane` bytes apart: one for each
 * channel; where a series has two images, the second ones follow the first ones of all channels. */
typedef struct fc_field_job {
  fc_cursor cursor; /* fc_field_start sets the count: an item is a band of rows of one series */
  fc_series series;
  const fc_field_spec *spec;
  uint8_t *out;
  int64_t out_sample, plane; /* bytes */
  int32_t store;             /* fc_store */
  uint8_t *merged; /* [samples * channels], 0: set to 1 where bins were merged (FC_MTF), or NULL */
  int64_t bands;   /* set by fc_field_start: items per series */
  _Atomic int64_t refused; /* for fc_field_refused */
} fc_field_job;

/* Check a job whose members are set, and make it ready to run.  FC_E_ARGUMENT for anything that
 * contradicts itself; pointers are trusted to lead to as much memory as the rest says. */
fc_status fc_field_start(fc_field_job *job);
/* Work until no item is left; any number of threads.  A series that is refused ends the job for all
 * of them, and the images are then unspecified.  FC_E_NOMEM: this thread has no scratch, the items
 * are left to others. */
fc_status fc_field_run(fc_field_job *job);
/* FC_OK, or why a series was refused: FC_E_NOT_FINITE, FC_E_RANGE.  `which` receives its number,
 * sample * channels + channel. */
fc_status fc_field_refused(const fc_field_job *job, int64_t *which);
/* Bytes that one thread holds meanwhile; 0 for what is no fc_field_kind. */
size_t fc_field_scratch(const fc_field_spec *spec, int64_t length);

#endif
