/* test_copy.c: fc_copy_run against memcpy: any length and alignment, any number of threads, and
 * counters that tell the truth. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "fastcache.h"

static uint32_t random_state = 7;

static int64_t between(int64_t low, int64_t high) {
  random_state = random_state * 1664525u + 1013904223u;
  return low + (int64_t)((random_state >> 8) % (uint64_t)(high - low + 1));
}

enum { GUARD_BYTE = 0xa5 };

/* Memories of exactly the bytes that the job may touch, the target full of guard bytes. */
typedef struct setup {
  fc_copy_job job;
  uint8_t *source, *target, *expected;
  int64_t *source_offset, *target_offset, *length;
  size_t target_size;
} setup;

/* length_of(item) bytes each, from random places, with gaps in the target. */
static setup new_setup(int64_t count, int64_t shortest, int64_t longest, int streaming) {
  setup s;
  const size_t table = sizeof(int64_t) * (size_t)count;
  const int64_t source_size = longest * 3 + 100;
  s.source = check_alloc((size_t)source_size);
  s.source_offset = check_alloc(table);
  s.target_offset = check_alloc(table);
  s.length = check_alloc(table);
  for (int64_t i = 0; i < source_size; i++) s.source[i] = (uint8_t)between(0, 255);
  int64_t at = 0;
  for (int64_t i = 0; i < count; i++) {
    at += between(0, 2) ? 0 : between(1, 70);
    s.length[i] = between(shortest, longest);
    s.source_offset[i] = between(0, source_size - s.length[i]);
    s.target_offset[i] = at;
    at += s.length[i];
  }
  s.target_size = (size_t)at;
  s.target = check_alloc(s.target_size);
  s.expected = check_alloc(s.target_size);
  memset(s.target, GUARD_BYTE, s.target_size);
  memset(s.expected, GUARD_BYTE, s.target_size);
  for (int64_t i = 0; i < count; i++)
    memcpy(s.expected + s.target_offset[i], s.source + s.source_offset[i], (size_t)s.length[i]);
  fc_copy_job job = {.cursor = {.count = count},
                     .source = s.source,
                     .target = s.target,
                     .source_offset = s.source_offset,
                     .target_offset = s.target_offset,
                     .length = shortest == longest ? NULL : s.length,
                     .row = longest,
                     .streaming = streaming};
  s.job = job;
  return s;
}

static void free_setup(setup *s) {
  free(s->source);
  free(s->target);
  free(s->expected);
  free(s->source_offset);
  free(s->target_offset);
  free(s->length);
}

static void check_done(setup *s) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < s->job.cursor.count; i++) bytes += s->length[i];
  CHECK(memcmp(s->target, s->expected, s->target_size) == 0);
  CHECK_INT(atomic_load(&s->job.cursor.done), s->job.cursor.count);
  CHECK_INT(atomic_load(&s->job.cursor.bytes), bytes);
  CHECK_INT(atomic_load(&s->job.cursor.failed), 0);
}

static void test_lengths(void) {
  static const int64_t ranges[][2] = {
      {0, 0},       {1, 1},    {0, 3},         {63, 63},       {64, 64},       {65, 65},  {0, 200},
      {3072, 3072}, {1, 9000}, {16384, 16384}, {16000, 17000}, {60000, 60000}, {0, 70001}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    for (int64_t count = 0; count < 300; count = count * 2 + 1)
      for (int streaming = 0; streaming < 2; streaming++) {
        setup s = new_setup(count, ranges[i][0], ranges[i][1], streaming);
        CHECK_CONTEXT("%d items of %d to %d bytes, streaming %d", (int)count, (int)ranges[i][0],
                      (int)ranges[i][1], streaming);
        fc_copy_run(&s.job);
        check_done(&s);
        fc_copy_run(&s.job); /* a late thread finds nothing to do */
        check_done(&s);
        free_setup(&s);
      }
}

static void *run_job(void *job) {
  fc_copy_run(job);
  return NULL;
}

static void test_threads(void) {
  for (int round = 0; round < 20; round++) {
    setup s = new_setup(500, round % 2 ? 700 : 0, 700, round % 4 < 2);
    pthread_t threads[4];
    CHECK_CONTEXT("threads, round %d", round);
    for (int i = 0; i < 4; i++) CHECK_INT(pthread_create(&threads[i], NULL, run_job, &s.job), 0);
    for (int i = 0; i < 4; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
    check_done(&s);
    free_setup(&s);
  }
}

static void test_cancel(void) {
  setup s = new_setup(100, 10, 10, 1);
  CHECK_CONTEXT("cancelled");
  atomic_store(&s.job.cursor.cancel, 1);
  fc_copy_run(&s.job);
  CHECK_INT(atomic_load(&s.job.cursor.done), 0);
  CHECK_INT(atomic_load(&s.job.cursor.bytes), 0);
  for (size_t i = 0; i < s.target_size; i++) CHECK_INT(s.target[i], GUARD_BYTE);
  free_setup(&s);
}

int main(void) {
  test_lengths();
  test_threads();
  test_cancel();
  return check_result();
}
