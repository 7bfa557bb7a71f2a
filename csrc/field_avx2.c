/* field_avx2.c: fields by 256-bit vectors; conversion to half precision by F16C. */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "field.h"

#define NAME fc_field_avx2
#define TARGET __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef __m256 VF;
typedef __m256d VD;
#define VF_N 8
#define VD_N 4
#define HALF_UNIT 2
#define BYTE_UNIT 4
#define VECTOR 32 /* bytes */
#define STREAMS 1
#define NEAREST _MM_FROUND_TO_NEAREST_INT

#define vf_loadu _mm256_loadu_ps
#define vf_store _mm256_store_ps
#define vf_set _mm256_set1_ps
#define vf_add _mm256_add_ps
#define vf_sub _mm256_sub_ps
#define vf_mul _mm256_mul_ps
#define vf_min _mm256_min_ps
#define vf_sqrt _mm256_sqrt_ps
#define vf_max _mm256_max_ps
#define vd_loadu _mm256_loadu_pd
#define vd_store _mm256_storeu_pd
#define vd_set _mm256_set1_pd
#define vd_add _mm256_add_pd
#define vd_sub _mm256_sub_pd
#define vd_mul _mm256_mul_pd
#define vd_min _mm256_min_pd
#define vd_max _mm256_max_pd
#define vd_sqrt _mm256_sqrt_pd

static const int32_t masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

INLINE VF vf_mix(VF a, VF b, int n) {
  const __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(masks + 8 - n));
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask));
}

INLINE VD vd_mix(VD a, VD b, int n) {
  const __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(masks + 8 - 2 * n));
  return _mm256_blendv_pd(b, a, _mm256_castsi256_pd(mask));
}

INLINE VD vd_of_floats(const float *from) {
  return _mm256_cvtps_pd(_mm_loadu_ps(from));
}

INLINE VF vf_of_vd(const VD *value) {
  return _mm256_set_m128(_mm256_cvtpd_ps(value[1]), _mm256_cvtpd_ps(value[0]));
}

INLINE void put(uint8_t *out, __m256i value, int streaming) {
  if (streaming)
    _mm256_stream_si256((__m256i *)(void *)out, value);
  else
    _mm256_storeu_si256((__m256i *)(void *)out, value);
}

INLINE void put_f64(uint8_t *out, const VD *made, int streaming) {
  put(out, _mm256_castpd_si256(made[0]), streaming);
}

INLINE void put_f32(uint8_t *out, const VF *made, int streaming) {
  put(out, _mm256_castps_si256(made[0]), streaming);
}

INLINE void put_f16(uint8_t *out, const VF *made, int streaming) {
  put(out, _mm256_set_m128i(_mm256_cvtps_ph(made[1], NEAREST), _mm256_cvtps_ph(made[0], NEAREST)),
      streaming);
}

/* 2 x 8 integers of 0 to 65535.  Packing works within 128-bit lanes. */
INLINE __m256i packed(__m256i first, __m256i second) {
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xd8);
}

/* Upper halves, rounded half to even. */
INLINE __m256i upper(VF value) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  return _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
}

INLINE void put_bf16(uint8_t *out, const VF *made, int streaming) {
  put(out, packed(upper(made[0]), upper(made[1])), streaming);
}

INLINE void put_u16(uint8_t *out, const VF *made, int streaming) {
  put(out, packed(_mm256_cvtps_epi32(made[0]), _mm256_cvtps_epi32(made[1])), streaming);
}

INLINE void put_u8(uint8_t *out, const VF *made, int streaming) {
  const __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(made[0]), _mm256_cvtps_epi32(made[1]));
  const __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(made[2]), _mm256_cvtps_epi32(made[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  put(out, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order), streaming);
}

#include "field_kernels.h"
#else
typedef int fc_field_avx2_is_empty; /* C11 knows no empty file */
#endif
