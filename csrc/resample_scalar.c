/* resample_scalar.c: the two weighted passes in plain C, the definition of what every instruction
 * set computes; the one without weights; and which instruction set it is. */
#include <string.h>

#include "resample.h"

/* Columns that the down pass sums at a time: they stay in the first cache. */
#define COLUMNS 64

static inline uint8_t clip8(int32_t value) {
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* The high half of (value << 8) * weight. */
static inline uint32_t high_product(uint8_t value, uint16_t weight) {
  return ((uint32_t)value * weight) >> 8;
}

/* Unsigned, since sums may wrap on the way. */
static inline uint32_t product(uint8_t value, int16_t coarse, int16_t fine) {
  return (uint32_t)(((int32_t)coarse * (1 << FC_FINE_BITS) + fine) * value);
}

static inline uint8_t byte_of_sum(uint32_t sum) {
  return clip8((int32_t)sum >> FC_SUM_BITS);
}

#define SUM_START (1u << (FC_SUM_BITS - 1))

static void across_high(const fc_across *across, const uint8_t *row, uint8_t *out) {
  const fc_axis *axis = &across->axis;
  const int channels = across->channels;
  const uint16_t *weight = (const uint16_t *)axis->weight;
  for (int32_t i = 0; i < axis->count; i++, weight++) {
    const uint8_t *pixel = row + (size_t)axis->start[i] * (size_t)channels;
    for (int c = 0; c < channels; c++) {
      uint32_t sum = fc_high_start(axis->taps);
      for (int32_t tap = 0; tap < axis->taps; tap++)
        sum += high_product(pixel[tap * channels + c], weight[(size_t)tap * axis->pitch]);
      *out++ = (uint8_t)(sum >> 8);
    }
  }
}

static void across_sum(const fc_across *across, const uint8_t *row, uint8_t *out) {
  const fc_axis *axis = &across->axis;
  const size_t channels = (size_t)across->channels, taps = (size_t)axis->taps;
  const int16_t *weight = axis->weight, *fine = axis->fine;
  for (int32_t i = 0; i < axis->count; i++, weight += taps, fine += taps) {
    const uint8_t *pixel = row + (size_t)axis->start[i] * channels;
    for (size_t c = 0; c < channels; c++) {
      uint32_t sum = SUM_START;
      for (size_t tap = 0; tap < taps; tap++)
        sum += product(pixel[tap * channels + c], weight[tap], fine[tap]);
      *out++ = byte_of_sum(sum);
    }
  }
}

static size_t packed_bytes(size_t count, size_t taps, int channels) {
  (void)count, (void)taps, (void)channels;
  return 0;
}

static void pack(const fc_across *across) {
  (void)across;
}

static void across_rows(const fc_across *across, const uint8_t *const *rows, uint8_t *const *out,
                        int count) {
  for (int i = 0; i < count; i++) {
    if (across->axis.pass == FC_PASS_HIGH)
      across_high(across, rows[i], out[i]);
    else
      across_sum(across, rows[i], out[i]);
  }
}

static void down_high(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                      uint8_t *out, size_t from, size_t width) {
  const uint16_t *weight = (const uint16_t *)axis->weight + position;
  uint32_t sum[COLUMNS];
  for (size_t x = 0; x < width; x++) sum[x] = fc_high_start(axis->taps);
  for (int32_t tap = 0; tap < axis->taps; tap++, weight += axis->pitch)
    for (size_t x = 0; x < width; x++) sum[x] += high_product(rows[tap][from + x], *weight);
  for (size_t x = 0; x < width; x++) out[from + x] = (uint8_t)(sum[x] >> 8);
}

static void down_sum(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                     uint8_t *out, size_t from, size_t width) {
  const size_t at = (size_t)position * (size_t)axis->taps;
  const int16_t *weight = axis->weight + at, *fine = axis->fine + at;
  uint32_t sum[COLUMNS];
  for (size_t x = 0; x < width; x++) sum[x] = SUM_START;
  for (int32_t tap = 0; tap < axis->taps; tap++)
    for (size_t x = 0; x < width; x++)
      sum[x] += product(rows[tap][from + x], weight[tap], fine[tap]);
  for (size_t x = 0; x < width; x++) out[from + x] = byte_of_sum(sum[x]);
}

static void down_row(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                     uint8_t *out, size_t bytes) {
  for (size_t from = 0; from < bytes; from += COLUMNS) {
    const size_t width = FC_MIN(bytes - from, COLUMNS);
    if (axis->pass == FC_PASS_HIGH)
      down_high(axis, position, rows, out, from, width);
    else
      down_sum(axis, position, rows, out, from, width);
  }
}

const fc_kernels fc_kernels_scalar = {packed_bytes, pack, across_rows, down_row};

const fc_kernels *fc_kernels_get(void) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512)
    return __builtin_cpu_supports("avx512vbmi") ? &fc_kernels_avx512_vbmi : &fc_kernels_avx512;
  if (fc_cpu_get() == FC_CPU_AVX2) return &fc_kernels_avx2;
#endif
  return &fc_kernels_scalar;
}

/* `channels` is a constant wherever this is inlined. */
static inline void pick(const fc_axis *axis, const size_t channels, const uint8_t *row,
                        uint8_t *out) {
  for (int32_t i = 0; i < axis->count; i++, out += channels)
    memcpy(out, row + (size_t)axis->start[i] * channels, channels);
}

void fc_pick_pixels(const fc_axis *axis, int channels, const uint8_t *row, uint8_t *out) {
  if (channels == 1)
    pick(axis, 1, row, out);
  else if (channels == 2)
    pick(axis, 2, row, out);
  else if (channels == 3)
    pick(axis, 3, row, out);
  else
    pick(axis, 4, row, out);
}
