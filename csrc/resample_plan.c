/* resample_plan.c: which source positions make an output position, and their weights.
 *
 * The definition is Pillow's: the filter is stretched by the scale when shrinking, its window is
 * cut at the image's edges, its weights are normalised.  Positions are computed sixteen at a time,
 * tap by tap and without branches, which compilers turn into vector code: a plan must cost little
 * beside a picture of 200 x 200. */
#include <float.h>
#include <math.h>

#include "resample.h"

#if defined __GNUC__ && !defined __clang__
/* Nobody reads floating-point exception flags here; while it has to keep them, gcc does not
 * vectorise a choice between two values. */
#pragma GCC optimize("no-trapping-math")
#endif
#include "resample_filters.h"

#define LANES 16

/* Compiled once for each instruction set that helps: see plan_weights. */
#if defined __x86_64__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

void *fc_carve(fc_carver *carver, size_t count, size_t size) {
  const size_t align = 64;
  void *piece = carver->base ? carver->base + carver->used : NULL;
  if (size && count > (SIZE_MAX - align - carver->used) / size) {
    carver->used = SIZE_MAX - align; /* any further piece ends here again */
    return NULL;
  }
  carver->used += FC_ROUND_UP(count * size, align);
  return piece;
}

/* ---- sizes ---- */

/* The part of one direction's window that lies in the resampled image.  At a scale a position of
 * the source is the mean of so many, and the crop may begin and end within one. */
static fc_span span_of(int32_t crop, int32_t cropped, int32_t size, int32_t window, int32_t out,
                       int32_t scale) {
  const int64_t first = FC_MAX(window, 0);
  const int64_t end = FC_MIN((int64_t)window + out, size);
  const int32_t parts = FC_MAX(scale, 1), begin = crop / parts;
  const int32_t last = (crop + (cropped - 1)) / parts;
  return (fc_span){.in = last - begin + 1,
                   .size = size,
                   .first = (int32_t)FC_MIN(first, size),
                   .count = (int32_t)FC_MAX(end - first, 0),
                   .begin = begin,
                   .offset = (double)(crop % parts) / parts,
                   .length = (double)cropped / parts};
}

fc_span fc_span_y(const fc_geometry *g, int32_t scale) {
  return span_of(g->crop_y, g->crop_h, g->size_h, g->win_y, g->out_h, scale);
}

fc_span fc_span_x(const fc_geometry *g, int32_t scale) {
  return span_of(g->crop_x, g->crop_w, g->size_w, g->win_x, g->out_w, scale);
}

INLINE double scale_of(const fc_span *span) {
  return span->length / span->size;
}

INLINE double reach_of(const fc_span *span, int filter) {
  return fc_support_of(filter) * FC_MAX(scale_of(span), 1.0);
}

static int has_weights(const fc_span *span, int filter) {
  return span->in != span->size && filter != FC_NEAREST;
}

/* A window of that length holds one position more at most; another one for rounding. */
static int32_t positions_within(double length, int32_t in) {
  double most = floor(length) + 2.0;
  return most < in ? (int32_t)most : in;
}

int32_t fc_axis_taps(const fc_span *span, int filter) {
  if (!has_weights(span, filter)) return 1;
  return positions_within(2.0 * reach_of(span, filter), span->in);
}

int32_t fc_axis_extent(const fc_span *span, int filter) {
  double length = span->count * scale_of(span) + 2.0 * reach_of(span, filter);
  return positions_within(length, span->in);
}

/* Whole chunks, and one more, so that reading a vector from any position on stays inside. */
static size_t padded_count(const fc_span *span) {
  return FC_ROUND_UP((size_t)span->count, LANES) + LANES;
}

size_t fc_axis_work(const fc_span *span, int filter) {
  if (!has_weights(span, filter)) return 0;
  fc_carver counter = {0};
  fc_carve(&counter, padded_count(span), (size_t)fc_axis_taps(span, filter) * sizeof(double));
  return counter.used;
}

void fc_axis_carve(fc_axis *axis, const fc_span *span, int filter, fc_carver *carver) {
  axis->pitch = padded_count(span);
  axis->start = fc_carve(carver, padded_count(span), sizeof *axis->start);
  axis->weight = axis->fine = NULL;
  if (!has_weights(span, filter)) return;
  const size_t bytes = (size_t)fc_axis_taps(span, filter) * sizeof *axis->weight;
  axis->weight = fc_carve(carver, padded_count(span), bytes);
  axis->fine = fc_carve(carver, padded_count(span), bytes);
}

/* ---- planning ---- */

/* Sixteen output positions and their windows [lo, hi) in the source; whole numbers kept as double,
 * since vectors of one width throughout are what compilers handle well. */
typedef struct chunk {
  double center[LANES], lo[LANES], hi[LANES];
} chunk;

INLINE void find_windows(chunk *restrict c, const fc_span *span, double scale, double reach,
                         int32_t at) {
  /* Lanes beyond the last position repeat it, so that nothing lies outside the tables. */
  const double first = (double)span->first + at;
  const double last = (double)span->first + (span->count - 1);
  const double in = span->in, offset = span->offset;
  for (int j = 0; j < LANES; j++) {
    double place = first + j;
    place = place < last ? place : last;
    c->center[j] = (place + 0.5) * scale + offset;
  }
  for (int j = 0; j < LANES; j++) {
    double lo = c->center[j] - reach + 0.5, hi = c->center[j] + reach + 0.5;
    c->lo[j] = lo > 0.0 ? lo : 0.0;
    c->hi[j] = hi < in ? hi : in;
  }
  /* Whole numbers by way of integers, in loops of their own: mixed with comparisons compilers do
   * not make vectors of them. */
  int32_t lo[LANES], hi[LANES];
  for (int j = 0; j < LANES; j++) lo[j] = (int32_t)c->lo[j];
  for (int j = 0; j < LANES; j++) hi[j] = (int32_t)c->hi[j];
  for (int j = 0; j < LANES; j++) c->lo[j] = lo[j];
  for (int j = 0; j < LANES; j++) c->hi[j] = hi[j];
}

/* The weights of one chunk as work[tap][lane], normalised.  A window that would leave the axis is
 * moved left, its surplus taps get the weight 0. */
INLINE void weigh(const fc_axis *axis, const chunk *restrict c, int32_t *restrict start, int filter,
                  double shrink, double *restrict work) {
  const double last = axis->hi - axis->taps;
  double total[LANES] = {0}, begin[LANES];
  for (int j = 0; j < LANES; j++) begin[j] = FC_MIN(c->lo[j], last);
  for (int j = 0; j < LANES; j++) start[j] = (int32_t)begin[j] - axis->lo;
  for (int32_t tap = 0; tap < axis->taps; tap++) {
    double *row = work + (size_t)tap * LANES;
    for (int j = 0; j < LANES; j++) {
      double at = begin[j] + tap;
      double value = fc_filter_at(filter, (at - c->center[j] + 0.5) * shrink);
      value = at < c->lo[j] ? 0.0 : value;
      value = at < c->hi[j] ? value : 0.0;
      row[j] = value;
      total[j] += value;
    }
  }
  for (int j = 0; j < LANES; j++) total[j] = 1.0 / total[j];
  for (int j = 0; j < LANES; j++) total[j] = total[j] <= DBL_MAX ? total[j] : 0.0;
  for (int32_t tap = 0; tap < axis->taps; tap++) {
    double *row = work + (size_t)tap * LANES;
    for (int j = 0; j < LANES; j++) row[j] *= total[j];
  }
}

/* One copy of the loops per filter, so that the choice is made once and not per tap. */
INLINE void weigh_by(const fc_axis *axis, const chunk *c, int32_t *start, int filter, double shrink,
                     double *work) {
  switch (filter) {
    case FC_BOX:
      weigh(axis, c, start, FC_BOX, shrink, work);
      return;
    case FC_BILINEAR:
      weigh(axis, c, start, FC_BILINEAR, shrink, work);
      return;
    case FC_HAMMING:
      weigh(axis, c, start, FC_HAMMING, shrink, work);
      return;
    case FC_BICUBIC:
      weigh(axis, c, start, FC_BICUBIC, shrink, work);
      return;
    default:
      weigh(axis, c, start, FC_LANCZOS, shrink, work);
      return;
  }
}

/* Round the running sum of the weights, not each weight: errors never add up, and the weights of a
 * position sum to exactly one. */
INLINE void quantise_high(const fc_axis *axis, const double *restrict work, int32_t position) {
  uint16_t *restrict weight = (uint16_t *)axis->weight + position;
  double sum[LANES];
  int32_t before[LANES] = {0};
  for (int j = 0; j < LANES; j++) sum[j] = 0.5;
  for (int32_t tap = 0; tap < axis->taps; tap++, work += LANES, weight += axis->pitch) {
    for (int j = 0; j < LANES; j++) {
      sum[j] += work[j] * 65536.0;
      int32_t now = (int32_t)sum[j], rounded = now - before[j];
      before[j] = now;
      weight[j] = (uint16_t)FC_MIN(rounded, 65535);
    }
  }
}

INLINE int16_t *lane_weights(int16_t *weights, const fc_axis *axis, int32_t position) {
  return weights + (size_t)position * (size_t)axis->taps;
}

INLINE void quantise_sum(const fc_axis *axis, const double *work, int32_t position) {
  for (int32_t tap = 0; tap < axis->taps; tap++, work += LANES) {
    int32_t coarse[LANES], fine[LANES];
    for (int j = 0; j < LANES; j++) {
      double value = work[j] * (1 << FC_SUM_BITS);
      int32_t rounded = (int32_t)(value + (value < 0.0 ? -0.5 : 0.5));
      coarse[j] = (rounded + (1 << (FC_FINE_BITS - 1))) >> FC_FINE_BITS;
      fine[j] = rounded - coarse[j] * (1 << FC_FINE_BITS);
    }
    for (int j = 0; j < LANES; j++) {
      lane_weights(axis->weight, axis, position + j)[tap] = (int16_t)coarse[j];
      lane_weights(axis->fine, axis, position + j)[tap] = (int16_t)fine[j];
    }
  }
}

/* The farthest that the sources of outputs at most `step` positions apart lie from each other. */
INLINE int32_t farthest(const fc_axis *axis, int32_t step) {
  int32_t most = 0;
  step = FC_MIN(step, axis->count - 1);
  for (int32_t i = step; i < axis->count; i++)
    most = FC_MAX(most, axis->start[i] - axis->start[i - step]);
  return most;
}

/* Whether any 8 neighbouring values find their sources within FC_HIGH_WINDOW bytes. */
INLINE int fits_high_window(const fc_axis *axis, int channels) {
  if (channels == 1) return farthest(axis, 7) <= 15;
  if (channels == 4) return farthest(axis, 1) <= 3;
  /* 8 values touch 3 pixels, or a fourth one's first channel. */
  return farthest(axis, 2) <= 4 && farthest(axis, 3) <= 5;
}

static int32_t common_divisor(int32_t a, int32_t b) {
  while (b) {
    int32_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Ratios of small numbers have weights of a small common denominator, 2q when enlarging to q / p
 * and 2pp when shrinking to q / p.  Results then often lie midway between two levels, where the
 * last bit of a weight decides, and FC_PASS_HIGH does not have Pillow's last bits.  It has them all
 * where the denominator is a power of two. */
static int ties_are_common(const fc_span *span) {
  if (span->length != span->in) return 0; /* a crop that begins within a position */
  const int32_t divisor = common_divisor(span->in, span->size);
  const int32_t p = span->in / divisor, q = span->size / divisor;
  if (p < q) return q <= 64 && (q & (q - 1)) != 0;
  return p <= 12 && !(q == 1 && (p & (p - 1)) == 0);
}

/* Bits do not depend on the width of vectors: no sum runs over lanes, and nothing is fused. */
INLINE void plan_by_lanes(fc_axis *axis, const fc_span *span, int filter, int channels,
                          double *work) {
  const double scale = scale_of(span), reach = reach_of(span, filter);
  const double shrink = 1.0 / FC_MAX(scale, 1.0);
  chunk c;
  find_windows(&c, span, scale, reach, 0);
  axis->lo = (int32_t)c.lo[0];
  double widest[LANES] = {0}; /* by lane: one maximum over all would be a chain of waits */
  for (int32_t at = 0; at < span->count; at += LANES) {
    find_windows(&c, span, scale, reach, at);
    for (int j = 0; j < LANES; j++) {
      double width = c.hi[j] - c.lo[j];
      widest[j] = FC_MAX(widest[j], width);
    }
  }
  axis->hi = (int32_t)c.hi[LANES - 1];
  axis->taps = 1;
  for (int j = 0; j < LANES; j++) axis->taps = FC_MAX(axis->taps, (int32_t)widest[j]);

  const size_t step = (size_t)axis->taps * LANES;
  for (int32_t at = 0; at < span->count; at += LANES) {
    find_windows(&c, span, scale, reach, at);
    weigh_by(axis, &c, axis->start + at, filter, shrink, work + step * (size_t)(at / LANES));
  }

  /* Not BOX: its weights are 1/6 as often as not, whatever the ratio. */
  int is_high = (filter == FC_BILINEAR || filter == FC_HAMMING) && axis->taps <= FC_HIGH_TAPS;
  if (is_high && ties_are_common(span)) is_high = 0;
  if (is_high && channels) is_high = fits_high_window(axis, channels);
  axis->pass = is_high ? FC_PASS_HIGH : FC_PASS_SUM;
  for (int32_t at = 0; at < span->count; at += LANES, work += step)
    is_high ? quantise_high(axis, work, at) : quantise_sum(axis, work, at);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void plan_by_avx2(fc_axis *axis, const fc_span *span,
                                                         int filter, int channels, double *work) {
  plan_by_lanes(axis, span, filter, channels, work);
}

__attribute__((target("avx512f,avx512bw"))) static void plan_by_avx512(fc_axis *axis,
                                                                       const fc_span *span,
                                                                       int filter, int channels,
                                                                       double *work) {
  plan_by_lanes(axis, span, filter, channels, work);
}
#endif

static void plan_weights(fc_axis *axis, const fc_span *span, int filter, int channels,
                         double *work) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512) {
    plan_by_avx512(axis, span, filter, channels, work);
    return;
  }
  if (fc_cpu_get() == FC_CPU_AVX2) {
    plan_by_avx2(axis, span, filter, channels, work);
    return;
  }
#endif
  plan_by_lanes(axis, span, filter, channels, work);
}

/* Pillow's nearest walks along the axis by adding the scale, and so do its rounding errors.  Wide
 * pixels go through its general transform, which multiplies. */
static void plan_nearest(fc_axis *axis, const fc_span *span, int wide) {
  const double scale = scale_of(span);
  double at = scale * 0.5;
  for (int32_t i = 0; i < span->first; i++) at += scale;
  for (int32_t i = 0; i < span->count; i++, at += scale) {
    const double source = wide ? scale * ((double)span->first + i + 0.5) : at;
    axis->start[i] = FC_MIN((int32_t)source, span->in - 1);
  }
  axis->lo = axis->start[0];
  axis->hi = axis->start[span->count - 1] + 1;
  for (int32_t i = 0; i < span->count; i++) axis->start[i] -= axis->lo;
}

void fc_axis_plan(fc_axis *axis, const fc_span *span, const fc_image_spec *spec, int channels,
                  double *work) {
  const int filter = spec->filter;
  axis->count = span->count;
  axis->taps = 1;
  if (has_weights(span, filter)) {
    plan_weights(axis, span, filter, channels, work);
  } else if (span->in != span->size) {
    axis->pass = FC_PASS_PICK;
    plan_nearest(axis, span, spec->wide);
  } else {
    axis->pass = FC_PASS_COPY;
    axis->lo = span->first;
    axis->hi = span->first + span->count;
    for (int32_t i = 0; i < span->count; i++) axis->start[i] = i;
  }
}
