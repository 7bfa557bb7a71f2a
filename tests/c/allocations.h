/* allocations.h: counts what the program that includes it allocates, codec libraries included, by
 * standing in front of malloc.  That needs glibc and no sanitizer, which stands there itself;
 * COUNTS_ALLOCATIONS says whether it can be done. */
#ifndef FC_TEST_ALLOCATIONS_H
#define FC_TEST_ALLOCATIONS_H

#include <stdlib.h> /* defines __GLIBC__ where it is true */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 1
#include <malloc.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static size_t held, peak;

static void *counted(void *memory) {
  if (memory) held += malloc_usable_size(memory);
  if (held > peak) peak = held;
  return memory;
}

void *malloc(size_t size) {
  return counted(__libc_malloc(size));
}
void *calloc(size_t count, size_t size) {
  return counted(__libc_calloc(count, size));
}
void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = counted(__libc_memalign(alignment, size));
  return *memory ? 0 : 12; /* ENOMEM */
}
void *realloc(void *old, size_t size) {
  if (old) held -= malloc_usable_size(old);
  return counted(__libc_realloc(old, size));
}
void free(void *memory) {
  if (memory) held -= malloc_usable_size(memory);
  __libc_free(memory);
}

/* Bytes allocated; from here on the most is kept. */
static inline size_t allocated_now(void) {
  peak = held;
  return held;
}

static inline size_t allocated_most(void) {
  return peak;
}

#endif
#endif
