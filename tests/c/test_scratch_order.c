/* test_scratch_order.c: whatever one decoder decodes, in whatever order, it never holds more than
 * the sum of the largest parts of fc_decode_scratch. */
#include "allocations.h"

#ifdef COUNTS_ALLOCATIONS
#include "fc_internal.h"
#include "jpeg_maker.h"
#include "png_maker.h"
#include "random.h"
#include "webp_maker.h"

typedef struct file_bytes {
  uint8_t *data;
  size_t size;
} file_bytes;

/* Of any format, kind and shape. */
static file_bytes make_file(void) {
  static const int sides[] = {1, 17, 90, 400, 1500};
  int h = sides[random_below(5)], w = sides[random_below(5)];
  switch (random_below(3)) {
    case 0: {
      jpeg_file jpeg = make_jpeg(&jpeg_kinds[random_below(JPEG_KINDS)], h, w, 30);
      set_orientation(&jpeg, 1 + random_below(8));
      return (file_bytes){jpeg.data, jpeg.size};
    }
    case 1: {
      /* In one piece or in many, which are joined. */
      const png_recipe recipe = {.kind = &png_kinds[random_below(PNG_KINDS)],
                                 .height = h,
                                 .width = w,
                                 .filter = -1,
                                 .part = random_below(2) ? 1000 : 0};
      png_bytes png = make_png(&recipe);
      return (file_bytes){png.data, png.size};
    }
    default: {
      webp_file webp =
          make_webp(&webp_kinds[random_below(WEBP_KINDS)], FC_MIN(h, 400), FC_MIN(w, 400));
      return (file_bytes){webp.data, webp.size};
    }
  }
}

static void add_largest(fc_scratch *sum, const fc_scratch *one) {
  sum->kept = FC_MAX(sum->kept, one->kept);
  sum->passing = FC_MAX(sum->passing, one->passing);
  sum->resampler = FC_MAX(sum->resampler, one->resampler);
  sum->upright = FC_MAX(sum->upright, one->upright);
}

static fc_geometry shrink(const fc_image_info *info) {
  int swap = info->orientation >= 5;
  int32_t h = swap ? info->width : info->height, w = swap ? info->height : info->width;
  return (fc_geometry){.src_h = h,
                       .src_w = w,
                       .crop_h = h,
                       .crop_w = w,
                       .size_h = 60,
                       .size_w = 50,
                       .out_h = 60,
                       .out_w = 50};
}

static void check_series(int files) {
  static uint8_t out[60 * 50 * 4];
  static const int32_t channels[] = {1, 3, 4};
  fc_scratch largest = {0};
  size_t before = allocated_now(), given = 0, most = 0;
  fc_decoder *decoder = fc_decoder_new();
  for (int i = 0; i < files; i++) {
    fc_image_spec spec = {.channels = channels[random_below(3)],
                          .filter = FC_BILINEAR,
                          .apply_orientation = 1,
                          .limits = fc_default_limits};
    size_t own = allocated_now();
    file_bytes file = make_file();
    given = allocated_now() - own; /* the file itself */
    fc_image_info info;
    CHECK_INT(fc_probe_bytes(file.data, file.size, &spec.limits, &info), FC_OK);
    const fc_geometry g = shrink(&info);
    const fc_scratch one = fc_decode_scratch(&info, &spec, &g);
    add_largest(&largest, &one);
    fc_status status =
        fc_decode(decoder, file.data, file.size, &spec, &g, out, 50 * (size_t)spec.channels, NULL);
    CHECK(status == FC_OK || status == FC_NEEDS_PYTHON);
    most = allocated_most() - before - given;
    CHECK_CONTEXT("file %d: %s of %d x %d, %zu held", i, fc_format_name(info.format), info.height,
                  info.width, most);
    CHECK(most <= fc_scratch_sum(&largest));
    free(file.data);
  }
  fc_decoder_free(decoder);
  CHECK_INT(allocated_now(), before);
}

int main(void) {
  for (int round = 0; round < 25; round++) check_series(20);
  return check_result();
}

#else
#include <stdio.h>
int main(void) {
  puts("skipped: counting allocations needs glibc and no sanitizer");
  return 0;
}
#endif
