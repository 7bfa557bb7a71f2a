/* recipe_pad.c: what lies outside an image, in terms of what lies inside. */
#include <string.h>

#include "recipe.h"

/* The position inside that stands for one outside. */
static int32_t inside(int64_t at, int32_t size, int padding) {
  if (at >= 0 && at < size) return (int32_t)at;
  if (padding == FC_PAD_EDGE) return at < 0 ? 0 : size - 1;
  /* The image and its mirror image, again and again; FC_PAD_REFLECT shows the edges once. */
  const int once = padding == FC_PAD_REFLECT;
  if (once && size == 1) return 0;
  const int64_t period = 2 * (int64_t)(size - once);
  const int64_t rest = (at % period + period) % period;
  return (int32_t)(rest < size ? rest : period - rest - !once);
}

static int is_inside(const fc_geometry *g) {
  return g->win_y >= 0 && (int64_t)g->win_y + g->out_h <= g->size_h && g->win_x >= 0 &&
         (int64_t)g->win_x + g->out_w <= g->size_w;
}

int fc_stage_pads(const fc_stage *stage) {
  return stage->padding != FC_PAD_CONSTANT && !is_inside(&stage->geometry);
}

int fc_stage_cuts(const fc_stage *stage) {
  const fc_geometry *g = &stage->geometry;
  return g->size_h == g->crop_h && g->size_w == g->crop_w && is_inside(g);
}

void fc_pad_rows(const uint8_t *crop, size_t stride, const fc_stage *stage, size_t pixel,
                 uint8_t *line, const fc_row_taker *taker) {
  const fc_geometry *g = &stage->geometry;
  const int64_t left = g->win_x;
  /* Columns [from, to) of the output are those of the image. */
  const int32_t from = (int32_t)FC_MIN(FC_MAX(-left, 0), g->out_w);
  const int32_t to = (int32_t)FC_MAX(FC_MIN(g->size_w - left, g->out_w), from);
  for (int32_t y = 0; y < g->out_h; y++) {
    const int32_t at = inside((int64_t)g->win_y + y, g->size_h, stage->padding);
    const uint8_t *row = crop + (size_t)at * stride;
    for (int32_t x = 0; x < g->out_w; x++) {
      if (x == from && to > from) {
        memcpy(line + (size_t)x * pixel, row + (size_t)(left + x) * pixel,
               (size_t)(to - from) * pixel);
        x = to - 1;
        continue;
      }
      const int32_t source = inside(left + x, g->size_w, stage->padding);
      memcpy(line + (size_t)x * pixel, row + (size_t)source * pixel, pixel);
    }
    taker->take(taker->to, y, line);
  }
}
