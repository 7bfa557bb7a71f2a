/* tint_kernels.h: the arithmetic of colours, written once for vectors of any width.
 *
 * tint_scalar.c, tint_avx2.c and tint_avx512.c say what a vector is there, and include this file.
 * All steps are the same single operations everywhere, so results are the same bits.  What the
 * including file defines:
 *
 *   TARGET, RUN          attribute of its functions, name of the one that it offers
 *   VF, VF_N             vector of float; how many
 *   vf_load, vf_store    aligned
 *   vf_set, vf_add, vf_sub, vf_mul, vf_div
 *   vf_fma               a * b + c, rounded once
 *   vf_min, vf_max       the second where one is no number
 *   vf_floor, vf_trunc
 *   vf_first             the first n values, 0 for the rest
 *   hue_parts            which two distances (none above 0) make up the hue, counted from where:
 *                        the first of red, green, blue that is 0 decides
 *   hue_choice, hue_choose, hue_between, hue_red, hue_green, hue_blue
 *                        see fc_hue_sixths
 *   load_rgb, load_rgba, load_grey      VF_N pixels as planes
 *   store_rgb, store_rgba, store_grey   and back; what is beside them, alpha too, stays
 */

#define INLINE static inline __attribute__((always_inline)) TARGET

typedef struct planes {
  _Alignas(64) float red[FC_TINT_BLOCK], green[FC_TINT_BLOCK], blue[FC_TINT_BLOCK];
} planes;

#define EACH for (size_t i = 0; i < count; i += VF_N)

/* ---- bytes and planes ------------------------------------------------------------------------ */

INLINE void load_vector(planes *p, size_t i, const uint8_t *pixels, const int channels) {
  if (channels == 1)
    load_grey(pixels, p->red + i);
  else if (channels == 3)
    load_rgb(pixels, p->red + i, p->green + i, p->blue + i);
  else
    load_rgba(pixels, p->red + i, p->green + i, p->blue + i);
}

INLINE void store_vector(const planes *p, size_t i, uint8_t *pixels, const int channels) {
  if (channels == 1)
    store_grey(pixels, p->red + i);
  else if (channels == 3)
    store_rgb(pixels, p->red + i, p->green + i, p->blue + i);
  else
    store_rgba(pixels, p->red + i, p->green + i, p->blue + i);
}

/* The last vector may be wider than what is left: then its other pixels are black. */
INLINE void load_block(planes *p, const uint8_t *pixels, size_t count, const int channels) {
  size_t i = 0;
  for (; i + VF_N <= count; i += VF_N) load_vector(p, i, pixels + i * (size_t)channels, channels);
  if (i == count) return;
  uint8_t whole[VF_N * 4] = {0};
  memcpy(whole, pixels + i * (size_t)channels, (count - i) * (size_t)channels);
  load_vector(p, i, whole, channels);
}

INLINE void store_block(const planes *p, uint8_t *pixels, size_t count, const int channels) {
  size_t i = 0;
  for (; i + VF_N <= count; i += VF_N) store_vector(p, i, pixels + i * (size_t)channels, channels);
  if (i == count) return;
  uint8_t whole[VF_N * 4] = {0};
  const size_t bytes = (count - i) * (size_t)channels;
  memcpy(whole, pixels + i * (size_t)channels, bytes);
  store_vector(p, i, whole, channels);
  memcpy(pixels + i * (size_t)channels, whole, bytes);
}

/* ---- pointwise ------------------------------------------------------------------------------- */

/* Cut to a byte's range, and down to a whole number. */
INLINE VF whole(VF value) {
  return vf_trunc(vf_min(vf_max(value, vf_set(0)), vf_set(255)));
}

/* The twin's weights: their sum is 0.9999, so that white becomes 254. */
INLINE VF grey_of(VF red, VF green, VF blue) {
  const VF sum = vf_fma(green, vf_set(0.587f), vf_mul(red, vf_set(0.2989f)));
  return vf_trunc(vf_fma(blue, vf_set(0.114f), sum));
}

TARGET static void brightness(float *plane, size_t count, const fc_tint *tint) {
  const VF amount = vf_set(tint->amount);
  EACH vf_store(plane + i, vf_trunc(vf_min(vf_mul(vf_load(plane + i), amount), vf_set(255))));
}

TARGET static void contrast(float *plane, size_t count, const fc_tint *tint) {
  const VF amount = vf_set(tint->amount), rest = vf_set(tint->rest), mean = vf_set(tint->mean);
  EACH vf_store(plane + i, whole(vf_fma(mean, rest, vf_mul(vf_load(plane + i), amount))));
}

TARGET static void saturation(planes *p, size_t count, const fc_tint *tint) {
  const VF amount = vf_set(tint->amount), rest = vf_set(tint->rest);
  EACH {
    const VF red = vf_load(p->red + i), green = vf_load(p->green + i), blue = vf_load(p->blue + i);
    const VF grey = grey_of(red, green, blue);
    vf_store(p->red + i, whole(vf_fma(grey, rest, vf_mul(red, amount))));
    vf_store(p->green + i, whole(vf_fma(grey, rest, vf_mul(green, amount))));
    vf_store(p->blue + i, whole(vf_fma(grey, rest, vf_mul(blue, amount))));
  }
}

TARGET static void without_colour(planes *p, size_t count) {
  EACH {
    const VF grey = grey_of(vf_load(p->red + i), vf_load(p->green + i), vf_load(p->blue + i));
    vf_store(p->red + i, grey);
    vf_store(p->green + i, grey);
    vf_store(p->blue + i, grey);
  }
}

/* RGB to HSV (A. R. Smith: Color gamut transform pairs, SIGGRAPH 1978), the hue turned, and back.
 * How far each channel is below the strongest is 0 for one, and the two others make up the hue:
 * they are chosen before they are divided.  `tiny` stands for a range of 0, and for black.  The
 * most and the least of the three come back as they were whatever the twin's roundings do (a test
 * tries all pairs), so only what is between is computed. */
TARGET static void hue(planes *p, size_t count, const fc_tint *tint) {
  const VF unit = vf_set((float)(1.0 / 255)), tiny = vf_set(1e-6f), one = vf_set(1);
  const VF sixth = vf_set((float)(1.0 / 6)), six = vf_set(6), turn = vf_set(tint->amount);
  const VF bytes = vf_set((float)(256 - 1e-3));
  EACH {
    const VF red = vf_load(p->red + i), green = vf_load(p->green + i), blue = vf_load(p->blue + i);
    const VF most = vf_max(vf_max(red, green), blue), light = vf_mul(most, unit);
    const VF least = vf_min(vf_min(red, green), blue);
    const VF range = vf_sub(light, vf_mul(least, unit)), divisor = vf_max(range, tiny);
    VF plus, minus, start;
    hue_parts(vf_sub(vf_mul(red, unit), light), vf_sub(vf_mul(green, unit), light),
              vf_sub(vf_mul(blue, unit), light), &plus, &minus, &start);
    VF h = vf_add(vf_sub(start, vf_div(plus, divisor)), vf_div(minus, divisor));
    h = vf_add(vf_mul(h, sixth), one);
    h = vf_add(vf_sub(h, vf_floor(h)), turn);
    h = vf_mul(vf_sub(h, vf_floor(h)), six);
    const VF sector = vf_floor(h), s = vf_div(range, vf_max(light, tiny));
    const VF part = vf_mul(s, vf_sub(h, sector));
    const hue_choice choice = hue_choose(sector);
    const VF between = hue_between(choice, vf_sub(one, part), vf_add(part, vf_sub(one, s)));
    const VF middle = vf_trunc(vf_mul(vf_mul(between, light), bytes));
    vf_store(p->red + i, hue_red(choice, most, middle, least));
    vf_store(p->green + i, hue_green(choice, most, middle, least));
    vf_store(p->blue + i, hue_blue(choice, most, middle, least));
  }
}

/* ---- together -------------------------------------------------------------------------------- */

/* Sums of a block are whole numbers below 2^24: exact. */
INLINE uint64_t sum_of_grey(const planes *p, size_t count, const int channels) {
  _Alignas(64) float part[VF_N];
  VF total = vf_set(0);
  uint64_t sum = 0;
  EACH {
    VF grey = vf_load(p->red + i);
    if (channels > 1) grey = grey_of(grey, vf_load(p->green + i), vf_load(p->blue + i));
    if (count - i < VF_N) grey = vf_first(grey, (int)(count - i));
    total = vf_add(total, grey);
  }
  vf_store(part, total);
  for (int k = 0; k < VF_N; k++) sum += (uint64_t)part[k];
  return sum;
}

INLINE void apply(planes *p, size_t count, const int channels, const fc_tint *tint) {
  float *const plane[3] = {p->red, p->green, p->blue};
  const int planes_used = channels == 1 ? 1 : 3;
  if (tint->kind == FC_BRIGHTNESS)
    for (int k = 0; k < planes_used; k++) brightness(plane[k], count, tint);
  else if (tint->kind == FC_CONTRAST)
    for (int k = 0; k < planes_used; k++) contrast(plane[k], count, tint);
  else if (tint->kind == FC_SATURATION)
    saturation(p, count, tint);
  else if (tint->kind == FC_HUE)
    hue(p, count, tint);
  else
    without_colour(p, count);
}

INLINE uint64_t run(uint8_t *pixels, size_t count, const int channels, const fc_tint *tints,
                    int number, int measure) {
  planes p;
  uint64_t sum = 0;
  for (size_t done = 0; done < count; done += FC_TINT_BLOCK) {
    const size_t some = FC_MIN(count - done, FC_TINT_BLOCK);
    uint8_t *at = pixels + done * (size_t)channels;
    load_block(&p, at, some, channels);
    for (int k = 0; k < number; k++) apply(&p, some, channels, &tints[k]);
    if (measure) sum += sum_of_grey(&p, some, channels);
    if (number > 0) store_block(&p, at, some, channels);
  }
  return sum;
}

TARGET uint64_t RUN(uint8_t *pixels, size_t count, int channels, const fc_tint *tints, int number,
                    int measure) {
  if (channels == 1) return run(pixels, count, 1, tints, number, measure);
  if (channels == 3) return run(pixels, count, 3, tints, number, measure);
  return run(pixels, count, 4, tints, number, measure);
}
