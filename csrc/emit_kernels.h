/* emit_kernels.h: rows of floating point numbers, one template for every width of vectors.
 *
 * The file that includes it defines V, VF, LANES, NAME, TARGET, INLINE and the operations on them.
 * A unit's load may run over the end of the row, its stores never do: the last unit begins early
 * and writes again what is there already. */

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

/* Copies of what the emitter holds, which the stores of the loop cannot change: for the compiler to
 * keep in registers, as far as there are enough. */
typedef struct constants {
  VF times[4], low[4], mean[4], by[4], by_low[4];
  V group[4], byte[4];
} constants;

INLINE void set_constants(constants *k, const fc_emitter *e, int flip, const int channels,
                          const int way) {
  const fc_emit_factors *by = &e->factors;
  const fc_emit_order *order = &e->order[flip];
  UNROLL for (int v = 0; v < channels; v++) {
    k->times[v] = vf_load(by->times[v]);
    k->mean[v] = vf_load(by->mean[v]);
    if (way != FC_EMIT_LINE) k->by[v] = vf_load(by->by[v]);
    if (way == FC_EMIT_EXACT) {
      k->low[v] = vf_load(by->low[v]);
      k->by_low[v] = vf_load(by->by_low[v]);
    }
    k->group[v] = v_load(order->group[v]);
    k->byte[v] = v_load(order->byte[v]);
  }
}

INLINE VF scale(VF x, const constants *k, const int v, const int way) {
  if (way == FC_EMIT_LINE) return vf_fma(x, k->times[v], k->mean[v]);
  if (way == FC_EMIT_DIVIDED) return vf_div(vf_sub(vf_div(x, k->times[v]), k->mean[v]), k->by[v]);
  x = vf_sub(vf_fma(x, k->times[v], vf_mul(x, k->low[v])), k->mean[v]);
  return vf_fma(x, k->by[v], vf_mul(x, k->by_low[v]));
}

/* Everything but the places is a constant wherever this is inlined. */
INLINE void unit(const constants *k, const uint8_t *from, uint8_t *const *to, size_t at,
                 const int channels, const int element, const int way, const int streaming) {
  const V bytes = v_load(from);
  UNROLL for (int v = 0; v < channels; v++) {
    const VF x = vf_of_v(v_shuffle(v_permute(bytes, k->group[v]), k->byte[v]));
    const VF value = scale(x, k, v, way);
    if (element == FC_FLOAT32)
      put_f32(to[v] + at, value, streaming);
    else if (element == FC_FLOAT16)
      put_half(to[v] + at, f16_of(value), streaming);
    else
      put_half(to[v] + at, bf16_of(value), streaming);
  }
}

INLINE void run(const fc_emitter *e, const uint8_t *row, int32_t width, int flip,
                uint8_t *const *out, const int streaming, const int channels, const int element,
                const int way) {
  constants k;
  set_constants(&k, e, flip, channels, way);
  const size_t size = element == FC_FLOAT32 ? 4 : 2, planar = (size_t)e->emit.planar;
  const size_t step = planar ? size : size * (size_t)channels; /* from pixel to pixel */
  uint8_t *to[4];
  UNROLL for (int v = 0; v < channels; v++) to[v] =
      planar ? out[v] : out[0] + (size_t)v * LANES * size;
  const ptrdiff_t bytes = channels, on = flip ? -LANES * bytes : LANES * bytes;
  const uint8_t *from = flip ? row + (width - LANES) * bytes : row;
  int32_t x = 0;
  for (; x + LANES <= width; x += LANES, from += on)
    unit(&k, from, to, (size_t)x * step, channels, element, way, streaming);
  if (x == width) return;
  x = width - LANES;
  from = flip ? row : row + x * bytes;
  unit(&k, from, to, (size_t)x * step, channels, element, way, 0);
}

#define BY_WAY(CHANNELS, ELEMENT, STREAMING)                                        \
  do {                                                                              \
    if (e->way == FC_EMIT_LINE)                                                     \
      run(e, row, width, flip, out, STREAMING, CHANNELS, ELEMENT, FC_EMIT_LINE);    \
    else if (e->way == FC_EMIT_EXACT)                                               \
      run(e, row, width, flip, out, STREAMING, CHANNELS, ELEMENT, FC_EMIT_EXACT);   \
    else                                                                            \
      run(e, row, width, flip, out, STREAMING, CHANNELS, ELEMENT, FC_EMIT_DIVIDED); \
  } while (0)

#define BY_ELEMENT(CHANNELS, STREAMING)         \
  do {                                          \
    if (e->emit.element == FC_FLOAT32)          \
      BY_WAY(CHANNELS, FC_FLOAT32, STREAMING);  \
    else if (e->emit.element == FC_FLOAT16)     \
      BY_WAY(CHANNELS, FC_FLOAT16, STREAMING);  \
    else                                        \
      BY_WAY(CHANNELS, FC_BFLOAT16, STREAMING); \
  } while (0)

#define REALS(NAME_, CHANNELS)                                                               \
  TARGET static void NAME_(const fc_emitter *e, const uint8_t *row, int32_t width, int flip, \
                           uint8_t *const *out, int streaming) {                             \
    if (streaming)                                                                           \
      BY_ELEMENT(CHANNELS, 1);                                                               \
    else                                                                                     \
      BY_ELEMENT(CHANNELS, 0);                                                               \
  }

REALS(reals_1, 1)
REALS(reals_3, 3)
REALS(reals_4, 4)

static void reals(const fc_emitter *e, const uint8_t *row, int32_t width, int flip,
                  uint8_t *const *out, int streaming) {
  if (width < LANES)
    fc_emit_scalar.reals(e, row, width, flip, out, 0);
  else if (e->emit.channels == 1)
    reals_1(e, row, width, flip, out, streaming);
  else if (e->emit.channels == 3)
    reals_3(e, row, width, flip, out, streaming);
  else
    reals_4(e, row, width, flip, out, streaming);
}

const fc_emit_kernels NAME = {LANES, reals, fc_emit_bytes_avx2};
