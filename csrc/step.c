/* step.c: what each kind of step may ask for.  fc_draw may rely on it. */
#include <float.h>

#include "draw.h"

static int is_filter(int filter) {
  return filter >= 0 && filter < FC_FILTER_COUNT;
}

static int is_size(const fc_step *s) {
  return s->number[0] >= 1 && s->number[1] >= 1;
}

static int is_flag(int32_t number) {
  return number == 0 || number == 1;
}

static int is_probability(double p) {
  return p >= 0 && p <= 1;
}

/* low <= high, both from `least` to `most`; NaN is nothing of that. */
static int is_range(const double *range, double least, double most) {
  return range[0] >= least && range[0] <= range[1] && range[1] <= most;
}

/* Logarithms are taken of ratios, and the ratio of two such is still a number. */
static int is_ratio(const double *range) {
  return is_range(range, FC_LEAST_RATIO, 1 / FC_LEAST_RATIO);
}

static int is_short_side(const fc_step *s) {
  const int32_t side = s->number[0], most = s->number[1];
  return side >= 0 && most >= 0 && (side || most) && (!side || !most || most > side);
}

static int is_random_crop(const fc_step *s) {
  for (int i = 2; i < 6; i++)
    if (s->number[i] < 0) return 0;
  return is_size(s) && s->number[6] >= FC_PAD_CONSTANT && s->number[6] <= FC_PAD_SYMMETRIC &&
         is_flag(s->number[7]);
}

/* A range whose low exceeds its high stands for none; each of the others has its bounds. */
static int is_jitter(const fc_step *s) {
  for (int i = 0; i < 4; i++) {
    const double *range = &s->real[2 * i];
    const int ok = i == FC_HUE ? is_range(range, -0.5, 0.5) : is_range(range, 0, FLT_MAX);
    if (!ok && !(range[0] > range[1])) return 0;
  }
  return 1;
}

static int keeps_rules(const fc_step *s) {
  switch (s->kind) {
    case FC_RESIZE:
      return is_size(s) && is_filter(s->filter) && is_flag(s->number[2]);
    case FC_RESIZE_SHORT:
      return is_short_side(s) && is_filter(s->filter) && is_flag(s->number[2]);
    case FC_CENTER_CROP:
      return is_size(s);
    case FC_RANDOM_CROP:
      return is_random_crop(s);
    case FC_RANDOM_RESIZED_CROP:
      return is_size(s) && is_filter(s->filter) && is_range(s->real, 0, FC_MOST_SCALE) &&
             is_ratio(s->real + 2) && is_flag(s->number[2]);
    case FC_LETTER_BOX:
      return is_size(s) && is_filter(s->filter) && is_flag(s->number[2]);
    case FC_FLIP_X:
    case FC_FLIP_Y:
    case FC_GREYSCALE:
      return is_probability(s->real[0]);
    case FC_COLOUR_JITTER:
      return is_jitter(s);
    case FC_ERASE:
      return is_probability(s->real[0]) && is_range(s->real + 1, 0, 1) && is_ratio(s->real + 3) &&
             (s->number[0] == FC_ERASE_VALUE || s->number[0] == FC_ERASE_NORMAL);
    default:
      return 0;
  }
}

fc_status fc_step_check(const fc_step *step) {
  return keeps_rules(step) ? FC_OK : FC_E_ARGUMENT;
}
