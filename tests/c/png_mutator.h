/* png_mutator.h: changes to a PNG that its checksums and its compression would otherwise hide from
 * a fuzzer: rows are changed uncompressed, chunks are changed, moved and invented as wholes. */
#ifndef FC_TEST_PNG_MUTATOR_H
#define FC_TEST_PNG_MUTATOR_H

#include <stdlib.h>

#include "png_parts.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

enum { PNG_SCRATCH = 1 << 18, PNG_LARGEST_SIDE = 90 };

/* What the parts of one mutation may point to. */
static uint8_t png_input[PNG_SCRATCH], png_packed[PNG_SCRATCH], png_rows[PNG_SCRATCH];
static uint8_t png_content[PNG_SCRATCH];

static uint32_t png_random_state;

static uint32_t png_random(uint32_t limit) {
  png_random_state = png_random_state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(png_random_state >> 8) * limit >> 24);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Inflate all IDAT together into png_rows; 0 bytes when that fails. */
static size_t png_inflate(const png_parts *parts) {
  static struct libdeflate_decompressor *inflate;
  if (!inflate && !(inflate = libdeflate_alloc_decompressor())) abort();
  size_t packed = 0, bytes = 0;
  for (int i = 0; i < parts->count; i++) {
    const png_chunk *chunk = &parts->chunk[i];
    if (strcmp(chunk->type, "IDAT") != 0 || chunk->size > PNG_SCRATCH - packed) continue;
    if (chunk->size) memcpy(png_packed + packed, chunk->data, chunk->size);
    packed += chunk->size;
  }
  const enum libdeflate_result result =
      libdeflate_zlib_decompress(inflate, png_packed, packed, png_rows, PNG_SCRATCH / 2, &bytes);
  return result == LIBDEFLATE_SUCCESS ? bytes : 0;
}

/* Put png_rows in the place of all IDAT, as one to three of them. */
static void png_deflate(png_parts *parts, size_t bytes) {
  static const int levels[4] = {0, 1, 6, 12};
  static struct libdeflate_compressor *deflate[4];
  const uint32_t choice = png_random(4);
  if (!deflate[choice]) deflate[choice] = libdeflate_alloc_compressor(levels[choice]);
  if (!deflate[choice]) abort();
  size_t packed =
      libdeflate_zlib_compress(deflate[choice], png_rows, bytes, png_packed, PNG_SCRATCH);
  if (packed && png_random(16) == 0) png_packed[packed - 1] ^= 1; /* a wrong Adler checksum */

  int at = png_find(parts, "IDAT");
  if (at < 0) at = parts->count ? 1 : 0;
  for (int i; (i = png_find(parts, "IDAT")) >= 0;) png_remove(parts, i);
  const uint8_t *from = png_packed;
  for (uint32_t left = png_random(3); left > 0; left--, at++) {
    const size_t part = png_random((uint32_t)packed + 1);
    png_insert(parts, at, "IDAT", from, part);
    from += part;
    packed -= part;
  }
  png_insert(parts, at, "IDAT", from, packed);
}

static void png_mutate_rows(png_parts *parts) {
  png_header header;
  size_t bytes = png_inflate(parts);
  const size_t row = png_read_header(parts, &header) ? png_row_bytes(&header, header.width) + 1 : 0;
  if (row && bytes >= row && png_random(2)) /* another filter */
    png_rows[png_random((uint32_t)(bytes / row)) * row] = (uint8_t)png_random(6);
  else
    bytes = LLVMFuzzerMutate(png_rows, bytes, PNG_SCRATCH / 2);
  png_deflate(parts, bytes);
}

/* ---- header ---------------------------------------------------------------------------------- */

/* Mostly legal combinations, and rows that fit, made of those that were there. */
static void png_mutate_header(png_parts *parts) {
  static const uint8_t depths[8] = {1, 2, 4, 8, 8, 8, 16, 3}, colours[8] = {0, 2, 3, 4, 6, 3, 2, 1};
  if (parts->count == 0 || parts->chunk[0].size != 13) return;
  memcpy(png_content, parts->chunk[0].data, 13);
  parts->chunk[0].data = png_content;
  const uint32_t what = png_random(6);
  if (what == 0) png_write_32(png_content, 1 + png_random(PNG_LARGEST_SIDE));
  if (what == 1) png_write_32(png_content + 4, 1 + png_random(PNG_LARGEST_SIDE));
  if (what == 2) png_content[8] = depths[png_random(8)];
  if (what == 3) png_content[9] = colours[png_random(8)];
  if (what == 4) png_content[12] ^= 1;
  if (what == 5) LLVMFuzzerMutate(png_content, 13, 13);
  png_header header;
  if (png_random(4) == 0 || !png_read_header(parts, &header)) return;
  if (header.width > 1 << 12 || header.height > 1 << 12) return;
  const size_t need = png_rows_bytes(&header);
  size_t have = png_inflate(parts);
  if (need > PNG_SCRATCH / 2) return;
  if (have == 0) png_rows[have++] = 0;
  for (; have < need; have++) png_rows[have] = png_rows[have - 1 - png_random((uint32_t)have)];
  png_deflate(parts, need);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

typedef struct png_sample {
  const char *type;
  const char *data;
  size_t size;
} png_sample;

#define PNG_SAMPLE(type, text) \
  { type, text, sizeof text - 1 }
static const png_sample png_samples[] = {
    PNG_SAMPLE("PLTE", "\0\0\0\377\0\0\0\377\0\0\0\377"),
    PNG_SAMPLE("tRNS", "\0\200\377\1\2"),
    PNG_SAMPLE("tRNS", "\0\377"),
    PNG_SAMPLE("tRNS", "\0\377\0\0\0\2"),
    PNG_SAMPLE("acTL", "\0\0\0\2\0\0\0\0"),
    PNG_SAMPLE("fcTL", "\0\0\0\0\0\0\0\5\0\0\0\5\0\0\0\0\0\0\0\0\0\1\0\12\0\0"),
    PNG_SAMPLE("fdAT", "\0\0\0\1\170\234\3\0\0\0\0\1"),
    PNG_SAMPLE("eXIf", "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
    PNG_SAMPLE("eXIf", "II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\10\0\0\0\0\0\0\0"),
    PNG_SAMPLE("gAMA", "\0\0\261\217"),
    PNG_SAMPLE("cHRM", "\0\0z&\0\0\200\204\0\0\372\0\0\0\200\350\0\0u0\0\0\352`\0\0:\230\0\0\27p"),
    PNG_SAMPLE("sRGB", "\0"),
    PNG_SAMPLE("pHYs", "\0\0\13\23\0\0\13\23\1"),
    PNG_SAMPLE("iCCP", "a\0\0\170\234\3\0\0\0\0\1"),
    PNG_SAMPLE("tEXt", "Comment\0text"),
    PNG_SAMPLE("tEXt", "Raw profile type exif\0\nexif\n      26\n4d4d002a00000008000101120003\n"),
    PNG_SAMPLE("zTXt", "Raw profile type exif\0\0\170\234\3\0\0\0\0\1"),
    PNG_SAMPLE("iTXt", "XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation=\"6\"/>"),
    PNG_SAMPLE("iTXt", "a\0\1\0\0\0\170\234\3\0\0\0\0\1"),
    PNG_SAMPLE("IDAT", ""),
    PNG_SAMPLE("IEND", ""),
    PNG_SAMPLE("IHDR", "\0\0\0\5\0\0\0\5\10\2\0\0\0"),
    PNG_SAMPLE("prVt", "private"),
    PNG_SAMPLE("CRIT", "unknown, yet critical"),
};

static void png_mutate_chunks(png_parts *parts) {
  const uint32_t count = (uint32_t)parts->count;
  const int at = (int)png_random(count + 1), other = count ? (int)png_random(count) : 0;
  const uint32_t what = count ? png_random(6) : 0;
  if (what <= 1) {
    const png_sample *sample = &png_samples[png_random(sizeof png_samples / sizeof png_samples[0])];
    png_insert(parts, at, sample->type, (const uint8_t *)sample->data, sample->size);
  } else if (what == 2) {
    png_remove(parts, other);
  } else if (what == 3) {
    const png_chunk copy = parts->chunk[other];
    png_insert(parts, at, copy.type, copy.data, copy.size);
  } else {
    png_chunk *chunk = &parts->chunk[other];
    if (chunk->size > PNG_SCRATCH / 4) return;
    if (chunk->size) memcpy(png_content, chunk->data, chunk->size);
    chunk->size = LLVMFuzzerMutate(png_content, chunk->size, chunk->size + 64);
    chunk->data = png_content;
  }
}

/* ---- all together ---------------------------------------------------------------------------- */

static size_t png_mutate(uint8_t *data, size_t size, size_t capacity, uint32_t seed) {
  png_random_state = seed;
  const uint32_t what = png_random(10);
  if (what <= 2) size = LLVMFuzzerMutate(data, size, capacity);
  if (what == 0 || size > PNG_SCRATCH) return size; /* checksums as they come */
  png_parts parts;
  memcpy(png_input, data, size);
  if (!png_split(&parts, png_input, size)) return size;
  if (what >= 3 && what <= 6) png_mutate_rows(&parts);
  if (what == 7) png_mutate_header(&parts);
  if (what >= 8) png_mutate_chunks(&parts);
  const size_t written = png_join(&parts, data, capacity);
  return written ? written : size;
}

#endif
