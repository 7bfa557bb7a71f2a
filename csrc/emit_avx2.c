/* emit_avx2.c: rows of numbers by 256-bit vectors; results equal emit_scalar.c's. */
#ifdef __x86_64__
#include <immintrin.h>

#include "emit.h"

#define NAME fc_emit_avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m256i V;
typedef __m256 VF;
#define LANES 8

#define vf_load _mm256_loadu_ps
#define vf_fma _mm256_fmadd_ps
#define vf_mul _mm256_mul_ps
#define vf_sub _mm256_sub_ps
#define vf_div _mm256_div_ps
#define vf_of_v _mm256_cvtepi32_ps
#define v_permute(bytes, order) _mm256_permutevar8x32_epi32(bytes, order)
#define v_shuffle _mm256_shuffle_epi8

INLINE V v_load(const void *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void put_f32(uint8_t *out, VF value, const int streaming) {
  if (streaming)
    _mm256_stream_ps((float *)(void *)out, value);
  else
    _mm256_storeu_ps((float *)(void *)out, value);
}

INLINE void put_half(uint8_t *out, __m128i value, const int streaming) {
  if (streaming)
    _mm_stream_si128((__m128i *)(void *)out, value);
  else
    _mm_storeu_si128((__m128i *)(void *)out, value);
}

INLINE __m128i f16_of(VF value) {
  return _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
}

/* Upper halves, rounded half to even. */
INLINE __m128i bf16_of(VF value) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  const __m256i upper = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1));
}

#include "emit_kernels.h"
#else
typedef int fc_emit_avx2_is_empty; /* C11 knows no empty file */
#endif
