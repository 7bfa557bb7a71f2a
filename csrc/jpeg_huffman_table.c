/* jpeg_huffman_table.c: look-up tables for Huffman codes.  Hardly two photographs share theirs, so
 * that making them is a part of decoding each, and has to be quick. */
#include <string.h>

#include "jpeg_huffman.h"

/* Canonical codes: those of a length are consecutive numbers, and go on from the shorter ones. */
static int build_code(fc_code *code, const JHUFF_TBL *from) {
  uint32_t next = 0, count = 0;
  code->limit[0] = 0;
  code->offset[0] = 0;
  for (int length = 1; length <= FC_CODE_BITS; length++) {
    next <<= 1;
    code->offset[length] = (int32_t)count - (int32_t)next;
    next += from->bits[length];
    count += from->bits[length];
    if (count > sizeof code->symbols || next > 1u << length) return 0;
    code->limit[length] = next << (FC_CODE_BITS - length);
  }
  memcpy(code->symbols, from->huffval, sizeof code->symbols);
  return 1;
}

/* ---- DC ------------------------------------------------------------------------------------- */

int fc_dc_table_build(fc_dc_table *table, const JHUFF_TBL *from) {
  if (!from || !build_code(&table->code, from)) return 0;
  uint16_t *entry = table->entry, *const end = entry + (1 << FC_DC_BITS);
  const uint8_t *symbol = table->code.symbols;
  for (int length = 1; length <= FC_CODE_BITS; length++)
    for (int i = 0; i < from->bits[length]; i++) {
      const int size = *symbol++;
      if (size > FC_DC_VALUE_BITS) return 0;
      if (length > FC_DC_BITS) continue;
      const uint16_t value = (uint16_t)(length << 12 | size << 8 | (length + size));
      for (int n = 1 << (FC_DC_BITS - length); n > 0; n--) *entry++ = value;
    }
  memset(entry, 0, (size_t)(end - entry) * sizeof *entry);
  return 1;
}

/* ---- AC ------------------------------------------------------------------------------------- */

enum { AC_ENTRIES = 1 << FC_AC_BITS };

static uint32_t lone_entry(int bits, int steps, int value) {
  return (uint32_t)value << 24 | (uint32_t)steps << 9 | 1 << 6 | (uint32_t)bits;
}

static uint32_t *repeat(uint32_t *entry, uint32_t value, int count) {
  for (int i = 0; i < count; i++) entry[i] = value;
  return entry + count;
}

/* The entries that begin with one code; they are consecutive.  Returns the one behind them. */
static uint32_t *write_symbol(uint32_t *entry, int length, int symbol) {
  const int run = symbol >> 4, size = symbol & 15, free_bits = FC_AC_BITS - length;
  if (size == 0) {
    const int steps = run == 15 ? 16 : FC_STEPS_TO_END;
    return repeat(entry, lone_entry(length, steps, 0), 1 << free_bits);
  }
  if (size > free_bits || size > 7)
    return repeat(entry, lone_entry(0, FC_STEPS_TO_LONG + length, symbol), 1 << free_bits);
  const int half = 1 << (size - 1), same = 1 << (free_bits - size);
  for (int value = 1 - 2 * half; value <= -half; value++)
    entry = repeat(entry, lone_entry(length + size, run + 1, value), same);
  for (int value = half; value < 2 * half; value++)
    entry = repeat(entry, lone_entry(length + size, run + 1, value), same);
  return entry;
}

/* Join each entry with the one that the bits behind it lead to, where both fit. */
static void write_pairs(uint32_t *pair, const uint32_t *lone) {
  for (uint32_t i = 0; i < AC_ENTRIES; i++) {
    const uint32_t first = lone[i], length = first & 63, steps = first >> 9 & 127;
    const uint32_t second = lone[i << length & (AC_ENTRIES - 1)];
    const int joins = (second & 63) != 0 && length + (second & 63) <= FC_AC_BITS && steps < 8;
    const uint32_t joined =
        second + length + ((steps - 1) << 6) + (steps << 9) + (first >> 8 & 0xff0000);
    pair[i] = joins ? joined : first;
  }
}

int fc_ac_table_build(fc_ac_table *table, const JHUFF_TBL *from) {
  if (!from || !build_code(&table->code, from)) return 0;
  uint32_t lone[AC_ENTRIES], *entry = lone;
  const uint8_t *symbol = table->code.symbols;
  for (int length = 1; length <= FC_AC_BITS; length++)
    for (int i = 0; i < from->bits[length]; i++) entry = write_symbol(entry, length, *symbol++);
  repeat(entry, lone_entry(0, FC_STEPS_TO_LONG, 0), (int)(lone + AC_ENTRIES - entry));
  write_pairs(table->entry, lone);
  return 1;
}
