/* png_parts.h: a PNG as a list of chunks that can be changed and written again, checksums right. */
#ifndef FC_TEST_PNG_PARTS_H
#define FC_TEST_PNG_PARTS_H

#include <libdeflate.h>
#include <stdint.h>
#include <string.h>

enum { PNG_MAX_CHUNKS = 64, PNG_SIGNATURE = 8, PNG_AROUND = 12 /* length, type, checksum */ };

typedef struct png_chunk {
  char type[5];
  const uint8_t *data;
  size_t size;
} png_chunk;

typedef struct png_parts {
  png_chunk chunk[PNG_MAX_CHUNKS];
  int count;
  const uint8_t *tail; /* behind the last whole chunk */
  size_t tail_size;
} png_parts;

typedef struct png_header {
  uint32_t width, height;
  int depth, colour, interlaced;
} png_header;

static inline uint32_t png_read_32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void png_write_32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* 0 when it does not begin as a PNG.  The parts point into `data`. */
static int png_split(png_parts *parts, const uint8_t *data, size_t size) {
  parts->count = 0;
  if (size < PNG_SIGNATURE || memcmp(data, "\x89PNG\r\n\x1a\n", PNG_SIGNATURE) != 0) return 0;
  size_t at = PNG_SIGNATURE;
  int ended = 0;
  while (!ended && parts->count < PNG_MAX_CHUNKS && size - at >= PNG_AROUND) {
    const size_t length = png_read_32(data + at);
    if (length > size - at - PNG_AROUND) break;
    png_chunk *chunk = &parts->chunk[parts->count++];
    *chunk = (png_chunk){.data = data + at + 8, .size = length};
    memcpy(chunk->type, data + at + 4, 4);
    ended = memcmp(chunk->type, "IEND", 4) == 0;
    at += length + PNG_AROUND;
  }
  parts->tail = data + at;
  parts->tail_size = size - at;
  return 1;
}

/* Bytes written, 0 when they are more than the capacity. */
static size_t png_join(const png_parts *parts, uint8_t *out, size_t capacity) {
  size_t need = PNG_SIGNATURE + parts->tail_size;
  for (int i = 0; i < parts->count; i++) need += parts->chunk[i].size + PNG_AROUND;
  if (need > capacity) return 0;
  memcpy(out, "\x89PNG\r\n\x1a\n", PNG_SIGNATURE);
  out += PNG_SIGNATURE;
  for (int i = 0; i < parts->count; i++) {
    const png_chunk *chunk = &parts->chunk[i];
    png_write_32(out, (uint32_t)chunk->size);
    memcpy(out + 4, chunk->type, 4);
    if (chunk->size) memcpy(out + 8, chunk->data, chunk->size);
    png_write_32(out + 8 + chunk->size, libdeflate_crc32(0, out + 4, chunk->size + 4));
    out += chunk->size + PNG_AROUND;
  }
  if (parts->tail_size) memcpy(out, parts->tail, parts->tail_size);
  return need;
}

static int png_find(const png_parts *parts, const char *type) {
  for (int i = 0; i < parts->count; i++)
    if (strcmp(parts->chunk[i].type, type) == 0) return i;
  return -1;
}

static void png_remove(png_parts *parts, int at) {
  parts->count--;
  memmove(&parts->chunk[at], &parts->chunk[at + 1],
          (size_t)(parts->count - at) * sizeof parts->chunk[0]);
}

static void png_insert(png_parts *parts, int at, const char *type, const uint8_t *data,
                       size_t size) {
  if (parts->count == PNG_MAX_CHUNKS) return;
  memmove(&parts->chunk[at + 1], &parts->chunk[at],
          (size_t)(parts->count - at) * sizeof parts->chunk[0]);
  parts->count++;
  parts->chunk[at] = (png_chunk){.data = data, .size = size};
  memcpy(parts->chunk[at].type, type, 4);
}

/* 0 when the first chunk is no header. */
static int png_read_header(const png_parts *parts, png_header *header) {
  if (parts->count == 0 || strcmp(parts->chunk[0].type, "IHDR") != 0) return 0;
  const uint8_t *p = parts->chunk[0].data;
  if (parts->chunk[0].size != 13) return 0;
  *header = (png_header){png_read_32(p), png_read_32(p + 4), p[8], p[9], p[12] == 1};
  return 1;
}

static size_t png_row_bytes(const png_header *header, size_t width) {
  static const uint8_t samples[8] = {1, 1, 3, 1, 2, 1, 4, 1};
  return (width * samples[header->colour & 7] * (size_t)header->depth + 7) / 8;
}

/* Of all rows, with their filter bytes. */
static size_t png_rows_bytes(const png_header *header) {
  static const uint8_t pass[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                     {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  if (!header->interlaced) return header->height * (png_row_bytes(header, header->width) + 1);
  size_t bytes = 0;
  for (int i = 0; i < 7; i++) {
    const size_t rows = (header->height + pass[i][2] - 1u - pass[i][0]) / pass[i][2];
    const size_t columns = (header->width + pass[i][3] - 1u - pass[i][1]) / pass[i][3];
    if (columns) bytes += rows * (png_row_bytes(header, columns) + 1);
  }
  return bytes;
}

#endif
