/* maker.c: what one thread needs to make samples, and how much memory that is. */
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "recipe.h"

fc_maker *fc_maker_new(void) {
  fc_maker *maker = aligned_alloc(64, sizeof *maker);
  if (!maker) return NULL;
  memset(maker, 0, sizeof *maker);
  maker->sink = fc_sink_new();
  if (maker->sink) return maker;
  free(maker);
  return NULL;
}

static void free_buffers(fc_maker *maker) {
  for (int i = 0; i < 2; i++) fc_buffer_free(&maker->pixels[i]);
  fc_buffer_free(&maker->crop);
  fc_buffer_free(&maker->whole);
  fc_buffer_free(&maker->line);
  fc_buffer_free(&maker->room);
  fc_buffer_free(&maker->file);
}

void fc_maker_free(fc_maker *maker) {
  if (!maker) return;
  fc_sink_free(maker->sink);
  fc_decoder_free(maker->decoder);
  free_buffers(maker);
  free(maker);
}

/* ---- kept from job to job ---- */

/* Each place is emptied and filled by one atomic exchange, so that no thread waits for another, and
 * a fork in between loses a maker at most. */
static _Atomic(fc_maker *) kept[FC_MAKERS_KEPT];

fc_maker *fc_maker_take(void) {
  for (int i = 0; i < FC_MAKERS_KEPT; i++) {
    if (!atomic_load_explicit(&kept[i], memory_order_relaxed)) continue;
    fc_maker *maker = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
    if (maker) return maker;
  }
  return fc_maker_new();
}

static size_t held(const fc_maker *maker) {
  const size_t pixels = maker->pixels[0].capacity + maker->pixels[1].capacity;
  return fc_sink_held(maker->sink) + pixels + maker->crop.capacity + maker->whole.capacity +
         maker->line.capacity + maker->room.capacity + maker->file.capacity;
}

void fc_maker_give(fc_maker *maker) {
  fc_decoder_free(maker->decoder);
  maker->decoder = NULL;
  if (held(maker) <= FC_MAKER_KEPT)
    for (int i = 0; i < FC_MAKERS_KEPT; i++) {
      fc_maker *none = NULL;
      if (atomic_load_explicit(&kept[i], memory_order_relaxed)) continue;
      if (atomic_compare_exchange_strong_explicit(&kept[i], &none, maker, memory_order_release,
                                                  memory_order_relaxed))
        return;
    }
  fc_maker_free(maker);
}

/* ---- how much ---- */

typedef struct size {
  int32_t h, w;
} size;

static size_t add(size_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* Bytes of so many pixels. */
static size_t area(size of, int pixel) {
  const size_t count = (size_t)of.h * (size_t)of.w; /* sides have 31 bits */
  return count > PTRDIFF_MAX / 16 ? SIZE_MAX : count * (size_t)pixel;
}

static size_t buffer_bytes(size_t capacity) {
  return capacity == SIZE_MAX ? SIZE_MAX : fc_buffer_bytes(capacity);
}

/* What a step resamples an image to, before a window is cut out of that. */
static size resampled(const fc_step *step, size from, size to) {
  switch (step->kind) {
    case FC_RESIZE:
    case FC_RESIZE_SHORT:
    case FC_RANDOM_RESIZED_CROP:
      return to;
    case FC_LETTER_BOX: {
      /* One less than the nearest, so that rounding does not matter. */
      const double ratio = FC_MIN((double)to.h / from.h, (double)to.w / from.w);
      const double least = step->number[2] ? ratio : FC_MIN(ratio, 1.0);
      return (size){(int32_t)FC_MAX(from.h * least - 1, 1), (int32_t)FC_MAX(from.w * least - 1, 1)};
    }
    default:
      return from;
  }
}

/* The largest of what stages may need, each by itself. */
typedef struct most {
  size_t sink, pixels, line, room, crop, padded; /* padded: a finished row with its padding */
  int stages;                                    /* at most, beside the first */
} most;

static void meet(most *m, size from, size to, size out, int filter, const fc_image_spec *spec,
                 const fc_emitter *emitter) {
  fc_image_spec own = *spec;
  own.filter = filter;
  own.premultiply = spec->channels == 4;
  const fc_geometry g = {.src_h = from.h,
                         .src_w = from.w,
                         .crop_h = from.h,
                         .crop_w = from.w,
                         .size_h = to.h,
                         .size_w = to.w,
                         .out_h = out.h,
                         .out_w = out.w};
  const int pixel = fc_pixel_bytes(spec);
  m->sink = FC_MAX(m->sink, fc_sink_most(&g, &own));
  m->pixels = FC_MAX(m->pixels, area(out, pixel));
  m->line = FC_MAX(m->line, area((size){1, FC_MAX(from.w, out.w)}, pixel));
  m->room = FC_MAX(m->room, fc_emission_room(emitter, out.w));
  m->padded = FC_MAX(m->padded, area((size){1, out.w}, pixel));
}

static int is_colour(const fc_step *step) {
  return step->kind == FC_COLOUR_JITTER || step->kind == FC_GREYSCALE;
}

static int is_mirrored(const fc_step *step) {
  return step->kind == FC_RANDOM_CROP && step->number[6] != FC_PAD_CONSTANT;
}

/* Sizes do not depend on what is drawn, so any key shows them. */
fc_status fc_make_scratch(const fc_step *steps, int count, int32_t h, int32_t w,
                          const fc_stage *before, const fc_image_spec *spec, const fc_emit *emit,
                          size_t *bytes, int *at) {
  const fc_key key = {0};
  const fc_emitter emitter = {.emit = *emit, .channels = spec->channels, .wide = spec->wide};
  fc_drawn drawn;
  most m = {0};
  *at = -1;
  if (fc_emit_check(emit) != FC_OK || !fc_spec_is_valid(spec)) return FC_E_ARGUMENT;
  fc_status status = fc_draw(steps, 0, &key, h, w, before, &drawn, at);
  if (status != FC_OK) return status;
  size from = {h, w};
  if (before) {
    const fc_geometry *g = &before->geometry;
    const size to = {g->size_h, g->size_w}, out = {g->out_h, g->out_w};
    meet(&m, from, to, out, before->filter, spec, &emitter);
    m.stages += before->colours > 0;
    if (before->padding != FC_PAD_CONSTANT) m.crop = area(from, fc_pixel_bytes(spec));
    from = out;
  }
  meet(&m, from, from, from, FC_NEAREST, spec, &emitter);
  for (int i = 0; i < count; i++) {
    status = fc_draw(steps, i + 1, &key, h, w, before, &drawn, at);
    if (status != FC_OK) return status;
    const size out = {fc_fold_height(&drawn), fc_fold_width(&drawn)};
    meet(&m, from, resampled(&steps[i], from, out), out, steps[i].filter, spec, &emitter);
    m.stages += is_colour(&steps[i]) || (i && steps[i].kind <= FC_LETTER_BOX) || before;
    if (is_mirrored(&steps[i])) m.crop = FC_MAX(m.crop, area(from, fc_pixel_bytes(spec)));
    from = out;
  }
  *bytes = add(sizeof(fc_maker), m.sink);
  /* A window may have become part of a stage whose own output was narrower. */
  for (int i = 0; i < 2; i++) *bytes = add(*bytes, add(m.padded, 2 * FC_ROW_SLACK));
  *bytes = add(*bytes, buffer_bytes(add(m.line, FC_ROW_SLACK)));
  *bytes = add(*bytes, buffer_bytes(m.room));
  for (int i = 0; i < FC_MIN(m.stages, 2); i++) *bytes = add(*bytes, buffer_bytes(m.pixels));
  if (m.crop) *bytes = add(*bytes, buffer_bytes(m.crop));
  return FC_OK;
}
