/* fuzz_resample.c: libFuzzer target for geometries and the resampler, without a codec.
 *
 * The end of the input chooses sizes, filter and pixel format, its beginning is repeated as the
 * pixels.  Nothing outside the output rows may be written, and rows that a codec pushes in groups
 * of any size, from a larger rectangle than is needed, must give the same. */
#include "fuzz_choice.h"

#include "fc_internal.h"

enum { SLOT = 0x55, GAP = 7 };

/* Any numbers at all: refused, or good enough to count memory with. */
static void check_wild_geometry(fuzz_choice *choice, const fc_image_spec *spec) {
  fc_geometry g;
  uint8_t bytes[sizeof g];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)fuzz_pick(choice, 0, 255);
  memcpy(&g, bytes, sizeof g);
  const fc_status status = fc_geometry_check(&g);
  FUZZ_CHECK(status == FC_OK || status == FC_E_ARGUMENT);
  if (status == FC_OK) FUZZ_CHECK(fc_sink_scratch(&g, spec) > 0);
}

static uint8_t *make_pixels(const uint8_t *data, size_t size, size_t bytes) {
  uint8_t *pixels = fuzz_alloc(bytes);
  for (size_t done = 0; done < bytes; done += size)
    memcpy(pixels + done, data, FC_MIN(size, bytes - done));
  return pixels;
}

/* As a codec does it: rows with slack behind them, from anywhere before the needed rectangle. */
static void push_rows(fc_sink *sink, fuzz_choice *choice, const fc_geometry *g, size_t pixel,
                      const uint8_t *source, size_t stride) {
  const fc_rect need = fc_sink_need(sink);
  if (need.y0 >= need.y1) return;
  const int32_t y0 = fuzz_pick(choice, 0, need.y0), x0 = fuzz_pick(choice, 0, need.x0);
  const int32_t y1 = need.y1 + fuzz_pick(choice, 0, g->src_h - need.y1);
  const size_t bytes = (size_t)(g->src_w - x0) * pixel;
  uint8_t *rows[2 * FC_SINK_ROWS + 1];
  const int32_t most = sizeof rows / sizeof *rows;
  fc_sink_begin(sink, y0, x0);
  for (int32_t y = y0; y < y1;) {
    const int32_t wanted = fuzz_pick(choice, 1, most), count = FC_MIN(wanted, y1 - y);
    for (int32_t i = 0; i < count; i++) {
      rows[i] = fuzz_alloc(bytes + FC_ROW_SLACK);
      memcpy(rows[i], source + (size_t)(y + i) * stride + (size_t)x0 * pixel, bytes);
      memset(rows[i] + bytes, 0xee, FC_ROW_SLACK);
    }
    fc_sink_push(sink, (const uint8_t *const *)rows, count);
    for (int32_t i = 0; i < count; i++) free(rows[i]);
    y += count;
  }
}

static void check_gaps(const uint8_t *out, const fc_geometry *g, size_t row, size_t stride) {
  for (int32_t y = 0; y + 1 < g->out_h; y++)
    for (size_t x = row; x < stride; x++) FUZZ_CHECK(out[(size_t)y * stride + x] == SLOT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fc_sink *sink;
  if (!sink && !(sink = fc_sink_new())) abort();
  if (size == 0) return 0;
  fuzz_choice choice = {data, size};
  const fc_image_spec spec = fuzz_pick_spec(&choice, &fc_default_limits);
  if (fuzz_pick(&choice, 0, 15) == 15) {
    check_wild_geometry(&choice, &spec);
    return 0;
  }
  const int32_t h = fuzz_pick(&choice, 1, 150), w = fuzz_pick(&choice, 1, 150);
  fc_geometry g = fuzz_pick_geometry(&choice, h, w);
  if (fuzz_pick(&choice, 0, 3) == 3) g = fuzz_copy_geometry(&g);
  const size_t pixel = fuzz_pixel_bytes(&spec), gap = (size_t)fuzz_pick(&choice, 0, GAP);
  const size_t source_stride = (size_t)w * pixel + (size_t)fuzz_pick(&choice, 0, GAP);
  uint8_t *source = make_pixels(data, size, (size_t)(h - 1) * source_stride + (size_t)w * pixel);

  /* The last row has no gap behind it: writing there is seen by the sanitizer. */
  const size_t row = (size_t)g.out_w * pixel, stride = row + gap;
  const size_t bytes = (size_t)(g.out_h - 1) * stride + row;
  uint8_t *out = fuzz_alloc(bytes), *pushed = fuzz_alloc(bytes);
  memset(out, SLOT, bytes);
  memset(pushed, SLOT, bytes);
  const fc_status status = fc_resample(source, source_stride, &g, &spec, out, stride);
  FUZZ_CHECK(status == FC_OK || (status == FC_NEEDS_PYTHON && spec.wide));
  if (status == FC_OK) {
    check_gaps(out, &g, row, stride);
    FUZZ_CHECK(fc_sink_plan(sink, &g, &spec, pushed, stride) == FC_OK);
    push_rows(sink, &choice, &g, pixel, source, source_stride);
    FUZZ_CHECK(memcmp(out, pushed, bytes) == 0);
  }
  free(pushed);
  free(out);
  free(source);
  return 0;
}
