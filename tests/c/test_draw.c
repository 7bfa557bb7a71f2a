/* test_draw.c: recipes of any content, sizes and stages before them: whatever is not refused keeps
 * the rules that the rest of the core relies on.  What steps mean is tested in Python
 * (tests/core/test_drawing.py, test_folding.py). */
#include <math.h>
#include <string.h>

#include "check.h"
#include "fastcache_recipe.h"
#include "random.h"

#define MOST_STEPS 8

static const double odd_reals[] = {0, 1,   0.5,  -1,       1e-9,      1e300,   2,
                                   3, 0.3, -0.5, INFINITY, -INFINITY, 1.7e308, NAN};
static const int32_t odd_numbers[] = {0,  1,  2,    3,     5,         7,         20,
                                      33, 64, 1000, 40000, INT32_MAX, INT32_MIN, -1};

static double any_real(void) {
  return odd_reals[random_below(sizeof odd_reals / sizeof odd_reals[0])];
}

/* Mostly small, so that enough of it is accepted. */
static int32_t any_number(void) {
  const int small = random_below(9);
  if (random_below(4)) return small + (random_below(2) ? 20 : 1);
  return odd_numbers[random_below(sizeof odd_numbers / sizeof odd_numbers[0])];
}

static fc_step any_step(void) {
  fc_step step = {.kind = random_below(FC_STEP_KIND_COUNT)};
  step.filter = random_below(FC_FILTER_COUNT);
  if (!random_below(50)) step.kind = any_number();
  if (!random_below(30)) step.filter = any_number();
  for (int i = 0; i < 8; i++) step.number[i] = i < 2 ? any_number() : random_below(3);
  const int which = random_below(6);
  if (!random_below(5)) step.number[2 + which] = any_number();
  step.number[0] = step.kind == FC_ERASE ? random_below(2) : step.number[0];
  step.number[6] = random_below(4);
  step.number[7] = random_below(2);
  for (int i = 0; i < 8; i++) step.real[i] = 0.5 * (i % 2 + 1);
  if (step.kind == FC_ERASE) step.real[1] = 0.2, step.real[2] = 0.6, step.real[4] = 1.5;
  if (step.kind == FC_COLOUR_JITTER) step.real[6] = -0.5, step.real[7] = 0.25;
  const int real = random_below(8);
  if (!random_below(5)) step.real[real] = any_real();
  for (int i = 0; i < 4; i++) step.fill[i] = (uint8_t)random_below(2);
  return step;
}

static fc_stage any_stage(int32_t h, int32_t w) {
  fc_stage stage = {.filter = random_below(FC_FILTER_COUNT)};
  stage.padding = random_below(4);
  stage.flip_x = random_below(2);
  stage.flip_y = random_below(3);
  stage.colours = random_below(3);
  fc_geometry *g = &stage.geometry;
  *g = (fc_geometry){.src_h = h,
                     .src_w = w,
                     .crop_h = h,
                     .crop_w = w,
                     .size_h = h,
                     .size_w = w,
                     .out_h = h,
                     .out_w = w};
  int32_t *number = (int32_t *)g;
  for (int i = random_below(4); i > 0; i--) {
    const int at = 2 + random_below(10);
    number[at] = any_number();
  }
  const int word = random_below(sizeof stage / 4);
  if (!random_below(20)) ((int32_t *)&stage)[word] = any_number();
  return stage;
}

static int is_inside(const fc_erased *e, int32_t h, int32_t w) {
  return e->y >= 0 && e->x >= 0 && e->h >= 1 && e->w >= 1 && e->y <= h - e->h && e->x <= w - e->w;
}

static void check_drawn(const fc_drawn *d, int32_t h, int32_t w, const fc_key *key,
                        const fc_step *steps, int count, const fc_stage *before) {
  CHECK(d->stages >= 1 && d->stages <= FC_MOST_STAGES);
  CHECK(d->erased >= 0 && d->erased <= FC_MOST_ERASED);
  for (int32_t i = 0; i < d->stages; i++) {
    const fc_stage *s = &d->stage[i];
    const fc_geometry *g = &s->geometry;
    CHECK_INT(fc_geometry_check(g), FC_OK);
    CHECK_INT(g->src_h, h);
    CHECK_INT(g->src_w, w);
    h = g->out_h, w = g->out_w;
    CHECK((int64_t)g->win_y + h <= INT32_MAX && (int64_t)g->win_x + w <= INT32_MAX);
    CHECK(s->filter >= 0 && s->filter < FC_FILTER_COUNT);
    const int same = g->size_h == g->crop_h && g->size_w == g->crop_w;
    CHECK(s->padding == FC_PAD_CONSTANT || (s->padding > 0 && s->padding <= 3 && same));
    CHECK((s->flip_y | s->flip_x) >> 1 == 0);
    CHECK(s->colours >= 0 && s->colours <= FC_MOST_COLOURS);
    for (int32_t k = 0; k < s->colours; k++)
      CHECK(s->colour[k].kind >= 0 && s->colour[k].kind <= FC_GREY);
  }
  for (int32_t i = 0; i < d->erased; i++) CHECK(is_inside(&d->erase[i], h, w));
  const fc_map map = fc_drawn_map(d);
  CHECK(map.h == h && map.w == w && isfinite(map.scale_y) && isfinite(map.shift_x));
  /* Equal keys draw equally, down to the bytes that mean nothing. */
  fc_drawn again;
  memset(&again, 0xa5, sizeof again);
  int at;
  CHECK_INT(fc_draw(steps, count, key, d->stage[0].geometry.src_h, d->stage[0].geometry.src_w,
                    before, &again, &at),
            FC_OK);
  CHECK(!memcmp(&again, d, sizeof again));
}

static void test_anything(void) {
  int drawn = 0, refused = 0, stages = 0;
  for (int run = 0; run < 200000; run++) {
    fc_step steps[MOST_STEPS];
    const int count = random_below(MOST_STEPS + 1), rare = !random_below(8);
    for (int i = 0; i < count; i++) steps[i] = any_step();
    const int32_t h = rare ? any_number() : random_below(50) + 1;
    const int32_t w = rare ? any_number() : random_below(50) + 1;
    const fc_key key = {.seed = (uint64_t)run, .sample = 3};
    const fc_stage before = any_stage(h, w);
    const fc_stage *first = random_below(3) ? NULL : &before;
    fc_drawn d;
    int at = -2;
    CHECK_CONTEXT("run %d", run);
    const fc_status status = fc_draw(steps, count, &key, h, w, first, &d, &at);
    CHECK(at >= -1 && at < count);
    if (status == FC_OK) {
      CHECK_INT(at, -1);
      check_drawn(&d, h, w, &key, steps, count, first);
      drawn++;
      stages += d.stages > 1;
    } else {
      CHECK_INT(status, FC_E_ARGUMENT);
      refused++;
    }
  }
  CHECK_CONTEXT("%d drawn, %d refused, %d of several stages", drawn, refused, stages);
  CHECK(drawn > 40000 && refused > 40000 && stages > 10000);
}

/* No content of a step's bytes leads outside of what it may reach. */
static void test_any_bytes(void) {
  for (int run = 0; run < 100000; run++) {
    fc_step steps[3];
    for (size_t i = 0; i < sizeof steps; i++) ((uint8_t *)steps)[i] = (uint8_t)random_below(256);
    for (int i = 0; i < 3; i++) steps[i].kind = random_below(FC_STEP_KIND_COUNT);
    const fc_key key = {.seed = (uint64_t)run};
    fc_drawn d;
    int at;
    if (fc_draw(steps, 3, &key, 30, 40, NULL, &d, &at) == FC_OK)
      check_drawn(&d, 30, 40, &key, steps, 3, NULL);
  }
}

/* The largest images there can be: no sum of sizes overflows. */
static void test_largest(void) {
  const int32_t most = INT32_MAX;
  const fc_key key = {.seed = 1};
  fc_step crop = {.kind = FC_RANDOM_CROP, .number = {most, most, most, most, most, most, 0, 1}};
  fc_step resized = {.kind = FC_RANDOM_RESIZED_CROP,
                     .filter = FC_BILINEAR,
                     .number = {most, most},
                     .real = {0.5, 1, FC_LEAST_RATIO, 1 / FC_LEAST_RATIO}};
  fc_step centre = {.kind = FC_CENTER_CROP, .number = {most, most}};
  fc_step letter = {.kind = FC_LETTER_BOX, .number = {most, most, 1}};
  fc_step erase = {.kind = FC_ERASE, .real = {1, 0.2, 0.3, 0.3, 3.3}};
  fc_step flip = {.kind = FC_FLIP_X, .real = {1}};
  fc_drawn d;
  int at;
  CHECK_INT(fc_draw(&crop, 1, &key, most, most, NULL, &d, &at), FC_E_ARGUMENT);
  CHECK_INT(at, 0);
  const int32_t sides[] = {1, 2, 1000, most - 1, most};
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) {
      const fc_step all[] = {resized, flip, centre, letter, flip, erase, flip};
      CHECK_INT(fc_draw(all, 7, &key, sides[i], sides[j], NULL, &d, &at), FC_OK);
      check_drawn(&d, sides[i], sides[j], &key, all, 7, NULL);
      const fc_step grown[] = {centre, letter, erase, flip};
      const fc_status status = fc_draw(grown, 4, &key, sides[i], sides[j], NULL, &d, &at);
      CHECK_INT(status, FC_OK);
      check_drawn(&d, sides[i], sides[j], &key, grown, 4, NULL);
    }
}

int main(void) {
  test_anything();
  test_any_bytes();
  test_largest();
  return check_result();
}
