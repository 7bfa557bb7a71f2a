/* tint_avx512.c: colours by 512-bit vectors. */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "tint.h"

#define RUN fc_tint_avx512
#define TARGET __attribute__((target("avx512f,avx512bw")))
#define AVX512 static inline __attribute__((always_inline)) TARGET

typedef __m512 VF;
#define VF_N 16

#define vf_load _mm512_load_ps
#define vf_store _mm512_store_ps
#define vf_set _mm512_set1_ps
#define vf_add _mm512_add_ps
#define vf_sub _mm512_sub_ps
#define vf_mul _mm512_mul_ps
#define vf_div _mm512_div_ps
#define vf_fma _mm512_fmadd_ps
#define vf_min _mm512_min_ps
#define vf_max _mm512_max_ps
#define vf_floor(value) _mm512_roundscale_ps(value, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define vf_trunc(value) _mm512_roundscale_ps(value, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)

AVX512 VF vf_first(VF value, int n) {
  return _mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), value);
}

AVX512 void hue_parts(VF red, VF green, VF blue, VF *plus, VF *minus, VF *start) {
  const __mmask16 is_red = _mm512_cmp_ps_mask(red, vf_set(0), _CMP_EQ_OQ);
  const __mmask16 is_green = _mm512_cmp_ps_mask(green, vf_set(0), _CMP_EQ_OQ);
  *plus = _mm512_mask_mov_ps(_mm512_mask_mov_ps(green, is_green, red), is_red, blue);
  *minus = _mm512_mask_mov_ps(_mm512_mask_mov_ps(red, is_green, blue), is_red, green);
  *start =
      _mm512_maskz_mov_ps((__mmask16)~is_red, _mm512_mask_mov_ps(vf_set(4), is_green, vf_set(2)));
}

typedef __m512i hue_choice;

AVX512 hue_choice hue_choose(VF sector) {
  const __m512i table = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)fc_hue_sixths));
  return _mm512_permutexvar_epi32(_mm512_cvttps_epi32(sector), table);
}

#define WHERE(choice, bit, yes, no) \
  _mm512_mask_mov_ps(no, _mm512_test_epi32_mask(choice, _mm512_set1_epi32(bit)), yes)

AVX512 VF hue_between(hue_choice choice, VF falling, VF rising) {
  return WHERE(choice, FC_HUE_FALLING, falling, rising);
}

AVX512 VF hue_red(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, FC_HUE_RED_MOST, most, WHERE(choice, FC_HUE_RED_MIDDLE, middle, least));
}

AVX512 VF hue_green(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, FC_HUE_GREEN_MOST, most, WHERE(choice, FC_HUE_GREEN_MIDDLE, middle, least));
}

AVX512 VF hue_blue(hue_choice choice, VF most, VF middle, VF least) {
  return WHERE(choice, FC_HUE_BLUE_MOST, most, WHERE(choice, FC_HUE_BLUE_MIDDLE, middle, least));
}

AVX512 void load_grey(const uint8_t *in, float *grey) {
  const __m512i value = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)in));
  vf_store(grey, _mm512_cvtepi32_ps(value));
}

AVX512 void store_grey(uint8_t *out, const float *grey) {
  const __m512i value = _mm512_cvttps_epi32(vf_load(grey));
  _mm_storeu_si128((void *)out, _mm512_cvtepi32_epi8(value));
}

/* Twelve of the sixteen words are pixels; the rest is neither read nor written. */
#define WORDS 0x0fff

/* Four pixels a lane. */
AVX512 void load_rgb(const uint8_t *in, float *red, float *green, float *blue) {
#define SPREAD(c)         \
  _mm512_broadcast_i32x4( \
      _mm_setr_epi8(c, -1, -1, -1, c + 3, -1, -1, -1, c + 6, -1, -1, -1, c + 9, -1, -1, -1))
  const __m512i apart = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i value = _mm512_permutexvar_epi32(apart, _mm512_maskz_loadu_epi32(WORDS, in));
  vf_store(red, _mm512_cvtepi32_ps(_mm512_shuffle_epi8(value, SPREAD(0))));
  vf_store(green, _mm512_cvtepi32_ps(_mm512_shuffle_epi8(value, SPREAD(1))));
  vf_store(blue, _mm512_cvtepi32_ps(_mm512_shuffle_epi8(value, SPREAD(2))));
#undef SPREAD
}

/* Bytes red, green, blue, 0 of sixteen pixels. */
AVX512 __m512i together(const float *red, const float *green, const float *blue) {
  const __m512i r = _mm512_cvttps_epi32(vf_load(red));
  const __m512i g = _mm512_cvttps_epi32(vf_load(green));
  const __m512i b = _mm512_cvttps_epi32(vf_load(blue));
  return _mm512_or_si512(_mm512_or_si512(r, _mm512_slli_epi32(g, 8)), _mm512_slli_epi32(b, 16));
}

AVX512 void store_rgb(uint8_t *out, const float *red, const float *green, const float *blue) {
  const __m512i squeeze =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m512i lanes = _mm512_shuffle_epi8(together(red, green, blue), squeeze);
  const __m512i close = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15);
  _mm512_mask_storeu_epi32(out, WORDS, _mm512_permutexvar_epi32(close, lanes));
}

AVX512 void load_rgba(const uint8_t *in, float *red, float *green, float *blue) {
  const __m512i value = _mm512_loadu_si512(in), byte = _mm512_set1_epi32(255);
  vf_store(red, _mm512_cvtepi32_ps(_mm512_and_si512(value, byte)));
  vf_store(green, _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(value, 8), byte)));
  vf_store(blue, _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(value, 16), byte)));
}

AVX512 void store_rgba(uint8_t *out, const float *red, const float *green, const float *blue) {
  const __mmask64 colours = 0x7777777777777777; /* alpha stays */
  _mm512_mask_storeu_epi8(out, colours, together(red, green, blue));
}

#include "tint_kernels.h"

#else
typedef int fc_tint_avx512_is_empty; /* C11 knows no empty file */
#endif
