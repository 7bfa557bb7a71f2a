/* emit.c: what is asked for, the numbers that pixels become, and the formula for them. */
#include "emit.h"

#include <math.h>
#include <string.h>

#include "field_half.h"

fc_status fc_emit_check(const fc_emit *emit) {
  const int channels = emit->channels, is_scaled = emit->scaling != FC_PLAIN;
  int ok = channels == 1 || channels == 3 || channels == 4;
  ok = ok && emit->scaling >= FC_PLAIN && emit->scaling <= FC_NORMALISED_PLAIN;
  const int is_integer = emit->element == FC_UINT8 || (emit->element == FC_UINT16 && channels == 1);
  ok = ok && (fc_emit_is_real(emit->element) || (is_integer && !is_scaled));
  if (!ok) return FC_E_ARGUMENT;
  if (emit->scaling != FC_NORMALISED && emit->scaling != FC_NORMALISED_PLAIN) return FC_OK;
  for (int c = 0; c < channels; c++)
    if (!isfinite(emit->mean[c]) || !isfinite(emit->std[c]) || emit->std[c] == 0.0f)
      return FC_E_ARGUMENT;
  return FC_OK;
}

size_t fc_emit_bytes(const fc_emit *emit, int32_t h, int32_t w) {
  const size_t pixel = (size_t)emit->channels * fc_element_size(emit->element);
  return (size_t)h * (size_t)w * pixel;
}

/* ---- numbers ---- */

/* The same for all pixels of a channel: (pixel / whole - mean) / std. */
typedef struct scaling {
  float whole, mean, std;
} scaling;

static scaling scaling_of(const fc_emit *emit, int wide, int channel) {
  scaling s = {1.0f, 0.0f, 1.0f};
  if (emit->scaling == FC_UNIT || emit->scaling == FC_NORMALISED)
    s.whole = wide ? 65535.0f : 255.0f;
  if (emit->scaling == FC_NORMALISED || emit->scaling == FC_NORMALISED_PLAIN) {
    s.mean = emit->mean[channel];
    s.std = emit->std[channel];
  }
  return s;
}

/* Each operation rounded to a float, as torch does them one after another. */
static float scaled(const scaling *s, int pixel) {
  const float unit = (float)pixel / s->whole;
  const float centred = unit - s->mean;
  return centred / s->std;
}

static uint16_t half_of(int element, float value) {
  return element == FC_FLOAT16 ? fc_half_of(value) : fc_bfloat16_of(value);
}

void fc_emitter_put(const fc_emitter *emitter, float value, uint8_t *out) {
  const int element = emitter->emit.element;
  if (element == FC_FLOAT32) {
    memcpy(out, &value, sizeof value);
  } else if (fc_emit_is_real(element)) {
    const uint16_t half = half_of(element, value);
    memcpy(out, &half, sizeof half);
  } else if (element == FC_UINT16) {
    const uint16_t whole = (uint16_t)lrintf(fminf(fmaxf(value, 0.0f), 65535.0f));
    memcpy(out, &whole, sizeof whole);
  } else {
    *out = (uint8_t)lrintf(fminf(fmaxf(value, 0.0f), 255.0f));
  }
}

static void find_values(fc_emitter *emitter) {
  const fc_emit *emit = &emitter->emit;
  for (int c = 0; c < emit->channels; c++) {
    const scaling s = scaling_of(emit, 0, c);
    for (int pixel = 0; pixel < 256; pixel++) {
      const float value = scaled(&s, pixel);
      emitter->value[c][pixel] = value;
      if (emit->element != FC_FLOAT32) emitter->half[c][pixel] = half_of(emit->element, value);
    }
  }
}

/* ---- formulas ---- */

typedef struct formula {
  float times, low, mean, by, by_low;
} formula;

static formula formula_of(const scaling *s, int way) {
  const double times = 1.0 / s->whole, by = 1.0 / s->std;
  if (way == FC_EMIT_LINE)
    return (formula){(float)(times * by), 0.0f, (float)(-(double)s->mean * by), 1.0f, 0.0f};
  if (way == FC_EMIT_DIVIDED) return (formula){s->whole, 0.0f, s->mean, s->std, 0.0f};
  const float high = (float)times, by_high = (float)by;
  return (formula){high, (float)(times - high), s->mean, by_high, (float)(by - by_high)};
}

/* What the vector code computes. */
static float by_formula(const formula *f, int way, float x) {
  if (way == FC_EMIT_LINE) return fmaf(x, f->times, f->mean);
  const float unit = fmaf(x, f->times, x * f->low), centred = unit - f->mean;
  return fmaf(centred, f->by, centred * f->by_low);
}

static int gives_all(const fc_emitter *emitter, int way) {
  const int element = emitter->emit.element;
  for (int c = 0; c < emitter->emit.channels; c++) {
    const scaling s = scaling_of(&emitter->emit, 0, c);
    const formula f = formula_of(&s, way);
    for (int pixel = 0; pixel < 256; pixel++) {
      const float value = by_formula(&f, way, (float)pixel);
      const int same = element == FC_FLOAT32
                           ? fc_float_bits(value) == fc_float_bits(emitter->value[c][pixel])
                           : half_of(element, value) == emitter->half[c][pixel];
      if (!same) return 0;
    }
  }
  return 1;
}

static void set_factors(fc_emitter *emitter, int lanes) {
  const int channels = emitter->emit.channels;
  for (int v = 0; v < channels; v++) {
    for (int lane = 0; lane < lanes; lane++) {
      const int channel = emitter->emit.planar ? v : (v * lanes + lane) % channels;
      const scaling s = scaling_of(&emitter->emit, 0, channel);
      const formula f = formula_of(&s, emitter->way);
      emitter->factors.times[v][lane] = f.times;
      emitter->factors.low[v][lane] = f.low;
      emitter->factors.mean[v][lane] = f.mean;
      emitter->factors.by[v][lane] = f.by;
      emitter->factors.by_low[v][lane] = f.by_low;
    }
  }
}

/* ---- order ---- */

/* The byte of a unit that becomes value `lane` of output vector v. */
static int source_of(const fc_emitter *emitter, int lanes, int flip, int v, int lane) {
  const int channels = emitter->emit.channels, at = v * lanes + lane;
  const int pixel = emitter->emit.planar ? lane : at / channels;
  const int channel = emitter->emit.planar ? v : at % channels;
  return (flip ? lanes - 1 - pixel : pixel) * channels + channel;
}

static void set_order(fc_emitter *emitter, int lanes, int flip) {
  fc_emit_order *order = &emitter->order[flip];
  memset(order->byte, 0x80, sizeof order->byte); /* zero, for a shuffle of bytes */
  for (int v = 0; v < emitter->emit.channels; v++) {
    for (int first = 0; first < lanes; first += 4) {
      int source[4], least = INT32_MAX;
      for (int i = 0; i < 4; i++) {
        source[i] = source_of(emitter, lanes, flip, v, first + i);
        least = FC_MIN(least, source[i]);
      }
      for (int i = 0; i < 4; i++) {
        order->group[v][first + i] = FC_MIN(least / 4 + i, lanes - 1);
        order->byte[v][4 * (first + i)] = (uint8_t)(source[i] - least / 4 * 4);
      }
    }
  }
}

static const fc_emit_kernels *kernels_here(void) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512) return &fc_emit_avx512;
  if (fc_cpu_get() == FC_CPU_AVX2) return &fc_emit_avx2;
#endif
  return &fc_emit_scalar;
}

/* What grey images, and images that were made grey, are handed on as. */
static int are_convertible(int from, int to) {
  return from == to || (from == 1 && to == 3) || (from == 3 && to == 1);
}

fc_status fc_emitter_set(fc_emitter *emitter, const fc_emit *emit, int channels, int wide) {
  if (fc_emit_check(emit) != FC_OK || !are_convertible(channels, emit->channels))
    return FC_E_ARGUMENT;
  if (wide ? emit->element == FC_UINT8 || emit->channels != 1 : emit->element == FC_UINT16)
    return FC_E_ARGUMENT;
  emitter->emit = *emit;
  emitter->channels = channels;
  emitter->wide = wide;
  emitter->kernels = wide ? &fc_emit_scalar : kernels_here();
  if (!fc_emit_is_real(emit->element) || wide) return FC_OK;
  find_values(emitter);
  const int lanes = emitter->kernels->lanes;
  if (!lanes) return FC_OK;
  emitter->way = FC_EMIT_LINE;
  while (emitter->way != FC_EMIT_DIVIDED && !gives_all(emitter, emitter->way)) emitter->way++;
  set_factors(emitter, lanes);
  set_order(emitter, lanes, 0);
  set_order(emitter, lanes, 1);
  return FC_OK;
}

/* ---- rows ---- */

static void emit_wide(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                      uint8_t *out) {
  const scaling s = scaling_of(&emitter->emit, 1, 0);
  const size_t size = fc_element_size(emitter->emit.element);
  for (int32_t x = 0; x < width; x++, out += size) {
    const uint8_t *at = row + 2 * (size_t)(flip ? width - 1 - x : x);
    uint16_t pixel;
    memcpy(&pixel, at, sizeof pixel);
    if (emitter->emit.element == FC_UINT16)
      memcpy(out, &pixel, sizeof pixel);
    else
      fc_emitter_put(emitter, scaled(&s, pixel), out);
  }
}

static void emit_row(const fc_emitter *emitter, const uint8_t *row, int32_t width, int flip,
                     uint8_t *const *out) {
  const fc_emit *emit = &emitter->emit;
  if (emitter->wide)
    emit_wide(emitter, row, width, flip, out[0]);
  else if (emit->element != FC_UINT8)
    fc_emit_scalar_reals(emitter, row, width, flip, out);
  else if (!flip && (!emit->planar || emit->channels == 1))
    memcpy(out[0], row, (size_t)width * (size_t)emit->channels);
  else
    emitter->kernels->bytes(emitter, row, width, flip, out);
}

void fc_emitter_rows(const fc_emitter *emitter, const fc_emit_rows *rows) {
  const fc_emit_kernels *kernels = emitter->kernels;
  if (fc_emit_is_real(emitter->emit.element) && kernels->lanes && rows->width >= kernels->lanes) {
    kernels->reals(emitter, rows);
    return;
  }
  const int planes = emitter->emit.planar ? emitter->emit.channels : 1;
  for (int32_t y = 0; y < rows->count; y++) {
    uint8_t *out[4];
    for (int p = 0; p < planes; p++) out[p] = rows->out[p] + y * rows->on;
    fc_fetch_some(rows->fetch);
    emit_row(emitter, rows->row + (size_t)y * rows->stride, rows->width, rows->flip, out);
  }
}
