/* make.c: the read job for C++; see core.h. */
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "fastcache_recipe.h"

static int steps_of(const core_make *make, fc_step steps[3]) {
  int count = 0;
  memset(steps, 0, 3 * sizeof *steps);
  fc_step *first = &steps[count++];
  first->number[0] = first->number[1] = make->side;
  first->kind = FC_RANDOM_CROP;
  if (make->resized) {
    const double real[4] = {0.08, 1, 3.0 / 4, 4.0 / 3};
    first->kind = FC_RANDOM_RESIZED_CROP;
    first->filter = FC_BILINEAR;
    memcpy(first->real, real, sizeof real);
  }
  if (make->jittered) {
    const double real[8] = {0.6, 1.4, 0.6, 1.4, 0.6, 1.4, -0.1, 0.1};
    fc_step *jitter = &steps[count++];
    jitter->kind = FC_COLOUR_JITTER;
    memcpy(jitter->real, real, sizeof real);
  }
  steps[count].kind = FC_FLIP_X;
  steps[count++].real[0] = 0.5;
  return count;
}

static fc_emit emit_of(const core_make *make) {
  fc_emit emit = {.element = make->element,
                  .planar = make->planar,
                  .channels = 3,
                  .mean = {0.485f, 0.456f, 0.406f},
                  .std = {0.229f, 0.224f, 0.225f},
                  .streaming = 1};
  emit.scaling = make->element == FC_UINT8 ? FC_PLAIN : FC_NORMALISED;
  return emit;
}

size_t core_make_bytes(const core_make *make) {
  const fc_emit emit = emit_of(make);
  return fc_emit_bytes(&emit, make->side, make->side);
}

/* What a job wants to be told of each sample. */
typedef struct lists {
  int64_t out_offset, out_size;
  uint64_t epoch, sample;
  int32_t height, width, status, detail;
  uint32_t occurrence;
} lists;

int core_make_run(const core_make *make) {
  const size_t n = (size_t)make->count;
  uint8_t *memory = calloc(n, sizeof(lists));
  if (!memory) return 1;
  int64_t *out_offset = (int64_t *)(void *)memory, *out_size = out_offset + n;
  uint64_t *epoch = (uint64_t *)(out_size + n), *sample = epoch + n;
  int32_t *height = (int32_t *)(sample + n), *width = height + n;
  int32_t *status = width + n, *detail = status + n;
  uint32_t *occurrence = (uint32_t *)(detail + n);
  const int64_t bytes = (int64_t)core_make_bytes(make);
  for (size_t i = 0; i < n; i++) {
    out_offset[i] = (int64_t)i * bytes, out_size[i] = bytes;
    epoch[i] = make->epoch, sample[i] = i;
    height[i] = make->height, width[i] = make->width;
    status[i] = FC_PENDING;
  }
  fc_step steps[3];
  const fc_image_spec spec = {.channels = 3, .limits = fc_default_limits};
  const fc_plane plane = {.spec = &spec,
                          .base = make->source,
                          .offset = make->offset,
                          .height = height,
                          .width = width,
                          .emit = emit_of(make),
                          .out = make->out,
                          .out_offset = out_offset,
                          .out_size = out_size};
  fc_make_job job = {.cursor = {.count = make->count},
                     .steps = steps,
                     .step_count = steps_of(make, steps),
                     .seed = 1,
                     .epoch = epoch,
                     .sample = sample,
                     .occurrence = occurrence,
                     .planes = &plane,
                     .plane_count = 1,
                     .status = status,
                     .detail = detail};
  int failed = fc_make_run(&job) != FC_OK;
  for (size_t i = 0; i < n; i++) failed |= status[i] != FC_OK;
  free(memory);
  return failed;
}

/* ---- files ---- */

struct core_crops {
  fc_maker *maker;
  fc_decoder *decoder;
};

core_crops *core_crops_new(void) {
  core_crops *crops = calloc(1, sizeof *crops);
  if (!crops) return NULL;
  crops->maker = fc_maker_new();
  crops->decoder = fc_decoder_new();
  if (crops->maker && crops->decoder) return crops;
  core_crops_free(crops);
  return NULL;
}

void core_crops_free(core_crops *crops) {
  if (!crops) return;
  fc_maker_free(crops->maker);
  fc_decoder_free(crops->decoder);
  free(crops);
}

int core_crops_make(core_crops *crops, const uint8_t *data, size_t size, uint64_t sample,
                    int is_fast, uint8_t *pixels, uint8_t *out) {
  const core_make make = {.resized = 1, .side = 224};
  const fc_key key = {.seed = 1, .sample = sample};
  const fc_image_spec spec = {.channels = 3, .limits = fc_default_limits};
  const fc_emit emit = {.element = FC_UINT8, .channels = 3, .streaming = 1};
  fc_step steps[3];
  fc_drawn drawn;
  int h, w, at;
  if (core_jpeg_size(data, size, &w, &h)) return 1;
  const int count = steps_of(&make, steps);
  steps[0].number[2] = is_fast;
  if (fc_draw(steps, count, &key, h, w, NULL, &drawn, &at) != FC_OK) return 1;
  if (!pixels)
    return fc_make_from_file(crops->maker, data, size, &spec, &drawn, &key, &emit, out, &at) !=
           FC_OK;
  const fc_geometry whole = {.src_h = h,
                             .src_w = w,
                             .crop_h = h,
                             .crop_w = w,
                             .size_h = h,
                             .size_w = w,
                             .out_h = h,
                             .out_w = w};
  const size_t stride = (size_t)w * 3;
  if (fc_decode(crops->decoder, data, size, &spec, &whole, pixels, stride, &at) != FC_OK) return 1;
  return fc_make(crops->maker, pixels, stride, &spec, &drawn, &key, &emit, out) != FC_OK;
}
