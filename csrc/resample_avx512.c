/* resample_avx512.c: weighted passes by 512-bit vectors, where they are faster than those of
 * resample_avx2.c: FC_PASS_HIGH down columns, and along rows of three channels where bytes can be
 * moved across a whole vector (VBMI).  Results equal resample_scalar.c's. */
#ifdef __x86_64__
#include "resample_avx2.h"

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX512_INLINE static inline __attribute__((target("avx512f,avx512bw"), always_inline))
#define VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define VBMI_INLINE \
  static inline __attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline))
#define WIDE 64 /* bytes */

/* ---- down ---- */

AVX512_INLINE void down_high(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                             uint8_t *out, size_t bytes, const int taps) {
  const uint16_t *weight = (const uint16_t *)axis->weight + position;
  const __m512i zero = _mm512_setzero_si512();
  const __m512i begin = _mm512_set1_epi16((short)fc_high_start(taps));
  __m512i by[FC_HIGH_TAPS];
  const uint8_t *row[FC_HIGH_TAPS];
  UNROLL for (int tap = 0; tap < taps; tap++) {
    by[tap] = _mm512_set1_epi16((short)weight[(size_t)tap * axis->pitch]);
    row[tap] = rows[tap];
  }
  for (size_t x = 0; x < bytes; x += WIDE) {
    __m512i low = begin, high = begin;
    UNROLL for (int tap = 0; tap < taps; tap++) {
      /* Interleaved with zeros from below, a byte becomes the high half of a 16-bit lane. */
      const __m512i value = _mm512_loadu_si512(row[tap] + x);
      const __m512i first = _mm512_unpacklo_epi8(zero, value);
      const __m512i second = _mm512_unpackhi_epi8(zero, value);
      low = _mm512_add_epi16(low, _mm512_mulhi_epu16(first, by[tap]));
      high = _mm512_add_epi16(high, _mm512_mulhi_epu16(second, by[tap]));
    }
    const __m512i made = _mm512_packus_epi16(_mm512_srli_epi16(low, 8), _mm512_srli_epi16(high, 8));
    if (bytes - x >= WIDE)
      _mm512_storeu_si512(out + x, made);
    else
      _mm512_mask_storeu_epi8(out + x, ((__mmask64)1 << (bytes - x)) - 1, made);
  }
}

AVX512 static void down_row(const fc_axis *axis, int32_t position, const uint8_t *const *rows,
                            uint8_t *out, size_t bytes) {
  const int taps = axis->pass == FC_PASS_HIGH ? axis->taps : 0;
  if (taps == 2)
    down_high(axis, position, rows, out, bytes, 2);
  else if (taps == 3)
    down_high(axis, position, rows, out, bytes, 3);
  else if (taps == 4)
    down_high(axis, position, rows, out, bytes, 4);
  else if (taps == 5)
    down_high(axis, position, rows, out, bytes, 5);
  else
    fc_kernels_avx2.down(axis, position, rows, out, bytes);
}

const fc_kernels fc_kernels_avx512 = {fc_across_avx2_bytes, fc_across_avx2_pack, fc_across_avx2,
                                      down_row};

/* ---- across, three channels ---- */

/* A block is 32 values, which touch 12 pixels at most; fits_high_window sees to it that their
 * sources lie within 64 bytes: 3 * (3 * 5 + 4) + 2 < 64. */
typedef struct block {
  size_t base;           /* where loads start */
  uint8_t shuffle[64];   /* the source of each value, at the high byte of its 16-bit lane */
  uint16_t weight[][32]; /* [taps] */
} block;

enum { CHANNELS = 3, VALUES = 32 };

static size_t block_bytes(size_t taps) {
  return sizeof(block) + taps * sizeof(uint16_t) * VALUES;
}

static size_t blocks_of(size_t count) {
  return (count * CHANNELS + VALUES - 1) / VALUES;
}

static int is_wide(const fc_across *across) {
  return across->channels == CHANNELS && across->axis.pass == FC_PASS_HIGH &&
         across->axis.taps <= 5;
}

static size_t packed_bytes(size_t count, size_t taps, int channels) {
  const size_t other = fc_across_avx2_bytes(count, taps, channels);
  if (channels != CHANNELS) return other;
  fc_carver carver = {0};
  fc_carve(&carver, blocks_of(count), block_bytes(FC_MIN(taps, 5)));
  return FC_MAX(carver.used, other);
}

/* How values that start with a given channel lie on their pixels. */
typedef struct pattern {
  uint8_t pixel[64], channel[64];
  uint16_t weight[VALUES];
} pattern;

static void find_patterns(pattern of[CHANNELS]) {
  for (int first = 0; first < CHANNELS; first++)
    for (int j = 0; j < VALUES; j++) {
      const int pixel = (first + j) / CHANNELS, channel = (first + j) % CHANNELS;
      of[first].pixel[2 * j] = of[first].pixel[2 * j + 1] = (uint8_t)pixel;
      of[first].channel[2 * j] = of[first].channel[2 * j + 1] = (uint8_t)channel;
      of[first].weight[j] = (uint16_t)pixel;
    }
}

/* Values beyond the last one are computed from what the tables hold there, and never seen. */
VBMI static void pack_wide(const fc_axis *axis, uint8_t *packed) {
  const size_t blocks = blocks_of((size_t)axis->count), bytes = block_bytes((size_t)axis->taps);
  pattern patterns[CHANNELS];
  find_patterns(patterns);
  for (size_t b = 0; b < blocks; b++) {
    block *to = (block *)(void *)(packed + b * bytes);
    const size_t pixel = b * VALUES / CHANNELS;
    const pattern *by = &patterns[b * VALUES % CHANNELS];
    const int32_t *start = axis->start + pixel;
    __m512i source = _mm512_sub_epi32(_mm512_loadu_si512(start), _mm512_set1_epi32(start[0]));
    source = _mm512_mullo_epi32(source, _mm512_set1_epi32(CHANNELS));
    const __m512i table = _mm512_castsi128_si512(_mm512_cvtepi32_epi8(source));
    const __m512i place = _mm512_permutexvar_epi8(_mm512_loadu_si512(by->pixel), table);
    _mm512_storeu_si512(to->shuffle, _mm512_add_epi8(place, _mm512_loadu_si512(by->channel)));
    to->base = (size_t)start[0] * CHANNELS;
    const uint16_t *weight = (const uint16_t *)axis->weight + pixel;
    for (int32_t tap = 0; tap < axis->taps; tap++, weight += axis->pitch) {
      const __m512i some = _mm512_castsi256_si512(load(weight));
      _mm512_storeu_si512(to->weight[tap],
                          _mm512_permutexvar_epi16(_mm512_loadu_si512(by->weight), some));
    }
  }
}

VBMI static void pack(const fc_across *across) {
  if (is_wide(across))
    pack_wide(&across->axis, across->packed);
  else
    fc_across_avx2_pack(across);
}

/* `taps` is a constant wherever this is inlined. */
VBMI_INLINE void across_wide(const fc_across *across, const uint8_t *const *rows,
                             uint8_t *const *out, int count, const int taps) {
  const size_t blocks = blocks_of((size_t)across->axis.count), bytes = block_bytes((size_t)taps);
  const __m512i begin = _mm512_set1_epi16((short)fc_high_start(taps));
  const __mmask64 high_bytes = 0xaaaaaaaaaaaaaaaa;
  for (size_t b = 0; b < blocks; b++) {
    const block *by = (const block *)(const void *)(across->packed + b * bytes);
    const __m512i shuffle = _mm512_loadu_si512(by->shuffle);
    const size_t base = by->base;
    __m512i weight[5];
    UNROLL for (int tap = 0; tap < taps; tap++) weight[tap] = _mm512_loadu_si512(by->weight[tap]);
    for (int i = 0; i < count; i++) {
      const uint8_t *from = rows[i] + base;
      __m512i sum = begin;
      UNROLL for (int tap = 0; tap < taps; tap++) {
        const __m512i values = _mm512_maskz_permutexvar_epi8(
            high_bytes, shuffle, _mm512_loadu_si512(from + tap * CHANNELS));
        sum = _mm512_add_epi16(sum, _mm512_mulhi_epu16(values, weight[tap]));
      }
      store(out[i] + b * VALUES, _mm512_cvtepi16_epi8(_mm512_srli_epi16(sum, 8)));
    }
  }
}

VBMI static void across_rows(const fc_across *across, const uint8_t *const *rows,
                             uint8_t *const *out, int count) {
  const int taps = is_wide(across) ? across->axis.taps : 0;
  if (taps == 1)
    across_wide(across, rows, out, count, 1);
  else if (taps == 2)
    across_wide(across, rows, out, count, 2);
  else if (taps == 3)
    across_wide(across, rows, out, count, 3);
  else if (taps == 4)
    across_wide(across, rows, out, count, 4);
  else if (taps == 5)
    across_wide(across, rows, out, count, 5);
  else
    fc_across_avx2(across, rows, out, count);
}

const fc_kernels fc_kernels_avx512_vbmi = {packed_bytes, pack, across_rows, down_row};

#else
/* ISO C wants something in every file. */
typedef int fc_no_avx512;
#endif
