/* block.c: nameless memory of one process that others map read-only.
 *
 * The only Linux file of the core: memfd_create, file seals and /proc/PID/fd have no portable
 * twin.  Elsewhere every request is answered with FC_E_IO and ENOSYS, and the homes that are made
 * of files (mapping.c) serve instead. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fc_internal.h"

#include <errno.h>

static const fc_block CLOSED = {.data = NULL, .size = 0, .fd = -1, .owner = 0, .sealed = 0};

#ifdef __linux__

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* Newer than the headers of the oldest systems we build on; the kernel says whether it knows. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

/* Close what a failed call had opened so far, and keep the reason. */
static fc_status fail(fc_block *block, fc_status status, int reason, int *detail) {
  fc_block_close(block);
  *detail = reason;
  return status;
}

static int open_memfd(const char *name) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  return fd;
}

/* memfd pages escape the kernel's overcommit check, so asking for more than the machine has would
 * end with the OOM killer instead of an error. */
static int exceeds_machine(size_t size) {
  struct sysinfo info;
  if (sysinfo(&info) != 0) return 0;
  return size / info.mem_unit > (size_t)info.totalram + info.totalswap;
}

static int map(fc_block *block, int protection) {
  void *data = mmap(NULL, block->size, protection, MAP_SHARED, block->fd, 0);
  if (data == MAP_FAILED) return errno;
  block->data = data;
  return 0;
}

fc_status fc_block_create(fc_block *block, size_t size, const char *name, int *detail) {
  const size_t page = page_size();
  *block = CLOSED;
  *detail = 0;
  if (size == 0 || size > (size_t)PTRDIFF_MAX - page || name == NULL) return FC_E_ARGUMENT;
  if (exceeds_machine(size)) return fail(block, FC_E_IO, ENOMEM, detail);
  block->fd = open_memfd(name);
  if (block->fd < 0) return fail(block, FC_E_IO, errno, detail);
  block->size = (size + page - 1) / page * page;
  block->owner = 1;
  if (ftruncate(block->fd, (off_t)block->size) != 0) return fail(block, FC_E_IO, errno, detail);
  if (fcntl(block->fd, F_ADD_SEALS, SIZE_SEALS) != 0) return fail(block, FC_E_IO, errno, detail);
  const int error = map(block, PROT_READ | PROT_WRITE);
  if (error != 0) return fail(block, FC_E_IO, error, detail);
  return FC_OK;
}

/* Memory for the pages of a range, which begins at one: 0 or errno.
 *
 * Populating allocates and maps in one go, and threads do it side by side, where posix_fallocate
 * holds the file's only lock and leaves the mapping to a page fault each.  But it is not there
 * before Linux 5.14 (EINVAL), and answers EFAULT to whatever would be a SIGBUS on a store;
 * posix_fallocate then does the work, or knows the reason. */
static int give_pages(const fc_block *block, size_t at, size_t size) {
  if (madvise(block->data + at, size, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno == EINTR || errno == ENOMEM) return errno;
  return posix_fallocate(block->fd, (off_t)at, (off_t)size);
}

fc_status fc_block_allocate(fc_block *block, size_t offset, size_t size, int *detail) {
  /* The largest keeps threads that map or unmap meanwhile from waiting long.  A signal makes older
   * kernels give back what the posix_fallocate that it interrupts had allocated, so a timer that
   * ticks faster than a call lasts would never let it end: steps shrink until they fit between. */
  const size_t largest = (size_t)4 << 20, smallest = (size_t)64 << 10;
  *detail = 0;
  if (block->data == NULL || block->sealed) return FC_E_ARGUMENT;
  if (offset > block->size || size > block->size - offset) return FC_E_ARGUMENT;
  const size_t end = offset + size;
  size_t step = largest;
  for (size_t at = offset - offset % page_size(); at < end;) {
    const size_t part = FC_MIN(step, end - at);
    const int error = give_pages(block, at, part);
    if (error == EINTR) {
      step = FC_MAX(step / 2, smallest);
    } else if (error != 0) {
      *detail = error;
      return FC_E_IO;
    } else {
      at += part;
      step = FC_MIN(step * 2, largest);
    }
  }
  return FC_OK;
}

/* Map what block->fd stands for, if it is shared memory of a sealed size with this inode and size.
 */
static fc_status map_known(fc_block *block, uint64_t inode, size_t size, int protection,
                           int *detail) {
  struct stat info;
  if (fstat(block->fd, &info) != 0) return fail(block, FC_E_IO, errno, detail);
  const int seals = fcntl(block->fd, F_GET_SEALS); /* -1 for what is no memfd */
  if (!S_ISREG(info.st_mode) || (uint64_t)info.st_ino != inode || (uint64_t)info.st_size != size ||
      seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS) {
    return fail(block, FC_E_CHANGED, 0, detail);
  }
  block->size = size;
  const int error = map(block, protection);
  if (error != 0) return fail(block, FC_E_IO, error, detail);
  return FC_OK;
}

fc_status fc_block_open(fc_block *block, const char *path, uint64_t inode, size_t size,
                        int *detail) {
  *block = CLOSED;
  *detail = 0;
  if (path == NULL || size == 0 || size > (size_t)PTRDIFF_MAX) return FC_E_ARGUMENT;
  /* The number may by now stand for a FIFO or a terminal: neither wait for it nor adopt it. */
  block->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (block->fd < 0) return fail(block, FC_E_IO, errno, detail);
  const fc_status status = map_known(block, inode, size, PROT_READ, detail);
  if (status == FC_OK) block->sealed = 1;
  return status;
}

fc_status fc_block_adopt(fc_block *block, int fd, uint64_t inode, size_t size, int *detail) {
  *block = CLOSED;
  *detail = 0;
  if (fd < 0 || size == 0 || size > (size_t)PTRDIFF_MAX) return FC_E_ARGUMENT;
  block->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (block->fd < 0) return fail(block, FC_E_IO, errno, detail);
  return map_known(block, inode, size, PROT_READ | PROT_WRITE, detail);
}

uint64_t fc_block_inode(const fc_block *block) {
  struct stat info;
  if (block->fd < 0 || fstat(block->fd, &info) != 0) return 0;
  return (uint64_t)info.st_ino;
}

fc_status fc_block_seal(fc_block *block, int *detail) {
  *detail = 0;
  if (block->data == NULL) return FC_E_ARGUMENT;
  if (block->sealed) return FC_OK;
  if (mprotect(block->data, block->size, PROT_READ) != 0) {
    *detail = errno;
    return FC_E_IO;
  }
  block->sealed = 1;
  return FC_OK;
}

#else

fc_status fc_block_create(fc_block *block, size_t size, const char *name, int *detail) {
  (void)name;
  *block = CLOSED;
  *detail = ENOSYS;
  return size == 0 ? FC_E_ARGUMENT : FC_E_IO;
}

fc_status fc_block_allocate(fc_block *block, size_t offset, size_t size, int *detail) {
  (void)block, (void)offset, (void)size;
  *detail = ENOSYS;
  return FC_E_IO;
}

fc_status fc_block_open(fc_block *block, const char *path, uint64_t inode, size_t size,
                        int *detail) {
  (void)path, (void)inode, (void)size;
  *block = CLOSED;
  *detail = ENOSYS;
  return FC_E_IO;
}

fc_status fc_block_adopt(fc_block *block, int fd, uint64_t inode, size_t size, int *detail) {
  (void)fd, (void)inode, (void)size;
  *block = CLOSED;
  *detail = ENOSYS;
  return FC_E_IO;
}

uint64_t fc_block_inode(const fc_block *block) {
  (void)block;
  return 0;
}

fc_status fc_block_seal(fc_block *block, int *detail) {
  (void)block;
  *detail = ENOSYS;
  return FC_E_IO;
}

#endif
