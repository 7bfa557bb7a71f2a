/* test_random.c: the generator against its published vectors; numbers of a key are its own, lie
 * where they must and have the moments that they must. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "fastcache_recipe.h"

#define MANY 200000

/* philox4x32, 10 rounds, of Random123's kat_vectors: nothing, all ones, the digits of pi. */
static void test_known_answers(void) {
  static const uint32_t vectors[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
       0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1}};
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    fc_philox(vectors[i], vectors[i] + 4, out);
    for (int k = 0; k < 4; k++) CHECK_INT(out[k], vectors[i][6 + k]);
  }
}

/* Each part of a key matters, upper halves too; equal keys give equal numbers. */
static void test_whose_numbers(void) {
  const fc_key keys[] = {{0},
                         {.seed = 1},
                         {.seed = 1ull << 32},
                         {.epoch = 1},
                         {.epoch = 1ull << 32},
                         {.sample = 1},
                         {.sample = 1ull << 32},
                         {.occurrence = 1}};
  enum { KEYS = sizeof keys / sizeof keys[0], STEPS = 3, ALL = KEYS * STEPS };
  uint32_t first[ALL][4];
  for (int i = 0; i < ALL; i++) {
    fc_random random, again;
    fc_random_begin(&random, &keys[i / STEPS], i % STEPS);
    fc_random_begin(&again, &keys[i / STEPS], i % STEPS);
    for (int k = 0; k < 4; k++) first[i][k] = fc_random_bits(&random);
    for (int k = 0; k < 4; k++) CHECK_INT(fc_random_bits(&again), first[i][k]);
    for (int j = 0; j < i; j++) CHECK(memcmp(first[i], first[j], sizeof first[i]) != 0);
  }
}

static fc_random numbers_of(uint64_t seed) {
  const fc_key key = {.seed = seed};
  fc_random random;
  fc_random_begin(&random, &key, 0);
  return random;
}

/* Behind 2^32 blocks the count goes on in its upper half. */
static void test_long_runs(void) {
  fc_random random = numbers_of(1), other = random;
  random.counter[0] = 0xffffffff;
  for (int k = 0; k < 4; k++) fc_random_bits(&random);
  CHECK_INT(random.counter[0], 0);
  CHECK_INT(random.counter[1], 1);
  CHECK(fc_random_bits(&random) != fc_random_bits(&other));
}

typedef struct moments {
  double mean, variance, least, most;
} moments;

typedef double (*draw_one)(fc_random *random, double a, double b);

static moments moments_of(draw_one draw, double a, double b) {
  fc_random random = numbers_of(7);
  moments m = {.least = INFINITY, .most = -INFINITY};
  double sum = 0, squares = 0;
  for (int i = 0; i < MANY; i++) {
    const double x = draw(&random, a, b);
    sum += x;
    squares += x * x;
    m.least = fmin(m.least, x);
    m.most = fmax(m.most, x);
  }
  m.mean = sum / MANY;
  m.variance = squares / MANY - m.mean * m.mean;
  return m;
}

static double uniform(fc_random *random, double a, double b) {
  (void)a, (void)b;
  return fc_random_uniform(random);
}
static double below(fc_random *random, double a, double b) {
  (void)b;
  return fc_random_below(random, (int32_t)a);
}
static double normal(fc_random *random, double a, double b) {
  (void)a, (void)b;
  return fc_random_normal(random);
}
static double normal_in_float(fc_random *random, double a, double b) {
  (void)a, (void)b;
  float four[4];
  fc_random_normals(random, four, 4);
  return four[fc_random_bits(random) % 4];
}
static double gamma_of(fc_random *random, double a, double b) {
  (void)b;
  return fc_random_gamma(random, a);
}

/* Means within six of their standard deviations: far beyond what a right build shows. */
static void check_moments(const char *what, moments m, double mean, double variance) {
  CHECK_CONTEXT("%s: mean %.4f of %.4f, variance %.4f of %.4f", what, m.mean, mean, m.variance,
                variance);
  CHECK(fabs(m.mean - mean) < 6 * sqrt(variance / MANY));
  CHECK(fabs(m.variance - variance) < 0.05 * variance);
}

static void test_distributions(void) {
  moments m = moments_of(uniform, 0, 0);
  check_moments("uniform", m, 0.5, 1.0 / 12);
  CHECK(m.least >= 0 && m.most < 1);
  check_moments("normal", moments_of(normal, 0, 0), 0, 1);
  check_moments("normal in float", moments_of(normal_in_float, 0, 0), 0, 1);
  const double shapes[] = {0.05, 0.4, 1, 1.7, 30};
  for (int i = 0; i < 5; i++) {
    const double a = shapes[i];
    m = moments_of(gamma_of, a, 0);
    check_moments("gamma", m, a, a);
    CHECK(m.least >= 0);
    for (int j = 0; j < 5; j++) {
      const double b = shapes[j], both = a + b;
      m = moments_of(fc_random_beta, a, b);
      check_moments("beta", m, a / both, a * b / (both * both * (both + 1)));
      CHECK(m.least >= 0 && m.most <= 1);
    }
  }
  CHECK_CONTEXT("%s", "");
}

/* Every number occurs as often as every other: chi-square, whose mean is count - 1.  Of 3 * 2^29
 * numbers a plain remainder or product would give some twice as often. */
static void test_below(void) {
  for (int32_t count = 1; count <= 12; count++) {
    fc_random random = numbers_of((uint64_t)count);
    int seen[12] = {0};
    for (int i = 0; i < MANY; i++) {
      const int32_t at = fc_random_below(&random, count);
      CHECK(at >= 0 && at < count);
      seen[at]++;
    }
    double chi = 0;
    const double expected = (double)MANY / count;
    for (int i = 0; i < count; i++) chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    CHECK(chi < 80);
  }
  const double large = 3 << 29;
  moments m = moments_of(below, large, 0);
  check_moments("below", m, large / 2, large * large / 12);
  fc_random random = numbers_of(3);
  int thirds[3] = {0};
  for (int i = 0; i < MANY; i++) thirds[fc_random_below(&random, 3 << 29) % 3]++;
  for (int i = 0; i < 3; i++) CHECK(abs(thirds[i] - MANY / 3) < 6 * 250);
}

/* Normal numbers in float against the formula in double, from the same words; in pieces of whole
 * blocks as at once; nothing behind their end. */
static void test_normals(void) {
  enum { COUNT = 4 * 500 };
  static float all[COUNT + 1], parts[COUNT + 1];
  fc_random random = numbers_of(5), words = random, again = random;
  all[COUNT] = parts[COUNT] = 77;
  fc_random_normals(&random, all, COUNT);
  for (int at = 0, some; at < COUNT; at += some) {
    some = 4 * (at / 40 % 37) + 4;
    some = some < COUNT - at ? some : COUNT - at;
    fc_random_normals(&again, parts + at, (size_t)some);
  }
  CHECK(!memcmp(all, parts, sizeof all));
  CHECK(all[COUNT] == 77);
  CHECK_INT(fc_random_bits(&random), fc_random_bits(&again));
  const double turn = 6.283185307179586;
  for (int i = 0; i < COUNT; i += 2) {
    const uint32_t first = fc_random_bits(&words), second = fc_random_bits(&words);
    const double radius = sqrt(-2 * log(((first >> 8) + 1) / 0x1p24));
    const double place = ((second & 0x3fffffff) >> 6) / 0x1p24 / 4 - 0.125;
    const double c = cos(turn * place), s = sin(turn * place);
    const unsigned quarter = second >> 30;
    const double sign = quarter & 2 ? -1 : 1;
    CHECK(fabs(all[i] - sign * radius * (quarter & 1 ? s : c)) < 2e-6);
    CHECK(fabs(all[i + 1] - sign * radius * (quarter & 1 ? c : s)) < 2e-6);
  }
  for (size_t count = 0; count < 140; count++) {
    float *some = check_alloc((count + 1) * sizeof *some);
    fc_random_begin(&random, &(fc_key){.seed = 5}, 0);
    fc_random_normals(&random, some, count);
    CHECK(!memcmp(some, all, count * sizeof *some) && some[count] == 0);
    CHECK_INT(random.counter[0], (count + 3) / 4);
    free(some);
  }
  random.counter[0] = 0xffffffff;
  fc_random_normals(&random, parts, 5);
  CHECK_INT(random.counter[0], 1);
  CHECK_INT(random.counter[1], 1);
}

/* What has no meaning ends all the same. */
static void test_nonsense(void) {
  fc_random random = numbers_of(1);
  const double bad[] = {0, -1, NAN, INFINITY, -INFINITY, FC_LEAST_SHAPE / 2};
  for (int i = 0; i < 6; i++) {
    CHECK(isnan(fc_random_gamma(&random, bad[i])));
    CHECK(isnan(fc_random_beta(&random, bad[i], 1)));
    CHECK(isnan(fc_random_beta(&random, 1, bad[i])));
  }
  for (int i = 0; i < 1000; i++) {
    const double tiny = fc_random_beta(&random, FC_LEAST_SHAPE, FC_LEAST_SHAPE);
    CHECK(tiny >= 0 && tiny <= 1);
    const double huge = fc_random_beta(&random, FC_MOST_SHAPE, FC_MOST_SHAPE);
    CHECK(fabs(huge - 0.5) < 1e-9);
  }
  CHECK_INT(fc_random_below(&random, 0), 0);
  CHECK_INT(fc_random_below(&random, INT32_MIN), 0);
}

int main(void) {
  test_known_answers();
  test_whose_numbers();
  test_long_runs();
  test_distributions();
  test_below();
  test_normals();
  test_nonsense();
  return check_result();
}
