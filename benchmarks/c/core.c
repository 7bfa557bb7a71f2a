/* core.c: see core.h. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "fastcache.h"
#include "field.h"
#include "png.h"
#include "tint.h"
#ifdef __x86_64__
#include <immintrin.h>
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

/* ---- colours ---- */

_Static_assert((int)CORE_BRIGHTNESS == (int)FC_BRIGHTNESS &&
                   (int)CORE_CONTRAST == (int)FC_CONTRAST &&
                   (int)CORE_SATURATION == (int)FC_SATURATION && (int)CORE_HUE == (int)FC_HUE &&
                   (int)CORE_GREY == (int)FC_GREY,
               "the numbers of core.h are the core's");

int core_tint(uint8_t *pixels, int height, int width, int channels, const int *kinds,
              const float *amounts, int count) {
  fc_colour colours[8];
  if (count > 8) return 1;
  for (int k = 0; k < count; k++) colours[k] = (fc_colour){kinds[k], amounts[k]};
  const size_t stride = (size_t)width * (size_t)channels;
  fc_colours_apply(pixels, stride, height, width, channels, colours, count);
  return 0;
}

/* ---- fields of series ---- */

_Static_assert((int)CORE_GASF == (int)FC_GASF && (int)CORE_GAF_BOTH == (int)FC_GAF_BOTH &&
                   (int)CORE_STORE_CACHED == (int)FC_STORE_CACHED &&
                   (int)CORE_STORE_STREAMING == (int)FC_STORE_STREAMING,
               "the numbers of core.h are the core's");

int core_field_element(const char *name) {
  static const char *const names[] = {
      [FC_FLOAT64] = "float64",   [FC_FLOAT32] = "float32", [FC_FLOAT16] = "float16",
      [FC_BFLOAT16] = "bfloat16", [FC_UINT8] = "uint8",     [FC_UINT16] = "uint16"};
  for (int k = FC_FLOAT64; k <= FC_UINT16; k++)
    if (strcmp(names[k], name) == 0) return k;
  return -1;
}

size_t core_field_bytes(const core_field *f) {
  const size_t image = (size_t)(f->size * f->size) * fc_element_size(f->element);
  return image * (size_t)(f->count * fc_field_images(f->kind));
}

static fc_field_spec spec_of(const core_field *f) {
  fc_field_spec spec = {.kind = f->kind, .element = f->element, .size = f->size};
  spec.scaled = 1, spec.low = -1, spec.high = 1;
  spec.out_low = f->element == FC_UINT8 || f->element == FC_UINT16 ? 0 : -1;
  spec.out_high = f->element == FC_UINT8 ? 255 : f->element == FC_UINT16 ? 65535 : 1;
  return spec;
}

static fc_series series_of(const core_field *f) {
  const int64_t value = sizeof(double);
  fc_series series = {.data = (const uint8_t *)(const void *)f->series,
                      .sample = f->size * value,
                      .samples = f->count,
                      .channels = 1,
                      .length = f->size,
                      .step = value,
                      .element = FC_FLOAT64};
  return series;
}

int core_field_run(const core_field *f) {
  const fc_field_spec spec = spec_of(f);
  const int64_t plane = f->size * f->size * (int64_t)fc_element_size(f->element);
  fc_field_job job = {.series = series_of(f),
                      .spec = &spec,
                      .out = f->out,
                      .out_sample = plane * fc_field_images(f->kind),
                      .plane = plane,
                      .store = f->store};
  int64_t which;
  return fc_field_start(&job) != FC_OK || fc_field_run(&job) != FC_OK ||
         fc_field_refused(&job, &which) != FC_OK;
}

int core_field_prepare(const core_field *f) {
  const fc_field_spec spec = spec_of(f);
  const fc_series series = series_of(f);
  const fc_field_kind_entry *kind = fc_field_kind_of(f->kind);
  const size_t room = fc_field_lines((size_t)f->size * sizeof(double));
  uint8_t *memory = aligned_alloc(64, room + fc_field_lines(kind->scratch(&spec, f->size)));
  if (!memory) return 1;
  const fc_field field = {.spec = &spec, .kernels = fc_field_kernels_get(), .state = memory + room};
  int failed = 0;
  for (int64_t i = 0; i < f->count && !failed; i++) {
    fc_values values;
    failed = fc_field_load(&series, series.data + i * series.sample, (double *)(void *)memory,
                           field.kernels, &values) != FC_OK ||
             kind->prepare(&field, &values) != FC_OK;
  }
  free(memory);
  return failed;
}

#ifdef __x86_64__
__attribute__((target("avx512f"))) static void stream_512(uint8_t *out, size_t bytes) {
  const __m512i value = _mm512_set1_epi32(0x3f000000);
  for (size_t at = 0; at < bytes; at += 64)
    _mm512_stream_si512((__m512i *)(void *)(out + at), value);
}

__attribute__((target("avx2"))) static void stream_256(uint8_t *out, size_t bytes) {
  const __m256i value = _mm256_set1_epi32(0x3f000000);
  for (size_t at = 0; at < bytes; at += 64) {
    _mm256_stream_si256((__m256i *)(void *)(out + at), value);
    _mm256_stream_si256((__m256i *)(void *)(out + at + 32), value);
  }
}

/* Of whole lines; `out` is aligned here. */
int core_stream(uint8_t *out, size_t bytes, int width) {
  if (width == 64 && __builtin_cpu_supports("avx512f"))
    stream_512(out, bytes / 64 * 64);
  else if (width == 32 && __builtin_cpu_supports("avx2"))
    stream_256(out, bytes / 64 * 64);
  else
    return 1;
  _mm_sfence();
  return 0;
}
#else
int core_stream(uint8_t *out, size_t bytes, int width) {
  if (width != 64) return 1;
  memset(out, 1, bytes);
  return 0;
}
#endif
