/* fuzz_huffman.c: libFuzzer target that decodes a JPEG with our Huffman decoder and with libjpeg's,
 * and breaks where status, warnings or pixels differ.
 *
 * The whole input is the file; its last 8 bytes also choose the rectangle, so that bytes behind the
 * end marker change nothing else. */
#include <stdlib.h>
#include <string.h>

#include "fc_internal.h"

enum { CHOICES = 8 };

static const fc_limits limits = {.max_pixels = 1 << 16, .max_scans = 12};

static fc_jpeg *jpeg;
static fc_sink *sink;

static int32_t pick(const uint8_t *choice, int32_t low, int32_t high) {
  return low + (choice[0] | choice[1] << 8) % (high - low + 1);
}

static fc_geometry pick_geometry(const uint8_t *choice, int32_t h, int32_t w) {
  fc_geometry g = {.src_h = h, .src_w = w};
  g.crop_y = pick(choice, 0, h - 1);
  g.crop_x = pick(choice + 2, 0, w - 1);
  g.crop_h = g.size_h = g.out_h = h - g.crop_y - pick(choice + 4, 0, h - g.crop_y - 1);
  g.crop_w = g.size_w = g.out_w = w - g.crop_x - pick(choice + 6, 0, w - g.crop_x - 1);
  return g;
}

static fc_status decode(const uint8_t *data, size_t size, const fc_image_info *info,
                        const fc_geometry *g, int own, uint8_t *out, int *detail) {
  const fc_image_spec spec = {.channels = 3, .limits = limits};
  if (fc_sink_plan(sink, g, &spec, out, (size_t)g->out_w * 3) != FC_OK) abort();
  fc_jpeg_use_own_entropy(jpeg, own);
  *detail = 0;
  const fc_request request = {data, size, info, &spec, {0}, sink};
  return fc_jpeg_decode(jpeg, &request, detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!jpeg && !(jpeg = fc_jpeg_new())) abort();
  if (!sink && !(sink = fc_sink_new())) abort();
  if (size <= CHOICES) return 0;
  fc_image_info info;
  if (fc_probe_bytes(data, size, &limits, &info) != FC_OK) return 0;
  if (!(info.flags & FC_IMAGE_IN_C) || info.format != FC_FORMAT_JPEG) return 0;
  const fc_geometry g = pick_geometry(data + size - CHOICES, info.height, info.width);
  const size_t bytes = (size_t)g.out_h * (size_t)g.out_w * 3;
  uint8_t *exact = malloc(size); /* reading beyond the file is seen */
  uint8_t *expected = malloc(bytes), *out = malloc(bytes);
  if (!exact || !expected || !out) abort();
  memcpy(exact, data, size);
  int warnings, own_warnings;
  const fc_status status = decode(exact, size, &info, &g, 0, expected, &warnings);
  if (decode(exact, size, &info, &g, 1, out, &own_warnings) != status) abort();
  if (own_warnings != warnings) abort();
  if (status == FC_OK && memcmp(out, expected, bytes) != 0) abort();
  free(out);
  free(expected);
  free(exact);
  return 0;
}
