/* fuzz_image.c: libFuzzer target for probe, JPEG decode, orientation and resampling.
 *
 * The whole input is the file, and its last 24 bytes also choose the request: real JPEGs are seeds
 * as they are, and bytes behind their end marker change only the request.  Limits are small so that
 * each run is short; the output is an allocation of its exact size, so that the sanitizer sees any
 * byte too many.
 */
#include <stdlib.h>
#include <string.h>

#include "fastcache.h"

enum { CHOICES = 24 };

static const fc_limits limits = {.max_pixels = 1 << 18, .max_scans = 12};

/* A choice from low to high; zero bytes give the lowest: the whole image. */
static int32_t pick(const uint8_t **choice, int32_t low, int32_t high) {
  int32_t value = (*choice)[0] | (*choice)[1] << 8;
  *choice += 2;
  return low + value % (high - low + 1);
}

static fc_geometry pick_geometry(const uint8_t **choice, int32_t h, int32_t w) {
  fc_geometry g = {.src_h = h, .src_w = w};
  g.crop_y = pick(choice, 0, h - 1);
  g.crop_x = pick(choice, 0, w - 1);
  g.crop_h = h - g.crop_y - pick(choice, 0, h - g.crop_y - 1);
  g.crop_w = w - g.crop_x - pick(choice, 0, w - g.crop_x - 1);
  g.size_h = pick(choice, 1, 300);
  g.size_w = pick(choice, 1, 300);
  g.win_y = pick(choice, 0, 400) - 50;
  g.win_x = pick(choice, 0, 400) - 50;
  g.out_h = pick(choice, 1, 320);
  g.out_w = pick(choice, 1, 320);
  return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fc_decoder *decoder;
  static const int32_t channels[4] = {3, 1, 4, 3};
  if (size <= CHOICES) return 0;
  if (!decoder && !(decoder = fc_decoder_new())) return 0;
  const uint8_t *choice = data + size - CHOICES;

  fc_image_info info;
  if (fc_probe_bytes(data, size, &limits, &info) != FC_OK) return 0;
  if (!(info.flags & FC_IMAGE_IN_C)) return 0;
  if (info.orientation < 1 || info.orientation > 8) abort();
  int32_t bits = pick(&choice, 0, 0xffff);
  fc_image_spec spec = {.channels = channels[bits & 3],
                        .filter = (bits >> 2) % FC_FILTER_COUNT,
                        .apply_orientation = bits >> 8 & 1,
                        .fill = {9, 8, 7, 6},
                        .limits = limits};
  int swap = spec.apply_orientation && info.orientation >= 5;
  fc_geometry g =
      pick_geometry(&choice, swap ? info.width : info.height, swap ? info.height : info.width);
  if (fc_geometry_check(&g) != FC_OK) abort();

  size_t stride = (size_t)g.out_w * (size_t)spec.channels;
  uint8_t *out = malloc(stride * (size_t)g.out_h);
  uint8_t *exact = malloc(size); /* reading beyond the file is seen too */
  if (out && exact) {
    int detail;
    memcpy(exact, data, size);
    fc_status status = fc_decode(decoder, exact, size, &spec, &g, out, stride, &detail);
    if (status == FC_E_ARGUMENT || status == FC_E_CHANGED) abort();
    char text[64];
    fc_describe(status, detail, text, sizeof text);
  }
  free(exact);
  free(out);
  return 0;
}
