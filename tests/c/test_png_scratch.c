/* test_png_scratch.c: fc_decode_scratch is an upper bound of what decoding PNGs allocates. */
#include "allocations.h"

#ifdef COUNTS_ALLOCATIONS
#include "fastcache.h"
#include "png_maker.h"

/* A decoder of its own for each image: what it keeps for the next one counts too.  Returns the part
 * of the bound that was used. */
static double check_bound(const png_bytes *file, const fc_image_spec *spec) {
  fc_image_info info;
  CHECK_INT(fc_probe_bytes(file->data, file->size, &spec->limits, &info), FC_OK);
  const fc_geometry g = {.src_h = info.height,
                         .src_w = info.width,
                         .crop_h = info.height,
                         .crop_w = info.width,
                         .size_h = spec->wide ? info.height : 64,
                         .size_w = spec->wide ? info.width : 64,
                         .out_h = 64,
                         .out_w = 64};
  const size_t stride = 64 * (spec->wide ? 2 : (size_t)spec->channels);
  uint8_t *out = check_alloc(stride * 64);
  const size_t before = allocated_now();
  fc_decoder *decoder = fc_decoder_new();
  CHECK_INT(fc_decode(decoder, file->data, file->size, spec, &g, out, stride, NULL), FC_OK);
  const size_t used = allocated_most() - before;
  const fc_scratch scratch = fc_decode_scratch(&info, spec, &g);
  const size_t bound = fc_scratch_sum(&scratch);
  fc_decoder_free(decoder);
  CHECK_INT(allocated_now(), before);
  CHECK(used <= bound);
  free(out);
  return (double)used / (double)bound;
}

/* A profile that has to be inflated, and pixels in many pieces: the most that one image needs. */
static double check_kind(const png_kind *kind, int height, int width, int whole) {
  static const int channels[] = {1, 3, 4, 1};
  double tightest = 0;
  png_recipe r = {.kind = kind, .height = height, .width = width, .filter = -1};
  if (!whole) {
    uint8_t *zeros = check_alloc(900000);
    png_bytes stream = png_compress(zeros, 900000, 1), profile = {0};
    png_put(&profile, "name\0", 6);
    png_put(&profile, stream.data, stream.size);
    png_put_chunk(&r.before, "iCCP", profile.data, profile.size);
    r.part = 100;
    free(zeros);
    free(stream.data);
    free(profile.data);
  }
  png_bytes file = make_png(&r);
  for (int c = 0; c < 4; c++) {
    const int wide = c == 3;
    if (wide && (kind->colours != 0 || kind->depth != 16)) continue;
    const fc_image_spec spec = {
        .channels = channels[c], .filter = FC_BILINEAR, .wide = wide, .limits = fc_default_limits};
    CHECK_CONTEXT("%s %dx%d, %d channels%s", kind->name, height, width, channels[c],
                  wide ? ", wide" : "");
    const double used = check_bound(&file, &spec);
    if (used > tightest) tightest = used;
  }
  free(file.data);
  free(r.before.data);
  return tightest;
}

int main(void) {
  static const int sizes[][2] = {{3, 5}, {90, 201}, {40, 700}, {700, 20}, {1100, 1300}};
  double tightest = 0;
  for (int k = 0; k < PNG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int whole = 0; whole < 2; whole++) {
        if (s == 4 && k % 10 > 1) continue;
        const double used = check_kind(&png_kinds[k], sizes[s][0], sizes[s][1], whole);
        if (used > tightest) tightest = used;
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
