/* file.c: opening and reading files that may be anything, and the buffer they are read into. */
#define _POSIX_C_SOURCE 200809L
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE /* MAP_ANON */
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fc_internal.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

/* Larger buffers are mappings of their own.  In the heap of malloc two buffers that grow by turns
 * leave holes behind that nothing fits into any more, and these stay in memory: it then took more
 * than what is allocated, which is what plans count.  Clearing so many pages anew costs little
 * beside the decoding of what needs them. */
#define MAPPED_FROM ((size_t)256 << 10)
/* AddressSanitizer sees the ends of what malloc gives, and nothing else. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALL_FROM_MALLOC 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ALL_FROM_MALLOC 1
#endif

/* Bytes of the mapping; 0: the buffer comes from malloc. */
static size_t mapped_bytes(size_t capacity) {
#ifdef ALL_FROM_MALLOC
  (void)capacity;
  return 0;
#else
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (capacity < MAPPED_FROM || capacity > (size_t)PTRDIFF_MAX - FC_ROW_SLACK - page) return 0;
  return (capacity + FC_ROW_SLACK + page - 1) / page * page;
#endif
}

size_t fc_buffer_bytes(size_t capacity) {
  const size_t mapped = mapped_bytes(capacity);
  if (mapped) return mapped;
  return capacity > SIZE_MAX - FC_ROW_SLACK ? SIZE_MAX : capacity + FC_ROW_SLACK;
}

void fc_buffer_free(fc_buffer *buffer) {
  const size_t mapped = mapped_bytes(buffer->capacity);
  if (mapped)
    munmap(buffer->data, mapped);
  else
    free(buffer->data);
  *buffer = (fc_buffer){0};
}

/* The old content is given up first: a growing buffer never exists twice. */
fc_status fc_buffer_reserve(fc_buffer *buffer, size_t capacity) {
  if (capacity <= buffer->capacity) return FC_OK;
  fc_buffer_free(buffer);
  if (capacity > PTRDIFF_MAX - FC_ROW_SLACK) return FC_E_NOMEM;
  const size_t mapped = mapped_bytes(capacity);
  if (mapped) {
    void *data = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return FC_E_NOMEM;
    buffer->data = data;
  } else {
    buffer->data = malloc(capacity + FC_ROW_SLACK);
    if (!buffer->data) return FC_E_NOMEM;
  }
  buffer->capacity = capacity;
  memset(buffer->data, 0, FC_ROW_SLACK);
  return FC_OK;
}

fc_status fc_file_open(const char *path, int *fd, int64_t *size, int *detail) {
  struct stat about;
  *detail = 0;
  /* O_NONBLOCK: opening a FIFO without a writer would wait for ever. */
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*fd < 0) {
    if (errno == ENXIO) return FC_E_NOT_REGULAR; /* a socket */
    *detail = errno;
    return FC_E_IO;
  }
  fc_status status = FC_OK;
  if (fstat(*fd, &about) != 0) {
    *detail = errno;
    status = FC_E_IO;
  } else if (!S_ISREG(about.st_mode)) {
    status = FC_E_NOT_REGULAR;
  } else if (about.st_size == 0) {
    status = FC_E_EMPTY;
  }
  if (status == FC_OK) {
    *size = (int64_t)about.st_size;
  } else {
    close(*fd);
    *fd = -1;
  }
  return status;
}

/* Up to `size` bytes from the file's place on; `got` says how many there were. */
static fc_status read_up_to(int fd, uint8_t *target, size_t size, size_t *got, int *detail) {
  *got = 0;
  while (*got < size) {
    ssize_t part = read(fd, target + *got, size - *got);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) {
      *detail = errno;
      return FC_E_IO;
    }
    if (part == 0) break;
    *got += (size_t)part;
  }
  return FC_OK;
}

/* At most the size at opening: a file that grows meanwhile cannot keep the thread for ever. */
static fc_status read_all(int fd, size_t size, fc_buffer *buffer, int *detail) {
  fc_status status = read_up_to(fd, buffer->data, size, &buffer->size, detail);
  if (status != FC_OK) return status;
  memset(buffer->data + buffer->size, 0, FC_ROW_SLACK);
  return buffer->size ? FC_OK : FC_E_EMPTY;
}

fc_status fc_file_read(const char *path, int64_t max_bytes, fc_buffer *buffer, int *detail) {
  int fd;
  int64_t size;
  fc_status status = fc_file_open(path, &fd, &size, detail);
  if (status != FC_OK) return status;
  if (max_bytes && size > max_bytes)
    status = FC_E_BYTES;
  else if ((uint64_t)size > SIZE_MAX)
    status = FC_E_NOMEM;
  else
    status = fc_buffer_reserve(buffer, (size_t)size);
  if (status == FC_OK) status = read_all(fd, (size_t)size, buffer, detail);
  close(fd);
  return status;
}

fc_status fc_file_read_into(const char *path, uint8_t *target, size_t size, int *detail) {
  int fd;
  int64_t now;
  size_t got;
  fc_status status = fc_file_open(path, &fd, &now, detail);
  if (status != FC_OK) return status;
  if ((uint64_t)now != size)
    status = FC_E_CHANGED;
  else
    status = read_up_to(fd, target, size, &got, detail);
  if (status == FC_OK && got != size) status = FC_E_CHANGED;
  close(fd);
  return status;
}
