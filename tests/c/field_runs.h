/* field_runs.h: field jobs run in guarded memory, and their images compared with a reference that
 * makes one image at a time. */
#ifndef FC_TEST_FIELD_RUNS_H
#define FC_TEST_FIELD_RUNS_H

#include <pthread.h>

#include "field_reference.h"

enum { RUN_GUARD = 0xa5, RUN_MARGIN = 128 };

static const int32_t run_elements[] = {FC_FLOAT64,  FC_FLOAT32, FC_FLOAT16,
                                       FC_BFLOAT16, FC_UINT16,  FC_UINT8};
enum { RUN_ELEMENTS = sizeof run_elements / sizeof *run_elements };

static inline int run_is_whole(int element) {
  return element == FC_UINT8 || element == FC_UINT16;
}

/* The whole range of a type, [0, 1] for floating point. */
static inline double run_top(int element) {
  return element == FC_UINT8 ? 255 : element == FC_UINT16 ? 65535 : 1;
}

static uint32_t run_seed = 11;

static inline double run_uniform(void) {
  run_seed = run_seed * 1664525u + 1013904223u;
  return (double)(run_seed >> 8) / (1 << 24);
}

/* The image of one series, from the definition. */
typedef void (*run_reference)(const fc_field_spec *spec, const fc_series *series, const uint8_t *at,
                              uint8_t *image);

/* A float as the bytes of its type; a double, for images of doubles. */
static inline size_t run_put(int element, double value, uint8_t *bytes) {
  const float narrow = (float)value;
  const size_t size = fc_element_size(element);
  uint16_t two = 0;
  if (element == FC_FLOAT64) memcpy(bytes, &value, size);
  if (element == FC_FLOAT32) memcpy(bytes, &narrow, size);
  if (element == FC_UINT8) bytes[0] = (uint8_t)nearbyintf(narrow);
  if (element == FC_UINT16) two = (uint16_t)nearbyintf(narrow);
  if (element == FC_FLOAT16 && fabsf(narrow) >= 65520)
    two = 0x7c00;
  else if (element == FC_BFLOAT16 && isinf(narrow))
    two = 0x7f80;
  else if (element == FC_FLOAT16 || element == FC_BFLOAT16)
    two = ref_short_float(narrow, element);
  if (size == 2) memcpy(bytes, &two, size);
  return size;
}

static inline fc_series run_series(const double *x, int64_t samples, int64_t channels,
                                   int64_t length) {
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

static void *run_enter(void *job) {
  return (void *)(intptr_t)fc_field_run(job);
}

static inline void run_on(fc_field_job *job, int threads) {
  pthread_t started[4];
  for (int k = 0; k < threads; k++) pthread_create(&started[k], NULL, run_enter, job);
  for (int k = 0; k < threads; k++) {
    void *status;
    pthread_join(started[k], &status);
    CHECK_INT((intptr_t)status, FC_OK);
  }
}

/* Make the images `shift` bytes behind a cache line and compare all of them, bit for bit. */
static inline void run_compare(const fc_field_spec *spec, const fc_series *series,
                               run_reference reference, size_t shift, int store, int threads) {
  const size_t image = (size_t)(spec->size * spec->size) * fc_element_size(spec->element);
  const size_t size = image * (size_t)(series->samples * series->channels);
  uint8_t *memory = check_alloc(size + 3 * RUN_MARGIN), *wanted = check_alloc(image);
  memset(memory, RUN_GUARD, size + 3 * RUN_MARGIN);
  uint8_t *first = memory + (RUN_MARGIN - (uintptr_t)memory % 64) + shift;
  fc_field_job job = {.series = *series,
                      .spec = spec,
                      .out = first,
                      .out_sample = (int64_t)image * series->channels,
                      .plane = (int64_t)image,
                      .store = store};
  CHECK_INT(fc_field_start(&job), FC_OK);
  run_on(&job, threads);
  CHECK_INT(atomic_load(&job.cursor.done), job.cursor.count);
  long wrong = 0, over = 0;
  for (const uint8_t *at = memory; at < memory + size + 3 * RUN_MARGIN; at++)
    over += (at < first || at >= first + size) && *at != RUN_GUARD;
  for (int64_t k = 0; k < series->samples * series->channels; k++) {
    const uint8_t *at = series->data + k / series->channels * series->sample +
                        k % series->channels * series->channel;
    reference(spec, series, at, wanted);
    wrong += memcmp(wanted, first + (size_t)k * image, image) != 0;
  }
  CHECK_INT(wrong, 0);
  CHECK_INT(over, 0);
  free(memory);
  free(wanted);
}

#endif
