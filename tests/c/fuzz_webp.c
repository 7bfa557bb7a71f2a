/* fuzz_webp.c: libFuzzer target for WebP decode, orientation and resampling. */
#include "fuzz_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
    fuzz_image(FC_FORMAT_WEBP, data, size);
  return 0;
}
