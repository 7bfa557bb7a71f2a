/* webp_maker.h: WebPs of every kind, made in memory, and their full decode by plain libwebp: the
 * oracle of the C tests. */
#ifndef FC_TEST_WEBP_MAKER_H
#define FC_TEST_WEBP_MAKER_H

#include <stdint.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "check.h"

typedef struct webp_kind {
  const char *name;
  int lossless;
  int colours; /* of a palette; 0: as many as there are */
  int patches; /* every 16 x 16 pixels look different, which takes many prefix codes */
  int alpha;   /* pixels have one */
  int quality, method;
  int filter_strength, sharpness, simple_filter;
  int partitions; /* 2 to the power of this */
  int segments;
  int alpha_raw, alpha_filter, alpha_quality; /* 0 counts as 100 */
} webp_kind;

static const webp_kind webp_kinds[] = {
    {.name = "lossy", .quality = 80, .filter_strength = 60, .method = 4, .segments = 4},
    {.name = "lossy, coarse", .quality = 5, .filter_strength = 60, .method = 2, .segments = 4},
    {.name = "lossy, fine", .quality = 100, .filter_strength = 20, .method = 1, .segments = 1},
    {.name = "simple filter",
     .quality = 40,
     .filter_strength = 80,
     .simple_filter = 1,
     .method = 3,
     .segments = 2},
    {.name = "sharp", .quality = 60, .filter_strength = 100, .sharpness = 7, .segments = 1},
    {.name = "no filter", .quality = 60, .segments = 1},
    {.name = "eight partitions", .quality = 75, .filter_strength = 60, .partitions = 3},
    {.name = "alpha", .alpha = 1, .quality = 75, .filter_strength = 60, .alpha_filter = 1},
    {.name = "alpha, best filter", .alpha = 1, .quality = 75, .alpha_filter = 2},
    {.name = "alpha, few levels", .alpha = 1, .quality = 75, .alpha_quality = 30},
    {.name = "alpha, raw", .alpha = 1, .quality = 75, .filter_strength = 60, .alpha_raw = 1},
    {.name = "alpha, raw, filtered",
     .alpha = 1,
     .quality = 75,
     .simple_filter = 1,
     .filter_strength = 60,
     .alpha_raw = 1,
     .alpha_filter = 2},
    {.name = "lossless", .lossless = 1, .quality = 75, .method = 4},
    {.name = "lossless, fast", .lossless = 1, .quality = 0, .method = 0},
    {.name = "lossless, slow", .lossless = 1, .quality = 90, .method = 6},
    {.name = "lossless, alpha", .lossless = 1, .alpha = 1, .quality = 75, .method = 4},
    {.name = "lossless, patches", .lossless = 1, .patches = 1, .quality = 100, .method = 5},
    {.name = "2 colours", .lossless = 1, .colours = 2, .quality = 75, .method = 4},
    {.name = "16 colours", .lossless = 1, .colours = 16, .quality = 75, .method = 4},
    {.name = "200 colours", .lossless = 1, .colours = 200, .quality = 75, .method = 4},
};
#define WEBP_KINDS ((int)(sizeof webp_kinds / sizeof *webp_kinds))

typedef struct webp_file {
  uint8_t *data;
  size_t size;
} webp_file;

static inline uint32_t webp_hash(int a, int b, int c) {
  uint32_t h = (uint32_t)(a * 7919 + b * 104729 + c * 1299709) * 2654435761u;
  return (h ^ h >> 15) * 2246822519u >> 8;
}

static inline uint32_t webp_patch(int y, int x, int c) {
  uint32_t patch = webp_hash(y / 16, x / 16, c), spread = 1u << patch % 9;
  return (patch >> 8) + webp_hash(y, x, c) % spread;
}

/* Waves, edges and noise; opacity has steps and slopes. */
static inline uint32_t webp_pixel(const webp_kind *kind, int y, int x) {
  uint32_t pixel = 0;
  for (int c = 0; c < 4; c++) {
    uint32_t noise = webp_hash(y, x, c) % 16;
    int wave = (x * (3 + c) + y * (5 - c)) % 256, edge = ((x / 11 + y / 7 + c) & 1) * 60;
    uint32_t level = (uint32_t)(abs(wave - 128) + edge) + noise;
    if (c == 3) level = (x / 9 + y / 5) % 3 == 0 ? 255 : (x / 9 + y / 5) % 3 == 1 ? 0 : level;
    if (kind->patches) level = webp_patch(y, x, c);
    pixel |= (level & 255) << 8 * c;
  }
  if (kind->colours)
    pixel = (uint32_t)((x / 3 * y / 5 + x * 7) % kind->colours) * 0x10203u + 0x112233u;
  return kind->alpha ? pixel : pixel | 0xff000000u;
}

/* The caller frees .data. */
static inline webp_file make_webp(const webp_kind *kind, int height, int width) {
  WebPConfig config;
  WebPPicture picture;
  WebPMemoryWriter writer;
  CHECK(WebPConfigInit(&config) && WebPPictureInit(&picture));
  config.lossless = kind->lossless;
  config.quality = (float)kind->quality;
  config.method = kind->method;
  config.filter_strength = kind->filter_strength;
  config.filter_sharpness = kind->sharpness;
  config.filter_type = !kind->simple_filter;
  config.partitions = kind->partitions;
  config.segments = kind->segments ? kind->segments : 4;
  config.alpha_compression = !kind->alpha_raw;
  config.alpha_filtering = kind->alpha_filter;
  config.alpha_quality = kind->alpha_quality ? kind->alpha_quality : 100;
  config.exact = 1; /* colours of transparent pixels are kept */
  picture.use_argb = 1;
  picture.width = width;
  picture.height = height;
  CHECK(WebPPictureAlloc(&picture));
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      picture.argb[y * picture.argb_stride + x] = webp_pixel(kind, y, x);
  WebPMemoryWriterInit(&writer);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  CHECK(WebPEncode(&config, &picture));
  WebPPictureFree(&picture);
  webp_file file = {check_alloc(writer.size), writer.size};
  memcpy(file.data, writer.mem, writer.size); /* exactly sized, so that reading over is seen */
  WebPMemoryWriterClear(&writer);
  return file;
}

/* All pixels as RGBA; NULL when libwebp refuses.  The caller frees them with free(). */
static inline uint8_t *decode_webp_plainly(const webp_file *file, int height, int width) {
  size_t stride = (size_t)width * 4, size = stride * (size_t)height;
  uint8_t *pixels = check_alloc(size);
  if (WebPDecodeRGBAInto(file->data, file->size, pixels, size, (int)stride)) return pixels;
  free(pixels);
  return NULL;
}

#endif
