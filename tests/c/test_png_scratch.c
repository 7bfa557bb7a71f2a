/* test_png_scratch.c: fc_decode_scratch is an upper bound of what decoding PNGs allocates. */
#include "allocations.h"

#ifdef COUNTS_ALLOCATIONS
#include "fc_internal.h"
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

/* ---- what stays in memory -------------------------------------------------------------------- */

static size_t resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file && fscanf(file, "%*s %ld", &pages) == 1);
  if (file) fclose(file);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

typedef struct stored_png {
  char path[64];
  fc_image_info info;
} stored_png;

static stored_png store_png(const char *folder, int number, int height, int width) {
  stored_png stored;
  png_recipe r = {.kind = &png_kinds[10], .height = height, .width = width, .filter = 0};
  r.part = 65536; /* joined beside the pixels, as those of most encoders are */
  png_bytes png = make_png(&r);
  CHECK_INT(fc_probe_bytes(png.data, png.size, &fc_default_limits, &stored.info), FC_OK);
  snprintf(stored.path, sizeof stored.path, "%s/%d.png", folder, number);
  FILE *file = fopen(stored.path, "wb");
  CHECK(file && fwrite(png.data, 1, png.size, file) == png.size);
  if (file) fclose(file);
  free(png.data);
  return stored;
}

static fc_geometry to_64(const fc_image_info *info) {
  return (fc_geometry){.src_h = info->height,
                       .src_w = info->width,
                       .crop_h = info->height,
                       .crop_w = info->width,
                       .size_h = 64,
                       .size_w = 64,
                       .out_h = 64,
                       .out_w = 64};
}

static void fill_one(const stored_png *stored, const fc_image_spec *spec, fc_decoder *decoder,
                     fc_buffer *file) {
  static uint8_t out[64 * 64 * 3];
  const fc_geometry g = to_64(&stored->info);
  CHECK_INT(fc_file_read(stored->path, 0, file, &(int){0}), FC_OK);
  CHECK_INT(fc_decode(decoder, file->data, file->size, spec, &g, out, 64 * 3, NULL), FC_OK);
}

/* A thread's buffers grow from file to file.  What is resident in the end is no more than what the
 * largest file needs: no holes are left where smaller buffers were. */
static void test_growing_buffers(void) {
  enum { FILES = 14 };
  const size_t slop = (size_t)1 << 20; /* of the heap, as plans have it for each thread */
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits};
  char folder[] = P_tmpdir "/fastcache-test-XXXXXX";
  CHECK(mkdtemp(folder));
  stored_png png[FILES];
  size_t bound = 0;
  for (int k = 0; k < FILES; k++) {
    png[k] = store_png(folder, k, 500 + 50 * k, 900);
    const fc_geometry g = to_64(&png[k].info);
    const fc_scratch scratch = fc_decode_scratch(&png[k].info, &spec, &g);
    bound = fc_scratch_sum(&scratch) + fc_buffer_bytes((size_t)png[k].info.bytes);
  }
  /* Blocks that malloc mapped and got back: from now on it takes others of that size from its heap,
   * as it does in a process that has decoded before. */
  free(check_alloc((size_t)24 << 20));
  malloc_trim(0);
  const size_t before = resident();
  fc_decoder *decoder = fc_decoder_new();
  fc_buffer file = {0};
  for (int k = 0; k < FILES; k++) fill_one(&png[k], &spec, decoder, &file);
  const size_t used = resident() - before;
  CHECK_CONTEXT("%zu bytes resident, %zu planned", used, bound);
  CHECK(used <= bound + slop);
  fc_buffer_free(&file);
  fc_decoder_free(decoder);
  for (int k = 0; k < FILES; k++) CHECK(unlink(png[k].path) == 0);
  CHECK(rmdir(folder) == 0);
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
  test_growing_buffers();
  return check_result();
}

#else
#include <stdio.h>
int main(void) {
  puts("skipped: counting allocations needs glibc and no sanitizer");
  return 0;
}
#endif
