/* test_mapping.c: parts of files side by side in one range of addresses, and system calls that fail
 * meanwhile. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int fail_calls, fail_at, fail_reason; /* the call number fail_at fails with that errno */

static int refused(void) {
  if (++fail_calls != fail_at) return 0;
  errno = fail_reason;
  return 1;
}

static void *faulty_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return refused() ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);
}

static int faulty_fstat(int fd, struct stat *info) {
  return refused() ? -1 : fstat(fd, info);
}

static int advised; /* what madvise was told last: begin, length, advice */
static uint8_t *advised_begin;
static size_t advised_length;

static int faulty_madvise(void *at, size_t size, int advice) {
  advised_begin = at;
  advised_length = size;
  advised = advice;
  return refused() ? -1 : madvise(at, size, advice);
}

#define mmap faulty_mmap
#define fstat(fd, info) faulty_fstat(fd, info)
#define madvise faulty_madvise
/* Names of their own, since the library may be linked too. */
#define fc_block_reserve faulty_block_reserve
#define fc_block_map_file faulty_block_map_file
#define fc_block_advise faulty_block_advise
#define fc_block_close faulty_block_close
#include "../../csrc/mapping.c"

enum { PAGES = 6, CAUGHT = 42 };

static size_t page;

static void fail_call(int number, int with) {
  fail_calls = 0;
  fail_at = number;
  fail_reason = with;
}

/* A nameless file of `pages` pages, whose page k holds `first` + k everywhere. */
static int make_file(int pages, int first) {
  char path[] = P_tmpdir "/fastcache-test-XXXXXX";
  const int fd = mkstemp(path);
  CHECK(fd >= 0 && unlink(path) == 0);
  uint8_t *bytes = check_alloc(page);
  for (int k = 0; k < pages; k++) {
    memset(bytes, first + k, page);
    CHECK_INT(write(fd, bytes, page), page);
  }
  free(bytes);
  return fd;
}

static fc_block reserve(size_t pages) {
  fc_block block;
  int detail = -1;
  fail_call(0, 0);
  CHECK_INT(fc_block_reserve(&block, pages * page, &detail), FC_OK);
  CHECK_INT(detail, 0);
  return block;
}

static fc_status map(fc_block *block, size_t at, int fd, size_t from, size_t pages, int *detail) {
  return fc_block_map_file(block, at * page, fd, from * page, pages * page, detail);
}

static void caught(int signal_number) {
  (void)signal_number;
  _exit(CAUGHT);
}

/* Whether touching a byte ends a process; writing it if `value` is not negative. */
static int touch_ends(const fc_block *block, size_t at, int value) {
  int status = 0;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, caught);
    signal(SIGBUS, caught);
    volatile uint8_t *byte = block->data + at;
    if (value >= 0) *byte = (uint8_t)value;
    _exit(*byte == 255);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == CAUGHT;
}

static void test_reserve(void) {
  fc_block block;
  int detail = -1;
  CHECK_INT(fc_block_reserve(&block, page + 1, &detail), FC_OK);
  CHECK_INT(block.size, 2 * page);
  CHECK((uintptr_t)block.data % page == 0);
  CHECK(block.fd == -1 && !block.owner && block.sealed);
  CHECK_INT(fc_block_inode(&block), 0);
  CHECK(touch_ends(&block, 0, -1)); /* there is nothing */
  CHECK_INT(fc_block_allocate(&block, 0, page, &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_seal(&block, &detail), FC_OK);
  fc_block_close(&block);
  CHECK(block.data == NULL && block.size == 0 && block.fd == -1);
  fc_block_close(&block);

  CHECK_INT(fc_block_reserve(&block, 0, &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_reserve(&block, SIZE_MAX, &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_reserve(&block, (size_t)PTRDIFF_MAX, &detail), FC_E_ARGUMENT);
  CHECK_INT(fc_block_reserve(&block, (size_t)1 << 61, &detail), FC_E_IO);
  CHECK_INT(detail, ENOMEM);
  CHECK(block.data == NULL);
  /* More than any machine's memory is only addresses. */
  CHECK_INT(fc_block_reserve(&block, (size_t)1 << 44, &detail), FC_OK);
  fc_block_close(&block);
}

static void test_files_side_by_side(void) {
  fc_block block = reserve(PAGES);
  const int low = make_file(3, 10), high = make_file(4, 20);
  int detail = -1;
  CHECK_INT(map(&block, 0, low, 1, 2, &detail), FC_OK);
  CHECK_INT(map(&block, 2, high, 0, 3, &detail), FC_OK);
  close(low);
  close(high);
  const int expected[] = {11, 12, 20, 21, 22};
  for (size_t k = 0; k < 5; k++) {
    CHECK_CONTEXT("page %zu", k);
    CHECK_INT(block.data[k * page], expected[k]);
    CHECK_INT(block.data[(k + 1) * page - 1], expected[k]);
    CHECK(touch_ends(&block, k * page, 7)); /* read-only */
  }
  CHECK(touch_ends(&block, 5 * page, -1));

  const int other = make_file(1, 30);
  CHECK_INT(map(&block, 1, other, 0, 1, &detail), FC_OK); /* in the place of what was there */
  CHECK_INT(block.data[page], 30);
  CHECK_INT(block.data[2 * page], 20);
  close(other);
  fc_block_close(&block);
}

static fc_status advise_one(const fc_block *block, int64_t at, int64_t length, fc_advice advice,
                            int *detail) {
  return fc_block_advise(block, &at, &length, 1, advice, detail);
}

static void test_refusals(void) {
  fc_block block = reserve(PAGES), closed = block, memory;
  const int fd = make_file(2, 1);
  int detail = -1, ends[2];
  const struct {
    size_t at, from, length;
    fc_status status;
  } cases[] = {
      {1, 0, page, FC_E_ARGUMENT},
      {0, 1, page, FC_E_ARGUMENT},
      {0, 0, page - 1, FC_E_ARGUMENT},
      {0, 0, 0, FC_E_ARGUMENT},
      {PAGES * page, 0, page, FC_E_ARGUMENT},
      {(PAGES - 1) * page, 0, 2 * page, FC_E_ARGUMENT},
      {SIZE_MAX - page + 1, 0, page, FC_E_ARGUMENT},
      {page, 0, SIZE_MAX - page + 1, FC_E_ARGUMENT},
      {0, SIZE_MAX - page + 1, page, FC_E_ARGUMENT},
      {0, 0, 3 * page, FC_E_CHANGED},
      {0, page, 2 * page, FC_E_CHANGED},
      {0, 2 * page, page, FC_E_CHANGED},
      {0, (size_t)1 << 60, page, FC_E_CHANGED},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    CHECK_CONTEXT("case %zu", k);
    CHECK_INT(fc_block_map_file(&block, cases[k].at, fd, cases[k].from, cases[k].length, &detail),
              cases[k].status);
  }
  CHECK(touch_ends(&block, 0, -1));
  CHECK_INT(ftruncate(fd, (off_t)page), 0);
  CHECK_INT(map(&block, 0, fd, 0, 2, &detail), FC_E_CHANGED);
  CHECK_INT(map(&block, 0, -1, 0, 1, &detail), FC_E_IO);
  CHECK_INT(detail, EBADF);
  CHECK_INT(pipe(ends), 0);
  CHECK_INT(map(&block, 0, ends[0], 0, 1, &detail), FC_E_NOT_REGULAR);
  close(ends[0]);
  close(ends[1]);

  closed.data = NULL;
  CHECK_INT(map(&closed, 0, fd, 0, 1, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&closed, 0, (int64_t)page, FC_WILLNEED, &detail), FC_E_ARGUMENT);
#ifdef __linux__
  CHECK_INT(fc_block_create(&memory, page, "test", &detail), FC_OK);
  CHECK_INT(map(&memory, 0, fd, 0, 1, &detail), FC_E_ARGUMENT); /* others rely on its bytes */
  fc_block_close(&memory);
#endif
  close(fd);
  fc_block_close(&block);
}

static void advise(fc_block *block, size_t at, size_t length, fc_advice advice, size_t begin,
                   size_t expected) {
  int detail = -1;
  CHECK_CONTEXT("advice %d for %zu at %zu", (int)advice, length, at);
  advised_begin = NULL;
  advised_length = 0;
  CHECK_INT(advise_one(block, (int64_t)at, (int64_t)length, advice, &detail), FC_OK);
  CHECK_INT(advised_length, expected);
  CHECK(expected == 0 || advised_begin == block->data + begin);
}

static void test_advice(void) {
  fc_block block = reserve(PAGES);
  const int fd = make_file(PAGES, 1);
  int detail = -1;
  CHECK_INT(map(&block, 0, fd, 0, PAGES, &detail), FC_OK);
  close(fd);
  advise(&block, 1, 1, FC_WILLNEED, 0, page);
  CHECK_INT(advised, MADV_WILLNEED);
  advise(&block, page - 1, 2, FC_WILLNEED, 0, 2 * page);
  advise(&block, page, page, FC_WILLNEED, page, page);
  advise(&block, PAGES * page - 1, 1, FC_WILLNEED, (PAGES - 1) * page, page);
  advise(&block, 7, 0, FC_DONTNEED, 0, 0);
  advise(&block, 1, 2 * page - 2, FC_DONTNEED, 0, 0); /* holds no whole page */
  advise(&block, 1, 2 * page - 1, FC_DONTNEED, page, page);
  CHECK_INT(advised, MADV_DONTNEED);
  advise(&block, 0, PAGES * page, FC_DONTNEED, 0, PAGES * page);
#ifdef MADV_COLD
  advise(&block, 1, 3 * page, FC_COLD, page, 2 * page);
  CHECK_INT(advised, MADV_COLD);
  advise(&block, 1, 3 * page, FC_PAGEOUT, page, 2 * page);
  CHECK_INT(advised, MADV_PAGEOUT);
#endif
  advise(&block, 0, 2 * page, FC_RANDOM, 0, 2 * page);
  CHECK_INT(advised, MADV_RANDOM);
  advise(&block, 0, 2 * page, FC_NORMAL, 0, 2 * page);
  CHECK_INT(advised, MADV_NORMAL);
  for (size_t k = 0; k < PAGES; k++) CHECK_INT(block.data[k * page], 1 + k); /* read again */

  const int64_t all = (int64_t)(PAGES * page), one = (int64_t)page;
  CHECK_INT(advise_one(&block, all + 1, 0, FC_COLD, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&block, 1, all, FC_COLD, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&block, 1, INT64_MAX, FC_COLD, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&block, -1, one, FC_COLD, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&block, 0, -1, FC_COLD, &detail), FC_E_ARGUMENT);
  CHECK_INT(advise_one(&block, 0, one, (fc_advice)9, &detail), FC_E_ARGUMENT);
  fail_call(1, EIO);
  CHECK_INT(advise_one(&block, 0, one, FC_WILLNEED, &detail), FC_E_IO);
  CHECK_INT(detail, EIO);
  fail_call(1, EBADF);
  CHECK_INT(advise_one(&block, 0, one, FC_WILLNEED, &detail), FC_OK); /* there is no file */
  fail_call(1, EBADF);
  CHECK_INT(advise_one(&block, 0, one, FC_RANDOM, &detail), FC_E_IO);
  fail_call(0, 0);
  fc_block_close(&block);
}

static void test_advice_for_many_ranges(void) {
  fc_block block = reserve(PAGES);
  const int64_t one = (int64_t)page;
  int64_t starts[] = {0, 2 * one, 3 * one}, lengths[] = {one, one, one};
  int detail = -1;
  CHECK_INT(fc_block_advise(&block, starts, lengths, 0, FC_NORMAL, &detail), FC_OK);
  CHECK_INT(fc_block_advise(&block, starts, lengths, 3, FC_NORMAL, &detail), FC_OK);
  CHECK(advised_begin == block.data + 3 * page);
  fail_call(2, EIO);
  CHECK_INT(fc_block_advise(&block, starts, lengths, 3, FC_NORMAL, &detail), FC_E_IO);
  CHECK_INT(detail, EIO);
  CHECK(advised_begin == block.data + 2 * page); /* there it ended */
  fail_call(0, 0);
  starts[2] = (int64_t)(PAGES * page); /* found out before the first is advised */
  advised_begin = NULL;
  CHECK_INT(fc_block_advise(&block, starts, lengths, 3, FC_NORMAL, &detail), FC_E_ARGUMENT);
  CHECK(advised_begin == NULL);
  fc_block_close(&block);
}

static void test_failing_calls(void) {
  fc_block block;
  int detail = -1;
  fail_call(1, EAGAIN);
  CHECK_INT(fc_block_reserve(&block, page, &detail), FC_E_IO);
  CHECK_INT(detail, EAGAIN);
  CHECK(block.data == NULL);
  const int fd = make_file(1, 1);
  for (int number = 1; number <= 2; number++) { /* fstat, mmap */
    block = reserve(1);
    fail_call(number, ENFILE);
    CHECK_INT(map(&block, 0, fd, 0, 1, &detail), FC_E_IO);
    CHECK_INT(detail, ENFILE);
    fc_block_close(&block);
  }
  close(fd);
}

int main(void) {
  page = (size_t)sysconf(_SC_PAGESIZE);
  test_reserve();
  test_files_side_by_side();
  test_refusals();
  test_advice();
  test_advice_for_many_ranges();
  test_failing_calls();
  return check_result();
}
