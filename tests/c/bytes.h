/* bytes.h: small files put together by hand. */
#ifndef FC_TEST_BYTES_H
#define FC_TEST_BYTES_H

#include <stdint.h>
#include <string.h>

typedef struct bytes {
  uint8_t data[400];
  size_t size;
} bytes;

static inline void put(bytes *b, const char *more, size_t size) {
  memcpy(b->data + b->size, more, size);
  b->size += size;
}
#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

/* An EXIF block of one directory with one entry: the orientation, its value given as "\6". */
#define TIFF(value) "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" value "\0\0\0\0\0\0\0"

#endif
