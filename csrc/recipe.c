/* recipe.c: one sample from its pixels, or its file, to the batch.
 *
 * Rows of the last stage go from the resampler straight to the output's numbers while they are in
 * the first cache.  Colours, which may need all of an image before its first pixel is known, and
 * stages after which others follow, take the way through pixels in a thread's own memory. */
#include <string.h>

#include "draw.h"
#include "recipe.h"

/* ---- what is asked for ---- */

/* Whether so many pixels have addresses. */
static int is_size_valid(int32_t h, int32_t w) {
  return (int64_t)h * w <= PTRDIFF_MAX / 16;
}

static int is_stage_valid(const fc_stage *stage, const fc_image_spec *spec) {
  const fc_geometry *g = &stage->geometry;
  int ok = fc_geometry_check(g) == FC_OK;
  ok = ok && is_size_valid(g->src_h, g->src_w) && is_size_valid(g->out_h, g->out_w);
  ok = ok && stage->filter >= 0 && stage->filter < FC_FILTER_COUNT;
  ok = ok && stage->padding >= FC_PAD_CONSTANT && stage->padding <= FC_PAD_SYMMETRIC;
  ok = ok && fc_scale_is_valid(stage->scale);
  const int is_copy = g->size_h == g->crop_h && g->size_w == g->crop_w;
  ok = ok && (stage->padding == FC_PAD_CONSTANT || is_copy);
  return ok && stage->colours >= 0 && stage->colours <= FC_MOST_COLOURS &&
         !(stage->colours && spec->wide);
}

static int is_inside(int32_t at, int32_t length, int32_t whole) {
  return at >= 0 && length >= 0 && length <= whole && at <= whole - length;
}

static int is_drawn_valid(const fc_drawn *drawn, const fc_image_spec *spec) {
  if (drawn->stages < 1 || drawn->stages > FC_MOST_STAGES) return 0;
  if (drawn->erased < 0 || drawn->erased > FC_MOST_ERASED) return 0;
  const fc_geometry *before = NULL;
  for (int i = 0; i < drawn->stages; i++) {
    const fc_geometry *g = &drawn->stage[i].geometry;
    if (!is_stage_valid(&drawn->stage[i], spec)) return 0;
    if (before && (g->src_h != before->out_h || g->src_w != before->out_w)) return 0;
    before = g;
  }
  for (int i = 0; i < drawn->erased; i++) {
    const fc_erased *e = &drawn->erase[i];
    if (!is_inside(e->y, e->h, before->out_h) || !is_inside(e->x, e->w, before->out_w)) return 0;
  }
  return 1;
}

/* The emitter of a request: finding its numbers takes as long as a picture. */
static fc_status find_emitter(fc_maker *maker, const fc_emit *emit, const fc_image_spec *spec,
                              const fc_emitter **found) {
  for (int i = 0; i < maker->emitters_set; i++) {
    const fc_emitter *one = &maker->emitters[i];
    *found = one;
    if (one->wide == spec->wide && one->channels == spec->channels &&
        memcmp(&one->emit, emit, sizeof *emit) == 0)
      return FC_OK;
  }
  const int place = maker->emitter_next;
  const fc_status status =
      fc_emitter_set(&maker->emitters[place], emit, spec->channels, spec->wide);
  *found = &maker->emitters[place];
  if (status != FC_OK) return status;
  maker->emitter_next = (place + 1) % FC_MAKER_EMITTERS;
  maker->emitters_set = FC_MAX(maker->emitters_set, place + 1);
  return FC_OK;
}

/* ---- one stage ---- */

/* Where a stage's rows go: into memory as they are, or to a taker. */
typedef struct target {
  uint8_t *slot; /* or NULL */
  size_t stride;
  fc_row_taker taker;
} target;

static void take_into_slot(void *to, int32_t y, const uint8_t *row) {
  const target *where = to;
  memcpy(where->slot + (size_t)y * where->stride, row, where->stride);
}

static void take_to_emission(void *to, int32_t y, const uint8_t *row) {
  fc_emission_row(to, y, row);
}

static fc_status resample(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                          const fc_geometry *g, const target *to, const fc_ahead *ahead) {
  const int pixel = fc_pixel_bytes(spec);
  const size_t row = (size_t)g->src_w * (size_t)pixel;
  fc_status status = fc_buffer_reserve(&maker->line, row + FC_ROW_SLACK);
  if (status == FC_OK)
    status = to->slot ? fc_sink_plan(maker->sink, g, spec, to->slot, to->stride)
                      : fc_sink_plan_rows(maker->sink, g, spec, &to->taker);
  if (status != FC_OK) return status;
  const size_t size = (size_t)(g->src_h - 1) * from->stride + row;
  fc_sink_fetch(maker->sink, ahead);
  fc_push_pixels(maker->sink, from->data, from->stride, size, pixel, maker->line.data);
  return FC_OK;
}

static fc_status decode(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                        const fc_geometry *g, const target *to, int *detail) {
  if (!maker->decoder && !(maker->decoder = fc_decoder_new())) return FC_E_NOMEM;
  if (to->slot)
    return fc_decode(maker->decoder, from->data, from->size, spec, g, to->slot, to->stride, detail);
  return fc_decode_rows(maker->decoder, from->data, from->size, spec, g, &to->taker, detail);
}

fc_status fc_decode_whole(fc_maker *maker, const fc_sample *file, const fc_image_spec *spec,
                          const fc_stage *before, int32_t h, int32_t w, fc_sample *made,
                          int *detail) {
  fc_drawn drawn;
  fc_image_spec own = *spec;
  fc_status status = fc_fold_begin(&drawn, h, w, before);
  const fc_stage *stage = &drawn.stage[0];
  if (status != FC_OK || !is_drawn_valid(&drawn, spec)) return FC_E_ARGUMENT;
  own.filter = stage->filter;
  own.scale = 0;
  memcpy(own.fill, stage->fill, sizeof own.fill);
  const fc_geometry *g = &stage->geometry;
  const size_t stride = (size_t)g->out_w * (size_t)fc_pixel_bytes(spec);
  status = fc_buffer_reserve(&maker->whole, stride * (size_t)g->out_h);
  if (status != FC_OK) return status;
  const target to = {.slot = maker->whole.data, .stride = stride};
  *made = (fc_sample){.data = maker->whole.data, .stride = stride};
  return decode(maker, file, &own, g, &to, detail);
}

/* A geometry's crop as it is. */
static fc_geometry crop_of(const fc_geometry *g) {
  fc_geometry crop = *g;
  crop.win_y = crop.win_x = 0;
  crop.out_h = crop.size_h, crop.out_w = crop.size_w;
  return crop;
}

static fc_status pad(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                     const fc_stage *stage, target *to, int *detail) {
  const fc_geometry *g = &stage->geometry;
  const size_t pixel = (size_t)fc_pixel_bytes(spec);
  fc_status status = fc_buffer_reserve(&maker->line, (size_t)g->out_w * pixel + FC_ROW_SLACK);
  if (status != FC_OK) return status;
  const fc_row_taker into_slot = {take_into_slot, to};
  const fc_row_taker *taker = to->slot ? &into_slot : &to->taker;
  if (from->stride) {
    const size_t at = (size_t)g->crop_y * from->stride + (size_t)g->crop_x * pixel;
    fc_pad_rows(from->data + at, from->stride, stage, pixel, maker->line.data, taker);
    return FC_OK;
  }
  const size_t stride = (size_t)g->crop_w * pixel;
  status = fc_buffer_reserve(&maker->crop, stride * (size_t)g->crop_h);
  if (status != FC_OK) return status;
  const fc_geometry whole = crop_of(g);
  const target crop = {.slot = maker->crop.data, .stride = stride};
  status = decode(maker, from, spec, &whole, &crop, detail);
  if (status == FC_OK) fc_pad_rows(crop.slot, stride, stage, pixel, maker->line.data, taker);
  return status;
}

static fc_status run_stage(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                           const fc_stage *stage, target *to, const fc_ahead *ahead, int *detail) {
  if (fc_stage_pads(stage)) return pad(maker, from, spec, stage, to, detail);
  if (from->stride) return resample(maker, from, spec, &stage->geometry, to, ahead);
  return decode(maker, from, spec, &stage->geometry, to, detail);
}

/* ---- all of them ---- */

static fc_status begin_emission(fc_maker *maker, const fc_emitter *emitter, const fc_stage *stage,
                                uint8_t *out, const fc_ahead *ahead) {
  const fc_geometry *g = &stage->geometry;
  const fc_status status = fc_buffer_reserve(&maker->room, fc_emission_room(emitter, g->out_w));
  if (status == FC_OK)
    fc_emission_begin(&maker->emission, emitter, out, g->out_h, g->out_w, stage->flip_y,
                      stage->flip_x, maker->room.data, ahead);
  return status;
}

/* Pixels that are cut out and nothing else go to the emission from where they lie. */
static fc_status emit_cut(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                          const fc_geometry *g) {
  const size_t pixel = (size_t)fc_pixel_bytes(spec), stride = from->stride;
  const size_t bytes = (size_t)g->out_w * pixel;
  const uint8_t *row =
      from->data + (size_t)(g->crop_y + g->win_y) * stride + (size_t)(g->crop_x + g->win_x) * pixel;
  const uint8_t *end = from->data + (size_t)(g->src_h - 1) * stride + (size_t)g->src_w * pixel;
  const fc_status status = fc_buffer_reserve(&maker->line, bytes + FC_ROW_SLACK);
  if (status != FC_OK) return status;
  /* Reading runs over the ends of rows: those at the sample's end are read from a copy. */
  int32_t whole = g->out_h;
  while (whole && end - (row + (size_t)(whole - 1) * stride + bytes) < FC_ROW_SLACK) whole--;
  fc_emission_rows(&maker->emission, 0, row, stride, whole);
  for (int32_t y = whole; y < g->out_h; y++) {
    memcpy(maker->line.data, row + (size_t)y * stride, bytes);
    memset(maker->line.data + bytes, 0, FC_ROW_SLACK);
    fc_emission_row(&maker->emission, y, maker->line.data);
  }
  return FC_OK;
}

/* Whether the output is the pixels themselves, so that no row needs to stop on its way. */
static int is_slot(const fc_emitter *emitter, const fc_stage *stage) {
  const fc_emit *emit = &emitter->emit;
  const int is_plain = emit->element == FC_UINT8 || emit->element == FC_UINT16;
  return is_plain && emit->channels == emitter->channels &&
         (!emit->planar || emit->channels == 1) && !emit->streaming && !stage->flip_y &&
         !stage->flip_x;
}

static fc_status finish_stage(fc_maker *maker, const fc_sample *from, const fc_image_spec *spec,
                              const fc_stage *stage, const fc_emitter *emitter, uint8_t *out,
                              const fc_ahead *ahead, int *detail) {
  target to = {.taker = {take_to_emission, &maker->emission}};
  if (is_slot(emitter, stage)) {
    to.slot = out;
    to.stride = (size_t)stage->geometry.out_w * (size_t)fc_pixel_bytes(spec);
    return run_stage(maker, from, spec, stage, &to, ahead, detail);
  }
  const fc_status status = begin_emission(maker, emitter, stage, out, ahead);
  if (status != FC_OK) return status;
  const fc_status made = from->stride && fc_stage_cuts(stage)
                             ? emit_cut(maker, from, spec, &stage->geometry)
                             : run_stage(maker, from, spec, stage, &to, NULL, detail);
  fc_emission_end(&maker->emission);
  return made;
}

/* A stage's pixels, with its colours, into memory of the maker's own, which becomes the next
 * one's sample.  The last stage is mirrored later, on its way out. */
static fc_status make_pixels(fc_maker *maker, fc_sample *sample, const fc_image_spec *spec,
                             const fc_stage *stage, int is_last, fc_buffer *pixels,
                             const fc_ahead *ahead, int *detail) {
  const fc_geometry *g = &stage->geometry;
  const int channels = spec->channels;
  const size_t stride = (size_t)g->out_w * (size_t)fc_pixel_bytes(spec);
  fc_status status = fc_buffer_reserve(pixels, stride * (size_t)g->out_h);
  if (status != FC_OK) return status;
  fc_stage as_stands = *stage;
  if (is_last) as_stands.flip_y = as_stands.flip_x = 0;
  const fc_emit plain = {.element = spec->wide ? FC_UINT16 : FC_UINT8, .channels = channels};
  status = fc_emitter_set(&maker->plain, &plain, channels, spec->wide);
  if (status == FC_OK)
    status =
        finish_stage(maker, sample, spec, &as_stands, &maker->plain, pixels->data, ahead, detail);
  if (status != FC_OK) return status;
  fc_colours_apply(pixels->data, stride, g->out_h, g->out_w, channels, stage->colour,
                   stage->colours);
  *sample = (fc_sample){.data = pixels->data, .stride = stride};
  return FC_OK;
}

static void emit_pixels(fc_maker *maker, const fc_sample *sample, int32_t h) {
  fc_emission_rows(&maker->emission, 0, sample->data, sample->stride, h);
  fc_emission_end(&maker->emission);
}

fc_status fc_make_sample(fc_maker *maker, const fc_sample *sample, const fc_image_spec *spec,
                         const fc_drawn *drawn, const fc_key *key, const fc_emit *emit,
                         uint8_t *out, const fc_ahead *ahead, int *detail) {
  if (!fc_spec_is_valid(spec) || !is_drawn_valid(drawn, spec)) return FC_E_ARGUMENT;
  const fc_emitter *emitter;
  fc_status status = find_emitter(maker, emit, spec, &emitter);
  const int last = drawn->stages - 1;
  const fc_stage *stage = drawn->stage;
  fc_sample from = *sample;
  fc_image_spec own = *spec;
  for (int i = 0; i <= last && status == FC_OK; i++, stage++) {
    own.filter = stage->filter;
    own.scale = from.stride ? 0 : stage->scale;
    memcpy(own.fill, stage->fill, sizeof own.fill);
    if (i == last && !stage->colours) {
      status = finish_stage(maker, &from, &own, stage, emitter, out, ahead, detail);
      break;
    }
    /* What a file was like is not known any more; opaque pixels stay what they are. */
    const int is_file = from.stride == 0;
    status =
        make_pixels(maker, &from, &own, stage, i == last, &maker->pixels[i % 2], ahead, detail);
    if (is_file) own.premultiply = spec->channels == 4;
    ahead = NULL;
    if (i < last || status != FC_OK) continue;
    status = begin_emission(maker, emitter, stage, out, NULL);
    if (status == FC_OK) emit_pixels(maker, &from, stage->geometry.out_h);
  }
  const fc_geometry *g = &drawn->stage[last].geometry;
  if (status == FC_OK) fc_erase(emitter, drawn, key, g->out_h, g->out_w, out);
  return status;
}

fc_ahead fc_stage_ahead(const fc_sample *sample, const fc_image_spec *spec, const fc_stage *stage) {
  const fc_geometry *g = &stage->geometry;
  const fc_span y = fc_span_y(g, 0), x = fc_span_x(g, 0);
  const size_t pixel = (size_t)fc_pixel_bytes(spec);
  const int64_t top = (int64_t)y.first * y.in / y.size, left = (int64_t)x.first * x.in / x.size;
  const int64_t rows = (int64_t)y.count * y.in / y.size, columns = (int64_t)x.count * x.in / x.size;
  const uint8_t *at = sample->data + (size_t)(g->crop_y + top) * sample->stride +
                      (size_t)(g->crop_x + left) * pixel;
  return (fc_ahead){at, sample->stride, (size_t)columns * pixel, columns ? (int32_t)rows : 0};
}

fc_status fc_make(fc_maker *maker, const uint8_t *source, size_t stride, const fc_image_spec *spec,
                  const fc_drawn *drawn, const fc_key *key, const fc_emit *emit, uint8_t *out) {
  const size_t row = (size_t)drawn->stage[0].geometry.src_w * (size_t)fc_pixel_bytes(spec);
  if (stride < row || !stride) return FC_E_ARGUMENT;
  const fc_sample sample = {.data = source, .stride = stride};
  int ignored;
  const fc_status status =
      fc_make_sample(maker, &sample, spec, drawn, key, emit, out, NULL, &ignored);
  if (emit->streaming) fc_stream_end();
  return status;
}

fc_status fc_make_from_file(fc_maker *maker, const uint8_t *data, size_t size,
                            const fc_image_spec *spec, const fc_drawn *drawn, const fc_key *key,
                            const fc_emit *emit, uint8_t *out, int *detail) {
  int ignored;
  if (!detail) detail = &ignored;
  *detail = 0;
  const fc_sample sample = {.data = data, .size = size};
  const fc_status status =
      fc_make_sample(maker, &sample, spec, drawn, key, emit, out, NULL, detail);
  if (emit->streaming) fc_stream_end();
  return status;
}
