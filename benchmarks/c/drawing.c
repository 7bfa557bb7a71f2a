/* drawing.c: see drawing.h. */
#include "drawing.h"

#include "fastcache_recipe.h"

static const fc_step steps_of_all[] = {
    {.kind = FC_RANDOM_RESIZED_CROP,
     .filter = FC_BILINEAR,
     .number = {224, 224},
     .real = {0.08, 1, 3.0 / 4, 4.0 / 3}},
    {.kind = FC_FLIP_X, .real = {0.5}},
    {.kind = FC_COLOUR_JITTER, .real = {0.6, 1.4, 0.6, 1.4, 0.6, 1.4, -0.1, 0.1}},
    {.kind = FC_ERASE, .real = {0.5, 0.02, 0.33, 0.3, 3.3}},
};
/* Two for the place and sides of a crop, three for an order and four factors; each step begins
 * with one of its own. */
static const int blocks_of_all[] = {3, 2, 4, 2};

int core_draw(int steps, int count) {
  int failed = 0, at;
  fc_drawn drawn[16];
  for (int i = 0; i < count; i++) {
    const fc_key key = {.seed = 1, .epoch = 2, .sample = (uint64_t)i * 7919};
    failed |= fc_draw(steps_of_all, steps, &key, 256, 341 + i % 50, NULL, &drawn[i % 16], &at) != 0;
  }
  return failed;
}

unsigned core_draw_blocks(int steps, int count) {
  uint32_t key[2] = {1, 2}, out[4] = {0};
  unsigned all = 0;
  for (int i = 0; i < count; i++)
    for (int s = 0; s < steps; s++)
      for (int k = 0; k < blocks_of_all[s]; k++) {
        const uint32_t counter[4] = {(uint32_t)k, (uint32_t)s, (uint32_t)i, 0};
        fc_philox(counter, key, out);
        all += out[0];
      }
  return all;
}

static fc_random numbers(void) {
  const fc_key key = {.seed = 1};
  fc_random random;
  fc_random_begin(&random, &key, 0);
  return random;
}

void core_normals(float *out, size_t count) {
  fc_random random = numbers();
  fc_random_normals(&random, out, count);
}

void core_normals_one_by_one(float *out, size_t count) {
  fc_random random = numbers();
  for (size_t i = 0; i < count; i++) out[i] = (float)fc_random_normal(&random);
}
