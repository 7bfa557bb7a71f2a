/* mtf.c: Markov transition fields.
 *
 * Z. Wang and T. Oates, "Encoding Time Series as Images for Visual Inspection and Classification
 * Using Tiled Convolutional Neural Networks", AAAI Workshops, 2015.  Values are put into bins; a
 * step of the series leads from the bin of one value to that of the next.  Pixel (i, j) is the
 * share of steps out of the bin of value i that lead into the bin of value j.
 *
 * So there are no more different rows than bins that occur.  They are made once per series: as
 * pixels, of which an image is a copy, or, where pixels are means over segments, as sums, of which
 * one per value of the segment is added up.  Where that would take too much room, each row is made
 * when it is needed. */
#include <math.h>
#include <string.h>

#include "field.h"

/* Most bytes for the different rows of a series. */
#define TABLE (1 << 20)
/* Rows that are made at once. */
#define TOGETHER 4
/* Edges of quantiles that are no further apart are one edge. */
#define SAME 1e-8
/* Edges that a value is compared with one by one. */
#define FEW 24
/* Differences of values beyond this may overflow. */
#define HUGE_VALUES 0x1p900

/* Where the parts of the state lie, in bytes. */
typedef struct parts {
  size_t edges, grouped, group, groups, bin, label, first, next, weight, count, per, line, table,
      end;
  int64_t most;   /* rows that a table would have at most */
  int64_t stride; /* bytes of a table's row; 0: there is no table */
} parts;

typedef struct state {
  int32_t *bins; /* [1] how many there are, or occur, if there are more than values */
  fc_order order;
  double *edges, *weight, *line;
  int32_t *count; /* [2 * bins] steps to each bin, in turn in one of two places: steps to the same
                     would wait for one another */
  double *per;    /* [size] 1 / values of a segment */
  int32_t *bin;   /* [length] of each value */
  int32_t *label; /* [bins] their numbers, where there are more bins than values */
  int32_t *first; /* [bins + 2] where a bin's steps begin in... */
  int32_t *next;  /* [length] the bins that they lead to */
  uint8_t *table;
  int64_t stride;
} state;

static int64_t padded_line(const fc_field_spec *spec) {
  return (int64_t)fc_field_padded(spec->size);
}

static parts parts_of(const fc_field_spec *spec, int64_t length) {
  const size_t n = (size_t)length, bins = (size_t)spec->mtf.bins;
  parts p = {.edges = 64, .most = FC_MIN(length, spec->mtf.bins)};
  const size_t line = (size_t)padded_line(spec) * sizeof(double);
  const size_t pixels = fc_field_lines((size_t)spec->size * fc_element_size(spec->element));
  const size_t row = spec->start ? line : pixels;
  if ((double)row * (double)p.most <= TABLE) p.stride = (int64_t)row;
  const int quantile = spec->mtf.strategy == FC_MTF_QUANTILE;
  p.grouped = p.edges + fc_field_lines(bins * sizeof(double));
  p.group = p.grouped + (quantile ? 2 * fc_field_lines(n * sizeof(double)) : 0);
  p.groups = p.group + (quantile ? fc_field_lines(n * sizeof(int32_t)) : 0);
  p.bin = p.groups + (quantile ? fc_field_lines((n + 2) * sizeof(int32_t)) : 0);
  p.label = p.bin + fc_field_lines(n * sizeof(int32_t));
  p.first = p.label + (bins > n ? fc_field_lines(bins * sizeof(int32_t)) : 0);
  p.next = p.first + fc_field_lines(((size_t)p.most + 2) * sizeof(int32_t));
  p.weight = p.next + fc_field_lines(n * sizeof(int32_t));
  p.count = p.weight + fc_field_lines(TOGETHER * (size_t)p.most * sizeof(double));
  p.per = p.count + fc_field_lines(2 * (size_t)p.most * sizeof(int32_t));
  p.line = p.per + line;
  p.table = p.line + TOGETHER * line;
  p.end = p.table + (size_t)p.stride * (size_t)p.most;
  return p;
}

static state state_of(const fc_field *field, const parts *p) {
  uint8_t *at = field->state;
  state s = {.bins = (int32_t *)(void *)at,
             .edges = (double *)(void *)(at + p->edges),
             .order = {.grouped = (double *)(void *)(at + p->grouped),
                       .room = (double *)(void *)(at + (p->grouped + p->group) / 2),
                       .group = (int32_t *)(void *)(at + p->group),
                       .first = (int32_t *)(void *)(at + p->groups)},
             .count = (int32_t *)(void *)(at + p->count),
             .per = (double *)(void *)(at + p->per),
             .weight = (double *)(void *)(at + p->weight),
             .line = (double *)(void *)(at + p->line),
             .bin = (int32_t *)(void *)(at + p->bin),
             .label = (int32_t *)(void *)(at + p->label),
             .first = (int32_t *)(void *)(at + p->first),
             .next = (int32_t *)(void *)(at + p->next),
             .table = at + p->table,
             .stride = p->stride};
  return s;
}

static size_t scratch(const fc_field_spec *spec, int64_t length) {
  return parts_of(spec, length).end;
}

static fc_status check(const fc_field_spec *spec, int64_t length) {
  const fc_mtf_spec *mtf = &spec->mtf;
  (void)length;
  if (mtf->bins < 2 || mtf->strategy < FC_MTF_QUANTILE || mtf->strategy > FC_MTF_FIXED)
    return FC_E_ARGUMENT;
  if (mtf->strategy == FC_MTF_UNIFORM) return FC_OK;
  if (!mtf->point) return FC_E_ARGUMENT;
  for (int32_t k = 0; k < mtf->bins - 1; k++) {
    const double point = mtf->point[k];
    if (!isfinite(point) || (k > 0 && point < mtf->point[k - 1])) return FC_E_ARGUMENT;
    if (mtf->strategy == FC_MTF_QUANTILE && !(point > 0 && point < 1)) return FC_E_ARGUMENT;
  }
  return FC_OK;
}

/* ---- bins ------------------------------------------------------------------------------------ */

/* Edges that are the same as the next one are left out; returns how many stay. */
static int32_t distinct(double *edges, int32_t count, double same) {
  int32_t kept = 0;
  for (int32_t k = 0; k < count; k++)
    if (k + 1 == count || !(fabs(edges[k + 1] - edges[k]) <= same)) edges[kept++] = edges[k];
  return kept;
}

/* The edges between bins, of values multiplied by `times`; returns how many there are. */
static int32_t set_edges(const fc_field *field, const fc_values *values, const state *s,
                         double times) {
  const fc_mtf_spec *mtf = &field->spec->mtf;
  const int32_t count = mtf->bins - 1;
  const double low = values->extent.low * times, high = values->extent.high * times;
  if (mtf->strategy == FC_MTF_FIXED) {
    for (int32_t k = 0; k < count; k++) s->edges[k] = mtf->point[k] * times;
    return count;
  }
  if (mtf->strategy == FC_MTF_UNIFORM) {
    const double step = (high - low) / mtf->bins;
    for (int32_t k = 0; k < count; k++) s->edges[k] = low + (k + 1) * step;
    return count;
  }
  fc_order order = s->order;
  fc_field_group(&order, values->value, values->count, times, low, high);
  fc_quantile last = {-1, -1, 0};
  double lower = 0, upper = 0;
  for (int32_t k = 0; k < count; k++) {
    const fc_quantile q = fc_field_quantile(mtf->point[k], values->count);
    if (q.rank != last.rank) lower = q.rank == last.next ? upper : fc_field_ranked(&order, q.rank);
    if (q.next != last.next) upper = fc_field_ranked(&order, q.next);
    s->edges[k] = fc_field_between(lower, upper, q.share);
    last = q;
  }
  const int32_t kept = distinct(s->edges, count, SAME * times);
  if (kept < count && field->merged)
    atomic_store_explicit((_Atomic uint8_t *)field->merged, 1, memory_order_relaxed);
  return kept;
}

/* How many edges are less than a value; there is at least one edge. */
static int32_t bin_of(double value, const double *edges, int32_t count) {
  const double *at = edges;
  while (count > 1) {
    const int32_t half = count / 2;
    at += at[half - 1] < value ? half : 0;
    count -= half;
  }
  return (int32_t)(at - edges) + (*at < value);
}

/* The bin of each value; returns how many bins there are. */
static int32_t set_bins(const fc_field *field, const fc_values *values, const state *s,
                        int32_t bins, int32_t edges, double times) {
  if (edges <= FEW)
    field->kernels->bins(values->value, values->count, times, s->edges, edges, s->bin);
  else
    for (int64_t i = 0; i < values->count; i++)
      s->bin[i] = bin_of(values->value[i] * times, s->edges, edges);
  if (bins <= values->count) return bins;
  int32_t count = 0;
  for (int32_t k = 0; k < bins; k++) s->label[k] = -1;
  for (int64_t i = 0; i < values->count; i++) {
    int32_t *label = &s->label[s->bin[i]];
    if (*label < 0) *label = count++;
    s->bin[i] = *label;
  }
  return count;
}

/* The steps of each bin, one bin's behind the other's. */
static void group_steps(const state *s, int64_t length, int32_t bins) {
  memset(s->first, 0, ((size_t)bins + 2) * sizeof *s->first);
  for (int64_t i = 0; i + 1 < length; i++) s->first[s->bin[i] + 2]++;
  for (int32_t k = 2; k <= bins; k++) s->first[k] += s->first[k - 1];
  for (int64_t i = 0; i + 1 < length; i++) s->next[s->first[s->bin[i] + 1]++] = s->bin[i + 1];
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The shares of the steps out of bin q that lead into each bin, as column r of the weights. */
static void set_weights(const state *s, int32_t bins, int32_t q, int r) {
  const int32_t from = s->first[q], to = s->first[q + 1];
  memset(s->count, 0, 2 * (size_t)bins * sizeof *s->count);
  for (int32_t k = from; k < to; k++) s->count[2 * s->next[k] + k % 2]++;
  for (int32_t k = 0; k < bins; k++)
    s->weight[TOGETHER * k + r] =
        (double)(s->count[2 * k] + s->count[2 * k + 1]) / FC_MAX(to - from, 1);
}

/* The rows of the values in bins q, q + 1, ... , at most TOGETHER: of one pixel per value, or of
 * means over segments. */
static void make_lines(const fc_field_spec *spec, const state *s, int32_t q, int32_t rows,
                       double *line) {
  const int64_t stride = padded_line(spec), size = spec->size;
  const int32_t bins = *s->bins, *bin = s->bin;
  for (int r = 0; r < TOGETHER; r++) set_weights(s, bins, FC_MIN(q + r, q + rows - 1), r);
  for (int64_t j = 0; j < size; j++) {
    double sum[TOGETHER] = {0};
    if (spec->start) {
      for (int64_t k = spec->start[j]; k < spec->end[j]; k++)
        for (int r = 0; r < TOGETHER; r++) sum[r] += s->weight[TOGETHER * bin[k] + r];
      for (int r = 0; r < TOGETHER; r++) sum[r] *= s->per[j];
    } else {
      for (int r = 0; r < TOGETHER; r++) sum[r] = s->weight[TOGETHER * bin[j] + r];
    }
    for (int r = 0; r < rows; r++) line[r * stride + j] = sum[r];
  }
}

/* Sums of `count` shares as pixels. */
static void put_line(const fc_field *field, const double *line, int64_t count, uint8_t *out,
                     int streaming) {
  const fc_field_spec *spec = field->spec;
  const fc_pixels pixels = {.value = line,
                            .count = spec->size,
                            .rule = FC_PIXEL_SCALED,
                            .scale = (spec->out_high - spec->out_low) / (double)count,
                            .offset = spec->out_low,
                            .low = spec->out_low,
                            .high = spec->out_high};
  field->kernels->pixels[spec->element](&pixels, out, streaming);
}

static fc_status prepare(const fc_field *field, const fc_values *values) {
  const fc_field_spec *spec = field->spec;
  const parts p = parts_of(spec, values->count);
  const state s = state_of(field, &p);
  const double largest = FC_MAX(fabs(values->extent.low), fabs(values->extent.high));
  const double times = largest > HUGE_VALUES ? 0x1p-200 : 1;
  const int32_t edges = set_edges(field, values, &s, times);
  const int32_t bins = *s.bins = set_bins(field, values, &s, spec->mtf.bins, edges, times);
  group_steps(&s, values->count, bins);
  for (int64_t j = 0; j < spec->size && spec->start; j++)
    s.per[j] = 1 / (double)(spec->end[j] - spec->start[j]);
  for (int32_t q = 0; q < bins && s.stride; q += TOGETHER) {
    uint8_t *table = s.table + q * s.stride;
    const int32_t count = FC_MIN(bins - q, TOGETHER);
    make_lines(spec, &s, q, count, spec->start ? (double *)(void *)table : s.line);
    for (int32_t r = 0; r < count && !spec->start; r++)
      put_line(field, s.line + r * padded_line(spec), 1, table + r * s.stride, 0);
  }
  return FC_OK;
}

/* The row of the values of segment j, each of which adds one of the different rows. */
static void put_sums(const fc_field *field, const state *s, int64_t j, uint8_t *out,
                     int streaming) {
  const fc_field_spec *spec = field->spec;
  const int32_t *which = s->bin + spec->start[j];
  const int64_t count = spec->end[j] - spec->start[j];
  const int64_t stride = padded_line(spec);
  if (s->stride) {
    field->kernels->sum_rows((const double *)(void *)s->table, stride, which, count, spec->size,
                             s->line);
  } else {
    for (int64_t k = 0; k < spec->size; k++) s->line[k] = 0;
    for (int64_t r = 0; r < count; r++) {
      make_lines(spec, s, which[r], 1, s->line + stride);
      for (int64_t k = 0; k < spec->size; k++) s->line[k] += s->line[stride + k];
    }
  }
  put_line(field, s->line, count, out, streaming);
}

static void rows(const fc_field *field, int image, int64_t first, int64_t count, uint8_t *out,
                 int streaming) {
  const fc_field_spec *spec = field->spec;
  const size_t row = (size_t)spec->size * fc_element_size(spec->element);
  const parts p = parts_of(spec, field->length);
  const state s = state_of(field, &p);
  (void)image;
  for (int64_t j = first; j < first + count; j++, out += row) {
    if (spec->start) {
      put_sums(field, &s, j, out, streaming);
    } else if (!s.stride) {
      make_lines(spec, &s, s.bin[j], 1, s.line);
      put_line(field, s.line, 1, out, streaming);
    } else if (streaming) {
      fc_stream_bytes(out, s.table + s.bin[j] * s.stride, row);
    } else {
      memcpy(out, s.table + s.bin[j] * s.stride, row);
    }
  }
}

const fc_field_kind_entry fc_mtf_kind = {1, FC_STREAMS_LINES, check, scratch, prepare, rows};
