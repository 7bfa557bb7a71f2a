/* test_pixels.c: pixels whose bytes do not stand for themselves: colours with their opacity (RGBA),
 * and numbers of two bytes (wide). */
#include "fc_internal.h"
#include "random.h"
#include "resample_reference.h"

static int between(int low, int high) {
  return low + random_below(high - low + 1);
}

static fc_geometry random_geometry(void) {
  fc_geometry g = {.src_h = between(1, 60), .src_w = between(1, 60)};
  g.crop_h = between(1, g.src_h), g.crop_w = between(1, g.src_w);
  g.crop_y = between(0, g.src_h - g.crop_h), g.crop_x = between(0, g.src_w - g.crop_w);
  g.size_h = between(0, 3) ? between(1, 60) : g.crop_h;
  g.size_w = between(0, 3) ? between(1, 60) : g.crop_w;
  g.win_y = between(-6, 6), g.win_x = between(-6, 6);
  g.out_h = between(1, g.size_h + 12), g.out_w = between(1, g.size_w + 12);
  return g;
}

/* ---- RGBA: the definition, by floating point ---- */

/* colour * alpha / 255 is never half way between two numbers: 255 is odd. */
static void multiply_slowly(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < 4 * pixels; i++) {
    const double alpha = in[i / 4 * 4 + 3];
    out[i] = i % 4 == 3 ? in[i] : (uint8_t)(in[i] * alpha / 255 + 0.5);
  }
}

static void divide_slowly(uint8_t *row, size_t pixels) {
  for (size_t i = 0; i < 4 * pixels; i++) {
    const double alpha = row[i / 4 * 4 + 3];
    if (i % 4 == 3 || alpha == 0) continue;
    const double colour = row[i] * 255.0 / alpha;
    row[i] = (uint8_t)(colour > 255 ? 255 : colour);
  }
}

static void test_every_colour_and_opacity(void) {
  uint8_t in[256 * 4], fast[256 * 4], slow[256 * 4];
  for (int alpha = 0; alpha < 256; alpha++) {
    for (int i = 0; i < 256; i++) {
      in[4 * i] = (uint8_t)i, in[4 * i + 1] = (uint8_t)(255 - i), in[4 * i + 2] = (uint8_t)(i ^ 85);
      in[4 * i + 3] = (uint8_t)alpha;
    }
    CHECK_CONTEXT("alpha %d", alpha);
    fc_multiply_alpha(fast, in, 256);
    multiply_slowly(slow, in, 256);
    CHECK(memcmp(fast, slow, sizeof fast) == 0);
    memcpy(fast, in, sizeof in);
    memcpy(slow, in, sizeof in);
    fc_divide_alpha(fast, 256);
    divide_slowly(slow, 256);
    CHECK(memcmp(fast, slow, sizeof fast) == 0);
  }
}

/* Multiply, resample four channels, divide what is not padding; sizes that stay are not touched. */
static uint8_t *reference_rgba(uint8_t *source, const fc_geometry *g, const fc_image_spec *spec) {
  const int same = g->size_h == g->crop_h && g->size_w == g->crop_w;
  const size_t pixels = (size_t)g->src_h * (size_t)g->src_w;
  if (same || spec->filter == FC_NEAREST)
    return reference_resample(source, (size_t)g->src_w * 4, g, spec);
  uint8_t *multiplied = check_alloc(4 * pixels);
  multiply_slowly(multiplied, source, pixels);
  uint8_t *out = reference_resample(multiplied, (size_t)g->src_w * 4, g, spec);
  for (int y = 0; y < g->out_h; y++)
    for (int x = 0; x < g->out_w; x++) {
      const int at_y = g->win_y + y, at_x = g->win_x + x;
      const int inside = at_y >= 0 && at_y < g->size_h && at_x >= 0 && at_x < g->size_w;
      if (inside) divide_slowly(out + ((size_t)y * (size_t)g->out_w + (size_t)x) * 4, 1);
    }
  free(multiplied);
  return out;
}

static void test_rgba(void) {
  static const int exact[] = {FC_NEAREST, FC_BOX, FC_BICUBIC, FC_LANCZOS};
  for (int round = 0; round < 400; round++) {
    const fc_geometry g = random_geometry();
    const fc_image_spec spec = {
        .channels = 4, .filter = exact[round % 4], .premultiply = 1, .fill = {200, 100, 50, 25}};
    const size_t in_size = (size_t)g.src_h * (size_t)g.src_w * 4;
    const size_t out_size = (size_t)g.out_h * (size_t)g.out_w * 4;
    uint8_t *source = check_alloc(in_size), *out = check_alloc(out_size);
    for (size_t i = 0; i < in_size; i++) source[i] = (uint8_t)between(0, 255);
    CHECK_CONTEXT("round %d", round);
    CHECK_INT(fc_resample(source, (size_t)g.src_w * 4, &g, &spec, out, (size_t)g.out_w * 4), FC_OK);
    uint8_t *expected = reference_rgba(source, &g, &spec);
    CHECK(memcmp(out, expected, out_size) == 0);
    free(source);
    free(out);
    free(expected);
  }
}

/* ---- wide ---- */

static uint16_t pixel_of(const uint16_t *source, const fc_geometry *g, int y, int x) {
  const int at_y = g->win_y + y, at_x = g->win_x + x;
  if (at_y < 0 || at_y >= g->size_h || at_x < 0 || at_x >= g->size_w) return 0x1234;
  /* As Pillow does for pixels of two bytes; those of one it reaches by adding the scale. */
  const double from_y = (double)g->crop_h / g->size_h * (at_y + 0.5);
  const double from_x = (double)g->crop_w / g->size_w * (at_x + 0.5);
  return source[(g->crop_y + (int)from_y) * g->src_w + g->crop_x + (int)from_x];
}

static void check_wide(const fc_geometry *g, const fc_image_spec *spec) {
  const size_t pixels = (size_t)g->src_h * (size_t)g->src_w;
  uint16_t *source = check_alloc(2 * pixels);
  uint16_t *out = check_alloc(2 * (size_t)g->out_h * (size_t)g->out_w);
  for (size_t i = 0; i < pixels; i++) source[i] = (uint16_t)between(0, 65535);
  CHECK_INT(fc_resample((const uint8_t *)source, (size_t)g->src_w * 2, g, spec, (uint8_t *)out,
                        (size_t)g->out_w * 2),
            FC_OK);
  int wrong = 0;
  for (int y = 0; y < g->out_h; y++)
    for (int x = 0; x < g->out_w; x++) wrong += out[y * g->out_w + x] != pixel_of(source, g, y, x);
  CHECK_INT(wrong, 0);
  free(source);
  free(out);
}

static void test_wide(void) {
  for (int round = 0; round < 400; round++) {
    fc_geometry g = random_geometry();
    fc_image_spec spec = {.channels = 1, .filter = FC_NEAREST, .wide = 1};
    const uint16_t fill = 0x1234;
    memcpy(spec.fill, &fill, sizeof fill);
    CHECK_CONTEXT("round %d", round);
    check_wide(&g, &spec);
    g.size_h = g.crop_h, g.size_w = g.crop_w;
    spec.filter = round % FC_FILTER_COUNT;
    check_wide(&g, &spec);
  }
}

static void test_wide_refusals(void) {
  uint8_t source[2 * 4 * 4] = {0}, out[2 * 4 * 4];
  fc_geometry g = {4, 4, 0, 0, 4, 4, 2, 4, 0, 0, 2, 4};
  fc_image_spec spec = {.channels = 1, .filter = FC_BILINEAR, .wide = 1};
  CHECK_INT(fc_resample(source, 8, &g, &spec, out, 8), FC_NEEDS_PYTHON);
  g.size_h = 4;
  CHECK_INT(fc_resample(source, 8, &g, &spec, out, 7), FC_E_ARGUMENT);
  CHECK_INT(fc_resample(source, 7, &g, &spec, out, 8), FC_E_ARGUMENT);
  spec.channels = 3;
  CHECK_INT(fc_resample(source, 8, &g, &spec, out, 8), FC_E_ARGUMENT);
}

int main(void) {
  test_every_colour_and_opacity();
  test_rgba();
  test_wide();
  test_wide_refusals();
  return check_result();
}
