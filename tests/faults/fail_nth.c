/* fail_nth.c: stands in front of libc and makes one call fail, the Nth of its kind after
 * fault_arm().  Built as a shared library and preloaded by the scripts beside it; glibc only.
 *
 * Memory and mappings are counted where our extension modules or the codec libraries ask for
 * them: what the interpreter allocates for itself is not ours to test. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum kind {
  MALLOC = 1 << 0,
  OPEN = 1 << 1,
  PWRITE = 1 << 2,
  WRITE = 1 << 3,
  FSYNC = 1 << 4,
  FALLOCATE = 1 << 5,
  RENAME = 1 << 6,
  MMAP = 1 << 7,
  FTRUNCATE = 1 << 8,
  PREAD = 1 << 9,
  MEMFD = 1 << 10,
};
enum how { FAIL = 0, SHORT = 1, KILL = 2 };

static atomic_int kinds; /* that count now; 0: disarmed */
static atomic_long calls;
static atomic_long calls_of[16]; /* by kind */
static atomic_int met;
static long target;
static int reason, how;

enum { RANGES = 64 };
static struct { uintptr_t from, to; } ours[RANGES];
static int ranges;

static int note(struct dl_phdr_info *info, size_t size, void *unused) {
  static const char *const names[] = {"/fastcache/", "libjpeg", "libdeflate", "libwebp", "libpng"};
  (void)size, (void)unused;
  for (size_t k = 0; k < sizeof names / sizeof *names; ++k) {
    if (!info->dlpi_name || !strstr(info->dlpi_name, names[k])) continue;
    /* Pillow has codec libraries of its own. */
    if (k && strstr(info->dlpi_name, "illow")) continue;
    for (int p = 0; p < info->dlpi_phnum && ranges < RANGES; ++p) {
      const ElfW(Phdr) *part = &info->dlpi_phdr[p];
      if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
      ours[ranges].from = info->dlpi_addr + part->p_vaddr;
      ours[ranges++].to = info->dlpi_addr + part->p_vaddr + part->p_memsz;
    }
    break;
  }
  return 0;
}

static int is_ours(const void *caller) {
  const uintptr_t at = (uintptr_t)caller;
  for (int k = 0; k < ranges; ++k)
    if (at >= ours[k].from && at < ours[k].to) return 1;
  return 0;
}

/* From here on the Nth call of these kinds fails with this errno, is short, or is the last. */
void fault_arm(int which, long nth, int error, int mode) {
  atomic_store(&kinds, 0);
  ranges = 0;
  dl_iterate_phdr(note, NULL);
  target = nth, reason = error, how = mode;
  atomic_store(&calls, 0);
  for (int k = 0; k < 16; ++k) atomic_store(&calls_of[k], 0);
  atomic_store(&met, 0);
  atomic_store(&kinds, which);
}

/* The number of calls since then; minus that if one of them failed. */
long fault_disarm(void) {
  atomic_store(&kinds, 0);
  const long made = atomic_load(&calls);
  return atomic_load(&met) ? -made : made;
}

/* The number of calls of one kind then. */
long fault_calls(int kind) {
  return atomic_load(&calls_of[__builtin_ctz(kind)]);
}

/* Whether this call is the one. */
static int fails(enum kind kind) {
  if (!(atomic_load(&kinds) & (int)kind)) return 0;
  atomic_fetch_add(&calls_of[__builtin_ctz(kind)], 1);
  if (atomic_fetch_add(&calls, 1) + 1 != target) return 0;
  if (how == KILL) kill(getpid(), SIGKILL);
  atomic_store(&met, 1);
  errno = reason;
  return how == FAIL;
}
#define CALLER_FAILS(kind) \
  (atomic_load(&kinds) && is_ours(__builtin_return_address(0)) && fails(kind))

/* The function behind ours, looked up once. */
#define NEXT(type, name)                      \
  static type (*_Atomic found)();             \
  type (*next)() = atomic_load(&found);       \
  if (!next) {                                \
    *(void **)&next = dlsym(RTLD_NEXT, name); \
    atomic_store(&found, next);               \
  }

/* ---- memory ------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  return CALLER_FAILS(MALLOC) ? NULL : __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  return CALLER_FAILS(MALLOC) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  return CALLER_FAILS(MALLOC) ? NULL : __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  return CALLER_FAILS(MALLOC) ? NULL : __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (CALLER_FAILS(MALLOC)) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

#define MAPPING(name)                                                                \
  void *name(void *at, size_t size, int protection, int flags, int fd, off_t from) { \
    NEXT(void *, #name)                                                              \
    if (CALLER_FAILS(MMAP)) return MAP_FAILED;                                       \
    return next(at, size, protection, flags, fd, from);                              \
  }
MAPPING(mmap)
MAPPING(mmap64)

int memfd_create(const char *name, unsigned flags) {
  NEXT(int, "memfd_create")
  return fails(MEMFD) ? -1 : next(name, flags);
}

/* ---- files -------------------------------------------------------------------------------- */

#define OPENING(name)                                                       \
  int name(const char *path, int flags, ...) {                              \
    NEXT(int, #name)                                                        \
    va_list rest;                                                           \
    va_start(rest, flags);                                                  \
    const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; \
    va_end(rest);                                                           \
    return fails(OPEN) ? -1 : next(path, flags, mode);                      \
  }
#undef open
#undef open64
OPENING(open)
OPENING(open64)

#define WRITING(name)                                                                      \
  ssize_t name(int fd, const void *data, size_t size, off_t at) {                          \
    NEXT(ssize_t, #name)                                                                   \
    if (fails(PWRITE)) return -1;                                                          \
    if (how == SHORT && (atomic_load(&kinds) & PWRITE) && atomic_load(&calls) >= target && \
        size > 1)                                                                          \
      size /= 2; /* this one and all that follow */                                        \
    return next(fd, data, size, at);                                                       \
  }
WRITING(pwrite)
WRITING(pwrite64)

ssize_t write(int fd, const void *data, size_t size) {
  NEXT(ssize_t, "write")
  return fails(WRITE) ? -1 : next(fd, data, size);
}

#define READING(name)                                       \
  ssize_t name(int fd, void *data, size_t size, off_t at) { \
    NEXT(ssize_t, #name)                                    \
    return fails(PREAD) ? -1 : next(fd, data, size, at);    \
  }
READING(pread)
READING(pread64)

ssize_t __pread64_chk(int fd, void *data, size_t size, off_t at, size_t room) {
  NEXT(ssize_t, "__pread64_chk")
  return fails(PREAD) ? -1 : next(fd, data, size, at, room);
}

#define WITH_FD(name, kind)             \
  int name(int fd) {                    \
    NEXT(int, #name)                    \
    return fails(kind) ? -1 : next(fd); \
  }
WITH_FD(fsync, FSYNC)
WITH_FD(fdatasync, FSYNC)

#define SIZING(name)                               \
  int name(int fd, off_t size) {                   \
    NEXT(int, #name)                               \
    return fails(FTRUNCATE) ? -1 : next(fd, size); \
  }
SIZING(ftruncate)
SIZING(ftruncate64)

/* These return the reason itself. */
#define ALLOCATING(name)                                     \
  int name(int fd, off_t from, off_t size) {                 \
    NEXT(int, #name)                                         \
    return fails(FALLOCATE) ? reason : next(fd, from, size); \
  }
ALLOCATING(posix_fallocate)
ALLOCATING(posix_fallocate64)

int fallocate64(int fd, int mode, off64_t from, off64_t size) {
  NEXT(int, "fallocate64")
  return fails(FALLOCATE) ? -1 : next(fd, mode, from, size);
}
int fallocate(int fd, int mode, off_t from, off_t size) {
  NEXT(int, "fallocate")
  return fails(FALLOCATE) ? -1 : next(fd, mode, from, size);
}

int rename(const char *from, const char *to) {
  NEXT(int, "rename")
  return fails(RENAME) ? -1 : next(from, to);
}
int renameat(int at, const char *from, int to_at, const char *to) {
  NEXT(int, "renameat")
  return fails(RENAME) ? -1 : next(at, from, to_at, to);
}
