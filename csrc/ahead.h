/* ahead.h: bytes that will be needed soon, fetched a few cache lines at a time. */
#ifndef FC_AHEAD_H
#define FC_AHEAD_H

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "resample.h"

typedef struct fc_fetch {
  fc_ahead ahead;
  int32_t row;
  size_t x;      /* bytes of the row that were fetched */
  int32_t lines; /* at a time */
} fc_fetch;

/* All of it in `times` parts. */
static inline void fc_fetch_begin(fc_fetch *fetch, const fc_ahead *ahead, int32_t times) {
  const int64_t line = 64;
  *fetch = (fc_fetch){.ahead = *ahead};
  const int64_t lines = ahead->rows * (((int64_t)ahead->bytes + line - 1) / line + 1);
  fetch->lines = (int32_t)FC_MIN((lines + times - 1) / times, 1024);
}

static inline void fc_fetch_some(fc_fetch *fetch) {
#ifdef __x86_64__
  const size_t bytes = fetch->ahead.bytes;
  for (int32_t i = 0; i < fetch->lines && fetch->row < fetch->ahead.rows; i++) {
    const uint8_t *row = fetch->ahead.at + (size_t)fetch->row * fetch->ahead.stride;
    _mm_prefetch((const char *)row + FC_MIN(fetch->x, bytes - 1), _MM_HINT_T1);
    fetch->x += 64;
    /* A row that does not begin where a line does touches one line more. */
    if (fetch->x >= bytes + 63) {
      fetch->x = 0;
      fetch->row++;
    }
  }
#else
  (void)fetch;
#endif
}

#endif
