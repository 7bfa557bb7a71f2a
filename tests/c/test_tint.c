/* test_tint.c: colours against the definition, one pixel and one step at a time; strides, alpha and
 * bytes beside the image stay.  What the twin itself makes of them is for tests/core/test_tint.py.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "random.h"
#include "tint.h"

/* ---- the definition -------------------------------------------------------------------------- */

static float whole(float value) {
  return truncf(fminf(fmaxf(value, 0), 255));
}

static float grey_of(const uint8_t *pixel, int channels) {
  if (channels == 1) return pixel[0];
  return floorf(fmaf(pixel[2], 0.114f, fmaf(pixel[1], 0.587f, pixel[0] * 0.2989f)));
}

/* By way of hue, saturation and value, all of them computed. */
static void turn_hue(uint8_t pixel[3], float amount) {
  const float unit = (float)(1.0 / 255), bytes = (float)(256 - 1e-3);
  const float r = pixel[0] * unit, g = pixel[1] * unit, b = pixel[2] * unit;
  const float v = fmaxf(fmaxf(r, g), b), range = v - fminf(fminf(r, g), b);
  const float s = range / (range == 0 ? 1 : v), divisor = range == 0 ? 1 : range;
  const float rc = (v - r) / divisor, gc = (v - g) / divisor, bc = (v - b) / divisor;
  float h = v == r ? bc - gc : v == g ? rc + 2 - bc : gc + 4 - rc;
  h = fmodf(h * (float)(1.0 / 6) + 1, 1) + amount;
  h = h - floorf(h);
  const float h6 = h * 6, sector = floorf(h6), f = h6 - sector;
  const float q = (1 - s * f) * v, t = (s * f + (1 - s)) * v, p = (1 - s) * v;
  const float channel[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  for (int k = 0; k < 3; k++) pixel[k] = (uint8_t)(channel[(int)sector % 6][k] * bytes);
}

static void apply_slowly(uint8_t *pixels, size_t stride, int h, int w, int channels,
                         const fc_colour *colour) {
  const float amount = colour->amount, rest = (float)(1.0 - (double)amount);
  const int colours = channels == 1 ? 1 : 3;
  uint64_t sum = 0;
  if (channels == 1 && colour->kind > FC_CONTRAST) return;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      sum += (uint64_t)grey_of(pixels + (size_t)y * stride + x * channels, channels);
  const float mean = (float)sum / (float)(h * w);
  for (int y = 0; y < h; y++) {
    for (int x = 0; x < w; x++) {
      uint8_t *pixel = pixels + (size_t)y * stride + x * channels;
      const float grey = grey_of(pixel, channels);
      if (colour->kind == FC_HUE) turn_hue(pixel, amount);
      for (int k = 0; k < colours; k++) {
        const float value = pixel[k] * amount;
        if (colour->kind == FC_BRIGHTNESS) pixel[k] = (uint8_t)whole(value);
        if (colour->kind == FC_CONTRAST) pixel[k] = (uint8_t)whole(fmaf(mean, rest, value));
        if (colour->kind == FC_SATURATION) pixel[k] = (uint8_t)whole(fmaf(grey, rest, value));
        if (colour->kind == FC_GREY) pixel[k] = (uint8_t)grey;
      }
    }
  }
}

/* ---- comparisons ----------------------------------------------------------------------------- */

/* In memory of exactly the size of the image, so that sanitizers see what leaves it. */
static void compare(const uint8_t *source, size_t size, size_t stride, int h, int w, int channels,
                    const fc_colour *colours, int count) {
  uint8_t *fast = check_alloc(size), *slow = check_alloc(size);
  memcpy(fast, source, size);
  memcpy(slow, source, size);
  fc_colours_apply(fast, stride, h, w, channels, colours, count);
  for (int k = 0; k < count; k++) apply_slowly(slow, stride, h, w, channels, &colours[k]);
  CHECK(memcmp(fast, slow, size) == 0);
  free(fast);
  free(slow);
}

static uint8_t *noise(size_t size) {
  uint8_t *pixels = check_alloc(size);
  /* The ends of the range more often than the rest. */
  for (size_t i = 0; i < size; i++)
    pixels[i] = (uint8_t)FC_MIN(FC_MAX(random_below(340) - 40, 0), 255);
  return pixels;
}

static fc_colour random_colour(void) {
  const fc_colour extremes[] = {{FC_BRIGHTNESS, 0}, {FC_BRIGHTNESS, 1},   {FC_CONTRAST, 0},
                                {FC_CONTRAST, 10},  {FC_SATURATION, 0},   {FC_SATURATION, 10},
                                {FC_HUE, -0.5f},    {FC_HUE, 0.5f},       {FC_HUE, 0},
                                {FC_CONTRAST, 1},   {FC_BRIGHTNESS, 300}, {FC_GREY, 0}};
  const int count = (int)(sizeof extremes / sizeof *extremes);
  const int which = random_below(3 * count);
  if (which < count) return extremes[which];
  const fc_colour any = {random_below(5), (float)random_below(2001) / 1000};
  const fc_colour hue = {FC_HUE, (float)random_below(1001) / 1000 - 0.5f};
  return any.kind == FC_HUE ? hue : any;
}

/* Lists may be longer than what is applied together, and may have several contrasts. */
static void test_lists_of_colours(void) {
  for (int round = 0; round < 600; round++) {
    const int channels = (const int[]){1, 3, 4}[random_below(3)];
    const int h = 1 + random_below(6), w = 1 + random_below(round % 10 ? 50 : 600);
    const size_t row = (size_t)(w * channels);
    const size_t stride = row + (size_t)(random_below(2) ? random_below(9) : 0);
    const size_t size = stride * (size_t)(h - 1) + row;
    const int count = random_below(2) ? 1 : random_below(2 * FC_MOST_COLOURS + 3);
    fc_colour colours[2 * FC_MOST_COLOURS + 3];
    for (int k = 0; k < count; k++) colours[k] = random_colour();
    uint8_t *pixels = noise(size);
    CHECK_CONTEXT("round %d: %d x %d x %d, stride %zu, %d colours, first %d %g", round, h, w,
                  channels, stride, count, colours[0].kind, (double)colours[0].amount);
    compare(pixels, size, stride, h, w, channels, colours, count);
    free(pixels);
  }
}

/* All pairs of a most and a least value, and every value of the grey between; a grid of colours. */
static void test_hues(void) {
  static const float turns[] = {-0.5f, -0.1f, 0.0001f, 1.0f / 6, 0.25f, 0.3333f, 0.5f};
  const size_t pairs = 3 * 256 * 256, grid = 3 * 64 * 64 * 64;
  uint8_t *of_pairs = check_alloc(pairs), *of_grid = check_alloc(grid);
  for (int i = 0; i < 256 * 256; i++) {
    of_pairs[3 * i + i % 3] = (uint8_t)(i / 256);
    of_pairs[3 * i + (i + 1) % 3] = (uint8_t)(i % 256);
    of_pairs[3 * i + (i + 2) % 3] = (uint8_t)(i % 5 < 3 ? i / 256 : i % 256);
  }
  for (int i = 0; i < 64 * 64 * 64; i++) {
    of_grid[3 * i] = (uint8_t)(i % 64 * 255 / 63);
    of_grid[3 * i + 1] = (uint8_t)(i / 64 % 64 * 255 / 63);
    of_grid[3 * i + 2] = (uint8_t)(i / 4096 * 255 / 63);
  }
  for (size_t k = 0; k < sizeof turns / sizeof *turns; k++) {
    const fc_colour colour = {FC_HUE, turns[k]};
    CHECK_CONTEXT("turn %g", (double)turns[k]);
    compare(of_pairs, pairs, 3 * 256, 256, 256, 3, &colour, 1);
    compare(of_grid, grid, 3 * 512, 512, 512, 3, &colour, 1);
  }
  free(of_pairs);
  free(of_grid);
}

/* Yellow turned by a little more than its own hue: rounding makes the rest a whole turn. */
static void test_a_whole_turn(void) {
  const float yellow = (float)(1.0 / 6) + 1 - 1;
  const fc_colour colour = {FC_HUE, nextafterf(-yellow, -1)};
  uint8_t pixels[3 * 20];
  for (int i = 0; i < 3 * 20; i++) pixels[i] = i % 3 < 2 ? 250 : 10;
  compare(pixels, sizeof pixels, sizeof pixels, 1, 20, 3, &colour, 1);
  fc_colours_apply(pixels, sizeof pixels, 1, 20, 3, &colour, 1);
  for (int i = 0; i < 3 * 20; i++) CHECK_INT(pixels[i], i % 3 == 0 ? 250 : 10);
}

/* A colour must be what a pixel makes of it, whatever stands beside it: all 16 places of a vector.
 */
static void test_places(void) {
  for (int kind = 0; kind < 5; kind++) {
    if (kind == FC_CONTRAST) continue;
    const fc_colour colour = {kind, 0.3f};
    uint8_t row[3 * 40], alone[3];
    for (int at = 0; at < 40; at++) {
      for (int k = 0; k < 3; k++) alone[k] = (uint8_t)random_below(256);
      memset(row, 77, sizeof row);
      memcpy(row + 3 * at, alone, 3);
      fc_colours_apply(row, sizeof row, 1, 40, 3, &colour, 1);
      fc_colours_apply(alone, 3, 1, 1, 3, &colour, 1);
      CHECK_CONTEXT("kind %d, place %d", kind, at);
      CHECK(memcmp(row + 3 * at, alone, 3) == 0);
    }
  }
}

/* Amounts out of range are moved into it; kinds that there are not, and no pixels, do nothing. */
static void test_bad_input(void) {
  const struct {
    fc_colour given, meant;
  } cases[] = {{{FC_BRIGHTNESS, -1}, {FC_BRIGHTNESS, 0}},
               {{FC_BRIGHTNESS, NAN}, {FC_BRIGHTNESS, 0}},
               {{FC_CONTRAST, -3}, {FC_CONTRAST, 0}},
               {{FC_CONTRAST, NAN}, {FC_CONTRAST, 0}},
               {{FC_SATURATION, -9}, {FC_SATURATION, 0}},
               {{FC_HUE, 7}, {FC_HUE, 0.5f}},
               {{FC_HUE, -INFINITY}, {FC_HUE, -0.5f}},
               {{FC_HUE, NAN}, {FC_HUE, -0.5f}},
               {{FC_SATURATION, INFINITY}, {FC_SATURATION, 3e38f}},
               {{FC_CONTRAST, INFINITY}, {FC_CONTRAST, 3e38f}},
               {{FC_BRIGHTNESS, INFINITY}, {FC_BRIGHTNESS, 3e38f}},
               {{99, 0.5f}, {FC_BRIGHTNESS, 1}},
               {{-1, 0.5f}, {FC_BRIGHTNESS, 1}}};
  const size_t size = 3 * 9 * 5;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t *given = noise(size), *meant = check_alloc(size);
    memcpy(meant, given, size);
    fc_colours_apply(given, 27, 5, 9, 3, &cases[i].given, 1);
    apply_slowly(meant, 27, 5, 9, 3, &cases[i].meant);
    CHECK_CONTEXT("case %zu", i);
    CHECK(memcmp(given, meant, size) == 0);
    free(given);
    free(meant);
  }
  uint8_t pixel[3] = {1, 2, 3};
  const fc_colour colour = {FC_BRIGHTNESS, 0};
  fc_colours_apply(pixel, 3, 0, 1, 3, &colour, 1);
  fc_colours_apply(pixel, 3, 1, 0, 3, &colour, 1);
  fc_colours_apply(pixel, 3, 1, -1, 3, &colour, 1);
  fc_colours_apply(pixel, 3, 1, 1, 3, &colour, 0);
  CHECK(pixel[0] == 1 && pixel[1] == 2 && pixel[2] == 3);
}

int main(void) {
  test_lists_of_colours();
  test_hues();
  test_a_whole_turn();
  test_places();
  test_bad_input();
  return check_result();
}
