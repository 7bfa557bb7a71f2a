/* reader.h: the window through which probes look at a file. */
#ifndef FC_READER_H
#define FC_READER_H

#include "fc_internal.h"

#define FC_READER_WINDOW 2048
/* Headers need one to three windows; a file that wants more than this is built to waste time. */
#define FC_READER_MAX_READS 512

/* Bytes of a file at any offset: the whole file in memory (data), or small windows of it (fd). */
typedef struct fc_reader {
  const uint8_t *data; /* NULL: read through fd */
  int64_t size;        /* of the file */
  int fd;
  int error;    /* errno of a failed read, else 0 */
  int reads;    /* windows read so far */
  int64_t base; /* file offset of window[0] */
  size_t valid; /* bytes in window */
  uint8_t window[FC_READER_WINDOW];
} fc_reader;

/* `count` <= FC_READER_WINDOW bytes at `offset`, valid until the next call; NULL when the file does
 * not have them or could not be read: fc_reader_failure() then says why. */
const uint8_t *fc_reader_at(fc_reader *reader, int64_t offset, size_t count);
fc_status fc_reader_failure(const fc_reader *reader);

static inline uint32_t fc_be16(const uint8_t *p) {
  return (uint32_t)p[0] << 8 | p[1];
}
static inline uint32_t fc_be32(const uint8_t *p) {
  return fc_be16(p) << 16 | fc_be16(p + 2);
}
static inline uint32_t fc_le16(const uint8_t *p) {
  return (uint32_t)p[1] << 8 | p[0];
}
static inline uint32_t fc_le24(const uint8_t *p) {
  return (uint32_t)p[2] << 16 | fc_le16(p);
}
static inline uint32_t fc_le32(const uint8_t *p) {
  return fc_le16(p + 2) << 16 | fc_le16(p);
}

#endif
