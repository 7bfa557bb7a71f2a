/* test_block.c: shared memory is allocated in full, read-only for others, and given back. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fastcache.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
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
  size_t nonzero = 0;
  for (size_t i = 0; i < block.size; i++) nonzero += block.data[i] != 0;
  CHECK_INT(nonzero, 0);
  struct stat info;
  CHECK_INT(fstat(block.fd, &info), 0);
  CHECK((size_t)info.st_blocks * 512 >= block.size); /* allocated, not only promised */

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

static void ignore_signal(int number) {
  (void)number;
}

/* A profiler's timer must not keep the allocation from ever ending. */
static void test_create_under_a_timer(void) {
  const struct itimerval every_ms = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  struct sigaction action = {.sa_handler = ignore_signal}, before;
  sigaction(SIGALRM, &action, &before);
  setitimer(ITIMER_REAL, &every_ms, NULL);
  fc_block block = make_block((size_t)160 << 20);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  fc_block_close(&block);
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

static void test_prefault(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  fc_block block = make_block(SIZE);
  const long pages = (long)(block.size / page);
  block.data[page] = 8;
  fc_block_prefault(&block, 0, block.size);
  CHECK_INT(block.data[page], 8);
  const long before = minor_faults();
  for (size_t at = 0; at < block.size; at += page) block.data[at] = 1;
  CHECK(minor_faults() - before < pages / 4);
  /* Odd ranges, and ranges that are not there. */
  fc_block_prefault(&block, 5, 3);
  fc_block_prefault(&block, page - 1, SIZE_MAX);
  fc_block_prefault(&block, SIZE_MAX, SIZE_MAX);
  fc_block_prefault(&block, block.size, 1);
  fc_block_prefault(&block, 0, 0);
  int detail = 0;
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  fc_block_prefault(&block, 0, block.size);
  CHECK_INT(block.data[0], 1);
  fc_block_close(&block);
  fc_block_prefault(&block, 0, 1);
}

int main(void) {
  fc_block unused;
  test_create();
  test_refused_sizes();
  CHECK_INT(in_child(over_the_file_limit, &unused), 0);
  test_create_under_a_timer();
  test_open();
  test_refused_openings();
  test_seal();
  test_fork();
  test_prefault();
  return check_result();
}
