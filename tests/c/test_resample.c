/* test_resample.c: fc_resample and the row sink against the definition; nothing outside the output
 * is touched, nothing outside the needed rectangle is read. */
#include "fc_internal.h"
#include "resample_reference.h"

static uint32_t random_state = 12345;

static uint32_t random_bits(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}

static int between(int low, int high) {
  return low + (int)(random_bits() % (uint32_t)(high - low + 1));
}

static void fill_random(uint8_t *bytes, size_t count) {
  const int black_and_white = between(0, 2) == 0;
  for (size_t i = 0; i < count; i++) {
    bytes[i] = (uint8_t)random_bits();
    if (black_and_white) bytes[i] = bytes[i] > 127 ? 255 : 0;
  }
}

static fc_image_spec spec_of(int channels, int filter) {
  fc_image_spec spec = {.channels = channels, .filter = filter, .fill = {7, 77, 177, 200}};
  return spec;
}

static fc_geometry whole(int h, int w, int size_h, int size_w) {
  fc_geometry g = {h, w, 0, 0, h, w, size_h, size_w, 0, 0, size_h, size_w};
  return g;
}

static void describe(const fc_geometry *g, const fc_image_spec *spec) {
  CHECK_CONTEXT("filter %d, %d channels, %dx%d crop %d %d %dx%d size %dx%d window %d %d %dx%d",
                spec->filter, spec->channels, g->src_h, g->src_w, g->crop_y, g->crop_x, g->crop_h,
                g->crop_w, g->size_h, g->size_w, g->win_y, g->win_x, g->out_h, g->out_w);
}

/* ---- differences ---- */

typedef struct tally {
  int64_t values, sum, above_one, above_two;
} tally;

static tally tallies[FC_FILTER_COUNT];

static void compare(const uint8_t *got, size_t stride, const uint8_t *expected,
                    const fc_geometry *g, const fc_image_spec *spec) {
  const size_t row = (size_t)g->out_w * (size_t)spec->channels;
  tally here = {0, 0, 0, 0};
  for (int y = 0; y < g->out_h; y++)
    for (size_t x = 0; x < row; x++) {
      const int d = abs(got[(size_t)y * stride + x] - expected[(size_t)y * row + x]);
      here.values++;
      here.sum += d;
      here.above_one += d > 1;
      here.above_two += d > 2;
    }
  /* Only FC_PASS_HIGH, which these two filters use, does not have Pillow's last bits. */
  const int is_exact = spec->filter != FC_BILINEAR && spec->filter != FC_HAMMING;
  CHECK_INT(is_exact ? here.sum : here.above_two, 0);
  tally *all = &tallies[spec->filter];
  all->values += here.values;
  all->sum += here.sum;
  all->above_one += here.above_one;
}

static void check_tallies(void) {
  for (int filter = 0; filter < FC_FILTER_COUNT; filter++) {
    const tally *all = &tallies[filter];
    CHECK_CONTEXT("filter %d: %ld values, sum %ld, %ld above 1", filter, (long)all->values,
                  (long)all->sum, (long)all->above_one);
    CHECK(all->values > 100000);
    CHECK((double)all->sum <= 0.01 * (double)all->values);
    CHECK(all->above_one <= 1 + all->values / 1000000);
  }
}

/* ---- one image ---- */

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* Resample into a buffer with guards around and, where rows have gaps, between its rows. */
static void check_image(const fc_geometry *g, const fc_image_spec *spec, size_t source_gap,
                        size_t out_gap) {
  const size_t pixel = (size_t)spec->channels;
  const size_t source_row = (size_t)g->src_w * pixel, stride = source_row + source_gap;
  const size_t row = (size_t)g->out_w * pixel, out_stride = row + out_gap;
  const size_t out_size = (size_t)g->out_h * out_stride;
  /* Not one byte more than promised: sanitizers see what is read beyond. */
  const size_t source_size = (size_t)(g->src_h - 1) * stride + source_row;
  uint8_t *source = check_alloc(source_size), *out = check_alloc(out_size + 2 * GUARD);
  fill_random(source, source_size);
  memset(out, GUARD_BYTE, out_size + 2 * GUARD);

  describe(g, spec);
  CHECK_INT(fc_resample(source, stride, g, spec, out + GUARD, out_stride), FC_OK);
  uint8_t *expected = reference_resample(source, stride, g, spec);
  compare(out + GUARD, out_stride, expected, g, spec);
  int touched = 0;
  for (size_t i = 0; i < out_size + 2 * GUARD; i++) {
    const size_t at = i - GUARD;
    const int is_pixel = i >= GUARD && at < out_size && at % out_stride < row;
    touched += !is_pixel && out[i] != GUARD_BYTE;
  }
  CHECK_INT(touched, 0);
  free(source);
  free(out);
  free(expected);
}

static fc_geometry random_geometry(int most) {
  fc_geometry g;
  g.src_h = between(1, most), g.src_w = between(1, most);
  g.crop_h = between(1, g.src_h), g.crop_w = between(1, g.src_w);
  if (between(0, 1)) g.crop_h = g.src_h, g.crop_w = g.src_w;
  g.crop_y = between(0, g.src_h - g.crop_h), g.crop_x = between(0, g.src_w - g.crop_w);
  g.size_h = between(0, 4) ? between(1, most) : g.crop_h;
  g.size_w = between(0, 4) ? between(1, most) : g.crop_w;
  g.win_y = g.win_x = 0;
  g.out_h = g.size_h, g.out_w = g.size_w;
  if (between(0, 1)) {
    g.win_y = between(-10, g.size_h + 2), g.win_x = between(-10, g.size_w + 2);
    g.out_h = between(1, g.size_h + 10), g.out_w = between(1, g.size_w + 10);
  }
  return g;
}

static const int channel_counts[] = {1, 3, 4};

static void test_random_images(void) {
  for (int i = 0; i < 2400; i++) {
    const fc_geometry g = random_geometry(i % 8 == 0 ? 200 : 40);
    const fc_image_spec spec = spec_of(channel_counts[i % 3], i / 3 % FC_FILTER_COUNT);
    check_image(&g, &spec, (size_t)between(0, 1) * 5, (size_t)between(0, 1) * 9);
  }
}

/* Ratios on both sides of every choice that the planner makes. */
static void test_ratios(void) {
  static const int sizes[] = {100, 163, 164, 166, 167, 168, 171, 199, 201,
                              233, 299, 301, 307, 399, 401, 500, 800, 1207};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int filter = 0; filter < FC_FILTER_COUNT; filter++)
      for (int c = 0; c < 3; c++) {
        const fc_image_spec spec = spec_of(channel_counts[c], filter);
        const fc_geometry across = whole(3, sizes[i], 3, 100), down = whole(sizes[i], 11, 100, 11);
        const fc_geometry larger = whole(7, 61, 5, sizes[i]);
        check_image(&across, &spec, 0, 0);
        check_image(&down, &spec, 0, 0);
        check_image(&larger, &spec, 0, 0);
      }
}

static void test_extremes(void) {
  static const int shapes[][4] = {{1, 1, 1, 1},     {1, 1, 7, 5},         {1, 1, 1, 2000},
                                  {1, 2000, 1, 1},  {2000, 1, 1, 1},      {1, 1, 2000, 1},
                                  {65535, 1, 1, 1}, {1, 65535, 1, 1},     {1, 65535, 1, 3},
                                  {65535, 2, 3, 2}, {1, 1, 1, 65535},     {1, 3, 1, 65535},
                                  {3, 1, 65535, 1}, {1, 65535, 1, 65534}, {40000, 3, 2, 900}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int filter = 0; filter < FC_FILTER_COUNT; filter++) {
      const fc_geometry g = whole(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3]);
      const fc_image_spec spec = spec_of(channel_counts[i % 3], filter);
      check_image(&g, &spec, 0, 0);
    }
}

static void test_identity(void) {
  uint8_t source[9 * 11 * 4], out[9 * 11 * 4];
  fill_random(source, sizeof source);
  for (int filter = 0; filter < FC_FILTER_COUNT; filter++) {
    const fc_geometry g = whole(9, 11, 9, 11);
    const fc_image_spec spec = spec_of(4, filter);
    describe(&g, &spec);
    CHECK_INT(fc_resample(source, 44, &g, &spec, out, 44), FC_OK);
    CHECK(memcmp(source, out, sizeof out) == 0);
  }
}

static void test_window_in_padding(void) {
  fc_geometry g = whole(5, 6, 50, 60);
  g.win_y = 50, g.out_h = 2, g.out_w = 3;
  const fc_image_spec spec = spec_of(3, FC_BICUBIC);
  uint8_t source[5 * 6 * 3] = {0}, out[2 * 3 * 3];
  CHECK_INT(fc_resample(source, 18, &g, &spec, out, 9), FC_OK);
  for (size_t i = 0; i < sizeof out; i++) CHECK_INT(out[i], spec.fill[i % 3]);
  fc_sink *sink = fc_sink_new();
  CHECK_INT(fc_sink_plan(sink, &g, &spec, out, 9), FC_OK);
  const fc_rect need = fc_sink_need(sink);
  CHECK_INT(need.y1 - need.y0, 0);
  fc_sink_free(sink);
}

/* ---- the sink ---- */

/* Push a rectangle that is larger than needed, so many rows at a time; everything outside the
 * needed one is noise that must not matter. */
static void push_rectangle(fc_sink *sink, const uint8_t *source, const fc_geometry *g, int channels,
                           int at_once) {
  const fc_rect need = fc_sink_need(sink);
  const size_t pixel = (size_t)channels, row = (size_t)g->src_w * pixel;
  const int y0 = between(0, need.y0), x0 = between(0, need.x0), y1 = between(need.y1, g->src_h);
  const size_t pitch = row + FC_ROW_SLACK;
  uint8_t *buffers = check_alloc(pitch * (size_t)at_once);
  fc_sink_begin(sink, y0, x0);
  for (int y = y0; y < y1;) {
    const uint8_t *rows[32];
    int count = 0;
    for (; count < at_once && y < y1; count++, y++) {
      uint8_t *buffer = buffers + (size_t)count * pitch;
      fill_random(buffer, pitch);
      if (y >= need.y0 && y < need.y1)
        memcpy(buffer + (size_t)(need.x0 - x0) * pixel,
               source + (size_t)y * row + (size_t)need.x0 * pixel,
               (size_t)(need.x1 - need.x0) * pixel);
      rows[count] = buffer;
    }
    fc_sink_push(sink, rows, count);
  }
  free(buffers);
}

/* First and last source position that a part of the output needs. */
static void check_need(int lo, int hi, int filter, int crop, int at, int size, int window,
                       int out) {
  reference_axis axis = reference_axis_new(filter, crop, size);
  const int first = window > 0 ? window : 0, last = FC_MIN(window + out, size) - 1;
  CHECK_INT(lo, at + axis.lo[first]);
  CHECK_INT(hi, at + axis.hi[last]);
  reference_axis_free(&axis);
}

/* One sink for many images, as a decoder uses it. */
static void test_sink(void) {
  fc_sink *sink = fc_sink_new();
  for (int i = 0; i < 600; i++) {
    const fc_geometry g = random_geometry(i % 10 ? 40 : 150);
    const fc_image_spec spec = spec_of(channel_counts[i % 3], between(0, FC_FILTER_COUNT - 1));
    const size_t pixel = (size_t)spec.channels, row = (size_t)g.src_w * pixel;
    const size_t out_row = (size_t)g.out_w * pixel, out_size = (size_t)g.out_h * out_row;
    uint8_t *source = check_alloc(row * (size_t)g.src_h);
    uint8_t *expected = check_alloc(out_size), *out = check_alloc(out_size);
    fill_random(source, row * (size_t)g.src_h);
    describe(&g, &spec);
    CHECK_INT(fc_resample(source, row, &g, &spec, expected, out_row), FC_OK);
    CHECK_INT(fc_sink_plan(sink, &g, &spec, out, out_row), FC_OK);
    const fc_rect need = fc_sink_need(sink);
    if (need.y1 > need.y0) {
      check_need(need.y0, need.y1, spec.filter, g.crop_h, g.crop_y, g.size_h, g.win_y, g.out_h);
      check_need(need.x0, need.x1, spec.filter, g.crop_w, g.crop_x, g.size_w, g.win_x, g.out_w);
    }
    push_rectangle(sink, source, &g, spec.channels, between(1, 20));
    CHECK(memcmp(out, expected, out_size) == 0);
    free(source);
    free(expected);
    free(out);
  }
  fc_sink_free(sink);
}

/* ---- refusals ---- */

static void test_refusals(void) {
  const fc_geometry good = whole(5, 6, 3, 4);
  const fc_image_spec spec = spec_of(3, FC_BILINEAR);
  uint8_t source[5 * 6 * 3] = {0}, out[3 * 4 * 3];
  CHECK_INT(fc_geometry_check(&good), FC_OK);
  for (int field = 0; field < 12; field++) {
    static const int wrong[] = {-1, 0, INT32_MIN};
    for (int i = 0; i < 3; i++) {
      fc_geometry g = good;
      int32_t fields[12];
      memcpy(fields, &g, sizeof g);
      fields[field] = wrong[i];
      memcpy(&g, fields, sizeof g);
      const int is_offset = field == 2 || field == 3, is_window = field == 8 || field == 9;
      const int may_be = is_window || (is_offset && wrong[i] == 0);
      CHECK_CONTEXT("field %d is %d", field, wrong[i]);
      CHECK_INT(fc_geometry_check(&g), may_be ? FC_OK : FC_E_ARGUMENT);
    }
  }
  fc_geometry beyond = good;
  beyond.crop_y = INT32_MAX;
  CHECK_INT(fc_geometry_check(&beyond), FC_E_ARGUMENT);
  beyond = good, beyond.crop_w = 7;
  CHECK_INT(fc_geometry_check(&beyond), FC_E_ARGUMENT);

  static const int32_t specs[][2] = {{0, 2},  {2, 2},  {5, 2},
                                     {-1, 2}, {3, -1}, {3, FC_FILTER_COUNT}};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    const fc_image_spec bad = spec_of(specs[i][0], specs[i][1]);
    CHECK_CONTEXT("%d channels, filter %d", specs[i][0], specs[i][1]);
    CHECK_INT(fc_resample(source, 18, &good, &bad, out, 12), FC_E_ARGUMENT);
  }
  CHECK_INT(fc_resample(source, 17, &good, &spec, out, 12), FC_E_ARGUMENT);
  CHECK_INT(fc_resample(source, 18, &good, &spec, out, 11), FC_E_ARGUMENT);
}

/* A window at the far end of the numbers, and sizes whose tables no machine can hold. */
static void test_huge_numbers(void) {
  const fc_image_spec spec = spec_of(4, FC_BILINEAR);
  uint8_t out[4] = {0};
  fc_geometry g = whole(2, 2, INT32_MAX, INT32_MAX);
  g.win_y = g.win_x = INT32_MAX, g.out_h = g.out_w = 1;
  uint8_t source[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  CHECK_INT(fc_resample(source, 8, &g, &spec, out, 4), FC_OK);
  CHECK(memcmp(out, spec.fill, 4) == 0);
  g.win_y = g.win_x = INT32_MAX - 1;
  CHECK_INT(fc_resample(source, 8, &g, &spec, out, 4), FC_OK);
  CHECK(memcmp(out, source + 12, 4) == 0);

  fc_sink *sink = fc_sink_new();
  g = whole(INT32_MAX, INT32_MAX, 1, INT32_MAX - 1);
  CHECK(fc_sink_scratch(&g, &spec) > PTRDIFF_MAX);
  CHECK_INT(fc_sink_plan(sink, &g, &spec, out, SIZE_MAX), FC_E_NOMEM);
  /* The sink is none the worse for it. */
  g = whole(2, 2, 1, 1);
  CHECK_INT(fc_sink_plan(sink, &g, &spec, out, 4), FC_OK);
  fc_sink_free(sink);
}

int main(void) {
  test_random_images();
  test_ratios();
  test_extremes();
  check_tallies();
  test_identity();
  test_window_in_padding();
  test_sink();
  test_refusals();
  test_huge_numbers();
  return check_result();
}
