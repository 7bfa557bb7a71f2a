/* test_webp_scratch.c: fc_decode_scratch is an upper bound of what decoding WebPs allocates. */
#include "allocations.h"

#ifdef COUNTS_ALLOCATIONS
#include "fastcache.h"
#include "webp_bits.h"

/* A decoder of its own for each image: what it keeps for the next one counts too. */
static void check_bound(const webp_file *file, const fc_image_spec *spec, fc_status wanted,
                        double *tightest) {
  fc_image_info info;
  CHECK_INT(fc_probe_bytes(file->data, file->size, &spec->limits, &info), FC_OK);
  const fc_geometry g = {.src_h = info.height,
                         .src_w = info.width,
                         .crop_h = info.height,
                         .crop_w = info.width,
                         .size_h = 64,
                         .size_w = 64,
                         .out_h = 64,
                         .out_w = 64};
  size_t stride = 64 * (size_t)spec->channels;
  uint8_t *out = check_alloc(stride * 64);
  size_t before = allocated_now();
  fc_decoder *decoder = fc_decoder_new();
  CHECK_INT(fc_decode(decoder, file->data, file->size, spec, &g, out, stride, NULL), wanted);
  size_t used = allocated_most() - before;
  const fc_scratch scratch = fc_decode_scratch(&info, spec, &g);
  const size_t bound = fc_scratch_sum(&scratch);
  fc_decoder_free(decoder);
  CHECK_INT(allocated_now(), before);
  CHECK(used <= bound);
  if ((double)used / (double)bound > *tightest) *tightest = (double)used / (double)bound;
  free(out);
}

/* As many prefix codes as are let through, the largest that there are; and all that a file can
 * name, which libwebp must not see. */
static void check_written_groups(double *tightest) {
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits};
  static const struct {
    int size, groups;
    fc_status wanted;
  } cases[] = {{16, 16, FC_OK}, {208, 2600, FC_OK}, {1024, 65536, FC_E_CORRUPT}};
  for (int i = 0; i < 3; i++)
    for (int cache_bits = 0; cache_bits <= 11; cache_bits += 11) {
      webp_file file = make_groups(cases[i].size, cases[i].groups, cache_bits);
      CHECK_CONTEXT("%d groups, cache of %d bits", cases[i].groups, cache_bits);
      check_bound(&file, &spec, cases[i].wanted, tightest);
      free(file.data);
    }
  webp_file file = make_opacity_groups(208, 2600);
  CHECK_CONTEXT("2600 groups of opacity");
  check_bound(&file, &spec, FC_OK, tightest);
  free(file.data);
}

int main(void) {
  static const int sizes[][2] = {{3, 5}, {90, 201}, {40, 700}, {700, 20}};
  static const int channels[] = {1, 3, 4};
  double tightest[2] = {0, 0};
  for (int k = 0; k < WEBP_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      int h = sizes[s][0], w = sizes[s][1];
      webp_file file = make_webp(&webp_kinds[k], h, w);
      for (int c = 0; c < 3; c++) {
        const fc_image_spec spec = {
            .channels = channels[c], .filter = FC_BILINEAR, .limits = fc_default_limits};
        CHECK_CONTEXT("%s %dx%d, %d channels", webp_kinds[k].name, h, w, channels[c]);
        check_bound(&file, &spec, FC_OK, &tightest[webp_kinds[k].lossless || webp_kinds[k].alpha]);
      }
      free(file.data);
    }
  check_written_groups(&tightest[1]);
  printf("at most %.0f%% of the bound was used, %.0f%% for opaque lossy images\n",
         tightest[1] * 100, tightest[0] * 100);
  return check_result();
}

#else
#include <stdio.h>
int main(void) {
  puts("skipped: counting allocations needs glibc and no sanitizer");
  return 0;
}
#endif
