/* Rows of pixels to numbers: every element, order and scaling, on the instruction set in use. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "emit.h"
#include "field_half.h"
#include "random.h"

static void fill_random(uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_below(256);
}

static const int elements[] = {FC_UINT8, FC_FLOAT32, FC_FLOAT16, FC_BFLOAT16};
static const int channel_counts[] = {1, 3, 4};

/* What torch does, one rounding after another. */
static float reference(const fc_emit *emit, int pixel, int channel, float whole) {
  volatile float value = (float)pixel;
  if (emit->scaling == FC_UNIT || emit->scaling == FC_NORMALISED) value = value / whole;
  if (emit->scaling >= FC_NORMALISED) {
    value = value - emit->mean[channel];
    value = value / emit->std[channel];
  }
  return value;
}

static void put(const fc_emit *emit, float value, uint8_t *out) {
  if (emit->element == FC_FLOAT32) {
    memcpy(out, &value, 4);
  } else if (emit->element == FC_UINT8) {
    *out = (uint8_t)value;
  } else {
    uint16_t half = emit->element == FC_FLOAT16 ? fc_half_of(value) : fc_bfloat16_of(value);
    if (emit->element == FC_UINT16) half = (uint16_t)value;
    memcpy(out, &half, 2);
  }
}

enum { GUARD = 64 };

typedef struct picture {
  int h, w, channels, wide, flip_y, flip_x;
} picture;

/* The whole image by the reference. */
static uint8_t *expected_of(const fc_emit *emit, const picture *p, const uint8_t *pixels,
                            size_t stride) {
  const size_t size = fc_element_size(emit->element), channels = (size_t)emit->channels;
  uint8_t *out = check_alloc(fc_emit_bytes(emit, p->h, p->w));
  for (int y = 0; y < p->h; y++)
    for (int x = 0; x < p->w; x++)
      for (size_t c = 0; c < channels; c++) {
        const size_t row = (size_t)(p->flip_y ? p->h - 1 - y : y);
        const size_t from = (size_t)p->channels, its = from == channels ? c : 0;
        const size_t at = (size_t)(p->flip_x ? p->w - 1 - x : x) * from + its;
        uint16_t pixel = pixels[row * stride + at];
        if (p->wide) memcpy(&pixel, pixels + row * stride + 2 * at, 2);
        size_t place = ((size_t)y * (size_t)p->w + (size_t)x) * channels + c;
        if (emit->planar) place = (c * (size_t)p->h + (size_t)y) * (size_t)p->w + (size_t)x;
        put(emit, reference(emit, pixel, (int)c, p->wide ? 65535.0f : 255.0f), out + place * size);
      }
  return out;
}

static void check_picture(const fc_emit *emit, const picture *p, size_t offset) {
  CHECK_CONTEXT(
      "element %d planar %d channels %d of %d scaling %d streaming %d, %dx%d flip %d %d at %zu",
      emit->element, emit->planar, emit->channels, p->channels, emit->scaling, emit->streaming,
      p->h, p->w, p->flip_y, p->flip_x, offset);
  const size_t stride = (size_t)p->w * (size_t)p->channels * (size_t)(p->wide ? 2 : 1);
  const size_t bytes = fc_emit_bytes(emit, p->h, p->w);
  uint8_t *pixels = check_alloc(stride * (size_t)p->h + FC_ROW_SLACK);
  uint8_t *memory = check_alloc(bytes + 3 * GUARD), *room = NULL;
  fill_random(pixels, stride * (size_t)p->h);
  memset(memory, 0xa5, bytes + 3 * GUARD);
  uint8_t *out = memory + GUARD + (size_t)(-(uintptr_t)memory % 64) + offset;

  static fc_emitter emitter;
  CHECK_INT(fc_emitter_set(&emitter, emit, p->channels, p->wide), FC_OK);
  room = check_alloc(fc_emission_room(&emitter, p->w) + 64);
  fc_emission emission;
  const fc_ahead ahead = {pixels, stride, stride, p->h};
  fc_emission_begin(&emission, &emitter, out, p->h, p->w, p->flip_y, p->flip_x, room,
                    random_below(2) ? &ahead : NULL);
  for (int y = 0, some; y < p->h; y += some) {
    const uint8_t *row = pixels + (size_t)y * stride;
    some = 1 + random_below(p->h - y);
    if (some == 1)
      fc_emission_row(&emission, y, row);
    else
      fc_emission_rows(&emission, y, row, stride, some);
  }
  fc_emission_end(&emission);
  fc_stream_end();

  uint8_t *expected = expected_of(emit, p, pixels, stride);
  CHECK(memcmp(out, expected, bytes) == 0);
  int touched = 0;
  for (uint8_t *at = memory; at < memory + bytes + 3 * GUARD; at++)
    touched += (at < out || at >= out + bytes) && *at != 0xa5;
  CHECK_INT(touched, 0);
  free(expected);
  free(room);
  free(memory);
  free(pixels);
}

static fc_emit random_emit(int element, int channels) {
  fc_emit emit = {.element = element, .channels = channels};
  emit.planar = random_below(2);
  emit.streaming = random_below(2);
  emit.scaling = element == FC_UINT8 || element == FC_UINT16 ? FC_PLAIN : random_below(4);
  const int is_plain = emit.scaling == FC_NORMALISED_PLAIN;
  for (int c = 0; c < 4; c++) {
    emit.mean[c] = (float)random_below(1000) * (is_plain ? 0.255f : 0.001f);
    emit.std[c] = (float)(1 + random_below(1000)) * (is_plain ? 0.1f : 0.0005f);
    if (random_below(8) == 0) emit.std[c] = -emit.std[c];
  }
  return emit;
}

static void test_pictures(void) {
  for (int i = 0; i < 6000; i++) {
    const fc_emit emit = random_emit(elements[i % 4], channel_counts[i / 4 % 3]);
    picture p = {.h = 1 + random_below(5), .w = 1 + random_below(80)};
    if (random_below(3) == 0) p.w = 32 * (1 + random_below(3));
    p.flip_y = random_below(4) == 0, p.flip_x = random_below(2);
    p.channels = emit.channels;
    if (emit.channels != 4 && random_below(4) == 0) p.channels = 4 - emit.channels;
    const size_t size = fc_element_size(emit.element);
    check_picture(&emit, &p, random_below(2) ? (size_t)random_below(16) * size : 0);
  }
}

static void test_wide_pictures(void) {
  static const int kinds[] = {FC_UINT16, FC_FLOAT32, FC_FLOAT16, FC_BFLOAT16};
  for (int i = 0; i < 800; i++) {
    fc_emit emit = random_emit(kinds[i % 4], 1);
    picture p = {.h = 1 + random_below(4), .w = 1 + random_below(70), .channels = 1, .wide = 1};
    p.flip_y = random_below(2), p.flip_x = random_below(2);
    check_picture(&emit, &p, (size_t)random_below(8) * fc_element_size(emit.element));
  }
}

/* Every way to compute a number is used by some request, and whichever it is, all 256 values are
 * those of the tables. */
static void test_ways(void) {
  static fc_emitter emitter;
  int used[3] = {0};
  for (int i = 0; i < 3000; i++) {
    fc_emit emit = random_emit(elements[1 + i % 3], 3);
    emit.planar = 1, emit.streaming = 0;
    if (i % 50 == 0) emit.std[0] = 0x1p-140f; /* its reciprocal is infinite */
    CHECK_INT(fc_emitter_set(&emitter, &emit, 3, 0), FC_OK);
    used[emitter.way]++;
    uint8_t row[256 * 3 + FC_ROW_SLACK] = {0};
    for (int x = 0; x < 256; x++) memset(row + 3 * x, x, 3);
    float got[3][256], want[3][256];
    fc_fetch fetch = {.row = 0};
    const fc_emit_rows rows = {.row = row,
                               .count = 1,
                               .width = 256,
                               .out = {(uint8_t *)got[0], (uint8_t *)got[1], (uint8_t *)got[2]},
                               .fetch = &fetch};
    uint8_t *const slow[4] = {(uint8_t *)want[0], (uint8_t *)want[1], (uint8_t *)want[2]};
    memset(got, 0, sizeof got);
    memset(want, 0, sizeof want);
    CHECK_CONTEXT("element %d scaling %d way %d std %g", emit.element, emit.scaling, emitter.way,
                  (double)emit.std[0]);
    fc_emitter_rows(&emitter, &rows);
    fc_emit_scalar_reals(&emitter, row, 256, 0, slow);
    CHECK(memcmp(got, want, sizeof got) == 0);
  }
  static fc_emit plain = {.element = FC_FLOAT32, .channels = 1};
  CHECK_INT(fc_emitter_set(&emitter, &plain, 1, 0), FC_OK);
  if (!emitter.kernels->lanes) return;
  CHECK(used[FC_EMIT_LINE] > 0);
  CHECK(used[FC_EMIT_EXACT] > 0);
  CHECK(used[FC_EMIT_DIVIDED] > 0);
}

/* Runs of any length, written in any pieces, with gaps between. */
static void test_lines(void) {
  for (int i = 0; i < 500; i++) {
    uint8_t *memory = check_alloc(4096), *expected = check_alloc(4096);
    fc_lines lines;
    size_t at = (size_t)random_below(200);
    fc_lines_begin(&lines, memory + at);
    for (int k = 0; k < 12; k++) {
      uint8_t some[300 + FC_LINE] = {0};
      const size_t count = (size_t)random_below(300);
      fill_random(some, count);
      if (random_below(4) == 0) {
        fc_lines_end(&lines);
        at += (size_t)random_below(30);
        fc_lines_begin(&lines, memory + at);
      }
      fc_lines_append(&lines, some, count);
      memcpy(expected + at, some, count);
      at += count;
    }
    fc_lines_end(&lines);
    fc_stream_end();
    CHECK(memcmp(memory, expected, 4096) == 0);
    free(memory);
    free(expected);
  }
}

static void test_refusals(void) {
  const fc_emit good = {.element = FC_FLOAT32,
                        .channels = 3,
                        .scaling = FC_NORMALISED,
                        .mean = {0.5f, 0.5f, 0.5f},
                        .std = {1, 1, 1}};
  static fc_emitter emitter;
  CHECK_INT(fc_emit_check(&good), FC_OK);
  CHECK_INT(fc_emitter_set(&emitter, &good, 3, 1),
            FC_E_ARGUMENT); /* wide pixels have one channel */
  CHECK_INT(fc_emitter_set(&emitter, &good, 1, 1), FC_E_ARGUMENT);
  CHECK_INT(fc_emitter_set(&emitter, &good, 4, 0), FC_E_ARGUMENT); /* what becomes of opacity? */
  fc_emit bad;
#define REFUSED(change)                            \
  do {                                             \
    bad = good;                                    \
    change;                                        \
    CHECK_CONTEXT("%s", #change);                  \
    CHECK_INT(fc_emit_check(&bad), FC_E_ARGUMENT); \
  } while (0)
  REFUSED(bad.channels = 2);
  REFUSED(bad.channels = 0);
  REFUSED(bad.channels = 5);
  REFUSED(bad.scaling = -1);
  REFUSED(bad.scaling = 4);
  REFUSED(bad.element = FC_FLOAT64);
  REFUSED(bad.element = FC_UINT8);
  REFUSED(bad.element = -1);
  REFUSED((bad.element = FC_UINT16, bad.scaling = FC_PLAIN));
  REFUSED(bad.std[2] = 0);
  REFUSED(bad.std[0] = -0.0f);
  REFUSED(bad.std[1] = NAN);
  REFUSED(bad.std[1] = INFINITY);
  REFUSED(bad.mean[1] = NAN);
  REFUSED(bad.mean[2] = -INFINITY);
  bad = good, bad.std[3] = 0; /* of a channel that is not there */
  CHECK_INT(fc_emit_check(&bad), FC_OK);
  fc_emit bytes = {.element = FC_UINT8, .channels = 1};
  CHECK_INT(fc_emitter_set(&emitter, &bytes, 1, 1), FC_E_ARGUMENT);
  bytes.element = FC_UINT16;
  CHECK_INT(fc_emitter_set(&emitter, &bytes, 1, 0), FC_E_ARGUMENT);
  bytes.element = FC_UINT8;
  CHECK_INT(fc_emitter_set(&emitter, &bytes, 4, 0), FC_E_ARGUMENT);
  bytes.channels = 4;
  CHECK_INT(fc_emitter_set(&emitter, &bytes, 1, 0), FC_E_ARGUMENT);
  CHECK_INT(fc_emitter_set(&emitter, &bytes, 3, 0), FC_E_ARGUMENT);
}

int main(void) {
  test_pictures();
  test_wide_pictures();
  test_ways();
  test_lines();
  test_refusals();
  return check_result();
}
