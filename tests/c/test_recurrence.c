/* test_recurrence.c: recurrence plots against the definition, bit for bit: every type, size, place,
 * trajectory, threshold and number of threads; integers that doubles do not tell apart. */
#include "field_runs.h"

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Value i minus value j, rounded once. */
static double difference(const fc_series *series, const uint8_t *at, int64_t i, int64_t j) {
  const uint8_t *first = at + i * series->step, *second = at + j * series->step;
  if (series->element == FC_INT64) {
    int64_t a, b;
    memcpy(&a, first, 8);
    memcpy(&b, second, 8);
    return (double)((long double)a - (long double)b);
  }
  if (series->element == FC_UINT64) {
    uint64_t a, b;
    memcpy(&a, first, 8);
    memcpy(&b, second, 8);
    return (double)((long double)a - (long double)b);
  }
  double a, b;
  memcpy(&a, first, 8);
  memcpy(&b, second, 8);
  return a - b;
}

/* Squares of distances, and the distances. */
static void ref_distances(const fc_field_spec *spec, const fc_series *series, const uint8_t *at,
                          double *square, double *distance) {
  const fc_recurrence_spec *r = &spec->recurrence;
  for (int64_t i = 0; i < spec->size; i++)
    for (int64_t j = 0; j < spec->size; j++) {
      double sum = 0, apart = 0;
      for (int64_t d = 0; d < r->dimension; d++) {
        apart = difference(series, at, i + d * r->delay, j + d * r->delay);
        sum += apart * apart;
      }
      square[i * spec->size + j] = sum;
      distance[i * spec->size + j] = r->dimension == 1 ? fabs(apart) : sqrt(sum);
    }
}

static double ref_threshold(const fc_field_spec *spec, const double *distance) {
  const int64_t count = spec->size * spec->size;
  const double share = spec->recurrence.threshold;
  if (spec->recurrence.limit == FC_THRESHOLD_VALUE) return share;
  double *sorted = check_alloc((size_t)count * sizeof *sorted);
  memcpy(sorted, distance, (size_t)count * sizeof *sorted);
  qsort(sorted, (size_t)count, sizeof *sorted, by_value);
  double limit = share * sorted[count - 1];
  if (spec->recurrence.limit == FC_THRESHOLD_POINT) {
    const double place = (double)(count - 1) * share;
    const int64_t rank = (int64_t)place;
    const double part = place - floor(place), low = sorted[rank];
    const double high = rank + 1 < count ? sorted[rank + 1] : low;
    limit = part >= 0.5 ? high - (high - low) * (1 - part) : low + (high - low) * part;
  }
  free(sorted);
  return limit;
}

/* Roots are taken in float where the image is not double, if the squares are far from the ends of
 * what float can be. */
static void ref_image(const fc_field_spec *spec, const fc_series *series, const uint8_t *at,
                      uint8_t *image) {
  const int64_t count = spec->size * spec->size;
  double *square = check_alloc((size_t)count * sizeof *square);
  double *distance = check_alloc((size_t)count * sizeof *distance);
  ref_distances(spec, series, at, square, distance);
  double low = difference(series, at, 0, 0), high = low;
  for (int64_t i = 0; i < series->length; i++) {
    low = fmin(low, difference(series, at, i, 0));
    high = fmax(high, difference(series, at, i, 0));
  }
  const double most = (double)spec->recurrence.dimension * (high - low) * (high - low);
  const int narrow = spec->element != FC_FLOAT64 && spec->recurrence.dimension > 1 &&
                     most >= 0x1p-80 && most <= 0x1p120;
  const int none = spec->recurrence.limit == FC_THRESHOLD_NONE;
  const double limit = none ? 0 : ref_threshold(spec, distance);
  double worst = 0;
  for (int64_t k = 0; k < count; k++) {
    double value = distance[k];
    if (!none)
      value = value < limit ? spec->out_high : spec->out_low;
    else if (narrow)
      value = sqrtf((float)square[k]);
    if (none && isfinite(value) && distance[k] > 1e-15)
      worst = fmax(worst, fabs(value - distance[k]) / distance[k]);
    image += run_put(spec->element, value, image);
  }
  CHECK(worst <= 1.2e-7);
  free(square);
  free(distance);
}

static fc_field_spec spec_of(int element, int64_t length, int64_t dimension, int64_t delay,
                             int limit, double threshold) {
  fc_field_spec spec = {.kind = FC_RECURRENCE,
                        .element = element,
                        .size = length - (dimension - 1) * delay,
                        .out_high = run_top(element)};
  spec.recurrence = (fc_recurrence_spec){dimension, delay, limit, threshold};
  return spec;
}

/* Random walks, or whole numbers with many distances that are equal. */
static double *new_series(int64_t count, int whole) {
  double *x = check_alloc((size_t)count * sizeof *x), walk = 0;
  for (int64_t i = 0; i < count; i++) {
    walk += run_uniform() - 0.5;
    x[i] = whole ? floor(run_uniform() * 6) : walk;
  }
  return x;
}

static void compare(const fc_field_spec *spec, const double *x, int64_t samples, int64_t channels,
                    int64_t length, size_t shift, int store, int threads) {
  const fc_series series = run_series(x, samples, channels, length);
  run_compare(spec, &series, ref_image, shift, store, threads);
}

static const double shares[] = {0, 0.1, 0.333, 0.5, 0.97, 1};

static void test_sizes_and_places(void) {
  static const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65};
  static const int64_t dimensions[] = {1, 2, 3, 5};
  for (size_t e = 0; e < RUN_ELEMENTS; e++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
      for (int round = 0; round < 16; round++) {
        const int64_t dimension = dimensions[round % 4], delay = 1 + round % 3;
        const int64_t length = sizes[k] + (dimension - 1) * delay;
        int limit = (round + round / 4) % 4;
        if (limit == FC_THRESHOLD_NONE && run_is_whole(run_elements[e])) limit = FC_THRESHOLD_VALUE;
        const double threshold =
            limit == FC_THRESHOLD_VALUE ? 0.25 + round / 4 : shares[(round + (int)k) % 6];
        const fc_field_spec spec =
            spec_of(run_elements[e], length, dimension, delay, limit, threshold);
        double *x = new_series(4 * length, round % 3 == 0);
        CHECK_CONTEXT("element %d size %d round %d", run_elements[e], (int)sizes[k], round);
        compare(&spec, x, 2, 2, length,
                (size_t)(round / 4) * 5 * fc_element_size(run_elements[e]) % 64,
                round % 2 ? FC_STORE_STREAMING : FC_STORE_CACHED, 1);
        free(x);
      }
}

static void test_odd_places(void) {
  double *x = new_series(3 * 49, 0);
  for (int store = FC_STORE_CACHED; store <= FC_STORE_STREAMING; store++) {
    const fc_field_spec spec = spec_of(FC_FLOAT32, 49, 2, 1, FC_THRESHOLD_NONE, 0);
    CHECK_CONTEXT("store %d", store);
    compare(&spec, x, 3, 1, 49, 1, store, 1);
  }
  free(x);
}

/* Percentiles of images whose pairs are kept, and of larger ones; of distances that are all
 * different, and of a few that occur often. */
static void test_percentiles(void) {
  static const int64_t lengths[] = {40, 130, 256, 257, 300};
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
    for (int64_t dimension = 1; dimension <= 3; dimension += 2)
      for (int kind = 0; kind < 4; kind++) {
        double *x = new_series(lengths[k], kind % 2);
        for (int64_t i = 0; i < lengths[k] && kind == 2; i++) x[i] = exp(x[i] * 20);
        for (int64_t i = 0; i < lengths[k] && kind == 3; i++) x[i] = i < lengths[k] / 2 ? 0 : x[i];
        for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
          const fc_field_spec spec =
              spec_of(FC_UINT8, lengths[k], dimension, 2, FC_THRESHOLD_POINT, shares[s]);
          CHECK_CONTEXT("length %d dimension %d kind %d share %g", (int)lengths[k], (int)dimension,
                        kind, shares[s]);
          compare(&spec, x, 1, 1, lengths[k], 0, FC_STORE_CACHED, 1);
        }
        free(x);
      }
}

/* Thresholds that are a distance of the image themselves, or next to one. */
static void test_strict_thresholds(void) {
  enum { LENGTH = 40 };
  double *x = new_series(LENGTH, 0);
  for (int round = 0; round < 200; round++) {
    const double scale = round % 4 == 3 ? 1e-170 : round % 4 == 2 ? 1e150 : 1;
    for (int i = 0; i < LENGTH; i++) x[i] = (run_uniform() - 0.5) * scale;
    const double a = x[3] - x[30], b = x[4] - x[31];
    double threshold = sqrt(a * a + b * b);
    if (round % 3 == 1) threshold = nextafter(threshold, INFINITY);
    if (!(threshold > 0)) threshold = 5e-324;
    const fc_field_spec spec = spec_of(FC_UINT8, LENGTH, 2, 1, FC_THRESHOLD_VALUE, threshold);
    CHECK_CONTEXT("round %d", round);
    compare(&spec, x, 1, 1, LENGTH, 0, FC_STORE_CACHED, 1);
  }
  free(x);
}

/* Constant series, tiny, large and infinite distances. */
static void test_awkward_values(void) {
  static const double base[] = {0, -0.0, 1e16, -1e-300, 1.7e308, 3e38};
  static const double span[] = {0, 1e-320, 1e-30, 1e5, 1e30, 1e160, 1.7e308};
  enum { LENGTH = 35 };
  double x[2 * LENGTH];
  for (size_t b = 0; b < sizeof base / sizeof *base; b++)
    for (size_t s = 0; s < sizeof span / sizeof *span; s++)
      for (int round = 0; round < 16; round++) {
        for (int i = 0; i < 2 * LENGTH; i++) {
          x[i] = base[b] + (run_uniform() - 0.5) * span[s];
          if (!isfinite(x[i])) x[i] = DBL_MAX;
          if (span[s] > 1e300 && i % 2) x[i] = -x[i];
        }
        const fc_field_spec spec = spec_of(run_elements[round % 4], LENGTH, 1 + round % 3, 2,
                                           round / 4, round / 4 == 1 ? 0.7 : 0.4);
        CHECK_CONTEXT("base %g span %g round %d", base[b], span[s], round);
        compare(&spec, x, 2, 1, LENGTH, 0, FC_STORE_CACHED, 1);
      }
}

/* 64-bit integers, near one another and far apart, forwards and backwards. */
static void test_wide_integers(void) {
  enum { LENGTH = 40 };
  uint64_t x[2 * LENGTH];
  for (int round = 0; round < 24; round++) {
    const int backwards = round % 2, is_signed = round / 2 % 2, far = round / 4 % 3;
    for (int i = 0; i < 2 * LENGTH; i++) {
      const uint64_t random = (uint64_t)(run_uniform() * 0x1p24) << 40 |
                              (uint64_t)(run_uniform() * 0x1p24) << 16 | (uint64_t)i;
      const uint64_t base = is_signed && far == 1 ? (uint64_t)INT64_MIN : (uint64_t)1 << 62;
      x[i] = far == 2 ? random : base + random % 1000;
    }
    fc_series series = run_series((const double *)(const void *)x, 2, 1, LENGTH);
    series.element = is_signed ? FC_INT64 : FC_UINT64;
    if (backwards) series.data += (LENGTH - 1) * 8, series.step = -8;
    const int64_t dimension = 1 + round / 12 * 2;
    fc_field_spec spec = spec_of(FC_FLOAT64, LENGTH, dimension, 3, FC_THRESHOLD_NONE, 0);
    CHECK_CONTEXT("round %d", round);
    run_compare(&spec, &series, ref_image, 0, FC_STORE_CACHED, 1);
    spec.recurrence.limit = FC_THRESHOLD_POINT;
    spec.recurrence.threshold = 0.3;
    run_compare(&spec, &series, ref_image, 0, FC_STORE_CACHED, 1);
  }
}

static void test_threads_and_bands(void) {
  enum { LARGE = 1100, MANY = 300 };
  double *x = new_series(MANY * 40, 0);
  fc_field_spec spec = spec_of(FC_FLOAT32, LARGE, 2, 3, FC_THRESHOLD_NONE, 0);
  CHECK_CONTEXT("bands");
  compare(&spec, x, 1, 2, LARGE, 0, FC_STORE_AUTO, 3);
  spec = spec_of(FC_UINT8, 40, 2, 1, FC_THRESHOLD_POINT, 0.1);
  for (int threads = 1; threads <= 4; threads++) {
    CHECK_CONTEXT("%d threads", threads);
    compare(&spec, x, MANY, 1, 40, 0, FC_STORE_STREAMING, threads);
  }
  free(x);
}

static void test_contradictions(void) {
  static double x[16], out[256];
  const int64_t start[1] = {0}, end[1] = {8};
  const fc_field_job whole = {
      .series = run_series(x, 1, 1, 8), .out = (uint8_t *)out, .out_sample = 512, .plane = 512};
  const fc_field_spec sound = spec_of(FC_FLOAT64, 8, 3, 2, FC_THRESHOLD_NONE, 0);
#define STATUS(CHANGE, STATUS_)                    \
  do {                                             \
    fc_field_spec spec = sound;                    \
    fc_field_job job = whole;                      \
    fc_recurrence_spec *r = &spec.recurrence;      \
    (void)r;                                       \
    job.spec = &spec;                              \
    CHANGE;                                        \
    CHECK_CONTEXT("%s", #CHANGE);                  \
    CHECK_INT(fc_field_start(&job), FC_##STATUS_); \
  } while (0)
  STATUS(r->limit = FC_THRESHOLD_NONE, OK);
  STATUS(spec.size = 5, E_ARGUMENT);
  STATUS(spec.size = 8, E_ARGUMENT);
  STATUS(r->dimension = 0, E_ARGUMENT);
  STATUS(r->dimension = INT64_MAX, E_ARGUMENT);
  STATUS(r->delay = 0, E_ARGUMENT);
  STATUS(r->delay = INT64_MAX, E_ARGUMENT);
  STATUS((spec.start = start, spec.end = end, spec.size = 1), E_ARGUMENT);
  STATUS(spec.element = FC_UINT8, E_ARGUMENT);
  STATUS(r->limit = -1, E_ARGUMENT);
  STATUS(r->limit = 4, E_ARGUMENT);
  STATUS(r->limit = FC_THRESHOLD_VALUE, E_ARGUMENT);
  STATUS((r->limit = FC_THRESHOLD_VALUE, r->threshold = NAN), E_ARGUMENT);
  STATUS((r->limit = FC_THRESHOLD_VALUE, r->threshold = INFINITY), OK);
  STATUS((r->limit = FC_THRESHOLD_POINT, r->threshold = 1.1), E_ARGUMENT);
  STATUS((r->limit = FC_THRESHOLD_POINT, r->threshold = NAN), E_ARGUMENT);
  STATUS((r->limit = FC_THRESHOLD_DISTANCE, r->threshold = -0.1), E_ARGUMENT);
  STATUS((r->limit = FC_THRESHOLD_DISTANCE, r->threshold = 1, spec.element = FC_UINT8), OK);
}

int main(void) {
  test_sizes_and_places();
  test_odd_places();
  test_percentiles();
  test_strict_thresholds();
  test_awkward_values();
  test_wide_integers();
  test_threads_and_bands();
  test_contradictions();
  return check_result();
}
