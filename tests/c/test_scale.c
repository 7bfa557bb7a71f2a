/* test_scale.c: a part of a JPEG that is decoded at 1/2 or 1/4 of its size equals the same part of
 * all of it, decoded by plain libjpeg at that scale; where no scale is allowed nothing changes. */
#include "jpeg_maker.h"
#include "random.h"
#include "resample.h"

static int between(int low, int high) {
  return low + random_below(high - low + 1);
}

typedef struct request {
  fc_geometry geometry;
  fc_image_spec spec;
} request;

static size_t bytes_of(const request *r) {
  return (size_t)r->geometry.out_h * (size_t)r->geometry.out_w * (size_t)r->spec.channels;
}

static int divided_up(int value, int by) {
  return (value + by - 1) / by;
}

/* One axis: a crop of at least `scale` pixels, and what it may become at that scale. */
static void pick_axis(int whole, int scale, int32_t *crop, int32_t *cropped, int32_t *size) {
  *cropped = between(scale, whole);
  *crop = between(0, whole - *cropped);
  *size = between(0, 2) ? between(1, *cropped / scale) : *cropped / scale;
}

static request pick_request(int height, int width, int components, int scale) {
  request r = {.spec = {.channels = components == 1 ? 1 : 3,
                        .filter = between(FC_BOX, FC_LANCZOS),
                        .scale = scale,
                        .limits = fc_default_limits}};
  fc_geometry *g = &r.geometry;
  g->src_h = height, g->src_w = width;
  pick_axis(height, scale, &g->crop_y, &g->crop_h, &g->size_h);
  pick_axis(width, scale, &g->crop_x, &g->crop_w, &g->size_w);
  g->out_h = between(1, g->size_h), g->out_w = between(1, g->size_w);
  g->win_y = between(0, g->size_h - g->out_h), g->win_x = between(0, g->size_w - g->out_w);
  return r;
}

/* The same of pixels that were decoded at the scale: the resampler alone. */
static void resample_scaled(const uint8_t *pixels, int components, const request *r, uint8_t *out) {
  const fc_geometry *g = &r->geometry;
  const size_t h = (size_t)divided_up(g->src_h, r->spec.scale);
  const size_t w = (size_t)divided_up(g->src_w, r->spec.scale);
  const size_t stride = w * (size_t)r->spec.channels;
  uint8_t *converted = check_alloc(h * stride), *copy = check_alloc(stride + FC_ROW_SLACK);
  const fc_convert_row convert = fc_convert_for(components, r->spec.channels);
  memcpy(converted, pixels, convert ? 0 : h * stride);
  if (convert) convert(converted, pixels, h * w);
  fc_sink *sink = fc_sink_new();
  CHECK(sink);
  CHECK_INT(fc_sink_plan(sink, g, &r->spec, out, (size_t)g->out_w * (size_t)r->spec.channels),
            FC_OK);
  fc_push_pixels(sink, converted, stride, h * stride, r->spec.channels, copy);
  fc_sink_free(sink);
  free(copy);
  free(converted);
}

static fc_status decode(fc_decoder *decoder, const jpeg_file *file, const request *r,
                        uint8_t *out) {
  return fc_decode(decoder, file->data, file->size, &r->spec, &r->geometry, out,
                   (size_t)r->geometry.out_w * (size_t)r->spec.channels, NULL);
}

static void test_kind(fc_decoder *decoder, const jpeg_kind *kind, int height, int width,
                      int scale) {
  jpeg_file file = make_jpeg(kind, height, width, 90);
  uint8_t *scaled = decode_at_scale(&file, kind->components, scale);
  for (int i = 0; i < 25; i++) {
    const request r = pick_request(height, width, kind->components, scale);
    const fc_geometry *g = &r.geometry;
    uint8_t *out = check_alloc(bytes_of(&r)), *wanted = check_alloc(bytes_of(&r));
    CHECK_CONTEXT("%s %dx%d at 1/%d: rows %d+%d to %d, columns %d+%d to %d", kind->name, height,
                  width, scale, g->crop_y, g->crop_h, g->size_h, g->crop_x, g->crop_w, g->size_w);
    resample_scaled(scaled, kind->components, &r, wanted);
    CHECK_INT(decode(decoder, &file, &r, out), FC_OK);
    CHECK_INT(memcmp(out, wanted, bytes_of(&r)), 0);
    free(out);
    free(wanted);
  }
  free(scaled);
  free(file.data);
}

/* Rows that libjpeg upsamples after an inverse DCT that has widened them already. */
static const jpeg_kind tall = {
    .name = "2x4", .components = 3, .coded = JCS_YCbCr, .h = {2}, .v = {4}};

static void test_kinds(fc_decoder *decoder) {
  static const int sizes[][2] = {{4, 4}, {7, 9}, {33, 65}, {129, 97}, {131, 383}};
  for (int k = 0; k < JPEG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int scale = 2; scale <= 4 && jpeg_kinds[k].progressive != SCANS_MISSING; scale += 2)
        test_kind(decoder, &jpeg_kinds[k], sizes[s][0], sizes[s][1], scale);
  test_kind(decoder, &tall, 131, 257, 2);
  test_kind(decoder, &tall, 131, 257, 4);
}

/* With a scale that may not be used, and with none: the same pixels. */
static void check_exact(fc_decoder *decoder, const jpeg_file *file, request r, const char *why) {
  uint8_t *out = check_alloc(bytes_of(&r)), *wanted = check_alloc(bytes_of(&r));
  CHECK_CONTEXT("%s", why);
  CHECK_INT(decode(decoder, file, &r, out), FC_OK);
  r.spec.scale = 0;
  CHECK_INT(decode(decoder, file, &r, wanted), FC_OK);
  CHECK_INT(memcmp(out, wanted, bytes_of(&r)), 0);
  free(out);
  free(wanted);
}

static request whole(int height, int width, int size) {
  return (request){
      .geometry = {.src_h = height,
                   .src_w = width,
                   .crop_h = height,
                   .crop_w = width,
                   .size_h = size,
                   .size_w = size,
                   .out_h = size,
                   .out_w = size},
      .spec = {.channels = 3, .filter = FC_BILINEAR, .scale = 2, .limits = fc_default_limits}};
}

static void test_refused_scales(fc_decoder *decoder) {
  jpeg_file file = make_jpeg(&jpeg_kinds[0], 63, 90, 90);
  check_exact(decoder, &file, whole(63, 90, 32), "63 rows are too few for 2 times 32");
  request r = whole(63, 90, 20);
  r.spec.filter = FC_NEAREST;
  check_exact(decoder, &file, r, "nearest");
  set_orientation(&file, 6);
  r = whole(90, 63, 20);
  r.spec.apply_orientation = 1;
  check_exact(decoder, &file, r, "turned");
  r = whole(63, 90, 20);
  for (int scale = -1; scale < 6; scale++) {
    uint8_t out[20 * 20 * 3];
    r.spec.scale = scale;
    const int is_one = scale == 0 || scale == 2 || scale == 4;
    CHECK_CONTEXT("scale %d", scale);
    CHECK_INT(decode(decoder, &file, &r, out), is_one ? FC_OK : FC_E_ARGUMENT);
  }
  free(file.data);
}

/* The harness can tell: at a scale pixels differ from exact ones. */
static void test_scale_is_used(fc_decoder *decoder) {
  jpeg_file file = make_jpeg(&jpeg_kinds[2], 64, 64, 90);
  request r = whole(64, 64, 30);
  uint8_t exact[30 * 30 * 3], fast[30 * 30 * 3];
  CHECK_INT(decode(decoder, &file, &r, fast), FC_OK);
  r.spec.scale = 0;
  CHECK_INT(decode(decoder, &file, &r, exact), FC_OK);
  CHECK(memcmp(fast, exact, sizeof exact) != 0);
  free(file.data);
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder);
  test_kinds(decoder);
  test_refused_scales(decoder);
  test_scale_is_used(decoder);
  fc_decoder_free(decoder);
  return check_result();
}
