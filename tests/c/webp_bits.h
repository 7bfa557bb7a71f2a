/* webp_bits.h: lossless WebP data written bit by bit, as no encoder does it. */
#ifndef FC_TEST_WEBP_BITS_H
#define FC_TEST_WEBP_BITS_H

#include "webp_maker.h"

typedef struct bit_writer {
  uint8_t *data;
  size_t capacity, at; /* bytes; bits written */
} bit_writer;

static inline void put_bits(bit_writer *w, uint32_t value, int count) {
  for (int i = 0; i < count; i++, w->at++) {
    if (w->at == w->capacity * 8) {
      size_t capacity = 2 * w->capacity + 64;
      uint8_t *data = check_alloc(capacity);
      if (w->data) memcpy(data, w->data, w->capacity);
      free(w->data);
      w->data = data;
      w->capacity = capacity;
    }
    w->data[w->at >> 3] |= (uint8_t)((value >> i & 1) << (w->at & 7));
  }
}

static inline size_t bytes_written(const bit_writer *w) {
  return (w->at + 7) / 8;
}

/* A code whose only symbol, below 2, takes no bits. */
static inline void put_single(bit_writer *w, uint32_t symbol) {
  put_bits(w, 1 | symbol << 3, 4);
}

/* A code of 8 bits for each of the first 256 symbols: the symbol itself, its highest bit first. */
static inline void put_bytes_code(bit_writer *w, int alphabet) {
  put_bits(w, 0, 1);
  put_bits(w, 8, 4);
  for (int i = 0; i < 12; i++) put_bits(w, i == 2 || i == 11, 3); /* lengths 0 and 8: one bit */
  put_bits(w, 0, 1);
  for (int i = 0; i < alphabet; i++) put_bits(w, i < 256, 1);
}

static inline void put_byte(bit_writer *w, uint32_t byte) {
  for (int i = 7; i >= 0; i--) put_bits(w, byte >> i & 1, 1);
}

static inline void put_lossless_header(bit_writer *w, int height, int width) {
  put_bits(w, 0x2f, 8);
  put_bits(w, (uint32_t)width - 1, 14);
  put_bits(w, (uint32_t)height - 1, 14);
  put_bits(w, 0, 4);
}

/* Everything behind the header of a black square: each 4 x 4 pixels have the next of so many groups
 * of codes, none of which takes any bits. */
static inline void put_groups(bit_writer *w, int size, int groups, int cache_bits) {
  int blocks = (size + 3) / 4;
  put_bits(w, 0, 1);
  put_bits(w, cache_bits > 0, 1);
  if (cache_bits > 0) put_bits(w, (uint32_t)cache_bits, 4);
  put_bits(w, 1, 1);
  put_bits(w, 0, 3);
  put_bits(w, 0, 1);
  put_bytes_code(w, 256 + 24);
  put_bytes_code(w, 256);
  for (int i = 0; i < 3; i++) put_single(w, 0);
  for (int i = 0; i < blocks * blocks; i++) {
    put_byte(w, (uint32_t)(i % groups) & 255);
    put_byte(w, (uint32_t)(i % groups) >> 8);
  }
  for (int i = 0; i < 5 * groups; i++) put_single(w, 0);
}

static inline void put_le32(uint8_t *to, size_t value) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* `before`, a chunk of `data`, `after`, as a file.  The caller frees .data. */
static inline webp_file join_webp(const uint8_t *before, size_t before_size, const char *name,
                                  const uint8_t *data, size_t size, const uint8_t *after,
                                  size_t after_size) {
  size_t chunk = 8 + size + (size & 1);
  webp_file file = {NULL, 12 + before_size + chunk + after_size};
  file.data = check_alloc(file.size);
  memcpy(file.data, "RIFF____WEBP", 12);
  put_le32(file.data + 4, file.size - 8);
  if (before_size) memcpy(file.data + 12, before, before_size);
  uint8_t *at = file.data + 12 + before_size;
  memcpy(at, name, 4);
  put_le32(at + 4, size);
  memcpy(at + 8, data, size);
  if (after_size) memcpy(at + chunk, after, after_size);
  return file;
}

static inline webp_file make_groups(int size, int groups, int cache_bits) {
  bit_writer w = {0};
  put_lossless_header(&w, size, size);
  put_groups(&w, size, groups, cache_bits);
  webp_file file = join_webp(NULL, 0, "VP8L", w.data, bytes_written(&w), NULL, 0);
  free(w.data);
  return file;
}

/* A lossy picture whose opacity has so many groups. */
static inline webp_file make_opacity_groups(int size, int groups) {
  enum { VP8X = 12, ALPH = 30 };
  static const webp_kind kind = {.name = "alpha", .alpha = 1, .quality = 50};
  webp_file whole = make_webp(&kind, size, size);
  CHECK(memcmp(whole.data + VP8X, "VP8X", 4) == 0 && memcmp(whole.data + ALPH, "ALPH", 4) == 0);
  size_t length =
      whole.data[ALPH + 4] | (size_t)whole.data[ALPH + 5] << 8 | (size_t)whole.data[ALPH + 6] << 16;
  size_t next = ALPH + 8 + length + (length & 1);
  bit_writer w = {0};
  put_bits(&w, 1, 8); /* lossless, not filtered */
  put_groups(&w, size, groups, 0);
  webp_file file = join_webp(whole.data + VP8X, ALPH - VP8X, "ALPH", w.data, bytes_written(&w),
                             whole.data + next, whole.size - next);
  free(w.data);
  free(whole.data);
  return file;
}

#endif
