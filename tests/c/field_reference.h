/* field_reference.h: Gramian angular fields one pixel at a time, from the definition. */
#ifndef FC_TEST_FIELD_REFERENCE_H
#define FC_TEST_FIELD_REFERENCE_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "fastcache_fields.h"

/* Factors of a series of doubles, made as fastcache_fields.h and gaf.c say. */
typedef struct factors {
  double *cosine, *sine;
} factors;

static inline double ref_clip(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

/* FC_OK, or why the series is refused. */
static inline fc_status ref_factors(const fc_field_spec *spec, const double *x, int64_t length,
                                    factors f) {
  const int64_t m = spec->size;
  int constant = 1;
  double largest = 0;
  for (int64_t i = 0; i < length; i++) {
    if (!isfinite(x[i])) return FC_E_NOT_FINITE;
    constant &= x[i] == x[0];
    largest = fmax(largest, fabs(x[i]));
  }
  const double times = spec->scaled && largest > 0x1p900 ? 0x1p-200 : 1;
  double *mean = check_alloc((size_t)m * sizeof *mean), low = 0, high = 0;
  for (int64_t k = 0; k < m; k++) {
    const int64_t from = spec->start ? spec->start[k] : k, to = spec->start ? spec->end[k] : k + 1;
    double sum = 0;
    for (int64_t i = from; i < to; i++) sum += x[i] * times;
    mean[k] = sum / (double)(to - from);
    low = k ? fmin(low, mean[k]) : mean[k];
    high = k ? fmax(high, mean[k]) : mean[k];
  }
  fc_status status = FC_OK;
  for (int64_t k = 0; k < m; k++) {
    double c = mean[k];
    if (spec->scaled) {
      const double range = high - low, scale = (spec->high - spec->low) / range;
      if (constant || range < 10 * DBL_EPSILON)
        c = spec->low;
      else if (fmax(fabs(low), fabs(high)) * scale <= 64)
        c = mean[k] * scale + (spec->low - low * scale);
      else
        c = (mean[k] - low) * scale + spec->low;
      c = ref_clip(c, spec->low, spec->high);
    } else if (c < -1 || c > 1) {
      status = FC_E_RANGE;
    }
    const double gain = sqrt((spec->out_high - spec->out_low) / 2);
    const double square = ref_clip(1 - c * c, 0, 1) * (gain * gain);
    f.cosine[k] = c * gain;
    f.sine[k] = sqrt(square);
    if (spec->element != FC_FLOAT64) {
      f.cosine[k] = (float)f.cosine[k];
      f.sine[k] = sqrtf((float)square);
    }
  }
  free(mean);
  return status;
}

/* All finite numbers of 16 bits from 0 up, with so many bits of mantissa. */
typedef struct short_floats {
  int mantissa, bias;
  uint32_t count;
  double number[0x8000];
} short_floats;

static inline const short_floats *ref_short_floats(int element) {
  static short_floats tables[2];
  short_floats *t = &tables[element == FC_BFLOAT16];
  if (t->count) return t;
  t->mantissa = element == FC_BFLOAT16 ? 7 : 10;
  t->bias = element == FC_BFLOAT16 ? 127 : 15;
  for (uint32_t bits = 0; bits < 0x8000; bits++) {
    const int exponent = (int)(bits >> t->mantissa);
    const double rest = (double)(bits & ((1u << t->mantissa) - 1)) / (double)(1u << t->mantissa);
    if (exponent == (1 << (15 - t->mantissa)) - 1) break; /* infinity */
    t->number[t->count++] =
        exponent ? ldexp(1 + rest, exponent - t->bias) : ldexp(rest, 1 - t->bias);
  }
  return t;
}

/* The nearest of them, halves to even. */
static inline uint16_t ref_short_float(float value, int element) {
  const short_floats *t = ref_short_floats(element);
  const double size = fabs((double)value);
  uint32_t low = 0, high = t->count - 1; /* number[low] <= size < number[high], but for the ends */
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    if (t->number[middle] <= size)
      low = middle;
    else
      high = middle;
  }
  const double below = size - t->number[low], above = t->number[high] - size;
  const uint32_t best = below < above || (below == above && low % 2 == 0) ? low : high;
  return (uint16_t)(signbit(value) ? best | 0x8000 : best);
}

/* Pixel (i, j) of a field as the bytes of its type. */
static inline size_t ref_pixel(const fc_field_spec *spec, factors f, int difference, int64_t i,
                               int64_t j, uint8_t *bytes) {
  const double left = difference ? f.sine[i] : f.cosine[i];
  const double right = difference ? f.cosine[i] : f.sine[i];
  const double offset = (spec->out_high + spec->out_low) / 2;
  if (spec->element == FC_FLOAT64) {
    const double value = left * f.cosine[j] - right * f.sine[j] + offset;
    const double clipped = ref_clip(value, spec->out_low, spec->out_high);
    memcpy(bytes, &clipped, sizeof clipped);
    return sizeof clipped;
  }
  const float first = (float)left * (float)f.cosine[j], second = (float)right * (float)f.sine[j];
  float value = first - second;
  value += (float)offset;
  if (spec->element == FC_UINT8) {
    bytes[0] = (uint8_t)nearbyint(value);
    return 1;
  }
  if (spec->element == FC_UINT16) {
    const uint16_t whole = (uint16_t)nearbyint(value);
    memcpy(bytes, &whole, sizeof whole);
    return sizeof whole;
  }
  value = (float)ref_clip(value, (float)spec->out_low, (float)spec->out_high);
  if (spec->element == FC_FLOAT32) {
    memcpy(bytes, &value, sizeof value);
    return sizeof value;
  }
  const uint16_t made = ref_short_float(value, spec->element);
  memcpy(bytes, &made, sizeof made);
  return sizeof made;
}

#endif
