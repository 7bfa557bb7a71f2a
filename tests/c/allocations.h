/* allocations.h: counts what the program that includes it allocates, codec libraries included, by
 * standing in front of malloc and, for what the core maps, of mmap.  That needs glibc and no
 * sanitizer, which stands there itself; COUNTS_ALLOCATIONS says whether it can be done.  A file
 * that includes it first needs no other feature macros. */
#ifndef FC_TEST_ALLOCATIONS_H
#define FC_TEST_ALLOCATIONS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include <stdlib.h> /* defines __GLIBC__ where it is true */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 1
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* malloc's own mappings do not come by here. */
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  const long made = syscall(SYS_mmap, address, size, protection, flags, fd, offset);
  if (made != -1) held += size;
  if (held > peak) peak = held;
  return (void *)made;
}
int munmap(void *address, size_t size) {
  held -= size;
  return (int)syscall(SYS_munmap, address, size);
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
