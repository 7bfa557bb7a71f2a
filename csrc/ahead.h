/* ahead.h: bytes that will be needed soon, fetched a few cache lines at a time. */
#ifndef FC_AHEAD_H
#define FC_AHEAD_H

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "fc_internal.h"

/* Where the source of the next image lies, to be fetched while rows of this one are finished, a few
 * lines with each: more at once would wait for one another. */
typedef struct fc_ahead {
  const uint8_t *at;
  size_t stride, bytes; /* of the rows that will be needed */
  int32_t rows;
} fc_ahead;

typedef struct fc_fetch {
  fc_ahead ahead;
  int32_t row;
  size_t x;      /* bytes of the row that were fetched */
  int32_t lines; /* at a time */
} fc_fetch;

/* All of it in `times` parts; NULL: nothing. */
static inline void fc_fetch_begin(fc_fetch *fetch, const fc_ahead *ahead, int32_t times) {
  const int64_t line = 64;
  *fetch = (fc_fetch){.lines = 0};
  if (!ahead) return;
  fetch->ahead = *ahead;
  const int64_t lines = ahead->rows * (((int64_t)ahead->bytes + line - 1) / line + 1);
  fetch->lines = (int32_t)FC_MIN((lines + times - 1) / times, 1024);
}

/* Into the first cache: it is small, and most will have gone to the second one by the time they are
 * read.  But what is fetched into the second one alone comes a quarter more slowly. */
static inline void fc_fetch_lines(fc_fetch *fetch, int32_t lines) {
#ifdef __x86_64__
  const size_t bytes = fetch->ahead.bytes;
  for (int32_t i = 0; i < lines && fetch->row < fetch->ahead.rows; i++) {
    const uint8_t *row = fetch->ahead.at + (size_t)fetch->row * fetch->ahead.stride;
    _mm_prefetch((const char *)row + FC_MIN(fetch->x, bytes - 1), _MM_HINT_T0);
    fetch->x += 64;
    /* A row that does not begin where a line does touches one line more. */
    if (fetch->x >= bytes + 63) {
      fetch->x = 0;
      fetch->row++;
    }
  }
#else
  (void)fetch, (void)lines;
#endif
}

static inline void fc_fetch_some(fc_fetch *fetch) {
  fc_fetch_lines(fetch, fetch->lines);
}

#endif
