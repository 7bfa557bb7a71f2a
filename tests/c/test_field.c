/* test_field.c: fields of series against the definition, bit for bit: every type, size, place and
 * way to store, any number of threads; and series that are refused. */
#include <pthread.h>

#include "field_reference.h"

enum { GUARD = 0xa5, MARGIN = 128 };
static uint32_t seed = 3;

static double uniform(void) {
  seed = seed * 1664525u + 1013904223u;
  return (double)(seed >> 8) / (1 << 24);
}

static const int32_t images[] = {FC_FLOAT64,  FC_FLOAT32, FC_FLOAT16,
                                 FC_BFLOAT16, FC_UINT16,  FC_UINT8};

static fc_field_spec spec_of(int kind, int element, int64_t size) {
  const int whole = element == FC_UINT8 || element == FC_UINT16;
  fc_field_spec spec = {.kind = kind,
                        .element = element,
                        .size = size,
                        .scaled = 1,
                        .low = -1,
                        .high = 1,
                        .out_low = whole ? 0 : -1,
                        .out_high = element == FC_UINT8 ? 255
                                    : whole             ? 65535
                                                        : 1};
  return spec;
}

/* Random series of doubles, channel after channel. */
static double *new_series(int64_t count) {
  double *x = check_alloc((size_t)count * sizeof *x);
  for (int64_t i = 0; i < count; i++) x[i] = uniform() * 6 - 2;
  return x;
}

static fc_series series_of(const double *x, int64_t samples, int64_t channels, int64_t length) {
  fc_series series = {.data = (const uint8_t *)x,
                      .sample = channels * length * 8,
                      .samples = samples,
                      .channels = channels,
                      .length = length,
                      .channel = length * 8,
                      .step = 8,
                      .element = FC_FLOAT64};
  return series;
}

typedef struct output {
  uint8_t *memory, *first;
  size_t size;
} output;

static output new_output(size_t size, size_t shift) {
  output out = {.size = size};
  out.memory = check_alloc(size + 2 * MARGIN + shift);
  memset(out.memory, GUARD, size + 2 * MARGIN + shift);
  out.first = out.memory + (MARGIN - (uintptr_t)out.memory % 64) + shift;
  return out;
}

static int guards_stand(const output *out, size_t shift) {
  for (const uint8_t *at = out->memory; at < out->first; at++)
    if (*at != GUARD) return 0;
  for (const uint8_t *at = out->first + out->size; at < out->memory + out->size + MARGIN + shift;
       at++)
    if (*at != GUARD) return 0;
  return 1;
}

static void *enter(void *job) {
  return (void *)(intptr_t)fc_field_run(job);
}

static void run_on(fc_field_job *job, int threads) {
  pthread_t started[4];
  for (int k = 0; k < threads; k++) pthread_create(&started[k], NULL, enter, job);
  for (int k = 0; k < threads; k++) {
    void *status;
    pthread_join(started[k], &status);
    CHECK_INT((intptr_t)status, FC_OK);
  }
}

/* Make images of samples x channels series `shift` bytes behind a cache line, and compare all. */
static void compare(const fc_field_spec *spec, const double *x, int64_t samples, int64_t channels,
                    int64_t length, size_t shift, int store, int threads) {
  const size_t pixel = fc_element_size(spec->element);
  const int kinds = fc_field_images(spec->kind);
  const size_t image = (size_t)(spec->size * spec->size) * pixel;
  output out = new_output(image * (size_t)(samples * channels * kinds), shift);
  fc_field_job job = {.series = series_of(x, samples, channels, length),
                      .spec = spec,
                      .out = out.first,
                      .out_sample = (int64_t)image * channels * kinds,
                      .plane = (int64_t)image,
                      .store = store};
  CHECK_INT(fc_field_start(&job), FC_OK);
  run_on(&job, threads);
  CHECK_INT(atomic_load(&job.cursor.done), job.cursor.count);
  CHECK(guards_stand(&out, shift));
  factors f = {check_alloc((size_t)spec->size * 8), check_alloc((size_t)spec->size * 8)};
  long wrong = 0;
  for (int64_t k = 0; k < samples * channels; k++) {
    CHECK_INT(ref_factors(spec, x + k * length, length, f), FC_OK);
    for (int which = 0; which < kinds; which++) {
      const int64_t plane = which * channels + k % channels;
      const uint8_t *at = out.first + (k / channels) * job.out_sample + plane * job.plane;
      const int difference = spec->kind == FC_GADF || which == 1;
      for (int64_t p = 0; p < spec->size * spec->size; p++) {
        uint8_t wanted[8];
        ref_pixel(spec, f, difference, p / spec->size, p % spec->size, wanted);
        wrong += memcmp(wanted, at + (size_t)p * pixel, pixel) != 0;
      }
    }
  }
  CHECK_INT(wrong, 0);
  free(f.cosine);
  free(f.sine);
  free(out.memory);
}

static void test_sizes_and_places(void) {
  static const int64_t sizes[] = {1,  2,  3,  5,  7,  8,  9,  15, 16, 17,
                                  31, 32, 33, 47, 63, 64, 65, 96, 97};
  for (size_t e = 0; e < sizeof images / sizeof *images; e++) {
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      const int64_t m = sizes[k];
      double *x = new_series(4 * m);
      const size_t pixel = fc_element_size(images[e]);
      for (size_t shift = 0; shift<64; shift += m> 33 ? 3 * pixel + pixel * 10 : pixel)
        for (int store = FC_STORE_CACHED; store <= FC_STORE_STREAMING; store++) {
          const int kind = (int)((shift / pixel + (size_t)store) % 3);
          fc_field_spec spec = spec_of(kind, images[e], m);
          CHECK_CONTEXT("element %d size %d shift %d store %d kind %d", images[e], (int)m,
                        (int)shift, store, kind);
          compare(&spec, x, 2, 2, m, shift, store, 1);
        }
      free(x);
    }
  }
}

/* Values that no pixel of the type is aligned to. */
static void test_odd_places(void) {
  double *x = new_series(3 * 41);
  for (int store = FC_STORE_CACHED; store <= FC_STORE_STREAMING; store++) {
    fc_field_spec spec = spec_of(FC_GAF_BOTH, FC_FLOAT32, 41);
    CHECK_CONTEXT("store %d", store);
    compare(&spec, x, 3, 1, 41, 1, store, 1);
    spec.element = FC_FLOAT64;
    compare(&spec, x, 3, 1, 41, 5, store, 1);
  }
  free(x);
}

static void test_ranges(void) {
  static const double ranges[][4] = {{-1, 1, 0, 1},      {0, 1, -1, 1},   {-0.5, 0.25, 3, 7},
                                     {0.2, 0.9, 0, 200}, {-1, 0, -2, -1}, {-1, 1, 0, 65504}};
  double *x = new_series(5 * 50);
  for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
    for (size_t e = 0; e < sizeof images / sizeof *images; e++) {
      fc_field_spec spec = spec_of(FC_GAF_BOTH, images[e], 50);
      const int whole = images[e] == FC_UINT8 || images[e] == FC_UINT16;
      if (whole && (ranges[k][2] < 0 || ranges[k][3] > spec.out_high)) continue;
      spec.low = ranges[k][0], spec.high = ranges[k][1];
      spec.out_low = ranges[k][2], spec.out_high = ranges[k][3];
      CHECK_CONTEXT("range %d element %d", (int)k, images[e]);
      compare(&spec, x, 5, 1, 50, 0, FC_STORE_CACHED, 1);
    }
  }
  free(x);
}

static void test_means(void) {
  enum { LENGTH = 30, SIZE = 22 };
  int64_t start[SIZE], end[SIZE];
  for (int k = 0; k < SIZE; k++) {
    start[k] = k * LENGTH / SIZE;
    end[k] = start[k] + 2 < LENGTH ? start[k] + 2 : LENGTH;
  }
  double *x = new_series(6 * LENGTH);
  for (int scaled = 0; scaled < 2; scaled++) {
    fc_field_spec spec = spec_of(FC_GAF_BOTH, FC_FLOAT64, SIZE);
    spec.start = start, spec.end = end, spec.scaled = scaled;
    if (!scaled)
      for (int i = 0; i < 6 * LENGTH; i++) x[i] = uniform() * 2 - 1;
    CHECK_CONTEXT("scaled %d", scaled);
    compare(&spec, x, 3, 2, LENGTH, 0, FC_STORE_CACHED, 1);
  }
  free(x);
}

/* Constant ones, nearly constant ones, large and tiny ones, and such with a large offset. */
static void test_awkward_values(void) {
  static const double base[] = {0, -0.0, 0.1, 1e16, -1e-300, 5e-324, 1.7e308, 1e12, 3e-16};
  static const double span[] = {0, 1e-320, 3e-16, 1, 1e5, 1.7e308};
  enum { LENGTH = 23 };
  double x[2 * LENGTH];
  int64_t start[7], end[7];
  for (int k = 0; k < 7; k++) start[k] = k * 3, end[k] = k * 3 + (k % 2 ? 4 : 3);
  for (size_t b = 0; b < sizeof base / sizeof *base; b++)
    for (size_t s = 0; s < sizeof span / sizeof *span; s++) {
      for (int i = 0; i < 2 * LENGTH; i++) {
        x[i] = base[b] + (uniform() - 0.5) * span[s];
        if (!isfinite(x[i])) x[i] = DBL_MAX;
      }
      CHECK_CONTEXT("base %g span %g", base[b], span[s]);
      fc_field_spec spec = spec_of(FC_GAF_BOTH, s % 2 ? FC_FLOAT32 : FC_FLOAT64, LENGTH);
      compare(&spec, x, 2, 1, LENGTH, 0, FC_STORE_CACHED, 1);
      spec.size = 7, spec.start = start, spec.end = end;
      compare(&spec, x, 2, 1, LENGTH, 0, FC_STORE_CACHED, 1);
    }
}

/* One image in several bands, and many images among threads. */
static void test_threads_and_bands(void) {
  enum { LARGE = 1100, MANY = 300 };
  double *x = new_series(MANY * 40);
  fc_field_spec spec = spec_of(FC_GAF_BOTH, FC_FLOAT32, LARGE);
  CHECK_CONTEXT("bands");
  compare(&spec, x, 1, 2, LARGE, 0, FC_STORE_AUTO, 3);
  spec = spec_of(FC_GASF, FC_UINT8, 40);
  for (int threads = 1; threads <= 4; threads++) {
    CHECK_CONTEXT("%d threads", threads);
    compare(&spec, x, MANY, 1, 40, 0, FC_STORE_STREAMING, threads);
  }
  free(x);
}

/* Series of every type, at odd addresses, with gaps between values, backwards. */
#define STORE_AS(TYPE)                         \
  do {                                         \
    const TYPE value = (TYPE)whole;            \
    memcpy(memory + at, &value, sizeof value); \
  } while (0)

static void store_value(uint8_t *memory, int64_t at, int element, int whole) {
  switch (element) {
    case FC_FLOAT64:
      STORE_AS(double);
      break;
    case FC_FLOAT32:
      STORE_AS(float);
      break;
    case FC_UINT8:
      STORE_AS(uint8_t);
      break;
    case FC_UINT16:
      STORE_AS(uint16_t);
      break;
    case FC_UINT32:
      STORE_AS(uint32_t);
      break;
    case FC_UINT64:
      STORE_AS(uint64_t);
      break;
    case FC_INT8:
      STORE_AS(int8_t);
      break;
    case FC_INT16:
      STORE_AS(int16_t);
      break;
    case FC_INT32:
      STORE_AS(int32_t);
      break;
    case FC_INT64:
      STORE_AS(int64_t);
      break;
    case FC_FLOAT16: {
      const uint16_t half = ref_short_float((float)whole, FC_FLOAT16);
      memcpy(memory + at, &half, sizeof half);
      break;
    }
  }
}

static void test_series_of_every_type(void) {
  enum { LENGTH = 37 };
  for (int element = 0; element < FC_ELEMENT_COUNT; element++) {
    if (element == FC_BFLOAT16) continue;
    const int64_t bytes = (int64_t)fc_element_size(element);
    const int64_t steps[] = {bytes, 3 * bytes, bytes + 1, -bytes, -2 * bytes - 1};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
      const int64_t step = steps[k], room = LENGTH * (step < 0 ? -step : step) + bytes;
      uint8_t *memory = check_alloc((size_t)room);
      const int64_t first = step < 0 ? room - bytes : 0;
      double x[LENGTH];
      for (int i = 0; i < LENGTH; i++) {
        const int whole = (int)(uniform() * 100);
        store_value(memory, first + i * step, element, whole);
        x[i] = whole;
      }
      fc_field_spec spec = spec_of(FC_GASF, FC_FLOAT64, LENGTH);
      double made[LENGTH * LENGTH], wanted[LENGTH * LENGTH];
      fc_field_job job = {.series = series_of(x, 1, 1, LENGTH),
                          .spec = &spec,
                          .out = (uint8_t *)wanted,
                          .out_sample = sizeof wanted,
                          .plane = sizeof wanted};
      fc_field_job same = job;
      same.out = (uint8_t *)made;
      same.series.data = memory + first;
      same.series.step = step;
      same.series.element = element;
      CHECK_CONTEXT("element %d step %d", element, (int)step);
      CHECK_INT(fc_field_start(&job), FC_OK);
      CHECK_INT(fc_field_run(&job), FC_OK);
      CHECK_INT(fc_field_start(&same), FC_OK);
      CHECK_INT(fc_field_run(&same), FC_OK);
      CHECK(memcmp(made, wanted, sizeof made) == 0);
      free(memory);
    }
  }
}

static void test_every_half(void) {
  const short_floats *halves = ref_short_floats(FC_FLOAT16);
  CHECK_INT(halves->count, 0x7c00);
  for (uint32_t bits = 0; bits < halves->count; bits++) {
    const uint16_t pair[2] = {(uint16_t)bits, (uint16_t)(bits | 0x8000)};
    const double number = halves->number[bits];
    double x[2] = {number, -number}, made[4], wanted[4];
    fc_field_spec spec = spec_of(FC_GASF, FC_FLOAT64, 2);
    spec.scaled = number > 1;
    fc_field_job job = {.series = series_of(x, 1, 1, 2),
                        .spec = &spec,
                        .out = (uint8_t *)wanted,
                        .out_sample = sizeof wanted,
                        .plane = sizeof wanted};
    fc_field_job same = job;
    same.out = (uint8_t *)made;
    same.series.data = (const uint8_t *)pair;
    same.series.step = 2;
    same.series.element = FC_FLOAT16;
    fc_field_start(&job);
    fc_field_run(&job);
    fc_field_start(&same);
    fc_field_run(&same);
    CHECK(memcmp(made, wanted, sizeof made) == 0);
  }
}

static void test_refusals(void) {
  enum { SAMPLES = 5, CHANNELS = 2, LENGTH = 19 };
  static const double bad[] = {NAN, INFINITY, -INFINITY, 1.5, -1.0000001};
  static float out[SAMPLES * CHANNELS * LENGTH * LENGTH];
  for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
    for (int64_t at = 0; at < SAMPLES * CHANNELS * LENGTH; at += 7) {
      double *x = new_series(SAMPLES * CHANNELS * LENGTH);
      for (int i = 0; i < SAMPLES * CHANNELS * LENGTH; i++) x[i] = uniform();
      x[at] = bad[b];
      fc_field_spec spec = spec_of(FC_GASF, FC_FLOAT32, LENGTH);
      spec.scaled = 0;
      fc_field_job job = {.series = series_of(x, SAMPLES, CHANNELS, LENGTH),
                          .spec = &spec,
                          .out = (uint8_t *)out,
                          .out_sample = sizeof out / SAMPLES,
                          .plane = sizeof out / SAMPLES / CHANNELS};
      CHECK_CONTEXT("value %g at %d", bad[b], (int)at);
      CHECK_INT(fc_field_start(&job), FC_OK);
      run_on(&job, 2);
      int64_t which = -1;
      CHECK_INT(fc_field_refused(&job, &which), b < 3 ? FC_E_NOT_FINITE : FC_E_RANGE);
      CHECK_INT(which, at / LENGTH);
      CHECK_INT(atomic_load(&job.cursor.failed), 1);
      free(x);
    }
}

static void test_contradictions(void) {
  static double x[16], out[256];
  const int64_t start[] = {0, 4}, end[] = {4, 8};
  const fc_field_spec sound = spec_of(FC_GASF, FC_FLOAT64, 8);
  const fc_field_job whole = {
      .series = series_of(x, 1, 1, 8), .out = (uint8_t *)out, .out_sample = 512, .plane = 512};
#define REFUSED(CHANGE)                                                   \
  do {                                                                    \
    fc_field_spec spec = sound;                                           \
    fc_field_job job = whole;                                             \
    int64_t starts[2] = {start[0], start[1]}, ends[2] = {end[0], end[1]}; \
    (void)starts, (void)ends;                                             \
    job.spec = &spec;                                                     \
    CHANGE;                                                               \
    CHECK_CONTEXT("%s", #CHANGE);                                         \
    CHECK_INT(fc_field_start(&job), FC_E_ARGUMENT);                       \
  } while (0)
  REFUSED(spec.kind = -1);
  REFUSED(spec.kind = FC_FIELD_KIND_COUNT);
  REFUSED(spec.element = FC_INT8);
  REFUSED(spec.element = -1);
  REFUSED(spec.element = FC_ELEMENT_COUNT);
  REFUSED(job.series.element = FC_BFLOAT16);
  REFUSED(job.series.element = FC_ELEMENT_COUNT);
  REFUSED(spec.size = 0);
  REFUSED(spec.size = 7);
  REFUSED(spec.size = 9);
  REFUSED(job.series.length = 0);
  REFUSED(job.series.samples = -1);
  REFUSED(job.series.channels = 0);
  REFUSED(job.store = 3);
  REFUSED(spec.low = -1.1);
  REFUSED(spec.high = 1.1);
  REFUSED(spec.low = 1);
  REFUSED(spec.low = NAN);
  REFUSED(spec.out_low = 1);
  REFUSED(spec.out_high = INFINITY);
  REFUSED(spec.out_high = NAN);
  REFUSED((spec.size = 2, spec.start = starts, spec.end = ends, starts[0] = -1));
  REFUSED((spec.size = 2, spec.start = starts, spec.end = ends, ends[1] = 9));
  REFUSED((spec.size = 2, spec.start = starts, spec.end = ends, starts[1] = 8));
  REFUSED(job.series.samples = INT64_MAX);
}

static void test_no_samples(void) {
  fc_field_spec spec = spec_of(FC_GASF, FC_FLOAT32, 4);
  fc_field_job job = {.series = series_of(NULL, 0, 3, 4), .spec = &spec};
  CHECK_INT(fc_field_start(&job), FC_OK);
  CHECK_INT(fc_field_run(&job), FC_OK);
  int64_t which;
  CHECK_INT(fc_field_refused(&job, &which), FC_OK);
}

int main(void) {
  test_sizes_and_places();
  test_odd_places();
  test_ranges();
  test_means();
  test_awkward_values();
  test_threads_and_bands();
  test_series_of_every_type();
  test_every_half();
  test_refusals();
  test_contradictions();
  test_no_samples();
  return check_result();
}
