/* erase.c: rectangles of the finished image, in the output's numbers. */
#include <string.h>

#include "field_half.h"
#include "recipe.h"

/* Where the row of a rectangle begins in an output; of channel c, if there are planes. */
static uint8_t *place_of(const fc_emit *emit, int32_t h, int32_t w, int32_t y, int32_t x, int c,
                         uint8_t *out) {
  const size_t size = fc_element_size(emit->element);
  if (emit->planar)
    return out + (((size_t)c * (size_t)h + (size_t)y) * (size_t)w + (size_t)x) * size;
  return out + ((size_t)y * (size_t)w + (size_t)x) * (size_t)emit->channels * size;
}

/* ---- one value per channel ---- */

/* `count` pixels of `bytes` each, all of them the first. */
static void repeat(uint8_t *out, size_t bytes, size_t count) {
  for (size_t done = bytes; done < bytes * count;) {
    const size_t some = FC_MIN(done, bytes * count - done);
    memcpy(out + done, out, some);
    done += some;
  }
}

static void erase_with_value(const fc_emitter *emitter, const fc_erased *erased, int32_t h,
                             int32_t w, uint8_t *out) {
  const fc_emit *emit = &emitter->emit;
  const size_t size = fc_element_size(emit->element), channels = (size_t)emit->channels;
  const size_t pixel = emit->planar ? size : size * channels;
  for (int c = 0; c < (emit->planar ? emit->channels : 1); c++) {
    uint8_t *const first = place_of(emit, h, w, erased->y, erased->x, c, out);
    for (size_t k = 0; k < pixel / size; k++)
      fc_emitter_put(emitter, erased->value[(size_t)c + k], first + k * size);
    repeat(first, pixel, (size_t)erased->w);
    for (int32_t y = erased->y + 1; y < erased->y + erased->h; y++)
      memcpy(place_of(emit, h, w, y, erased->x, c, out), first, pixel * (size_t)erased->w);
  }
}

/* ---- noise ---- */

/* Numbers from N(0, 1), many at a time: whole pixels of any number of channels, and whole blocks of
 * random numbers. */
typedef struct noise {
  fc_random random;
  size_t used;
  float value[768];
} noise;

/* Numbers for some of `count` pixels of so many channels; `some` is how many. */
static const float *noise_of(noise *from, size_t channels, size_t count, size_t *some) {
  const size_t all = sizeof from->value / sizeof *from->value;
  if (from->used == all) {
    fc_random_normals(&from->random, from->value, all);
    from->used = 0;
  }
  const float *value = from->value + from->used;
  *some = FC_MIN(count, (all - from->used) / channels);
  from->used += *some * channels;
  return value;
}

/* Every step-th of the numbers. */
static void put_numbers(const fc_emitter *emitter, const float *value, size_t step, size_t count,
                        uint8_t *out) {
  const int element = emitter->emit.element;
  const size_t size = fc_element_size(element);
  if (element == FC_FLOAT32 && step == 1) {
    memcpy(out, value, count * size);
  } else if (element == FC_FLOAT32) {
    for (size_t i = 0; i < count; i++)
      memcpy(out + i * sizeof(float), value + i * step, sizeof(float));
  } else if (element == FC_FLOAT16 || element == FC_BFLOAT16) {
    for (size_t i = 0; i < count; i++) {
      const float one = value[i * step];
      const uint16_t half = element == FC_FLOAT16 ? fc_half_of(one) : fc_bfloat16_of(one);
      memcpy(out + i * sizeof half, &half, sizeof half);
    }
  } else {
    for (size_t i = 0; i < count; i++) fc_emitter_put(emitter, value[i * step], out + i * size);
  }
}

static void erase_with_noise(const fc_emitter *emitter, const fc_erased *erased, const fc_key *key,
                             int32_t h, int32_t w, uint8_t *out) {
  const fc_emit *emit = &emitter->emit;
  const size_t channels = (size_t)emit->channels;
  noise from = {.used = sizeof from.value / sizeof *from.value};
  fc_random_begin(&from.random, key, erased->step);
  for (int32_t y = erased->y; y < erased->y + erased->h; y++)
    for (int32_t x = erased->x; x < erased->x + erased->w;) {
      size_t some;
      const float *value = noise_of(&from, channels, (size_t)(erased->x + erased->w - x), &some);
      if (emit->planar)
        for (int c = 0; c < emit->channels; c++)
          put_numbers(emitter, value + c, channels, some, place_of(emit, h, w, y, x, c, out));
      else
        put_numbers(emitter, value, 1, some * channels, place_of(emit, h, w, y, x, 0, out));
      x += (int32_t)some;
    }
}

void fc_erase(const fc_emitter *emitter, const fc_drawn *drawn, const fc_key *key, int32_t h,
              int32_t w, uint8_t *out) {
  for (int i = 0; i < drawn->erased; i++) {
    const fc_erased *erased = &drawn->erase[i];
    if (erased->h < 1 || erased->w < 1) continue;
    if (erased->with == FC_ERASE_NORMAL)
      erase_with_noise(emitter, erased, key, h, w, out);
    else
      erase_with_value(emitter, erased, h, w, out);
  }
}
