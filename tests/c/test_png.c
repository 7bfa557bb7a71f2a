/* test_png.c: whatever part of whatever kind of PNG is decoded, it is what the standard says, in
 * the values that Pillow gives. */
#include "fastcache.h"
#include "png_maker.h"
#include "random.h"

typedef struct rect {
  int y, x, h, w;
} rect;

static fc_status decode(fc_decoder *decoder, const png_bytes *file, const png_recipe *r, rect part,
                        int channels, int wide, uint8_t *out, int *detail) {
  const fc_geometry geometry = {.src_h = r->height,
                                .src_w = r->width,
                                .crop_y = part.y,
                                .crop_x = part.x,
                                .crop_h = part.h,
                                .crop_w = part.w,
                                .size_h = part.h,
                                .size_w = part.w,
                                .out_h = part.h,
                                .out_w = part.w};
  const fc_image_spec spec = {
      .channels = channels, .filter = FC_BILINEAR, .wide = wide, .limits = fc_default_limits};
  size_t pixel = wide ? 2 : (size_t)channels;
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out, (size_t)part.w * pixel,
                   detail);
}

static void expected_pixel(const png_recipe *r, int y, int x, int channels, uint8_t *out) {
  uint8_t rgba[4];
  png_expected(r, y, x, rgba);
  int luma = (rgba[0] * 19595 + rgba[1] * 38470 + rgba[2] * 7471 + 32768) / 65536;
  memcpy(out, rgba, 4);
  if (channels == 1) out[0] = (uint8_t)luma; /* of equal values, it is the value */
}

static int differing(const png_recipe *r, rect part, int channels, const uint8_t *out) {
  int count = 0;
  for (int y = 0; y < part.h; y++)
    for (int x = 0; x < part.w; x++, out += channels) {
      uint8_t pixel[4];
      expected_pixel(r, part.y + y, part.x + x, channels, pixel);
      count += memcmp(out, pixel, (size_t)channels) != 0;
    }
  return count;
}

static rect random_rect(int height, int width) {
  rect part = {.h = 1 + random_below(height), .w = 1 + random_below(width)};
  part.y = random_below(height - part.h + 1);
  part.x = random_below(width - part.w + 1);
  return part;
}

/* All channels of the whole image and of parts of it. */
static void check_file(fc_decoder *decoder, const png_recipe *r, int parts) {
  png_bytes made = make_png(r);
  /* Exactly sized, so that the sanitizer sees who reads over the end. */
  png_bytes file = {.data = check_alloc(made.size), .size = made.size};
  memcpy(file.data, made.data, made.size);
  uint8_t *out = check_alloc((size_t)r->height * (size_t)r->width * 4);
  for (int i = 0; i < 3 + parts; i++) {
    static const int all[3] = {1, 3, 4};
    rect part = i < 3 ? (rect){0, 0, r->height, r->width} : random_rect(r->height, r->width);
    int channels = all[i % 3], warnings = -1;
    CHECK_CONTEXT("%s %dx%d filter %d: rows %d+%d columns %d+%d, %d channels%s", r->kind->name,
                  r->height, r->width, r->filter, part.y, part.h, part.x, part.w, channels,
                  r->key ? ", tRNS" : "");
    CHECK_INT(decode(decoder, &file, r, part, channels, 0, out, &warnings), FC_OK);
    CHECK_INT(warnings, 0);
    CHECK_INT(differing(r, part, channels, out), 0);
  }
  free(out);
  free(file.data);
  free(made.data);
}

static void test_every_kind(fc_decoder *decoder) {
  static const int sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {1, 37}, {41, 1},  {3, 3},   {4, 5},
                                 {5, 4}, {7, 9}, {8, 8}, {9, 17}, {33, 65}, {61, 40}, {16, 130}};
  for (int k = 0; k < PNG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      const png_recipe r = {
          .kind = &png_kinds[k], .height = sizes[s][0], .width = sizes[s][1], .filter = -1};
      check_file(decoder, &r, 9);
    }
}

static void test_every_filter(fc_decoder *decoder) {
  for (int k = 0; k < PNG_KINDS; k++)
    for (int filter = 0; filter <= 4; filter++) {
      const png_recipe r = {
          .kind = &png_kinds[k], .height = 21, .width = 67, .filter = filter, .part = 100};
      check_file(decoder, &r, 3);
    }
}

/* Keys that occur, that occur only as Pillow compares them, and that occur nowhere. */
static void test_transparency(fc_decoder *decoder) {
  for (int k = 0; k < PNG_KINDS; k++) {
    const png_kind *kind = &png_kinds[k];
    for (int round = 0; round < 12; round++) {
      uint8_t key[256];
      size_t size = kind->colours == 2 ? 6 : 2;
      int y = random_below(19), x = random_below(23), full_depth = round % 3;
      for (int c = 0; c < 3; c++) {
        unsigned value = png_sample(kind, y, x, kind->colours == 2 ? c : 0);
        if (!full_depth && kind->depth == 16) value = value >> 8 | (value & 0xff00);
        if (full_depth == 2) value += (unsigned)c;
        key[2 * c] = (uint8_t)(value >> 8);
        key[2 * c + 1] = (uint8_t)value;
      }
      if (kind->colours == 3) {
        size = (size_t)random_below((1 << kind->depth) + 1);
        for (size_t i = 0; i < size; i++) key[i] = (uint8_t)(11 + random_below(245));
      }
      const png_recipe r = {.kind = kind,
                            .height = 19,
                            .width = 23,
                            .filter = -1,
                            .key = key,
                            .key_size = size,
                            .palette_entries = round % 2 ? 0 : 1 + random_below(1 << kind->depth)};
      check_file(decoder, &r, 2);
    }
  }
}

/* One 0 among 255s stands for an index in Pillow; a line feed behind it is lost. */
static void test_transparent_index(fc_decoder *decoder) {
  static const uint8_t with_line_feed[4] = {255, 0, 255, '\n'}, as_read[3] = {255, 0, 255};
  static const uint8_t two_zeros[4] = {0, 0, 255, '\n'};
  const png_kind *kind = &png_kinds[20];
  png_recipe r = {.kind = kind, .height = 9, .width = 200, .key = with_line_feed, .key_size = 4};
  png_bytes file = make_png(&r);
  uint8_t *out = check_alloc(9 * 200 * 4);
  const rect whole = {0, 0, 9, 200};
  CHECK_CONTEXT("a lost line feed");
  CHECK_INT(decode(decoder, &file, &r, whole, 4, 0, out, NULL), FC_OK);
  r.key = as_read;
  r.key_size = 3;
  CHECK_INT(differing(&r, whole, 4, out), 0);
  free(out);
  free(file.data);
  r.key = two_zeros;
  r.key_size = 4;
  check_file(decoder, &r, 2);
}

static void test_wide(fc_decoder *decoder) {
  for (int k = 0; k < PNG_KINDS; k++) {
    const png_kind *kind = &png_kinds[k];
    const png_recipe r = {.kind = kind, .height = 29, .width = 31, .filter = -1};
    png_bytes file = make_png(&r);
    uint16_t *out = check_alloc(29 * 31 * sizeof *out);
    for (int i = 0; i < 5; i++) {
      rect part = i ? random_rect(29, 31) : (rect){0, 0, 29, 31};
      CHECK_CONTEXT("%s, wide, part %d", kind->name, i);
      fc_status status = decode(decoder, &file, &r, part, 1, 1, (uint8_t *)out, NULL);
      int kept = kind->colours == 0 && kind->depth == 16, wrong = 0;
      CHECK_INT(status, kept ? FC_OK : FC_NEEDS_PYTHON);
      for (int p = 0; kept && p < part.h * part.w; p++)
        wrong += out[p] != png_sample(kind, part.y + p / part.w, part.x + p % part.w, 0);
      CHECK_INT(wrong, 0);
    }
    free(out);
    free(file.data);
  }
}

/* However the compressed pixels are cut into chunks. */
static void test_parts(fc_decoder *decoder) {
  for (size_t part = 1; part < 400; part += part < 12 ? 1 : 61)
    for (int gaps = 0; gaps < 2; gaps++) {
      const png_recipe r = {.kind = &png_kinds[10],
                            .height = 17,
                            .width = 19,
                            .filter = -1,
                            .part = part,
                            .gaps = gaps};
      check_file(decoder, &r, 1);
    }
}

/* Nothing of one image is seen in the next, whatever their order. */
static void test_no_leaks(fc_decoder *decoder) {
  for (int round = 0; round < 200; round++) {
    static const uint8_t key[6] = {0, 12, 0, 40, 0, 77};
    const png_kind *kind = &png_kinds[random_below(PNG_KINDS)];
    const png_recipe r = {.kind = kind,
                          .height = 1 + random_below(40),
                          .width = 1 + random_below(90),
                          .filter = -1,
                          .key = random_below(2) ? key : NULL,
                          .key_size = kind->colours == 3 && kind->depth == 1 ? 2 : 6,
                          .part = (size_t)random_below(300)};
    check_file(decoder, &r, 2);
  }
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_every_kind(decoder);
  test_every_filter(decoder);
  test_transparency(decoder);
  test_transparent_index(decoder);
  test_wide(decoder);
  test_parts(decoder);
  test_no_leaks(decoder);
  fc_decoder_free(decoder);
  return check_result();
}
