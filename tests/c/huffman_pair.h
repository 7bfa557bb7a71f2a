/* huffman_pair.h: one file decoded by libjpeg's Huffman decoder and by ours, and compared: status,
 * warnings, pixels.
 *
 * Whether ours really did it is part of the outcome, since libjpeg's decodes the image in any case
 * when ours gives up. */
#ifndef FC_TEST_HUFFMAN_PAIR_H
#define FC_TEST_HUFFMAN_PAIR_H

#include "fc_internal.h"
#include "jpeg_maker.h"
#include "random.h"

static fc_jpeg *jpeg;
static fc_sink *sink;

static inline int start_pair(void) {
  jpeg = fc_jpeg_new();
  sink = fc_sink_new();
  CHECK(jpeg && sink);
  return jpeg && sink;
}

static inline void end_pair(void) {
  fc_sink_free(sink);
  fc_jpeg_free(jpeg);
}

static inline fc_rect random_rect(int height, int width) {
  const int h = 1 + random_below(height), w = 1 + random_below(width);
  const int y = random_below(height - h + 1), x = random_below(width - w + 1);
  return (fc_rect){y, x, y + h, x + w};
}

static inline fc_status decode(const jpeg_file *file, const fc_image_info *info, fc_rect rect,
                               int own, uint8_t *out, int *detail) {
  const int h = rect.y1 - rect.y0, w = rect.x1 - rect.x0;
  const fc_geometry geometry = {.src_h = info->height,
                                .src_w = info->width,
                                .crop_y = rect.y0,
                                .crop_x = rect.x0,
                                .crop_h = h,
                                .crop_w = w,
                                .size_h = h,
                                .size_w = w,
                                .out_h = h,
                                .out_w = w};
  const fc_image_spec spec = {.channels = 3, .limits = fc_default_limits};
  CHECK_INT(fc_sink_plan(sink, &geometry, &spec, out, (size_t)w * 3), FC_OK);
  fc_jpeg_use_own_entropy(jpeg, own);
  *detail = 0;
  const fc_request request = {file->data, file->size, info, &spec, {0}, sink};
  return fc_jpeg_decode(jpeg, &request, detail);
}

typedef struct outcome {
  fc_status status;
  int warnings;
  int own; /* ours decoded it */
} outcome;

/* Decode a part by both and compare. */
static inline outcome compare(const jpeg_file *file, const fc_image_info *info, fc_rect rect) {
  const size_t size = (size_t)(rect.y1 - rect.y0) * (size_t)(rect.x1 - rect.x0) * 3;
  uint8_t *expected = check_alloc(size), *out = check_alloc(size);
  outcome result = {.own = 0};
  int warnings;
  const fc_status status = decode(file, info, rect, 0, expected, &warnings);
  CHECK_INT(fc_jpeg_used_own_entropy(jpeg), 0);
  result.status = decode(file, info, rect, 1, out, &result.warnings);
  result.own = fc_jpeg_used_own_entropy(jpeg);
  CHECK_INT(result.status, status);
  CHECK_INT(result.warnings, warnings);
  if (status == FC_OK) CHECK(memcmp(out, expected, size) == 0);
  free(out);
  free(expected);
  return result;
}

/* The header of a file that may be damaged. */
static inline int probe(const jpeg_file *file, fc_image_info *info) {
  return fc_probe_bytes(file->data, file->size, &fc_default_limits, info) == FC_OK &&
         info->flags & FC_IMAGE_IN_C;
}

static inline fc_rect whole(const fc_image_info *info) {
  return (fc_rect){0, 0, info->height, info->width};
}

static inline int is_ours(const jpeg_kind *kind) {
  return !kind->progressive && !kind->arithmetic && !(kind->separate && kind->components > 1);
}

#endif
