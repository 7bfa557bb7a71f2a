/* deadline.c: how long one image may take. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "fc_internal.h"

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

fc_deadline fc_deadline_in(int32_t milliseconds) {
  fc_deadline deadline = {milliseconds > 0 ? now() + (int64_t)milliseconds * 1000000 : 0};
  return deadline;
}

int fc_deadline_passed(const fc_deadline *deadline) {
  return deadline->at && now() > deadline->at;
}
