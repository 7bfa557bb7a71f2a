/* png_chunks.c: the walk over a PNG's chunks, as Pillow does it.
 *
 * Every way in which Pillow could refuse a file, or see other pixels in it, by something that
 * stands beside the pixels, is looked for here.  What is not the plain case is left to Pillow. */
#include "png.h"

/* ---- single things --------------------------------------------------------------------------- */

int fc_png_components(int colours) {
  return (colours & 2 && colours != FC_PNG_PALETTE ? 3 : 1) + (colours & 4 ? 1 : 0);
}

static int is_kind(int colours, int depth) {
  switch (colours) {
    case FC_PNG_GREY:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case FC_PNG_PALETTE:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case FC_PNG_RGB:
    case FC_PNG_GREY_ALPHA:
    case FC_PNG_RGBA:
      return depth == 8 || depth == 16;
    default:
      return 0;
  }
}

int fc_png_read_header(const uint8_t *ihdr, fc_png_header *header) {
  uint32_t width = fc_be32(ihdr), height = fc_be32(ihdr + 4);
  if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX) return 0;
  *header = (fc_png_header){.height = (int32_t)height,
                            .width = (int32_t)width,
                            .colours = ihdr[9],
                            .depth = ihdr[8],
                            .interlaced = ihdr[12]};
  return is_kind(ihdr[9], ihdr[8]) && ihdr[10] == 0 && ihdr[11] == 0 && ihdr[12] <= 1;
}

int fc_png_is_name(const uint8_t *name) {
  for (int i = 0; i < 4; i++) {
    int letter = (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z';
    if (!letter && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_') return 0;
  }
  return 1;
}

#define WRONG "wrong checksum in chunk "
static const struct {
  uint32_t name;
  const char *message;
} checked[] = {
    {FC_PNG_IHDR, WRONG "IHDR"}, {FC_PNG_PLTE, WRONG "PLTE"}, {FC_PNG_TRNS, WRONG "tRNS"},
    {FC_PNG_GAMA, WRONG "gAMA"}, {FC_PNG_CHRM, WRONG "cHRM"}, {FC_PNG_SRGB, WRONG "sRGB"},
    {FC_PNG_ICCP, WRONG "iCCP"}, {FC_PNG_PHYS, WRONG "pHYs"}, {FC_PNG_EXIF, WRONG "eXIf"},
    {FC_PNG_TEXT, WRONG "tEXt"}, {FC_PNG_ZTXT, WRONG "zTXt"}, {FC_PNG_ITXT, WRONG "iTXt"},
    {FC_PNG_ACTL, WRONG "acTL"}, {FC_PNG_FCTL, WRONG "fcTL"}, {0, WRONG "of an unknown kind"},
};
#define CHECKED ((int)(sizeof checked / sizeof *checked))

static int crc_code(uint32_t name) {
  int i = 0;
  while (i < CHECKED - 1 && checked[i].name != name) i++;
  return FC_PNG_BAD_CRC + i;
}

const char *fc_png_message(int code) {
  if (code == FC_PNG_BAD_ADLER) return "wrong checksum of the pixels (Adler-32)";
  if (code == FC_PNG_BAD_FILTER) return "a row has a filter that does not exist";
  int i = code - FC_PNG_BAD_CRC;
  return i >= 0 && i < CHECKED ? checked[i].message : "";
}

/* ---- chunks ---------------------------------------------------------------------------------- */

typedef struct walk {
  const fc_request *request;
  fc_png_texts *texts;
  fc_png_file *file;
  size_t at; /* of the next chunk */
  /* the current one */
  uint32_t name;
  const uint8_t *content;
  size_t length;   /* of the content, as far as the file goes */
  int is_whole;    /* the content is there */
  int has_crc;     /* and the checksum */
  uint32_t frames; /* as acTL says, 0 without one */
  int frame_controls;
} walk;

enum step { CHUNK, END, NO_NAME };

static enum step next_chunk(walk *w) {
  size_t left = w->request->size - w->at;
  if (left < 8) return END;
  const uint8_t *p = w->request->data + w->at;
  if (!fc_png_is_name(p + 4)) return NO_NAME;
  size_t length = fc_be32(p);
  left -= 8;
  w->name = fc_be32(p + 4);
  w->content = p + 8;
  w->length = FC_MIN(length, left);
  w->is_whole = length <= left;
  w->has_crc = w->is_whole && left - length >= 4;
  w->at += 8 + w->length + (w->has_crc ? 4 : w->is_whole ? left - length : 0);
  return CHUNK;
}

/* The checksum covers name and content. */
static int crc_is_right(const walk *w) {
  return libdeflate_crc32(0, w->content - 4, w->length + 4) == fc_be32(w->content + w->length);
}

/* ---- what stands in them --------------------------------------------------------------------- */

static size_t least_length(const walk *w) {
  switch (w->name) {
    case FC_PNG_GAMA:
      return 4;
    case FC_PNG_CHRM:
      return 32;
    case FC_PNG_SRGB:
      return 1;
    case FC_PNG_PHYS:
      return 9;
    case FC_PNG_ACTL:
      return 8;
    case FC_PNG_FCTL:
      return 26;
    case FC_PNG_TRNS:
      return w->file->header.colours == FC_PNG_RGB    ? 6
             : w->file->header.colours == FC_PNG_GREY ? 2
                                                      : 0;
    default:
      return 0;
  }
}

/* acTL and fcTL: the pixels are the first frame only if that frame is the whole canvas. */
static fc_status look_at_frames(walk *w) {
  const uint8_t *p = w->content;
  if (w->name == FC_PNG_ACTL) {
    if (w->frames) return FC_NEEDS_PYTHON;
    w->frames = fc_be32(p);
    return w->frames >= 1 && w->frames <= 0x80000000u ? FC_OK : FC_NEEDS_PYTHON;
  }
  int is_canvas = fc_be32(p) == 0 && fc_be32(p + 4) == (uint32_t)w->file->header.width &&
                  fc_be32(p + 8) == (uint32_t)w->file->header.height && fc_be32(p + 12) == 0 &&
                  fc_be32(p + 16) == 0;
  return w->frame_controls++ == 0 && is_canvas ? FC_OK : FC_NEEDS_PYTHON;
}

static fc_status keep(const walk *w, const uint8_t **content, size_t *bytes) {
  if (*content) return FC_NEEDS_PYTHON; /* there are two */
  *content = w->content;
  *bytes = w->length;
  return FC_OK;
}

/* Chunks that may stand before and behind the pixels. */
static fc_status look_at_any(walk *w) {
  if (w->length < least_length(w)) return FC_NEEDS_PYTHON;
  switch (w->name) {
    case FC_PNG_TEXT:
    case FC_PNG_ZTXT:
    case FC_PNG_ITXT:
    case FC_PNG_ICCP:
      return fc_png_check_text(w->texts, w->name, w->content, w->length);
    case FC_PNG_IHDR:
    case FC_PNG_PLTE:
    case FC_PNG_TRNS:
    case FC_PNG_ACTL:
    case FC_PNG_FCTL:
    case FC_PNG_FDAT:
    case FC_PNG_IDAT:
    case FC_PNG_IEND:
      return FC_NEEDS_PYTHON; /* not here */
    default:
      return FC_OK;
  }
}

static fc_status look_before_pixels(walk *w) {
  if (w->length < least_length(w)) return FC_NEEDS_PYTHON;
  switch (w->name) {
    case FC_PNG_PLTE:
      return keep(w, &w->file->palette, &w->file->palette_bytes);
    case FC_PNG_TRNS:
      return keep(w, &w->file->transparency, &w->file->transparency_bytes);
    case FC_PNG_ACTL:
    case FC_PNG_FCTL:
      return look_at_frames(w);
    default:
      return look_at_any(w);
  }
}

/* ---- the three parts of a file --------------------------------------------------------------- */

/* Up to the first IDAT, which is then the current chunk. */
static fc_status walk_to_pixels(walk *w, int *detail) {
  for (;;) {
    switch (next_chunk(w)) {
      case END:
        return FC_E_TRUNCATED;
      case NO_NAME:
        return FC_NEEDS_PYTHON;
      case CHUNK:
        break;
    }
    if (w->name == FC_PNG_IDAT) break;
    if (!w->has_crc) return FC_E_TRUNCATED;
    fc_status status = look_before_pixels(w);
    if (status != FC_OK) return status;
    if (!crc_is_right(w)) {
      *detail = crc_code(w->name);
      return FC_E_CORRUPT;
    }
    if (fc_deadline_passed(&w->request->deadline)) return FC_E_TIME;
  }
  return w->frame_controls && !w->frames ? FC_NEEDS_PYTHON : FC_OK;
}

/* To the end of the IDATs that follow one another.  The chunk behind them, if there is one, is then
 * the current one. */
static enum step walk_over_pixels(walk *w) {
  enum step step = CHUNK;
  w->file->first = w->content - 8;
  while (step == CHUNK && w->name == FC_PNG_IDAT) {
    w->file->parts++;
    w->file->compressed_bytes += w->length;
    w->file->cut_inside = !w->is_whole;
    if (w->has_crc && !crc_is_right(w)) w->file->wrong_parts++;
    step = next_chunk(w);
  }
  w->file->cut = step == END;
  return step;
}

/* The rest, in which Pillow checks no checksums. */
static fc_status walk_to_end(walk *w, enum step step) {
  /* An image that is no part of the animation counts as one more frame. */
  int animated = w->frames && (w->frames > 1 || !w->frame_controls);
  for (; step == CHUNK && w->name != FC_PNG_IEND; step = next_chunk(w)) {
    if (animated && w->name == FC_PNG_FCTL) return FC_OK;
    if (!w->is_whole) return FC_E_TRUNCATED;
    fc_status status = look_at_any(w);
    if (status != FC_OK) return status;
    if (fc_deadline_passed(&w->request->deadline)) return FC_E_TIME;
  }
  if (step != CHUNK) w->file->warnings++; /* no IEND */
  return FC_OK;
}

static int same_header(const fc_png_header *header, const fc_image_info *info) {
  return header->height == info->height && header->width == info->width;
}

fc_status fc_png_read_chunks(const fc_request *request, fc_png_texts *texts, fc_png_file *file,
                             int *detail) {
  walk w = {.request = request, .texts = texts, .file = file, .at = FC_PNG_SIGNATURE_BYTES};
  *file = (fc_png_file){0};
  if (request->size < FC_PNG_SIGNATURE_BYTES || next_chunk(&w) != CHUNK) return FC_NEEDS_PYTHON;
  if (w.name != FC_PNG_IHDR || w.length != FC_PNG_IHDR_BYTES) return FC_NEEDS_PYTHON;
  if (!w.has_crc) return FC_E_TRUNCATED;
  if (!fc_png_read_header(w.content, &file->header)) return FC_NEEDS_PYTHON;
  if (!same_header(&file->header, request->info)) return FC_E_CHANGED;
  if (!crc_is_right(&w)) {
    *detail = crc_code(w.name);
    return FC_E_CORRUPT;
  }
  fc_status status = walk_to_pixels(&w, detail);
  if (status != FC_OK) return status;
  status = walk_to_end(&w, walk_over_pixels(&w));
  if (status != FC_OK || !file->wrong_parts) return status;
  /* Pillow does not look at these.  What damaged pixels mean is for zlib to say: libdeflate is not
   * as strict about tables that are never used. */
  *detail = file->wrong_parts;
  return FC_NEEDS_PYTHON;
}
