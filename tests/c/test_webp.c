/* test_webp.c: whatever part of a WebP is decoded, it equals the same part of a full decode. */
#include "fastcache.h"
#include "fc_internal.h"
#include "random.h"
#include "webp_maker.h"

typedef struct rect {
  int y, x, h, w;
} rect;

static rect random_rect(int height, int width) {
  rect r = {random_below(height), random_below(width), 0, 0};
  r.h = 1 + random_below(height - r.y);
  r.w = 1 + random_below(width - r.x);
  return r;
}

static fc_geometry copy_of(int height, int width, rect r) {
  return (fc_geometry){.src_h = height,
                       .src_w = width,
                       .crop_y = r.y,
                       .crop_x = r.x,
                       .crop_h = r.h,
                       .crop_w = r.w,
                       .size_h = r.h,
                       .size_w = r.w,
                       .out_h = r.h,
                       .out_w = r.w};
}

/* Decode one rectangle without resampling. */
static fc_status decode_rect(fc_decoder *decoder, const webp_file *file, int height, int width,
                             int channels, rect r, uint8_t *out, int *detail) {
  const fc_geometry geometry = copy_of(height, width, r);
  const fc_image_spec spec = {
      .channels = channels, .filter = FC_BILINEAR, .limits = fc_default_limits};
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out,
                   (size_t)r.w * (size_t)channels, detail);
}

/* One pixel of the oracle in 1, 3 or 4 channels. */
static void convert(const uint8_t *rgba, int channels, uint8_t *out) {
  memcpy(out, rgba, (size_t)(channels == 1 ? 0 : channels));
  if (channels == 1)
    out[0] = (uint8_t)((rgba[0] * 19595 + rgba[1] * 38470 + rgba[2] * 7471 + 0x8000) >> 16);
}

static long differences(const uint8_t *whole, int width, int channels, rect r, const uint8_t *out) {
  long count = 0;
  for (int y = 0; y < r.h; y++)
    for (int x = 0; x < r.w; x++, out += channels) {
      uint8_t wanted[4];
      convert(whole + 4 * ((size_t)(r.y + y) * (size_t)width + (size_t)(r.x + x)), channels,
              wanted);
      count += memcmp(wanted, out, (size_t)channels) != 0;
    }
  return count;
}

static void check_rect(fc_decoder *decoder, const webp_file *file, const uint8_t *whole, int height,
                       int width, int channels, rect r) {
  uint8_t *out = check_alloc((size_t)r.h * (size_t)r.w * (size_t)channels);
  int detail = -1;
  CHECK_INT(decode_rect(decoder, file, height, width, channels, r, out, &detail), FC_OK);
  CHECK_INT(detail, 0);
  CHECK_INT(differences(whole, width, channels, r, out), 0);
  free(out);
}

static void test_every_kind(fc_decoder *decoder) {
  static const int sizes[][2] = {{1, 1}, {2, 3}, {17, 16}, {33, 61}, {70, 45}, {64, 96}};
  for (int k = 0; k < WEBP_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      int h = sizes[s][0], w = sizes[s][1];
      webp_file file = make_webp(&webp_kinds[k], h, w);
      uint8_t *whole = decode_webp_plainly(&file, h, w);
      CHECK(whole != NULL);
      for (int i = 0; whole && i < 24; i++) {
        static const int channels[] = {1, 3, 4};
        rect r = i < 3 ? (rect){0, 0, h, w} : random_rect(h, w);
        CHECK_CONTEXT("%s %dx%d, %d channels, %dx%d at %d, %d", webp_kinds[k].name, h, w,
                      channels[i % 3], r.h, r.w, r.y, r.x);
        check_rect(decoder, &file, whole, h, w, channels[i % 3], r);
      }
      free(whole);
      free(file.data);
    }
}

/* Each cut through the samples that share a colour, near each edge, and near those of macroblocks:
 * upsampling and loop filters must not see it. */
static void test_every_cut(fc_decoder *decoder) {
  enum { HEIGHT = 35, WIDTH = 34 };
  static const int cuts[] = {0, 1, 2, 3, 14, 15, 16, 17, 18, 19, 31, 32, 33, 34, 35};
  enum { CUTS = sizeof cuts / sizeof *cuts };
  static const int kinds[] = {0, 3, 5, 7}; /* the three loop filters, and opacity */
  for (int k = 0; k < 4; k++) {
    webp_file file = make_webp(&webp_kinds[kinds[k]], HEIGHT, WIDTH);
    uint8_t *whole = decode_webp_plainly(&file, HEIGHT, WIDTH);
    for (int a = 0; a < CUTS; a++)
      for (int b = a + 1; b < CUTS; b++) {
        rect rows = {cuts[a], 5, cuts[b] - cuts[a], 13};
        rect columns = {5, cuts[a], 13, FC_MIN(cuts[b], WIDTH) - cuts[a]};
        CHECK_CONTEXT("%s, %d to %d", webp_kinds[kinds[k]].name, cuts[a], cuts[b]);
        check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, rows);
        if (columns.w > 0) check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, columns);
      }
    free(whole);
    free(file.data);
  }
}

/* ---- opacity that the container tells otherwise ---------------------------------------------- */

static void test_contradictions(fc_decoder *decoder) {
  enum { HEIGHT = 40, WIDTH = 30, SIGNIFICANT = 20 };
  const rect all = {0, 0, HEIGHT, WIDTH};
  webp_file file = make_webp(&webp_kinds[7], HEIGHT, WIDTH);
  uint8_t *whole = decode_webp_plainly(&file, HEIGHT, WIDTH);
  CHECK_CONTEXT("with flag");
  CHECK_INT(file.data[SIGNIFICANT] & 0x10, 0x10);
  check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, all);
  CHECK_CONTEXT("without flag"); /* libwebp by itself would apply it; its demuxer drops it */
  file.data[SIGNIFICANT] &= (uint8_t)~0x10;
  for (int i = 0; i < HEIGHT * WIDTH; i++) whole[4 * i + 3] = 255;
  check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, all);
  free(whole);
  free(file.data);

  CHECK_CONTEXT("lossless whose header denies opacity");
  file = make_webp(&webp_kinds[15], HEIGHT, WIDTH);
  whole = decode_webp_plainly(&file, HEIGHT, WIDTH);
  CHECK_INT(file.data[24] & 0x10, 0x10);
  file.data[24] &= (uint8_t)~0x10;
  for (int i = 0; i < HEIGHT * WIDTH; i++) whole[4 * i + 3] = 255;
  check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, all);
  free(whole);
  free(file.data);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A whole decode says what libwebp says of the same bytes; a part may only be more lenient. */
static int check_damaged(fc_decoder *decoder, const webp_file *file, int height, int width) {
  const rect all = {0, 0, height, width};
  uint8_t *whole = decode_webp_plainly(file, height, width);
  uint8_t *out = check_alloc((size_t)height * (size_t)width * 4);
  int detail = 0;
  fc_status status = decode_rect(decoder, file, height, width, 3, all, out, &detail);
  CHECK(status == FC_OK || status == FC_NEEDS_PYTHON || status == FC_E_CORRUPT ||
        status == FC_E_TRUNCATED || status == FC_E_PIXELS || status == FC_E_CHANGED);
  if (status == FC_OK) CHECK(whole != NULL);
  if (status == FC_OK && whole) CHECK_INT(differences(whole, width, 3, all, out), 0);
  if (status == FC_E_CORRUPT || status == FC_E_TRUNCATED) CHECK(whole == NULL);
  if (status == FC_E_CORRUPT) {
    char text[160];
    CHECK(strlen(fc_describe(status, detail, text, sizeof text)) >
          strlen(fc_status_text(FC_E_CORRUPT)) + 4);
  }
  rect part = random_rect(height, width);
  fc_status partly = decode_rect(decoder, file, height, width, 4, part, out, &detail);
  if (status == FC_OK && whole) CHECK_INT(partly, FC_OK);
  free(out);
  free(whole);
  return status == FC_OK;
}

static void test_truncated(fc_decoder *decoder) {
  enum { HEIGHT = 40, WIDTH = 36 };
  uint8_t out[HEIGHT * WIDTH * 3];
  for (int k = 0; k < WEBP_KINDS; k++) {
    webp_file file = make_webp(&webp_kinds[k], HEIGHT, WIDTH);
    for (size_t size = 12; size < file.size; size++) {
      CHECK_CONTEXT("%s, %zu of %zu bytes", webp_kinds[k].name, size, file.size);
      webp_file cut = {check_alloc(size), size};
      memcpy(cut.data, file.data, size);
      const rect top = {0, 0, 1, 1};
      CHECK_INT(decode_rect(decoder, &cut, HEIGHT, WIDTH, 3, top, out, NULL), FC_E_TRUNCATED);
      free(cut.data);
    }
    free(file.data);
  }
}

static void put_le32(uint8_t *p, size_t value) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* Cut, but with lengths that fit: only the compressed data can tell. */
static void test_cut_frames(fc_decoder *decoder) {
  enum { HEIGHT = 40, WIDTH = 36 };
  static const int kinds[] = {0, 6, 12, 17};
  long decoded = 0, refused = 0;
  for (int k = 0; k < 4; k++) {
    webp_file file = make_webp(&webp_kinds[kinds[k]], HEIGHT, WIDTH);
    for (size_t size = 32; size < file.size; size += 2) {
      CHECK_CONTEXT("%s, %zu of %zu bytes", webp_kinds[kinds[k]].name, size, file.size);
      webp_file cut = {check_alloc(size), size};
      memcpy(cut.data, file.data, size);
      put_le32(cut.data + 4, size - 8);
      put_le32(cut.data + 16, size - 20);
      *(check_damaged(decoder, &cut, HEIGHT, WIDTH) ? &decoded : &refused) += 1;
      free(cut.data);
    }
    free(file.data);
  }
  CHECK_CONTEXT("%ld decoded, %ld refused", decoded, refused);
  CHECK(refused > 100);
}

static void test_flipped(fc_decoder *decoder) {
  enum { HEIGHT = 48, WIDTH = 40 };
  long decoded = 0, refused = 0;
  for (int k = 0; k < WEBP_KINDS; k++) {
    webp_file file = make_webp(&webp_kinds[k], HEIGHT, WIDTH);
    for (int i = 0; i < 400; i++) {
      size_t byte = 12 + (size_t)random_below((int)file.size - 12);
      uint8_t bit = (uint8_t)(1 << random_below(8));
      CHECK_CONTEXT("%s, byte %zu, bit %d", webp_kinds[k].name, byte, bit);
      file.data[byte] ^= bit;
      *(check_damaged(decoder, &file, HEIGHT, WIDTH) ? &decoded : &refused) += 1;
      file.data[byte] ^= bit;
    }
    uint8_t *whole = decode_webp_plainly(&file, HEIGHT, WIDTH);
    CHECK_CONTEXT("%s, after all that", webp_kinds[k].name);
    check_rect(decoder, &file, whole, HEIGHT, WIDTH, 4, (rect){0, 0, HEIGHT, WIDTH});
    free(whole);
    free(file.data);
  }
  CHECK_CONTEXT("%ld decoded, %ld refused", decoded, refused);
  CHECK(decoded > 1000 && refused > 1000);
}

/* ---- what is not decoded --------------------------------------------------------------------- */

static void test_refusals(fc_decoder *decoder) {
  enum { HEIGHT = 20, WIDTH = 30 };
  uint8_t out[HEIGHT * WIDTH * 4];
  const rect all = {0, 0, HEIGHT, WIDTH};
  const fc_geometry geometry = copy_of(HEIGHT, WIDTH, all);
  webp_file file = make_webp(&webp_kinds[0], HEIGHT, WIDTH);

  CHECK_CONTEXT("16 bits");
  fc_image_spec spec = {.channels = 1, .wide = 1, .limits = fc_default_limits};
  CHECK_INT(fc_decode(decoder, file.data, file.size, &spec, &geometry, out, WIDTH * 2, NULL),
            FC_NEEDS_PYTHON);

  CHECK_CONTEXT("another size");
  CHECK_INT(decode_rect(decoder, &file, HEIGHT + 1, WIDTH, 3, all, out, NULL), FC_E_CHANGED);

  CHECK_CONTEXT("too late");
  spec = (fc_image_spec){.channels = 3, .limits = fc_default_limits};
  fc_image_info info;
  fc_sink *sink = fc_sink_new();
  void *state = fc_webp_codec.create();
  CHECK_INT(fc_probe_bytes(file.data, file.size, &spec.limits, &info), FC_OK);
  CHECK_INT(fc_sink_plan(sink, &geometry, &spec, out, WIDTH * 3), FC_OK);
  const fc_request request = {file.data, file.size, &info, &spec, {.at = 1}, sink};
  int detail = 0;
  CHECK_INT(fc_webp_codec.decode(state, &request, &detail), FC_E_TIME);
  fc_webp_codec.destroy(state);
  fc_sink_free(sink);
  free(file.data);
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_every_kind(decoder);
  test_every_cut(decoder);
  test_contradictions(decoder);
  test_truncated(decoder);
  test_cut_frames(decoder);
  test_flipped(decoder);
  test_refusals(decoder);
  fc_decoder_free(decoder);
  return check_result();
}
