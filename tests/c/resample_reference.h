/* resample_reference.h: resampling the slow and obvious way, straight from the definition, one
 * pixel after another; weights in double, then Pillow's 22-bit integers. */
#ifndef FC_TEST_RESAMPLE_REFERENCE_H
#define FC_TEST_RESAMPLE_REFERENCE_H

#include <math.h>
#include <string.h>

#include "check.h"
#include "fastcache.h"

static inline double reference_sinc(double x) {
  const double y = 3.14159265358979323846 * x;
  return x == 0.0 ? 1.0 : sin(y) / y;
}

static inline double reference_filter(int filter, double x) {
  const double a = fabs(x), pi_x = 3.14159265358979323846 * x;
  switch (filter) {
    case FC_BOX:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case FC_BILINEAR:
      return a < 1.0 ? 1.0 - a : 0.0;
    case FC_HAMMING:
      return a < 1.0 ? reference_sinc(x) * (0.54 + 0.46 * cos(pi_x)) : 0.0;
    case FC_BICUBIC:
      if (a < 1.0) return 1.5 * a * a * a - 2.5 * a * a + 1.0;
      return a < 2.0 ? -0.5 * (a * a * a - 5.0 * a * a + 8.0 * a - 4.0) : 0.0;
    default:
      return x >= -3.0 && x < 3.0 ? reference_sinc(x) * reference_sinc(x / 3.0) : 0.0;
  }
}

/* One direction: the window [lo, hi) of each output position and its weights. */
typedef struct reference_axis {
  int *lo, *hi;
  int **weight;
  int size;
} reference_axis;

static inline reference_axis reference_axis_new(int filter, int in, int size) {
  static const double supports[] = {0.0, 0.5, 1.0, 1.0, 2.0, 3.0};
  const double scale = (double)in / size, wide = scale > 1.0 ? scale : 1.0;
  const double support = supports[filter] * wide;
  reference_axis axis = {check_alloc(sizeof(int) * (size_t)size),
                         check_alloc(sizeof(int) * (size_t)size),
                         check_alloc(sizeof(int *) * (size_t)size), size};
  double nearest = scale * 0.5;
  for (int i = 0; i < size; i++, nearest += scale) {
    const double center = (i + 0.5) * scale;
    int lo = (int)(center - support + 0.5), hi = (int)(center + support + 0.5);
    lo = lo < 0 ? 0 : lo;
    hi = hi > in ? in : hi;
    if (filter == FC_NEAREST) lo = (int)nearest, hi = lo + 1;
    if (in == size) lo = i, hi = i + 1;
    double *weights = check_alloc(sizeof(double) * (size_t)(hi - lo)), sum = 0.0;
    for (int x = lo; x < hi; x++) {
      weights[x - lo] = reference_filter(filter, (x - center + 0.5) * (1.0 / wide));
      if (filter == FC_NEAREST || in == size) weights[x - lo] = 1.0;
      sum += weights[x - lo];
    }
    axis.lo[i] = lo, axis.hi[i] = hi;
    axis.weight[i] = check_alloc(sizeof(int) * (size_t)(hi - lo));
    for (int x = 0; x < hi - lo; x++) axis.weight[i][x] = (int)lround(weights[x] / sum * (1 << 22));
    free(weights);
  }
  return axis;
}

static inline void reference_axis_free(reference_axis *axis) {
  for (int i = 0; i < axis->size; i++) free(axis->weight[i]);
  free(axis->weight);
  free(axis->lo);
  free(axis->hi);
}

/* Lines of `in` values, `step` apart within a line and `line_step` from line to line. */
static inline void reference_pass(const reference_axis *axis, const uint8_t *from, uint8_t *to,
                                  size_t step, size_t lines, size_t line_from, size_t line_to) {
  for (size_t line = 0; line < lines; line++)
    for (int i = 0; i < axis->size; i++) {
      int64_t sum = 1 << 21;
      for (int x = axis->lo[i]; x < axis->hi[i]; x++)
        sum +=
            (int64_t)axis->weight[i][x - axis->lo[i]] * from[line * line_from + (size_t)x * step];
      sum = sum < 0 ? 0 : sum >> 22;
      to[line * line_to + (size_t)i * step] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}

static inline uint8_t *reference_across(const uint8_t *from, int h, int w, int size, int channels,
                                        int filter) {
  reference_axis axis = reference_axis_new(filter, w, size);
  uint8_t *to = check_alloc((size_t)h * (size_t)size * (size_t)channels);
  for (int y = 0; y < h; y++)
    reference_pass(&axis, from + (size_t)y * (size_t)w * (size_t)channels,
                   to + (size_t)y * (size_t)size * (size_t)channels, (size_t)channels,
                   (size_t)channels, 1, 1);
  reference_axis_free(&axis);
  return to;
}

static inline uint8_t *reference_down(const uint8_t *from, int h, int w, int size, int channels,
                                      int filter) {
  const size_t row = (size_t)w * (size_t)channels;
  reference_axis axis = reference_axis_new(filter, h, size);
  uint8_t *to = check_alloc(row * (size_t)size);
  reference_pass(&axis, from, to, row, row, 1, 1);
  reference_axis_free(&axis);
  return to;
}

/* The whole of fc_resample: out_h rows of out_w pixels without gaps, to be freed. */
static inline uint8_t *reference_resample(const uint8_t *source, size_t stride,
                                          const fc_geometry *g, const fc_image_spec *spec) {
  const int channels = spec->channels, filter = spec->filter;
  const size_t pixel = (size_t)channels, crop_row = (size_t)g->crop_w * pixel;
  uint8_t *crop = check_alloc((size_t)g->crop_h * crop_row);
  for (int y = 0; y < g->crop_h; y++)
    memcpy(crop + (size_t)y * crop_row,
           source + (size_t)(g->crop_y + y) * stride + (size_t)g->crop_x * pixel, crop_row);
  uint8_t *half, *whole;
  const int loss_y = g->crop_h - g->size_h, loss_x = g->crop_w - g->size_w;
  if (loss_y > 0 && loss_y > 2 * loss_x) {
    half = reference_down(crop, g->crop_h, g->crop_w, g->size_h, channels, filter);
    whole = reference_across(half, g->size_h, g->crop_w, g->size_w, channels, filter);
  } else {
    half = reference_across(crop, g->crop_h, g->crop_w, g->size_w, channels, filter);
    whole = reference_down(half, g->crop_h, g->size_w, g->size_h, channels, filter);
  }
  uint8_t *out = check_alloc((size_t)g->out_h * (size_t)g->out_w * pixel);
  for (int y = 0; y < g->out_h; y++)
    for (int x = 0; x < g->out_w; x++) {
      const int64_t at_y = (int64_t)g->win_y + y, at_x = (int64_t)g->win_x + x;
      const int inside = at_y >= 0 && at_y < g->size_h && at_x >= 0 && at_x < g->size_w;
      const uint8_t *value =
          inside ? whole + ((size_t)at_y * (size_t)g->size_w + (size_t)at_x) * pixel : spec->fill;
      memcpy(out + ((size_t)y * (size_t)g->out_w + (size_t)x) * pixel, value, pixel);
    }
  free(crop);
  free(half);
  free(whole);
  return out;
}

#endif
