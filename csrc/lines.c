/* lines.c: runs of bytes past the cache, in whole cache lines.
 *
 * A line that is written in two parts costs the memory a read, or two writes, and rows of pixels
 * seldom end where lines do.  So the last part of a row waits until the next row completes it. */
#include <string.h>

#include "emit.h"

#ifdef __x86_64__
#include <emmintrin.h>

static void stream(uint8_t *line, const uint8_t *bytes) {
  const __m128i *from = (const __m128i *)(const void *)bytes;
  __m128i *to = (__m128i *)(void *)line;
  const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
  const __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
  _mm_stream_si128(to, a);
  _mm_stream_si128(to + 1, b);
  _mm_stream_si128(to + 2, c);
  _mm_stream_si128(to + 3, d);
}
#else
static void stream(uint8_t *line, const uint8_t *bytes) {
  memcpy(line, bytes, FC_LINE);
}
#endif

void fc_lines_begin(fc_lines *lines, uint8_t *at) {
  lines->at = at;
  lines->from = (uintptr_t)at % FC_LINE;
}

static void write_carry(fc_lines *lines) {
  uint8_t *line = lines->at - FC_LINE;
  if (lines->from == 0)
    stream(line, lines->carry);
  else /* the bytes before belong to others */
    memcpy(line + lines->from, lines->carry + lines->from, FC_LINE - lines->from);
  lines->from = 0;
}

void fc_lines_append(fc_lines *lines, const uint8_t *bytes, size_t count) {
  const size_t held = (uintptr_t)lines->at % FC_LINE;
  if (held) {
    /* Always a whole line: copies of unknown length take longer than the row. */
    const size_t some = FC_MIN(FC_LINE - held, count);
    memcpy(lines->carry + held, bytes, FC_LINE);
    lines->at += some, bytes += some, count -= some;
    if (held + some < FC_LINE) return;
    write_carry(lines);
  }
  for (; count >= FC_LINE; lines->at += FC_LINE, bytes += FC_LINE, count -= FC_LINE)
    stream(lines->at, bytes);
  memcpy(lines->carry, bytes, FC_LINE);
  lines->at += count;
}

void fc_lines_end(fc_lines *lines) {
  const size_t held = (uintptr_t)lines->at % FC_LINE;
  if (held > lines->from)
    memcpy(lines->at - (held - lines->from), lines->carry + lines->from, held - lines->from);
  lines->from = held;
}
