/* resample_avx2.h: what the files with 256-bit and wider vectors share.
 *
 * Every function carries its target attribute, so that the files compile without flags of their
 * own and the rest of the program still runs on older processors. */
#ifndef FC_RESAMPLE_AVX2_H
#define FC_RESAMPLE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "resample.h"

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))
#define VECTOR 32 /* bytes */

/* Before a short loop with a constant count whose arrays are meant to live in registers: gcc does
 * not unroll at -O2 by itself. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* resample_avx2_across.c */
size_t fc_across_avx2_bytes(size_t count, size_t taps, int channels);
void fc_across_avx2_pack(const fc_across *across);
void fc_across_avx2(const fc_across *across, const uint8_t *const *rows, uint8_t *const *out,
                    int count);

/* resample_avx512.c */
void fc_down_avx512(const fc_axis *axis, int32_t position, const uint8_t *const *rows, uint8_t *out,
                    size_t bytes);

AVX2_INLINE __m256i load(const void *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}

AVX2_INLINE void store(void *to, __m256i value) {
  _mm256_storeu_si256((__m256i *)to, value);
}

/* FC_PASS_HIGH: 2 x 16 sums to 32 bytes. */
AVX2_INLINE __m256i bytes_of_high(__m256i first, __m256i second) {
  return _mm256_packus_epi16(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8));
}

/* FC_PASS_SUM: pairs of values times pairs of weights. */
AVX2_INLINE void add_product(__m256i *sum, __m256i values, __m256i weights) {
  *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(values, weights));
}

AVX2_INLINE __m256i whole_sum(__m256i coarse, __m256i fine) {
  return _mm256_add_epi32(_mm256_slli_epi32(coarse, FC_FINE_BITS), fine);
}

#endif
