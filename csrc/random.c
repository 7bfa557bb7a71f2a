/* random.c: random numbers that depend on who asks, and on nothing else.
 *
 * Philox is a cipher of counters: equal counters under equal keys give equal numbers, without any
 * state that threads would have to share.  A key of ours has more bits than one call takes, so it
 * goes in twice: seed and epoch, enciphered, are the key under which sample, occurrence and step
 * are enciphered; half of that is the key of the numbers themselves, the other half stands beside
 * the number of the block.  For one seed and epoch no two steps of samples can share a number,
 * since enciphering is one to one. */
#include <math.h>

#include "draw.h"

#define TWO_PI 6.283185307179586

void fc_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
  uint32_t k = key[0], l = key[1];
  for (int round = 0; round < FC_PHILOX_ROUNDS; round++) {
    fc_philox_round(&a, &b, &c, &d, k, l);
    k += FC_PHILOX_KEY_0;
    l += FC_PHILOX_KEY_1;
  }
  out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

fc_random_epoch fc_random_of_epoch(const fc_key *key) {
  const uint32_t whose[4] = {(uint32_t)key->seed, (uint32_t)(key->seed >> 32), (uint32_t)key->epoch,
                             (uint32_t)(key->epoch >> 32)};
  const uint32_t none[2] = {0, 0};
  uint32_t out[4];
  fc_philox(whose, none, out);
  return (fc_random_epoch){.key = {out[0], out[1]}};
}

void fc_random_start(fc_random *random, const fc_random_epoch *epoch, const fc_key *key,
                     uint32_t step) {
  const uint32_t which[4] = {(uint32_t)key->sample, (uint32_t)(key->sample >> 32), key->occurrence,
                             step};
  uint32_t out[4];
  fc_philox(which, epoch->key, out);
  *random = (fc_random){.key = {out[0], out[1]}, .counter = {0, 0, out[2], out[3]}};
}

void fc_random_begin(fc_random *random, const fc_key *key, uint32_t step) {
  const fc_random_epoch epoch = fc_random_of_epoch(key);
  fc_random_start(random, &epoch, key, step);
}

uint32_t fc_random_bits(fc_random *random) {
  if (!random->left) {
    fc_philox(random->counter, random->key, random->word);
    if (!++random->counter[0]) random->counter[1]++;
    random->left = 4;
  }
  return random->word[4 - random->left--];
}

double fc_random_uniform(fc_random *random) {
  const uint64_t high = fc_random_bits(random), low = fc_random_bits(random);
  return (double)((high << 32 | low) >> 11) * 0x1p-53;
}

/* D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29, 2019: the upper half
 * of a product, unless its lower half is one of the few that would make some numbers likelier. */
int32_t fc_random_below(fc_random *random, int32_t count) {
  if (count < 1) return 0;
  const uint32_t n = (uint32_t)count;
  uint64_t product = (uint64_t)fc_random_bits(random) * n;
  if ((uint32_t)product < n) {
    const uint32_t surplus = (0u - n) % n;
    while ((uint32_t)product < surplus) product = (uint64_t)fc_random_bits(random) * n;
  }
  return (int32_t)(product >> 32);
}

/* G. Box and M. Muller, "A note on the generation of random normal deviates", Annals of
 * Mathematical Statistics 29, 1958.  The second number of the pair is not kept: a number then
 * always takes four words, whoever drew before. */
double fc_random_normal(fc_random *random) {
  const double radius = sqrt(-2.0 * log(1.0 - fc_random_uniform(random)));
  return radius * cos(TWO_PI * fc_random_uniform(random));
}

/* G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26,
 * 2000; for shapes of at least 1. */
static double gamma_of_one_or_more(fc_random *random, double shape) {
  const double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
  for (;;) {
    const double x = fc_random_normal(random), root = 1.0 + c * x;
    const double u = 1.0 - fc_random_uniform(random);
    if (root <= 0) continue;
    const double v = root * root * root;
    if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
  }
}

/* Of a smaller shape as the logarithm: the number itself is often too small for a double. */
static double log_gamma(fc_random *random, double shape) {
  if (shape >= 1.0) return log(gamma_of_one_or_more(random, shape));
  const double above = log(gamma_of_one_or_more(random, shape + 1.0));
  return above + log(1.0 - fc_random_uniform(random)) / shape;
}

static int is_shape(double shape) {
  return shape >= FC_LEAST_SHAPE && shape <= FC_MOST_SHAPE;
}

double fc_random_gamma(fc_random *random, double shape) {
  if (!is_shape(shape)) return NAN;
  return shape >= 1.0 ? gamma_of_one_or_more(random, shape) : exp(log_gamma(random, shape));
}

double fc_random_beta(fc_random *random, double a, double b) {
  if (!is_shape(a) || !is_shape(b)) return NAN;
  const double x = log_gamma(random, a), y = log_gamma(random, b);
  return 1.0 / (1.0 + exp(y - x));
}
