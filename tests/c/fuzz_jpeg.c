/* fuzz_jpeg.c: libFuzzer target for JPEG decode, orientation and resampling. */
#include "fuzz_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) fuzz_image(FC_FORMAT_JPEG, data, size);
  return 0;
}
