/* resample_avx2.c: weighted passes down columns, and the table of this instruction set; results
 * equal resample_scalar.c's. */
#ifdef __x86_64__
#include "resample_avx2.h"

/* The last vector of a row may be wider than what is left of the output. */
AVX2_INLINE void store_some(uint8_t *out, __m256i value, size_t bytes) {
  if (bytes >= VECTOR) {
    store(out, value);
  } else {
    uint8_t whole[VECTOR];
    store(whole, value);
    memcpy(out, whole, bytes);
  }
}

AVX2_INLINE void down_high(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                           uint8_t *out, size_t bytes, const int taps) {
  const uint16_t *weight = (const uint16_t *)axis->weight + position;
  const __m256i zero = _mm256_setzero_si256();
  const __m256i begin = _mm256_set1_epi16((short)fc_high_start(taps));
  __m256i by[FC_HIGH_TAPS];
  const uint8_t *row[FC_HIGH_TAPS];
  UNROLL for (int tap = 0; tap < taps; tap++) {
    by[tap] = _mm256_set1_epi16((short)weight[(size_t)tap * axis->pitch]);
    row[tap] = rows[tap];
  }
  for (size_t x = 0; x < bytes; x += VECTOR) {
    __m256i low = begin, high = begin;
    UNROLL for (int tap = 0; tap < taps; tap++) {
      /* Interleaved with zeros from below, a byte becomes the high half of a 16-bit lane. */
      const __m256i value = load(row[tap] + x);
      const __m256i first = _mm256_unpacklo_epi8(zero, value);
      const __m256i second = _mm256_unpackhi_epi8(zero, value);
      low = _mm256_add_epi16(low, _mm256_mulhi_epu16(first, by[tap]));
      high = _mm256_add_epi16(high, _mm256_mulhi_epu16(second, by[tap]));
    }
    store_some(out + x, bytes_of_high(low, high), bytes - x);
  }
}

typedef struct sums {
  __m256i coarse[4], fine[4]; /* of the 32 values of a vector */
} sums;

/* Add two rows' share. */
AVX2_INLINE void add_pair(sums *s, __m256i first, __m256i second, __m256i coarse, __m256i fine) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_unpacklo_epi8(first, second);
  const __m256i high = _mm256_unpackhi_epi8(first, second);
  const __m256i pairs[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                            _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
  UNROLL for (int p = 0; p < 4; p++) {
    add_product(&s->coarse[p], pairs[p], coarse);
    add_product(&s->fine[p], pairs[p], fine);
  }
}

AVX2_INLINE __m256i bytes_of_sums(const sums *s) {
  __m256i sum[4];
  UNROLL for (int p = 0; p < 4; p++) sum[p] =
      _mm256_srai_epi32(whole_sum(s->coarse[p], s->fine[p]), FC_SUM_BITS);
  /* Unpacking went by 128-bit lanes, packing does as well: the order comes back. */
  return _mm256_packus_epi16(_mm256_packs_epi32(sum[0], sum[1]),
                             _mm256_packs_epi32(sum[2], sum[3]));
}

AVX2_INLINE __m256i weight_pair(const int16_t *weight) {
  int32_t pair;
  memcpy(&pair, weight, sizeof pair);
  return _mm256_set1_epi32(pair);
}

AVX2_INLINE __m256i weight_alone(const int16_t *weight) {
  return _mm256_set1_epi32((uint16_t)*weight);
}

AVX2_INLINE void down_sum(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                          uint8_t *out, size_t bytes) {
  const int32_t taps = axis->taps;
  const int16_t *weight = axis->weight + (size_t)position * (size_t)taps;
  const int16_t *fine = axis->fine + (size_t)position * (size_t)taps;
  for (size_t x = 0; x < bytes; x += VECTOR) {
    sums s;
    int32_t tap = 0;
    UNROLL for (int p = 0; p < 4; p++) {
      s.coarse[p] = _mm256_setzero_si256();
      s.fine[p] = _mm256_set1_epi32(1 << (FC_SUM_BITS - 1));
    }
    for (; tap + 1 < taps; tap += 2)
      add_pair(&s, load(rows[tap] + x), load(rows[tap + 1] + x), weight_pair(weight + tap),
               weight_pair(fine + tap));
    if (tap < taps)
      add_pair(&s, load(rows[tap] + x), _mm256_setzero_si256(), weight_alone(weight + tap),
               weight_alone(fine + tap));
    store_some(out + x, bytes_of_sums(&s), bytes - x);
  }
}

AVX2 static void down_row(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                          uint8_t *out, size_t bytes) {
  if (axis->pass == FC_PASS_SUM) {
    down_sum(axis, position, rows, out, bytes);
    return;
  }
  switch (axis->taps) {
    case 1:
      down_high(axis, position, rows, out, bytes, 1);
      return;
    case 2:
      down_high(axis, position, rows, out, bytes, 2);
      return;
    case 3:
      down_high(axis, position, rows, out, bytes, 3);
      return;
    case 4:
      down_high(axis, position, rows, out, bytes, 4);
      return;
    case 5:
      down_high(axis, position, rows, out, bytes, 5);
      return;
    case 6:
      down_high(axis, position, rows, out, bytes, 6);
      return;
    case 7:
      down_high(axis, position, rows, out, bytes, 7);
      return;
    default:
      down_high(axis, position, rows, out, bytes, 8);
      return;
  }
}

const fc_kernels fc_kernels_avx2 = {fc_across_avx2_bytes, fc_across_avx2_pack, fc_across_avx2,
                                    down_row};

#else
/* ISO C wants something in every file. */
typedef int fc_no_avx2;
#endif
