/* core.c: see core.h. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "fastcache.h"
#include "png.h"
#ifdef __x86_64__
#include <emmintrin.h>
#endif

const char *core_cpu(void) {
  return fc_cpu_name();
}

const char *core_cpu_error(void) {
  return fc_cpu_mask_error();
}

static fc_geometry centre(int height, int width, int size_h, int size_w, int crop_h, int crop_w) {
  fc_geometry g = {.src_h = height, .src_w = width, .crop_h = height, .crop_w = width};
  g.size_h = size_h, g.size_w = size_w, g.out_h = crop_h, g.out_w = crop_w;
  g.win_y = (size_h - crop_h) / 2, g.win_x = (size_w - crop_w) / 2;
  return g;
}

/* ---- decode ---- */

struct core_decoder {
  fc_decoder *decoder;
};

core_decoder *core_decoder_new(void) {
  core_decoder *decoder = malloc(sizeof *decoder);
  if (!decoder) return NULL;
  decoder->decoder = fc_decoder_new();
  if (decoder->decoder) return decoder;
  free(decoder);
  return NULL;
}

void core_decoder_free(core_decoder *decoder) {
  if (!decoder) return;
  fc_decoder_free(decoder->decoder);
  free(decoder);
}

int core_jpeg_size(const uint8_t *data, size_t size, int *width, int *height) {
  fc_image_info info;
  fc_status status = fc_probe_bytes(data, size, &fc_default_limits, &info);
  if (status != FC_OK || info.format != FC_FORMAT_JPEG) return 1;
  *width = info.width;
  *height = info.height;
  return 0;
}

int core_decode(core_decoder *decoder, const uint8_t *data, size_t size, int side, int crop,
                uint8_t *out) {
  int width, height, detail;
  if (core_jpeg_size(data, size, &width, &height)) return 1;
  fc_geometry g = centre(height, width, height, width, height, width);
  if (side) {
    const int narrow = width < height ? width : height;
    const int size_h = (int)((int64_t)height * side / narrow);
    const int size_w = (int)((int64_t)width * side / narrow);
    g = centre(height, width, size_h, size_w, crop, crop);
  }
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits};
  const size_t stride = (size_t)g.out_w * 3;
  return fc_decode(decoder->decoder, data, size, &spec, &g, out, stride, &detail) != FC_OK;
}

/* ---- resample ---- */

int core_resample(const core_shape *s, const uint8_t *source, uint8_t *out) {
  const fc_geometry g = centre(s->height, s->width, s->size_h, s->size_w, s->crop_h, s->crop_w);
  const fc_image_spec spec = {.channels = s->channels, .filter = s->filter};
  const size_t channels = (size_t)s->channels;
  return fc_resample(source, (size_t)s->width * channels, &g, &spec, out,
                     (size_t)s->crop_w * channels) != FC_OK;
}

/* Not the whole source: the part that the window needs, edges left aside. */
void core_touch(const core_shape *s, const uint8_t *source, uint8_t *out) {
  const size_t rows = (size_t)s->height * (size_t)s->crop_h / (size_t)s->size_h;
  const size_t columns = (size_t)s->width * (size_t)s->crop_w / (size_t)s->size_w;
  const size_t words = columns * (size_t)s->channels / sizeof(uint64_t);
  uint64_t sum = 0;
  for (size_t y = 0; y < rows; y++) {
    const uint8_t *row = source + y * (size_t)s->width * (size_t)s->channels;
    for (size_t i = 0; i < words; i++) {
      uint64_t word;
      memcpy(&word, row + i * sizeof word, sizeof word);
      sum += word;
    }
  }
  memset(out, (int)(sum & 255), (size_t)s->crop_h * (size_t)s->crop_w * (size_t)s->channels);
}

/* ---- gather ---- */

void core_gather_run(const core_gather *g, int streaming) {
  fc_copy_job job = {.cursor = {.count = g->count},
                     .source = g->source,
                     .target = g->target,
                     .source_offset = g->source_offset,
                     .target_offset = g->target_offset,
                     .row = g->row,
                     .streaming = streaming};
  fc_copy_run(&job);
}

void core_gather_memcpy(const core_gather *g) {
  for (int64_t i = 0; i < g->count; i++)
    memcpy(g->target + g->target_offset[i], g->source + g->source_offset[i], (size_t)g->row);
}

#ifdef __x86_64__
/* Rows are multiples of 64 bytes and targets are aligned here. */
void core_gather_stream(const core_gather *g) {
  for (int64_t i = 0; i < g->count; i++) {
    const uint8_t *source = g->source + g->source_offset[i];
    uint8_t *target = g->target + g->target_offset[i];
    for (int64_t at = 0; at < g->row; at += 64)
      for (int64_t part = at; part < at + 64; part += 16)
        _mm_stream_si128((__m128i *)(void *)(target + part),
                         _mm_loadu_si128((const __m128i *)(const void *)(source + part)));
  }
  _mm_sfence();
}
#else
void core_gather_stream(const core_gather *g) {
  core_gather_memcpy(g);
}
#endif

/* ---- PNG ---- */

int core_png_unfilter(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes) {
  for (size_t y = 0; y < count; y += FC_SINK_ROWS) {
    const size_t some = FC_MIN(count - y, FC_SINK_ROWS);
    if (fc_png_unfilter(rows + y * (1 + bytes), some, bytes, pixel_bytes, y == 0) != some) return 1;
  }
  return 0;
}
