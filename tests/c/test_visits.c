/* test_visits.c: visits are counted within turns, by many threads at once, and nowhere else. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "fastcache_recipe.h"

enum { ROWS = 5, THREADS = 4, EACH = 20000 };

static fc_visits *counters(int64_t count) {
  return check_alloc(fc_visits_bytes(count));
}

/* Visits of one row before this one. */
static int64_t visit(fc_visits *visits, int64_t row, int64_t epoch_and_1) {
  uint32_t times = 99;
  uint64_t epoch = 99;
  CHECK_INT(fc_visit(visits, ROWS, &row, 1, &times, &epoch), FC_OK);
  CHECK_INT(epoch, epoch_and_1);
  return times;
}

static void test_turns(void) {
  fc_visits *visits = counters(ROWS);
  for (int i = 0; i < 3; i++) CHECK_INT(visit(visits, 4, 0), i);
  CHECK_INT(visit(visits, 0, 0), 0);
  /* The same epoch, told again, begins anew. */
  for (int again = 0; again < 3; again++) {
    CHECK_INT(fc_visits_tell(visits, ROWS, 7), FC_OK);
    for (int i = 0; i < 3; i++) CHECK_INT(visit(visits, 4, 8), i);
  }
  CHECK_INT(fc_visits_tell(visits, ROWS, 0), FC_OK);
  CHECK_INT(visit(visits, 1, 1), 0);
  const int64_t rows[4] = {2, 3, 2, 2};
  uint32_t times[4];
  uint64_t epoch;
  CHECK_INT(fc_visit(visits, ROWS, rows, 4, times, &epoch), FC_OK);
  CHECK(times[0] == 0 && times[1] == 0 && times[2] == 1 && times[3] == 2);
  free(visits);
}

/* A sample that was visited once is unvisited in every later turn, however many there are. */
static void test_many_turns(void) {
  fc_visits *visits = counters(ROWS);
  CHECK_INT(visit(visits, 1, 0), 0);
  for (uint64_t turn = 0; turn < 9000; turn++) {
    CHECK_INT(fc_visits_tell(visits, ROWS, turn), FC_OK);
    CHECK_INT(visit(visits, 2, (int64_t)turn + 1), 0);
    fc_visits *copy = counters(ROWS);
    memcpy(copy, visits, fc_visits_bytes(ROWS));
    CHECK_INT(visit(copy, 1, (int64_t)turn + 1), 0);
    free(copy);
  }
  atomic_store(&visits->turn, UINT64_MAX); /* the last number: the next is 0 again */
  CHECK_INT(fc_visits_tell(visits, ROWS, 3), FC_OK);
  CHECK_INT(visit(visits, 2, 4), 0);
  CHECK_INT(visit(visits, 2, 4), 1);
  free(visits);
}

static void test_most_visits(void) {
  fc_visits *visits = counters(ROWS);
  const int64_t most = (1 << FC_VISIT_BITS) - 1;
  for (int64_t i = 0; i <= most; i++) CHECK_INT(visit(visits, 3, 0), i);
  CHECK_INT(visit(visits, 3, 0), most);
  CHECK_INT(visit(visits, 2, 0), 0);
  free(visits);
}

static void test_what_is_refused(void) {
  fc_visits *visits = counters(ROWS);
  const int64_t rows[3][3] = {{0, 1, ROWS}, {0, -1, 1}, {INT64_MIN, INT64_MAX, 0}};
  uint32_t times[3];
  uint64_t epoch;
  for (int i = 0; i < 3; i++)
    CHECK_INT(fc_visit(visits, ROWS, rows[i], 3, times, &epoch), FC_E_ARGUMENT);
  CHECK_INT(fc_visits_tell(visits, ROWS, UINT64_MAX), FC_E_ARGUMENT);
  CHECK_INT(visit(visits, 0, 0), 0); /* nothing was counted, nothing told */
  CHECK_INT(fc_visit(visits, ROWS, NULL, 0, NULL, &epoch), FC_OK);
  CHECK_INT(fc_visits_bytes(-1), 0);
  CHECK_INT(fc_visits_bytes(INT64_MAX), 0);
  free(visits);
}

static fc_visits *shared;

static void *visit_often(void *out) {
  uint32_t *times = out;
  const int64_t row = 1;
  uint64_t epoch;
  for (int i = 0; i < EACH; i++) fc_visit(shared, ROWS, &row, 1, &times[i], &epoch);
  return NULL;
}

/* Threads that visit one sample at once: each number is given once. */
static void test_threads(void) {
  shared = counters(ROWS);
  pthread_t thread[THREADS];
  uint32_t *times = check_alloc(sizeof *times * THREADS * EACH);
  uint8_t *given = check_alloc(THREADS * EACH);
  for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, visit_often, times + i * EACH);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  int twice = 0;
  for (int i = 0; i < THREADS * EACH; i++)
    if (times[i] >= THREADS * EACH || given[times[i]]++) twice++;
  CHECK_INT(twice, 0);
  free(times);
  free(given);
  free(shared);
}

int main(void) {
  test_turns();
  test_many_turns();
  test_most_visits();
  test_what_is_refused();
  test_threads();
  return check_result();
}
