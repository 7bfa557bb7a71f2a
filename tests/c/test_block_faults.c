/* test_block_faults.c: block.c with its Nth system call made to fail: the reason comes back, and
 * no descriptor or mapping is left. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static int fail_calls, fail_at, fail_reason; /* the call number fail_at fails with that errno */
static int populate_reason;                  /* every madvise fails with it, uncounted; 0: none */
static off_t interrupted_above;              /* longer posix_fallocates fail with EINTR; 0: none */

static int refused(void) {
  if (++fail_calls != fail_at) return 0;
  errno = fail_reason;
  return 1;
}

static int faulty_memfd_create(const char *name, unsigned flags) {
  return refused() ? -1 : memfd_create(name, flags);
}

static int faulty_ftruncate(int fd, off_t size) {
  return refused() ? -1 : ftruncate(fd, size);
}

static int faulty_posix_fallocate(int fd, off_t offset, off_t size) {
  if (interrupted_above != 0 && size > interrupted_above) return EINTR;
  return refused() ? fail_reason : posix_fallocate(fd, offset, size);
}

static void *faulty_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return refused() ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);
}

static int faulty_mprotect(void *at, size_t size, int protection) {
  return refused() ? -1 : mprotect(at, size, protection);
}

static int faulty_madvise(void *at, size_t size, int advice) {
  if (populate_reason != 0) {
    errno = populate_reason;
    return -1;
  }
  return refused() ? -1 : madvise(at, size, advice);
}

static int faulty_open(const char *path, int flags) {
  return refused() ? -1 : open(path, flags);
}

static int faulty_fstat(int fd, struct stat *info) {
  return refused() ? -1 : fstat(fd, info);
}

static int faulty_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const int value = command == F_ADD_SEALS ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return refused() ? -1 : fcntl(fd, command, value);
}

#define memfd_create faulty_memfd_create
#define ftruncate faulty_ftruncate
#define posix_fallocate faulty_posix_fallocate
#define mmap faulty_mmap
#define mprotect faulty_mprotect
#define madvise faulty_madvise
#define open faulty_open
#define fstat(fd, info) faulty_fstat(fd, info)
#define fcntl faulty_fcntl
/* Names of their own, since the library may be linked too. */
#define fc_block_create faulty_block_create
#define fc_block_open faulty_block_open
#define fc_block_inode faulty_block_inode
#define fc_block_seal faulty_block_seal
#define fc_block_allocate faulty_block_allocate
#include "../../csrc/block.c"

enum { SIZE = 1 << 20 };

static void fail_call(int number, int with) {
  fail_calls = 0;
  fail_at = number;
  fail_reason = with;
}

static int open_descriptors(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static int memfd_mappings(void) {
  char line[512];
  int count = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps) != NULL) count += strstr(line, "memfd:faults") != NULL;
  fclose(maps);
  return count;
}

static void check_nothing_left(const fc_block *block, int descriptors, int mappings) {
  CHECK(block->data == NULL);
  CHECK_INT(block->fd, -1);
  CHECK_INT(open_descriptors(), descriptors);
  CHECK_INT(memfd_mappings(), mappings);
}

static void test_create(void) {
  const int descriptors = open_descriptors();
  int detail = 0, failures = 0;
  for (int number = 1;; number++) {
    fc_block block;
    CHECK_CONTEXT("call %d", number);
    fail_call(number, ENOSPC);
    const fc_status status = fc_block_create(&block, SIZE, "faults", &detail);
    if (status == FC_OK) {
      fc_block_close(&block);
      break;
    }
    failures++;
    CHECK_INT(status, FC_E_IO);
    CHECK_INT(detail, ENOSPC);
    check_nothing_left(&block, descriptors, 0);
  }
  CHECK_INT(failures, 4); /* memfd_create, ftruncate, fcntl, mmap */
}

static void test_an_older_memfd(void) {
  int detail = 0;
  fc_block block;
  fail_call(1, EINVAL); /* an older kernel does not know every flag */
  CHECK_INT(fc_block_create(&block, SIZE, "faults", &detail), FC_OK);
  CHECK_INT(fcntl(block.fd, F_GET_SEALS) & SIZE_SEALS, SIZE_SEALS);
  fc_block_close(&block);
}

static fc_block make_block(size_t size) {
  fc_block block;
  int detail = 0;
  fail_call(0, 0);
  CHECK_INT(fc_block_create(&block, size, "faults", &detail), FC_OK);
  return block;
}

static int64_t allocated(const fc_block *block) {
  struct stat info;
  fail_call(0, 0);
  CHECK_INT(fstat(block->fd, &info), 0);
  return (int64_t)info.st_blocks * 512;
}

/* populate: what madvise says; number, reason: the counted call that fails, and its errno;
 * status, detail: what comes of it. */
static void allocate(int populate, int number, int reason, fc_status status, int detail) {
  fc_block block = make_block(SIZE);
  int seen = -1;
  CHECK_CONTEXT("populate says %d, call %d says %d", populate, number, reason);
  block.data[SIZE / 2] = 7;
  populate_reason = populate;
  fail_call(number, reason);
  CHECK_INT(fc_block_allocate(&block, 0, SIZE, &seen), status);
  CHECK_INT(seen, detail);
  populate_reason = 0;
  if (status == FC_OK) CHECK_INT(allocated(&block), SIZE);
  CHECK_INT(block.data[SIZE / 2], 7);
  CHECK_INT(block.data[SIZE - 1], 0);
  fc_block_close(&block);
}

static void test_allocate(void) {
  allocate(0, 0, 0, FC_OK, 0);
  allocate(0, 1, EINTR, FC_OK, 0);  /* the call is made again */
  allocate(0, 1, EINVAL, FC_OK, 0); /* here and below posix_fallocate steps in */
  allocate(EINVAL, 0, 0, FC_OK, 0); /* a kernel before 5.14 */
  allocate(EINVAL, 1, EINTR, FC_OK, 0);
  allocate(EINVAL, 1, ENOMEM, FC_E_IO, ENOMEM);
  allocate(EFAULT, 1, ENOSPC, FC_E_IO, ENOSPC); /* a store would have been a SIGBUS */
  allocate(EFAULT, 0, 0, FC_OK, 0);             /* what was in the way has gone */
  /* Memory is short: asking again would be no help. */
  allocate(ENOMEM, 0, 0, FC_E_IO, ENOMEM);
}

/* Under a profiler's timer no call that lasts longer than its tick ever succeeds. */
static void test_allocate_between_signals(void) {
  const int64_t size = (int64_t)20 << 20;
  fc_block block = make_block((size_t)size);
  int detail = 0;
  populate_reason = EINVAL;
  interrupted_above = 100 << 10;
  alarm(60); /* instead of hanging */
  CHECK_INT(fc_block_allocate(&block, 0, (size_t)size, &detail), FC_OK);
  alarm(0);
  populate_reason = 0;
  interrupted_above = 0;
  CHECK_INT(allocated(&block), size);
  fc_block_close(&block);
}

static void test_open(void) {
  fc_block block, reader;
  char path[64];
  int detail = 0, failures = 0;
  fail_call(0, 0);
  CHECK_INT(fc_block_create(&block, SIZE, "faults", &detail), FC_OK);
  const uint64_t inode = fc_block_inode(&block);
  const int descriptors = open_descriptors(), mappings = memfd_mappings();
  snprintf(path, sizeof path, "/proc/self/fd/%d", block.fd);
  for (int number = 1;; number++) {
    CHECK_CONTEXT("call %d", number);
    fail_call(number, EMFILE);
    const fc_status status = fc_block_open(&reader, path, inode, SIZE, &detail);
    if (status == FC_OK) break;
    failures++;
    CHECK(status == FC_E_CHANGED || (status == FC_E_IO && detail == EMFILE));
    check_nothing_left(&reader, descriptors, mappings);
  }
  CHECK_INT(failures, 4); /* open, fstat, fcntl, mmap */
  fc_block_close(&reader);

  fail_call(1, ENOMEM); /* mprotect */
  CHECK_INT(fc_block_seal(&block, &detail), FC_E_IO);
  CHECK_INT(detail, ENOMEM);
  CHECK(!block.sealed);
  block.data[0] = 1;
  fail_call(1, EBADF);
  CHECK_INT(fc_block_inode(&block), 0);
  fc_block_close(&block);
}

int main(void) {
  test_create();
  test_an_older_memfd();
  test_allocate();
  test_allocate_between_signals();
  test_open();
  return check_result();
}
