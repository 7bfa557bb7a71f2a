/* fuzz_decode.h: one input of a codec's fuzz target.  Beside what the sanitizers see, these hold:
 *
 *  - a decoder that has seen other images, and one that has not, give the same;
 *  - every byte of the slot is written;
 *  - fc_decode_scratch is an upper bound of what is allocated, whatever the file does;
 *  - a rectangle decoded alone equals that rectangle of the whole image. */
#ifndef FC_TEST_FUZZ_DECODE_H
#define FC_TEST_FUZZ_DECODE_H

#include "fuzz_choice.h"
#include "fuzz_memory.h"

typedef struct fuzz_result {
  fc_status status;
  int detail;
  uint8_t *pixels;
  size_t bytes;
} fuzz_result;

static fuzz_result fuzz_decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                               const fc_image_spec *spec, const fc_geometry *g, int before) {
  const size_t stride = (size_t)g->out_w * fuzz_pixel_bytes(spec);
  fuzz_result result = {.bytes = stride * (size_t)g->out_h};
  result.pixels = fuzz_alloc(result.bytes);
  memset(result.pixels, before, result.bytes);
  fuzz_memory_start();
  fc_decoder *fresh = decoder ? NULL : fc_decoder_new();
  FUZZ_CHECK(decoder || fresh);
  result.status = fc_decode(decoder ? decoder : fresh, data, size, spec, g, result.pixels, stride,
                            &result.detail);
  const size_t peak = fuzz_memory_stop();
  if (fresh) {
    fc_image_info info;
    FUZZ_CHECK(fc_probe_bytes(data, size, &spec->limits, &info) == FC_OK);
    const fc_scratch scratch = fc_decode_scratch(&info, spec, g);
    FUZZ_CHECK(peak <= fc_scratch_sum(&scratch));
  }
  fc_decoder_free(fresh);

  char text[80];
  FUZZ_CHECK(fc_describe(result.status, result.detail, text, sizeof text) == text);
  const fc_status s = result.status;
  FUZZ_CHECK(s >= FC_OK && s < FC_STATUS_COUNT && s != FC_PENDING && s != FC_E_ARGUMENT);
  FUZZ_CHECK(s != FC_E_NOMEM && s != FC_E_IO && s != FC_E_NOT_REGULAR && s != FC_E_EMPTY);
  FUZZ_CHECK(s != FC_E_CHANGED && s != FC_E_PIXELS);
  FUZZ_CHECK(s != FC_E_TIME || spec->limits.max_ms);
  return result;
}

/* Both decoders; what the used one gives. */
static fuzz_result fuzz_decode_twice(fc_decoder *used, const uint8_t *data, size_t size,
                                     const fc_image_spec *spec, const fc_geometry *g) {
  const fuzz_result result = fuzz_decode(used, data, size, spec, g, 0x55);
  if (spec->limits.max_ms) return result;
  const fuzz_result again = fuzz_decode(NULL, data, size, spec, g, 0xaa);
  FUZZ_CHECK(again.status == result.status && again.detail == result.detail);
  if (result.status == FC_OK) FUZZ_CHECK(memcmp(result.pixels, again.pixels, result.bytes) == 0);
  free(again.pixels);
  return result;
}

static void fuzz_compare_part(fc_decoder *decoder, const uint8_t *data, size_t size,
                              const fc_image_spec *spec, const fc_geometry *part) {
  fc_geometry whole = *part;
  whole.crop_y = whole.crop_x = 0;
  whole.crop_h = part->src_h;
  whole.crop_w = part->src_w;
  whole = fuzz_copy_geometry(&whole);
  const fuzz_result all = fuzz_decode(decoder, data, size, spec, &whole, 0x55);
  const fuzz_result some = fuzz_decode(decoder, data, size, spec, part, 0xaa);
  if (all.status == FC_OK) {
    const size_t pixel = fuzz_pixel_bytes(spec), row = (size_t)part->crop_w * pixel;
    FUZZ_CHECK(some.status == FC_OK);
    for (int32_t y = 0; y < part->crop_h; y++) {
      const size_t at = (size_t)(part->crop_y + y) * (size_t)whole.out_w + (size_t)part->crop_x;
      FUZZ_CHECK(memcmp(some.pixels + (size_t)y * row, all.pixels + at * pixel, row) == 0);
    }
  }
  free(all.pixels);
  free(some.pixels);
}

/* Small images make short runs; a few may be larger, so that rows of more than 64 KB come up. */
static fc_limits fuzz_pick_limits(fuzz_choice *choice) {
  const int32_t bits = fuzz_pick(choice, 0, 0xffff);
  fc_limits limits = {.max_pixels = 1 << 14, .max_bytes = 1 << 20, .max_scans = 12};
  if ((bits & 31) == 31) limits.max_pixels = 1 << 18;
  if ((bits >> 5 & 31) == 31) limits.max_bytes = 1 << 12;
  if ((bits >> 10 & 31) == 31) limits.max_ms = 1;
  return limits;
}

/* What zero choices ask for is what a fill asks for: the whole image at its own size. */
enum { FUZZ_COPY, FUZZ_COMPARE, FUZZ_RESAMPLE, FUZZ_MODES = 4 };

/* Files of other formats are left to their own targets, so that the corpora stay apart. */
static void fuzz_image(fc_format format, const uint8_t *data, size_t size) {
  static fc_decoder *decoder;
  if (!decoder) decoder = fc_decoder_new();
  FUZZ_CHECK(decoder);
  fuzz_choice choice = {data, size};
  const fc_limits limits = fuzz_pick_limits(&choice);
  fc_image_info info;
  uint8_t *exact = fuzz_exact_copy(data, size);
  const fc_status status = fc_probe_bytes(exact, size, &limits, &info);
  if (status == FC_OK && info.format == (int32_t)format && info.flags & FC_IMAGE_IN_C) {
    const fc_image_spec spec = fuzz_pick_spec(&choice, &limits);
    const int mode = fuzz_pick(&choice, 0, FUZZ_MODES - 1);
    const int turned = spec.apply_orientation && info.orientation >= 5;
    fc_geometry g = fuzz_pick_geometry(&choice, turned ? info.width : info.height,
                                       turned ? info.height : info.width);
    if (mode < FUZZ_RESAMPLE) g = fuzz_copy_geometry(&g);
    FUZZ_CHECK(fc_geometry_check(&g) == FC_OK);
    free(fuzz_decode_twice(decoder, exact, size, &spec, &g).pixels);
    if (mode == FUZZ_COMPARE && !limits.max_ms) fuzz_compare_part(decoder, exact, size, &spec, &g);
  }
  free(exact);
}

#endif
