/* test_block.c: shared memory is reserved and allocated, read-only for others, and given back. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fastcache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { SIZE = 3 << 20, CAUGHT = 42 };

static char path_buffer[64];

static const char *fd_path(int fd) {
  snprintf(path_buffer, sizeof path_buffer, "/proc/self/fd/%d", fd);
  return path_buffer;
}

static fc_block make_block(size_t size) {
  fc_block block;
  int detail = -1;
  CHECK_INT(fc_block_create(&block, size, "test", &detail), FC_OK);
  CHECK_INT(detail, 0);
  return block;
}

static size_t allocated(const fc_block *block) {
  struct stat info;
  CHECK_INT(fstat(block->fd, &info), 0);
  return (size_t)info.st_blocks * 512;
}

/* Exit status of a child that runs `body`; -1 if it did not exit by itself. */
static int in_child(void (*body)(fc_block *), fc_block *block) {
  int status = 0;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    body(block);
    _exit(0);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_closed(const fc_block *block) {
  CHECK(block->data == NULL);
  CHECK_INT(block->size, 0);
  CHECK_INT(block->fd, -1);
}

static long minor_faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static void test_create(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  fc_block block = make_block(page + 1);
  CHECK_INT(block.size, 2 * page);
  CHECK(block.owner && !block.sealed);
  CHECK((uintptr_t)block.data % page == 0);
  CHECK(fc_block_inode(&block) != 0);
  CHECK(fcntl(block.fd, F_GETFD) & FD_CLOEXEC);
  CHECK_INT(allocated(&block), 0);

  for (int grow = 0; grow < 2; grow++) {
    CHECK_INT(ftruncate(block.fd, (off_t)(grow ? 3 * page : page)), -1);
    CHECK_INT(errno, EPERM);
  }
  const int fd = block.fd;
  fc_block_close(&block);
  check_closed(&block);
  CHECK_INT(fcntl(fd, F_GETFD), -1);
  fc_block_close(&block);
  CHECK_INT(fc_block_inode(&block), 0);
}

static void test_refused_sizes(void) {
  fc_block block;
  int detail;
  CHECK_INT(fc_block_create(&block, 0, "test", &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_create(&block, SIZE_MAX, "test", &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_create(&block, 1, NULL, &detail), FC_E_ARGUMENT);
  check_closed(&block);
  for (int tib = 100; tib <= 1024; tib += 924) { /* 100 TiB, 1 PiB */
    CHECK_INT(fc_block_create(&block, (size_t)tib << 40, "test", &detail), FC_E_IO);
    CHECK_INT(detail, ENOMEM);
    check_closed(&block);
  }
  char name[512];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  CHECK_INT(fc_block_create(&block, 1, name, &detail), FC_E_IO);
  CHECK_INT(detail, EINVAL);
}

static void over_the_file_limit(fc_block *block) {
  const struct rlimit limit = {1 << 20, 1 << 20};
  int detail = 0;
  signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(1);
  if (fc_block_create(block, 2 << 20, "test", &detail) != FC_E_IO) _exit(2);
  if (detail != EFBIG || block->fd != -1) _exit(3);
}

static void test_open(void) {
  fc_block block = make_block(SIZE), reader;
  int detail = -1;
  memset(block.data, 7, SIZE);
  const uint64_t inode = fc_block_inode(&block);
  CHECK_INT(fc_block_open(&reader, fd_path(block.fd), inode, block.size, &detail), FC_OK);
  CHECK(!reader.owner && reader.sealed);
  CHECK_INT(fc_block_inode(&reader), inode);
  CHECK(memcmp(reader.data, block.data, SIZE) == 0);
  block.data[SIZE - 1] = 9;
  CHECK_INT(reader.data[SIZE - 1], 9);
  /* Not even on purpose: the descriptor is open for reading only. */
  CHECK_INT(mprotect(reader.data, reader.size, PROT_READ | PROT_WRITE), -1);
  CHECK_INT(errno, EACCES);
  fc_block_close(&block);
  CHECK_INT(reader.data[SIZE - 1], 9);
  fc_block_close(&reader);
}

/* Whoever helps to fill writes into the same pages, through a descriptor of its own. */
static void test_adopt(void) {
  fc_block block = make_block(SIZE), helper;
  int detail = -1, pipes[2];
  const uint64_t inode = fc_block_inode(&block);
  CHECK_INT(fc_block_adopt(&helper, block.fd, inode, block.size, &detail), FC_OK);
  CHECK(!helper.owner && !helper.sealed && helper.fd != block.fd);
  CHECK(fcntl(helper.fd, F_GETFD) & FD_CLOEXEC);
  helper.data[SIZE - 1] = 9;
  CHECK_INT(block.data[SIZE - 1], 9);
  fc_block_close(&helper);
  check_closed(&helper);
  CHECK_INT(fc_block_adopt(&helper, block.fd, inode + 1, block.size, &detail), FC_E_CHANGED);
  CHECK_INT(fc_block_adopt(&helper, block.fd, inode, block.size / 2, &detail), FC_E_CHANGED);
  check_closed(&helper);
  CHECK_INT(fc_block_adopt(&helper, -1, inode, block.size, &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_adopt(&helper, block.fd, inode, 0, &detail), FC_E_ARGUMENT);
  CHECK_INT(pipe(pipes), 0);
  CHECK_INT(fc_block_adopt(&helper, pipes[0], inode, block.size, &detail), FC_E_CHANGED);
  close(pipes[0]);
  close(pipes[1]);
  CHECK_INT(fc_block_adopt(&helper, pipes[0], inode, block.size, &detail), FC_E_IO);
  CHECK_INT(detail, EBADF);
  check_closed(&helper);
  fc_block_close(&block);
}

static void refuse(const char *path, uint64_t inode, size_t size, fc_status status, int reason) {
  fc_block reader;
  int detail = -1;
  CHECK_INT(fc_block_open(&reader, path, inode, size, &detail), status);
  CHECK_INT(detail, reason);
  check_closed(&reader);
}

static void test_refused_openings(void) {
  fc_block block = make_block(SIZE);
  const uint64_t inode = fc_block_inode(&block);
  struct stat info;
  refuse(fd_path(block.fd), inode + 1, block.size, FC_E_CHANGED, 0);
  refuse(fd_path(block.fd), inode, block.size / 2, FC_E_CHANGED, 0);
  refuse(fd_path(block.fd), inode, 0, FC_E_ARGUMENT, 0);
  refuse(fd_path(9999), inode, block.size, FC_E_IO, ENOENT);
  refuse(NULL, inode, block.size, FC_E_ARGUMENT, 0);
  fc_block_close(&block);

  /* One whose size may still shrink would be a SIGBUS in waiting. */
  const int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(unsealed >= 0 && ftruncate(unsealed, SIZE) == 0 && fstat(unsealed, &info) == 0);
  refuse(fd_path(unsealed), (uint64_t)info.st_ino, SIZE, FC_E_CHANGED, 0);
  close(unsealed);

  int ends[2]; /* a pipe without a writer's byte must not be waited for */
  CHECK(pipe(ends) == 0 && fstat(ends[0], &info) == 0);
  refuse(fd_path(ends[0]), (uint64_t)info.st_ino, SIZE, FC_E_CHANGED, 0);
  close(ends[0]);
  close(ends[1]);
}

static void caught(int number) {
  (void)number;
  _exit(CAUGHT);
}

static void write_a_byte(fc_block *block) {
  signal(SIGSEGV, caught);
  *(volatile uint8_t *)block->data = 1;
}

static void test_seal(void) {
  fc_block block = make_block(SIZE);
  int detail = -1;
  block.data[0] = 5;
  CHECK_INT(in_child(write_a_byte, &block), 0);
  CHECK_INT(block.data[0], 1); /* shared with children until then */
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  CHECK(block.sealed);
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  CHECK_INT(in_child(write_a_byte, &block), CAUGHT);
  CHECK_INT(block.data[0], 1);
  fc_block_close(&block);
  CHECK_INT(fc_block_seal(&block, &detail), FC_E_ARGUMENT);
}

static void close_it(fc_block *block) {
  fc_block_close(block);
}

static void test_fork(void) {
  fc_block block = make_block(SIZE);
  memset(block.data, 3, SIZE);
  CHECK_INT(in_child(close_it, &block), 0);
  CHECK_INT(block.data[SIZE - 1], 3);
  block.data[SIZE - 1] = 4;
  CHECK(fc_block_inode(&block) != 0);
  fc_block_close(&block);
}

static void test_allocate(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  fc_block block = make_block(SIZE);
  int detail = -1;
  CHECK_INT(fc_block_allocate(&block, page + 1, page, &detail), FC_OK);
  CHECK_INT(detail, 0);
  CHECK_INT(allocated(&block), 2 * page);
  block.data[page] = 8;
  CHECK_INT(fc_block_allocate(&block, 0, block.size, &detail), FC_OK);
  CHECK_INT(allocated(&block), block.size);
  size_t sum = 0;
  for (size_t i = 0; i < block.size; i++) sum += block.data[i];
  CHECK_INT(sum, 8); /* zeros, but for what was written */
  CHECK_INT(fc_block_allocate(&block, block.size, 0, &detail), FC_OK);
  fc_block_close(&block);
}

static void test_allocated_pages_are_mapped(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  fc_block block = make_block(SIZE);
  int detail = -1;
  if (madvise(block.data, page, 23) != 0) { /* MADV_POPULATE_WRITE: not before Linux 5.14 */
    fc_block_close(&block);
    return;
  }
  CHECK_INT(fc_block_allocate(&block, 1, block.size - 2, &detail), FC_OK); /* whole pages */
  const long before = minor_faults();
  for (size_t at = 0; at < block.size; at += page) block.data[at] = 1;
  CHECK(minor_faults() - before < (long)(block.size / page / 4));
  fc_block_close(&block);
}

static void test_refused_ranges(void) {
  fc_block block = make_block(SIZE);
  const size_t end = block.size;
  const size_t ranges[][2] = {{0, end + 1}, {end, 1}, {end + 1, 0}, {1, SIZE_MAX}, {SIZE_MAX, 2}};
  int detail = -1;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    CHECK_CONTEXT("range %d", (int)i);
    CHECK_INT(fc_block_allocate(&block, ranges[i][0], ranges[i][1], &detail), FC_E_ARGUMENT);
  }
  CHECK_INT(allocated(&block), 0);
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  CHECK_INT(fc_block_allocate(&block, 0, end, &detail), FC_E_ARGUMENT);
  fc_block_close(&block);
  CHECK_INT(fc_block_allocate(&block, 0, 0, &detail), FC_E_ARGUMENT);
}

enum { WORKERS = 4, PART = 8 << 20 };

static fc_block shared_block;

/* Allocates and fills a part of its own, then allocates its neighbour's, who may be filling it.
 * Returns NULL if that went well: the counters of check.h are for one thread. */
static void *allocate_part(void *argument) {
  const size_t number = (size_t)(uintptr_t)argument, own = number - 1, next = number % WORKERS;
  int detail = 0;
  if (fc_block_allocate(&shared_block, own * PART, PART, &detail) != FC_OK) return argument;
  memset(shared_block.data + own * PART, (int)number, PART);
  if (fc_block_allocate(&shared_block, next * PART, PART, &detail) != FC_OK) return argument;
  return NULL;
}

static void test_threads(void) {
  pthread_t threads[WORKERS];
  shared_block = make_block((size_t)WORKERS * PART);
  for (uintptr_t i = 0; i < WORKERS; i++) {
    CHECK_INT(pthread_create(&threads[i], NULL, allocate_part, (void *)(i + 1)), 0);
  }
  for (int i = 0; i < WORKERS; i++) {
    void *failed = NULL;
    CHECK_INT(pthread_join(threads[i], &failed), 0);
    CHECK(failed == NULL);
  }
  CHECK_INT(allocated(&shared_block), shared_block.size);
  size_t wrong = 0;
  for (size_t i = 0; i < shared_block.size; i++) wrong += shared_block.data[i] != i / PART + 1;
  CHECK_INT(wrong, 0);
  fc_block_close(&shared_block);
}

int main(void) {
  fc_block unused;
  test_create();
  test_refused_sizes();
  CHECK_INT(in_child(over_the_file_limit, &unused), 0);
  test_open();
  test_adopt();
  test_refused_openings();
  test_seal();
  test_fork();
  test_allocate();
  test_allocated_pages_are_mapped();
  test_refused_ranges();
  test_threads();
  return check_result();
}
