/* random.h: the same numbers in every run. */
#ifndef FC_TEST_RANDOM_H
#define FC_TEST_RANDOM_H

static unsigned random_state = 1;

static inline int random_below(int limit) {
  random_state = random_state * 1664525u + 1013904223u;
  return (int)((random_state >> 8) % (unsigned)limit);
}

#endif
