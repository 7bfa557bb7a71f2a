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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static int fail_calls, fail_at, fail_reason; /* the call number fail_at fails with that errno */

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
  return refused() ? fail_reason : posix_fallocate(fd, offset, size);
}

static void *faulty_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return refused() ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);
}

static int faulty_mprotect(void *at, size_t size, int protection) {
  return refused() ? -1 : mprotect(at, size, protection);
}

static int faulty_madvise(void *at, size_t size, int advice) {
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
#define fc_block_prefault faulty_block_prefault
#define fc_block_close faulty_block_close
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
  CHECK_INT(failures, 5); /* memfd_create, ftruncate, mmap, posix_fallocate, fcntl */
}

static void test_retries(void) {
  int detail = 0;
  fc_block block;
  fail_call(1, EINVAL); /* an older kernel does not know every flag */
  CHECK_INT(fc_block_create(&block, SIZE, "faults", &detail), FC_OK);
  CHECK_INT(fcntl(block.fd, F_GET_SEALS) & SIZE_SEALS, SIZE_SEALS);
  fc_block_close(&block);
  fail_call(4, EINTR); /* posix_fallocate */
  CHECK_INT(fc_block_create(&block, SIZE, "faults", &detail), FC_OK);
  fail_call(0, 0);
  struct stat info;
  CHECK_INT(fstat(block.fd, &info), 0);
  CHECK(info.st_blocks * 512 >= SIZE);
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

static long minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/* Kernels before 5.14 cannot populate: the pages are touched instead, and keep what they hold. */
static void test_prefault_by_touching(void) {
  const size_t page = page_size();
  fc_block block;
  int detail = 0;
  fail_call(0, 0);
  CHECK_INT(fc_block_create(&block, SIZE, "faults", &detail), FC_OK);
  for (size_t i = 0; i < block.size; i += 3 * page) block.data[i] = (uint8_t)(i / page);
  fail_call(1, EINVAL);
  fc_block_prefault(&block, 1, SIZE_MAX);
  const long before = minor_faults();
  size_t wrong = 0;
  for (size_t i = 0; i < block.size; i += page) {
    wrong += block.data[i] != (i % (3 * page) ? 0 : (uint8_t)(i / page));
    block.data[i] = 1;
  }
  CHECK_INT(wrong, 0);
  CHECK(minor_faults() - before < (long)(block.size / page / 4));
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  fail_call(1, EINVAL);
  fc_block_prefault(&block, 0, block.size); /* reads only */
  fail_call(1, ENOMEM);
  fc_block_prefault(&block, 0, block.size); /* a refusal is no reason to touch */
  CHECK_INT(block.data[0], 1);
  fc_block_close(&block);
}

int main(void) {
  test_create();
  test_retries();
  test_open();
  test_prefault_by_touching();
  return check_result();
}
