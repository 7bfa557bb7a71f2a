/* mapping.c: a block whose bytes are parts of files, side by side in one range of addresses.
 *
 * POSIX only, so that arenas of files work where nameless shared memory does not.  Address space is
 * reserved first and files are mapped into it, so that one array may span any number of files, and
 * nothing can be mapped over anybody else's memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE /* MAP_ANON, madvise */
#endif

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fc_internal.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifdef __linux__ /* 5.4: newer than the headers of the oldest systems we build on */
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#endif

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

fc_status fc_block_reserve(fc_block *block, size_t size, int *detail) {
  const size_t page = page_size();
  *block = (fc_block){.data = NULL, .size = 0, .fd = -1, .owner = 0, .sealed = 0};
  *detail = 0;
  if (size == 0 || size > (size_t)PTRDIFF_MAX - page) return FC_E_ARGUMENT;
  const size_t rounded = (size + page - 1) / page * page;
  void *data = mmap(NULL, rounded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    *detail = errno;
    return FC_E_IO;
  }
  block->data = data;
  block->size = rounded;
  block->sealed = 1;
  return FC_OK;
}

/* Reading behind the end of a file would be a SIGBUS. */
static fc_status check_file(int fd, size_t offset, size_t length, int *detail) {
  struct stat about;
  if (fstat(fd, &about) != 0) {
    *detail = errno;
    return FC_E_IO;
  }
  if (!S_ISREG(about.st_mode)) return FC_E_NOT_REGULAR;
  const uint64_t size = (uint64_t)about.st_size;
  return offset > size || length > size - offset ? FC_E_CHANGED : FC_OK;
}

fc_status fc_block_map_file(fc_block *block, size_t at, int fd, size_t file_offset, size_t length,
                            int *detail) {
  const size_t page = page_size();
  *detail = 0;
  if (block->data == NULL || block->fd >= 0) return FC_E_ARGUMENT;
  if (at % page || file_offset % page || length % page || length == 0) return FC_E_ARGUMENT;
  if (at > block->size || length > block->size - at) return FC_E_ARGUMENT;
  if (file_offset > (size_t)PTRDIFF_MAX) return FC_E_ARGUMENT;
  const fc_status status = check_file(fd, file_offset, length, detail);
  if (status != FC_OK) return status;

  if (mmap(block->data + at, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)file_offset) ==
      MAP_FAILED) {
    *detail = errno;
    return FC_E_IO;
  }
  return FC_OK;
}

/* What the kernel calls an advice; -1 where this system has no such, -2 if there is none at all. */
static int kernel_advice(fc_advice advice) {
  switch (advice) {
    case FC_WILLNEED:
      return MADV_WILLNEED;
    case FC_DONTNEED:
      return MADV_DONTNEED;
    case FC_RANDOM:
      return MADV_RANDOM;
    case FC_NORMAL:
      return MADV_NORMAL;
#ifdef MADV_PAGEOUT
    case FC_COLD:
      return MADV_COLD;
    case FC_PAGEOUT:
      return MADV_PAGEOUT;
#else
    case FC_COLD:
    case FC_PAGEOUT:
      return -1;
#endif
    default:
      return -2;
  }
}

static fc_status advise_range(const fc_block *block, size_t begin, size_t end, fc_advice advice,
                              int kernel, int *detail) {
  const size_t page = page_size();
  if (advice == FC_WILLNEED) { /* pages that are used in part are needed */
    begin -= begin % page;
    end += (page - end % page) % page;
  } else { /* and others may need the rest of such a page */
    begin += (page - begin % page) % page;
    end -= end % page;
  }
  if (begin >= end) return FC_OK;
  if (madvise(block->data + begin, end - begin, kernel) == 0) return FC_OK;
  /* What Linux without swap says of addresses behind which there is no file: nothing to read. */
  if (advice == FC_WILLNEED && errno == EBADF) return FC_OK;
  *detail = errno;
  return FC_E_IO;
}

fc_status fc_block_advise(const fc_block *block, const int64_t *offsets, const int64_t *lengths,
                          size_t count, fc_advice advice, int *detail) {
  const int kernel = kernel_advice(advice);
  *detail = 0;
  if (block->data == NULL || kernel == -2) return FC_E_ARGUMENT;
  for (size_t k = 0; k < count; k++) { /* all of it is right, or nothing is done */
    if (offsets[k] < 0 || lengths[k] < 0 || (size_t)offsets[k] > block->size) return FC_E_ARGUMENT;
    if ((size_t)lengths[k] > block->size - (size_t)offsets[k]) return FC_E_ARGUMENT;
  }
  if (kernel == -1) {
    *detail = ENOSYS;
    return FC_E_IO;
  }
  for (size_t k = 0; k < count; k++) {
    const size_t begin = (size_t)offsets[k], end = begin + (size_t)lengths[k];
    const fc_status status = advise_range(block, begin, end, advice, kernel, detail);
    if (status != FC_OK) return status;
  }
  return FC_OK;
}

void fc_block_close(fc_block *block) {
  /* Both calls concern this process alone: a child of fork has its own mapping and descriptor. */
  if (block->data != NULL) munmap(block->data, block->size);
  if (block->fd >= 0) close(block->fd);
  *block = (fc_block){.data = NULL, .size = 0, .fd = -1, .owner = 0, .sealed = 0};
}
