/* emit_kernels.h: rows of floating point numbers, one template for every width of vectors.
 *
 * The file that includes it defines V, VF, LANES, NAME, TARGET, INLINE and the operations on them.
 * A unit's load may run over the end of the row, its stores never do: the last unit begins early
 * and writes again what is there already. */

INLINE VF scale(VF x, const fc_emit_factors *by, const int v, const int way) {
  const VF times = vf_load(by->times[v]), mean = vf_load(by->mean[v]);
  if (way == FC_EMIT_LINE) return vf_fma(x, times, mean);
  if (way == FC_EMIT_DIVIDED) return vf_div(vf_sub(vf_div(x, times), mean), vf_load(by->by[v]));
  x = vf_sub(vf_fma(x, times, vf_mul(x, vf_load(by->low[v]))), mean);
  return vf_fma(x, vf_load(by->by[v]), vf_mul(x, vf_load(by->by_low[v])));
}

/* Everything but `flip` and the places is a constant wherever this is inlined. */
INLINE void unit(const fc_emitter *e, const fc_emit_order *order, const uint8_t *from,
                 uint8_t *const *to, size_t at, const int channels, const int element,
                 const int way, const int streaming) {
  const V bytes = v_load(from);
  for (int v = 0; v < channels; v++) {
    const V groups = v_permute(bytes, v_load(order->group[v]));
    const VF x = vf_of_v(v_shuffle(groups, v_load(order->byte[v])));
    const VF value = scale(x, &e->factors, v, way);
    if (element == FC_FLOAT32)
      put_f32(to[v] + at, value, streaming);
    else if (element == FC_FLOAT16)
      put_half(to[v] + at, f16_of(value), streaming);
    else
      put_half(to[v] + at, bf16_of(value), streaming);
  }
}

INLINE void run(const fc_emitter *e, const uint8_t *row, int32_t width, int flip,
                uint8_t *const *out, int streaming, const int channels, const int element,
                const int way) {
  const fc_emit_order *order = &e->order[flip];
  const size_t size = element == FC_FLOAT32 ? 4 : 2, planar = (size_t)e->emit.planar;
  const size_t step = planar ? size : size * (size_t)channels; /* from pixel to pixel */
  uint8_t *to[4];
  for (int v = 0; v < channels; v++) to[v] = planar ? out[v] : out[0] + (size_t)v * LANES * size;
  const ptrdiff_t bytes = channels, on = flip ? -LANES * bytes : LANES * bytes;
  const uint8_t *from = flip ? row + (width - LANES) * bytes : row;
  int32_t x = 0;
  for (; x + LANES <= width; x += LANES, from += on) {
    if (streaming)
      unit(e, order, from, to, (size_t)x * step, channels, element, way, 1);
    else
      unit(e, order, from, to, (size_t)x * step, channels, element, way, 0);
  }
  if (x == width) return;
  x = width - LANES;
  from = flip ? row : row + x * bytes;
  unit(e, order, from, to, (size_t)x * step, channels, element, way, 0);
}

#define BY_WAY(CHANNELS, ELEMENT)                                                   \
  do {                                                                              \
    if (e->way == FC_EMIT_LINE)                                                     \
      run(e, row, width, flip, out, streaming, CHANNELS, ELEMENT, FC_EMIT_LINE);    \
    else if (e->way == FC_EMIT_EXACT)                                               \
      run(e, row, width, flip, out, streaming, CHANNELS, ELEMENT, FC_EMIT_EXACT);   \
    else                                                                            \
      run(e, row, width, flip, out, streaming, CHANNELS, ELEMENT, FC_EMIT_DIVIDED); \
  } while (0)

#define BY_ELEMENT(NAME_, CHANNELS)                                                          \
  TARGET static void NAME_(const fc_emitter *e, const uint8_t *row, int32_t width, int flip, \
                           uint8_t *const *out, int streaming) {                             \
    if (e->emit.element == FC_FLOAT32)                                                       \
      BY_WAY(CHANNELS, FC_FLOAT32);                                                          \
    else if (e->emit.element == FC_FLOAT16)                                                  \
      BY_WAY(CHANNELS, FC_FLOAT16);                                                          \
    else                                                                                     \
      BY_WAY(CHANNELS, FC_BFLOAT16);                                                         \
  }

BY_ELEMENT(reals_1, 1)
BY_ELEMENT(reals_3, 3)
BY_ELEMENT(reals_4, 4)

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
