/* field_kernels.h: the arithmetic of fields, written once for vectors of any width.
 *
 * field_scalar.c, field_avx2.c and field_avx512.c say what a vector is there, and include this
 * file. No step fuses a product with a sum, and none depends on the width, so results are the same
 * bits everywhere.  What the including file defines:
 *
 *   TARGET, NAME            attribute of its functions, name of its table
 *   VF, VF_N, vf_…          vector of float: loadu, store, set, add, sub, mul, min, max
 *   VD, VD_N, vd_…          vector of double: the same, sqrt
 *   vd_least, vd_most, vd_is_zero   of all values of a vector; the order of equals does not matter
 *   vd_of_floats            VD_N floats in memory as doubles
 *   vf_of_vd                as many vectors of double as fill one of float, rounded
 *   vf_mix, vd_mix          the first n values of one vector, the rest of another
 *   vd_below                one vector where a < b, another elsewhere
 *   HALF_UNIT, …, VECTOR    vectors of float in an output vector of each type; its bytes
 *   STREAMS                 whether stores can pass the cache
 *   put_f64, put_f32, put_f16, put_bf16, put_u16, put_u8    (out, vectors, streaming)
 */

#define FIELD_INLINE static inline __attribute__((always_inline)) TARGET
#define WAYS 4 /* independent running minima: one alone would wait for itself */

/* ---- rows of an image ------------------------------------------------------------------------ */

/* All rows are one run of pixels, written in whole aligned vectors: where a row ends within one,
 * its last pixels are those of the next row, whose columns go on behind the last (see fc_outer).
 * `clamp`: for types whose conversion does not end at the range by itself.  What a loop needs is
 * held in variables of its own: for all that the compiler knows, the output could be `outer`. */
#define OUTER(NAME_, REAL, VREAL, V, N, UNIT, BYTES, PUT, COMBINE, clamp)                        \
  typedef struct NAME_##_row {                                                                   \
    const REAL *along, *across;                                                                  \
    VREAL left, right, offset, low, high;                                                        \
  } NAME_##_row;                                                                                 \
  /* Pixels from `column` on; those from column number `end` on with the factors of `next`. */   \
  FIELD_INLINE void NAME_##_unit(const NAME_##_row *row, const NAME_##_row *next, size_t column, \
                                 int64_t end, uint8_t *out, const int streaming) {               \
    VREAL made[UNIT];                                                                            \
    for (int k = 0; k < (UNIT); k++) {                                                           \
      const size_t at = column + (size_t)(k * (N));                                              \
      VREAL left = row->left, right = row->right;                                                \
      if (next) {                                                                                \
        const int64_t own = end - (int64_t)at;                                                   \
        if (own <= 0) {                                                                          \
          left = next->left;                                                                     \
          right = next->right;                                                                   \
        } else if (own < (N)) {                                                                  \
          left = V##_mix(left, next->left, (int)own);                                            \
          right = V##_mix(right, next->right, (int)own);                                         \
        }                                                                                        \
      }                                                                                          \
      made[k] = COMBINE(left, V##_loadu(row->along + at), right, V##_loadu(row->across + at));   \
      made[k] = V##_add(made[k], row->offset);                                                   \
      if (clamp) made[k] = V##_max(V##_min(made[k], row->high), row->low);                       \
    }                                                                                            \
    PUT(out, made, streaming);                                                                   \
  }                                                                                              \
  /* Some pixels of one row, fewer than fill a vector. */                                        \
  FIELD_INLINE void NAME_##_some(const NAME_##_row *row, size_t column, size_t count,            \
                                 uint8_t *out) {                                                 \
    _Alignas(VECTOR) uint8_t made[VECTOR];                                                       \
    NAME_##_unit(row, NULL, column, 0, made, 0);                                                 \
    memcpy(out, made, count *(BYTES));                                                           \
  }                                                                                              \
  FIELD_INLINE void NAME_##_run(const fc_outer *o, uint8_t *out, const int streaming) {          \
    const size_t columns = (size_t)o->columns, step = (UNIT) * (N);                              \
    const REAL *left = o->left, *right = o->right;                                               \
    const int64_t rows = o->rows;                                                                \
    NAME_##_row row = {.along = o->along,                                                        \
                       .across = o->across,                                                      \
                       .left = V##_set(left[0]),                                                 \
                       .right = V##_set(right[0]),                                               \
                       .offset = V##_set((REAL)o->offset),                                       \
                       .low = V##_set((REAL)o->low),                                             \
                       .high = V##_set((REAL)o->high)};                                          \
    NAME_##_row next = row;                                                                      \
    size_t j = 0;                                                                                \
    /* Through the cache, lines may be crossed: that costs less than the rows' seams would. */   \
    const int seams = streaming || columns % step != 0;                                          \
    if (columns >= step && seams && (j = -(uintptr_t)out % (step * (BYTES)) / (BYTES)) > 0) {    \
      NAME_##_some(&row, 0, j, out);                                                             \
      out += j * (BYTES);                                                                        \
    }                                                                                            \
    if (j == 0 && columns % step == 0) {                                                         \
      for (int64_t i = 0; i < rows; i++) {                                                       \
        row.left = V##_set(left[i]);                                                             \
        row.right = V##_set(right[i]);                                                           \
        for (size_t at = 0; at < columns; at += step, out += step * (BYTES))                     \
          NAME_##_unit(&row, NULL, at, 0, out, streaming);                                       \
      }                                                                                          \
      return;                                                                                    \
    }                                                                                            \
    for (int64_t i = 0; i < rows; i++) {                                                         \
      for (; j + step <= columns; j += step, out += step * (BYTES))                              \
        NAME_##_unit(&row, NULL, j, 0, out, streaming);                                          \
      const size_t rest = columns - j, more = i + 1 < rows;                                      \
      next.left = V##_set(left[i + more]);                                                       \
      next.right = V##_set(right[i + more]);                                                     \
      j = 0;                                                                                     \
      if (rest > 0 && more && columns >= step) {                                                 \
        NAME_##_unit(&row, &next, columns - rest, (int64_t)columns, out, streaming);             \
        out += step * (BYTES);                                                                   \
        j = step - rest;                                                                         \
      } else if (rest > 0) {                                                                     \
        NAME_##_some(&row, columns - rest, rest, out);                                           \
        out += rest * (BYTES);                                                                   \
      }                                                                                          \
      row = next;                                                                                \
    }                                                                                            \
  }                                                                                              \
  TARGET static void NAME_(const fc_outer *o, uint8_t *out, int streaming) {                     \
    if (streaming)                                                                               \
      NAME_##_run(o, out, 1);                                                                    \
    else                                                                                         \
      NAME_##_run(o, out, 0);                                                                    \
  }

#define VD_COMBINE(a, b, c, d) vd_sub(vd_mul(a, b), vd_mul(c, d))
#define VF_COMBINE(a, b, c, d) vf_sub(vf_mul(a, b), vf_mul(c, d))
OUTER(outer_f64, double, VD, vd, VD_N, 1, 8, put_f64, VD_COMBINE, 1)
OUTER(outer_f32, float, VF, vf, VF_N, 1, 4, put_f32, VF_COMBINE, 1)
OUTER(outer_f16, float, VF, vf, VF_N, HALF_UNIT, 2, put_f16, VF_COMBINE, 1)
OUTER(outer_bf16, float, VF, vf, VF_N, HALF_UNIT, 2, put_bf16, VF_COMBINE, 1)
OUTER(outer_u16, float, VF, vf, VF_N, HALF_UNIT, 2, put_u16, VF_COMBINE, 0)
OUTER(outer_u8, float, VF, vf, VF_N, BYTE_UNIT, 1, put_u8, VF_COMBINE, 0)

#include "field_pixels.h"

/* ---- from a series to factors ---------------------------------------------------------------- */

typedef struct running {
  VD low[WAYS], high[WAYS], rest[WAYS];
} running;

FIELD_INLINE void take(running *r, int way, VD value) {
  r->low[way] = vd_min(value, r->low[way]);
  r->high[way] = vd_max(value, r->high[way]);
  /* 0, and NaN for ever once a value is infinite or NaN itself. */
  r->rest[way] = vd_add(r->rest[way], vd_sub(value, value));
}

FIELD_INLINE fc_extent finish(running *r) {
  for (int way = 1; way < WAYS; way++) {
    r->low[0] = vd_min(r->low[way], r->low[0]);
    r->high[0] = vd_max(r->high[way], r->high[0]);
    r->rest[0] = vd_add(r->rest[way], r->rest[0]);
  }
  const fc_extent found = {vd_least(r->low[0]), vd_most(r->high[0]), vd_is_zero(r->rest[0])};
  return found;
}

TARGET static fc_extent extent(const double *values, int64_t count) {
  running r;
  for (int way = 0; way < WAYS; way++) {
    r.low[way] = r.high[way] = vd_set(values[0]);
    r.rest[way] = vd_set(0);
  }
  int64_t i = 0;
  for (; i + WAYS * VD_N <= count; i += WAYS * VD_N)
    for (int way = 0; way < WAYS; way++) take(&r, way, vd_loadu(values + i + way * VD_N));
  for (; i + VD_N <= count; i += VD_N) take(&r, 0, vd_loadu(values + i));
  fc_extent found = finish(&r);
  for (; i < count; i++) {
    found.low = FC_MIN(values[i], found.low);
    found.high = FC_MAX(values[i], found.high);
    found.finite &= values[i] - values[i] == 0;
  }
  return found;
}

TARGET static void doubles_of_floats(const float *values, int64_t count, double *doubles) {
  int64_t i = 0;
  for (; i + VD_N <= count; i += VD_N) vd_store(doubles + i, vd_of_floats(values + i));
  for (; i < count; i++) doubles[i] = values[i];
}

typedef struct angle_scale {
  VD base, scale, shift, low, high;
} angle_scale;

/* The cosine of a value, and the square of its sine. */
FIELD_INLINE void angle_of(const angle_scale *by, VD value, const int centre, VD *c, VD *square) {
  const VD one = vd_set(1);
  if (centre) value = vd_sub(value, by->base);
  *c = vd_add(vd_mul(value, by->scale), by->shift);
  *c = vd_max(vd_min(*c, by->high), by->low);
  *square = vd_max(vd_min(vd_sub(one, vd_mul(*c, *c)), one), vd_set(0));
}

/* Roots of float are taken in float: they cost half, and are off by a quarter of a rounding more.
 */
FIELD_INLINE void angles_of(const fc_angles *a, const int centre, const int wide) {
  enum { FEW = VF_N / VD_N };
  const angle_scale by = {.base = vd_set(a->base),
                          .scale = vd_set(a->scale),
                          .shift = vd_set(a->shift),
                          .low = vd_set(a->low),
                          .high = vd_set(a->high)};
  const VD gain = vd_set(a->gain), power = vd_set(a->gain * a->gain);
  const int64_t count = a->count, end = count + a->more;
  const double *value = a->value;
  float *cosine = a->cosine, *sine = a->sine;
  double *cosines = a->cosine, *sines = a->sine;
  for (int64_t i = 0; i < end; i += VF_N) {
    double around[VF_N];
    int64_t at = i < count ? i : i % count;
    const double *from = value + at;
    if (at + VF_N > count) {
      from = around;
      for (int k = 0; k < VF_N; k++, at = at + 1 < count ? at + 1 : 0) around[k] = value[at];
    }
    VD c[FEW], square[FEW];
    for (int k = 0; k < FEW; k++) {
      angle_of(&by, vd_loadu(from + k * VD_N), centre, &c[k], &square[k]);
      c[k] = vd_mul(c[k], gain);
      square[k] = vd_mul(square[k], power);
    }
    if (!wide) {
      vf_store(cosine + i, vf_of_vd(c));
      vf_store(sine + i, vf_sqrt(vf_of_vd(square)));
      continue;
    }
    for (int k = 0; k < FEW; k++) {
      vd_store(cosines + i + k * VD_N, c[k]);
      vd_store(sines + i + k * VD_N, vd_sqrt(square[k]));
    }
  }
}

TARGET static void angles(const fc_angles *a) {
  if (a->centre) {
    if (a->wide)
      angles_of(a, 1, 1);
    else
      angles_of(a, 1, 0);
  } else if (a->wide) {
    angles_of(a, 0, 1);
  } else {
    angles_of(a, 0, 0);
  }
}

const fc_field_kernels NAME = {
    .extent = extent,
    .doubles_of_floats = doubles_of_floats,
    .angles = angles,
    .outer = {[FC_FLOAT64] = outer_f64,
              [FC_FLOAT32] = outer_f32,
              [FC_FLOAT16] = outer_f16,
              [FC_BFLOAT16] = outer_bf16,
              [FC_UINT16] = outer_u16,
              [FC_UINT8] = outer_u8},
    .pixels = {[FC_FLOAT64] = pixels_f64,
               [FC_FLOAT32] = pixels_f32,
               [FC_FLOAT16] = pixels_f16,
               [FC_BFLOAT16] = pixels_bf16,
               [FC_UINT16] = pixels_u16,
               [FC_UINT8] = pixels_u8},
    .distances = distances,
    .bins = bins,
    .sum_rows = sum_rows,
    .step = {[FC_FLOAT64] = VD_N,
             [FC_FLOAT32] = VF_N,
             [FC_FLOAT16] = HALF_UNIT * VF_N,
             [FC_BFLOAT16] = HALF_UNIT * VF_N,
             [FC_UINT16] = HALF_UNIT * VF_N,
             [FC_UINT8] = BYTE_UNIT * VF_N},
    .streams = STREAMS,
};
