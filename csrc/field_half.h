/* field_half.h: 16-bit floating point numbers without hardware for them. */
#ifndef FC_FIELD_HALF_H
#define FC_FIELD_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t fc_float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float fc_float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Upper half of a finite float, rounded half to even. */
static inline uint16_t fc_bfloat16_of(float value) {
  const uint32_t bits = fc_float_bits(value);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* IEEE 754 binary16 of a finite float, rounded half to even; too large ones become infinite. */
static inline uint16_t fc_half_of(float value) {
  const uint32_t bits = fc_float_bits(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  if (size >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  if (size < 0x38800000) {
    /* Subnormal: adding 0.5 moves the last place of the result to that of the sum, which is then
     * rounded by the addition. */
    const float sum = fc_float_of_bits(size) + 0.5f;
    return (uint16_t)(sign | (fc_float_bits(sum) - 0x3f000000));
  }
  return (uint16_t)(sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13);
}

static inline double fc_double_of_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00) return fc_float_of_bits(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  if (rest >= 0x400) return fc_float_of_bits(sign | ((rest << 13) + 0x38000000));
  const float size = (float)rest * 0x1p-24f;
  return sign ? -size : size;
}

#endif
