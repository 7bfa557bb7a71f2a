/* png_unfilter_avx2.c: rows of PNG with wide vectors; results equal png_unfilter.c's.
 *
 * Here are the filters that are no chain and the order of rows; png_unfilter_wave.c has the rest.
 */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "fc_internal.h"
#include "png_unfilter.h"

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

enum { BLOCK = FC_PNG_BLOCK };

AVX2_INLINE __m128i load16(const uint8_t *at) {
  return _mm_loadu_si128((const __m128i *)(const void *)at);
}

AVX2_INLINE void store16(uint8_t *at, __m128i value) {
  _mm_storeu_si128((__m128i *)(void *)at, value);
}

/* Every byte plus the one `pixel`, twice, four times... as far to the left: sums of a whole block
 * in a few steps. */
AVX2_INLINE __m128i sums(__m128i v, const int pixel) {
  switch (pixel) {
    case 1:
      v = _mm_add_epi8(v, _mm_slli_si128(v, 1));
      v = _mm_add_epi8(v, _mm_slli_si128(v, 2));
      v = _mm_add_epi8(v, _mm_slli_si128(v, 4));
      return _mm_add_epi8(v, _mm_slli_si128(v, 8));
    case 2:
      v = _mm_add_epi8(v, _mm_slli_si128(v, 2));
      v = _mm_add_epi8(v, _mm_slli_si128(v, 4));
      return _mm_add_epi8(v, _mm_slli_si128(v, 8));
    case 3:
      v = _mm_add_epi8(v, _mm_slli_si128(v, 3));
      v = _mm_add_epi8(v, _mm_slli_si128(v, 6));
      return _mm_add_epi8(v, _mm_slli_si128(v, 12));
    case 4:
      v = _mm_add_epi8(v, _mm_slli_si128(v, 4));
      return _mm_add_epi8(v, _mm_slli_si128(v, 8));
    case 6:
      v = _mm_add_epi8(v, _mm_slli_si128(v, 6));
      return _mm_add_epi8(v, _mm_slli_si128(v, 12));
    default:
      return _mm_add_epi8(v, _mm_slli_si128(v, 8));
  }
}

AVX2_INLINE void sub_row(uint8_t *row, size_t bytes, const int pixel) {
  /* Byte i of a block goes on from the byte of the last pixel before it that has i's colour. */
  uint8_t from[BLOCK], tail[BLOCK];
  for (int i = 0; i < BLOCK; i++) from[i] = (uint8_t)(BLOCK - pixel + i % pixel);
  const __m128i last_pixel = load16(from);
  __m128i before = _mm_setzero_si128();
  for (; bytes >= BLOCK; bytes -= BLOCK, row += BLOCK) {
    before = _mm_add_epi8(sums(load16(row), pixel), _mm_shuffle_epi8(before, last_pixel));
    store16(row, before);
  }
  memset(tail, 0, BLOCK);
  memcpy(tail, row, bytes);
  store16(tail, _mm_add_epi8(sums(load16(tail), pixel), _mm_shuffle_epi8(before, last_pixel)));
  memcpy(row, tail, bytes);
}

AVX2 static void sub_any(uint8_t *row, size_t bytes, size_t pixel) {
  switch (pixel) {
    case 1:
      sub_row(row, bytes, 1);
      return;
    case 2:
      sub_row(row, bytes, 2);
      return;
    case 3:
      sub_row(row, bytes, 3);
      return;
    case 4:
      sub_row(row, bytes, 4);
      return;
    case 6:
      sub_row(row, bytes, 6);
      return;
    default:
      sub_row(row, bytes, 8);
      return;
  }
}

AVX2 static void up_row(uint8_t *row, const uint8_t *above, size_t bytes) {
  for (; bytes >= 32; bytes -= 32, row += 32, above += 32)
    _mm256_storeu_si256((__m256i *)(void *)row,
                        _mm256_add_epi8(_mm256_loadu_si256((const __m256i *)(const void *)row),
                                        _mm256_loadu_si256((const __m256i *)(const void *)above)));
  for (size_t x = 0; x < bytes; x++) row[x] = (uint8_t)(row[x] + above[x]);
}

/* Rows that need no other are made first, so that more chains can run side by side. */
void fc_png_unfilter_avx2(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes,
                          int first) {
  const size_t stride = 1 + bytes;
  fc_png_wave wave = {.count = 0};
  for (size_t y = 0; y < count; y++) {
    uint8_t *row = rows + y * stride + 1;
    if (row[-1] == FC_PNG_SUB) sub_any(row, bytes, pixel_bytes);
  }
  for (size_t y = 0; y < count; y++) {
    uint8_t *row = rows + y * stride + 1;
    const int filter = row[-1];
    if (filter == FC_PNG_NONE || filter == FC_PNG_SUB) continue;
    if (first && !y) {
      fc_png_unfilter_row(filter, row, NULL, bytes, pixel_bytes);
    } else if (filter == FC_PNG_UP) {
      fc_png_wave_run(&wave, bytes, pixel_bytes);
      up_row(row, row - stride, bytes);
    } else {
      fc_png_wave_add(&wave, filter == FC_PNG_AVERAGE, row, row - stride, bytes);
      if (wave.count == FC_PNG_LANES) fc_png_wave_run(&wave, bytes, pixel_bytes);
    }
  }
  fc_png_wave_run(&wave, bytes, pixel_bytes);
}

#else
/* ISO C wants something in every file. */
typedef int fc_no_png_avx2;
#endif
