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

/* Distances that a selection sorts instead of counting once more. */
#define FEW 1024
/* Squares within these can be float as well. */
#define FLOAT_LOW 0x1p-80
#define FLOAT_HIGH 0x1p120

/* Where the parts of the state lie, in bytes. */
typedef struct parts {
  size_t high, low, line, few, end;
} parts;

typedef struct state {
  fc_pixels *pixels; /* what becomes of a row */
  fc_trajectories *of;
  double *high, *low, *line; /* the series, twice; a row */
  double *few;               /* [2 * FEW] */
} state;

#define HEAD 192 /* bytes, for both structures in front */
_Static_assert(sizeof(fc_pixels) + sizeof(fc_trajectories) <= HEAD,
               "the state's head is too short");

static parts parts_of(const fc_field_spec *spec, int64_t length) {
  const size_t series = fc_field_padded(length) * sizeof(double);
  const int sorts = spec->recurrence.limit == FC_THRESHOLD_POINT;
  parts p = {.high = HEAD, .low = HEAD + series, .line = HEAD + 2 * series};
  p.few = p.line + fc_field_padded(spec->size) * sizeof(double);
  p.end = p.few + (sorts ? 2 * FEW * sizeof(double) : 0);
  return p;
}

static state state_of(const fc_field *field) {
  const parts p = parts_of(field->spec, field->length);
  uint8_t *at = field->state;
  state s = {.pixels = (fc_pixels *)(void *)at,
             .of = (fc_trajectories *)(void *)(at + sizeof(fc_pixels)),
             .high = (double *)(void *)(at + p.high),
             .low = (double *)(void *)(at + p.low),
             .line = (double *)(void *)(at + p.line),
             .few = (double *)(void *)(at + p.few)};
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

/* Distances (or squares) of trajectory i to those behind it, and NaN behind these; how many. */
static int64_t behind(const fc_field *field, const state *s, int64_t i) {
  const int64_t size = field->spec->size;
  field->kernels->distances(s->of, i, i + 1, size, s->line);
  for (int k = 0; k < 8; k++) s->line[size - i - 1 + k] = NAN;
  return size - i - 1;
}

static double largest(const fc_field *field, const state *s) {
  double most = 0;
  for (int64_t i = 0; i + 1 < field->spec->size; i++) {
    const fc_extent extent = field->kernels->extent(s->line, behind(field, s, i));
    most = FC_MAX(most, extent.finite ? extent.high : INFINITY);
  }
  return most;
}

/* Sort the distances whose bits are from `low` up to below `high`, less than FEW; the one of this
 * rank. */
static double among_few(const fc_field *field, const state *s, uint64_t low, uint64_t high,
                        int64_t rank) {
  int64_t found = 0;
  for (int64_t i = 0; i + 1 < field->spec->size; i++) {
    const int64_t count = behind(field, s, i);
    for (int64_t k = 0; k < count; k++) {
      const uint64_t bits = bits_of(s->line[k]);
      s->few[found] = s->line[k];
      found += bits >= low && bits < high;
    }
  }
  return fc_field_sort(s->few, s->few + FEW, found)[rank];
}

/* The distance of this rank, from 0 on, among those of all pairs.  They are not kept anywhere: each
 * pass counts them below a few pivots.  Distances are not negative, so the order is that of their
 * bits; the rank lies in [low, high). */
static double ranked(const fc_field *field, const state *s, int64_t rank, double most) {
  uint64_t low = 0, high = bits_of(most) + 1;
  int64_t under = 0, upto = field->spec->size * (field->spec->size - 1) / 2;
  /* At first by halves of the largest, since all exponents down to 0 would be too many. */
  uint64_t step = FC_MIN((high - low) / (FC_FIELD_PIVOTS + 1), (uint64_t)1 << 52);
  while (high - low > 1 && upto - under >= FEW) {
    double pivot[FC_FIELD_PIVOTS];
    int64_t less[FC_FIELD_PIVOTS] = {0};
    step = FC_MAX(step, 1);
    for (uint64_t k = 0; k < FC_FIELD_PIVOTS; k++) {
      const uint64_t down = (FC_FIELD_PIVOTS - k) * step;
      pivot[k] = of_bits(high - low > down ? high - down : low);
    }
    for (int64_t i = 0; i + 1 < field->spec->size; i++)
      field->kernels->below(s->line, behind(field, s, i), pivot, less);
    for (int k = 0; k < FC_FIELD_PIVOTS; k++) {
      if (less[k] > rank) {
        high = bits_of(pivot[k]);
        upto = less[k];
        break;
      }
      low = bits_of(pivot[k]);
      under = less[k];
    }
    step = (high - low) / (FC_FIELD_PIVOTS + 1);
  }
  if (high - low == 1) return of_bits(low);
  return among_few(field, s, low, high, rank - under);
}

/* The same among all pixels of an image, which are a diagonal of zeros and every pair twice. */
static double ranked_pixel(const fc_field *field, const state *s, int64_t rank, double most) {
  const int64_t size = field->spec->size;
  if (rank < size) return 0;
  const double value = ranked(field, s, (rank - size) / 2, most);
  return s->of->dimension > 1 ? sqrt(value) : value;
}

static double quantile(const fc_field *field, const state *s, double share) {
  const int64_t size = field->spec->size;
  const fc_quantile q = fc_field_quantile(share, size * size);
  const double most = largest(field, s);
  const int same = q.rank >= size && (q.rank - size) / 2 == (q.next - size) / 2;
  const double low = ranked_pixel(field, s, q.rank, most);
  return fc_field_between(low, same ? low : ranked_pixel(field, s, q.next, most), q.share);
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
