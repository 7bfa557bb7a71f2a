/* gaf.c: Gramian angular fields.
 *
 * Z. Wang and T. Oates, "Encoding Time Series as Images for Visual Inspection and Classification
 * Using Tiled Convolutional Neural Networks", AAAI Workshops, 2015.  A value x in [-1, 1] stands
 * for the angle acos(x).  With c = x and s = sqrt(1 - x * x) the fields need no angle:
 *
 *      summation   cos(a_i + a_j) = c_i * c_j - s_i * s_j
 *      difference  sin(a_i - a_j) = s_i * c_j - c_i * s_j
 *
 * c and s are made in double, of which there are n; the n * n pixels are products of floats
 * (doubles for images of doubles), with the range of the output multiplied into the factors by
 * half: both factors of a product have its root, so that symmetry holds to the bit. */
#include <float.h>
#include <math.h>

#include "field.h"

/* Of the means, then of both kinds of factors; each begins on a cache line. */
typedef struct state {
  double *means;
  void *cosine, *sine;
} state;

static size_t factor_bytes(const fc_field_spec *spec) {
  const size_t size = spec->element == FC_FLOAT64 ? sizeof(double) : sizeof(float);
  return fc_field_padded(spec->size) * size;
}

static size_t mean_bytes(const fc_field_spec *spec) {
  return fc_field_lines((size_t)spec->size * sizeof(double));
}

static size_t scratch(const fc_field_spec *spec, int64_t length) {
  (void)length;
  return mean_bytes(spec) + 2 * factor_bytes(spec);
}

static state state_of(const fc_field *field) {
  uint8_t *factors = field->state + mean_bytes(field->spec);
  state s = {(double *)(void *)field->state, factors, factors + factor_bytes(field->spec)};
  return s;
}

static double gain_of(const fc_field_spec *spec) {
  return sqrt((spec->out_high - spec->out_low) / 2);
}

static fc_status check(const fc_field_spec *spec, int64_t length) {
  (void)length;
  const int range = -1 <= spec->low && spec->low < spec->high && spec->high <= 1;
  return !spec->scaled || range ? FC_OK : FC_E_ARGUMENT;
}

/* Ranges below this are constant, as scikit-learn has it. */
#define CONSTANT (10 * DBL_EPSILON)
/* Beyond this, value * scale + shift loses the digits that value - least keeps. */
#define WELL_SCALED 64
/* Sums of values beyond this may overflow, and so may their range. */
#define HUGE_VALUES 0x1p900

/* How the values are scaled to [low, high]: scikit-learn's arithmetic as long as it is sound. */
static void set_scale(fc_angles *angles, const fc_field_spec *spec, const fc_extent *extent) {
  const double width = spec->high - spec->low, range = extent->high - extent->low;
  angles->low = spec->low;
  angles->high = spec->high;
  if (range < CONSTANT) {
    angles->scale = 0;
    angles->shift = spec->low;
    return;
  }
  angles->scale = width / range;
  const double largest = FC_MAX(fabs(extent->low), fabs(extent->high));
  if (largest * angles->scale <= WELL_SCALED) {
    angles->shift = spec->low - extent->low * angles->scale;
  } else {
    angles->centre = 1;
    angles->base = extent->low;
    angles->shift = spec->low;
  }
}

static fc_status prepare(const fc_field *field, const fc_values *values) {
  const fc_field_spec *spec = field->spec;
  const state s = state_of(field);
  fc_extent extent = values->extent;
  fc_angles angles = {.value = values->value,
                      .count = spec->size,
                      .more = field->more,
                      .gain = gain_of(spec),
                      .cosine = s.cosine,
                      .sine = s.sine,
                      .wide = spec->element == FC_FLOAT64,
                      .scale = 1,
                      .low = -1,
                      .high = 1};
  /* Means of equal values need not be equal. */
  const int constant = extent.low == extent.high;
  double smaller = 1;
  if (spec->scaled && FC_MAX(fabs(extent.low), fabs(extent.high)) > HUGE_VALUES) smaller = 0x1p-200;
  if (spec->start) {
    fc_field_means(values->value, spec->start, spec->end, spec->size, smaller, s.means);
    angles.value = s.means;
    extent = field->kernels->extent(s.means, spec->size);
  } else if (smaller != 1) {
    for (int64_t i = 0; i < spec->size; i++) s.means[i] = values->value[i] * smaller;
    angles.value = s.means;
    extent.low *= smaller;
    extent.high *= smaller;
  }
  if (constant) extent.high = extent.low;
  if (spec->scaled)
    set_scale(&angles, spec, &extent);
  else if (!(extent.low >= -1 && extent.high <= 1))
    return FC_E_RANGE;
  field->kernels->angles(&angles);
  return FC_OK;
}

static void rows_of(const fc_field *field, int difference, int64_t first, int64_t rows,
                    uint8_t *out, int streaming) {
  const fc_field_spec *spec = field->spec;
  const state s = state_of(field);
  const size_t skip =
      (size_t)first * (spec->element == FC_FLOAT64 ? sizeof(double) : sizeof(float));
  const uint8_t *cosine = (const uint8_t *)s.cosine + skip, *sine = (const uint8_t *)s.sine + skip;
  const fc_outer outer = {.left = difference ? sine : cosine,
                          .right = difference ? cosine : sine,
                          .along = s.cosine,
                          .across = s.sine,
                          .rows = rows,
                          .columns = spec->size,
                          .offset = (spec->out_high + spec->out_low) / 2,
                          .low = spec->out_low,
                          .high = spec->out_high};
  field->kernels->outer[spec->element](&outer, out, streaming);
}

static void summation_rows(const fc_field *field, int image, int64_t first, int64_t rows,
                           uint8_t *out, int streaming) {
  (void)image;
  rows_of(field, 0, first, rows, out, streaming);
}

static void difference_rows(const fc_field *field, int image, int64_t first, int64_t rows,
                            uint8_t *out, int streaming) {
  (void)image;
  rows_of(field, 1, first, rows, out, streaming);
}

const fc_field_kind_entry fc_gasf_kind = {1, 1, check, scratch, prepare, summation_rows};
const fc_field_kind_entry fc_gadf_kind = {1, 1, check, scratch, prepare, difference_rows};
const fc_field_kind_entry fc_gaf_both_kind = {2, 1, check, scratch, prepare, rows_of};
