/* fuzz_png.c: libFuzzer target for PNG decode, orientation and resampling. */
#include "fuzz_decode.h"
#include "png_mutator.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
  return png_mutate(data, size, capacity, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) fuzz_image(FC_FORMAT_PNG, data, size);
  return 0;
}
