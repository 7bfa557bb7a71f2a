/* resample_out.h: where the row sink's finished rows go: into a slot, or to a taker of rows. */
#ifndef FC_RESAMPLE_OUT_H
#define FC_RESAMPLE_OUT_H

#include "resample.h"

typedef struct fc_out {
  uint8_t *slot; /* or NULL: rows go to the taker */
  size_t stride;
  fc_row_taker taker;
  const fc_geometry *geometry; /* during fc_out_begin only */
  fc_rect inside;              /* what is not padding, from the corner of the window */
  int32_t h, w;                /* of the window */
  size_t pixel;
  /* For a taker: one row with its padding, and one of nothing but padding. */
  uint8_t *line, *blank;
} fc_out;

static inline void fc_out_plan(fc_out *out, const fc_geometry *g, const fc_rect *inside,
                               const fc_image_spec *spec) {
  out->geometry = g;
  out->inside = *inside;
  out->h = g->out_h, out->w = g->out_w;
  out->pixel = (size_t)fc_pixel_bytes(spec);
}

static inline void fc_out_carve(fc_out *out, fc_carver *carver) {
  if (!out->taker.take) return;
  const size_t pitch = (size_t)out->w * out->pixel + FC_ROW_SLACK;
  out->line = fc_carve(carver, pitch, 1);
  out->blank = fc_carve(carver, pitch, 1);
}

static inline void fc_out_blanks(const fc_out *out, int32_t from, int32_t to) {
  for (int32_t y = from; y < to; y++) out->taker.take(out->taker.to, y, out->blank);
}

/* Write all of a slot's padding, or the rows above the first that is not. */
static inline void fc_out_begin(fc_out *out, const fc_image_spec *spec) {
  const fc_rect *inside = &out->inside;
  const int is_padded = inside->y1 - inside->y0 < out->h || inside->x1 - inside->x0 < out->w;
  if (out->slot) {
    fc_fill_around(out->slot, out->stride, out->geometry, inside, spec);
  } else if (is_padded) {
    fc_fill_pixels(out->blank, (size_t)out->w, spec);
    fc_fill_pixels(out->line, (size_t)out->w, spec);
    fc_out_blanks(out, 0, inside->y1 > inside->y0 ? inside->y0 : out->h);
  }
  out->geometry = NULL;
}

/* Where the part of a row that is not padding goes. */
static inline uint8_t *fc_out_row(const fc_out *out, int32_t position) {
  const size_t left = (size_t)out->inside.x0 * out->pixel;
  if (!out->slot) return out->line + left;
  return out->slot + (size_t)(out->inside.y0 + position) * out->stride + left;
}

/* Whether a row that lies elsewhere need not be copied to fc_out_row. */
static inline int fc_out_takes(const fc_out *out) {
  return !out->slot && out->inside.x1 - out->inside.x0 == out->w;
}

/* The row is there; or at `elsewhere`, if that is taken. */
static inline void fc_out_done(const fc_out *out, int32_t position, const uint8_t *elsewhere) {
  if (out->slot) return;
  const int32_t y = out->inside.y0 + position;
  out->taker.take(out->taker.to, y, elsewhere ? elsewhere : out->line);
  if (y + 1 == out->inside.y1) fc_out_blanks(out, y + 1, out->h);
}

#endif
