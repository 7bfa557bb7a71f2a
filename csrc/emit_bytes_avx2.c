/* emit_bytes_avx2.c: rows of uint8 that are mirrored or parted into planes; results equal
 * emit_scalar.c's. */
#ifdef __x86_64__
#include <immintrin.h>

#include "emit.h"

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

AVX2_INLINE __m256i load(const void *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}

AVX2_INLINE void store(uint8_t *to, __m256i value) {
  _mm256_storeu_si256((__m256i *)(void *)to, value);
}

AVX2_INLINE __m256i both(__m128i value) {
  return _mm256_broadcastsi128_si256(value);
}

/* ---- mirrored, interleaved ---- */

AVX2_INLINE __m256i reversed_bytes(__m256i bytes) {
  const __m128i order = _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(bytes, both(order)), 0x4e);
}

AVX2_INLINE __m256i reversed_pixels(__m256i pixels) {
  return _mm256_permutevar8x32_epi32(pixels, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

/* Vectors of whole pixels: of one channel, or of four. */
AVX2 static void mirror_whole(const uint8_t *row, size_t bytes, uint8_t *out, int channels) {
  for (size_t at = 0; at < bytes; at += 32) {
    if (at + 32 > bytes) at = bytes - 32;
    const __m256i some = load(row + bytes - at - 32);
    store(out + at, channels == 1 ? reversed_bytes(some) : reversed_pixels(some));
  }
}

/* Five pixels of 3 bytes at a time; the byte too much that is stored is overwritten by the next. */
AVX2 static int32_t mirror_3(const uint8_t *row, int32_t width, uint8_t *out) {
  const __m128i order = _mm_setr_epi8(12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, -1);
  int32_t x = 0;
  for (; x + 6 <= width; x += 5) {
    const uint8_t *from = row + (size_t)(width - x - 5) * 3;
    const __m128i some = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)(out + (size_t)x * 3), _mm_shuffle_epi8(some, order));
  }
  return x;
}

static void mirror(const fc_emitter *e, const uint8_t *row, int32_t width, uint8_t *out) {
  const int channels = e->emit.channels;
  const size_t bytes = (size_t)width * (size_t)channels;
  if (channels != 3 && bytes >= 32) {
    mirror_whole(row, bytes, out, channels);
    return;
  }
  int32_t done = channels == 3 ? mirror_3(row, width, out) : 0;
  uint8_t *const rest[1] = {out + (size_t)done * (size_t)channels};
  fc_emit_scalar.bytes(e, row, width - done, 1, rest);
}

/* ---- planes ---- */

/* Eight pixels, so that each 128-bit lane holds four bytes of each of four channels. */
AVX2_INLINE __m256i eight(const uint8_t *from, const int channels, int flip) {
  if (channels == 3) {
    const __m256i spread = flip ? _mm256_setr_epi32(3, 4, 5, 5, 0, 1, 2, 2)
                                : _mm256_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5);
    const __m128i part = flip ? _mm_setr_epi8(9, 6, 3, 0, 10, 7, 4, 1, 11, 8, 5, 2, -1, -1, -1, -1)
                              : _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    return _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(load(from), spread), both(part));
  }
  const __m128i part = flip ? _mm_setr_epi8(12, 8, 4, 0, 13, 9, 5, 1, 14, 10, 6, 2, 15, 11, 7, 3)
                            : _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m256i pixels = flip ? _mm256_permute4x64_epi64(load(from), 0x4e) : load(from);
  return _mm256_shuffle_epi8(pixels, both(part));
}

AVX2_INLINE void part(const uint8_t *row, int32_t width, int32_t x, int flip, uint8_t *const *out,
                      const int channels) {
  const int32_t first = flip ? width - x - 8 : x, on = flip ? -8 : 8;
  __m256i some[4];
  for (int k = 0; k < 4; k++)
    some[k] = eight(row + (ptrdiff_t)(first + k * on) * channels, channels, flip);
  /* Groups of 4 bytes: a table of 4 x 4 is turned in each lane. */
  const __m256i a = _mm256_unpacklo_epi32(some[0], some[1]);
  const __m256i b = _mm256_unpacklo_epi32(some[2], some[3]);
  const __m256i c = _mm256_unpackhi_epi32(some[0], some[1]);
  const __m256i d = _mm256_unpackhi_epi32(some[2], some[3]);
  const __m256i plane[4] = {_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b),
                            _mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d)};
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (int v = 0; v < channels; v++)
    store(out[v] + x, _mm256_permutevar8x32_epi32(plane[v], order));
}

AVX2_INLINE void parts(const uint8_t *row, int32_t width, int flip, uint8_t *const *out,
                       const int channels) {
  for (int32_t x = 0; x < width; x += 32)
    part(row, width, FC_MIN(x, width - 32), flip, out, channels);
}

AVX2 static void parts_3(const uint8_t *row, int32_t width, int flip, uint8_t *const *out) {
  if (flip)
    parts(row, width, 1, out, 3);
  else
    parts(row, width, 0, out, 3);
}

AVX2 static void parts_4(const uint8_t *row, int32_t width, int flip, uint8_t *const *out) {
  if (flip)
    parts(row, width, 1, out, 4);
  else
    parts(row, width, 0, out, 4);
}

/* Ordinary stores always: rows of bytes seldom are whole lines. */
void fc_emit_bytes_avx2(const fc_emitter *e, const uint8_t *row, int32_t width, int flip,
                        uint8_t *const *out) {
  if (!e->emit.planar || e->emit.channels == 1)
    mirror(e, row, width, out[0]);
  else if (width < 32)
    fc_emit_scalar.bytes(e, row, width, flip, out);
  else if (e->emit.channels == 3)
    parts_3(row, width, flip, out);
  else
    parts_4(row, width, flip, out);
}

#else
typedef int fc_emit_bytes_avx2_is_empty; /* C11 knows no empty file */
#endif
