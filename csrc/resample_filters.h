/* resample_filters.h: the filters as Pillow defines them, without branches or calls, so that loops
 * over them become vector code. */
#ifndef FC_RESAMPLE_FILTERS_H
#define FC_RESAMPLE_FILTERS_H

#include <math.h>

#include "fastcache.h"

#define FC_PI 3.14159265358979323846

static inline double fc_support_of(int filter) {
  static const double support[FC_FILTER_COUNT] = {
      [FC_NEAREST] = 0.0, [FC_BOX] = 0.5,     [FC_BILINEAR] = 1.0,
      [FC_HAMMING] = 1.0, [FC_BICUBIC] = 2.0, [FC_LANCZOS] = 3.0};
  return support[filter];
}

/* sin(y) / y for |y| <= pi, from z = y * y: its series, exact to 1e-13, without a special case
 * at 0 and without a call. */
static inline double sinc_series(double z) {
  double sum = 1.0 - z * (1.0 / (24.0 * 25.0));
  sum = 1.0 - z * (1.0 / (22.0 * 23.0)) * sum;
  sum = 1.0 - z * (1.0 / (20.0 * 21.0)) * sum;
  sum = 1.0 - z * (1.0 / (18.0 * 19.0)) * sum;
  sum = 1.0 - z * (1.0 / (16.0 * 17.0)) * sum;
  sum = 1.0 - z * (1.0 / (14.0 * 15.0)) * sum;
  sum = 1.0 - z * (1.0 / (12.0 * 13.0)) * sum;
  sum = 1.0 - z * (1.0 / (10.0 * 11.0)) * sum;
  sum = 1.0 - z * (1.0 / (8.0 * 9.0)) * sum;
  sum = 1.0 - z * (1.0 / (6.0 * 7.0)) * sum;
  sum = 1.0 - z * (1.0 / (4.0 * 5.0)) * sum;
  return 1.0 - z * (1.0 / (2.0 * 3.0)) * sum;
}

/* sinc(x) * sinc(x / 3).  With y = pi x / 3, sin(3 y) = sin(y) (3 - 4 sin(y)^2) leaves one series.
 */
static inline double lanczos(double x) {
  double z = x * x * (FC_PI * FC_PI / 9.0);
  double q = sinc_series(z);
  double value = q * q * (1.0 - z * q * q * (4.0 / 3.0));
  return ((x >= -3.0) & (x < 3.0)) ? value : 0.0;
}

static inline double hamming(double x) {
  double z = x * x * (FC_PI * FC_PI);
  double half = sinc_series(z * 0.25);
  double value = sinc_series(z) * (0.54 + 0.46 * (1.0 - 0.5 * z * half * half));
  return fabs(x) < 1.0 ? value : 0.0;
}

static inline double bicubic(double x) {
  x = fabs(x);
  double near = (1.5 * x - 2.5) * x * x + 1.0;
  double far = -0.5 * (((x - 5.0) * x + 8.0) * x - 4.0);
  double value = x < 1.0 ? near : far;
  return x < 2.0 ? value : 0.0;
}

static inline double fc_filter_at(int filter, double x) {
  switch (filter) {
    case FC_BOX:
      return ((x > -0.5) & (x <= 0.5)) ? 1.0 : 0.0;
    case FC_BILINEAR:
      return fabs(x) < 1.0 ? 1.0 - fabs(x) : 0.0;
    case FC_HAMMING:
      return hamming(x);
    case FC_BICUBIC:
      return bicubic(x);
    default:
      return lanczos(x);
  }
}

#endif
