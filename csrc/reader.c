/* reader.c: a few KB of a file wherever they are asked for, instead of the whole file. */
#define _POSIX_C_SOURCE 200809L
#include "reader.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

static int fill_window(fc_reader *reader, int64_t offset) {
  if (reader->reads >= FC_READER_MAX_READS) return 0;
  reader->reads++;
  reader->base = offset;
  reader->valid = 0;
  while (reader->valid < FC_READER_WINDOW) {
    ssize_t got = pread(reader->fd, reader->window + reader->valid,
                        FC_READER_WINDOW - reader->valid, (off_t)(offset + (int64_t)reader->valid));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) reader->error = errno;
    if (got <= 0) break;
    reader->valid += (size_t)got;
  }
  return reader->error == 0;
}

const uint8_t *fc_reader_at(fc_reader *reader, int64_t offset, size_t count) {
  if (offset < 0 || offset > reader->size || (int64_t)count > reader->size - offset) return NULL;
  if (reader->data) return reader->data + offset;
  if (count > FC_READER_WINDOW) return NULL;
  int64_t end = offset + (int64_t)count;
  if (offset < reader->base || end > reader->base + (int64_t)reader->valid) {
    if (!fill_window(reader, offset)) return NULL;
    if (count > reader->valid) return NULL; /* the file has shrunk */
  }
  return reader->window + (offset - reader->base);
}

fc_status fc_reader_failure(const fc_reader *reader) {
  if (reader->error) return FC_E_IO;
  return reader->reads >= FC_READER_MAX_READS ? FC_NEEDS_PYTHON : FC_E_TRUNCATED;
}
