/* test_jpeg.c: whatever part of a JPEG is decoded, it equals the same part of a full decode. */
#include "fastcache.h"
#include "jpeg_maker.h"

typedef struct rect {
  int y, x, h, w;
} rect;

/* Decode one rectangle without resampling. */
static fc_status decode_rect(fc_decoder *decoder, const jpeg_file *file, int height, int width,
                             int channels, rect r, uint8_t *out) {
  const fc_geometry geometry = {.src_h = height,
                                .src_w = width,
                                .crop_y = r.y,
                                .crop_x = r.x,
                                .crop_h = r.h,
                                .crop_w = r.w,
                                .size_h = r.h,
                                .size_w = r.w,
                                .out_h = r.h,
                                .out_w = r.w};
  const fc_image_spec spec = {
      .channels = channels, .filter = FC_BILINEAR, .limits = fc_default_limits};
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out,
                   (size_t)r.w * (size_t)channels, NULL);
}

/* ---- colours: the slow, obvious conversions ------------------------------------------------- */

static int divide_255(int product) {
  return (product * 2 + 255) / 510; /* rounded; a half cannot occur */
}

static void convert_pixel(const uint8_t *in, int components, int channels, uint8_t *out) {
  int rgb[3];
  for (int c = 0; c < 3; c++) {
    if (components == 1) rgb[c] = in[0];
    if (components == 3) rgb[c] = in[c];
    if (components == 4) rgb[c] = in[3] - divide_255((255 - in[c]) * in[3]);
  }
  if (channels == 1) {
    int luma = (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) / 65536;
    out[0] = (uint8_t)(components == 1 ? in[0] : luma);
    return;
  }
  for (int c = 0; c < 3; c++) out[c] = (uint8_t)rgb[c];
  if (channels == 4) out[3] = 255;
}

/* Pixels of `out` that differ from the rectangle of the full decode. */
static int differing_pixels(const uint8_t *full, int width, int components, int channels, rect r,
                            const uint8_t *out) {
  int differing = 0;
  for (int y = 0; y < r.h; y++)
    for (int x = 0; x < r.w; x++) {
      uint8_t expected[4];
      const uint8_t *in =
          full + ((size_t)(r.y + y) * (size_t)width + (size_t)(r.x + x)) * (size_t)components;
      convert_pixel(in, components, channels, expected);
      const uint8_t *got = out + ((size_t)y * (size_t)r.w + (size_t)x) * (size_t)channels;
      differing += memcmp(got, expected, (size_t)channels) != 0;
    }
  return differing;
}

/* ---- every kind, many rectangles ------------------------------------------------------------ */

static unsigned random_state;

static int random_below(int limit) {
  random_state = random_state * 1664525u + 1013904223u;
  return (int)((random_state >> 8) % (unsigned)limit);
}

/* libjpeg's versions fill in missing scans differently: Pillow's own shall do it. */
static fc_status expected_status(const jpeg_kind *kind) {
  return kind->progressive == SCANS_MISSING ? FC_NEEDS_PYTHON : FC_OK;
}

static rect random_rect(int height, int width) {
  rect r = {.h = 1 + random_below(height), .w = 1 + random_below(width)};
  if (random_below(3) == 0) r.h = 1 + random_below(height < 20 ? height : 20);
  if (random_below(3) == 0) r.w = 1 + random_below(width < 20 ? width : 20);
  r.y = random_below(height - r.h + 1);
  r.x = random_below(width - r.w + 1);
  return r;
}

static void test_rectangles(fc_decoder *decoder, const jpeg_kind *kind, int height, int width,
                            int quality, int rectangles) {
  static const int all_channels[3] = {1, 3, 4};
  jpeg_file file = make_jpeg(kind, height, width, quality);
  uint8_t *full = decode_plainly(&file, kind->components);
  uint8_t *out = check_alloc((size_t)height * (size_t)width * 4);
  for (int i = 0; i < rectangles; i++) {
    rect r = i < 3 ? (rect){0, 0, height, width} : random_rect(height, width);
    int channels = i < 3 ? all_channels[i] : 3;
    CHECK_CONTEXT("%s %dx%d quality %d: rows %d+%d columns %d+%d, %d channels", kind->name, height,
                  width, quality, r.y, r.h, r.x, r.w, channels);
    fc_status status = decode_rect(decoder, &file, height, width, channels, r, out);
    CHECK_INT(status, expected_status(kind));
    if (status == FC_OK)
      CHECK_INT(differing_pixels(full, width, kind->components, channels, r, out), 0);
  }
  free(out);
  free(full);
  free(file.data);
}

static void test_every_kind(fc_decoder *decoder, int rectangles) {
  static const int sizes[][2] = {{1, 1}, {1, 37}, {41, 1}, {7, 9}, {33, 65}, {129, 97}, {250, 383}};
  for (int k = 0; k < JPEG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      test_rectangles(decoder, &jpeg_kinds[k], sizes[s][0], sizes[s][1], 90, rectangles);
}

/* Every first row and every last row: the places where skipping and stopping could go wrong. */
static void test_every_row(fc_decoder *decoder) {
  enum { HEIGHT = 75, WIDTH = 53 };
  uint8_t out[HEIGHT * WIDTH * 3];
  for (int k = 0; k < JPEG_KINDS; k++) {
    if (expected_status(&jpeg_kinds[k]) != FC_OK) continue;
    jpeg_file file = make_jpeg(&jpeg_kinds[k], HEIGHT, WIDTH, 85);
    int components = jpeg_kinds[k].components;
    uint8_t *full = decode_plainly(&file, components);
    for (int y = 0; y < HEIGHT; y++)
      for (int h = 1; h <= HEIGHT - y; h += 1 + h / 3) {
        rect r = {y, y % WIDTH, h, WIDTH - y % WIDTH};
        CHECK_CONTEXT("%s rows %d+%d columns %d+%d", jpeg_kinds[k].name, r.y, r.h, r.x, r.w);
        CHECK_INT(decode_rect(decoder, &file, HEIGHT, WIDTH, 3, r, out), FC_OK);
        CHECK_INT(differing_pixels(full, WIDTH, components, 3, r, out), 0);
      }
    free(full);
    free(file.data);
  }
}

static void test_every_quality(fc_decoder *decoder) {
  for (int quality = 1; quality <= 100; quality++)
    test_rectangles(decoder, &jpeg_kinds[quality % 6], 61, 83, quality, 4);
}

/* ---- damage --------------------------------------------------------------------------------- */

/* Cut before its last byte, no file that is needed whole decodes, whatever its kind. */
static void test_truncated(fc_decoder *decoder) {
  enum { HEIGHT = 64, WIDTH = 80 };
  uint8_t out[HEIGHT * WIDTH * 3];
  const rect whole = {0, 0, HEIGHT, WIDTH}, top = {0, 0, 8, WIDTH};
  for (int k = 0; k < JPEG_KINDS; k++) {
    jpeg_file file = make_jpeg(&jpeg_kinds[k], HEIGHT, WIDTH, 85);
    for (unsigned long size = 3; size < file.size; size += size < 700 ? 1 : 13) {
      jpeg_file cut = {check_alloc(size), size};
      memcpy(cut.data, file.data, size); /* an allocation of its own: reading over is seen */
      CHECK_CONTEXT("%s cut to %lu of %lu", jpeg_kinds[k].name, size, file.size);
      CHECK_INT(decode_rect(decoder, &cut, HEIGHT, WIDTH, 3, whole, out), FC_E_TRUNCATED);
      CHECK_INT(decode_rect(decoder, &cut, HEIGHT, WIDTH, 3, top, out), FC_E_TRUNCATED);
      free(cut.data);
    }
    free(file.data);
  }
}

/* A decoder that has just met a damaged file decodes the next one as if nothing had been. */
static void test_tables_do_not_leak(fc_decoder *decoder) {
  enum { HEIGHT = 24, WIDTH = 24 };
  uint8_t out[HEIGHT * WIDTH * 3];
  const rect whole = {0, 0, HEIGHT, WIDTH};
  jpeg_file file = make_jpeg(&jpeg_kinds[0], HEIGHT, WIDTH, 85);
  CHECK_CONTEXT("no quantisation tables");
  CHECK_INT(decode_rect(decoder, &file, HEIGHT, WIDTH, 3, whole, out), FC_OK);
  for (unsigned long i = 2; i + 1 < file.size; i++)
    if (file.data[i] == 0xff && file.data[i + 1] == 0xdb) file.data[i + 1] = 0xe5; /* APP5 */
  CHECK_INT(decode_rect(decoder, &file, HEIGHT, WIDTH, 3, whole, out), FC_E_CORRUPT);
  free(file.data);
}

static void test_flipped(fc_decoder *decoder) {
  enum { HEIGHT = 48, WIDTH = 40 };
  uint8_t out[HEIGHT * WIDTH * 3];
  long decoded = 0, refused = 0;
  for (int k = 0; k < JPEG_KINDS; k++) {
    jpeg_file file = make_jpeg(&jpeg_kinds[k], HEIGHT, WIDTH, 60);
    for (int i = 0; i < 400; i++) {
      unsigned long byte = (unsigned long)random_below((int)file.size);
      unsigned char bit = (unsigned char)(1 << random_below(8));
      rect r = random_rect(HEIGHT, WIDTH);
      file.data[byte] ^= bit;
      if (decode_rect(decoder, &file, HEIGHT, WIDTH, 3, r, out) == FC_OK)
        decoded++;
      else
        refused++;
      file.data[byte] ^= bit;
    }
    free(file.data);
  }
  CHECK_CONTEXT("%ld decoded, %ld refused", decoded, refused);
  CHECK(decoded > 0 && refused > 0);
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  random_state = 1;
  test_every_kind(decoder, 24);
  test_every_row(decoder);
  test_every_quality(decoder);
  test_truncated(decoder);
  test_tables_do_not_leak(decoder);
  test_flipped(decoder);
  fc_decoder_free(decoder);
  return check_result();
}
