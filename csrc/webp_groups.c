/* webp_groups.c: how many groups of prefix codes a lossless WebP names.
 *
 * Each costs libwebp up to 21 KB, and it makes room for all of them before it reads the first: a
 * small file that names 65,536 takes more than a gigabyte.  So they are counted beforehand, from
 * what stands in front of them (RFC 9649, section 3): the transforms, which have images of their
 * own, and the entropy image, which says what group a block of pixels belongs to.
 *
 * No pixels are made.  Each of these images has one group of codes, so that its pixels do not
 * decide how the bits behind them are read; and a copy or a colour from the cache repeats an
 * earlier pixel or is 0, so that the largest number is that of a literal.  Distances that lead out
 * of an image are passed over: libwebp refuses these, and has not come to the groups then.  What
 * else is refused here libwebp refuses as well. */
#include <string.h>

#include "webp.h"

/* ---- bits, the lowest of each byte first ----------------------------------------------------- */

typedef struct bits {
  const uint8_t *data;
  size_t size;
  uint64_t at; /* bits taken, possibly more than there are: 0 is read there */
} bits;

/* The next 57 bits at least. */
static uint64_t peek(const bits *b) {
  uint64_t at = b->at >> 3, ahead = 0;
  if (at + 8 <= b->size) {
    ahead = (uint64_t)fc_le32(b->data + at) | (uint64_t)fc_le32(b->data + at + 4) << 32;
  } else {
    for (uint64_t i = at; i < b->size; i++) ahead |= (uint64_t)b->data[i] << 8 * (i - at);
  }
  return ahead >> (b->at & 7);
}

static uint32_t take(bits *b, uint32_t count) {
  uint32_t value = (uint32_t)peek(b) & ((1u << count) - 1);
  b->at += count;
  return value;
}

/* libwebp reads 64 bits from streams that are shorter than that. */
static int past_end(const bits *b) {
  return b->at > FC_MAX((uint64_t)b->size * 8, 64);
}

/* ---- one prefix code ------------------------------------------------------------------------- */

enum {
  LITERALS = 256,
  LENGTHS = 24,
  DISTANCES = 40,
  MOST_CACHE_BITS = 11,
  MOST_SYMBOLS = LITERALS + LENGTHS + (1 << MOST_CACHE_BITS),
  LONGEST = 15,
  ROOT_BITS = 8, /* longer codes are rare; they are searched */
  SYMBOL_BITS = 12,
  LONG = 0xf << SYMBOL_BITS,
};

typedef struct prefix_code {
  uint32_t mask;                  /* of the bits that the table is looked up with */
  uint16_t table[1 << ROOT_BITS]; /* length << SYMBOL_BITS | symbol, or LONG */
  uint16_t count[LONGEST + 1];    /* of codes of each length */
  uint16_t symbols[MOST_SYMBOLS]; /* in the order of their codes */
} prefix_code;

/* The code that follows, of `length` bits, the first of them lowest. */
static uint32_t next_reversed(uint32_t code, uint32_t length) {
  uint32_t bit = 1u << (length - 1);
  while (code & bit) {
    code ^= bit;
    bit >>= 1;
  }
  return code | bit;
}

static void fill_table(prefix_code *p, uint32_t bits_used) {
  const uint16_t *symbol = p->symbols;
  uint32_t size = 1u << bits_used, code = 0, filled = 0;
  p->mask = size - 1;
  for (uint32_t length = 1; length <= bits_used; length++)
    for (uint32_t n = 0; n < p->count[length]; n++, symbol++) {
      for (uint32_t at = code; at < size; at += 1u << length, filled++)
        p->table[at] = (uint16_t)(length << SYMBOL_BITS | *symbol);
      code = next_reversed(code, length);
    }
  for (; filled < size; filled++, code = next_reversed(code, bits_used)) p->table[code] = LONG;
}

/* A code with one symbol takes no bits, whatever its length; others must be complete. */
static int build(prefix_code *p, const uint8_t *lengths, uint32_t alphabet) {
  uint32_t first[LONGEST + 2] = {0}, used = 0, longest = 0;
  memset(p->count, 0, sizeof p->count);
  for (uint32_t s = 0; s < alphabet; s++) p->count[lengths[s]]++;
  p->count[0] = 0;
  for (uint32_t length = 1; length <= LONGEST; length++) {
    first[length + 1] = first[length] + p->count[length];
    used += (uint32_t)p->count[length] << (LONGEST - length);
    if (p->count[length]) longest = length;
  }
  for (uint32_t s = 0; s < alphabet; s++)
    if (lengths[s]) p->symbols[first[lengths[s]]++] = (uint16_t)s;
  if (first[LONGEST] == 1) {
    p->mask = 0;
    p->table[0] = p->symbols[0];
    return 1;
  }
  if (used != 1u << LONGEST) return 0;
  fill_table(p, FC_MIN(longest, ROOT_BITS));
  return 1;
}

static uint32_t search_symbol(bits *b, const prefix_code *p) {
  uint64_t ahead = peek(b);
  uint32_t code = 0, first = 0, index = 0; /* of a length: the first code, and its symbol */
  for (uint32_t length = 1; length <= LONGEST; length++, ahead >>= 1) {
    code = code << 1 | (uint32_t)(ahead & 1);
    if (code - first < p->count[length]) {
      b->at += length;
      return p->symbols[index + code - first];
    }
    index += p->count[length];
    first = (first + p->count[length]) << 1;
  }
  return 0; /* a complete code has no such bits */
}

static uint32_t take_symbol(bits *b, const prefix_code *p) {
  if (p->mask == 0) return p->table[0]; /* most codes, and no wait for what came before */
  uint16_t entry = p->table[peek(b) & p->mask];
  if (entry >= LONG) return search_symbol(b, p);
  b->at += entry >> SYMBOL_BITS;
  return entry & ((1 << SYMBOL_BITS) - 1);
}

/* ---- the codes of an image ------------------------------------------------------------------- */

enum { GREEN, RED, BLUE, ALPHA, DISTANCE, CODES };

typedef struct reader {
  bits bits;
  prefix_code codes[CODES];
} reader;

/* Symbols of a colour cache, or -1. */
static int take_cache(bits *b) {
  if (!take(b, 1)) return 0;
  uint32_t cache_bits = take(b, 4);
  return cache_bits < 1 || cache_bits > MOST_CACHE_BITS ? -1 : 1 << cache_bits;
}

/* Lengths that are themselves coded. */
static int take_coded_lengths(bits *b, prefix_code *code, uint8_t *lengths, uint32_t alphabet) {
  enum { KINDS = 19, PREVIOUS = 16, MANY_ZEROS = 18 };
  static const uint8_t order[KINDS] = {17, 18, 0, 1,  2,  3,  4,  5,  16, 6,
                                       7,  8,  9, 10, 11, 12, 13, 14, 15};
  uint8_t of_lengths[KINDS] = {0};
  uint32_t count = take(b, 4) + 4;
  for (uint32_t i = 0; i < count; i++) of_lengths[order[i]] = (uint8_t)take(b, 3);
  if (!build(code, of_lengths, KINDS)) return 0;
  uint32_t left = alphabet;
  if (take(b, 1)) {
    left = take(b, 2 + 2 * take(b, 3)) + 2;
    if (left > alphabet) return 0;
  }
  uint8_t previous = 8;
  for (uint32_t s = 0; s < alphabet && left; left--) {
    uint32_t kind = take_symbol(b, code);
    if (kind < PREVIOUS) {
      lengths[s++] = (uint8_t)kind;
      if (kind) previous = (uint8_t)kind;
      continue;
    }
    uint32_t times = kind == PREVIOUS     ? 3 + take(b, 2)
                     : kind == MANY_ZEROS ? 11 + take(b, 7)
                                          : 3 + take(b, 3);
    if (times > alphabet - s) return 0;
    memset(lengths + s, kind == PREVIOUS ? previous : 0, times);
    s += times;
  }
  return 1;
}

/* Symbols beyond the alphabet may be named, and do not count. */
static int take_code(bits *b, prefix_code *code, uint32_t alphabet) {
  uint8_t lengths[MOST_SYMBOLS] = {0};
  if (take(b, 1)) {
    uint32_t two = take(b, 1), wide = take(b, 1);
    lengths[take(b, wide ? 8 : 1)] = 1;
    if (two) lengths[take(b, 8)] = 1;
  } else if (!take_coded_lengths(b, code, lengths, alphabet)) {
    return 0;
  }
  return build(code, lengths, alphabet);
}

static int take_codes(reader *r) {
  int cache = take_cache(&r->bits);
  if (cache < 0) return 0;
  const uint32_t alphabets[CODES] = {LITERALS + LENGTHS + (uint32_t)cache, LITERALS, LITERALS,
                                     LITERALS, DISTANCES};
  for (int c = 0; c < CODES; c++)
    if (!take_code(&r->bits, &r->codes[c], alphabets[c])) return 0;
  return 1;
}

/* ---- images ---------------------------------------------------------------------------------- */

/* The number, from 1, that a symbol of a length or a distance and the bits behind it stand for. */
static uint32_t take_number(bits *b, uint32_t symbol) {
  if (symbol < 4) return symbol + 1;
  uint32_t more = (symbol - 2) >> 1;
  return ((2 + (symbol & 1)) << more) + take(b, more) + 1;
}

/* Pass over an image.  The largest number that red and green make in a pixel, or -1. */
static int32_t pass_image(reader *r, uint32_t height, uint32_t width) {
  if (!take_codes(r)) return -1;
  bits b = r->bits;
  uint32_t pixels = height * width, at = 0, largest = 0;
  while (at < pixels && !past_end(&b)) {
    uint32_t green = take_symbol(&b, &r->codes[GREEN]);
    if (green < LITERALS) {
      uint32_t number = take_symbol(&b, &r->codes[RED]) << 8 | green;
      take_symbol(&b, &r->codes[BLUE]);
      take_symbol(&b, &r->codes[ALPHA]);
      largest = FC_MAX(largest, number);
      at++;
    } else if (green < LITERALS + LENGTHS) {
      at += take_number(&b, green - LITERALS);
      take_number(&b, take_symbol(&b, &r->codes[DISTANCE]));
    } else {
      at++;
    }
  }
  r->bits = b;
  return at != pixels || past_end(&b) ? -1 : (int32_t)largest;
}

static uint32_t blocks(uint32_t pixels, uint32_t size_bits) {
  return (pixels + (1u << size_bits) - 1) >> size_bits;
}

/* Pass over one transform; it may put several pixels into one. */
static int pass_transform(reader *r, uint32_t kind, uint32_t height, uint32_t *width) {
  enum { PREDICTOR, COLOUR, SUBTRACT_GREEN, COLOUR_INDEXING };
  if (kind == SUBTRACT_GREEN) return 1;
  if (kind == COLOUR_INDEXING) {
    uint32_t colours = take(&r->bits, 8) + 1;
    *width = blocks(*width, colours > 16 ? 0 : colours > 4 ? 1 : colours > 2 ? 2 : 3);
    return pass_image(r, 1, colours) >= 0;
  }
  uint32_t size_bits = take(&r->bits, 3) + 2;
  return pass_image(r, blocks(height, size_bits), blocks(*width, size_bits)) >= 0;
}

int fc_webp_groups(const uint8_t *data, size_t size, size_t header, int32_t height, int32_t width) {
  reader r;
  r.bits = (bits){data, size, (uint64_t)header * 8};
  uint32_t h = (uint32_t)height, w = (uint32_t)width, seen = 0;
  while (take(&r.bits, 1)) {
    uint32_t kind = take(&r.bits, 2);
    if (seen >> kind & 1 || !pass_transform(&r, kind, h, &w)) return 0;
    seen |= 1u << kind;
  }
  if (take_cache(&r.bits) < 0) return 0;
  if (!take(&r.bits, 1)) return !past_end(&r.bits);
  uint32_t size_bits = take(&r.bits, 3) + 2;
  return pass_image(&r, blocks(h, size_bits), blocks(w, size_bits)) + 1;
}
