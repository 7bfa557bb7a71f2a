/* fuzz_memory.h: the most memory that was allocated between two points, as AddressSanitizer counts
 * it.  Without it (under valgrind) nothing is counted. */
#ifndef FC_TEST_FUZZ_MEMORY_H
#define FC_TEST_FUZZ_MEMORY_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_COUNTS_MEMORY 1
#endif
#endif

#ifdef FUZZ_COUNTS_MEMORY
#include <sanitizer/allocator_interface.h>

static int fuzz_memory_counts;
static ptrdiff_t fuzz_memory_now, fuzz_memory_peak;

static void fuzz_memory_on_malloc(const volatile void *memory, size_t size) {
  (void)memory;
  if (!fuzz_memory_counts) return;
  fuzz_memory_now += (ptrdiff_t)size;
  if (fuzz_memory_now > fuzz_memory_peak) fuzz_memory_peak = fuzz_memory_now;
}

static void fuzz_memory_on_free(const volatile void *memory) {
  if (!fuzz_memory_counts || !memory) return;
  fuzz_memory_now -= (ptrdiff_t)__sanitizer_get_allocated_size((const void *)memory);
}

static inline void fuzz_memory_start(void) {
  static int installed;
  if (!installed)
    __sanitizer_install_malloc_and_free_hooks(fuzz_memory_on_malloc, fuzz_memory_on_free);
  installed = 1;
  fuzz_memory_now = fuzz_memory_peak = 0;
  fuzz_memory_counts = 1;
}

static inline size_t fuzz_memory_stop(void) {
  fuzz_memory_counts = 0;
  return (size_t)fuzz_memory_peak;
}
#else
static inline void fuzz_memory_start(void) {}

static inline size_t fuzz_memory_stop(void) {
  return 0;
}
#endif

#endif
