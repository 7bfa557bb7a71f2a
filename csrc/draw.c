/* draw.c: steps are drawn: what is random is decided as torchvision.transforms.v2 would decide it,
 * and folded (fold.c) into stages.  Nothing here sees a pixel.
 *
 * Each step has random numbers of its own, and takes them in a fixed order that is part of what a
 * recipe means: tests/drawing_reference.py says it again in Python. */
#include <math.h>
#include <string.h>

#include "draw.h"

#define TRIES 10

/* Who draws, and how far. */
typedef struct drawing {
  fc_drawn *drawn;
  const fc_key *key;
  fc_random_epoch epoch;
  uint32_t number; /* of the step */
} drawing;

static fc_random random_of(const drawing *d) {
  fc_random random;
  fc_random_start(&random, &d->epoch, d->key, d->number);
  return random;
}

static double between(fc_random *random, double low, double high) {
  return low + fc_random_uniform(random) * (high - low);
}

static const uint8_t no_fill[4];

/* ---- sizes that follow ---- */

/* Multiply, divide, cut off: torchvision's order, on which the last pixel depends. */
static double share(double times, double of, double part) {
  return floor(times * of / part);
}

static fc_status resize_short(const drawing *d, const fc_step *step) {
  const int32_t h = fc_fold_height(d->drawn), w = fc_fold_width(d->drawn);
  const int32_t side = step->number[0], most = step->number[1];
  double short_side = side, long_side = most;
  if (!side) {
    short_side = share(most, FC_MIN(h, w), FC_MAX(h, w));
  } else {
    long_side = share(side, FC_MAX(h, w), FC_MIN(h, w));
    if (most && long_side > most) {
      short_side = share(most, side, long_side);
      long_side = most;
    }
  }
  /* Of very long images the other side would be nothing. */
  short_side = FC_MAX(short_side, 1);
  const int64_t high = (int64_t)(h > w ? long_side : short_side);
  const int64_t wide = (int64_t)(h > w ? short_side : long_side);
  return fc_fold_resample(d->drawn, high, wide, step->filter, step->number[2]);
}

/* Where the window of the centre begins; what is smaller is padded, an odd pixel at the end. */
static int64_t centre(int32_t have, int32_t want) {
  if (have < want) return -((want - have) / 2);
  return (int64_t)rint((have - want) / 2.0);
}

static fc_status center_crop(const drawing *d, const fc_step *step) {
  const int32_t h = step->number[0], w = step->number[1];
  const fc_window window = {.y = centre(fc_fold_height(d->drawn), h),
                            .x = centre(fc_fold_width(d->drawn), w),
                            .h = h,
                            .w = w,
                            .padding = FC_PAD_CONSTANT,
                            .fill = step->fill};
  return fc_fold_window(d->drawn, &window);
}

/* As Ultralytics' LetterBox rounds: of an odd padding the smaller part comes first. */
static fc_status letter_box(const drawing *d, const fc_step *step) {
  const double h = fc_fold_height(d->drawn), w = fc_fold_width(d->drawn);
  const double frame_h = step->number[0], frame_w = step->number[1];
  double ratio = FC_MIN(frame_h / h, frame_w / w);
  if (!step->number[2]) ratio = FC_MIN(ratio, 1.0);
  const double new_h = FC_MAX(rint(h * ratio), 1.0), new_w = FC_MAX(rint(w * ratio), 1.0);
  const fc_status status =
      fc_fold_resample(d->drawn, (int64_t)new_h, (int64_t)new_w, step->filter, 0);
  if (status != FC_OK) return status;
  const fc_window window = {.y = -(int64_t)rint((frame_h - new_h) / 2 - 0.1),
                            .x = -(int64_t)rint((frame_w - new_w) / 2 - 0.1),
                            .h = step->number[0],
                            .w = step->number[1],
                            .padding = FC_PAD_CONSTANT,
                            .fill = step->fill};
  return fc_fold_window(d->drawn, &window);
}

/* ---- random geometry ---- */

/* One axis of a random crop: padding, and where the crop begins in the padded image.  No number is
 * taken where there is nothing to choose. */
static fc_status crop_axis(fc_random *random, int64_t have, int64_t want, int64_t before,
                           int64_t after, int pad_if_needed, int64_t *start) {
  int64_t padded = have + before + after;
  if (pad_if_needed && padded < want) {
    before += want - padded;
    padded += 2 * (want - padded);
  }
  if (padded < want || padded > INT32_MAX) return FC_E_ARGUMENT;
  *start = -before;
  if (padded > want) *start += fc_random_below(random, (int32_t)(padded - want) + 1);
  return FC_OK;
}

static fc_status random_crop(const drawing *d, const fc_step *step) {
  const int32_t *n = step->number;
  fc_random random = random_of(d);
  fc_window window = {.h = n[0], .w = n[1], .padding = n[6], .fill = step->fill};
  fc_status status =
      crop_axis(&random, fc_fold_height(d->drawn), n[0], n[3], n[5], n[7], &window.y);
  if (status == FC_OK)
    status = crop_axis(&random, fc_fold_width(d->drawn), n[1], n[2], n[4], n[7], &window.x);
  return status == FC_OK ? fc_fold_window(d->drawn, &window) : status;
}

/* A rectangle of random area and shape; ratio: long to high, both even in their logarithms. */
static void random_sides(fc_random *random, double area, const double scale[2],
                         const double log_ratio[2], double *across, double *along) {
  const double target = area * between(random, scale[0], scale[1]);
  const double ratio = exp(between(random, log_ratio[0], log_ratio[1]));
  *across = rint(sqrt(target * ratio));
  *along = rint(sqrt(target / ratio));
}

static fc_status random_resized_crop(const drawing *d, const fc_step *step) {
  const int32_t height = fc_fold_height(d->drawn), width = fc_fold_width(d->drawn);
  const double *scale = step->real, *ratio = step->real + 2;
  const double log_ratio[2] = {log(ratio[0]), log(ratio[1])};
  const double area = (double)height * width;
  fc_random random = random_of(d);
  double w = 0, h = 0;
  int tries = 0;
  do random_sides(&random, area, scale, log_ratio, &w, &h);
  while (!(w >= 1 && w <= width && h >= 1 && h <= height) && ++tries < TRIES);
  fc_window window = {.padding = FC_PAD_CONSTANT, .fill = no_fill};
  if (tries < TRIES) {
    window.h = (int64_t)h, window.w = (int64_t)w;
    window.y = fc_random_below(&random, height - (int32_t)h + 1);
    window.x = fc_random_below(&random, width - (int32_t)w + 1);
  } else {
    /* The largest centre crop whose shape is allowed. */
    const double shape = (double)width / height;
    window.h = height, window.w = width;
    if (shape < ratio[0]) window.h = (int64_t)FC_MAX(rint(width / ratio[0]), 1.0);
    if (shape > ratio[1]) window.w = (int64_t)FC_MAX(rint(height * ratio[1]), 1.0);
    window.y = (height - window.h) / 2, window.x = (width - window.w) / 2;
  }
  const fc_status status = fc_fold_window(d->drawn, &window);
  if (status != FC_OK) return status;
  return fc_fold_resample(d->drawn, step->number[0], step->number[1], step->filter,
                          step->number[2]);
}

/* ---- chance, colours, erasing ---- */

static int happens(fc_random *random, double probability) {
  return fc_random_uniform(random) < probability;
}

static fc_status flip(const drawing *d, const fc_step *step) {
  fc_random random = random_of(d);
  if (happens(&random, step->real[0])) fc_fold_flip(d->drawn, step->kind == FC_FLIP_X);
  return FC_OK;
}

static fc_status greyscale(const drawing *d, const fc_step *step) {
  fc_random random = random_of(d);
  if (!happens(&random, step->real[0])) return FC_OK;
  return fc_fold_colour(d->drawn, FC_GREY, 0);
}

/* The order of all four first, by R. Durstenfeld's shuffle (CACM 7, 1964); then their factors. */
static fc_status colour_jitter(const drawing *d, const fc_step *step) {
  int order[4] = {FC_BRIGHTNESS, FC_CONTRAST, FC_SATURATION, FC_HUE};
  float amount[4] = {0};
  fc_random random = random_of(d);
  for (int i = 3; i > 0; i--) {
    const int j = fc_random_below(&random, i + 1), kind = order[i];
    order[i] = order[j];
    order[j] = kind;
  }
  for (int kind = 0; kind < 4; kind++) {
    const double *range = &step->real[2 * kind];
    if (range[0] <= range[1]) amount[kind] = (float)between(&random, range[0], range[1]);
  }
  for (int i = 0; i < 4; i++) {
    const int kind = order[i];
    if (step->real[2 * kind] > step->real[2 * kind + 1]) continue;
    const fc_status status = fc_fold_colour(d->drawn, kind, amount[kind]);
    if (status != FC_OK) return status;
  }
  return FC_OK;
}

static fc_status erase(const drawing *d, const fc_step *step) {
  const int32_t height = fc_fold_height(d->drawn), width = fc_fold_width(d->drawn);
  const double *scale = step->real + 1, *ratio = step->real + 3;
  fc_random random = random_of(d);
  if (!happens(&random, step->real[0])) return FC_OK;
  const double log_ratio[2] = {log(ratio[0]), log(ratio[1])};
  const double area = (double)height * width;
  double h = 0, w = 0;
  int tries = 0;
  do random_sides(&random, area, scale, log_ratio, &h, &w);
  while (!(h < height && w < width) && ++tries < TRIES);
  if (tries == TRIES) return FC_OK; /* torchvision then leaves the image as it is */
  fc_erased erased = {.h = (int32_t)h,
                      .w = (int32_t)w,
                      .with = step->number[0],
                      .step = d->number | FC_STEP_PIXELS};
  for (int i = 0; i < 4; i++) erased.value[i] = step->value[i];
  erased.y = fc_random_below(&random, height - erased.h + 1);
  erased.x = fc_random_below(&random, width - erased.w + 1);
  return fc_fold_erase(d->drawn, &erased);
}

/* ---- a recipe ---- */

static fc_status draw_step(const drawing *d, const fc_step *step) {
  switch (step->kind) {
    case FC_RESIZE:
      return fc_fold_resample(d->drawn, step->number[0], step->number[1], step->filter,
                              step->number[2]);
    case FC_RESIZE_SHORT:
      return resize_short(d, step);
    case FC_CENTER_CROP:
      return center_crop(d, step);
    case FC_RANDOM_CROP:
      return random_crop(d, step);
    case FC_RANDOM_RESIZED_CROP:
      return random_resized_crop(d, step);
    case FC_LETTER_BOX:
      return letter_box(d, step);
    case FC_COLOUR_JITTER:
      return colour_jitter(d, step);
    case FC_GREYSCALE:
      return greyscale(d, step);
    case FC_ERASE:
      return erase(d, step);
    default:
      return flip(d, step);
  }
}

/* Labels are moved as pixels are, but never mixed with one another; 0: nothing else happens to
 * them. What is padded has a class of its own, whose first byte is the lowest. */
static int is_for_labels(fc_step *step, const fc_image_spec *labels) {
  if (step->kind == FC_COLOUR_JITTER || step->kind == FC_GREYSCALE || step->kind == FC_ERASE)
    return 0;
  const int is_box = step->kind == FC_LETTER_BOX;
  const size_t every = labels->wide ? 2 : (size_t)labels->channels;
  memset(step->fill, 0, sizeof step->fill);
  for (size_t i = 0; is_box && i < sizeof step->fill; i += every)
    step->fill[i] = (uint8_t)step->number[3];
  step->filter = FC_NEAREST;
  if (!is_box) step->number[2] *= step->kind == FC_RANDOM_CROP; /* not at a scale */
  return 1;
}

/* labels: the spec of a mask, or NULL. */
static fc_status draw_all(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                          const fc_stage *before, const fc_image_spec *labels, fc_drawn *drawn,
                          int *at) {
  *at = -1;
  fc_status status = fc_fold_begin(drawn, h, w, before);
  if (status != FC_OK) return status;
  drawing d = {.drawn = drawn, .key = key, .epoch = fc_random_of_epoch(key)};
  for (int i = 0; i < count; i++) {
    *at = i;
    d.number = (uint32_t)i;
    status = fc_step_check(&steps[i]);
    fc_step own;
    if (labels) own = steps[i];
    if (status == FC_OK && (!labels || is_for_labels(&own, labels)))
      status = draw_step(&d, labels ? &own : &steps[i]);
    if (status != FC_OK) return status;
  }
  *at = -1;
  fc_fold_end(drawn);
  return FC_OK;
}

fc_status fc_draw(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                  const fc_stage *before, fc_drawn *drawn, int *at) {
  return draw_all(steps, count, key, h, w, before, NULL, drawn, at);
}

fc_status fc_draw_mask(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                       const fc_stage *before, const fc_image_spec *spec, fc_drawn *drawn,
                       int *at) {
  return draw_all(steps, count, key, h, w, before, spec, drawn, at);
}
