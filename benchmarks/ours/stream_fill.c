/* stream_fill.c: the limit that images made of series are held against.
 *
 * Nothing but one value written over and over by non-temporal stores, on one thread: no arithmetic,
 * nothing read.  `width` is that of the stores in bytes; both are tried, the faster one counts.
 *
 *     cc -O3 -march=native -shared -fPIC -o stream_fill.so stream_fill.c
 */
#include <immintrin.h>
#include <stdint.h>

#ifndef __AVX2__
#error "this limit is written for x86-64 with AVX2"
#endif

enum { LINE = 64 };

/* Whether this processor has stores of that width. */
int stream_width(int width) {
#ifdef __AVX512F__
  if (width == 64) return 1;
#endif
  return width == 32;
}

/* The whole lines of [target, target + bytes). */
void stream_fill(uint8_t *target, int64_t bytes, int width) {
  uint8_t *const end = (uint8_t *)((uintptr_t)(target + bytes) / LINE * LINE);
  uint8_t *at = (uint8_t *)(((uintptr_t)target + LINE - 1) / LINE * LINE);
#ifdef __AVX512F__
  const __m512i wide = _mm512_set1_epi32(0x3f000000);
  for (; width == 64 && at < end; at += LINE) _mm512_stream_si512((__m512i *)at, wide);
#endif
  const __m256i value = _mm256_set1_epi32(0x3f000000);
  for (; at < end; at += LINE) {
    _mm256_stream_si256((__m256i *)at, value);
    _mm256_stream_si256((__m256i *)(at + 32), value);
  }
  (void)width;
  _mm_sfence();
}
