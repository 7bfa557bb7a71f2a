/* test_mtf.c: Markov transition fields against the definition, bit for bit: every type, size,
 * place, strategy and number of threads; series with equal values; contradictions. */
#include "field_runs.h"

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Where the bins of a series end, as pyts has it, of values that may have been made smaller. */
static int32_t ref_edges(const fc_field_spec *spec, const double *x, int64_t n, double times,
                         double *edges) {
  const int32_t count = spec->mtf.bins - 1;
  double *sorted = check_alloc((size_t)n * sizeof *sorted);
  memcpy(sorted, x, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  int32_t kept = 0;
  for (int32_t k = 0; k < count; k++) {
    if (spec->mtf.strategy == FC_MTF_FIXED) {
      edges[k] = spec->mtf.point[k] * times;
    } else if (spec->mtf.strategy == FC_MTF_UNIFORM) {
      edges[k] = sorted[0] + (k + 1) * ((sorted[n - 1] - sorted[0]) / spec->mtf.bins);
    } else {
      const double at = (double)(n - 1) * spec->mtf.point[k], share = at - floor(at);
      const double low = sorted[(int64_t)at],
                   high = (int64_t)at + 1 < n ? sorted[(int64_t)at + 1] : low;
      edges[k] = share >= 0.5 ? high - (high - low) * (1 - share) : low + (high - low) * share;
    }
  }
  free(sorted);
  if (spec->mtf.strategy != FC_MTF_QUANTILE) return count;
  for (int32_t k = 0; k < count; k++)
    if (k + 1 == count || edges[k + 1] - edges[k] > 1e-8 * times) edges[kept++] = edges[k];
  return kept;
}

/* A mean of means is the mean of all, but for rounding: what C adds up in another order is checked
 * against the plain sum as well. */
static void ref_image(const fc_field_spec *spec, const fc_series *series, const uint8_t *at,
                      uint8_t *image) {
  const int64_t n = series->length, m = spec->size;
  const int32_t bins = spec->mtf.bins;
  double *x = check_alloc((size_t)n * sizeof *x);
  memcpy(x, at, (size_t)n * sizeof *x);
  double largest = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(x[i]));
  const double times = largest > 0x1p900 ? 0x1p-200 : 1;
  for (int64_t i = 0; i < n; i++) x[i] *= times;
  double *edges = check_alloc((size_t)bins * sizeof *edges);
  const int32_t kept = ref_edges(spec, x, n, times, edges);
  int32_t *bin = check_alloc((size_t)n * sizeof *bin);
  double *share = check_alloc((size_t)bins * (size_t)bins * sizeof *share);
  for (int64_t i = 0; i < n; i++)
    for (int32_t k = 0; k < kept; k++) bin[i] += edges[k] < x[i];
  for (int64_t i = 0; i + 1 < n; i++) share[bin[i] * bins + bin[i + 1]] += 1;
  for (int32_t k = 0; k < bins; k++) {
    double sum = 0;
    for (int32_t l = 0; l < bins; l++) sum += share[k * bins + l];
    for (int32_t l = 0; l < bins && sum > 0; l++) share[k * bins + l] /= sum;
  }
  double worst = 0;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < m; j++) {
      const int64_t top = spec->start ? spec->start[i] : i, left = spec->start ? spec->start[j] : j;
      const int64_t bottom = spec->start ? spec->end[i] : i + 1;
      const int64_t right = spec->start ? spec->end[j] : j + 1;
      double sum = 0, plain = 0;
      for (int64_t r = top; r < bottom; r++) {
        double row = 0;
        for (int64_t c = left; c < right; c++) row += share[bin[r] * bins + bin[c]];
        sum += row * (1 / (double)(right - left));
        plain += row;
      }
      const double scale = (spec->out_high - spec->out_low) / (double)(bottom - top);
      const double value = sum * scale + spec->out_low;
      plain /= (double)((bottom - top) * (right - left));
      worst = fmax(worst, fabs(value - (spec->out_low + plain * (spec->out_high - spec->out_low))));
      image += run_put(spec->element, ref_clip(value, spec->out_low, spec->out_high), image);
    }
  CHECK(worst <= 1e-13 * fmax(fabs(spec->out_low), fabs(spec->out_high)));
  free(x);
  free(edges);
  free(bin);
  free(share);
}

enum { MOST = 1200 };
static double quantiles[MOST], fixed[MOST];
static int64_t starts[MOST], ends[MOST];

static fc_field_spec spec_of(int element, int64_t size, int32_t bins, int strategy) {
  for (int32_t k = 0; k + 1 < bins; k++) {
    quantiles[k] = (double)(k + 1) * (100.0 / bins) / 100;
    fixed[k] = ((k + 1) / (double)bins - 0.5) * 6;
  }
  fc_field_spec spec = {
      .kind = FC_MTF, .element = element, .size = size, .out_high = run_top(element)};
  spec.mtf.bins = bins;
  spec.mtf.strategy = strategy;
  if (strategy != FC_MTF_UNIFORM) spec.mtf.point = strategy == FC_MTF_FIXED ? fixed : quantiles;
  return spec;
}

/* `size` segments of a series, of different lengths, some of which overlap. */
static void set_segments(fc_field_spec *spec, int64_t length) {
  for (int64_t k = 0; k < spec->size; k++) {
    starts[k] = k * length / spec->size;
    ends[k] = (k + 1) * length / spec->size + (k % 3 == 0);
    if (ends[k] > length) ends[k] = length;
  }
  spec->start = starts;
  spec->end = ends;
}

/* Of any kind: random walks, whole numbers with many that are equal, one value only. */
static double *new_series(int64_t count, int kind) {
  double *x = check_alloc((size_t)count * sizeof *x), walk = 0;
  for (int64_t i = 0; i < count; i++) {
    walk += run_uniform() - 0.5;
    x[i] = kind == 0 ? walk : kind == 1 ? floor(run_uniform() * 4) : 2.5;
  }
  return x;
}

static void compare(const fc_field_spec *spec, const double *x, int64_t samples, int64_t channels,
                    int64_t length, size_t shift, int store, int threads) {
  const fc_series series = run_series(x, samples, channels, length);
  run_compare(spec, &series, ref_image, shift, store, threads);
}

static void test_sizes_and_places(void) {
  static const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65};
  for (size_t e = 0; e < RUN_ELEMENTS; e++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      const int64_t n = sizes[k];
      const size_t pixel = fc_element_size(run_elements[e]);
      for (int round = 0; round < 12; round++) {
        const int store = round % 2 ? FC_STORE_STREAMING : FC_STORE_CACHED;
        static const int32_t bins[] = {2, 3, 8, 25, 40, 100};
        fc_field_spec spec = spec_of(run_elements[e], n, bins[round % 6], (round + (int)k) % 3);
        double *x = new_series(4 * n, round % 5 == 0 ? 2 : round % 2);
        if (round >= 4 && n > 2) {
          spec.size = n / 2 + (round % 3 == 0);
          set_segments(&spec, n);
        }
        CHECK_CONTEXT("element %d size %d of %d round %d", run_elements[e], (int)spec.size, (int)n,
                      round);
        compare(&spec, x, 2, 2, n, (size_t)(round / 4) * 5 * pixel % 64, store, 1);
        free(x);
      }
    }
}

/* Pixels that are aligned to nothing. */
static void test_odd_places(void) {
  double *x = new_series(3 * 48, 0);
  for (int store = FC_STORE_CACHED; store <= FC_STORE_STREAMING; store++) {
    fc_field_spec spec = spec_of(FC_FLOAT32, 48, 8, FC_MTF_QUANTILE);
    CHECK_CONTEXT("store %d", store);
    compare(&spec, x, 3, 1, 48, 1, store, 1);
    spec.size = 16;
    set_segments(&spec, 48);
    compare(&spec, x, 3, 1, 48, 3, store, 1);
  }
  free(x);
}

static void test_ranges(void) {
  static const double ranges[][2] = {{-1, 1}, {3, 3.5}, {0, 200}, {-7, -2}};
  double *x = new_series(2 * 50, 0);
  for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
    for (size_t e = 0; e < RUN_ELEMENTS; e++) {
      fc_field_spec spec = spec_of(run_elements[e], 20, 5, FC_MTF_QUANTILE);
      if (run_is_whole(run_elements[e]) && ranges[k][0] < 0) continue;
      spec.out_low = ranges[k][0], spec.out_high = ranges[k][1];
      set_segments(&spec, 50);
      CHECK_CONTEXT("range %d element %d", (int)k, run_elements[e]);
      compare(&spec, x, 2, 1, 50, 0, FC_STORE_CACHED, 1);
    }
  free(x);
}

/* Different rows that are too many to be kept. */
static void test_many_bins(void) {
  enum { LENGTH = 700 };
  double *x = new_series(LENGTH, 0);
  for (int strategy = 0; strategy < 3; strategy++) {
    fc_field_spec spec = spec_of(FC_FLOAT32, LENGTH, MOST, strategy);
    CHECK_CONTEXT("strategy %d", strategy);
    compare(&spec, x, 1, 1, LENGTH, 0, FC_STORE_STREAMING, 2);
    spec.size = 300;
    set_segments(&spec, LENGTH);
    compare(&spec, x, 1, 1, LENGTH, 0, FC_STORE_CACHED, 1);
  }
  free(x);
}

static void test_awkward_values(void) {
  static const double base[] = {0, -0.0, 1e-9, 1e16, -1e-300, 1.7e308, 1e12};
  static const double span[] = {0, 1e-320, 3e-9, 1, 1e5, 1.7e308};
  enum { LENGTH = 45 };
  double x[2 * LENGTH];
  for (size_t b = 0; b < sizeof base / sizeof *base; b++)
    for (size_t s = 0; s < sizeof span / sizeof *span; s++)
      for (int strategy = 0; strategy < 3; strategy++) {
        for (int i = 0; i < 2 * LENGTH; i++) {
          x[i] = base[b] + (run_uniform() - 0.5) * span[s];
          if (i % 4 == 0) x[i] = base[b];
          if (!isfinite(x[i])) x[i] = DBL_MAX;
          if (span[s] > 1e300 && i % 2) x[i] = -x[i];
        }
        fc_field_spec spec = spec_of(FC_FLOAT64, LENGTH, 6, strategy);
        CHECK_CONTEXT("base %g span %g strategy %d", base[b], span[s], strategy);
        compare(&spec, x, 2, 1, LENGTH, 0, FC_STORE_CACHED, 1);
      }
}

/* One image in several bands, and many images among threads. */
static void test_threads_and_bands(void) {
  enum { LARGE = 1100, MANY = 300 };
  double *x = new_series(MANY * 40, 0);
  fc_field_spec spec = spec_of(FC_FLOAT32, LARGE, 8, FC_MTF_QUANTILE);
  CHECK_CONTEXT("bands");
  compare(&spec, x, 1, 2, LARGE, 0, FC_STORE_AUTO, 3);
  spec = spec_of(FC_UINT8, 13, 8, FC_MTF_QUANTILE);
  set_segments(&spec, 40);
  for (int threads = 1; threads <= 4; threads++) {
    CHECK_CONTEXT("%d threads", threads);
    compare(&spec, x, MANY, 1, 40, 0, FC_STORE_STREAMING, threads);
  }
  free(x);
}

/* Which series have fewer bins than were asked for. */
static void test_merged(void) {
  enum { LENGTH = 16 };
  static float out[4 * LENGTH * LENGTH];
  double x[4 * LENGTH];
  for (int i = 0; i < 4 * LENGTH; i++) x[i] = i / LENGTH == 1 ? i % LENGTH / 12 : i % LENGTH * 0.25;
  for (int i = 3 * LENGTH; i < 4 * LENGTH; i++) x[i] = i * 1e-9;
  for (int strategy = 0; strategy < 3; strategy++) {
    uint8_t merged[4] = {0};
    fc_field_spec spec = spec_of(FC_FLOAT32, LENGTH, 4, strategy);
    fc_field_job job = {.series = run_series(x, 2, 2, LENGTH),
                        .spec = &spec,
                        .out = (uint8_t *)out,
                        .out_sample = sizeof out / 2,
                        .plane = sizeof out / 4,
                        .merged = merged};
    CHECK_INT(fc_field_start(&job), FC_OK);
    run_on(&job, 2);
    for (int k = 0; k < 4; k++) {
      CHECK_CONTEXT("strategy %d series %d", strategy, k);
      CHECK_INT(merged[k], strategy == FC_MTF_QUANTILE && k % 2 == 1);
    }
  }
}

static void test_contradictions(void) {
  static double x[16], out[256];
  double point[3] = {0.25, 0.5, 0.75};
  const fc_field_job whole = {
      .series = run_series(x, 1, 1, 8), .out = (uint8_t *)out, .out_sample = 512, .plane = 512};
  fc_field_spec sound = spec_of(FC_FLOAT64, 8, 4, FC_MTF_QUANTILE);
  sound.mtf.point = point;
#define STATUS(CHANGE, STATUS_)                    \
  do {                                             \
    fc_field_spec spec = sound;                    \
    fc_field_job job = whole;                      \
    point[0] = 0.25, point[1] = 0.5;               \
    job.spec = &spec;                              \
    CHANGE;                                        \
    CHECK_CONTEXT("%s", #CHANGE);                  \
    CHECK_INT(fc_field_start(&job), FC_##STATUS_); \
  } while (0)
  STATUS(spec.mtf.bins = 4, OK);
  STATUS(spec.mtf.bins = 1, E_ARGUMENT);
  STATUS(spec.mtf.bins = -1, E_ARGUMENT);
  STATUS(spec.mtf.strategy = -1, E_ARGUMENT);
  STATUS(spec.mtf.strategy = 3, E_ARGUMENT);
  STATUS(spec.mtf.point = NULL, E_ARGUMENT);
  STATUS(spec.size = 7, E_ARGUMENT);
  STATUS(point[0] = 0, E_ARGUMENT);
  STATUS(point[0] = 0.6, E_ARGUMENT);
  STATUS(point[1] = NAN, E_ARGUMENT);
  STATUS((point[0] = -3, spec.mtf.strategy = FC_MTF_FIXED), OK);
  STATUS((point[0] = -INFINITY, spec.mtf.strategy = FC_MTF_FIXED), E_ARGUMENT);
  STATUS((spec.mtf.point = NULL, spec.mtf.strategy = FC_MTF_UNIFORM), OK);
}

int main(void) {
  test_sizes_and_places();
  test_odd_places();
  test_ranges();
  test_many_bins();
  test_awkward_values();
  test_threads_and_bands();
  test_merged();
  test_contradictions();
  return check_result();
}
