/* png_pixels.c: a PNG's pixels to the sink's, with the values that Pillow gives them.
 *
 *  - One byte a pixel (palettes, grey up to 8 bits): a table of 256 output pixels.
 *  - 16-bit grey becomes I;16 in Pillow, and its conversions cut at 255.
 *  - Everything else keeps the high byte of each sample, then converts as 8-bit images do. */
#include <string.h>

#include "png.h"

/* ---- samples cut to bytes -------------------------------------------------------------------- */

/* The first byte of `count` samples of each pixel. */
static inline void take(uint8_t *out, const uint8_t *in, size_t pixels, const size_t pixel_bytes,
                        const size_t sample_bytes, const size_t count) {
  for (size_t i = 0; i < pixels; i++, in += pixel_bytes)
    for (size_t k = 0; k < count; k++) *out++ = in[k * sample_bytes];
}

static void take_1_of_2(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 2, 1, 1);
}
static void take_3_of_4(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 4, 1, 3);
}
static void take_1_of_2_wide(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 4, 2, 1);
}
static void take_2_wide(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 4, 2, 2);
}
static void take_3_wide(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 6, 2, 3);
}
static void take_3_of_4_wide(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 8, 2, 3);
}
static void take_4_wide(uint8_t *out, const uint8_t *in, size_t pixels) {
  take(out, in, pixels, 8, 2, 4);
}

static void take_grey_cut(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 2) out[i] = in[0] ? 255 : in[1];
}

/* To the processor's byte order: I;16 itself. */
static void take_grey_whole(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) {
    uint16_t value = (uint16_t)fc_be16(in + 2 * i);
    memcpy(out + 2 * i, &value, sizeof value);
  }
}

/* ---- conversions that colour.c does not have ------------------------------------------------- */

static void grey_alpha_to_rgba(uint8_t *out, const uint8_t *in, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, in += 2, out += 4) {
    out[0] = out[1] = out[2] = in[0];
    out[3] = in[1];
  }
}

static void rgb_to_keyed_rgba(const fc_png_colours *colours, uint8_t *out, const uint8_t *in,
                              size_t pixels) {
  const uint8_t *key = colours->key;
  for (size_t i = 0; i < pixels; i++, in += 3, out += 4) {
    int differs = (in[0] ^ key[0]) | (in[1] ^ key[1]) | (in[2] ^ key[2]);
    memcpy(out, in, 3);
    out[3] = differs ? 255 : 0;
  }
}

static void byte_to_grey(const fc_png_colours *colours, uint8_t *out, const uint8_t *in,
                         size_t pixels) {
  for (size_t i = 0; i < pixels; i++) out[i] = colours->table[in[i]][0];
}

/* Four bytes are stored, of which the next pixel overwrites the last. */
static void byte_to_rgb(const fc_png_colours *colours, uint8_t *out, const uint8_t *in,
                        size_t pixels) {
  for (size_t i = 0; i < pixels; i++) memcpy(out + 3 * i, colours->table[in[i]], 4);
}

static void byte_to_rgba(const fc_png_colours *colours, uint8_t *out, const uint8_t *in,
                         size_t pixels) {
  for (size_t i = 0; i < pixels; i++) memcpy(out + 4 * i, colours->table[in[i]], 4);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Entries that the palette lacks are black. */
static fc_status fill_from_palette(const fc_png_file *file, fc_png_colours *colours) {
  size_t entries = file->palette_bytes / 3, opacities = file->transparency_bytes;
  if (!file->palette || entries > 256 || opacities > 256) return FC_NEEDS_PYTHON;
  memset(colours->table, 0, sizeof colours->table);
  for (size_t i = 0; i < entries; i++) memcpy(colours->table[i], file->palette + 3 * i, 3);
  for (size_t i = 0; i < 256; i++)
    colours->table[i][3] = i < opacities ? file->transparency[i] : 255;
  return FC_OK;
}

/* Pillow takes a list with one 0 among 255s for that entry's number, and finds it with a regular
 * expression whose "$" also matches before a line feed: such a last entry does not count. */
static void drop_line_feed(const fc_png_file *file, fc_png_colours *colours) {
  const uint8_t *list = file->transparency;
  size_t size = file->transparency_bytes, zeros = 0;
  if (size < 2 || list[size - 1] != '\n') return;
  for (size_t i = 0; i < size - 1; i++) {
    if (list[i] != 0 && list[i] != 255) return;
    zeros += list[i] == 0;
  }
  if (zeros == 1) colours->table[size - 1][3] = 255;
}

static void fill_from_grey(const fc_png_file *file, fc_png_colours *colours) {
  unsigned depth = (unsigned)file->header.depth, highest = (1u << FC_MIN(depth, 8u)) - 1;
  for (unsigned i = 0; i < 256; i++) {
    uint8_t value = (uint8_t)(i * 255 / highest);
    uint8_t opacity = colours->has_key && value == colours->key[0] ? 0 : 255;
    memcpy(colours->table[i], (uint8_t[4]){value, value, value, opacity}, 4);
  }
}

static void table_to_grey(fc_png_colours *colours) {
  for (int i = 0; i < 256; i++) {
    fc_convert_row to_grey = fc_convert_for(3, 1);
    to_grey(colours->table[i], colours->table[i], 1);
  }
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* Pillow compares the low bytes of tRNS with pixels that are bytes already, so that colours of
 * other depths seldom match. */
static void read_key(const fc_png_file *file, fc_png_colours *colours) {
  int colour = file->header.colours == FC_PNG_RGB;
  if (!file->transparency || (!colour && file->header.colours != FC_PNG_GREY)) return;
  colours->has_key = 1;
  for (int k = 0; k < 3; k++) colours->key[k] = file->transparency[colour ? 2 * k + 1 : 1];
  if (file->header.depth == 1) colours->key[0] = file->transparency[0] || colours->key[0] ? 255 : 0;
}

static void look_up(const fc_png_file *file, int channels, fc_png_colours *colours) {
  int is_grey = file->header.colours == FC_PNG_GREY;
  if (channels == 1 && is_grey && file->header.depth >= 8) return; /* it is what it says */
  colours->look_up = channels == 1 ? byte_to_grey : channels == 3 ? byte_to_rgb : byte_to_rgba;
  if (channels == 1 && !is_grey) table_to_grey(colours);
}

static fc_status plan_bytes(const fc_png_file *file, int channels, fc_png_colours *colours) {
  if (file->header.depth == 16) colours->take = take_grey_cut;
  if (file->header.colours == FC_PNG_PALETTE) {
    fc_status status = fill_from_palette(file, colours);
    if (status != FC_OK) return status;
    drop_line_feed(file, colours);
  } else {
    fill_from_grey(file, colours);
  }
  look_up(file, channels, colours);
  return FC_OK;
}

static void plan_grey_alpha(int wide, int channels, fc_png_colours *colours) {
  if (channels == 4) {
    if (wide) colours->take = take_2_wide;
    colours->convert = grey_alpha_to_rgba;
    return;
  }
  colours->take = wide ? take_1_of_2_wide : take_1_of_2;
  colours->convert = fc_convert_for(1, channels);
}

static void plan_rgb(int wide, int channels, fc_png_colours *colours) {
  if (wide) colours->take = take_3_wide;
  if (channels == 4 && colours->has_key)
    colours->look_up = rgb_to_keyed_rgba;
  else
    colours->convert = fc_convert_for(3, channels);
}

static void plan_rgba(int wide, int channels, fc_png_colours *colours) {
  if (channels == 4) {
    if (wide) colours->take = take_4_wide;
    return;
  }
  colours->take = wide ? take_3_of_4_wide : take_3_of_4;
  colours->convert = fc_convert_for(3, channels);
}

fc_status fc_png_plan_colours(const fc_png_file *file, const fc_image_spec *spec,
                              fc_png_colours *colours) {
  int wide = file->header.depth == 16;
  colours->take = NULL;
  colours->convert = NULL;
  colours->look_up = NULL;
  colours->has_key = 0;
  if (spec->wide) {
    colours->take = take_grey_whole;
    return wide && file->header.colours == FC_PNG_GREY ? FC_OK : FC_NEEDS_PYTHON;
  }
  read_key(file, colours);
  switch (file->header.colours) {
    case FC_PNG_RGB:
      plan_rgb(wide, spec->channels, colours);
      return FC_OK;
    case FC_PNG_GREY_ALPHA:
      plan_grey_alpha(wide, spec->channels, colours);
      return FC_OK;
    case FC_PNG_RGBA:
      plan_rgba(wide, spec->channels, colours);
      return FC_OK;
    default:
      return plan_bytes(file, spec->channels, colours);
  }
}
