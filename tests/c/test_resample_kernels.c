/* test_resample_kernels.c: every instruction set that this processor has gives the scalar code's
 * bytes, for axes of every kind. */
#include <string.h>

#include "check.h"
#include "resample.h"

static uint32_t random_state = 99;

static int between(int low, int high) {
  random_state = random_state * 1664525u + 1013904223u;
  return low + (int)((random_state >> 8) % (uint32_t)(high - low + 1));
}

static uint8_t random_byte(void) {
  const int value = between(-60, 315); /* the ends of the range more often than the rest */
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

#define ROWS 8
#define ALIGN 64

/* An axis planned as the sink does it, its memory in one piece. */
typedef struct planned {
  fc_across across;
  uint8_t *memory;
} planned;

static double *carve(fc_across *across, const fc_span *span, int filter, const fc_kernels *kernels,
                     fc_carver *carver) {
  const size_t taps = (size_t)fc_axis_taps(span, filter);
  fc_axis_carve(&across->axis, span, filter, carver);
  const int channels = across->channels ? across->channels : 1;
  across->packed = fc_carve(carver, kernels->packed_bytes((size_t)span->count, taps, channels), 1);
  return fc_carve(carver, fc_axis_work(span, filter), 1);
}

static planned plan(const fc_span *span, int filter, int channels, const fc_kernels *kernels) {
  planned p = {.across = {.channels = channels}};
  fc_carver counter = {0};
  carve(&p.across, span, filter, kernels, &counter);
  p.memory = check_alloc(counter.used + ALIGN);
  fc_carver carver = {p.memory + ALIGN - (uintptr_t)p.memory % ALIGN, 0};
  double *work = carve(&p.across, span, filter, kernels, &carver);
  const fc_image_spec spec = {.channels = channels, .filter = filter};
  fc_axis_plan(&p.across.axis, span, &spec, channels, work);
  if (channels) kernels->pack(&p.across);
  return p;
}

static int passes_seen[4];

static void check_across(const fc_kernels *kernels, const fc_span *span, int filter, int channels) {
  planned expected = plan(span, filter, channels, &fc_kernels_scalar);
  planned actual = plan(span, filter, channels, kernels);
  const fc_axis *axis = &expected.across.axis;
  const size_t in = (size_t)(axis->hi - axis->lo) * (size_t)channels;
  const size_t out = (size_t)axis->count * (size_t)channels;
  const size_t room = FC_ROUND_UP(out, 32) + 32;
  uint8_t *source = check_alloc((in + FC_ROW_SLACK) * ROWS);
  uint8_t *results = check_alloc(room * ROWS * 2);
  const uint8_t *rows[ROWS];
  uint8_t *a[ROWS], *b[ROWS];
  for (size_t i = 0; i < (in + FC_ROW_SLACK) * ROWS; i++) source[i] = random_byte();
  for (size_t i = 0; i < ROWS; i++) {
    rows[i] = source + i * (in + FC_ROW_SLACK);
    a[i] = results + i * room;
    b[i] = results + (ROWS + i) * room;
  }
  const int count = between(1, ROWS);
  fc_kernels_scalar.across(&expected.across, rows, a, count);
  kernels->across(&actual.across, rows, b, count);
  CHECK_CONTEXT("across: filter %d, %d channels, %d to %d, %d of it from %d", filter, channels,
                span->in, span->size, span->count, span->first);
  for (int i = 0; i < count; i++) CHECK(memcmp(a[i], b[i], out) == 0);
  passes_seen[axis->pass]++;
  free(source);
  free(results);
  free(expected.memory);
  free(actual.memory);
}

static void check_down(const fc_kernels *kernels, const fc_span *span, int filter, size_t bytes) {
  planned p = plan(span, filter, 0, kernels);
  const fc_axis *axis = &p.across.axis;
  const size_t pitch = FC_ROUND_UP(bytes, 32) + FC_ROW_SLACK, taps = (size_t)axis->taps;
  uint8_t *source = check_alloc(pitch * taps);
  uint8_t *a = check_alloc(bytes), *b = check_alloc(bytes);
  const uint8_t **rows = check_alloc(taps * sizeof *rows);
  for (size_t i = 0; i < pitch * taps; i++) source[i] = random_byte();
  for (size_t i = 0; i < taps; i++) rows[i] = source + i * pitch;
  const int32_t position = between(0, axis->count - 1);
  fc_kernels_scalar.down(axis, position, rows, a, bytes);
  kernels->down(axis, position, rows, b, bytes);
  CHECK_CONTEXT("down: filter %d, %d to %d, %zu bytes", filter, span->in, span->size, bytes);
  CHECK(memcmp(a, b, bytes) == 0);
  passes_seen[axis->pass]++;
  free(source);
  free(a);
  free(b);
  free(rows);
  free(p.memory);
}

static fc_span random_span(int most) {
  fc_span span = {.in = between(1, most), .size = between(1, most)};
  if (between(0, 1)) span.size = span.in * 100 / between(40, 180) + 1;
  if (span.size == span.in) span.size++; /* equal sizes have no weights */
  span.length = span.in;
  if (span.in > span.size + 2 && between(0, 1)) { /* as where a JPEG is decoded at a scale */
    span.offset = between(0, 3) / 4.0;
    span.length -= span.offset + between(0, 3) / 4.0;
  }
  span.first = between(0, 3) ? 0 : between(0, span.size - 1);
  span.count = between(0, 3) ? span.size - span.first : between(1, span.size - span.first);
  return span;
}

static void check_kernels(const fc_kernels *kernels) {
  static const int channel_counts[] = {1, 3, 4};
  for (int i = 0; i < 6000; i++) {
    const int most = i % 20 ? 60 : 1500;
    const int filter = between(FC_BOX, FC_LANCZOS);
    fc_span span = random_span(most);
    check_across(kernels, &span, filter, channel_counts[i % 3]);
    span = random_span(most);
    check_down(kernels, &span, filter, (size_t)between(1, most * 2));
  }
  /* More weights than a row of tables in the first cache holds. */
  const fc_span long_span = {.in = 65535, .size = 2, .count = 2, .length = 65535};
  for (int i = 0; i < 3; i++) check_across(kernels, &long_span, FC_LANCZOS, channel_counts[i]);
  check_down(kernels, &long_span, FC_LANCZOS, 100);
}

int main(void) {
  /* The scalar code against itself where there is nothing else: its own harness at least runs. */
  const fc_kernels *kernels[4] = {&fc_kernels_scalar};
  int count = 1;
#ifdef __x86_64__
  count = 0;
  if (__builtin_cpu_supports("avx2")) kernels[count++] = &fc_kernels_avx2;
  if (__builtin_cpu_supports("avx512bw")) kernels[count++] = &fc_kernels_avx512;
  if (__builtin_cpu_supports("avx512vbmi")) kernels[count++] = &fc_kernels_avx512_vbmi;
#endif
  printf("%d against scalar\n", count);
  for (int i = 0; i < count; i++) check_kernels(kernels[i]);
  CHECK(!count || (passes_seen[FC_PASS_HIGH] > 1000 && passes_seen[FC_PASS_SUM] > 1000));
  return check_result();
}
