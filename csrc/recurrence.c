/* recurrence.c: recurrence plots.
 *
 * J.-P. Eckmann, S. Oliffson Kamphorst and D. Ruelle, "Recurrence Plots of Dynamical Systems",
 * Europhysics Letters 4(9), 1987.  Pixel (i, j) is the distance of trajectories i and j, or whether
 * it is less than a threshold.
 *
 * Distances are computed in double, as squares where there are several dimensions.  Roots keep the
 * order, so thresholds are found and compared among squares: only an image of distances needs a
 * root per pixel. */
#include <math.h>
#include <string.h>

#include "field.h"

/* A threshold at a percentile: pairs whose distances are kept while it is looked for; distances
 * that are sorted instead of counted once more; buckets that they are counted in. */
#define KEPT (1 << 15)
#define FEW 512
#define BUCKETS 1024
#define NEAR_HALVES 16
/* Squares within these can be float as well. */
#define FLOAT_LOW 0x1p-80
#define FLOAT_HIGH 0x1p120

/* Where the parts of the state lie, in bytes. */
typedef struct parts {
  size_t high, low, line, few, buckets, end;
} parts;

typedef struct state {
  fc_pixels *pixels; /* what becomes of a row */
  fc_trajectories *of;
  int64_t *kept;             /* [1] distances of pairs in `line` */
  double *high, *low, *line; /* the series, twice; a row, or all pairs */
  double *few;               /* [2 * (FEW + 1)] */
  int64_t *buckets;          /* [BUCKETS + 1] */
} state;

#define HEAD 192 /* bytes, for the structures in front */
_Static_assert(sizeof(fc_pixels) + sizeof(fc_trajectories) + sizeof(int64_t) <= HEAD,
               "the state's head is too short");

static int64_t pairs_of(int64_t size) {
  return size * (size - 1) / 2;
}

static parts parts_of(const fc_field_spec *spec, int64_t length) {
  const size_t series = fc_field_padded(length) * sizeof(double);
  parts p = {.high = HEAD, .low = HEAD + series, .line = HEAD + 2 * series};
  const int selects = spec->recurrence.limit == FC_THRESHOLD_POINT;
  const int64_t pairs = pairs_of(spec->size);
  const int64_t line = selects && pairs <= KEPT ? FC_MAX(pairs, spec->size) : spec->size;
  p.few = p.line + fc_field_padded(line) * sizeof(double);
  p.buckets = p.few + (selects ? 2 * (FEW + 1) * sizeof(double) : 0);
  p.end = p.buckets + (selects ? (BUCKETS + 1) * sizeof(int64_t) : 0);
  return p;
}

static state state_of(const fc_field *field) {
  const parts p = parts_of(field->spec, field->length);
  uint8_t *at = field->state;
  state s = {.pixels = (fc_pixels *)(void *)at,
             .of = (fc_trajectories *)(void *)(at + sizeof(fc_pixels)),
             .kept = (int64_t *)(void *)(at + HEAD - sizeof(int64_t)),
             .high = (double *)(void *)(at + p.high),
             .low = (double *)(void *)(at + p.low),
             .line = (double *)(void *)(at + p.line),
             .few = (double *)(void *)(at + p.few),
             .buckets = (int64_t *)(void *)(at + p.buckets)};
  return s;
}

static size_t scratch(const fc_field_spec *spec, int64_t length) {
  return parts_of(spec, length).end;
}

static fc_status check(const fc_field_spec *spec, int64_t length) {
  const fc_recurrence_spec *r = &spec->recurrence;
  if (spec->start || r->dimension < 1 || r->delay < 1) return FC_E_ARGUMENT;
  if (r->dimension > 1 && r->delay > (length - 1) / (r->dimension - 1)) return FC_E_ARGUMENT;
  if (spec->size != length - (r->dimension - 1) * r->delay) return FC_E_ARGUMENT;
  const int whole = spec->element == FC_UINT8 || spec->element == FC_UINT16;
  switch (r->limit) {
    case FC_THRESHOLD_NONE:
      return whole ? FC_E_ARGUMENT : FC_OK;
    case FC_THRESHOLD_VALUE:
      return r->threshold > 0 ? FC_OK : FC_E_ARGUMENT;
    case FC_THRESHOLD_POINT:
    case FC_THRESHOLD_DISTANCE:
      return r->threshold >= 0 && r->threshold <= 1 ? FC_OK : FC_E_ARGUMENT;
    default:
      return FC_E_ARGUMENT;
  }
}

/* ---- thresholds ------------------------------------------------------------------------------ */

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static double of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The distances (or squares) of all pairs, in stretches: all at once where they are kept, else
 * those of one trajectory to the ones behind it. */
static const double *stretch(const fc_field *field, const state *s, int64_t number,
                             int64_t *count) {
  const int64_t size = field->spec->size;
  if (*s->kept > 0) {
    *count = *s->kept;
    return s->line;
  }
  *count = size - number - 1;
  field->kernels->distances(s->of, number, number + 1, size, s->line);
  return s->line;
}

static int64_t stretches(const fc_field *field, const state *s) {
  return *s->kept > 0 ? 1 : field->spec->size - 1;
}

static void keep_pairs(const fc_field *field, const state *s) {
  const int64_t size = field->spec->size;
  *s->kept = 0;
  if (pairs_of(size) > KEPT) return;
  for (int64_t i = 0; i + 1 < size; i++) {
    field->kernels->distances(s->of, i, i + 1, size, s->line + *s->kept);
    *s->kept += size - i - 1;
  }
}

static double largest(const fc_field *field, const state *s) {
  double most = 0;
  for (int64_t k = 0; k < stretches(field, s); k++) {
    int64_t count;
    const double *values = stretch(field, s, k, &count);
    const fc_extent extent = field->kernels->extent(values, count);
    most = FC_MAX(most, extent.finite ? extent.high : INFINITY);
  }
  return most;
}

/* A search for the distance of some rank: it is one of those whose bits are from `low` up to below
 * `high`; `under` of all are less, `upto` less than high.  Distances are not negative, so their
 * bits have their order. */
typedef struct search {
  int64_t rank, under, upto;
  uint64_t low, high;
} search;

/* Count the distances in BUCKETS of equal range, from `base` (not below low) up to high, and go on
 * with the one that holds the rank. */
static void narrow(const fc_field *field, const state *s, search *of, uint64_t base) {
  const uint64_t range = of->high - base;
  int shift = 0;
  while ((range - 1) >> shift >= BUCKETS) shift++;
  int64_t *in = s->buckets, less = 0; /* behind the buckets, all that are in none */
  memset(in, 0, (BUCKETS + 1) * sizeof *in);
  for (int64_t k = 0; k < stretches(field, s); k++) {
    int64_t count;
    const double *values = stretch(field, s, k, &count);
    for (int64_t i = 0; i < count; i++) {
      const uint64_t bits = bits_of(values[i]), above = bits - base; /* huge if it is less */
      less += bits < base;
      in[above < range ? above >> shift : BUCKETS]++;
    }
  }
  if (less > of->rank) {
    of->high = base;
    of->upto = less;
    return;
  }
  uint64_t bucket = 0;
  while (less + in[bucket] <= of->rank) less += in[bucket++];
  of->under = less;
  of->upto = less + in[bucket];
  of->low = base + (bucket << shift);
  of->high = FC_MIN(of->high, base + ((bucket + 1) << shift));
}

/* Sort the distances whose bits are from `low` up to below `high`, at most FEW. */
static const double *among_few(const fc_field *field, const state *s, uint64_t low, uint64_t high) {
  int64_t found = 0;
  for (int64_t k = 0; k < stretches(field, s); k++) {
    int64_t count;
    const double *values = stretch(field, s, k, &count);
    for (int64_t i = 0; i < count; i++) {
      s->few[found] = values[i];
      found += bits_of(values[i]) - low < high - low;
    }
  }
  return fc_field_sort(s->few, s->few + FEW + 1, found);
}

/* Distances number rank and rank + 1 among those of all pairs, of which `most` is the largest.
 * Where they are many, they are not kept anywhere, but made again for every pass. */
static void ranked(const fc_field *field, const state *s, int64_t rank, double most,
                   double two[2]) {
  search of = {rank, 0, pairs_of(field->spec->size), 0, bits_of(most) + 1};
  /* Most distances are within a few halves of the largest; down to 0 there are a thousand. */
  const uint64_t near = (uint64_t)NEAR_HALVES << 52;
  if (of.high > near) narrow(field, s, &of, of.high - near);
  while (of.high - of.low > 1 && of.upto - of.under > FEW) narrow(field, s, &of, of.low);
  const int64_t within = rank - of.under, count = of.upto - of.under;
  two[0] = of_bits(of.low);
  two[1] = two[0];
  if (of.high - of.low > 1) {
    const double *sorted = among_few(field, s, of.low, of.high);
    two[0] = sorted[within];
    two[1] = within + 1 < count ? sorted[within + 1] : two[0];
  }
  if (within + 1 < count || rank + 1 >= pairs_of(field->spec->size)) return;
  double more[2];
  ranked(field, s, rank + 1, most, more);
  two[1] = more[0];
}

/* The same among all pixels of an image, which are a diagonal of zeros and every pair twice. */
static double quantile(const fc_field *field, const state *s, double share) {
  const int64_t size = field->spec->size;
  const fc_quantile q = fc_field_quantile(share, size * size);
  double around[2] = {0, 0}, two[2];
  keep_pairs(field, s);
  const double most = largest(field, s);
  if (q.next >= size) {
    const int64_t rank = FC_MAX(q.rank - size, 0) / 2, next = (q.next - size) / 2;
    ranked(field, s, rank, most, two);
    around[0] = q.rank >= size ? two[0] : 0;
    around[1] = next == rank ? two[0] : two[1];
  }
  if (s->of->dimension > 1)
    for (int k = 0; k < 2; k++) around[k] = sqrt(around[k]);
  return fc_field_between(around[0], around[1], q.share);
}

/* The least square whose root is not less than `distance`. */
static double least_square(double distance) {
  double square = distance * distance;
  while (square > 0 && sqrt(square) >= distance) square = nextafter(square, 0);
  while (sqrt(square) < distance) square = nextafter(square, INFINITY);
  return square;
}

static double limit_of(const fc_field *field, const state *s) {
  const fc_recurrence_spec *r = &field->spec->recurrence;
  double limit = r->threshold;
  if (r->limit == FC_THRESHOLD_POINT) {
    limit = quantile(field, s, r->threshold);
  } else if (r->limit == FC_THRESHOLD_DISTANCE) {
    const double most = largest(field, s);
    limit = r->threshold * (r->dimension > 1 ? sqrt(most) : most);
  }
  return r->dimension > 1 ? least_square(limit) : limit;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static fc_status prepare(const fc_field *field, const fc_values *values) {
  const fc_field_spec *spec = field->spec;
  const fc_recurrence_spec *r = &spec->recurrence;
  const state s = state_of(field);
  const size_t used = (size_t)values->count, padded = fc_field_padded(values->count);
  const int halves = fc_field_needs_halves(values);
  if (halves) {
    fc_field_halves(values, s.high, s.low);
    memset(s.low + used, 0, (padded - used) * sizeof(double));
  } else {
    memcpy(s.high, values->value, used * sizeof(double));
  }
  memset(s.high + used, 0, (padded - used) * sizeof(double));
  *s.of = (fc_trajectories){
      .high = s.high, .low = halves ? s.low : NULL, .dimension = r->dimension, .delay = r->delay};
  *s.kept = 0;
  *s.pixels = (fc_pixels){.value = s.line, .count = spec->size};
  if (r->limit != FC_THRESHOLD_NONE) {
    s.pixels->rule = FC_PIXEL_BELOW;
    s.pixels->limit = limit_of(field, &s);
    s.pixels->low = spec->out_low;
    s.pixels->high = spec->out_high;
  } else if (r->dimension == 1) {
    s.pixels->rule = FC_PIXEL_SCALED;
    s.pixels->scale = 1;
    s.pixels->low = -INFINITY;
    s.pixels->high = INFINITY;
  } else {
    const double range = values->extent.high - values->extent.low;
    const double most = (double)r->dimension * range * range;
    s.pixels->rule = most >= FLOAT_LOW && most <= FLOAT_HIGH ? FC_PIXEL_FLOAT_ROOT : FC_PIXEL_ROOT;
  }
  return FC_OK;
}

static void rows(const fc_field *field, int image, int64_t first, int64_t count, uint8_t *out,
                 int streaming) {
  const fc_field_spec *spec = field->spec;
  const size_t row = (size_t)spec->size * fc_element_size(spec->element);
  const state s = state_of(field);
  (void)image;
  for (int64_t i = first; i < first + count; i++, out += row) {
    field->kernels->distances(s.of, i, 0, spec->size, s.line);
    field->kernels->pixels[spec->element](s.pixels, out, streaming);
  }
}

const fc_field_kind_entry fc_recurrence_kind = {1, FC_STREAMS_LINES, check, scratch, prepare, rows};
