/* check.h: assertions for the C tests.  A failed one prints where and what and the test goes on;
 * main() ends with `return check_result();`. */
#ifndef FC_TEST_CHECK_H
#define FC_TEST_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static long check_count, check_failures;

/* Shown with every failure: what the loop around the assertion is at. */
static char check_context[256];
#define CHECK_CONTEXT(...) snprintf(check_context, sizeof check_context, __VA_ARGS__)

static inline void check_failed(const char *file, int line, const char *what) {
  check_failures++;
  if (check_failures <= 20) fprintf(stderr, "%s:%d: %s [%s]\n", file, line, what, check_context);
}

#define CHECK(condition)                                            \
  do {                                                              \
    check_count++;                                                  \
    if (!(condition)) check_failed(__FILE__, __LINE__, #condition); \
  } while (0)

#define CHECK_INT(actual, expected)                                                            \
  do {                                                                                         \
    intmax_t check_a = (intmax_t)(actual), check_e = (intmax_t)(expected);                     \
    char check_text[256];                                                                      \
    check_count++;                                                                             \
    snprintf(check_text, sizeof check_text, "%s is %" PRIdMAX ", expected %" PRIdMAX, #actual, \
             check_a, check_e);                                                                \
    if (check_a != check_e) check_failed(__FILE__, __LINE__, check_text);                      \
  } while (0)

/* An allocation that a test cannot go on without. */
static inline void *check_alloc(size_t size) {
  void *memory = calloc(1, size ? size : 1);
  if (!memory) {
    fprintf(stderr, "out of memory in a test\n");
    exit(2);
  }
  return memory;
}

static inline int check_result(void) {
  printf("%ld checks, %ld failed\n", check_count, check_failures);
  return check_failures != 0 || check_count == 0;
}

#endif
