/* jpeg_huffman.c: Huffman decoding of sequential JPEGs, about twice as fast as libjpeg's.
 *
 * It takes the place of the entropy decoder inside a libjpeg decompress object, so that all that
 * follows (inverse DCT, upsampling, colours, skipping, cropping) stays libjpeg's, and the pixels
 * stay the same.  Three things make it quick: bytes are un-stuffed beforehand, a window at a time;
 * one look-up gives up to two coefficients with their values; and nothing is checked while the bits
 * of an MCU are read, since the window always holds more of them than an MCU can take. */
#include "jpeg_huffman.h"

#include <string.h>

/* The object through which libjpeg calls its entropy decoder.  Its header, jpegint.h, is not
 * installed everywhere, but these two have been its first members in every version from IJG's 6b
 * to libjpeg-turbo 3.1, which put new ones behind them.  A major version that is not known yet
 * keeps its own decoder (and fails the tests, so that somebody looks). */
struct jpeg_entropy_decoder {
  void (*start_pass)(j_decompress_ptr cinfo);
  boolean (*decode_mcu)(j_decompress_ptr cinfo, JBLOCKROW *blocks);
};
#define IS_KNOWN_VERSION (LIBJPEG_TURBO_VERSION_NUMBER < 4000000)

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define INLINE static inline __attribute__((always_inline))

/* Where the file's 64 coefficients go in a block.  Steps may lead far beyond the last; what is
 * written there goes to the first, which gets its value at the end. */
static const uint8_t natural[64 + 7 + FC_STEPS_TO_END + 1] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* ---- bits ----------------------------------------------------------------------------------- */

INLINE uint64_t load_bits(const uint8_t *from) {
  uint64_t bits;
  memcpy(&bits, from, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  bits = __builtin_bswap64(bits);
#endif
  return bits;
}

enum { REFILLED = 56 }; /* the least number of bits after a refill */

INLINE void refill(fc_bits *bits) {
  const uint32_t count = bits->count & 63;
  bits->buffer |= load_bits(bits->next) >> count;
  bits->next += (63 - count) >> 3;
  bits->count = count | REFILLED;
}

/* Only the lowest six bits of the number count. */
INLINE void drop(fc_bits *bits, uint32_t number) {
  bits->buffer <<= number & 63;
  bits->count -= number;
}

/* Take back bits that were dropped since the last refill. */
static void undrop(fc_bits *bits, uint32_t number) {
  const uint32_t count = (bits->count + number) & 63, bytes = (count + 7) / 8;
  bits->buffer = load_bits(bits->next - bytes) << (8 * bytes - count);
  bits->count = count;
}

/* Of the next bit, from the window's start. */
static int64_t bit_position(const fc_huffman *h) {
  return (h->bits.next - h->window) * 8 - (int64_t)(h->bits.count & 63);
}

/* The value of the first `size` bits.  JPEG's negative ones begin with 0. */
INLINE int32_t signed_value(uint64_t buffer, uint32_t size) {
  const uint32_t is_negative = (uint32_t)(buffer >> 63) - 1; /* all ones, or 0 */
  const uint32_t value = (uint32_t)((buffer >> 1) >> (63 - size));
  return (int32_t)(value + (is_negative & (1 - (1u << size))));
}

/* Length and symbol of the code that the buffer begins with; 0 if that is none. */
static uint32_t find_code(const fc_code *code, uint64_t buffer, uint32_t *symbol) {
  const uint32_t ahead = (uint32_t)(buffer >> (64 - FC_CODE_BITS));
  uint32_t length = 1;
  while (length <= FC_CODE_BITS && ahead >= code->limit[length]) length++;
  if (length > FC_CODE_BITS) return 0;
  *symbol = code->symbols[code->offset[length] + (int32_t)(ahead >> (FC_CODE_BITS - length))];
  return length;
}

/* ---- one block ------------------------------------------------------------------------------ */

/* How many look-ups the bits of one refill are enough for. */
enum {
  LOOKUPS = REFILLED / FC_AC_BITS,
  LOOKUPS_AFTER_DC = (REFILLED - FC_DC_BITS - FC_DC_VALUE_BITS) / FC_AC_BITS
};

static int decode_long_dc(fc_bits *bits, const fc_huffman_block *block) {
  uint32_t size = 0;
  const uint32_t length = find_code(&block->dc->code, bits->buffer, &size);
  *block->predicted += (uint32_t)signed_value(bits->buffer << length, size);
  drop(bits, length + size);
  refill(bits);
  return length != 0;
}

INLINE int decode_dc(fc_bits *bits, const fc_huffman_block *block) {
  const uint32_t entry = block->dc->entry[bits->buffer >> (64 - FC_DC_BITS)];
  if (!LIKELY(entry)) return decode_long_dc(bits, block);
  const uint32_t length = entry >> 12, size = entry >> 8 & 15;
  *block->predicted += (uint32_t)signed_value(bits->buffer << length, size);
  drop(bits, entry);
  return 1;
}

/* The block is no regular one. */
enum { DAMAGED = FC_STEPS_TO_END + 63 };

/* One symbol that the table does not hold, behind the coefficient `at`; length: of its code, or 0.
 * Returns the position of its coefficient; 63 or more ends the block. */
INLINE uint32_t decode_symbol(fc_bits *bits, const fc_ac_table *table, uint32_t length,
                              uint32_t symbol, uint32_t at, JCOEF *block) {
  refill(bits);
  if (length == 0) length = find_code(&table->code, bits->buffer, &symbol);
  if (length == 0) return DAMAGED;
  const uint32_t run = symbol >> 4, size = symbol & 15;
  if (size == 0 && run != 15) {
    at = FC_STEPS_TO_END;
  } else {
    at += run + 1;
    if (at > 63) return DAMAGED;
    block[natural[at]] = (JCOEF)signed_value(bits->buffer << length, size); /* 0 for size 0 */
  }
  drop(bits, length + size);
  return at;
}

/* All coefficients but the first.  Returns DAMAGED, or less if all is well. */
INLINE uint32_t decode_ac(fc_bits *bits, const fc_ac_table *table, JCOEF *block) {
  uint32_t at = 0, entry = 0;
  for (int lookups = LOOKUPS_AFTER_DC;; lookups = LOOKUPS) {
    for (; lookups > 0; lookups--) {
      entry = table->entry[bits->buffer >> (64 - FC_AC_BITS)];
      drop(bits, entry);
      block[natural[at + (entry >> 6 & 7)]] = (int8_t)(entry >> 16);
      at += entry >> 9 & 127;
      block[natural[at]] = (int8_t)(entry >> 24);
      if (at >= 63) break;
    }
    if (at >= 63) {
      uint32_t length = 0;
      const uint32_t steps = entry >> 9 & 127;
      if (LIKELY(entry & 63)) {
        /* An end of block behind a coefficient that is not the last, or exactly the last one. */
        if (LIKELY(at - FC_STEPS_TO_END < 63 || at == 63)) return at;
        /* The first of two symbols ended the block or left it: take that alone. */
        undrop(bits, entry & 63);
      } else {
        length = steps - FC_STEPS_TO_LONG;
      }
      at = decode_symbol(bits, table, length, entry >> 24, at - steps, block);
      if (at >= 63) return at;
    }
    refill(bits);
  }
}

INLINE int decode_block(fc_bits *bits, const fc_huffman_block *block, JCOEF *out) {
  refill(bits);
  if (!LIKELY(decode_dc(bits, block))) return 0;
  if (!LIKELY(decode_ac(bits, block->ac, out) < DAMAGED)) return 0;
  out[0] = (JCOEF)*block->predicted;
  return 1;
}

/* ---- the window ----------------------------------------------------------------------------- */

_Static_assert(FC_MCU_BYTES >= D_MAX_BLOCKS_IN_MCU * DCTSIZE2 * (FC_CODE_BITS + 15) / 8 + 16,
               "an MCU is read without a look at the window's end");
_Static_assert(FC_WINDOW_BYTES > 2 * FC_MCU_BYTES, "a window has room for MCUs");

/* Append bytes without their stuffing until the window is full or the segment ends.  The zeros
 * behind its end are for an MCU that is cut off: look_after_window finds that out. */
static void fill_window(fc_huffman *h) {
  uint8_t *out = h->filled, *const full = h->window + 8 + FC_WINDOW_BYTES;
  const uint8_t *in = h->source, *const end = h->source_end;
  while (out < full && !h->is_last) {
    const size_t room = FC_MIN((size_t)(full - out), (size_t)(end - in));
    const uint8_t *mark = memchr(in, 0xff, room);
    const size_t is_stuffed = mark && end - mark > 1 && mark[1] == 0;
    const size_t run = mark ? (size_t)(mark - in) + is_stuffed : room;
    memcpy(out, in, run);
    out += run;
    in += run + is_stuffed;
    h->is_last = in == end || (mark && !is_stuffed);
  }
  h->source = in;
  h->filled = out;
  if (h->is_last) memset(out, 0, FC_MCU_BYTES);
  h->look_after = h->is_last ? out : out - FC_MCU_BYTES;
}

static void start_segment(fc_huffman *h) {
  h->is_last = 0;
  h->bits = (fc_bits){0, h->window + 8, 0};
  h->filled = h->window + 8;
  memset(h->predicted, 0, sizeof h->predicted);
  fill_window(h);
}

/* Eight bytes stay before `next`: the bits counted are theirs, and undrop may want them again. */
static void slide_window(fc_huffman *h) {
  const uint8_t *keep = h->bits.next - 8;
  const size_t kept = (size_t)(h->filled - keep);
  memmove(h->window, keep, kept);
  h->bits.next = h->window + 8;
  h->filled = h->window + kept;
  fill_window(h);
}

/* libjpeg refuses sums that overflow.  What a window can add to this limit does not. */
static int is_far_off(const fc_huffman *h) {
  const uint32_t limit = 1u << 30;
  for (int i = 0; i < MAX_COMPS_IN_SCAN; i++)
    if (h->predicted[i] + limit > 2 * limit) return 1;
  return 0;
}

/* Returns 0 if bits were read that the segment does not have. */
static int look_after_window(fc_huffman *h) {
  if (is_far_off(h)) return 0;
  if (!h->is_last) slide_window(h);
  return bit_position(h) <= (h->filled - h->window) * 8;
}

/* ---- segments ------------------------------------------------------------------------------- */

/* The marker's code behind a segment that was read to its end, but for the bits that fill up the
 * last byte.  NULL if more is left, or no marker follows. */
static const uint8_t *marker_behind(const fc_huffman *h) {
  const int64_t left = (h->filled - h->window) * 8 - bit_position(h);
  if (!h->is_last || left > 7) return NULL;
  const uint8_t *at = h->source;
  while (at < h->source_end && *at == 0xff) at++; /* any number of them counts as one */
  return at < h->source_end && *at != 0 ? at : NULL;
}

static int restart(fc_huffman *h, j_decompress_ptr cinfo) {
  const uint8_t *marker = marker_behind(h);
  if (!marker || *marker != JPEG_RST0 + (h->restarts++ & 7)) return 0;
  h->source = marker + 1;
  h->to_restart = cinfo->restart_interval;
  start_segment(h);
  return 1;
}

/* libjpeg goes on at the marker. */
static int end_scan(fc_huffman *h, j_decompress_ptr cinfo) {
  if (!marker_behind(h)) return 0;
  cinfo->src->next_input_byte = h->source;
  cinfo->src->bytes_in_buffer = (size_t)(h->source_end - h->source);
  return 1;
}

/* ---- what libjpeg calls --------------------------------------------------------------------- */

INLINE int decode_blocks(fc_huffman *h, int count, JBLOCKROW *blocks) {
  fc_bits bits = h->bits;
  for (int i = 0; i < count; i++) {
    JCOEF *out = blocks ? blocks[i][0] : h->discarded;
    if (!LIKELY(decode_block(&bits, &h->block[i], out))) return 0;
  }
  h->bits = bits;
  return 1;
}

static int decode_one(fc_huffman *h, j_decompress_ptr cinfo, JBLOCKROW *blocks) {
  if (h->to_end == 0) return 0;
  if (h->to_restart == 0 && cinfo->restart_interval && !restart(h, cinfo)) return 0;
  if (!decode_blocks(h, cinfo->blocks_in_MCU, blocks)) return 0;
  if (h->bits.next > h->look_after && !look_after_window(h)) return 0;
  h->to_restart--;
  return --h->to_end > 0 || end_scan(h, cinfo);
}

/* blocks: zeroed, or NULL where libjpeg skips rows. */
static boolean decode_mcu(j_decompress_ptr cinfo, JBLOCKROW *blocks) {
  if (!LIKELY(decode_one(cinfo->client_data, cinfo, blocks)))
    fc_jpeg_io_leave((fc_jpeg_io *)cinfo->err, FC_PENDING, 0);
  return TRUE;
}

/* ---- attaching ------------------------------------------------------------------------------ */

static int is_plain_scan(j_decompress_ptr cinfo) {
  return cinfo->data_precision == 8 && !cinfo->progressive_mode && !cinfo->arith_code &&
         !cinfo->buffered_image && !jpeg_has_multiple_scans(cinfo) &&
         cinfo->comps_in_scan == cinfo->num_components && cinfo->Ss == 0 &&
         cinfo->Se == DCTSIZE2 - 1 && cinfo->Ah == 0 && cinfo->Al == 0 && cinfo->unread_marker == 0;
}

static int build_tables(fc_huffman *h, j_decompress_ptr cinfo) {
  unsigned dc_built = 0, ac_built = 0;
  for (int c = 0; c < cinfo->comps_in_scan; c++) {
    const jpeg_component_info *component = cinfo->cur_comp_info[c];
    const unsigned dc = (unsigned)component->dc_tbl_no, ac = (unsigned)component->ac_tbl_no;
    if (!component->component_needed || dc >= NUM_HUFF_TBLS || ac >= NUM_HUFF_TBLS) return 0;
    if (!(dc_built >> dc & 1) && !fc_dc_table_build(&h->dc[dc], cinfo->dc_huff_tbl_ptrs[dc]))
      return 0;
    if (!(ac_built >> ac & 1) && !fc_ac_table_build(&h->ac[ac], cinfo->ac_huff_tbl_ptrs[ac]))
      return 0;
    dc_built |= 1u << dc;
    ac_built |= 1u << ac;
  }
  return 1;
}

int fc_huffman_attach(fc_huffman *h, j_decompress_ptr cinfo) {
  struct jpeg_entropy_decoder *entropy = cinfo->entropy;
  if (!IS_KNOWN_VERSION || !is_plain_scan(cinfo)) return 0;
  if (!entropy->start_pass || !entropy->decode_mcu || !build_tables(h, cinfo)) return 0;
  for (int i = 0; i < cinfo->blocks_in_MCU; i++) {
    const int c = cinfo->MCU_membership[i];
    const jpeg_component_info *component = cinfo->cur_comp_info[c];
    h->block[i] = (fc_huffman_block){&h->dc[component->dc_tbl_no], &h->ac[component->ac_tbl_no],
                                     &h->predicted[c]};
  }
  h->to_end = (uint64_t)cinfo->MCUs_per_row * cinfo->MCU_rows_in_scan;
  h->to_restart = cinfo->restart_interval;
  h->restarts = 0;
  h->source = cinfo->src->next_input_byte;
  h->source_end = h->source + cinfo->src->bytes_in_buffer;
  start_segment(h);
  cinfo->client_data = h;
  entropy->decode_mcu = decode_mcu;
  return 1;
}
