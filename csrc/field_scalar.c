/* field_scalar.c: fields without vectors: one value at a time, for any processor. */
#include <math.h>
#include <string.h>

#include "field.h"
#include "field_half.h"

#define NAME fc_field_scalar
#define TARGET
#define INLINE static inline __attribute__((always_inline))

typedef float VF;
typedef double VD;
#define VF_N 1
#define VD_N 1
#define HALF_UNIT 1
#define BYTE_UNIT 1
#define VECTOR 8 /* bytes of the largest value */
#define STREAMS 0

/* Minimum and maximum return the second of equals, as the vector instructions do. */
#define REAL_OPERATIONS(V, REAL)               \
  INLINE REAL V##_loadu(const REAL *from) {    \
    return *from;                              \
  }                                            \
  INLINE REAL V##_set(REAL value) {            \
    return value;                              \
  }                                            \
  INLINE REAL V##_add(REAL a, REAL b) {        \
    return a + b;                              \
  }                                            \
  INLINE REAL V##_sub(REAL a, REAL b) {        \
    return a - b;                              \
  }                                            \
  INLINE REAL V##_mul(REAL a, REAL b) {        \
    return a * b;                              \
  }                                            \
  INLINE REAL V##_min(REAL a, REAL b) {        \
    return a < b ? a : b;                      \
  }                                            \
  INLINE REAL V##_max(REAL a, REAL b) {        \
    return a > b ? a : b;                      \
  }                                            \
  INLINE REAL V##_mix(REAL a, REAL b, int n) { \
    return n > 0 ? a : b;                      \
  }

REAL_OPERATIONS(vf, float)
REAL_OPERATIONS(vd, double)

INLINE void vd_store(double *to, double value) {
  *to = value;
}

INLINE float vf_sqrt(float value) {
  return sqrtf(value);
}

INLINE double vd_sqrt(double value) {
  return sqrt(value);
}

INLINE double vd_least(double value) {
  return value;
}

INLINE double vd_most(double value) {
  return value;
}

INLINE int vd_is_zero(double value) {
  return value == 0;
}

INLINE double vd_of_floats(const float *from) {
  return *from;
}

INLINE float vf_of_vd(const double *value) {
  return (float)*value;
}

INLINE void vf_store(float *to, float value) {
  *to = value;
}

/* Outputs may lie anywhere. */
#define PUT(NAME_, REAL, TYPE, MADE)                                   \
  INLINE void NAME_(uint8_t *out, const REAL *values, int streaming) { \
    (void)streaming;                                                   \
    const TYPE made = MADE(*values);                                   \
    memcpy(out, &made, sizeof made);                                   \
  }

/* Half to even, for values from 0 to 65535: the sum has no room for a fraction. */
INLINE uint32_t rounded(float value) {
  return fc_float_bits(value + 0x1.8p23f) & 0x3fffff;
}

#define AS_IT_IS(value) (value)
PUT(put_f64, double, double, AS_IT_IS)
PUT(put_f32, float, float, AS_IT_IS)
PUT(put_f16, float, uint16_t, fc_half_of)
PUT(put_bf16, float, uint16_t, fc_bfloat16_of)
PUT(put_u16, float, uint16_t, (uint16_t)rounded)
PUT(put_u8, float, uint8_t, (uint8_t)rounded)

#include "field_kernels.h"
