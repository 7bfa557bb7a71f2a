/* test_image.c: decoding into a slot equals decoding everything, turning it, resampling it. */
#include "fastcache.h"
#include "jpeg_maker.h"

static unsigned random_state = 1;

static int random_between(int low, int high) {
  random_state = random_state * 1664525u + 1013904223u;
  return low + (int)((random_state >> 8) % (unsigned)(high - low + 1));
}

/* ---- the slow, obvious reference ------------------------------------------------------------ */

typedef struct picture {
  int h, w, channels;
  uint8_t *pixels;
} picture;

static const uint8_t *pixel_of(const picture *p, int y, int x) {
  return p->pixels + ((size_t)y * (size_t)p->w + (size_t)x) * (size_t)p->channels;
}

/* What a viewer does with EXIF orientations: row and column of the stored pixel for each upright
 * one. */
static picture turned(const picture *stored, int orientation) {
  int swap = orientation >= 5, h = stored->h, w = stored->w;
  picture out = {swap ? w : h, swap ? h : w, stored->channels, NULL};
  out.pixels = check_alloc((size_t)h * (size_t)w * (size_t)stored->channels);
  for (int y = 0; y < out.h; y++)
    for (int x = 0; x < out.w; x++) {
      int sy = y, sx = x;
      if (swap) sy = x, sx = y;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        sy = h - 1 - sy;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        sx = w - 1 - sx;
      memcpy((uint8_t *)pixel_of(&out, y, x), pixel_of(stored, sy, sx), (size_t)out.channels);
    }
  return out;
}

/* ---- slots with a guarded surrounding ------------------------------------------------------- */

enum { GUARD = 0xa5, MARGIN = 64 };

typedef struct slot {
  uint8_t *memory, *out;
  size_t row, stride, rows;
} slot;

static slot new_slot(const fc_geometry *g, int channels) {
  slot s = {.row = (size_t)g->out_w * (size_t)channels, .rows = (size_t)g->out_h};
  s.stride = s.row + (size_t)random_between(0, 9);
  size_t size = s.stride * s.rows + 2 * MARGIN;
  s.memory = check_alloc(size);
  memset(s.memory, GUARD, size);
  s.out = s.memory + MARGIN;
  return s;
}

static int is_guarded(const slot *s) {
  for (size_t i = 0; i < MARGIN; i++)
    if (s->memory[i] != GUARD || s->out[s->rows * s->stride + i] != GUARD) return 0;
  for (size_t y = 0; y < s->rows; y++)
    for (size_t i = s->row; i < s->stride; i++)
      if (s->out[y * s->stride + i] != GUARD) return 0;
  return 1;
}

static int same_rows(const slot *a, const slot *b) {
  for (size_t y = 0; y < a->rows; y++)
    if (memcmp(a->out + y * a->stride, b->out + y * b->stride, a->row) != 0) return 0;
  return 1;
}

/* ---- random geometries, every orientation --------------------------------------------------- */

static fc_geometry random_geometry(int h, int w) {
  fc_geometry g = {.src_h = h, .src_w = w};
  g.crop_h = random_between(1, h);
  g.crop_w = random_between(1, w);
  g.crop_y = random_between(0, h - g.crop_h);
  g.crop_x = random_between(0, w - g.crop_w);
  int same = random_between(0, 3) == 0;
  g.size_h = same ? g.crop_h : random_between(1, 90);
  g.size_w = same ? g.crop_w : random_between(1, 90);
  g.out_h = random_between(1, g.size_h + 10);
  g.out_w = random_between(1, g.size_w + 10);
  g.win_y = random_between(-12, g.size_h);
  g.win_x = random_between(-12, g.size_w);
  return g;
}

static void check_decode(fc_decoder *decoder, const jpeg_file *file, const picture *stored,
                         int orientation) {
  int apply = random_between(0, 3) != 0;
  picture upright = turned(stored, apply ? orientation : 1);
  fc_geometry g = random_geometry(upright.h, upright.w);
  const fc_image_spec spec = {.channels = stored->channels,
                              .filter = random_between(0, FC_FILTER_COUNT - 1),
                              .apply_orientation = apply,
                              .fill = {1, 2, 3, 4},
                              .limits = fc_default_limits};
  slot got = new_slot(&g, spec.channels), expected = new_slot(&g, spec.channels);
  CHECK_CONTEXT(
      "orientation %d (%d) filter %d of %dx%d: crop %d+%d,%d+%d size %dx%d window %d+%d,"
      "%d+%d",
      orientation, apply, spec.filter, g.src_h, g.src_w, g.crop_y, g.crop_h, g.crop_x, g.crop_w,
      g.size_h, g.size_w, g.win_y, g.out_h, g.win_x, g.out_w);
  int warnings = -1;
  CHECK_INT(fc_decode(decoder, file->data, file->size, &spec, &g, got.out, got.stride, &warnings),
            FC_OK);
  CHECK_INT(warnings, 0);
  CHECK_INT(fc_resample(upright.pixels, (size_t)upright.w * (size_t)spec.channels, &g, &spec,
                        expected.out, expected.stride),
            FC_OK);
  CHECK(same_rows(&got, &expected));
  CHECK(is_guarded(&got));
  free(got.memory);
  free(expected.memory);
  free(upright.pixels);
}

static void test_orientations(fc_decoder *decoder) {
  static const int kinds[] = {0, 2, 11, 17}; /* 4:4:4, 4:2:0, grey, progressive */
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int orientation = 1; orientation <= 8; orientation++) {
      const jpeg_kind *kind = &jpeg_kinds[kinds[k]];
      int h = random_between(1, 150), w = random_between(1, 150);
      jpeg_file file = make_jpeg(kind, h, w, 85);
      picture stored = {h, w, kind->components, decode_plainly(&file, kind->components)};
      set_orientation(&file, orientation);
      for (int i = 0; i < 60; i++) check_decode(decoder, &file, &stored, orientation);
      free(stored.pixels);
      free(file.data);
    }
}

/* ---- refusals ------------------------------------------------------------------------------- */

typedef struct attempt {
  jpeg_file file;
  fc_image_spec spec;
  fc_geometry geometry;
  size_t stride;
} attempt;

static attempt good_attempt(const jpeg_file *file) {
  return (attempt){.file = *file,
                   .spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits},
                   .geometry = {.src_h = 40,
                                .src_w = 30,
                                .crop_h = 40,
                                .crop_w = 30,
                                .size_h = 20,
                                .size_w = 15,
                                .out_h = 20,
                                .out_w = 15},
                   .stride = 45};
}

static void check_attempt(fc_decoder *decoder, const char *what, attempt a, fc_status expected) {
  uint8_t out[20 * 45];
  CHECK_CONTEXT("%s", what);
  CHECK_INT(fc_decode(decoder, a.file.data, a.file.size, &a.spec, &a.geometry, out, a.stride, NULL),
            expected);
}

static void test_refusals(fc_decoder *decoder) {
  jpeg_file file = make_jpeg(&jpeg_kinds[17], 40, 30, 85); /* progressive */
  const attempt good = good_attempt(&file);
  attempt a;
#define ATTEMPT(what, expected, change)        \
  do {                                         \
    a = good;                                  \
    change;                                    \
    check_attempt(decoder, what, a, expected); \
  } while (0)
  ATTEMPT("nothing wrong", FC_OK, (void)0);
  ATTEMPT("two channels", FC_E_ARGUMENT, a.spec.channels = 2);
  ATTEMPT("no such filter", FC_E_ARGUMENT, a.spec.filter = FC_FILTER_COUNT);
  ATTEMPT("negative filter", FC_E_ARGUMENT, a.spec.filter = -1);
  ATTEMPT("rows that overlap", FC_E_ARGUMENT, a.stride = 44);
  ATTEMPT("crop outside", FC_E_ARGUMENT, a.geometry.crop_y = 1);
  ATTEMPT("size zero", FC_E_ARGUMENT, a.geometry.size_w = 0);
  ATTEMPT("negative output", FC_E_ARGUMENT, a.geometry.out_h = -1);
  ATTEMPT("no bytes", FC_E_EMPTY, a.file.size = 0);
  ATTEMPT("another height", FC_E_CHANGED, a.geometry.src_h = 41);
  ATTEMPT("another width", FC_E_CHANGED, a.geometry.src_w = 31);
  ATTEMPT("too many pixels", FC_E_PIXELS, a.spec.limits.max_pixels = 1199);
  ATTEMPT("just enough pixels", FC_OK, a.spec.limits.max_pixels = 1200);
  ATTEMPT("too many scans", FC_E_SCANS, a.spec.limits.max_scans = 3);
  ATTEMPT("not an image", FC_NEEDS_PYTHON, a.file.data = (unsigned char *)&a.geometry;
          a.file.size = sizeof a.geometry);
#undef ATTEMPT
  free(file.data);
}

/* The window lies in the padding: nothing needs decoding, but a cut file is still refused. */
static void test_all_padding(fc_decoder *decoder) {
  for (int orientation = 1; orientation <= 8; orientation += 5) {
    jpeg_file file = make_jpeg(&jpeg_kinds[2], 40, 40, 85);
    set_orientation(&file, orientation);
    const fc_geometry g = {.src_h = 40,
                           .src_w = 40,
                           .crop_h = 40,
                           .crop_w = 40,
                           .size_h = 40,
                           .size_w = 40,
                           .win_y = 50,
                           .out_h = 4,
                           .out_w = 5};
    const fc_image_spec spec = {.channels = 3,
                                .filter = FC_BILINEAR,
                                .apply_orientation = 1,
                                .fill = {7, 8, 9},
                                .limits = fc_default_limits};
    uint8_t out[4 * 15];
    CHECK_CONTEXT("all padding, orientation %d", orientation);
    CHECK_INT(fc_decode(decoder, file.data, file.size, &spec, &g, out, 15, NULL), FC_OK);
    for (size_t i = 0; i < sizeof out; i++) CHECK_INT(out[i], 7 + i % 3);
    CHECK_INT(fc_decode(decoder, file.data, file.size - 2, &spec, &g, out, 15, NULL),
              FC_E_TRUNCATED);
    free(file.data);
  }
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_orientations(decoder);
  test_refusals(decoder);
  test_all_padding(decoder);
  fc_decoder_free(decoder);
  fc_decoder_free(NULL);
  return check_result();
}
