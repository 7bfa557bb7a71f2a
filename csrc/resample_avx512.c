/* resample_avx512.c: weighted passes down columns by 512-bit vectors; results equal
 * resample_scalar.c's. */
#ifdef __x86_64__
#include "resample_avx2.h"

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX512_INLINE static inline __attribute__((target("avx512f,avx512bw"), always_inline))
#define WIDE 64 /* bytes */

AVX512_INLINE void store_some(uint8_t *out, __m512i made, size_t bytes) {
  if (bytes >= WIDE)
    _mm512_storeu_si512(out, made);
  else
    _mm512_mask_storeu_epi8(out, ((__mmask64)1 << bytes) - 1, made);
}

AVX512_INLINE void down_high(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                             uint8_t *out, size_t bytes, const int taps) {
  const uint16_t *weight = (const uint16_t *)axis->weight + position;
  const __m512i zero = _mm512_setzero_si512();
  const __m512i begin = _mm512_set1_epi16((short)fc_high_start(taps));
  __m512i by[FC_HIGH_TAPS];
  const uint8_t *row[FC_HIGH_TAPS];
  UNROLL for (int tap = 0; tap < taps; tap++) {
    by[tap] = _mm512_set1_epi16((short)weight[(size_t)tap * axis->pitch]);
    row[tap] = rows[tap];
  }
  for (size_t x = 0; x < bytes; x += WIDE) {
    __m512i low = begin, high = begin;
    UNROLL for (int tap = 0; tap < taps; tap++) {
      /* Interleaved with zeros from below, a byte becomes the high half of a 16-bit lane. */
      const __m512i value = _mm512_loadu_si512(row[tap] + x);
      const __m512i first = _mm512_unpacklo_epi8(zero, value);
      const __m512i second = _mm512_unpackhi_epi8(zero, value);
      low = _mm512_add_epi16(low, _mm512_mulhi_epu16(first, by[tap]));
      high = _mm512_add_epi16(high, _mm512_mulhi_epu16(second, by[tap]));
    }
    low = _mm512_srli_epi16(low, 8), high = _mm512_srli_epi16(high, 8);
    store_some(out + x, _mm512_packus_epi16(low, high), bytes - x);
  }
}

/* Two rows' share of 64 values. */
AVX512_INLINE void add_pair(__m512i sum[4], __m512i fine[4], __m512i first, __m512i second,
                            const int16_t *coarse, const int16_t *rest, const int both) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i low = _mm512_unpacklo_epi8(first, second);
  const __m512i high = _mm512_unpackhi_epi8(first, second);
  const __m512i pairs[4] = {_mm512_unpacklo_epi8(low, zero), _mm512_unpackhi_epi8(low, zero),
                            _mm512_unpacklo_epi8(high, zero), _mm512_unpackhi_epi8(high, zero)};
  const uint32_t a = (uint16_t)coarse[0] | (both ? (uint32_t)(uint16_t)coarse[1] << 16 : 0);
  const uint32_t b = (uint16_t)rest[0] | (both ? (uint32_t)(uint16_t)rest[1] << 16 : 0);
  const __m512i by = _mm512_set1_epi32((int32_t)a), by_rest = _mm512_set1_epi32((int32_t)b);
  UNROLL for (int p = 0; p < 4; p++) {
    sum[p] = _mm512_add_epi32(sum[p], _mm512_madd_epi16(pairs[p], by));
    fine[p] = _mm512_add_epi32(fine[p], _mm512_madd_epi16(pairs[p], by_rest));
  }
}

AVX512_INLINE void down_sum(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                            uint8_t *out, size_t bytes) {
  const int32_t taps = axis->taps;
  const int16_t *weight = axis->weight + (size_t)position * (size_t)taps;
  const int16_t *rest = axis->fine + (size_t)position * (size_t)taps;
  for (size_t x = 0; x < bytes; x += WIDE) {
    __m512i sum[4], fine[4];
    UNROLL for (int p = 0; p < 4; p++) {
      sum[p] = _mm512_setzero_si512();
      fine[p] = _mm512_set1_epi32(1 << (FC_SUM_BITS - 1));
    }
    int32_t tap = 0;
    for (; tap + 1 < taps; tap += 2)
      add_pair(sum, fine, _mm512_loadu_si512(rows[tap] + x), _mm512_loadu_si512(rows[tap + 1] + x),
               weight + tap, rest + tap, 1);
    if (tap < taps)
      add_pair(sum, fine, _mm512_loadu_si512(rows[tap] + x), _mm512_setzero_si512(), weight + tap,
               rest + tap, 0);
    UNROLL for (int p = 0; p < 4; p++) {
      sum[p] = _mm512_add_epi32(_mm512_slli_epi32(sum[p], FC_FINE_BITS), fine[p]);
      sum[p] = _mm512_srai_epi32(sum[p], FC_SUM_BITS);
    }
    /* Unpacking went by 128-bit lanes, packing does as well: the order comes back. */
    const __m512i first = _mm512_packs_epi32(sum[0], sum[1]);
    const __m512i second = _mm512_packs_epi32(sum[2], sum[3]);
    store_some(out + x, _mm512_packus_epi16(first, second), bytes - x);
  }
}

AVX512 void fc_down_avx512(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                           uint8_t *out, size_t bytes) {
  const int taps = axis->taps;
  if (axis->pass == FC_PASS_SUM)
    down_sum(axis, position, rows, out, bytes);
  else if (taps == 2)
    down_high(axis, position, rows, out, bytes, 2);
  else if (taps == 3)
    down_high(axis, position, rows, out, bytes, 3);
  else if (taps == 4)
    down_high(axis, position, rows, out, bytes, 4);
  else if (taps == 5)
    down_high(axis, position, rows, out, bytes, 5);
  else
    fc_kernels_avx2.down(axis, position, rows, out, bytes);
}

const fc_kernels fc_kernels_avx512 = {fc_across_avx2_bytes, fc_across_avx2_pack, fc_across_avx2,
                                      fc_down_avx512};

#else
/* ISO C wants something in every file. */
typedef int fc_no_avx512;
#endif
