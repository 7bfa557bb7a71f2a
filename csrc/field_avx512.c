/* field_avx512.c: fields by 512-bit vectors. */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "field.h"

#define NAME fc_field_avx512
#define TARGET __attribute__((target("avx512f,avx512bw")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m512 VF;
typedef __m512d VD;
#define VF_N 16
#define VD_N 8
#define HALF_UNIT 2
#define BYTE_UNIT 4
#define VECTOR 64 /* bytes */
#define STREAMS 1
#define NEAREST _MM_FROUND_TO_NEAREST_INT

#define vf_loadu _mm512_loadu_ps
#define vf_store _mm512_store_ps
#define vf_set _mm512_set1_ps
#define vf_add _mm512_add_ps
#define vf_sub _mm512_sub_ps
#define vf_mul _mm512_mul_ps
#define vf_min _mm512_min_ps
#define vf_sqrt _mm512_sqrt_ps
#define vf_max _mm512_max_ps
#define vd_loadu _mm512_loadu_pd
#define vd_store _mm512_storeu_pd
#define vd_set _mm512_set1_pd
#define vd_add _mm512_add_pd
#define vd_sub _mm512_sub_pd
#define vd_mul _mm512_mul_pd
#define vd_min _mm512_min_pd
#define vd_max _mm512_max_pd
#define vd_sqrt _mm512_sqrt_pd

INLINE VF vf_mix(VF a, VF b, int n) {
  return _mm512_mask_blend_ps((__mmask16)((1u << n) - 1), b, a);
}

INLINE VD vd_mix(VD a, VD b, int n) {
  return _mm512_mask_blend_pd((__mmask8)((1u << n) - 1), b, a);
}

INLINE VD vd_of_floats(const float *from) {
  return _mm512_cvtps_pd(_mm256_loadu_ps(from));
}

INLINE VF vf_of_vd(const VD *value) {
  const __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(value[0])));
  const __m256d high = _mm256_castps_pd(_mm512_cvtpd_ps(value[1]));
  return _mm512_castpd_ps(_mm512_insertf64x4(low, high, 1));
}

INLINE void put(uint8_t *out, __m512i value, int streaming) {
  if (streaming)
    _mm512_stream_si512((__m512i *)(void *)out, value);
  else
    _mm512_storeu_si512(out, value);
}

INLINE void put_f64(uint8_t *out, const VD *made, int streaming) {
  put(out, _mm512_castpd_si512(made[0]), streaming);
}

INLINE void put_f32(uint8_t *out, const VF *made, int streaming) {
  put(out, _mm512_castps_si512(made[0]), streaming);
}

INLINE __m512i joined(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

INLINE void put_f16(uint8_t *out, const VF *made, int streaming) {
  put(out, joined(_mm512_cvtps_ph(made[0], NEAREST), _mm512_cvtps_ph(made[1], NEAREST)), streaming);
}

/* Upper halves, rounded half to even. */
INLINE __m256i upper(VF value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_add_epi32(bits, half), 16));
}

INLINE void put_bf16(uint8_t *out, const VF *made, int streaming) {
  put(out, joined(upper(made[0]), upper(made[1])), streaming);
}

INLINE void put_u16(uint8_t *out, const VF *made, int streaming) {
  put(out,
      joined(_mm512_cvtepi32_epi16(_mm512_cvtps_epi32(made[0])),
             _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(made[1]))),
      streaming);
}

/* Packing works within 128-bit lanes; the permutation puts 4 bytes at a time in order. */
INLINE void put_u8(uint8_t *out, const VF *made, int streaming) {
  const __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(made[0]), _mm512_cvtps_epi32(made[1]));
  const __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(made[2]), _mm512_cvtps_epi32(made[3]));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  put(out, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high)), streaming);
}

#include "field_kernels.h"
#else
typedef int fc_field_avx512_is_empty; /* C11 knows no empty file */
#endif
