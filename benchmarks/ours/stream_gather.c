/* stream_gather.c: the limit that batches are held against.
 *
 * Nothing but rows copied by non-temporal stores, each line of the next row fetched while this one
 * is written: on one thread, without checks and without Python.  Of the forms tried on the same
 * memory (128 and 256 bit wide, fetching ahead in the same row, in the next one, or only its
 * start) this was the fastest.
 *
 *     cc -O3 -march=native -shared -fPIC -o stream_gather.so stream_gather.c
 */
#include <immintrin.h>
#include <stdint.h>

#ifndef __AVX2__
#error "this limit is written for x86-64 with AVX2"
#endif

enum { LINE = 64 };

/* source, target and row are multiples of 64 bytes. */
void stream_gather(uint8_t *target, const uint8_t *source, const int64_t *rows, int64_t count,
                   int64_t row) {
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *from = source + rows[i] * row;
    const uint8_t *next = source + rows[i + 1 < count ? i + 1 : i] * row;
    for (int64_t at = 0; at < row; at += LINE, target += LINE) {
      __m256i low = _mm256_load_si256((const __m256i *)(from + at));
      __m256i high = _mm256_load_si256((const __m256i *)(from + at + 32));
      _mm_prefetch((const char *)(next + at), _MM_HINT_T0);
      _mm256_stream_si256((__m256i *)target, low);
      _mm256_stream_si256((__m256i *)(target + 32), high);
    }
  }
  _mm_sfence();
}
