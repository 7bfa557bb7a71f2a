/* emit_avx512.c: rows of numbers by 512-bit vectors; results equal emit_scalar.c's. */
#ifdef __x86_64__
#include <immintrin.h>

#include "emit.h"

#define NAME fc_emit_avx512
#define TARGET __attribute__((target("avx512f,avx512bw")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m512i V;
typedef __m512 VF;
#define LANES 16

#define vf_load _mm512_loadu_ps
#define vf_fma _mm512_fmadd_ps
#define vf_mul _mm512_mul_ps
#define vf_sub _mm512_sub_ps
#define vf_div _mm512_div_ps
#define vf_of_v _mm512_cvtepi32_ps
#define v_load _mm512_loadu_si512
#define v_permute(bytes, order) _mm512_permutexvar_epi32(order, bytes)
#define v_shuffle _mm512_shuffle_epi8

INLINE void put_f32(uint8_t *out, VF value, const int streaming) {
  if (streaming)
    _mm512_stream_ps((float *)(void *)out, value);
  else
    _mm512_storeu_ps(out, value);
}

INLINE void put_half(uint8_t *out, __m256i value, const int streaming) {
  if (streaming)
    _mm256_stream_si256((__m256i *)(void *)out, value);
  else
    _mm256_storeu_si256((__m256i *)(void *)out, value);
}

INLINE __m256i f16_of(VF value) {
  return _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
}

/* Upper halves, rounded half to even. */
INLINE __m256i bf16_of(VF value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_add_epi32(bits, half), 16));
}

#include "emit_kernels.h"
#else
typedef int fc_emit_avx512_is_empty; /* C11 knows no empty file */
#endif
