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

INLINE void put(uint8_t *out, VF value, const int element, const int streaming) {
  if (element == FC_FLOAT32)
    put_f32(out, value, streaming);
  else if (element == FC_FLOAT16)
    put_half(out, f16_of(value), streaming);
  else
    put_half(out, bf16_of(value), streaming);
}

/* Units side by side, whose places are `on` bytes apart.  Everything but the places is a constant
 * wherever this is inlined. */
INLINE void some(const constants *k, const uint8_t *from, uint8_t *const *to, ptrdiff_t at,
                 ptrdiff_t on, const int units, const int channels, const int element,
                 const int way, const int streaming) {
  V bytes[4];
  UNROLL for (int u = 0; u < units; u++) bytes[u] = v_load(from + u * LANES * channels);
  UNROLL for (int v = 0; v < channels; v++) {
    UNROLL for (int u = 0; u < units; u++) {
      const VF x = vf_of_v(v_shuffle(v_permute(bytes[u], k->group[v]), k->byte[v]));
      put(to[v] + at + u * on, scale(x, k, v, way), element, streaming);
    }
  }
}

/* Rows are read forwards, so that the processor sees what comes, and written backwards if they are
 * mirrored.  Planes get whole cache lines, of as many units as that takes: memory is written twice
 * if much lies between the parts of a line. */
INLINE void run(const fc_emitter *e, const fc_emit_rows *rows, const int streaming,
                const int channels, const int element, const int way) {
  constants k;
  set_constants(&k, e, rows->flip, channels, way);
  const int32_t width = rows->width;
  const ptrdiff_t size = element == FC_FLOAT32 ? 4 : 2, planar = e->emit.planar;
  const int units = (int)(FC_LINE / (LANES * size));
  const ptrdiff_t step = planar ? size : size * channels; /* from pixel to pixel */
  const ptrdiff_t last = (width - LANES) * step, on = (rows->flip ? -LANES : LANES) * step;
  fc_fetch fetch = *rows->fetch;
  const int32_t fetches = width / LANES / (planar ? units : 1); /* of one line with each */
  for (int32_t y = 0; y < rows->count; y++) {
    uint8_t *to[4];
    UNROLL for (int v = 0; v < channels; v++) to[v] =
        (planar ? rows->out[v] : rows->out[0] + v * LANES * size) + y * rows->on;
    const uint8_t *const row = rows->row + (size_t)y * rows->stride, *from = row;
    ptrdiff_t at = rows->flip ? last : 0;
    int32_t x = 0;
    fc_fetch_lines(&fetch, fetch.lines - fetches);
    if (planar && units > 1) {
      for (; x + units * LANES <= width; x += units * LANES, at += units * on) {
        fc_fetch_lines(&fetch, 1);
        some(&k, from, to, at, on, units, channels, element, way, streaming);
        from += units * LANES * channels;
      }
    }
    for (; x + LANES <= width; x += LANES, from += LANES * channels, at += on) {
      fc_fetch_lines(&fetch, 1);
      some(&k, from, to, at, on, 1, channels, element, way, streaming);
    }
    if (x == width) continue;
    from = row + (width - LANES) * channels;
    some(&k, from, to, rows->flip ? 0 : last, on, 1, channels, element, way, 0);
  }
  rows->fetch->row = fetch.row;
  rows->fetch->x = fetch.x;
}

#define BY_WAY(CHANNELS, ELEMENT, STREAMING)                       \
  do {                                                             \
    if (e->way == FC_EMIT_LINE)                                    \
      run(e, rows, STREAMING, CHANNELS, ELEMENT, FC_EMIT_LINE);    \
    else if (e->way == FC_EMIT_EXACT)                              \
      run(e, rows, STREAMING, CHANNELS, ELEMENT, FC_EMIT_EXACT);   \
    else                                                           \
      run(e, rows, STREAMING, CHANNELS, ELEMENT, FC_EMIT_DIVIDED); \
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

#define REALS(NAME_, CHANNELS)                                              \
  TARGET static void NAME_(const fc_emitter *e, const fc_emit_rows *rows) { \
    if (rows->streaming)                                                    \
      BY_ELEMENT(CHANNELS, 1);                                              \
    else                                                                    \
      BY_ELEMENT(CHANNELS, 0);                                              \
  }

REALS(reals_1, 1)
REALS(reals_3, 3)
REALS(reals_4, 4)

static void reals(const fc_emitter *e, const fc_emit_rows *rows) {
  if (e->emit.channels == 1)
    reals_1(e, rows);
  else if (e->emit.channels == 3)
    reals_3(e, rows);
  else
    reals_4(e, rows);
}

const fc_emit_kernels NAME = {LANES, reals, fc_emit_bytes_avx2};
