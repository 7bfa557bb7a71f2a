/* fuzz_probe.c: libFuzzer target for headers of every format, under generous and under tight
 * limits; some inputs also as a file, read through small windows, which must say the same. */
#define _GNU_SOURCE /* memfd_create */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_choice.h"

static void check_info(const fc_image_info *info, size_t size, const fc_limits *limits) {
  FUZZ_CHECK(info->bytes == (int64_t)size);
  FUZZ_CHECK(!limits->max_bytes || info->bytes <= limits->max_bytes);
  FUZZ_CHECK(info->height >= 1 && info->width >= 1);
  FUZZ_CHECK((int64_t)info->height * info->width <= limits->max_pixels);
  FUZZ_CHECK(info->orientation >= 1 && info->orientation <= 8);
  FUZZ_CHECK(info->scans >= 0 && info->scans <= limits->max_scans);
  FUZZ_CHECK(info->format > FC_FORMAT_UNKNOWN && info->format < FC_FORMAT_COUNT);
  FUZZ_CHECK(info->components >= 0 && info->components <= 255 && info->depth >= 0);
}

/* The bound that the plan counts in the budget: in any case not less than nothing. */
static void check_scratch(const fc_image_info *info, const fc_limits *limits, int32_t channels) {
  const fc_image_spec spec = {.channels = channels, .filter = FC_BICUBIC, .limits = *limits};
  const fc_geometry whole = {.src_h = info->height,
                             .src_w = info->width,
                             .crop_h = info->height,
                             .crop_w = info->width,
                             .size_h = 7,
                             .size_w = 7,
                             .out_h = 7,
                             .out_w = 7};
  FUZZ_CHECK(fc_geometry_check(&whole) == FC_OK);
  const fc_scratch scratch = fc_decode_scratch(info, &spec, &whole);
  FUZZ_CHECK(fc_scratch_sum(&scratch) > 0);
}

static int is_same(const fc_image_info *a, const fc_image_info *b) {
  return a->bytes == b->bytes && a->height == b->height && a->width == b->width &&
         a->format == b->format && a->components == b->components && a->depth == b->depth &&
         a->orientation == b->orientation && a->flags == b->flags;
}

/* Scans are counted from bytes only; all else must not depend on where it is read from. */
static void check_file(const uint8_t *data, size_t size, const fc_limits *limits,
                       fc_status expected, const fc_image_info *expected_info) {
  static int fd = -1;
  static char path[64];
  if (fd < 0) {
    fd = memfd_create("fuzz_probe", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  }
  FUZZ_CHECK(ftruncate(fd, (off_t)size) == 0);
  FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
  fc_image_info info;
  int detail;
  const fc_status status = fc_probe_file(path, limits, 1, &info, &detail);
  FUZZ_CHECK(detail == 0);
  if (expected == FC_E_SCANS) return;
  FUZZ_CHECK(status == expected && is_same(&info, expected_info));
  FUZZ_CHECK(fc_probe_file(path, limits, 0, &info, &detail) != FC_E_IO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fc_limits tight = {.max_pixels = 1000, .max_bytes = 300, .max_scans = 2};
  static const fc_limits wide = {.max_pixels = INT64_MAX, .max_scans = INT32_MAX - 1};
  static const fc_limits *const choices[4] = {&fc_default_limits, &wide, &tight,
                                              &fc_default_limits};
  if (size == 0) return 0;
  fuzz_choice choice = {data, size};
  const int32_t bits = fuzz_pick(&choice, 0, 0xffff);
  const fc_limits *limits = choices[bits & 3];
  uint8_t *exact = fuzz_exact_copy(data, size);
  fc_image_info info;
  const fc_status status = fc_probe_bytes(exact, size, limits, &info);
  FUZZ_CHECK(status >= FC_OK && status < FC_STATUS_COUNT);
  FUZZ_CHECK(status != FC_E_ARGUMENT && status != FC_PENDING && status != FC_E_NOMEM);
  if (status == FC_OK) {
    check_info(&info, size, limits);
    check_scratch(&info, limits, bits & 4 ? 4 : 1);
  }
  if ((bits >> 3 & 127) == 0) check_file(exact, size, limits, status, &info);
  free(exact);
  return 0;
}
