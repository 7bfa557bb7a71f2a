/* png_maker.h: PNGs of every kind, made in memory by the letter of the standard, with chunks and
 * damage as a test wants them. */
#ifndef FC_TEST_PNG_MAKER_H
#define FC_TEST_PNG_MAKER_H

#include <stdint.h>
#include <string.h>

#include <libdeflate.h>

#include "check.h"

typedef struct png_kind {
  const char *name;
  int colours, depth, interlaced;
} png_kind;

static const png_kind png_kinds[] = {
    {"grey 1", 0, 1, 0},          {"grey 1, Adam7", 0, 1, 1},
    {"grey 2", 0, 2, 0},          {"grey 2, Adam7", 0, 2, 1},
    {"grey 4", 0, 4, 0},          {"grey 4, Adam7", 0, 4, 1},
    {"grey 8", 0, 8, 0},          {"grey 8, Adam7", 0, 8, 1},
    {"grey 16", 0, 16, 0},        {"grey 16, Adam7", 0, 16, 1},
    {"RGB 8", 2, 8, 0},           {"RGB 8, Adam7", 2, 8, 1},
    {"RGB 16", 2, 16, 0},         {"RGB 16, Adam7", 2, 16, 1},
    {"palette 1", 3, 1, 0},       {"palette 1, Adam7", 3, 1, 1},
    {"palette 2", 3, 2, 0},       {"palette 2, Adam7", 3, 2, 1},
    {"palette 4", 3, 4, 0},       {"palette 4, Adam7", 3, 4, 1},
    {"palette 8", 3, 8, 0},       {"palette 8, Adam7", 3, 8, 1},
    {"grey, alpha 8", 4, 8, 0},   {"grey, alpha 8, Adam7", 4, 8, 1},
    {"grey, alpha 16", 4, 16, 0}, {"grey, alpha 16, Adam7", 4, 16, 1},
    {"RGBA 8", 6, 8, 0},          {"RGBA 8, Adam7", 6, 8, 1},
    {"RGBA 16", 6, 16, 0},        {"RGBA 16, Adam7", 6, 16, 1},
};
#define PNG_KINDS ((int)(sizeof png_kinds / sizeof *png_kinds))

static inline int png_samples(const png_kind *kind) {
  static const int samples[7] = {1, 0, 3, 1, 2, 0, 4};
  return samples[kind->colours];
}

/* Slopes with a little noise: every filter has something to do, and colours come again. */
static inline unsigned png_sample(const png_kind *kind, int y, int x, int c) {
  unsigned noise = (unsigned)(y * 7919 + x * 104729 + c * 1299709) * 2654435761u >> 30;
  unsigned value = (unsigned)(y / 2 * (3 + c) + x / 3 * (5 - c)) * 3u + noise;
  if (kind->depth == 16) return (value * 257u + (noise << 5)) & 0xffff;
  return value & ((1u << kind->depth) - 1);
}

/* ---- a file that grows ---- */

typedef struct png_bytes {
  uint8_t *data;
  size_t size, capacity;
} png_bytes;

static inline void png_put(png_bytes *file, const void *more, size_t size) {
  if (file->size + size > file->capacity) {
    file->capacity = 2 * (file->size + size) + 64;
    file->data = realloc(file->data, file->capacity);
    if (!file->data) exit(2);
  }
  if (size) memcpy(file->data + file->size, more, size);
  file->size += size;
}

static inline void png_put_32(png_bytes *file, uint32_t value) {
  const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
  png_put(file, bytes, 4);
}

static inline void png_put_chunk(png_bytes *file, const char *name, const void *data, size_t size) {
  png_put_32(file, (uint32_t)size);
  png_put(file, name, 4);
  png_put(file, data, size);
  png_put_32(file, libdeflate_crc32(0, file->data + file->size - size - 4, size + 4));
}

static inline void png_start(png_bytes *file, const png_kind *kind, int height, int width) {
  png_bytes header = {0};
  const uint8_t rest[5] = {(uint8_t)kind->depth, (uint8_t)kind->colours, 0, 0,
                           (uint8_t)kind->interlaced};
  png_put(file, "\x89PNG\r\n\x1a\n", 8);
  png_put_32(&header, (uint32_t)width);
  png_put_32(&header, (uint32_t)height);
  png_put(&header, rest, sizeof rest);
  png_put_chunk(file, "IHDR", header.data, header.size);
  free(header.data);
}

/* A zlib stream of the data; the caller frees .data. */
static inline png_bytes png_compress(const uint8_t *data, size_t size, int level) {
  struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
  png_bytes out = {0};
  out.capacity = libdeflate_zlib_compress_bound(compressor, size);
  out.data = check_alloc(out.capacity);
  out.size = libdeflate_zlib_compress(compressor, data, size, out.data, out.capacity);
  libdeflate_free_compressor(compressor);
  return out;
}

/* ---- rows ---- */

static inline int png_paeth(int a, int b, int c) {
  int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* `above` is NULL for the first row of a pass. */
static inline void png_put_filtered(png_bytes *out, const uint8_t *row, const uint8_t *above,
                                    size_t size, size_t step, int filter) {
  uint8_t kind = (uint8_t)filter;
  png_put(out, &kind, 1);
  for (size_t i = 0; i < size; i++) {
    int a = i >= step ? row[i - step] : 0, b = above ? above[i] : 0;
    int c = i >= step && above ? above[i - step] : 0;
    int guess = filter == 1   ? a
                : filter == 2 ? b
                : filter == 3 ? (a + b) / 2
                : filter == 4 ? png_paeth(a, b, c)
                              : 0;
    uint8_t byte = (uint8_t)(row[i] - guess);
    png_put(out, &byte, 1);
  }
}

/* Columns x0, x0 + step… of row y, packed. */
static inline void png_pack_row(uint8_t *row, const png_kind *kind, int y, int x0, int step,
                                int width) {
  int samples = png_samples(kind), bit = 0;
  for (int x = x0; x < width; x += step)
    for (int c = 0; c < samples; c++, bit += kind->depth) {
      unsigned value = png_sample(kind, y, x, c);
      if (kind->depth == 16) {
        row[bit / 8] = (uint8_t)(value >> 8);
        row[bit / 8 + 1] = (uint8_t)value;
      } else {
        if (bit % 8 == 0) row[bit / 8] = 0;
        row[bit / 8] |= (uint8_t)(value << (8 - kind->depth - bit % 8));
      }
    }
}

/* What is compressed: all rows of all passes.  `filter` of 0 to 4 is everywhere, others alternate;
 * the caller frees .data. */
static inline png_bytes png_rows(const png_kind *kind, int height, int width, int filter) {
  static const int adam7[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                  {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  static const int plain[4] = {0, 0, 1, 1};
  int bits = png_samples(kind) * kind->depth;
  uint8_t *row = check_alloc((size_t)width * 8 + 8), *above = check_alloc((size_t)width * 8 + 8);
  png_bytes out = {0};
  for (int p = 0; p < (kind->interlaced ? 7 : 1); p++) {
    const int *pass = kind->interlaced ? adam7[p] : plain;
    size_t size = width > pass[1]
                      ? ((size_t)((width - pass[1] + pass[3] - 1) / pass[3]) * (size_t)bits + 7) / 8
                      : 0;
    for (int y = pass[0]; y < height && size; y += pass[2]) {
      png_pack_row(row, kind, y, pass[1], pass[3], width);
      png_put_filtered(&out, row, y == pass[0] ? NULL : above, size,
                       bits < 8 ? 1 : (size_t)bits / 8,
                       filter >= 0 && filter <= 4 ? filter : (y / pass[2] * 3 + p + 1) % 5);
      uint8_t *other = above;
      above = row;
      row = other;
    }
  }
  free(row);
  free(above);
  return out;
}

/* ---- whole files ---- */

static inline void png_test_palette(uint8_t palette[768]) {
  for (int i = 0; i < 768; i++) palette[i] = (uint8_t)(i * 37 + i / 3 * 11 + 5);
}

typedef struct png_recipe {
  const png_kind *kind;
  int height, width;
  int filter;          /* as for png_rows */
  int palette_entries; /* 0: as many as there are indices */
  const uint8_t *key;  /* content of tRNS, or NULL */
  size_t key_size;
  size_t part;             /* bytes of an IDAT; 0: all in one */
  int gaps;                /* empty IDATs between the others */
  png_bytes before, after; /* whole chunks around the pixels */
} png_recipe;

static inline void png_put_pixels(png_bytes *file, const uint8_t *data, size_t size, size_t part,
                                  int gaps) {
  if (gaps) png_put_chunk(file, "IDAT", "", 0);
  do {
    size_t now = part && part < size ? part : size;
    png_put_chunk(file, "IDAT", data, now);
    if (gaps) png_put_chunk(file, "IDAT", "", 0);
    data += now;
    size -= now;
  } while (size);
}

/* The caller frees .data; the recipe's own chunks stay the caller's. */
static inline png_bytes make_png(const png_recipe *r) {
  png_bytes file = {0}, rows = png_rows(r->kind, r->height, r->width, r->filter);
  png_bytes stream = png_compress(rows.data, rows.size, 6);
  png_start(&file, r->kind, r->height, r->width);
  if (r->kind->colours == 3) {
    uint8_t palette[768];
    png_test_palette(palette);
    size_t entries = r->palette_entries ? (size_t)r->palette_entries : (size_t)1 << r->kind->depth;
    png_put_chunk(&file, "PLTE", palette, 3 * entries);
  }
  if (r->key) png_put_chunk(&file, "tRNS", r->key, r->key_size);
  png_put(&file, r->before.data, r->before.size);
  png_put_pixels(&file, stream.data, stream.size, r->part, r->gaps);
  png_put(&file, r->after.data, r->after.size);
  png_put_chunk(&file, "IEND", "", 0);
  free(rows.data);
  free(stream.data);
  return file;
}

/* ---- what Pillow makes of a pixel, as RGBA ---- */

static inline void png_palette_pixel(const png_recipe *r, unsigned index, uint8_t out[4]) {
  uint8_t palette[768];
  unsigned entries = r->palette_entries ? (unsigned)r->palette_entries : 1u << r->kind->depth;
  png_test_palette(palette);
  for (int c = 0; c < 3; c++) out[c] = index < entries ? palette[3 * index + (unsigned)c] : 0;
  out[3] = r->key && index < r->key_size ? r->key[index] : 255;
}

static inline void png_expected(const png_recipe *r, int y, int x, uint8_t out[4]) {
  const png_kind *kind = r->kind;
  int samples = png_samples(kind), wide = kind->depth == 16, colour = samples >= 3;
  if (kind->colours == 3) {
    png_palette_pixel(r, png_sample(kind, y, x, 0), out);
    return;
  }
  unsigned highest = kind->depth < 8 ? (1u << kind->depth) - 1 : 255;
  for (int c = 0; c < 3; c++) {
    unsigned value = png_sample(kind, y, x, colour ? c : 0);
    if (wide && kind->colours == 0)
      value = value > 255 ? 255 : value;
    else if (wide)
      value >>= 8;
    out[c] = (uint8_t)(value * 255 / highest);
  }
  out[3] = 255;
  if (kind->colours & 4) out[3] = (uint8_t)(png_sample(kind, y, x, samples - 1) >> (wide ? 8 : 0));
  if (!r->key || kind->colours & 4) return;
  int same = 1;
  for (int c = 0; c < 3; c++) {
    const uint8_t *key = r->key + (colour ? 2 * c : 0);
    int low = kind->depth == 1 ? (key[0] || key[1] ? 255 : 0) : key[1];
    same &= out[c] == low;
  }
  if (same) out[3] = 0;
}

#endif
