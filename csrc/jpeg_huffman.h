/* jpeg_huffman.h: the Huffman decoder that takes the place of libjpeg's inside a decompress object,
 * and what its two files say to one another. */
#ifndef FC_JPEG_HUFFMAN_H
#define FC_JPEG_HUFFMAN_H

#include "jpeg_io.h"

/* ---- jpeg_huffman_table.c ------------------------------------------------------------------- */

enum {
  FC_CODE_BITS = 16, /* the longest code of JPEG */
  FC_AC_BITS = 11,   /* that a look-up sees: 8 KB a table, so that two stay in any L1 cache */
  FC_DC_BITS = 9,
  FC_DC_VALUE_BITS = 11, /* the most that differences of 8-bit images have */
  FC_STEPS_TO_END = 88,  /* of an end of block: farther than any two symbols lead */
  FC_STEPS_TO_LONG = 64, /* of an entry that says too little: beyond the block as well */
};

/* The code itself, for what the look-ups leave out. */
typedef struct fc_code {
  /* The next 16 bits start with a code of at most n bits if they are below limit[n]. */
  uint32_t limit[FC_CODE_BITS + 1];
  int32_t offset[FC_CODE_BITS + 1]; /* symbol of a code c of n bits: symbols[offset[n] + c] */
  uint8_t symbols[256];
} fc_code;

/* Codes of at most FC_DC_BITS bits.
 *
 *   bits 0-5    bits of code and value together: first, so that a shift can use the entry as it is
 *   bits 8-11   bits of the value
 *   bits 12-15  bits of the code
 *
 * 0: the code is longer, or there is none. */
typedef struct fc_dc_table {
  uint16_t entry[1 << FC_DC_BITS];
  fc_code code;
} fc_dc_table;

/* One or two symbols with their values, where FC_AC_BITS bits hold all of it.  "Steps" lead from
 * the position of one coefficient to that of the next, over the zeros between.
 *
 *   bits 0-5    bits of all codes and values
 *   bits 6-8    steps to the first coefficient
 *   bits 9-15   steps to the last one
 *   bits 16-23  value of the first, int8
 *   bits 24-31  value of the last, int8
 *
 * A lone symbol is the last one; the first is then a zero, written where there is one or where the
 * last goes.  An end of block is a zero FC_STEPS_TO_END on.  Where the bits do not hold all, bits
 * 0-5 are 0, the steps are FC_STEPS_TO_LONG and the code's length, bits 24-31 are the symbol; the
 * length is 0 if not even the code fits, or there is none. */
typedef struct fc_ac_table {
  uint32_t entry[1 << FC_AC_BITS];
  fc_code code;
} fc_ac_table;

/* 0 if the table is none, or is for values that no 8-bit image has. */
int fc_dc_table_build(fc_dc_table *table, const JHUFF_TBL *from);
int fc_ac_table_build(fc_ac_table *table, const JHUFF_TBL *from);

/* ---- jpeg_huffman.c ------------------------------------------------------------------------- */

enum {
  FC_WINDOW_BYTES = 8 << 10,
  FC_MCU_BYTES = 2560, /* more than any MCU takes: 10 blocks of 64 symbols of 31 bits, and a load */
};

/* The next bits of the stream, from the most significant end.  What lies below the bits counted is
 * zero or the stream's own, so that the same byte may be or-ed in twice. */
typedef struct fc_bits {
  uint64_t buffer;
  const uint8_t *next; /* the first byte that is not counted */
  uint32_t count;      /* modulo 64 */
} fc_bits;

/* What one block of an MCU is decoded with. */
typedef struct fc_huffman_block {
  const fc_dc_table *dc;
  const fc_ac_table *ac;
  uint32_t *predicted; /* DC coefficient of the component's last block */
} fc_huffman_block;

typedef struct fc_huffman {
  fc_bits bits;
  const uint8_t *look_after; /* once `bits` is beyond this byte, the window needs a look */
  fc_huffman_block block[D_MAX_BLOCKS_IN_MCU];
  uint32_t predicted[MAX_COMPS_IN_SCAN]; /* int32_t; unsigned, so that it may overflow */
  uint64_t to_end;                       /* MCUs up to the end of the scan */
  uint32_t to_restart;                   /* and up to the next restart marker */
  int restarts;                          /* markers met */

  const uint8_t *source, *source_end; /* bytes of the file that are not in the window yet */
  uint8_t *filled;                    /* end of the window's bytes */
  int is_last;                        /* they are the last of their segment */

  JCOEF discarded[DCTSIZE2]; /* where the blocks of skipped rows go */
  fc_dc_table dc[NUM_HUFF_TBLS];
  fc_ac_table ac[NUM_HUFF_TBLS];
  uint8_t window[8 + FC_WINDOW_BYTES + FC_MCU_BYTES];
} fc_huffman;

/* To be called between jpeg_start_decompress and the first row: decodes this image's one scan in
 * libjpeg's stead, into the very same blocks.  Returns 0, and has changed nothing, when the scan is
 * of a kind that is left to libjpeg.
 *
 * At the first irregularity of the data it leaves through fc_jpeg_io_leave with FC_PENDING: libjpeg
 * knows what damaged data mean, and the image is to be decoded again without this. */
int fc_huffman_attach(fc_huffman *huffman, j_decompress_ptr cinfo);

#endif
