/* test_png_unfilter.c: fc_png_unfilter against the specification read byte by byte; nothing but the
 * rows is written, and nothing beyond the promised slack is read. */
#include <string.h>

#include "check.h"
#include "png.h"
#include "png_unfilter.h"
#include "random.h"

/* ---- the specification, section 9 ------------------------------------------------------------ */

enum { UNKNOWN = 5 };

static int spec_paeth(int a, int b, int c) {
  const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/* What x is taken from: a, b and c are the bytes to the left, above, and above to the left. */
static int spec_guess(int filter, int a, int b, int c) {
  const int guesses[UNKNOWN] = {0, a, b, (a + b) / 2, spec_paeth(a, b, c)};
  return guesses[filter];
}

static size_t spec_unfilter(uint8_t *rows, size_t count, size_t bytes, size_t pixel, int first) {
  for (size_t y = 0; y < count; y++) {
    uint8_t *row = rows + y * (1 + bytes) + 1;
    const uint8_t *above = first && y == 0 ? NULL : row - (1 + bytes);
    if (row[-1] >= UNKNOWN) return y;
    for (size_t x = 0; x < bytes; x++) {
      const int a = x < pixel ? 0 : row[x - pixel];
      const int b = above ? above[x] : 0;
      const int c = x < pixel || !above ? 0 : above[x - pixel];
      row[x] = (uint8_t)(row[x] + spec_guess(row[-1], a, b, c));
    }
  }
  return count;
}

/* ---- one call -------------------------------------------------------------------------------- */

enum { NOISE, EXTREMES, SMOOTH, KINDS };

static void fill(uint8_t *bytes, size_t count, int kind) {
  for (size_t i = 0; i < count; i++) {
    const int noise = random_below(256);
    bytes[i] = (uint8_t)(kind == NOISE ? noise : kind == EXTREMES ? -(noise & 1) : noise % 7 - 3);
  }
}

enum { MIXED = -1, MIXED_UNKNOWN = -2 };

static void set_filters(uint8_t *rows, size_t count, size_t bytes, int filter) {
  for (size_t y = 0; y < count; y++) {
    const int bad = filter == MIXED_UNKNOWN && random_below(8) == 0;
    const int type = bad ? UNKNOWN + random_below(256 - UNKNOWN) : random_below(UNKNOWN);
    rows[y * (1 + bytes)] = (uint8_t)(filter < 0 ? type : filter);
  }
}

/* Memory of exactly what may be read: without `first` the row above, the rows, the slack. */
static void check_call(size_t count, size_t bytes, size_t pixel, int first, int filter, int kind) {
  const size_t before = first ? 0 : bytes, size = count * (1 + bytes);
  const size_t all = before + size + FC_ROW_SLACK;
  uint8_t *got = check_alloc(all), *expected = check_alloc(all);
  CHECK_CONTEXT("%d rows of %d bytes, pixels of %d, first %d, filter %d, data %d", (int)count,
                (int)bytes, (int)pixel, first, filter, kind);
  fill(got, all, kind);
  set_filters(got + before, count, bytes, filter);
  memcpy(expected, got, all);

  const size_t known = spec_unfilter(expected + before, count, bytes, pixel, first);
  CHECK_INT(fc_png_unfilter(got + before, count, bytes, pixel, first), known);
  CHECK(memcmp(got, expected, all) == 0);
  free(got);
  free(expected);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const size_t pixel_sizes[] = {1, 2, 3, 4, 6, 8};
enum { PIXEL_SIZES = sizeof pixel_sizes / sizeof *pixel_sizes };

static void test_widths(void) {
  for (int p = 0; p < PIXEL_SIZES; p++)
    for (size_t width = 1; width <= 70; width++)
      for (int filter = MIXED; filter < UNKNOWN; filter++)
        for (int kind = 0; kind < KINDS; kind++)
          for (int first = 0; first < 2; first++)
            check_call((size_t)(1 + random_below(9)), width * pixel_sizes[p], pixel_sizes[p], first,
                       filter, kind);
}

/* Every place of a row in a group, in which a fast path may make several together. */
static void test_counts(void) {
  for (int p = 0; p < PIXEL_SIZES; p++)
    for (size_t count = 0; count <= 17; count++)
      for (int filter = MIXED_UNKNOWN; filter < UNKNOWN; filter++)
        for (int round = 0; round < 12; round++)
          check_call(count, (size_t)(1 + random_below(40)) * pixel_sizes[p], pixel_sizes[p],
                     round % 2, filter, round / 2 % KINDS);
}

static void test_large(void) {
  for (int p = 0; p < PIXEL_SIZES; p++)
    for (int kind = 0; kind < KINDS; kind++)
      for (size_t width = 999; width <= 4001; width += 1501)
        check_call(11, width * pixel_sizes[p], pixel_sizes[p], kind == 0, MIXED, kind);
}

static void test_unknown(void) {
  for (int filter = UNKNOWN; filter < 256; filter++)
    check_call(3, 10, 1, filter % 2, filter, NOISE);
}

/* Every left neighbour under every byte above and above to the left.  Above there are b and c in
 * turns; filtered bytes are chosen so that every second result is the next left neighbour. */
static void test_every_triple(int filter) {
  enum { BYTES = 512, ABOVE = BYTES, ROW = ABOVE + 1 };
  uint8_t memory[ROW + BYTES + FC_ROW_SLACK] = {0};
  int64_t wrong = 0;
  for (int b = 0; b < 256; b++)
    for (int c = 0; c < 256; c++) {
      int left = 0;
      memory[ABOVE] = (uint8_t)filter;
      for (int a = 0; a < 256; a++) {
        const int corner = a ? b : 0;
        memory[2 * a] = (uint8_t)c;
        memory[2 * a + 1] = (uint8_t)b;
        memory[ROW + 2 * a] = (uint8_t)(a - spec_guess(filter, left, c, corner));
        memory[ROW + 2 * a + 1] = 0;
        left = spec_guess(filter, a, b, c);
      }
      fc_png_unfilter(memory + ABOVE, 1, BYTES, 1, 0);
      for (int a = 0; a < 256; a++) {
        wrong += memory[ROW + 2 * a] != a;
        wrong += memory[ROW + 2 * a + 1] != spec_guess(filter, a, b, c);
      }
    }
  CHECK_CONTEXT("every triple, filter %d", filter);
  CHECK_INT(wrong, 0);
}

int main(void) {
  test_widths();
  test_counts();
  test_large();
  test_unknown();
  test_every_triple(FC_PNG_AVERAGE);
  test_every_triple(FC_PNG_PAETH);
  return check_result();
}
