/* normals.c: many normal numbers, for pixels that are erased with noise.
 *
 * One block of Philox gives two pairs of G. Box and M. Muller (Annals of Mathematical Statistics
 * 29, 1958).  All in float, by polynomials of our own, many blocks side by side, which compilers
 * turn into vector code; since each operation is rounded by itself the bits are the same on every
 * machine, which those of a mathematics library are not. */
#include <math.h>
#include <string.h>

#include "draw.h"

#if defined __GNUC__ && !defined __clang__
/* Nobody reads floating-point exception flags or errno here; while it has to keep them, gcc does
 * not vectorise a choice between two values, nor a root. */
#pragma GCC optimize("no-trapping-math", "no-math-errno")
#endif

/* Blocks at once. */
#define LANES 16
#define HALF_PI 1.57079633f
#if defined __x86_64__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif
#define LN_2 0.693147181f
#define SQRT_2 1.41421356f

/* Numbers of blocks `first`, first + 1, …: words[k][lane]. */
INLINE void many_blocks(const fc_random *random, uint64_t first, uint32_t words[4][LANES]) {
  uint32_t *restrict a = words[0], *restrict b = words[1];
  uint32_t *restrict c = words[2], *restrict d = words[3];
  for (int i = 0; i < LANES; i++) {
    a[i] = (uint32_t)(first + (uint64_t)i);
    b[i] = (uint32_t)((first + (uint64_t)i) >> 32);
    c[i] = random->counter[2];
    d[i] = random->counter[3];
  }
  uint32_t k = random->key[0], l = random->key[1];
  for (int round = 0; round < FC_PHILOX_ROUNDS; round++) {
    for (int i = 0; i < LANES; i++) fc_philox_round(&a[i], &b[i], &c[i], &d[i], k, l);
    k += FC_PHILOX_KEY_0;
    l += FC_PHILOX_KEY_1;
  }
}

/* -2 log(u) for u = (n + 1) / 2^24: by the series of the inverse hyperbolic tangent. */
INLINE float minus_two_log(uint32_t n) {
  const float u = (float)(int32_t)(n + 1);
  uint32_t bits;
  memcpy(&bits, &u, sizeof bits);
  int32_t exponent = (int32_t)(bits >> 23) - 127;
  const uint32_t mantissa = (bits & 0x7fffff) | 0x3f800000;
  float m;
  memcpy(&m, &mantissa, sizeof m);
  const int32_t is_large = m > SQRT_2;
  m = is_large ? 0.5f * m : m;
  exponent += is_large;
  const float s = (m - 1.0f) / (m + 1.0f), q = s * s;
  const float series = 1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9))));
  return -2.0f * ((float)(exponent - 24) * LN_2 + 2.0f * s * series);
}

/* One pair of words to one pair of normal numbers.  The angle: a quarter of the circle, and a place
 * from -pi/4 to pi/4 in it. */
INLINE void pairs(const uint32_t *restrict radii, const uint32_t *restrict angles,
                  float *restrict first, float *restrict second) {
  float radius[LANES];
  for (int i = 0; i < LANES; i++) radius[i] = minus_two_log(radii[i] >> 8);
  /* By itself: for the sake of errno compilers leave loops with roots as they are. */
  for (int i = 0; i < LANES; i++) radius[i] = sqrtf(FC_MAX(radius[i], 0.0f));
  for (int i = 0; i < LANES; i++) {
    const float place = (float)(int32_t)(angles[i] << 2 >> 8) * 0x1p-24f;
    const float x = (place - 0.5f) * HALF_PI, q = x * x;
    const float sine =
        x * (1.0f + q * (-1.0f / 6 + q * (1.0f / 120 + q * (-1.0f / 5040 + q / 362880))));
    const float cosine =
        1.0f + q * (-1.0f / 2 + q * (1.0f / 24 + q * (-1.0f / 720 + q * (1.0f / 40320))));
    const uint32_t quarter = angles[i] >> 30;
    const float a = quarter & 1 ? sine : cosine, b = quarter & 1 ? cosine : sine;
    first[i] = radius[i] * (quarter & 2 ? -a : a);
    second[i] = radius[i] * (quarter & 2 ? -b : b);
  }
}

INLINE void normals_by_lanes(fc_random *random, float *out, size_t count) {
  random->left = 0;
  uint64_t block = random->counter[0] | (uint64_t)random->counter[1] << 32;
  while (count) {
    uint32_t words[4][LANES];
    float normal[4][LANES], mixed[4 * LANES];
    many_blocks(random, block, words);
    pairs(words[0], words[1], normal[0], normal[1]);
    pairs(words[2], words[3], normal[2], normal[3]);
    for (int i = 0; i < LANES; i++)
      for (int k = 0; k < 4; k++) mixed[4 * i + k] = normal[k][i];
    const size_t some = FC_MIN(count, 4 * LANES);
    memcpy(out, mixed, some * sizeof *out);
    out += some;
    count -= some;
    block += (some + 3) / 4;
  }
  random->counter[0] = (uint32_t)block;
  random->counter[1] = (uint32_t)(block >> 32);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void normals_by_avx2(fc_random *random, float *out,
                                                            size_t count) {
  normals_by_lanes(random, out, count);
}

__attribute__((target("avx512f,avx512bw"))) static void normals_by_avx512(fc_random *random,
                                                                          float *out,
                                                                          size_t count) {
  normals_by_lanes(random, out, count);
}
#endif

void fc_random_normals(fc_random *random, float *out, size_t count) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512) {
    normals_by_avx512(random, out, count);
    return;
  }
  if (fc_cpu_get() == FC_CPU_AVX2) {
    normals_by_avx2(random, out, count);
    return;
  }
#endif
  normals_by_lanes(random, out, count);
}
