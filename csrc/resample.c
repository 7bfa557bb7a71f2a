/* resample.c: what is asked for (geometry and spec), its padding, and images in memory. */
#include <stdlib.h>
#include <string.h>

#include "resample.h"

static int is_inside(int32_t at, int32_t length, int32_t whole) {
  return at >= 0 && length >= 1 && length <= whole && at <= whole - length;
}

fc_status fc_geometry_check(const fc_geometry *g) {
  int ok = is_inside(g->crop_y, g->crop_h, g->src_h) && is_inside(g->crop_x, g->crop_w, g->src_w);
  ok = ok && g->size_h >= 1 && g->size_w >= 1 && g->out_h >= 1 && g->out_w >= 1;
  return ok ? FC_OK : FC_E_ARGUMENT;
}

int fc_spec_is_valid(const fc_image_spec *spec) {
  const int channels = spec->channels;
  if (spec->filter < 0 || spec->filter >= FC_FILTER_COUNT) return 0;
  if (!fc_scale_is_valid(spec->scale)) return 0;
  return channels == 1 || (!spec->wide && (channels == 3 || channels == 4));
}

void fc_fill_pixels(uint8_t *out, size_t pixels, const fc_image_spec *spec) {
  const size_t pixel = (size_t)fc_pixel_bytes(spec), bytes = pixels * pixel;
  if (!bytes) return;
  memcpy(out, spec->fill, pixel);
  for (size_t done = pixel; done < bytes;) {
    size_t step = FC_MIN(done, bytes - done);
    memcpy(out + done, out, step);
    done += step;
  }
}

void fc_fill_around(uint8_t *out, size_t stride, const fc_geometry *g, const fc_rect *inside,
                    const fc_image_spec *spec) {
  const size_t pixel = (size_t)fc_pixel_bytes(spec);
  for (int32_t y = 0; y < g->out_h; y++) {
    uint8_t *row = out + (size_t)y * stride;
    if (y < inside->y0 || y >= inside->y1) {
      fc_fill_pixels(row, (size_t)g->out_w, spec);
    } else {
      fc_fill_pixels(row, (size_t)inside->x0, spec);
      fc_fill_pixels(row + (size_t)inside->x1 * pixel, (size_t)(g->out_w - inside->x1), spec);
    }
  }
}

void fc_push_pixels(fc_sink *sink, const uint8_t *source, size_t stride, size_t size, int pixel,
                    uint8_t *copy) {
  const fc_rect need = fc_sink_need(sink);
  const size_t from = (size_t)need.x0 * (size_t)pixel;
  const size_t bytes = (size_t)(need.x1 - need.x0) * (size_t)pixel;
  const uint8_t *rows[FC_SINK_ROWS];
  int count = 0;
  fc_sink_begin(sink, need.y0, need.x0);
  for (int32_t y = need.y0; y < need.y1; y++) {
    const size_t at = (size_t)y * stride + from;
    const int runs_over = size - at - bytes < FC_ROW_SLACK;
    rows[count++] = source + at;
    if (runs_over) {
      fc_sink_push(sink, rows, count - 1);
      memcpy(copy, source + at, bytes);
      memset(copy + bytes, 0, FC_ROW_SLACK);
      rows[0] = copy;
      count = 1;
    }
    if (runs_over || count == FC_SINK_ROWS) {
      fc_sink_push(sink, rows, count);
      count = 0;
    }
  }
  fc_sink_push(sink, rows, count);
}

fc_status fc_resample(const uint8_t *source, size_t source_stride, const fc_geometry *g,
                      const fc_image_spec *spec, uint8_t *out, size_t out_stride) {
  if (fc_geometry_check(g) != FC_OK || !fc_spec_is_valid(spec)) return FC_E_ARGUMENT;
  const size_t row = (size_t)g->src_w * (size_t)fc_pixel_bytes(spec);
  if (source_stride < row) return FC_E_ARGUMENT;
  fc_sink *sink = fc_sink_new();
  uint8_t *copy = malloc(row + FC_ROW_SLACK);
  fc_status status = FC_E_NOMEM;
  fc_image_spec own = *spec;
  own.scale = 0; /* these pixels have their size already */
  if (sink && copy) status = fc_sink_plan(sink, g, &own, out, out_stride);
  if (status == FC_OK) {
    const size_t size = (size_t)(g->src_h - 1) * source_stride + row;
    fc_push_pixels(sink, source, source_stride, size, fc_pixel_bytes(spec), copy);
  }
  free(copy);
  fc_sink_free(sink);
  return status;
}
