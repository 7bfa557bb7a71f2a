/* Samples made by recipes, against the same steps done one after another to whole images. */
#include <string.h>

#include "check.h"
#include "jpeg_maker.h"
#include "random.h"
#include "recipe.h"

/* tint.c has tests of its own.  What stands in for it here shows whether it was asked for the right
 * pixels in the right order, and once. */
void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                      const fc_colour *colours, int count) {
  for (int i = 0; i < count; i++)
    for (int32_t y = 0; y < h; y++)
      for (int32_t x = 0; x < w * channels; x++) {
        uint8_t *at = pixels + (size_t)y * stride + (size_t)x;
        *at = (uint8_t)(*at * 3 + (int)colours[i].amount + colours[i].kind);
      }
}

static void fill_random(uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_below(256);
}

static int between(int low, int high) {
  return low + random_below(high - low + 1);
}

typedef struct image {
  int h, w, pixel;
  uint8_t *data;
} image;

static image image_new(int h, int w, int pixel) {
  return (image){h, w, pixel, check_alloc((size_t)h * (size_t)w * (size_t)pixel)};
}

static uint8_t *pixel_at(const image *of, int y, int x) {
  return of->data + ((size_t)y * (size_t)of->w + (size_t)x) * (size_t)of->pixel;
}

/* ---- the reference ---- */

/* One position at a time, bouncing between the ends. */
static int bounced(int at, int size, int padding) {
  if (size == 1) return 0;
  while (at < 0 || at >= size) {
    if (padding == FC_PAD_EDGE) at = at < 0 ? at + 1 : at - 1;
    if (padding == FC_PAD_REFLECT) at = at < 0 ? -at : 2 * (size - 1) - at;
    if (padding == FC_PAD_SYMMETRIC) at = at < 0 ? -1 - at : 2 * size - 1 - at;
  }
  return at;
}

static image stage_reference(const image *from, const fc_stage *stage, const fc_image_spec *spec) {
  const fc_geometry *g = &stage->geometry;
  image made = image_new(g->out_h, g->out_w, from->pixel),
        out = image_new(made.h, made.w, made.pixel);
  fc_image_spec own = *spec;
  own.filter = stage->filter;
  memcpy(own.fill, stage->fill, 4);
  const size_t stride = (size_t)from->w * (size_t)from->pixel;
  if (stage->padding == FC_PAD_CONSTANT)
    CHECK_INT(
        fc_resample(from->data, stride, g, &own, made.data, (size_t)made.w * (size_t)made.pixel),
        FC_OK);
  else
    for (int y = 0; y < made.h; y++)
      for (int x = 0; x < made.w; x++)
        memcpy(pixel_at(&made, y, x),
               pixel_at(from, g->crop_y + bounced(g->win_y + y, g->crop_h, stage->padding),
                        g->crop_x + bounced(g->win_x + x, g->crop_w, stage->padding)),
               (size_t)made.pixel);
  for (int y = 0; y < made.h; y++)
    for (int x = 0; x < made.w; x++)
      memcpy(
          pixel_at(&out, y, x),
          pixel_at(&made, stage->flip_y ? made.h - 1 - y : y, stage->flip_x ? made.w - 1 - x : x),
          (size_t)made.pixel);
  fc_colours_apply(out.data, (size_t)out.w * (size_t)out.pixel, out.h, out.w, out.pixel,
                   stage->colour, stage->colours);
  free(made.data);
  return out;
}

static uint8_t *emit_reference(const image *from, const fc_emit *emit, int wide) {
  static fc_emitter emitter;
  CHECK_INT(fc_emitter_set(&emitter, emit, wide ? 1 : from->pixel, wide), FC_OK);
  const size_t size = fc_element_size(emit->element);
  uint8_t *out = check_alloc(fc_emit_bytes(emit, from->h, from->w));
  for (int y = 0; y < from->h; y++)
    for (int x = 0; x < from->w; x++)
      for (int c = 0; c < emit->channels; c++) {
        size_t place = (size_t)((y * from->w + x) * emit->channels + c);
        if (emit->planar) place = (size_t)((c * from->h + y) * from->w + x);
        const uint8_t *pixel = pixel_at(from, y, x);
        const uint8_t *value = pixel + (from->pixel == emit->channels ? c : 0);
        if (wide)
          memcpy(out + 2 * place, pixel, 2);
        else if (emit->element == FC_UINT8)
          out[place] = *value;
        else if (emit->element == FC_FLOAT32)
          memcpy(out + 4 * place, &emitter.value[c][*value], 4);
        else
          memcpy(out + size * place, &emitter.half[c][*value], size);
      }
  return out;
}

/* ---- what is asked for ---- */

static const int elements[] = {FC_UINT8, FC_FLOAT32, FC_FLOAT16, FC_BFLOAT16};

static fc_emit random_emit(int channels, int wide) {
  fc_emit emit = {.element = wide ? FC_UINT16 : elements[random_below(4)], .channels = channels};
  emit.planar = random_below(2), emit.streaming = random_below(2);
  if (emit.element != FC_UINT8 && emit.element != FC_UINT16) emit.scaling = random_below(4);
  for (int c = 0; c < 4; c++) emit.mean[c] = 0.4f + 0.03f * (float)c, emit.std[c] = 0.2f;
  return emit;
}

static fc_stage random_stage(int h, int w, int with_colours, int wide) {
  fc_stage stage = {.filter = wide ? FC_NEAREST : random_below(FC_FILTER_COUNT)};
  fc_geometry *g = &stage.geometry;
  g->src_h = h, g->src_w = w;
  g->crop_h = between(1, h), g->crop_w = between(1, w);
  g->crop_y = between(0, h - g->crop_h), g->crop_x = between(0, w - g->crop_w);
  const int is_copy = random_below(2);
  g->size_h = is_copy ? g->crop_h : between(1, 50),
  g->size_w = is_copy ? g->crop_w : between(1, 50);
  g->out_h = g->size_h, g->out_w = g->size_w;
  if (random_below(2)) {
    g->win_y = between(-9, g->size_h + 2), g->win_x = between(-9, g->size_w + 2);
    g->out_h = between(1, g->size_h + 9), g->out_w = between(1, g->size_w + 9);
  }
  if (is_copy) stage.padding = random_below(4);
  for (int i = 0; i < 4; i++) stage.fill[i] = (uint8_t)random_below(256);
  stage.flip_y = random_below(3) == 0, stage.flip_x = random_below(2);
  stage.colours = with_colours && random_below(2) ? between(1, FC_MOST_COLOURS) : 0;
  for (int i = 0; i < stage.colours; i++)
    stage.colour[i] = (fc_colour){random_below(5), (float)random_below(100)};
  return stage;
}

static fc_drawn random_drawn(int h, int w, int wide) {
  fc_drawn drawn = {.stages = random_below(2) ? 1 : between(1, FC_MOST_STAGES)};
  for (int i = 0; i < drawn.stages; i++) {
    drawn.stage[i] = random_stage(h, w, !wide, wide);
    h = drawn.stage[i].geometry.out_h, w = drawn.stage[i].geometry.out_w;
  }
  return drawn;
}

static void describe(const fc_drawn *drawn, const fc_emit *emit, const fc_image_spec *spec) {
  const fc_stage *s = drawn->stage;
  const fc_geometry *g = &s->geometry;
  CHECK_CONTEXT(
      "%d stages, %d channels wide %d, element %d planar %d streaming %d; first: src %dx%d crop"
      " %d %d %dx%d size %dx%d window %d %d %dx%d pad %d flip %d %d filter %d",
      drawn->stages, spec->channels, spec->wide, emit->element, emit->planar, emit->streaming,
      g->src_h, g->src_w, g->crop_y, g->crop_x, g->crop_h, g->crop_w, g->size_h, g->size_w,
      g->win_y, g->win_x, g->out_h, g->out_w, s->padding, s->flip_y, s->flip_x, s->filter);
}

static uint8_t *expected_of(const image *source, const fc_drawn *drawn, const fc_image_spec *spec,
                            const fc_emit *emit) {
  image now = *source;
  for (int i = 0; i < drawn->stages; i++) {
    const image next = stage_reference(&now, &drawn->stage[i], spec);
    if (i) free(now.data);
    now = next;
  }
  uint8_t *out = emit_reference(&now, emit, spec->wide);
  free(now.data);
  return out;
}

enum { GUARD = 64 };

static int is_untouched(const uint8_t *guard) {
  int same = 1;
  for (int i = 0; i < GUARD; i++) same = same && guard[i] == 0xa5;
  return same;
}

static const fc_key key = {.seed = 1, .epoch = 2, .sample = 3};

static void check_sample(fc_maker *maker, int channels, int wide) {
  const fc_image_spec spec = {.channels = channels, .wide = wide, .limits = fc_default_limits};
  const int is_other = channels != 4 && !wide && random_below(4) == 0;
  const fc_emit emit = random_emit(is_other ? 4 - channels : channels, wide);
  const image source = image_new(between(1, 60), between(1, 60), fc_pixel_bytes(&spec));
  const size_t stride = (size_t)source.w * (size_t)source.pixel;
  fill_random(source.data, stride * (size_t)source.h);
  const fc_drawn drawn = random_drawn(source.h, source.w, wide);
  describe(&drawn, &emit, &spec);
  const fc_geometry *last = &drawn.stage[drawn.stages - 1].geometry;
  const size_t bytes = fc_emit_bytes(&emit, last->out_h, last->out_w);
  uint8_t *memory = check_alloc(bytes + 2 * GUARD),
          *expected = expected_of(&source, &drawn, &spec, &emit);
  memset(memory, 0xa5, bytes + 2 * GUARD);
  CHECK_INT(fc_make(maker, source.data, stride, &spec, &drawn, &key, &emit, memory + GUARD), FC_OK);
  CHECK(memcmp(memory + GUARD, expected, bytes) == 0);
  CHECK(is_untouched(memory) && is_untouched(memory + GUARD + bytes));
  free(expected);
  free(memory);
  free(source.data);
}

static void test_samples(fc_maker *maker) {
  static const int channels[] = {1, 3, 4};
  for (int i = 0; i < 4000; i++) check_sample(maker, channels[i % 3], 0);
  for (int i = 0; i < 400; i++) check_sample(maker, 1, 1);
}

/* ---- files ---- */

static void test_files(fc_maker *maker) {
  fc_decoder *decoder = fc_decoder_new();
  for (int i = 0; i < 150; i++) {
    const int h = between(8, 70), w = between(8, 70);
    const jpeg_file made = make_jpeg(&jpeg_kinds[i % 3], h, w, 90);
    const uint8_t *file = made.data;
    const size_t size = made.size;
    const fc_image_spec spec = {.channels = 3, .limits = fc_default_limits};
    const image whole = image_new(h, w, 3);
    const fc_geometry all = {.src_h = h,
                             .src_w = w,
                             .crop_h = h,
                             .crop_w = w,
                             .size_h = h,
                             .size_w = w,
                             .out_h = h,
                             .out_w = w};
    int detail;
    CHECK_INT(fc_decode(decoder, file, size, &spec, &all, whole.data, (size_t)w * 3, &detail),
              FC_OK);
    const fc_drawn drawn = random_drawn(h, w, 0);
    const fc_emit emit = random_emit(3, 0);
    describe(&drawn, &emit, &spec);
    const fc_geometry *last = &drawn.stage[drawn.stages - 1].geometry;
    const size_t bytes = fc_emit_bytes(&emit, last->out_h, last->out_w);
    uint8_t *out = check_alloc(bytes), *expected = expected_of(&whole, &drawn, &spec, &emit);
    CHECK_INT(fc_make_from_file(maker, file, size, &spec, &drawn, &key, &emit, out, &detail),
              FC_OK);
    CHECK(memcmp(out, expected, bytes) == 0);
    /* Another size than was drawn for, and damage. */
    fc_drawn other = drawn;
    other.stage[0].geometry.src_h++;
    CHECK_INT(fc_make_from_file(maker, file, size, &spec, &other, &key, &emit, out, &detail),
              FC_E_CHANGED);
    CHECK(fc_make_from_file(maker, file, 20, &spec, &drawn, &key, &emit, out, NULL) != FC_OK);
    free(out);
    free(expected);
    free(whole.data);
    free(made.data);
  }
  fc_decoder_free(decoder);
}

/* ---- erasing ---- */

static fc_drawn plain_drawn(int h, int w) {
  fc_drawn drawn = {.stages = 1};
  drawn.stage[0].geometry = (fc_geometry){.src_h = h,
                                          .src_w = w,
                                          .crop_h = h,
                                          .crop_w = w,
                                          .size_h = h,
                                          .size_w = w,
                                          .out_h = h,
                                          .out_w = w};
  return drawn;
}

/* Everything that is erased, a number at a time: the numbers of a step come in the order of rows,
 * pixels and channels. */
static void erase_reference(const fc_emit *emit, const fc_erased *e, int h, int w, uint8_t *out) {
  static fc_emitter emitter;
  CHECK_INT(fc_emitter_set(&emitter, emit, emit->channels, emit->element == FC_UINT16), FC_OK);
  const size_t size = fc_element_size(emit->element),
               count = (size_t)(e->h * e->w * emit->channels);
  float *noise = check_alloc(count * sizeof *noise), *next = noise;
  fc_random random;
  fc_random_begin(&random, &key, e->step);
  fc_random_normals(&random, noise, count);
  for (int y = e->y; y < e->y + e->h; y++)
    for (int x = e->x; x < e->x + e->w; x++)
      for (int c = 0; c < emit->channels; c++, next++) {
        const int at = emit->planar ? (c * h + y) * w + x : (y * w + x) * emit->channels + c;
        fc_emitter_put(&emitter, e->with == FC_ERASE_NORMAL ? *next : e->value[c],
                       out + (size_t)at * size);
      }
  free(noise);
}

static void test_erased_numbers(fc_maker *maker) {
  for (int i = 0; i < 300; i++) {
    const int h = between(1, 40), w = between(1, 40), wide = i % 10 == 0;
    const int channels = wide ? 1 : (const int[]){1, 3, 4}[i % 3];
    const fc_image_spec spec = {.channels = channels, .wide = wide};
    const fc_emit emit = random_emit(channels, wide);
    const image source = image_new(h, w, fc_pixel_bytes(&spec));
    fill_random(source.data, (size_t)(h * w * source.pixel));
    fc_drawn drawn = plain_drawn(h, w);
    const size_t bytes = fc_emit_bytes(&emit, h, w);
    uint8_t *out = check_alloc(bytes), *expected = expected_of(&source, &drawn, &spec, &emit);
    drawn.erased = between(1, FC_MOST_ERASED);
    for (int k = 0; k < drawn.erased; k++) {
      fc_erased *e = &drawn.erase[k];
      e->h = between(1, h), e->w = between(1, w);
      e->y = between(0, h - e->h), e->x = between(0, w - e->w);
      e->with = random_below(2), e->step = (uint32_t)k | FC_STEP_PIXELS;
      for (int c = 0; c < 4; c++) e->value[c] = (float)between(-300, 70000) / 3.0f;
      erase_reference(&emit, e, h, w, expected);
    }
    describe(&drawn, &emit, &spec);
    CHECK_INT(
        fc_make(maker, source.data, (size_t)(w * source.pixel), &spec, &drawn, &key, &emit, out),
        FC_OK);
    CHECK(memcmp(out, expected, bytes) == 0);
    free(out);
    free(expected);
    free(source.data);
  }
}

static void test_erasing(fc_maker *maker) {
  enum { H = 20, W = 30 };
  static uint8_t source[H * W * 3];
  fill_random(source, sizeof source);
  const fc_image_spec spec = {.channels = 3};
  for (int planar = 0; planar < 2; planar++) {
    const fc_emit emit = {.element = FC_FLOAT32, .channels = 3, .planar = planar};
    fc_drawn drawn = plain_drawn(H, W);
    static float clean[H * W * 3], out[H * W * 3], again[H * W * 3];
    CHECK_INT(fc_make(maker, source, W * 3, &spec, &drawn, &key, &emit, (uint8_t *)clean), FC_OK);
    drawn.erased = 2;
    drawn.erase[0] = (fc_erased){.y = 2, .x = 3, .h = 9, .w = 5, .value = {-1.5f, 2, 300}};
    drawn.erase[1] =
        (fc_erased){.y = 11, .x = 0, .h = 9, .w = 30, .with = FC_ERASE_NORMAL, .step = 4};
    CHECK_INT(fc_make(maker, source, W * 3, &spec, &drawn, &key, &emit, (uint8_t *)out), FC_OK);
    CHECK_INT(fc_make(maker, source, W * 3, &spec, &drawn, &key, &emit, (uint8_t *)again), FC_OK);
    CHECK(memcmp(out, again, sizeof out) == 0);
    double sum = 0, squares = 0;
    int different = 0;
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++)
        for (int c = 0; c < 3; c++) {
          const int at = planar ? (c * H + y) * W + x : (y * W + x) * 3 + c;
          if (y >= 11)
            sum += out[at], squares += (double)out[at] * out[at];
          else if (y >= 2 && x >= 3 && x < 8)
            different += out[at] != drawn.erase[0].value[c];
          else
            different += out[at] != clean[at];
        }
    CHECK_INT(different, 0);
    CHECK(sum / 810 > -0.2 && sum / 810 < 0.2 && squares / 810 > 0.7 && squares / 810 < 1.3);
  }
  const fc_emit bytes = {.element = FC_UINT8, .channels = 3};
  fc_drawn drawn = plain_drawn(H, W);
  drawn.erased = 1;
  drawn.erase[0] = (fc_erased){.h = 1, .w = 1, .value = {-3, 41.6f, 300}};
  static uint8_t out[H * W * 3];
  CHECK_INT(fc_make(maker, source, W * 3, &spec, &drawn, &key, &bytes, out), FC_OK);
  CHECK(out[0] == 0 && out[1] == 42 && out[2] == 255 && out[3] == source[3]);
}

/* ---- refusals ---- */

static void test_refusals(fc_maker *maker) {
  enum { H = 5, W = 6 };
  uint8_t source[H * W * 3 + 64] = {0}, out[H * W * 3];
  const fc_image_spec spec = {.channels = 3};
  const fc_emit emit = {.element = FC_UINT8, .channels = 3};
  const fc_drawn good = plain_drawn(H, W);
  CHECK_INT(fc_make(maker, source, W * 3, &spec, &good, &key, &emit, out), FC_OK);
  CHECK_INT(fc_make(maker, source, W * 3 - 1, &spec, &good, &key, &emit, out), FC_E_ARGUMENT);
  fc_drawn bad;
#define REFUSED(change)                                                                     \
  do {                                                                                      \
    bad = good;                                                                             \
    change;                                                                                 \
    CHECK_CONTEXT("%s", #change);                                                           \
    CHECK_INT(fc_make(maker, source, W * 3, &spec, &bad, &key, &emit, out), FC_E_ARGUMENT); \
  } while (0)
  REFUSED(bad.stages = 0);
  REFUSED(bad.stages = FC_MOST_STAGES + 1);
  REFUSED(bad.erased = -1);
  REFUSED(bad.erased = FC_MOST_ERASED + 1);
  REFUSED(bad.stage[0].filter = FC_FILTER_COUNT);
  REFUSED(bad.stage[0].filter = -1);
  REFUSED(bad.stage[0].padding = 4);
  REFUSED(bad.stage[0].padding = -1);
  REFUSED((bad.stage[0].padding = FC_PAD_EDGE, bad.stage[0].geometry.size_h = 4));
  REFUSED(bad.stage[0].colours = FC_MOST_COLOURS + 1);
  REFUSED(bad.stage[0].colours = -1);
  REFUSED(bad.stage[0].geometry.crop_h = H + 1);
  REFUSED((bad.stages = 2, bad.stage[1] = bad.stage[0], bad.stage[1].geometry.src_h = H + 1));
  REFUSED((bad.erased = 1, bad.erase[0] = (fc_erased){.y = 4, .h = 2, .w = 1}));
  REFUSED((bad.erased = 1, bad.erase[0] = (fc_erased){.x = -1, .h = 2, .w = 1}));
  REFUSED((bad.erased = 1, bad.erase[0] = (fc_erased){.x = INT32_MAX, .h = 2, .w = INT32_MAX}));
  REFUSED((bad.stage[0].geometry.out_h = INT32_MAX, bad.stage[0].geometry.out_w = INT32_MAX));
  const fc_emit opacity = {.element = FC_UINT8, .channels = 4};
  CHECK_INT(fc_make(maker, source, W * 3, &spec, &good, &key, &opacity, out), FC_E_ARGUMENT);
  const fc_emit grey = {.element = FC_UINT8, .channels = 1};
  const fc_image_spec wide = {.channels = 1, .wide = 1};
  CHECK_INT(fc_make(maker, source, W * 3, &wide, &good, &key, &grey, out), FC_E_ARGUMENT);
  const fc_emit kept = {.element = FC_UINT16, .channels = 1};
  bad = good, bad.stage[0].colours = 1;
  CHECK_INT(fc_make(maker, source, W * 3, &wide, &bad, &key, &kept, out), FC_E_ARGUMENT);
  bad = good, bad.stage[0].filter = FC_BILINEAR;
  bad.stage[0].geometry.size_h = bad.stage[0].geometry.out_h = 3;
  CHECK_INT(fc_make(maker, source, W * 3, &wide, &bad, &key, &kept, out), FC_NEEDS_PYTHON);
}

int main(void) {
  fc_maker *maker = fc_maker_new();
  test_samples(maker);
  test_files(maker);
  test_erasing(maker);
  test_erased_numbers(maker);
  test_refusals(maker);
  fc_maker_free(maker);
  return check_result();
}
