/* webp_slow.h: the beginning of lossless WebP data read as RFC 9649, section 3, says it: one bit
 * after the other, with all pixels.  The oracle for csrc/webp_groups.c, which makes none. */
#ifndef FC_TEST_WEBP_SLOW_H
#define FC_TEST_WEBP_SLOW_H

#include <stdint.h>
#include <string.h>

#include "check.h"

typedef struct slow_reader {
  const uint8_t *data;
  size_t size, at; /* bytes; bits read */
  int damaged;
} slow_reader;

typedef struct slow_code {
  int size, symbols; /* of the alphabet; that have a code */
  uint8_t length[256 + 24 + 2048];
  uint32_t code[256 + 24 + 2048];
} slow_code;

static inline uint32_t slow_bits(slow_reader *r, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; i++, r->at++)
    if (r->at < r->size * 8) value |= (uint32_t)(r->data[r->at >> 3] >> (r->at & 7) & 1) << i;
  /* libwebp does not notice the end of fewer than 64 bits */
  if (r->at > r->size * 8 && r->at > 64) r->damaged = 1;
  return value;
}

/* Codes of one length follow each other in the order of symbols; longer ones follow shorter ones.
 */
static inline void slow_assign(slow_reader *r, slow_code *c) {
  uint32_t code = 0;
  c->symbols = 0;
  for (int length = 1; length <= 15; length++, code <<= 1)
    for (int s = 0; s < c->size; s++)
      if (c->length[s] == length) {
        c->code[s] = code++;
        c->symbols++;
      }
  if (c->symbols != 1 && code != 1u << 16) r->damaged = 1; /* not complete */
}

static inline int slow_symbol(slow_reader *r, const slow_code *c) {
  if (c->symbols == 1)
    for (int s = 0; s < c->size; s++)
      if (c->length[s]) return s;
  uint32_t code = 0;
  for (int length = 1; length <= 15 && !r->damaged; length++) {
    code = code << 1 | slow_bits(r, 1);
    for (int s = 0; s < c->size; s++)
      if (c->length[s] == length && c->code[s] == code) return s;
  }
  r->damaged = 1;
  return 0;
}

static inline void slow_lengths(slow_reader *r, slow_code *c) {
  static const int order[19] = {17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static slow_code of_lengths;
  memset(&of_lengths, 0, sizeof of_lengths);
  of_lengths.size = 19;
  int count = 4 + (int)slow_bits(r, 4);
  for (int i = 0; i < count; i++) of_lengths.length[order[i]] = (uint8_t)slow_bits(r, 3);
  slow_assign(r, &of_lengths);
  int most = c->size, last = 8, s = 0;
  if (slow_bits(r, 1)) {
    int width = 2 + 2 * (int)slow_bits(r, 3);
    most = 2 + (int)slow_bits(r, width);
  }
  if (most > c->size) r->damaged = 1;
  for (; most > 0 && s < c->size && !r->damaged; most--) {
    int kind = slow_symbol(r, &of_lengths), times = 1, length = kind;
    if (kind == 16) times = 3 + (int)slow_bits(r, 2), length = last;
    if (kind == 17) times = 3 + (int)slow_bits(r, 3), length = 0;
    if (kind == 18) times = 11 + (int)slow_bits(r, 7), length = 0;
    if (length) last = length;
    for (; times > 0; times--, s++) {
      if (s < c->size)
        c->length[s] = (uint8_t)length;
      else
        r->damaged = 1;
    }
  }
}

static inline void slow_read_code(slow_reader *r, slow_code *c, int size) {
  memset(c, 0, sizeof *c);
  c->size = size;
  if (slow_bits(r, 1)) {
    int two = (int)slow_bits(r, 1), width = slow_bits(r, 1) ? 8 : 1;
    c->length[slow_bits(r, width)] = 1;
    if (two) c->length[slow_bits(r, 8)] = 1;
  } else {
    slow_lengths(r, c);
  }
  slow_assign(r, c);
}

static inline int slow_number(slow_reader *r, int symbol) {
  if (symbol < 4) return symbol + 1;
  int more = (symbol - 2) / 2;
  return ((2 + symbol % 2) << more) + (int)slow_bits(r, more) + 1;
}

/* Distances up to 120 mean pixels near by, to the left and above. */
static inline int slow_distance(int number, int width) {
  static const int8_t near[120][2] = {
      {0, 1},  {1, 0},  {1, 1},  {-1, 1}, {0, 2},  {2, 0},  {1, 2},  {-1, 2}, {2, 1},  {-2, 1},
      {2, 2},  {-2, 2}, {0, 3},  {3, 0},  {1, 3},  {-1, 3}, {3, 1},  {-3, 1}, {2, 3},  {-2, 3},
      {3, 2},  {-3, 2}, {0, 4},  {4, 0},  {1, 4},  {-1, 4}, {4, 1},  {-4, 1}, {3, 3},  {-3, 3},
      {2, 4},  {-2, 4}, {4, 2},  {-4, 2}, {0, 5},  {3, 4},  {-3, 4}, {4, 3},  {-4, 3}, {5, 0},
      {1, 5},  {-1, 5}, {5, 1},  {-5, 1}, {2, 5},  {-2, 5}, {5, 2},  {-5, 2}, {4, 4},  {-4, 4},
      {3, 5},  {-3, 5}, {5, 3},  {-5, 3}, {0, 6},  {6, 0},  {1, 6},  {-1, 6}, {6, 1},  {-6, 1},
      {2, 6},  {-2, 6}, {6, 2},  {-6, 2}, {4, 5},  {-4, 5}, {5, 4},  {-5, 4}, {3, 6},  {-3, 6},
      {6, 3},  {-6, 3}, {0, 7},  {7, 0},  {1, 7},  {-1, 7}, {5, 5},  {-5, 5}, {7, 1},  {-7, 1},
      {4, 6},  {-4, 6}, {6, 4},  {-6, 4}, {2, 7},  {-2, 7}, {7, 2},  {-7, 2}, {3, 7},  {-3, 7},
      {7, 3},  {-7, 3}, {5, 6},  {-5, 6}, {6, 5},  {-6, 5}, {8, 0},  {4, 7},  {-4, 7}, {7, 4},
      {-7, 4}, {8, 1},  {8, 2},  {6, 6},  {-6, 6}, {8, 3},  {5, 7},  {-5, 7}, {7, 5},  {-7, 5},
      {8, 4},  {6, 7},  {-6, 7}, {7, 6},  {-7, 6}, {8, 5},  {7, 7},  {-7, 7}, {8, 6},  {8, 7},
  };
  if (number > 120) return number - 120;
  int distance = near[number - 1][0] + near[number - 1][1] * width;
  return distance < 1 ? 1 : distance;
}

static inline int slow_cache_bits(slow_reader *r) {
  if (!slow_bits(r, 1)) return 0;
  int bits = (int)slow_bits(r, 4);
  if (bits < 1 || bits > 11) r->damaged = 1;
  return bits;
}

/* The pixels of an image with one group of codes, which the caller frees. */
static inline uint32_t *slow_image(slow_reader *r, int height, int width) {
  static slow_code codes[5];
  int bits = slow_cache_bits(r), count = height * width, at = 0;
  uint32_t *pixels = check_alloc((size_t)count * sizeof *pixels), cache[1 << 11] = {0};
  for (int i = 0; i < 5 && !r->damaged; i++)
    slow_read_code(r, &codes[i], i == 4 ? 40 : i > 0 ? 256 : 256 + 24 + (bits ? 1 << bits : 0));
  while (at < count && !r->damaged) {
    int green = slow_symbol(r, &codes[0]), length = 1, distance = 0;
    if (green < 256) {
      uint32_t red = (uint32_t)slow_symbol(r, &codes[1]);
      uint32_t blue = (uint32_t)slow_symbol(r, &codes[2]);
      uint32_t alpha = (uint32_t)slow_symbol(r, &codes[3]);
      pixels[at] = alpha << 24 | red << 16 | (uint32_t)green << 8 | blue;
    } else if (green < 256 + 24) {
      length = slow_number(r, green - 256);
      distance = slow_distance(slow_number(r, slow_symbol(r, &codes[4])), width);
    } else {
      pixels[at] = cache[green - 256 - 24];
    }
    if (distance > at || length > count - at) r->damaged = 1;
    for (; length > 0 && !r->damaged; length--, at++) {
      if (distance) pixels[at] = pixels[at - distance];
      if (bits) cache[0x1e35a7bdu * pixels[at] >> (32 - bits)] = pixels[at];
    }
  }
  return pixels;
}

/* Groups that the data behind `header` bytes name; 0: damaged. */
static inline int slow_groups(const uint8_t *data, size_t size, size_t header, int height,
                              int width) {
  slow_reader r = {data, size, header * 8, 0};
  int seen[4] = {0}, largest = 0;
  while (slow_bits(&r, 1) && !r.damaged) {
    int kind = (int)slow_bits(&r, 2);
    if (seen[kind]++) return 0;
    if (kind == 2) continue; /* green is subtracted: no data */
    if (kind == 3) {
      int colours = 1 + (int)slow_bits(&r, 8);
      int together = colours <= 2 ? 8 : colours <= 4 ? 4 : colours <= 16 ? 2 : 1;
      width = (width + together - 1) / together;
      free(slow_image(&r, 1, colours));
    } else {
      int side = 4 << slow_bits(&r, 3);
      free(slow_image(&r, (height + side - 1) / side, (width + side - 1) / side));
    }
  }
  slow_cache_bits(&r);
  if (slow_bits(&r, 1) && !r.damaged) {
    int side = 4 << slow_bits(&r, 3), h = (height + side - 1) / side, w = (width + side - 1) / side;
    uint32_t *numbers = slow_image(&r, h, w);
    for (int i = 0; i < h * w; i++) {
      int number = (int)(numbers[i] >> 8 & 0xffff);
      largest = number > largest ? number : largest;
    }
    free(numbers);
  }
  return r.damaged ? 0 : largest + 1;
}

#endif
