/* The read job: the same batch whatever the threads, and failures that stay where they happen. */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "jpeg_maker.h"
#include "random.h"
#include "recipe.h"

/* Those of tint.c have tests of their own. */
void fc_colours_apply(uint8_t *pixels, size_t stride, int32_t h, int32_t w, int channels,
                      const fc_colour *colours, int count) {
  for (int i = 0; i < count; i++)
    for (int32_t y = 0; y < h; y++)
      for (int32_t x = 0; x < w * channels; x++)
        pixels[(size_t)y * stride + (size_t)x] ^= (uint8_t)(1 + colours[i].kind);
}

enum { COUNT = 40, MOST = 60, SIDE = 24 };

/* Images of 3 channels and masks of one, some of the images as files. */
typedef struct batch {
  uint8_t *pixels, *masks, *files;
  int64_t offset[COUNT], mask_offset[COUNT], file_offset[COUNT], file_size[COUNT];
  int32_t height[COUNT], width[COUNT];
  uint64_t epoch[COUNT], sample[COUNT];
  uint32_t occurrence[COUNT];
} batch;

static fc_image_spec image_spec = {.channels = 3};
static const fc_image_spec mask_spec = {.channels = 1, .fill = {7}};

static void make_batch(batch *b) {
  size_t at = 0, mask_at = 0, file_at = 0;
  b->pixels = check_alloc((size_t)COUNT * MOST * MOST * 3);
  b->masks = check_alloc((size_t)COUNT * MOST * MOST);
  b->files = check_alloc((size_t)COUNT * MOST * MOST * 3);
  for (int i = 0; i < COUNT; i++) {
    b->height[i] = 20 + random_below(MOST - 20), b->width[i] = 20 + random_below(MOST - 20);
    const size_t count = (size_t)b->height[i] * (size_t)b->width[i];
    b->offset[i] = (int64_t)at, b->mask_offset[i] = (int64_t)mask_at;
    for (size_t k = 0; k < 3 * count; k++) b->pixels[at + k] = (uint8_t)random_below(256);
    for (size_t k = 0; k < count; k++) b->masks[mask_at + k] = (uint8_t)random_below(5);
    at += 3 * count, mask_at += count;
    b->file_size[i] = -1;
    if (i % 3 == 0) {
      jpeg_file file = make_jpeg(&jpeg_kinds[2], b->height[i], b->width[i], 80);
      memcpy(b->files + file_at, file.data, file.size);
      b->file_offset[i] = (int64_t)file_at, b->file_size[i] = (int64_t)file.size;
      file_at += file.size;
      free(file.data);
      b->offset[i] = -1;
    }
    b->sample[i] = (uint64_t)(i * 7), b->epoch[i] = 3, b->occurrence[i] = (uint32_t)i % 2;
  }
}

static void free_batch(batch *b) {
  free(b->pixels);
  free(b->masks);
  free(b->files);
}

static const fc_step steps[] = {
    {.kind = FC_RANDOM_RESIZED_CROP,
     .filter = FC_BILINEAR,
     .number = {SIDE, SIDE},
     .real = {0.1, 1, 0.7, 1.4}},
    {.kind = FC_FLIP_X, .real = {0.5}},
    {.kind = FC_COLOUR_JITTER, .real = {0.5, 1.5, 0.5, 1.5, 1, 0, 1, 0}},
    {.kind = FC_ERASE, .real = {0.5, 0.1, 0.3, 0.5, 2}, .number = {FC_ERASE_NORMAL}},
};

typedef struct outcome {
  float image[COUNT][3 * SIDE * SIDE];
  uint8_t mask[COUNT][SIDE * SIDE];
  fc_map map[COUNT];
  int32_t status[COUNT], detail[COUNT];
} outcome;

typedef struct request {
  fc_make_job job;
  fc_plane plane[2];
  int64_t image_at[COUNT], image_size[COUNT], mask_at[COUNT], mask_size[COUNT];
} request;

static void ask(request *r, const batch *b, outcome *out) {
  memset(r, 0, sizeof *r);
  memset(out, 0, sizeof *out);
  for (int i = 0; i < COUNT; i++) {
    r->image_at[i] = i * (int64_t)sizeof out->image[0], r->image_size[i] = sizeof out->image[0];
    r->mask_at[i] = i * (int64_t)sizeof out->mask[0], r->mask_size[i] = sizeof out->mask[0];
    out->status[i] = FC_PENDING;
  }
  r->plane[0] = (fc_plane){.spec = &image_spec,
                           .base = b->pixels,
                           .offset = b->offset,
                           .height = b->height,
                           .width = b->width,
                           .data = b->files,
                           .data_offset = b->file_offset,
                           .data_size = b->file_size,
                           .emit = {.element = FC_FLOAT32,
                                    .channels = 3,
                                    .planar = 1,
                                    .scaling = FC_NORMALISED,
                                    .mean = {0.4f, 0.5f, 0.6f},
                                    .std = {0.2f, 0.3f, 0.4f},
                                    .streaming = 1},
                           .out = (uint8_t *)out->image,
                           .out_offset = r->image_at,
                           .out_size = r->image_size};
  r->plane[1] = (fc_plane){.spec = &mask_spec,
                           .base = b->masks,
                           .offset = b->mask_offset,
                           .height = b->height,
                           .width = b->width,
                           .is_mask = 1,
                           .emit = {.element = FC_UINT8, .channels = 1},
                           .out = (uint8_t *)out->mask,
                           .out_offset = r->mask_at,
                           .out_size = r->mask_size};
  r->job.cursor.count = COUNT;
  r->job.steps = steps, r->job.step_count = 4;
  r->job.seed = 11;
  r->job.epoch = b->epoch, r->job.sample = b->sample, r->job.occurrence = b->occurrence;
  r->job.planes = r->plane, r->job.plane_count = 2;
  r->job.map = out->map, r->job.status = out->status, r->job.detail = out->detail;
}

static void *work(void *job) {
  return (void *)(intptr_t)fc_make_run(job);
}

static void run(request *r, int threads) {
  pthread_t thread[8];
  for (int i = 0; i < threads; i++) CHECK_INT(pthread_create(&thread[i], NULL, work, &r->job), 0);
  for (int i = 0; i < threads; i++) {
    void *status;
    pthread_join(thread[i], &status);
    CHECK_INT((intptr_t)status, FC_OK);
  }
}

static outcome first, other;
static request asked;

static void test_threads(const batch *b) {
  ask(&asked, b, &first);
  run(&asked, 1);
  for (int i = 0; i < COUNT; i++) CHECK_INT(first.status[i], FC_OK);
  CHECK_INT(asked.job.cursor.done, COUNT);
  CHECK_INT(asked.job.cursor.failed, 0);
  CHECK_INT(asked.job.cursor.bytes, (int64_t)(sizeof first.image + sizeof first.mask));
  for (int threads = 2; threads <= 8; threads += 3) {
    ask(&asked, b, &other);
    run(&asked, threads);
    CHECK_CONTEXT("%d threads", threads);
    CHECK(memcmp(&first, &other, sizeof first) == 0);
  }
}

/* Columns of the same sample alone, by fc_draw and fc_make. */
static void test_columns(const batch *b) {
  fc_maker *maker = fc_maker_new();
  ask(&asked, b, &first);
  run(&asked, 2);
  for (int i = 0; i < COUNT; i++) {
    const fc_key key = {11, b->epoch[i], b->sample[i], b->occurrence[i]};
    static uint8_t mask[SIDE * SIDE];
    static float image[3 * SIDE * SIDE];
    const fc_plane *plane = asked.plane;
    fc_drawn drawn;
    int at;
    CHECK_CONTEXT("sample %d", i);
    CHECK_INT(fc_draw(steps, 4, &key, b->height[i], b->width[i], NULL, &drawn, &at), FC_OK);
    const fc_map map = fc_drawn_map(&drawn);
    CHECK(memcmp(&map, &first.map[i], sizeof map) == 0);
    const size_t stride = (size_t)b->width[i];
    if (b->offset[i] >= 0)
      CHECK_INT(fc_make(maker, b->pixels + b->offset[i], 3 * stride, &image_spec, &drawn, &key,
                        &plane[0].emit, (uint8_t *)image),
                FC_OK);
    else
      CHECK_INT(
          fc_make_from_file(maker, b->files + b->file_offset[i], (size_t)b->file_size[i],
                            &image_spec, &drawn, &key, &plane[0].emit, (uint8_t *)image, NULL),
          FC_OK);
    CHECK(memcmp(image, first.image[i], sizeof image) == 0);
    CHECK_INT(
        fc_draw_mask(steps, 4, &key, b->height[i], b->width[i], NULL, &mask_spec, &drawn, &at),
        FC_OK);
    CHECK_INT(fc_make(maker, b->masks + b->mask_offset[i], stride, &mask_spec, &drawn, &key,
                      &plane[1].emit, mask),
              FC_OK);
    CHECK(memcmp(mask, first.mask[i], sizeof mask) == 0);
  }
  fc_maker_free(maker);
}

static void test_failures(const batch *b) {
  ask(&asked, b, &first);
  run(&asked, 1);
  ask(&asked, b, &other);
  static batch bad;
  bad = *b;
  asked.plane[0].data_size = bad.file_size, asked.plane[0].height = bad.height;
  bad.file_size[3] = 60;          /* damaged */
  bad.file_size[6] = 0;           /* empty */
  bad.height[9]++;                /* not what the file says, nor as high as its mask */
  asked.mask_size[11]--;          /* no room for what comes */
  other.status[13] = FC_E_FORMAT; /* not asked for */
  run(&asked, 3);
  static const int failed[] = {3, 6, 9, 11, 13};
  for (int i = 0, k = 0; i < COUNT; i++) {
    CHECK_CONTEXT("sample %d", i);
    if (k < 5 && failed[k] == i) {
      CHECK(other.status[i] != FC_OK && other.status[i] != FC_PENDING);
      k++;
      continue;
    }
    CHECK_INT(other.status[i], FC_OK);
    CHECK(memcmp(first.image[i], other.image[i], sizeof first.image[i]) == 0);
    CHECK(memcmp(first.mask[i], other.mask[i], sizeof first.mask[i]) == 0);
  }
  CHECK_INT(other.status[6], FC_E_EMPTY);
  CHECK_INT(other.status[11], FC_E_ARGUMENT);
  CHECK_INT(other.status[13], FC_E_FORMAT);
  CHECK_INT(asked.job.cursor.failed, 4);
  CHECK_INT(asked.job.cursor.done, COUNT - 1);
  const uint8_t *untouched = (const uint8_t *)other.image[13];
  CHECK(untouched[0] == 0 && memcmp(untouched, untouched + 1, sizeof other.image[13] - 1) == 0);

  /* Damage is left to Python where that is asked for. */
  ask(&asked, b, &other);
  asked.plane[0].data_size = bad.file_size;
  asked.job.damaged_needs_python = 1;
  run(&asked, 1);
  CHECK_INT(other.status[3], FC_NEEDS_PYTHON);

  /* A step that cannot be done is told by its number. */
  static fc_step impossible[2];
  impossible[0] = steps[1];
  impossible[1] = (fc_step){.kind = FC_RANDOM_CROP, .number = {MOST + 1, MOST + 1}};
  ask(&asked, b, &other);
  asked.job.steps = impossible, asked.job.step_count = 2;
  run(&asked, 1);
  for (int i = 0; i < COUNT; i++) {
    CHECK_INT(other.status[i], FC_E_ARGUMENT);
    CHECK_INT(other.detail[i], 1);
  }

  ask(&asked, b, &other);
  asked.job.cursor.cancel = 1;
  run(&asked, 2);
  for (int i = 0; i < COUNT; i++) CHECK_INT(other.status[i], FC_PENDING);
}

/* What store= does to a file comes first. */
static void test_before(const batch *b) {
  static fc_stage before[COUNT];
  static uint8_t stored[COUNT * 30 * 30 * 3];
  static int64_t offset[COUNT];
  static int32_t side[COUNT];
  fc_decoder *decoder = fc_decoder_new();
  for (int i = 0; i < COUNT; i++) {
    before[i].filter = FC_NEAREST;
    before[i].geometry = (fc_geometry){.src_h = b->height[i],
                                       .src_w = b->width[i],
                                       .crop_h = b->height[i],
                                       .crop_w = b->width[i],
                                       .size_h = 30,
                                       .size_w = 30,
                                       .out_h = 30,
                                       .out_w = 30};
    offset[i] = i * (int64_t)(30 * 30 * 3);
    side[i] = 30;
    fc_image_spec spec = image_spec;
    spec.filter = FC_NEAREST;
    int detail;
    if (b->offset[i] < 0)
      CHECK_INT(fc_decode(decoder, b->files + b->file_offset[i], (size_t)b->file_size[i], &spec,
                          &before[i].geometry, stored + offset[i], 90, &detail),
                FC_OK);
  }
  /* The image column alone: the files with what comes before, and what that makes of them. */
  ask(&asked, b, &first);
  asked.job.plane_count = 1;
  asked.plane[0].before = before;
  run(&asked, 2);
  ask(&asked, b, &other);
  asked.job.plane_count = 1;
  asked.plane[0].base = stored, asked.plane[0].offset = offset;
  asked.plane[0].height = asked.plane[0].width = side;
  run(&asked, 2);
  for (int i = 0; i < COUNT; i++) {
    CHECK_CONTEXT("sample %d", i);
    CHECK_INT(first.status[i], FC_OK);
    if (b->offset[i] < 0) CHECK(memcmp(first.image[i], other.image[i], sizeof first.image[i]) == 0);
  }
  /* A stage for an image of another size. */
  before[3].geometry.src_w++;
  ask(&asked, b, &first);
  asked.plane[0].before = before;
  run(&asked, 1);
  CHECK_INT(first.status[3], FC_E_ARGUMENT);
  fc_decoder_free(decoder);
}

/* ---- views ---- */

enum { VIEWS = 3 };
static uint8_t alone[VIEWS][COUNT][3 * SIDE * SIDE], together[VIEWS][COUNT][3 * SIDE * SIDE];
static const fc_step resized = {.kind = FC_RESIZE, .filter = FC_HAMMING, .number = {SIDE, SIDE}};
static const fc_step middle[] = {{.kind = FC_CENTER_CROP, .number = {2, 3}},
                                 {.kind = FC_RESIZE, .number = {SIDE, SIDE}}};

static void ask_view(fc_plane *plane, const request *r, uint8_t *out, const int64_t *at,
                     const int64_t *size) {
  *plane = r->plane[0];
  plane->emit = (fc_emit){.element = FC_UINT8, .channels = 3};
  plane->out = out, plane->out_offset = at, plane->out_size = size;
}

/* Several views are what each is alone.  Returns what a maker keeps of files decoded as a whole. */
static size_t check_views(const batch *b, const fc_step *const *steps_of, const int *counts) {
  static int64_t at[COUNT], size[COUNT];
  static fc_plane planes[VIEWS];
  for (int i = 0; i < COUNT; i++) at[i] = i * (int64_t)(3 * SIDE * SIDE), size[i] = 3 * SIDE * SIDE;
  for (int v = 0; v < VIEWS; v++) {
    ask(&asked, b, &first);
    ask_view(&planes[v], &asked, alone[v][0], at, size);
    asked.job.planes = &planes[v], asked.job.plane_count = 1, asked.job.map = NULL;
    asked.job.steps = steps_of[v], asked.job.step_count = counts[v];
    run(&asked, 1);
    for (int i = 0; i < COUNT; i++) CHECK_INT(first.status[i], FC_OK);
    ask_view(&planes[v], &asked, together[v][0], at, size);
    planes[v].steps = steps_of[v], planes[v].step_count = counts[v];
  }
  memset(together, 0, sizeof together);
  ask(&asked, b, &first);
  asked.job.planes = planes, asked.job.plane_count = VIEWS, asked.job.map = NULL;
  asked.job.is_views = 1;
  run(&asked, 1);
  for (int i = 0; i < COUNT; i++) CHECK_INT(first.status[i], FC_OK);
  CHECK(memcmp(alone, together, sizeof alone) == 0);
  CHECK_INT(asked.job.cursor.bytes, (int64_t)sizeof together);
  fc_maker *maker = fc_maker_take();
  const size_t kept = maker->whole.capacity;
  fc_maker_give(maker);
  return kept;
}

static void test_views(const batch *b) {
  const fc_step *const parts[] = {middle, middle, middle};
  const fc_step *const most[] = {&resized, middle, steps};
  CHECK_INT(check_views(b, parts, (const int[]){2, 2, 2}), 0);
  CHECK(check_views(b, most, (const int[]){1, 2, 3}) >= 20 * 20 * 3);
}

int main(void) {
  static batch b;
  image_spec.limits = fc_default_limits;
  make_batch(&b);
  test_threads(&b);
  test_columns(&b);
  test_failures(&b);
  test_before(&b);
  test_views(&b);
  free_batch(&b);
  return check_result();
}
