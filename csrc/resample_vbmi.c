/* resample_vbmi.c: weighted passes along rows where bytes can be moved across a 512-bit vector;
 * results equal resample_scalar.c's.
 *
 * One load holds the sources of a whole block of neighbouring values, and one shuffle brings each
 * to its lane; the next tap's lie one pixel further, so its load moves and the shuffle stays. */
#ifdef __x86_64__
#include "resample_avx2.h"

#define VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define VBMI_INLINE \
  static inline __attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline))

/* What `packed` begins with: the form that the axis took. */
typedef enum form { FORM_AVX2 = 0, FORM_HIGH, FORM_SUM } form;
enum { HEAD = 64, MOST_TAPS = 5, HIGH_VALUES = 32, SUM_VALUES = 16 };

/* FC_PASS_HIGH: 32 values. */
typedef struct high_block {
  size_t base;           /* where loads start */
  uint8_t shuffle[64];   /* the source of each value, at the high byte of its 16-bit lane */
  uint16_t weight[][32]; /* [taps] */
} high_block;

/* FC_PASS_SUM: 16 values, whose taps are multiplied in pairs. */
typedef struct sum_block {
  size_t base;
  uint8_t shuffle[64];   /* the sources of two taps, at the low bytes of the lane's halves */
  int32_t pair[][2][16]; /* [pairs][coarse, fine] */
} sum_block;

static size_t blocks_of(size_t count, int channels, size_t values) {
  return (count * (size_t)channels + values - 1) / values;
}

static size_t high_bytes(size_t taps) {
  return sizeof(high_block) + taps * 64;
}

static size_t sum_bytes(size_t taps) {
  return sizeof(sum_block) + (taps + 1) / 2 * 128;
}

static size_t packed_bytes(size_t count, size_t taps, int channels) {
  fc_carver high = {0}, sum = {0}, all = {0};
  fc_carve(&high, blocks_of(count, channels, HIGH_VALUES), high_bytes(FC_MIN(taps, MOST_TAPS)));
  fc_carve(&sum, blocks_of(count, channels, SUM_VALUES), sum_bytes(taps));
  const size_t most = FC_MAX(high.used, sum.used);
  fc_carve(&all, FC_MAX(most, fc_across_avx2_bytes(count, taps, channels)), 1);
  fc_carve(&all, HEAD, 1);
  return all.used;
}

/* ---- where the sources of a block lie ---- */

typedef struct sources {
  __m512i pixel;  /* of 16 values, as positions of the axis */
  __m512i offset; /* of their sources from the block's first, in bytes */
  int32_t base;   /* where that is */
} sources;

/* Values beyond the last one repeat its pixel. */
VBMI_INLINE sources find_sources(const fc_axis *axis, int channels, size_t value, int32_t first) {
  int32_t pixel[16], channel[16];
  int32_t at = (int32_t)(value / (size_t)channels), c = (int32_t)(value % (size_t)channels);
  for (int j = 0; j < 16; j++) {
    pixel[j] = FC_MIN(at, axis->count - 1);
    channel[j] = c;
    c = c + 1 == channels ? 0 : c + 1;
    at += c == 0;
  }
  sources s;
  s.pixel = _mm512_loadu_si512(pixel);
  s.base = axis->start[first] * channels;
  const __m512i start = _mm512_i32gather_epi32(s.pixel, axis->start, 4);
  const __m512i bytes = _mm512_mullo_epi32(start, _mm512_set1_epi32(channels));
  s.offset = _mm512_add_epi32(_mm512_sub_epi32(bytes, _mm512_set1_epi32(s.base)),
                              _mm512_loadu_si512(channel));
  return s;
}

VBMI_INLINE int lies_within(const sources *s, int32_t bytes) {
  return _mm512_cmpge_epi32_mask(s->offset, _mm512_set1_epi32(bytes)) == 0;
}

/* ---- packing ---- */

/* 0 where a block's sources do not fit into a vector. */
VBMI static int pack_high(const fc_axis *axis, int channels, uint8_t *packed) {
  const size_t blocks = blocks_of((size_t)axis->count, channels, HIGH_VALUES);
  const size_t bytes = high_bytes((size_t)axis->taps);
  for (size_t b = 0; b < blocks; b++) {
    high_block *to = (high_block *)(void *)(packed + b * bytes);
    const int32_t first = (int32_t)(b * HIGH_VALUES / (size_t)channels);
    for (size_t half = 0; half < 2; half++) {
      const sources s = find_sources(axis, channels, b * HIGH_VALUES + half * 16, first);
      if (!lies_within(&s, 64)) return 0;
      store(to->shuffle + half * 32, _mm256_slli_epi16(_mm512_cvtepi32_epi16(s.offset), 8));
      to->base = (size_t)s.base;
      const uint16_t *weight = (const uint16_t *)axis->weight;
      for (int32_t tap = 0; tap < axis->taps; tap++, weight += axis->pitch) {
        /* Two weights are read for one, the second of them from the room behind the table. */
        const __m512i some = _mm512_i32gather_epi32(s.pixel, weight, 2);
        store(to->weight[tap] + half * 16, _mm512_cvtepi32_epi16(some));
      }
    }
  }
  return 1;
}

VBMI static int pack_sum(const fc_axis *axis, int channels, uint8_t *packed) {
  const size_t blocks = blocks_of((size_t)axis->count, channels, SUM_VALUES);
  const size_t bytes = sum_bytes((size_t)axis->taps);
  for (size_t b = 0; b < blocks; b++) {
    sum_block *to = (sum_block *)(void *)(packed + b * bytes);
    const size_t value = b * SUM_VALUES;
    const sources s = find_sources(axis, channels, value, (int32_t)(value / (size_t)channels));
    if (!lies_within(&s, 64 - channels)) return 0;
    const __m512i next = _mm512_add_epi32(s.offset, _mm512_set1_epi32(channels));
    _mm512_storeu_si512(to->shuffle, _mm512_or_si512(s.offset, _mm512_slli_epi32(next, 16)));
    to->base = (size_t)s.base;
    const __m512i at = _mm512_mullo_epi32(s.pixel, _mm512_set1_epi32(axis->taps));
    for (int32_t tap = 0; tap < axis->taps; tap += 2) {
      const __mmask32 both = tap + 1 < axis->taps ? 0xffffffff : 0x55555555;
      const int16_t *table[2] = {axis->weight + tap, axis->fine + tap};
      for (int k = 0; k < 2; k++) {
        const __m512i some = _mm512_i32gather_epi32(at, table[k], 2);
        _mm512_storeu_si512(to->pair[tap / 2][k], _mm512_maskz_mov_epi16(both, some));
      }
    }
  }
  return 1;
}

static fc_across within(const fc_across *across) {
  fc_across inner = *across;
  inner.packed += HEAD;
  return inner;
}

static void pack(const fc_across *across) {
  const fc_across inner = within(across);
  const fc_axis *axis = &inner.axis;
  form chosen = FORM_AVX2;
  /* Gathers take 32-bit positions. */
  const int is_small = (int64_t)axis->count * axis->taps < INT32_MAX;
  if (axis->pass == FC_PASS_HIGH && axis->taps <= MOST_TAPS) {
    if (pack_high(axis, inner.channels, inner.packed)) chosen = FORM_HIGH;
  } else if (axis->pass == FC_PASS_SUM && is_small) {
    if (pack_sum(axis, inner.channels, inner.packed)) chosen = FORM_SUM;
  }
  if (chosen == FORM_AVX2) fc_across_avx2_pack(&inner);
  across->packed[0] = (uint8_t)chosen;
}

/* ---- passing ---- */

/* `taps` is a constant wherever this is inlined. */
VBMI_INLINE void across_high(const fc_across *across, const uint8_t *const *rows,
                             uint8_t *const *out, int count, const int taps) {
  const size_t blocks = blocks_of((size_t)across->axis.count, across->channels, HIGH_VALUES);
  const size_t bytes = high_bytes((size_t)taps), step = (size_t)across->channels;
  const __m512i begin = _mm512_set1_epi16((short)fc_high_start(taps));
  const __mmask64 high = 0xaaaaaaaaaaaaaaaa;
  for (size_t b = 0; b < blocks; b++) {
    const high_block *by = (const high_block *)(const void *)(across->packed + b * bytes);
    const __m512i shuffle = _mm512_loadu_si512(by->shuffle);
    const size_t base = by->base;
    __m512i weight[MOST_TAPS];
    UNROLL for (int tap = 0; tap < taps; tap++) weight[tap] = _mm512_loadu_si512(by->weight[tap]);
    for (int i = 0; i < count; i++) {
      const uint8_t *from = rows[i] + base;
      __m512i sum = begin;
      UNROLL for (int tap = 0; tap < taps; tap++, from += step) {
        const __m512i value =
            _mm512_maskz_permutexvar_epi8(high, shuffle, _mm512_loadu_si512(from));
        sum = _mm512_add_epi16(sum, _mm512_mulhi_epu16(value, weight[tap]));
      }
      store(out[i] + b * HIGH_VALUES, _mm512_cvtepi16_epi8(_mm512_srli_epi16(sum, 8)));
    }
  }
}

VBMI_INLINE void across_sum(const fc_across *across, const uint8_t *const *rows,
                            uint8_t *const *out, int count, const int pairs) {
  const size_t blocks = blocks_of((size_t)across->axis.count, across->channels, SUM_VALUES);
  const size_t bytes = sum_bytes((size_t)across->axis.taps), step = 2 * (size_t)across->channels;
  const __m512i rounding = _mm512_set1_epi32(1 << (FC_SUM_BITS - 1));
  const __mmask64 low = 0x5555555555555555;
  for (size_t b = 0; b < blocks; b++) {
    const sum_block *by = (const sum_block *)(const void *)(across->packed + b * bytes);
    const __m512i shuffle = _mm512_loadu_si512(by->shuffle);
    for (int i = 0; i < count; i++) {
      const uint8_t *from = rows[i] + by->base;
      __m512i sum = _mm512_setzero_si512(), fine = rounding;
      UNROLL for (int k = 0; k < pairs; k++, from += step) {
        const __m512i value = _mm512_maskz_permutexvar_epi8(low, shuffle, _mm512_loadu_si512(from));
        const __m512i coarse = _mm512_madd_epi16(value, _mm512_loadu_si512(by->pair[k][0]));
        const __m512i rest = _mm512_madd_epi16(value, _mm512_loadu_si512(by->pair[k][1]));
        sum = _mm512_add_epi32(sum, coarse);
        fine = _mm512_add_epi32(fine, rest);
      }
      sum = _mm512_add_epi32(_mm512_slli_epi32(sum, FC_FINE_BITS), fine);
      sum = _mm512_max_epi32(_mm512_srai_epi32(sum, FC_SUM_BITS), _mm512_setzero_si512());
      _mm_storeu_si128((__m128i *)(void *)(out[i] + b * SUM_VALUES), _mm512_cvtusepi32_epi8(sum));
    }
  }
}

VBMI static void sum_by_pairs(const fc_across *across, const uint8_t *const *rows,
                              uint8_t *const *out, int count) {
  const int pairs = (across->axis.taps + 1) / 2;
  if (pairs == 1)
    across_sum(across, rows, out, count, 1);
  else if (pairs == 2)
    across_sum(across, rows, out, count, 2);
  else
    across_sum(across, rows, out, count, pairs);
}

VBMI static void high_by_taps(const fc_across *across, const uint8_t *const *rows,
                              uint8_t *const *out, int count) {
  const int taps = across->axis.taps;
  if (taps == 1)
    across_high(across, rows, out, count, 1);
  else if (taps == 2)
    across_high(across, rows, out, count, 2);
  else if (taps == 3)
    across_high(across, rows, out, count, 3);
  else if (taps == 4)
    across_high(across, rows, out, count, 4);
  else
    across_high(across, rows, out, count, 5);
}

static void across_rows(const fc_across *across, const uint8_t *const *rows, uint8_t *const *out,
                        int count) {
  const fc_across inner = within(across);
  if (across->packed[0] == FORM_HIGH)
    high_by_taps(&inner, rows, out, count);
  else if (across->packed[0] == FORM_SUM)
    sum_by_pairs(&inner, rows, out, count);
  else
    fc_across_avx2(&inner, rows, out, count);
}

const fc_kernels fc_kernels_avx512_vbmi = {packed_bytes, pack, across_rows, fc_down_avx512};

#else
/* ISO C wants something in every file. */
typedef int fc_no_vbmi;
#endif
