/* field_pixels.h: from doubles to pixels, distances of trajectories, bins; the second part of
 * the template in field_kernels.h, which includes it. */

/* ---- rows of pixels -------------------------------------------------------------------------- */

typedef struct pixel_rule {
  VD scale, offset, low, high, limit;
} pixel_rule;

FIELD_INLINE VD pixel_of(const pixel_rule *by, VD value, const int rule, const int wide) {
  if (rule == FC_PIXEL_BELOW) return vd_below(value, by->limit, by->high, by->low);
  if (rule == FC_PIXEL_ROOT || (rule == FC_PIXEL_FLOAT_ROOT && wide)) return vd_sqrt(value);
  if (rule == FC_PIXEL_FLOAT_ROOT) return value;
  value = vd_add(vd_mul(value, by->scale), by->offset);
  return vd_max(vd_min(value, by->high), by->low);
}

#define FEW (VF_N / VD_N) /* vectors of double that fill one of float */
#define PUT_WIDE(PUT, out, made, rule, streaming) PUT(out, made, streaming)
#define PUT_NARROW(PUT, out, made, rule, streaming)                      \
  do {                                                                   \
    enum { NARROW = sizeof(made) / sizeof(VD) / FEW };                   \
    VF narrow[NARROW];                                                   \
    for (int k = 0; k < NARROW; k++) {                                   \
      narrow[k] = vf_of_vd(made + k * FEW);                              \
      if ((rule) == FC_PIXEL_FLOAT_ROOT) narrow[k] = vf_sqrt(narrow[k]); \
    }                                                                    \
    PUT(out, narrow, streaming);                                         \
  } while (0)

/* DOUBLES: vectors of double that become one vector of pixels. */
#define PIXELS(NAME_, DOUBLES, BYTES, PUT, PUT_AS, wide)                                   \
  FIELD_INLINE void NAME_##_unit(const pixel_rule *by, const double *value, uint8_t *out,  \
                                 const int rule, const int streaming) {                    \
    VD made[DOUBLES];                                                                      \
    for (int k = 0; k < (DOUBLES); k++)                                                    \
      made[k] = pixel_of(by, vd_loadu(value + k * VD_N), rule, wide);                      \
    PUT_AS(PUT, out, made, rule, streaming);                                               \
  }                                                                                        \
  FIELD_INLINE void NAME_##_run(const fc_pixels *p, uint8_t *out, const int rule,          \
                                const int streaming) {                                     \
    enum { STEP = (DOUBLES)*VD_N };                                                        \
    const pixel_rule by = {.scale = vd_set(p->scale),                                      \
                           .offset = vd_set(p->offset),                                    \
                           .low = vd_set(p->low),                                          \
                           .high = vd_set(p->high),                                        \
                           .limit = vd_set(p->limit)};                                     \
    const double *value = p->value;                                                        \
    const int64_t count = p->count;                                                        \
    int64_t j = 0;                                                                         \
    for (; j + STEP <= count; j += STEP)                                                   \
      NAME_##_unit(&by, value + j, out + j * (BYTES), rule, streaming);                    \
    if (j >= count) return;                                                                \
    _Alignas(VECTOR) uint8_t last[VECTOR];                                                 \
    NAME_##_unit(&by, value + j, last, rule, 0);                                           \
    memcpy(out + j * (BYTES), last, (size_t)((count - j) * (BYTES)));                      \
  }                                                                                        \
  FIELD_INLINE void NAME_##_ruled(const fc_pixels *p, uint8_t *out, const int streaming) { \
    if (p->rule == FC_PIXEL_BELOW)                                                         \
      NAME_##_run(p, out, FC_PIXEL_BELOW, streaming);                                      \
    else if (p->rule == FC_PIXEL_ROOT)                                                     \
      NAME_##_run(p, out, FC_PIXEL_ROOT, streaming);                                       \
    else if (p->rule == FC_PIXEL_FLOAT_ROOT)                                               \
      NAME_##_run(p, out, FC_PIXEL_FLOAT_ROOT, streaming);                                 \
    else                                                                                   \
      NAME_##_run(p, out, FC_PIXEL_SCALED, streaming);                                     \
  }                                                                                        \
  TARGET static void NAME_(const fc_pixels *p, uint8_t *out, int streaming) {              \
    if (streaming)                                                                         \
      NAME_##_ruled(p, out, 1);                                                            \
    else                                                                                   \
      NAME_##_ruled(p, out, 0);                                                            \
  }

PIXELS(pixels_f64, 1, 8, put_f64, PUT_WIDE, 1)
PIXELS(pixels_f32, FEW, 4, put_f32, PUT_NARROW, 0)
PIXELS(pixels_f16, HALF_UNIT *FEW, 2, put_f16, PUT_NARROW, 0)
PIXELS(pixels_bf16, HALF_UNIT *FEW, 2, put_bf16, PUT_NARROW, 0)
PIXELS(pixels_u16, HALF_UNIT *FEW, 2, put_u16, PUT_NARROW, 0)
PIXELS(pixels_u8, BYTE_UNIT *FEW, 1, put_u8, PUT_NARROW, 0)
#undef FEW

/* ---- distances ------------------------------------------------------------------------------- */

FIELD_INLINE void distances_of(const fc_trajectories *of, int64_t from, int64_t first, int64_t end,
                               double *out, const int one, const int split) {
  const int64_t steps = one ? 1 : of->dimension, delay = of->delay;
  for (int64_t j = first; j < end; j += WAYS * VD_N, out += WAYS * VD_N) {
    VD sum[WAYS];
    for (int way = 0; way < WAYS; way++) sum[way] = vd_set(0);
    const double *here = of->high + from, *there = of->high + j;
    const double *low = split ? of->low + from : NULL, *lows = split ? of->low + j : NULL;
    for (int64_t d = 0; d < steps; d++) {
      const VD mine = vd_set(*here), rest = split ? vd_set(*low) : mine;
      for (int way = 0; way < WAYS; way++) {
        VD apart = vd_sub(mine, vd_loadu(there + way * VD_N));
        if (split) apart = vd_add(apart, vd_sub(rest, vd_loadu(lows + way * VD_N)));
        if (one)
          sum[way] = vd_max(apart, vd_sub(vd_set(0), apart));
        else
          sum[way] = vd_add(sum[way], vd_mul(apart, apart));
      }
      here += delay, there += delay;
      if (split) low += delay, lows += delay;
    }
    for (int way = 0; way < WAYS; way++) vd_store(out + way * VD_N, sum[way]);
  }
}

TARGET static void distances(const fc_trajectories *of, int64_t from, int64_t first, int64_t end,
                             double *out) {
  if (of->dimension == 1 && !of->low)
    distances_of(of, from, first, end, out, 1, 0);
  else if (of->dimension == 1)
    distances_of(of, from, first, end, out, 1, 1);
  else if (!of->low)
    distances_of(of, from, first, end, out, 0, 0);
  else
    distances_of(of, from, first, end, out, 0, 1);
}

/* ---- bins, sums of rows ---------------------------------------------------------------------- */

TARGET static void bins(const double *values, int64_t count, double times, const double *edge,
                        int32_t edges, int32_t *bin) {
  const VD one = vd_set(1), none = vd_set(0), by = vd_set(times);
  int64_t i = 0;
  for (; i + VD_N <= count; i += VD_N) {
    const VD value = vd_mul(vd_loadu(values + i), by);
    VD sum = none;
    double lanes[VD_N];
    for (int32_t k = 0; k < edges; k++)
      sum = vd_add(sum, vd_below(vd_set(edge[k]), value, one, none));
    vd_store(lanes, sum);
    for (int lane = 0; lane < VD_N; lane++) bin[i + lane] = (int32_t)lanes[lane];
  }
  for (; i < count; i++) {
    bin[i] = 0;
    for (int32_t k = 0; k < edges; k++) bin[i] += edge[k] < values[i] * times;
  }
}

TARGET static void sum_rows(const double *table, int64_t stride, const int32_t *which,
                            int64_t count, int64_t columns, double *sums) {
  for (int64_t j = 0; j < columns; j += WAYS * VD_N) {
    VD sum[WAYS];
    for (int way = 0; way < WAYS; way++) sum[way] = vd_set(0);
    for (int64_t r = 0; r < count; r++)
      for (int way = 0; way < WAYS; way++)
        sum[way] = vd_add(sum[way], vd_loadu(table + which[r] * stride + j + way * VD_N));
    for (int way = 0; way < WAYS; way++) vd_store(sums + j + way * VD_N, sum[way]);
  }
}
