/* fuzz_field.c: libFuzzer target for fields of series.
 *
 * The end of the input chooses types, shapes, steps and places; its beginning is repeated as the
 * memory that the series lie in.  Nothing outside the images may be written, and what is written
 * must not depend on how it is stored or on how many series a job has. */
#include <math.h>

#include "fuzz_choice.h"

#include "fastcache_fields.h"

enum { GUARD = 0x55, MOST = 80 };

/* Series anywhere in memory that ends where the last value does. */
static uint8_t *make_memory(const uint8_t *data, size_t size, fc_series *series,
                            fuzz_choice *choice) {
  const int64_t bytes = (int64_t)fc_element_size(series->element);
  const int64_t step = bytes + fuzz_pick(choice, 0, 5);
  const int64_t channel = series->length * step + fuzz_pick(choice, 0, 9);
  const int64_t sample = series->channels * channel + fuzz_pick(choice, 0, 9);
  const int64_t used = (series->samples - 1) * sample + (series->channels - 1) * channel +
                       (series->length - 1) * step + bytes;
  uint8_t *memory = fuzz_alloc((size_t)used);
  for (int64_t done = 0; done < used; done += (int64_t)size)
    memcpy(memory + done, data,
           (size_t)(used - done < (int64_t)size ? used - done : (int64_t)size));
  series->data = memory;
  series->sample = sample;
  series->channel = channel;
  series->step = step;
  if (fuzz_pick(choice, 0, 1)) { /* backwards */
    series->data += (series->length - 1) * step;
    series->step = -step;
  }
  return memory;
}

static void check_wild_spec(const uint8_t *data, size_t size) {
  fc_field_spec spec = {0};
  fc_field_job job = {.spec = &spec};
  uint8_t bytes[sizeof spec];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = data[i % size];
  memcpy(&spec, bytes, sizeof spec);
  spec.start = NULL;
  for (size_t i = 0; i < sizeof job.series; i++)
    ((uint8_t *)&job.series)[i] = data[(i + sizeof spec) % size];
  const fc_status status = fc_field_start(&job);
  FUZZ_CHECK(status == FC_OK || status == FC_E_ARGUMENT);
  if (status == FC_OK) FUZZ_CHECK(fc_field_scratch(&spec, job.series.length) > 0);
}

static fc_field_spec pick_spec(fuzz_choice *choice, int64_t length, int64_t *start, int64_t *end) {
  fc_field_spec spec = {.kind = fuzz_pick(choice, 0, FC_GAF_BOTH),
                        .element = fuzz_pick(choice, FC_FLOAT64, FC_UINT16),
                        .size = length,
                        .scaled = fuzz_pick(choice, 0, 3) != 3,
                        .low = -1,
                        .high = 1,
                        .out_low = -1,
                        .out_high = 1};
  if (fuzz_pick(choice, 0, 1)) spec.low = -1 + fuzz_pick(choice, 0, 99) / 100.0;
  if (fuzz_pick(choice, 0, 1)) spec.high = spec.low + (1 - spec.low) / fuzz_pick(choice, 1, 50);
  if (spec.element == FC_UINT8 || spec.element == FC_UINT16) {
    const int most = spec.element == FC_UINT8 ? 255 : 65535;
    spec.out_low = fuzz_pick(choice, 0, 100);
    spec.out_high = spec.out_low + fuzz_pick(choice, 1, most - (int)spec.out_low);
  }
  if (fuzz_pick(choice, 0, 1)) {
    spec.size = fuzz_pick(choice, 1, (int32_t)length);
    spec.start = start;
    spec.end = end;
    for (int64_t k = 0; k < spec.size; k++) {
      start[k] = fuzz_pick(choice, 0, (int32_t)length - 1);
      end[k] = fuzz_pick(choice, (int32_t)start[k] + 1, (int32_t)length);
    }
  }
  return spec;
}

/* Images begin `shift` bytes behind a boundary; the memory ends with the last one. */
static uint8_t *make_images(const fc_field_job *pattern, size_t bytes, size_t shift, int store,
                            fc_status *refused, int64_t *which) {
  uint8_t *memory = fuzz_alloc(shift + bytes);
  memset(memory, GUARD, shift + bytes);
  fc_field_job job = *pattern;
  job.out = memory + shift;
  job.store = store;
  FUZZ_CHECK(fc_field_start(&job) == FC_OK);
  FUZZ_CHECK(fc_field_run(&job) == FC_OK);
  for (size_t i = 0; i < shift; i++) FUZZ_CHECK(memory[i] == GUARD);
  *refused = fc_field_refused(&job, which);
  FUZZ_CHECK(*refused == FC_OK || *refused == FC_E_NOT_FINITE || *refused == FC_E_RANGE);
  return memory;
}

static void check_doubles(const uint8_t *images, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double value;
    memcpy(&value, images + i * sizeof value, sizeof value);
    FUZZ_CHECK(value >= -1 && value <= 1);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  fuzz_choice choice = {data, size};
  if (fuzz_pick(&choice, 0, 15) == 15) {
    check_wild_spec(data, size);
    return 0;
  }
  int32_t element = fuzz_pick(&choice, FC_FLOAT64, FC_ELEMENT_COUNT - 1);
  if (element == FC_BFLOAT16) element = FC_FLOAT64;
  fc_series series = {.samples = fuzz_pick(&choice, 1, 3),
                      .channels = fuzz_pick(&choice, 1, 3),
                      .length = fuzz_pick(&choice, 1, MOST),
                      .element = element};
  int64_t start[MOST], end[MOST];
  const fc_field_spec spec = pick_spec(&choice, series.length, start, end);
  uint8_t *memory = make_memory(data, size, &series, &choice);
  const size_t image = (size_t)(spec.size * spec.size) * fc_element_size(spec.element);
  const int64_t planes = series.channels * fc_field_images(spec.kind);
  const fc_field_job job = {.series = series,
                            .spec = &spec,
                            .out_sample = (int64_t)image * planes,
                            .plane = (int64_t)image};
  const size_t bytes = image * (size_t)(planes * series.samples);
  const size_t shift = (size_t)fuzz_pick(&choice, 0, 70), other = (size_t)fuzz_pick(&choice, 0, 70);
  fc_status refused, again;
  int64_t which = 0, same = 0;
  uint8_t *cached = make_images(&job, bytes, shift, FC_STORE_CACHED, &refused, &which);
  uint8_t *streamed = make_images(&job, bytes, other, FC_STORE_STREAMING, &again, &same);
  FUZZ_CHECK(refused == again && which == same);
  if (refused == FC_OK) {
    FUZZ_CHECK(memcmp(cached + shift, streamed + other, bytes) == 0);
    if (spec.element == FC_FLOAT64) check_doubles(cached + shift, bytes / sizeof(double));
  }
  free(streamed);
  free(cached);
  free(memory);
  return 0;
}
