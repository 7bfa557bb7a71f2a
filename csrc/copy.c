/* copy.c: the gather behind every batch: many runs of bytes from one memory to another. */
#include <string.h>

#include "fc_internal.h"

#ifdef __x86_64__
#include <emmintrin.h>

/* SSE2 is part of every x86-64, and the memory, not the width of the registers, sets the pace. */
#define LINE 64
/* How far reading runs ahead of writing: past the end of one run into the start of the next, since
 * the processor's own prefetcher stops at every page and knows nothing of the next run. */
#define AHEAD 16384

/* Copy whole cache lines past the cache to an aligned target; fetch as much from `ahead`. */
static void stream_lines(uint8_t *target, const uint8_t *source, size_t lines,
                         const uint8_t *ahead) {
  for (; lines; lines--, target += LINE, source += LINE, ahead += LINE) {
    const __m128i *from = (const __m128i *)(const void *)source;
    __m128i *to = (__m128i *)(void *)target;
    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
    const __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
    _mm_stream_si128(to, a);
    _mm_stream_si128(to + 1, b);
    _mm_stream_si128(to + 2, c);
    _mm_stream_si128(to + 3, d);
  }
}

/* `next` are the next_length bytes that will be read after this run. */
static void stream_run(uint8_t *target, const uint8_t *source, size_t length, const uint8_t *next,
                       size_t next_length) {
  /* Streaming pays for whole lines only; what the edges share with other runs goes through the
   * cache. */
  size_t head = (size_t)(-(uintptr_t)target % LINE);
  if (head > length) head = length;
  memcpy(target, source, head);
  target += head, source += head, length -= head;

  size_t lines = length / LINE;
  const size_t own = lines > AHEAD / LINE ? lines - AHEAD / LINE : 0;
  stream_lines(target, source, own, source + AHEAD);
  target += own * LINE, source += own * LINE, lines -= own;
  const size_t shared = FC_MIN(lines, next_length / LINE);
  stream_lines(target, source, shared, next);
  target += shared * LINE, source += shared * LINE, lines -= shared;
  stream_lines(target, source, lines, source); /* nothing left to fetch */
  memcpy(target + lines * LINE, source + lines * LINE, length % LINE);
}

void fc_stream_end(void) {
  _mm_sfence();
}

#else

static void stream_run(uint8_t *target, const uint8_t *source, size_t length, const uint8_t *next,
                       size_t next_length) {
  (void)next, (void)next_length;
  memcpy(target, source, length);
}

void fc_stream_end(void) {}
#endif

void fc_stream_bytes(uint8_t *target, const uint8_t *source, size_t length) {
  stream_run(target, source, length, source, 0);
}

static int64_t grain_of(const fc_copy_job *job) {
  const int64_t most = 64;
  return FC_MIN(fc_cursor_grain(&job->cursor, job->length ? 1 : job->row, 65536), most);
}

static int64_t length_of(const fc_copy_job *job, int64_t item) {
  return job->length ? job->length[item] : job->row;
}

static void copy_item(const fc_copy_job *job, int64_t item, int64_t next) {
  uint8_t *target = job->target + job->target_offset[item];
  const uint8_t *source = job->source + job->source_offset[item];
  const size_t length = (size_t)length_of(job, item);
  if (!job->streaming) {
    memcpy(target, source, length);
  } else if (next >= 0) {
    stream_run(target, source, length, job->source + job->source_offset[next],
               (size_t)length_of(job, next));
  } else {
    stream_run(target, source, length, source, 0);
  }
}

void fc_copy_run(fc_copy_job *job) {
  fc_cursor *cursor = &job->cursor;
  const int64_t grain = grain_of(job);
  fc_stretch items = fc_cursor_take_stretch(cursor, grain);
  while (items.first < items.end) {
    /* Taken before these are copied, so that the start of it can be fetched meanwhile. */
    const fc_stretch after = fc_cursor_take_stretch(cursor, grain);
    int64_t bytes = 0;
    for (int64_t item = items.first; item < items.end; item++) {
      int64_t next = item + 1 < items.end ? item + 1 : after.first < after.end ? after.first : -1;
      copy_item(job, item, next);
      bytes += length_of(job, item);
    }
    atomic_fetch_add_explicit(&cursor->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&cursor->done, items.end - items.first, memory_order_relaxed);
    if (atomic_load_explicit(&cursor->cancel, memory_order_relaxed)) break;
    items = after;
  }
  /* Streamed bytes are visible to others from here on. */
  if (job->streaming) fc_stream_end();
}
