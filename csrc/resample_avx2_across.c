/* resample_avx2_across.c: weighted passes along rows; results equal resample_scalar.c's. */
#ifdef __x86_64__
#include "resample_avx2.h"

/* ---- FC_PASS_HIGH ---- */

/* Output values are taken 8 at a time, whatever their pixels: a 16-byte load from the first one's
 * source, a byte shuffle that puts each value's source into the high half of a 16-bit lane.  The
 * next tap's sources lie one pixel further, so its load moves and the shuffle stays.
 * A block is 32 values; its four groups of 8 sit in two vectors in the order 0 2 and 1 3, which
 * packing to bytes turns into 0 1 2 3. */
typedef struct high_block {
  size_t base[4]; /* where each group's loads start */
  uint8_t shuffle[2][VECTOR];
  uint16_t weight[][2][VECTOR / 2]; /* [taps] */
} high_block;

static size_t high_block_bytes(size_t taps) {
  return sizeof(high_block) + taps * 2 * VECTOR;
}

static size_t high_blocks(size_t count, int channels) {
  return FC_ROUND_UP(count * (size_t)channels, VECTOR) / VECTOR;
}

/* How 8 values that start with a given channel lie on their pixels: for each, the bytes of its
 * pixel's 16-bit entry in a vector, and its channel. */
typedef struct high_pattern {
  uint8_t entry[16];
  uint16_t channel[8];
} high_pattern;

static void find_patterns(high_pattern pattern[4], int channels) {
  for (int first = 0; first < channels; first++) {
    for (int j = 0; j < 8; j++) {
      const int pixel = (first + j) / channels;
      pattern[first].entry[2 * j] = (uint8_t)(2 * pixel);
      pattern[first].entry[2 * j + 1] = (uint8_t)(2 * pixel + 1);
      pattern[first].channel[j] = (uint16_t)((first + j) % channels);
    }
  }
}

AVX2_INLINE __m128i load_half(const void *from) {
  return _mm_loadu_si128((const __m128i *)from);
}

AVX2_INLINE void store_half(void *to, __m128i value) {
  _mm_storeu_si128((__m128i *)to, value);
}

/* Values beyond the last one are computed from what the tables hold there, and never seen. */
AVX2_INLINE void pack_high_group(const fc_axis *axis, int channels, const high_pattern *pattern,
                                 int32_t pixel, high_block *block, int group) {
  const int vector = group & 1, lane = group >> 1;
  const uint16_t *weight = (const uint16_t *)axis->weight + pixel;
  const int32_t *start = axis->start + pixel;
  const __m128i entries = load_half(pattern->entry);
  const __m128i first = _mm_set1_epi32(start[0]);
  const __m128i low = _mm_sub_epi32(load_half(start), first);
  const __m128i high = _mm_sub_epi32(load_half(start + 4), first);
  __m128i source = _mm_mullo_epi16(_mm_packs_epi32(low, high), _mm_set1_epi16((short)channels));
  source = _mm_add_epi16(_mm_shuffle_epi8(source, entries), load_half(pattern->channel));
  /* The source's number in the high byte; 0x80 in the low one makes a zero there. */
  source = _mm_or_si128(_mm_slli_epi16(source, 8), _mm_set1_epi16(0x80));
  store_half(block->shuffle[vector] + lane * 16, source);
  block->base[group] = (size_t)start[0] * (size_t)channels;
  for (int32_t tap = 0; tap < axis->taps; tap++)
    store_half(block->weight[tap][vector] + lane * 8,
               _mm_shuffle_epi8(load_half(weight + (size_t)tap * axis->pitch), entries));
}

AVX2 static void pack_high(const fc_axis *axis, int channels, uint8_t *packed) {
  const size_t blocks = high_blocks((size_t)axis->count, channels);
  const size_t bytes = high_block_bytes((size_t)axis->taps);
  high_pattern pattern[4];
  find_patterns(pattern, channels);
  int32_t pixel = 0;
  int channel = 0;
  for (size_t b = 0; b < blocks; b++) {
    high_block *block = (high_block *)(void *)(packed + b * bytes);
    for (int group = 0; group < 4; group++) {
      pack_high_group(axis, channels, &pattern[channel], FC_MIN(pixel, axis->count - 1), block,
                      group);
      channel += 8 % channels;
      pixel += 8 / channels + channel / channels;
      channel %= channels;
    }
  }
}

AVX2_INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_half(low)), load_half(high), 1);
}

/* `taps` is a constant wherever this is inlined: the weights of a block then stay in registers
 * while all rows pass. */
AVX2_INLINE void across_high(const fc_across *across, const uint8_t *const *rows,
                             uint8_t *const *out, int count, const int taps) {
  const size_t blocks = high_blocks((size_t)across->axis.count, across->channels);
  const size_t bytes = high_block_bytes((size_t)taps), step = (size_t)across->channels;
  const __m256i begin = _mm256_set1_epi16((short)fc_high_start(taps));
  for (size_t b = 0; b < blocks; b++) {
    const high_block *block = (const high_block *)(const void *)(across->packed + b * bytes);
    const size_t base0 = block->base[0], base1 = block->base[1];
    const size_t base2 = block->base[2], base3 = block->base[3];
    const __m256i shuffle0 = load(block->shuffle[0]), shuffle1 = load(block->shuffle[1]);
    __m256i weight0[FC_HIGH_TAPS], weight1[FC_HIGH_TAPS];
    UNROLL for (int tap = 0; tap < taps; tap++) {
      weight0[tap] = load(block->weight[tap][0]);
      weight1[tap] = load(block->weight[tap][1]);
    }
    for (int i = 0; i < count; i++) {
      const uint8_t *row = rows[i];
      __m256i sum0 = begin, sum1 = begin;
      UNROLL for (int tap = 0; tap < taps; tap++, row += step) {
        __m256i value0 = _mm256_shuffle_epi8(load_two(row + base0, row + base2), shuffle0);
        __m256i value1 = _mm256_shuffle_epi8(load_two(row + base1, row + base3), shuffle1);
        sum0 = _mm256_add_epi16(sum0, _mm256_mulhi_epu16(value0, weight0[tap]));
        sum1 = _mm256_add_epi16(sum1, _mm256_mulhi_epu16(value1, weight1[tap]));
      }
      store(out[i] + b * VECTOR, bytes_of_high(sum0, sum1));
    }
  }
}

/* ---- FC_PASS_SUM ---- */

/* Output pixels are taken 4 at a time; 16 source bytes hold 4 taps of 3 or 4 channels, or 16 of
 * one.  A constant shuffle brings two taps of a channel side by side, as the multiply-and-add of
 * pairs wants them; taps 0 1 go to the low half of a vector, taps 2 3 to the high one. */
typedef struct sum_group {
  size_t base[4];
  int16_t weight[][4][2][VECTOR / 2]; /* [steps][pixel][coarse, fine] */
} sum_group;

static size_t taps_per_step(int channels) {
  return channels == 1 ? 16 : 4;
}

static size_t sum_steps(size_t taps, int channels) {
  return FC_ROUND_UP(taps, taps_per_step(channels)) / taps_per_step(channels);
}

static size_t sum_group_bytes(size_t steps) {
  return sizeof(sum_group) + steps * 4 * 2 * VECTOR;
}

static void pack_sum_pixel(const int16_t *from, size_t taps, int channels, int16_t *to) {
  for (size_t tap = 0; tap < taps; tap++) {
    if (channels == 1) {
      to[tap] = from[tap];
      continue;
    }
    int16_t *pair = to + (tap / 2) * 8 + tap % 2;
    pair[0] = pair[2] = pair[4] = pair[6] = from[tap];
  }
}

static void pack_sum(const fc_axis *axis, int channels, uint8_t *packed) {
  const size_t taps = (size_t)axis->taps, per_step = taps_per_step(channels);
  const size_t steps = sum_steps(taps, channels), bytes = sum_group_bytes(steps);
  const size_t groups = FC_ROUND_UP((size_t)axis->count, 4) / 4;
  memset(packed, 0, groups * bytes); /* taps up to a whole step weigh nothing */
  for (size_t i = 0; i < groups * 4; i++) {
    /* Pixels beyond the last one repeat it. */
    const size_t pixel = FC_MIN(i, (size_t)axis->count - 1);
    sum_group *group = (sum_group *)(void *)(packed + i / 4 * bytes);
    group->base[i % 4] = (size_t)axis->start[pixel] * (size_t)channels;
    for (size_t step = 0; step < steps; step++) {
      const size_t from = pixel * taps + step * per_step;
      const size_t some = FC_MIN(taps - step * per_step, per_step);
      pack_sum_pixel(axis->weight + from, some, channels, group->weight[step][i % 4][0]);
      pack_sum_pixel(axis->fine + from, some, channels, group->weight[step][i % 4][1]);
    }
  }
}

AVX2_INLINE __m256i pair_shuffle(int channels) {
  if (channels == 3)
    return _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                            6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  return _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1,  //
                          8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
}

AVX2_INLINE __m256i load_taps(const uint8_t *from, __m256i shuffle, const int channels) {
  __m128i bytes = load_half(from);
  if (channels == 1) return _mm256_cvtepu8_epi16(bytes);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), shuffle);
}

/* The halves of a and b added up: a's sum in the low half, b's in the high one. */
AVX2_INLINE __m256i add_halves(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31));
}

/* Four pixels' sums to their bytes: 4, 12 or 16 of them, whatever follows is undefined. */
AVX2_INLINE __m128i bytes_of_sums(const __m256i sum[4], const int channels) {
  const __m256i rounding = _mm256_set1_epi32(1 << (FC_SUM_BITS - 1));
  if (channels == 1) {
    __m256i four =
        _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
    four = _mm256_add_epi32(add_halves(four, four), rounding);
    four = _mm256_srai_epi32(four, FC_SUM_BITS);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(four), _mm256_castsi256_si128(four));
    return _mm_packus_epi16(words, words);
  }
  __m256i even = _mm256_add_epi32(add_halves(sum[0], sum[2]), rounding);
  __m256i odd = _mm256_add_epi32(add_halves(sum[1], sum[3]), rounding);
  __m256i words =
      _mm256_packs_epi32(_mm256_srai_epi32(even, FC_SUM_BITS), _mm256_srai_epi32(odd, FC_SUM_BITS));
  __m256i pairs = _mm256_packus_epi16(words, words);
  __m128i pixels = _mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 0x08));
  if (channels == 4) return pixels;
  return _mm_shuffle_epi8(pixels,
                          _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
}

AVX2_INLINE void store_pixels(uint8_t *out, __m128i bytes, const int channels) {
  if (channels == 1) {
    int32_t four = _mm_cvtsi128_si32(bytes);
    memcpy(out, &four, 4);
  } else {
    store_half(out, bytes);
  }
}

AVX2_INLINE void across_sum(const fc_across *across, const uint8_t *const *rows,
                            uint8_t *const *out, int count, const int channels) {
  const fc_axis *axis = &across->axis;
  const size_t steps = sum_steps((size_t)axis->taps, channels), bytes = sum_group_bytes(steps);
  const size_t groups = FC_ROUND_UP((size_t)axis->count, 4) / 4;
  const size_t advance = taps_per_step(channels) * (size_t)channels;
  const __m256i shuffle = pair_shuffle(channels);
  for (size_t g = 0; g < groups; g++) {
    const sum_group *group = (const sum_group *)(const void *)(across->packed + g * bytes);
    for (int i = 0; i < count; i++) {
      __m256i sum[4], fine[4];
      UNROLL for (int p = 0; p < 4; p++) sum[p] = fine[p] = _mm256_setzero_si256();
      for (size_t step = 0; step < steps; step++) {
        const uint8_t *from = rows[i] + step * advance;
        UNROLL for (int p = 0; p < 4; p++) {
          __m256i taps = load_taps(from + group->base[p], shuffle, channels);
          add_product(&sum[p], taps, load(group->weight[step][p][0]));
          add_product(&fine[p], taps, load(group->weight[step][p][1]));
        }
      }
      UNROLL for (int p = 0; p < 4; p++) sum[p] = whole_sum(sum[p], fine[p]);
      store_pixels(out[i] + g * 4 * (size_t)channels, bytes_of_sums(sum, channels), channels);
    }
  }
}

/* ---- either ---- */

/* Which of the two forms an axis takes is not known before it is planned: room for the larger. */
size_t fc_across_avx2_bytes(size_t count, size_t taps, int channels) {
  fc_carver high = {0}, sum = {0};
  fc_carve(&high, high_blocks(count, channels), high_block_bytes(FC_MIN(taps, FC_HIGH_TAPS)));
  fc_carve(&sum, count / 4 + 1, sum_group_bytes(sum_steps(taps, channels)));
  return FC_MAX(high.used, sum.used);
}

void fc_across_avx2_pack(const fc_across *across) {
  if (across->axis.pass == FC_PASS_HIGH)
    pack_high(&across->axis, across->channels, across->packed);
  else
    pack_sum(&across->axis, across->channels, across->packed);
}

AVX2 void fc_across_avx2(const fc_across *across, const uint8_t *const *rows, uint8_t *const *out,
                         int count) {
  if (across->axis.pass == FC_PASS_SUM) {
    switch (across->channels) {
      case 1:
        across_sum(across, rows, out, count, 1);
        return;
      case 3:
        across_sum(across, rows, out, count, 3);
        return;
      default:
        across_sum(across, rows, out, count, 4);
        return;
    }
  }
  switch (across->axis.taps) {
    case 1:
      across_high(across, rows, out, count, 1);
      return;
    case 2:
      across_high(across, rows, out, count, 2);
      return;
    case 3:
      across_high(across, rows, out, count, 3);
      return;
    case 4:
      across_high(across, rows, out, count, 4);
      return;
    case 5:
      across_high(across, rows, out, count, 5);
      return;
    case 6:
      across_high(across, rows, out, count, 6);
      return;
    case 7:
      across_high(across, rows, out, count, 7);
      return;
    default:
      across_high(across, rows, out, count, 8);
      return;
  }
}

#else
/* ISO C wants something in every file. */
typedef int fc_no_avx2;
#endif
