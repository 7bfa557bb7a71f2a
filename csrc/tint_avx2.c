/* tint_avx2.c: colours by 256-bit vectors. */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "tint.h"

#define RUN fc_tint_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define AVX2 static inline __attribute__((always_inline)) TARGET

typedef __m256 VF;
#define VF_N 8

#define vf_load _mm256_load_ps
#define vf_store _mm256_store_ps
#define vf_set _mm256_set1_ps
#define vf_add _mm256_add_ps
#define vf_sub _mm256_sub_ps
#define vf_mul _mm256_mul_ps
#define vf_div _mm256_div_ps
#define vf_fma _mm256_fmadd_ps
#define vf_min _mm256_min_ps
#define vf_max _mm256_max_ps
#define vf_floor _mm256_floor_ps
#define vf_trunc(value) _mm256_round_ps(value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)

AVX2 VF vf_first(VF value, int n) {
  static const int32_t masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_and_ps(value, _mm256_loadu_ps((const float *)(const void *)(masks + 8 - n)));
}

/* Blends look at the sign: the strongest channel is the one whose distance has none. */
AVX2 void hue_parts(VF red, VF green, VF blue, VF *plus, VF *minus, VF *start) {
  *plus = _mm256_blendv_ps(blue, _mm256_blendv_ps(red, green, green), red);
  *minus = _mm256_blendv_ps(green, _mm256_blendv_ps(blue, red, green), red);
  *start = _mm256_blendv_ps(vf_set(0), _mm256_blendv_ps(vf_set(2), vf_set(4), green), red);
}

typedef __m256i hue_choice;

AVX2 hue_choice hue_choose(VF sector) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)fc_hue_sixths));
  return _mm256_permutevar8x32_epi32(_mm256_slli_epi32(bytes, 24), _mm256_cvttps_epi32(sector));
}

/* `yes` where the bit is set, moved to where the sign is. */
#define WHERE(choice, bit, yes, no) \
  _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(_mm256_slli_epi32(choice, 7 - (bit))))

AVX2 VF hue_between(hue_choice choice, VF falling, VF rising) {
  return WHERE(choice, 7, falling, rising);
}

AVX2 VF hue_red(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, 6, most, WHERE(choice, 5, middle, least));
}

AVX2 VF hue_green(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, 4, most, WHERE(choice, 3, middle, least));
}

AVX2 VF hue_blue(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, 2, most, WHERE(choice, 1, middle, least));
}

AVX2 void load_grey(const uint8_t *in, float *grey) {
  const __m256i value = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)in));
  vf_store(grey, _mm256_cvtepi32_ps(value));
}

AVX2 void store_grey(uint8_t *out, const float *grey) {
  const __m256i value = _mm256_cvttps_epi32(vf_load(grey));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  _mm_storel_epi64((void *)out, _mm_packus_epi16(words, words));
}

/* Four pixels a lane.  The upper four are loaded with the 4 bytes before them instead of after
 * them, so that nothing is read behind the last pixel. */
AVX2 void load_rgb(const uint8_t *in, float *red, float *green, float *blue) {
#define SPREAD(c)                                                                                 \
  _mm256_setr_epi8(c, -1, -1, -1, c + 3, -1, -1, -1, c + 6, -1, -1, -1, c + 9, -1, -1, -1, c + 4, \
                   -1, -1, -1, c + 7, -1, -1, -1, c + 10, -1, -1, -1, c + 13, -1, -1, -1)
  const __m256i value =
      _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)in)),
                              _mm_loadu_si128((const void *)(in + 8)), 1);
  vf_store(red, _mm256_cvtepi32_ps(_mm256_shuffle_epi8(value, SPREAD(0))));
  vf_store(green, _mm256_cvtepi32_ps(_mm256_shuffle_epi8(value, SPREAD(1))));
  vf_store(blue, _mm256_cvtepi32_ps(_mm256_shuffle_epi8(value, SPREAD(2))));
#undef SPREAD
}

/* Bytes red, green, blue, 0 of eight pixels. */
AVX2 __m256i together(const float *red, const float *green, const float *blue) {
  const __m256i r = _mm256_cvttps_epi32(vf_load(red));
  const __m256i g = _mm256_cvttps_epi32(vf_load(green));
  const __m256i b = _mm256_cvttps_epi32(vf_load(blue));
  return _mm256_or_si256(_mm256_or_si256(r, _mm256_slli_epi32(g, 8)), _mm256_slli_epi32(b, 16));
}

AVX2 void store_rgb(uint8_t *out, const float *red, const float *green, const float *blue) {
  const __m256i squeeze = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m256i lanes = _mm256_shuffle_epi8(together(red, green, blue), squeeze);
  const __m256i close = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7);
  const __m256i value = _mm256_permutevar8x32_epi32(lanes, close);
  _mm_storeu_si128((void *)out, _mm256_castsi256_si128(value));
  _mm_storel_epi64((void *)(out + 16), _mm256_extracti128_si256(value, 1));
}

AVX2 void load_rgba(const uint8_t *in, float *red, float *green, float *blue) {
  const __m256i value = _mm256_loadu_si256((const void *)in), byte = _mm256_set1_epi32(255);
  vf_store(red, _mm256_cvtepi32_ps(_mm256_and_si256(value, byte)));
  vf_store(green, _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(value, 8), byte)));
  vf_store(blue, _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(value, 16), byte)));
}

AVX2 void store_rgba(uint8_t *out, const float *red, const float *green, const float *blue) {
  const __m256i alpha = _mm256_set1_epi32((int)0xff000000);
  const __m256i kept = _mm256_and_si256(_mm256_loadu_si256((const void *)out), alpha);
  _mm256_storeu_si256((void *)out, _mm256_or_si256(kept, together(red, green, blue)));
}

#include "tint_kernels.h"

#else
typedef int fc_tint_avx2_is_empty; /* C11 knows no empty file */
#endif
