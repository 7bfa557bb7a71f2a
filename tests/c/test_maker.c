/* Makers: how much memory they are said to take, and how they are kept from job to job. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "random.h"
#include "recipe.h"

static int between(int low, int high) {
  return low + random_below(high - low + 1);
}

static size_t bytes_of(const fc_buffer *buffer) {
  return buffer->capacity ? fc_buffer_bytes(buffer->capacity) : 0;
}

static size_t held(const fc_maker *maker) {
  const fc_buffer *all[] = {&maker->pixels[0], &maker->pixels[1], &maker->crop,
                            &maker->line,      &maker->room,      &maker->file};
  size_t sum = sizeof *maker + fc_sink_held(maker->sink);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sum += bytes_of(all[i]);
  return sum;
}

static fc_step random_step(void) {
  fc_step step = {.kind = random_below(FC_STEP_KIND_COUNT),
                  .filter = random_below(FC_FILTER_COUNT),
                  .number = {between(1, 90), between(1, 90)}};
  const double colours[8] = {0.5, 1.5, 0.5, 1.5, 1, 0, -0.1, 0.1};
  const double crop[4] = {0.05, 1, 0.5, 2}, erased[5] = {0.5, 0.1, 0.3, 0.5, 2};
  switch (step.kind) {
    case FC_RESIZE_SHORT:
      step.number[1] = 0;
      break;
    case FC_RANDOM_CROP:
      for (int i = 2; i < 6; i++) step.number[i] = random_below(2) * between(0, 40);
      step.number[6] = random_below(4), step.number[7] = 1;
      break;
    case FC_RANDOM_RESIZED_CROP:
      memcpy(step.real, crop, sizeof crop);
      break;
    case FC_LETTER_BOX:
      step.number[2] = random_below(2);
      break;
    case FC_FLIP_X:
    case FC_FLIP_Y:
    case FC_GREYSCALE:
      step.number[0] = step.number[1] = 0;
      step.real[0] = 0.5;
      break;
    case FC_COLOUR_JITTER:
      step.number[0] = step.number[1] = 0;
      memcpy(step.real, colours, sizeof colours);
      break;
    case FC_ERASE:
      step.number[0] = step.number[1] = 0;
      memcpy(step.real, erased, sizeof erased);
      break;
    default:
      break;
  }
  return step;
}

/* One recipe, made a few times by a maker of its own; how close the bound is, or 0. */
static double check_scratch(void) {
  fc_step steps[4];
  const int count = between(0, 4), h = between(1, 200), w = between(1, 200);
  for (int i = 0; i < count; i++) steps[i] = random_step();
  const int channels = (const int[]){1, 3, 4}[random_below(3)];
  const fc_image_spec spec = {.channels = channels, .limits = fc_default_limits};
  const fc_emit emit = {.element = random_below(2) ? FC_FLOAT32 : FC_UINT8,
                        .channels = channels == 4 || random_below(2) ? channels : 4 - channels,
                        .planar = random_below(2),
                        .streaming = random_below(2)};
  size_t most = 0, used = 0;
  int at;
  if (fc_make_scratch(steps, count, h, w, NULL, &spec, &emit, &most, &at) != FC_OK) return 0;
  uint8_t *source = check_alloc((size_t)(h * w * channels) + FC_ROW_SLACK);
  fc_maker *maker = fc_maker_new();
  for (int i = 0; i < 4; i++) {
    const fc_key key = {.sample = (uint64_t)random_below(1000)};
    fc_drawn drawn;
    CHECK_CONTEXT("%d steps of %dx%d, first %d", count, h, w, count ? steps[0].kind : -1);
    if (fc_draw(steps, count, &key, h, w, NULL, &drawn, &at) != FC_OK) continue;
    const fc_geometry *g = &drawn.stage[drawn.stages - 1].geometry;
    uint8_t *out = check_alloc(fc_emit_bytes(&emit, g->out_h, g->out_w));
    CHECK_INT(fc_make(maker, source, (size_t)(w * channels), &spec, &drawn, &key, &emit, out),
              FC_OK);
    used = held(maker);
    CHECK(used <= most);
    free(out);
  }
  fc_maker_free(maker);
  free(source);
  return (double)used / (double)most;
}

static void test_scratch(void) {
  double closest = 0;
  for (int i = 0; i < 1500; i++) {
    const double close = check_scratch();
    closest = FC_MAX(closest, close);
  }
  CHECK_CONTEXT("at most %.0f%% of the bound was used", 100 * closest);
  CHECK(closest > 0.7); /* not just any large number */
  const fc_image_spec spec = {.channels = 3};
  const fc_emit emit = {.element = FC_UINT8, .channels = 3};
  const fc_step good = {.kind = FC_CENTER_CROP, .number = {INT32_MAX, INT32_MAX}};
  const fc_step bad[2] = {{.kind = FC_FLIP_X, .real = {0.5}}, {.kind = FC_STEP_KIND_COUNT}};
  size_t bytes = 0;
  int at;
  CHECK_INT(fc_make_scratch(bad, 2, 5, 5, NULL, &spec, &emit, &bytes, &at), FC_E_ARGUMENT);
  CHECK_INT(at, 1);
  CHECK_INT(fc_make_scratch(NULL, 0, 0, 5, NULL, &spec, &emit, &bytes, &at), FC_E_ARGUMENT);
  CHECK_INT(at, -1);
  const fc_emit none = {.element = FC_UINT8, .channels = 2};
  CHECK_INT(fc_make_scratch(NULL, 0, 5, 5, NULL, &spec, &none, &bytes, &at), FC_E_ARGUMENT);
  CHECK_INT(fc_make_scratch(&good, 1, 5, 5, NULL, &spec, &emit, &bytes, &at), FC_OK);
  CHECK(bytes > 2 * 3 * (size_t)INT32_MAX);
  /* What is done before, to a larger image. */
  fc_stage before = {.filter = FC_LANCZOS,
                     .geometry = {.src_h = 900,
                                  .src_w = 5000,
                                  .crop_h = 900,
                                  .crop_w = 5000,
                                  .size_h = 50,
                                  .size_w = 50,
                                  .out_h = 50,
                                  .out_w = 50}};
  size_t with = 0;
  CHECK_INT(fc_make_scratch(NULL, 0, 900, 5000, &before, &spec, &emit, &with, &at), FC_OK);
  CHECK_INT(fc_make_scratch(NULL, 0, 50, 50, NULL, &spec, &emit, &bytes, &at), FC_OK);
  CHECK(with > bytes + 3 * 5000);
}

static void test_kept(void) {
  fc_maker *many[FC_MAKERS_KEPT + 3];
  const int count = sizeof many / sizeof *many;
  for (int i = 0; i < count; i++) {
    many[i] = fc_maker_take();
    for (int k = 0; k < i; k++) CHECK(many[k] != many[i]);
  }
  /* Whatever a maker holds beyond the bound goes, and with it the maker. */
  fc_maker *const large = many[0];
  CHECK_INT(fc_buffer_reserve(&large->pixels[1], FC_MAKER_KEPT + 1), FC_OK);
  for (int i = 0; i < count; i++) fc_maker_give(many[i]);
  int same = 0;
  for (int i = 0; i < count; i++) {
    fc_maker *maker = fc_maker_take();
    CHECK(maker->pixels[1].capacity <= FC_MAKER_KEPT);
    for (int k = 1; k < count; k++) same += many[k] == maker && i < FC_MAKERS_KEPT;
    many[i] = maker;
  }
  CHECK(same >= FC_MAKERS_KEPT);
  for (int i = 0; i < count; i++) fc_maker_free(many[i]);
}

/* Each maker has one owner at a time. */
static void *take_and_give(void *unused) {
  intptr_t torn = 0;
  (void)unused;
  for (int i = 0; i < 3000; i++) {
    fc_maker *maker = fc_maker_take();
    maker->emitters_set = i;
    for (volatile int k = 0; k < 20; k = k + 1) continue;
    torn += maker->emitters_set != i;
    fc_maker_give(maker);
  }
  return (void *)torn;
}

static void test_threads(void) {
  pthread_t thread[8];
  for (int i = 0; i < 8; i++) CHECK_INT(pthread_create(&thread[i], NULL, take_and_give, NULL), 0);
  for (int i = 0; i < 8; i++) {
    void *torn;
    pthread_join(thread[i], &torn);
    CHECK_INT((intptr_t)torn, 0);
  }
}

int main(void) {
  test_scratch();
  test_kept();
  test_threads();
  return check_result();
}
