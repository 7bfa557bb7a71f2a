/* erase.c: rectangles of the finished image, in the output's numbers. */
#include <string.h>

#include "recipe.h"

/* Value (y, x, c) of the output. */
static uint8_t *place_of(const fc_emit *emit, size_t size, int32_t h, int32_t w, int32_t y,
                         int32_t x, int channel, uint8_t *out) {
  const size_t channels = (size_t)emit->channels, c = (size_t)channel;
  if (emit->planar) return out + ((c * (size_t)h + (size_t)y) * (size_t)w + (size_t)x) * size;
  return out + (((size_t)y * (size_t)w + (size_t)x) * channels + c) * size;
}

/* Numbers from N(0, 1), many at a time. */
typedef struct noise {
  fc_random random;
  float value[256];
  size_t used;
} noise;

static float next_of(noise *from) {
  const size_t count = sizeof from->value / sizeof *from->value;
  if (from->used == count) {
    fc_random_normals(&from->random, from->value, count);
    from->used = 0;
  }
  return from->value[from->used++];
}

static void erase_one(const fc_emitter *emitter, const fc_erased *erased, const fc_key *key,
                      int32_t h, int32_t w, uint8_t *out) {
  const fc_emit *emit = &emitter->emit;
  const size_t size = fc_element_size(emit->element);
  const int is_normal = erased->with == FC_ERASE_NORMAL;
  uint8_t value[4][8];
  for (int c = 0; c < emit->channels; c++) fc_emitter_put(emitter, erased->value[c], value[c]);
  noise from = {.used = sizeof from.value / sizeof *from.value};
  if (is_normal) fc_random_begin(&from.random, key, erased->step);
  for (int32_t y = erased->y; y < erased->y + erased->h; y++)
    for (int32_t x = erased->x; x < erased->x + erased->w; x++)
      for (int c = 0; c < emit->channels; c++) {
        if (is_normal) fc_emitter_put(emitter, next_of(&from), value[c]);
        memcpy(place_of(emit, size, h, w, y, x, c, out), value[c], size);
      }
}

void fc_erase(const fc_emitter *emitter, const fc_drawn *drawn, const fc_key *key, int32_t h,
              int32_t w, uint8_t *out) {
  for (int i = 0; i < drawn->erased; i++) erase_one(emitter, &drawn->erase[i], key, h, w, out);
}
