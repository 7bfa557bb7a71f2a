/* png_unfilter_wave.c: rows of PNG that are chains, side by side, with 256-bit vectors.
 *
 * In rows of the filters Average and Paeth a pixel cannot be made before its left neighbour, so one
 * row alone leaves most of the processor idle.  Up to four of them run side by side therefore, as a
 * wave: each some blocks of 16 bytes behind the row above it, two rows to a vector.
 *
 * Paeth's guess is written so that little of it stands in the chain.  Walk from `above` towards
 * `corner`, D away: before the start the left neighbour is nearest to itself, until 3/2 D above is
 * the guess, then corner is, and from 3 D on the left neighbour is again.  The three limits depend
 * on finished bytes only and are made for 32 bytes at once; what remains in the chain are two
 * comparisons and two selections. */
#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#include "png_unfilter.h"

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))
/* gcc does not unroll at -O2 by itself; the arrays below are meant to live in registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { BLOCK = FC_PNG_BLOCK, LANES = FC_PNG_LANES };

/* Blocks that a row is behind the one above it.  One block less, and the processor would wait for
 * bytes that it has just made. */
enum { LAG = 2 };

AVX2_INLINE __m128i load16(const uint8_t *at) {
  return _mm_loadu_si128((const __m128i *)(const void *)at);
}

AVX2_INLINE void store16(uint8_t *at, __m128i value) {
  _mm_storeu_si128((__m128i *)(void *)at, value);
}

/* ---- one block of two rows ------------------------------------------------------------------- */

/* In each half what stands `pixel` bytes before `now`, where `earlier` is the block before. */
AVX2_INLINE __m256i to_the_left(__m256i now, __m256i earlier, const int pixel) {
  switch (pixel) {
    case 1:
      return _mm256_alignr_epi8(now, earlier, 15);
    case 2:
      return _mm256_alignr_epi8(now, earlier, 14);
    case 3:
      return _mm256_alignr_epi8(now, earlier, 13);
    case 4:
      return _mm256_alignr_epi8(now, earlier, 12);
    case 6:
      return _mm256_alignr_epi8(now, earlier, 10);
    default:
      return _mm256_alignr_epi8(now, earlier, 8);
  }
}

/* What the guesses of a block need besides the left neighbours.  All bytes are complemented (255 -
 * x): Paeth does not mind, and the instruction for averages, which rounds up, then rounds down. */
typedef struct block_plan {
  __m256i filtered, above, is_average;
  /* The place of a left neighbour is left - begin as a signed byte.  Up to `length` the guess is
   * above or corner; begin is 128 too large, so that those places start with -128. */
  __m256i begin, length;
  __m256i low_end;         /* up to this place it is the lower of the two */
  __m256i if_low, if_high; /* results when the guess is the lower one, the higher one */
} block_plan;

AVX2_INLINE block_plan plan_block(__m256i filtered, __m256i above, __m256i corner,
                                  __m256i is_average, const int any_average) {
  const __m256i one = _mm256_set1_epi8(1), half = _mm256_set1_epi8(0x7f);
  const __m256i zero = _mm256_setzero_si256();
  /* With D = 0 every left neighbour is the guess itself, and finish() turns it into the average. */
  if (any_average) corner = _mm256_blendv_epi8(corner, above, is_average);
  const __m256i low = _mm256_min_epu8(above, corner), high = _mm256_max_epu8(above, corner);
  /* D is in one of them, the other is 0. */
  const __m256i fall = _mm256_subs_epu8(above, corner), rise = _mm256_subs_epu8(corner, above);
  const __m256i not_rising = _mm256_cmpeq_epi8(rise, zero);
  /* From above to the last place before 3 D, which is 2 D - 1 beyond corner. */
  const __m256i begin = _mm256_subs_epu8(low, _mm256_subs_epu8(_mm256_adds_epu8(fall, fall), one));
  const __m256i end = _mm256_adds_epu8(high, _mm256_subs_epu8(_mm256_adds_epu8(rise, rise), one));
  /* Half of D beyond corner above is still the guess: of equals it comes first. */
  const __m256i down = _mm256_subs_epu8(corner, _mm256_and_si256(_mm256_srli_epi16(fall, 1), half));
  const __m256i middle = _mm256_adds_epu8(down, _mm256_and_si256(_mm256_srli_epi16(rise, 1), half));
  /* Going down to 0 or less: then no byte is nearer to corner. */
  const __m256i nearest = _mm256_blendv_epi8(low, above, _mm256_cmpeq_epi8(down, zero));
  const __m256i origin = _mm256_xor_si256(begin, _mm256_set1_epi8((char)0x80));
  block_plan p;
  p.filtered = filtered, p.above = above, p.is_average = is_average;
  p.begin = origin;
  p.length = _mm256_sub_epi8(end, origin);
  /* The middle itself belongs to above: when that is the higher one, the lower part is shorter. */
  p.low_end = _mm256_sub_epi8(_mm256_add_epi8(middle, not_rising), origin);
  p.if_low = _mm256_sub_epi8(nearest, filtered);
  p.if_high = _mm256_sub_epi8(high, filtered);
  return p;
}

AVX2_INLINE __m256i finish(const block_plan *p, __m256i left, const int any_average) {
  const __m256i place = _mm256_sub_epi8(left, p->begin);
  const __m256i is_left = _mm256_cmpgt_epi8(place, p->length);
  const __m256i near =
      _mm256_blendv_epi8(p->if_low, p->if_high, _mm256_cmpgt_epi8(place, p->low_end));
  if (any_average) left = _mm256_blendv_epi8(left, _mm256_avg_epu8(left, p->above), p->is_average);
  return _mm256_blendv_epi8(near, _mm256_sub_epi8(left, p->filtered), is_left);
}

/* ---- the wave -------------------------------------------------------------------------------- */

/* Where a block is read.  Zeros before the row begins, and anything after it has ended. */
AVX2_INLINE const uint8_t *block_of(const fc_png_strip *s, size_t index, size_t whole) {
  static const uint8_t zeros[BLOCK];
  const uint8_t *at = index < whole ? s->row + index * BLOCK : zeros;
  return index == whole ? s->last : at;
}

/* Where it is written: before and after the row, to a place that nobody reads.  Rows of the same
 * vector would wait for it. */
AVX2_INLINE uint8_t *room_of(fc_png_strip *s, size_t index, size_t whole, uint8_t *sink) {
  uint8_t *at = index < whole ? s->row + index * BLOCK : sink;
  return index == whole ? s->last : at;
}

AVX2_INLINE __m256i join(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

AVX2_INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
  return join(load16(low), load16(high));
}

/* Vectors of two lanes; `whole` blocks and a last one in every row.  A lane that is not in use
 * never begins. */
AVX2_INLINE void run_lanes(fc_png_wave *w, size_t whole, const int vectors, const int any_average,
                           const int pixel) {
  const __m256i ones = _mm256_set1_epi8(-1);
  __m256i made[LANES / 2], above[LANES / 2], is_average[LANES / 2];
  size_t lag[LANES];
  uint8_t sink[BLOCK];
  UNROLL for (int i = 0; i < 2 * vectors; i++) lag[i] =
      i < w->count ? (size_t)i * LAG : SIZE_MAX / 2;
  UNROLL for (int v = 0; v < vectors; v++) {
    const int a = 2 * v, b = 2 * v + 1;
    made[v] = above[v] = ones;
    is_average[v] = join(_mm_set1_epi8(w->is_average[a]), _mm_set1_epi8(w->is_average[b]));
  }
  const size_t steps = whole + 1 + (size_t)(w->count - 1) * LAG;
  for (size_t step = 0; step < steps; step++) {
    block_plan plan[LANES / 2];
    __m256i now[LANES / 2];
    UNROLL for (int v = 0; v < vectors; v++) {
      const int a = 2 * v, b = 2 * v + 1;
      const __m256i filtered = load_two(block_of(&w->lane[a], step - lag[a], whole),
                                        block_of(&w->lane[b], step - lag[b], whole));
      const __m256i over = load_two(block_of(w->above[a], step - lag[a], whole),
                                    block_of(w->above[b], step - lag[b], whole));
      const __m256i over_complement = _mm256_xor_si256(over, ones);
      plan[v] = plan_block(filtered, over_complement, to_the_left(over_complement, above[v], pixel),
                           is_average[v], any_average);
      above[v] = over_complement;
      now[v] = made[v];
    }
    /* Each time one pixel more is right: it came out of its left neighbour. */
    UNROLL for (int done = 0; done < BLOCK; done += pixel) UNROLL for (int v = 0; v < vectors; v++)
        now[v] = finish(&plan[v], to_the_left(now[v], made[v], pixel), any_average);
    UNROLL for (int v = 0; v < vectors; v++) {
      const int a = 2 * v, b = 2 * v + 1;
      const __m256i out = _mm256_xor_si256(now[v], ones);
      made[v] = now[v];
      store16(room_of(&w->lane[a], step - lag[a], whole, sink), _mm256_castsi256_si128(out));
      store16(room_of(&w->lane[b], step - lag[b], whole, sink), _mm256_extracti128_si256(out, 1));
    }
  }
}

/* Photographs are mostly Paeth, which alone is a tenth faster. */
AVX2_INLINE void run_pixel(fc_png_wave *w, size_t whole, int any_average, const int pixel) {
  if (w->count <= 2)
    run_lanes(w, whole, 1, 1, pixel);
  else if (any_average)
    run_lanes(w, whole, 2, 1, pixel);
  else
    run_lanes(w, whole, 2, 0, pixel);
}

static void set_strip(fc_png_strip *s, uint8_t *row, size_t bytes) {
  s->row = row;
  memcpy(s->last, row + (bytes - 1) / BLOCK * BLOCK, BLOCK); /* FC_ROW_SLACK is more than that */
}

void fc_png_wave_add(fc_png_wave *w, int is_average, uint8_t *row, uint8_t *above, size_t bytes) {
  const int i = w->count++;
  set_strip(&w->lane[i], row, bytes);
  w->is_average[i] = is_average ? -1 : 0;
  if (i > 0 && w->lane[i - 1].row == above) {
    w->above[i] = &w->lane[i - 1];
  } else {
    set_strip(&w->done[i], above, bytes);
    w->above[i] = &w->done[i];
  }
}

AVX2 void fc_png_wave_run(fc_png_wave *w, size_t bytes, size_t pixel_bytes) {
  if (!w->count) return;
  const size_t whole = (bytes - 1) / BLOCK, left = bytes - whole * BLOCK;
  int any_average = 0;
  for (int i = 0; i < w->count; i++) any_average |= w->is_average[i];
  for (int i = w->count; i < LANES; i++) w->above[i] = &w->lane[i]; /* never begins */
  switch (pixel_bytes) {
    case 1:
      run_pixel(w, whole, any_average, 1);
      break;
    case 2:
      run_pixel(w, whole, any_average, 2);
      break;
    case 3:
      run_pixel(w, whole, any_average, 3);
      break;
    case 4:
      run_pixel(w, whole, any_average, 4);
      break;
    case 6:
      run_pixel(w, whole, any_average, 6);
      break;
    default:
      run_pixel(w, whole, any_average, 8);
      break;
  }
  for (int i = 0; i < w->count; i++) memcpy(w->lane[i].row + whole * BLOCK, w->lane[i].last, left);
  w->count = 0;
}

#else
/* ISO C wants something in every file. */
typedef int fc_no_png_wave;
#endif
