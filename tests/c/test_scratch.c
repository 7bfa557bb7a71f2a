/* test_scratch.c: fc_decode_scratch is an upper bound of what decoding allocates.
 *
 * Allocations of the whole program, libjpeg's included, are counted by standing in front of
 * malloc; that needs glibc and no sanitizer, which stands there itself.  Elsewhere the program says
 * that it did nothing. */
#include "allocations.h"

#ifdef COUNTS_ALLOCATIONS
#include "fastcache.h"
#include "jpeg_maker.h"

/* A decoder of its own for each image: what it keeps for the next one counts too. */
static void check_bound(const jpeg_file *file, const fc_geometry *g, const fc_image_spec *spec,
                        double *tightest) {
  fc_image_info info;
  size_t stride = (size_t)g->out_w * (size_t)spec->channels;
  uint8_t *out = check_alloc(stride * (size_t)g->out_h);
  CHECK_INT(fc_probe_bytes(file->data, file->size, &spec->limits, &info), FC_OK);
  size_t before = allocated_now();
  fc_decoder *decoder = fc_decoder_new();
  fc_status status = fc_decode(decoder, file->data, file->size, spec, g, out, stride, NULL);
  size_t used = allocated_most() - before;
  const fc_scratch scratch = fc_decode_scratch(&info, spec, g);
  const size_t bound = fc_scratch_sum(&scratch);
  fc_decoder_free(decoder);
  CHECK_INT(allocated_now(), before);
  CHECK(status == FC_OK || status == FC_NEEDS_PYTHON);
  CHECK(used <= bound);
  if ((double)used / (double)bound > *tightest) *tightest = (double)used / (double)bound;
  free(out);
}

int main(void) {
  static const int sizes[][2] = {{3, 5}, {600, 801}, {64, 9000}, {9000, 40}, {1500, 2000}};
  static const int channels[] = {1, 3, 4};
  double tightest = 0;
  for (int k = 0; k < JPEG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int c = 0; c < 3; c++) {
        int h = sizes[s][0], w = sizes[s][1], orientation = 1 + (k + (int)s + c) % 8;
        jpeg_file file = make_jpeg(&jpeg_kinds[k], h, w, 30);
        set_orientation(&file, orientation);
        fc_geometry g = {.src_h = orientation >= 5 ? w : h,
                         .src_w = orientation >= 5 ? h : w,
                         .size_h = 64,
                         .size_w = 64,
                         .out_h = 56,
                         .out_w = 56};
        g.crop_h = g.src_h;
        g.crop_w = g.src_w;
        const fc_image_spec spec = {.channels = channels[c],
                                    .filter = (k + c) % FC_FILTER_COUNT,
                                    .apply_orientation = 1,
                                    .limits = fc_default_limits};
        CHECK_CONTEXT("%s %dx%d, %d channels, filter %d, orientation %d", jpeg_kinds[k].name, h, w,
                      spec.channels, spec.filter, orientation);
        check_bound(&file, &g, &spec, &tightest);
        free(file.data);
      }
  printf("at most %.0f%% of the bound was used\n", tightest * 100);
  return check_result();
}

#else
#include <stdio.h>
int main(void) {
  puts("skipped: counting allocations needs glibc and no sanitizer");
  return 0;
}
#endif
