/* png.h: what the files png*.c say to one another. */
#ifndef FC_PNG_H
#define FC_PNG_H

#include <libdeflate.h>

#include "reader.h"

/* ---- names ----------------------------------------------------------------------------------- */

#define FC_PNG_NAME(a, b, c, d) ((a) << 24 | (b) << 16 | (c) << 8 | (d))

/* The chunks that Pillow has a handler for; it reads over all others. */
enum {
  FC_PNG_IHDR = FC_PNG_NAME('I', 'H', 'D', 'R'),
  FC_PNG_PLTE = FC_PNG_NAME('P', 'L', 'T', 'E'),
  FC_PNG_IDAT = FC_PNG_NAME('I', 'D', 'A', 'T'),
  FC_PNG_IEND = FC_PNG_NAME('I', 'E', 'N', 'D'),
  FC_PNG_TRNS = FC_PNG_NAME('t', 'R', 'N', 'S'),
  FC_PNG_GAMA = FC_PNG_NAME('g', 'A', 'M', 'A'),
  FC_PNG_CHRM = FC_PNG_NAME('c', 'H', 'R', 'M'),
  FC_PNG_SRGB = FC_PNG_NAME('s', 'R', 'G', 'B'),
  FC_PNG_ICCP = FC_PNG_NAME('i', 'C', 'C', 'P'),
  FC_PNG_PHYS = FC_PNG_NAME('p', 'H', 'Y', 's'),
  FC_PNG_EXIF = FC_PNG_NAME('e', 'X', 'I', 'f'),
  FC_PNG_TEXT = FC_PNG_NAME('t', 'E', 'X', 't'),
  FC_PNG_ZTXT = FC_PNG_NAME('z', 'T', 'X', 't'),
  FC_PNG_ITXT = FC_PNG_NAME('i', 'T', 'X', 't'),
  FC_PNG_ACTL = FC_PNG_NAME('a', 'c', 'T', 'L'),
  FC_PNG_FCTL = FC_PNG_NAME('f', 'c', 'T', 'L'),
  FC_PNG_FDAT = FC_PNG_NAME('f', 'd', 'A', 'T'),
};

/* Colour types, which are sums of what they have: 1 a palette, 2 colour, 4 opacity. */
enum {
  FC_PNG_GREY = 0,
  FC_PNG_RGB = 2,
  FC_PNG_PALETTE = 3,
  FC_PNG_GREY_ALPHA = 4,
  FC_PNG_RGBA = 6,
};

/* Codes of FC_E_CORRUPT; the wrong checksum of a chunk is FC_PNG_BAD_CRC plus its place in the list
 * of names in png_chunks.c. */
enum { FC_PNG_BAD_ADLER = 1, FC_PNG_BAD_FILTER, FC_PNG_BAD_CRC };
const char *fc_png_message(int code);

/* ---- png_chunks.c ---------------------------------------------------------------------------- */

#define FC_PNG_SIGNATURE_BYTES 8
#define FC_PNG_IHDR_BYTES 13
#define FC_PNG_CHUNK_BYTES 12 /* length, name and checksum: what stands around the content */

typedef struct fc_png_header {
  int32_t height, width;
  int colours; /* colour type */
  int depth;   /* bits of a sample */
  int interlaced;
} fc_png_header;

/* Read the content of an IHDR; 0 unless the standard allows every field. */
int fc_png_read_header(const uint8_t *ihdr, fc_png_header *header);
/* 1, 2, 3 or 4 samples of a pixel. */
int fc_png_components(int colours);
/* Whether Pillow takes the name for one: letters, digits and underscores. */
int fc_png_is_name(const uint8_t *name);

typedef struct fc_png_file {
  fc_png_header header;
  const uint8_t *palette, *transparency; /* content of PLTE and tRNS, NULL where there is none */
  size_t palette_bytes, transparency_bytes;
  const uint8_t *first;    /* the first IDAT's length field; the others follow */
  size_t parts;            /* IDATs, the last one perhaps cut off by the end of the file */
  size_t compressed_bytes; /* of their content, together */
  int cut;                 /* the file ends in the last IDAT or right behind it */
  int cut_inside;          /* it ends in the content of the last IDAT */
  int wrong_parts;         /* IDATs with a wrong checksum */
  int warnings;
} fc_png_file;

/* Where compressed texts are inflated, one after the other, to see how large they are. */
typedef struct fc_png_texts {
  struct libdeflate_decompressor *inflater;
  fc_buffer *scratch;
  size_t total; /* bytes of text that Pillow counts */
  size_t most;  /* the same with those of which it is not certain */
} fc_png_texts;

/* Walk over all chunks.  FC_OK: Pillow would get as far as the pixels, and not give up behind
 * them. */
fc_status fc_png_read_chunks(const fc_request *request, fc_png_texts *texts, fc_png_file *file,
                             int *detail);

/* ---- png_text.c ------------------------------------------------------------------------------ */

/* What Pillow holds of a single text, and of all. */
#define FC_PNG_TEXT_BYTES ((size_t)1 << 20)
#define FC_PNG_TEXTS_BYTES (64 * FC_PNG_TEXT_BYTES)
/* Room to inflate into: beyond the limit by more than any one step of inflation writes, so that
 * what does not fit has passed the limit for certain. */
#define FC_PNG_TEXT_SCRATCH (FC_PNG_TEXT_BYTES + ((size_t)1 << 17))

/* Look at a tEXt, zTXt, iTXt or iCCP.  FC_E_BYTES: larger than Pillow accepts.  FC_NEEDS_PYTHON:
 * it has a keyword that changes what Pillow makes of the pixels, or Pillow may refuse it. */
fc_status fc_png_check_text(fc_png_texts *texts, uint32_t name, const uint8_t *data, size_t size);

/* ---- png_inflate.c --------------------------------------------------------------------------- */

/* The most that inflation makes of a byte: runs of 258 bytes in 2 bits. */
#define FC_PNG_MAX_RATIO 1032

/* Whether two bytes begin a zlib stream that needs no dictionary. */
int fc_png_is_zlib(const uint8_t *data);
/* Inflate the pixels to exactly `size` bytes. */
fc_status fc_png_inflate(struct libdeflate_decompressor *inflater, const uint8_t *data,
                         size_t compressed, uint8_t *out, size_t size, fc_png_file *file,
                         int *detail);

/* ---- png_passes.c ---------------------------------------------------------------------------- */

#define FC_PNG_PASSES 7

/* Filtered rows of every step_y-th row and step_x-th column, as they lie in the inflated data. */
typedef struct fc_png_pass {
  int32_t y0, x0, step_y, step_x;
  int32_t rows, columns;
  size_t row_bytes; /* without the filter's byte */
  size_t offset;    /* of the first row's filter byte */
  int32_t done;     /* rows unfiltered so far */
} fc_png_pass;

typedef struct fc_png_passes {
  fc_png_pass pass[FC_PNG_PASSES];
  int count;          /* 1, or those of the seven that are not empty */
  int depth;          /* bits of a sample */
  size_t pixel_bytes; /* at least 1 */
  size_t bytes;       /* of all passes; SIZE_MAX when that is no number */
} fc_png_passes;

void fc_png_plan_passes(const fc_png_header *header, fc_png_passes *passes);
/* Unfilter a pass as far as row `end` of the image; FC_E_CORRUPT at an unknown filter. */
fc_status fc_png_unfilter_to(const fc_png_passes *passes, fc_png_pass *pass, uint8_t *data,
                             int32_t end);
/* FC_OK when the rows that nobody unfiltered have filters that exist. */
fc_status fc_png_check_filters(const fc_png_passes *passes, const uint8_t *data);
/* Pixels [x0, x1) of row y, whole bytes each: where they lie in the data, or put into `room`. */
const uint8_t *fc_png_fetch(const fc_png_passes *passes, const uint8_t *data, int32_t y, int32_t x0,
                            int32_t x1, uint8_t *room);

/* ---- png_pixels.c ---------------------------------------------------------------------------- */

/* How a row of pixels, whole bytes each, becomes a row of the sink: up to two steps. */
typedef struct fc_png_colours {
  void (*take)(uint8_t *out, const uint8_t *in, size_t pixels); /* samples cut to bytes */
  fc_convert_row convert;                                       /* bytes to the sink's channels */
  /* In its stead, a conversion that needs what stands below. */
  void (*look_up)(const struct fc_png_colours *, uint8_t *out, const uint8_t *in, size_t pixels);
  uint8_t table[256][4]; /* output pixel of a byte */
  uint8_t key[3];        /* this colour is transparent */
  int has_key;
} fc_png_colours;

/* FC_NEEDS_PYTHON when Pillow has a rule of its own for such a file. */
fc_status fc_png_plan_colours(const fc_png_file *file, const fc_image_spec *spec,
                              fc_png_colours *colours);

/* ---- png_unfilter.c -------------------------------------------------------------------------- */

/* Undo the row filters (PNG specification, third edition, section 9) of `count` rows in place.
 * `rows` points at the filter byte of the first of them; the rows follow one another as they come
 * out of inflation, 1 + `bytes` apart.  With `first` the row above the first one counts as zeros;
 * otherwise it precedes `rows`, without its filter.  `pixel_bytes` (1, 2, 3, 4, 6, 8) is the
 * distance of the byte to the left: bytes of a pixel, at least 1.  Memory is readable, not
 * writable, for FC_ROW_SLACK bytes behind the last row.  Returns how many rows were done: fewer
 * than `count` when the next one has an unknown filter. */
size_t fc_png_unfilter(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes, int first);

#endif
