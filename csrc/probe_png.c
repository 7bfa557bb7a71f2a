/* probe_png.c: the chunks of a PNG: header, opacity, animation, and how the camera was held. */
#include <string.h>

#include "png.h"
#include "probe.h"

/* Chunks are walked over by their lengths alone; their content is for the decoder to check. */
typedef struct walk {
  fc_reader *reader;
  fc_image_info *info;
  int64_t at;      /* of the next chunk */
  uint32_t name;   /* of the current one */
  int64_t content; /* where it begins */
  int64_t length;
  int has_frames, has_frame_control;
  uint32_t frames;
  /* What may say how the image stands, in the order in which Pillow believes it. */
  int has_exif_text, has_exif, has_raw_exif, has_xmp;
  int orientation; /* of the last eXIf, 0 when it says nothing */
  int is_odd;      /* the last eXIf is one that only Pillow can judge */
} walk;

/* 0: the file, or what Pillow reads of it, ends here. */
static int next_chunk(walk *w) {
  const uint8_t *p = fc_reader_at(w->reader, w->at, 8);
  if (!p || !fc_png_is_name(p + 4)) return 0;
  w->length = fc_be32(p);
  w->name = fc_be32(p + 4);
  w->content = w->at + 8;
  w->at = w->content + w->length + 4;
  return 1;
}

static int has_at(const walk *w, int64_t offset, const char *text, size_t size) {
  if (w->length - offset < (int64_t)size) return 0;
  const uint8_t *p = fc_reader_at(w->reader, w->content + offset, size);
  return p && memcmp(p, text, size) == 0;
}

/* The keyword of a text ends with a zero byte, or with the chunk. */
static int has_keyword(const walk *w, const char *keyword) {
  size_t size = strlen(keyword);
  return has_at(w, 0, keyword, w->length > (int64_t)size ? size + 1 : size);
}

static void look_at_text(walk *w) {
  w->has_exif_text |= has_keyword(w, "exif");
  w->has_raw_exif |= has_keyword(w, "Raw profile type exif");
  w->has_xmp |= has_keyword(w, "XML:com.adobe.xmp") || has_keyword(w, "xmp");
}

static void look_at_exif(walk *w) {
  /* Some writers put JPEG's prefix before it; Pillow reads over that. */
  const int64_t prefix = has_at(w, 0, "Exif\0\0", 6) ? 6 : 0;
  w->has_exif = 1;
  const int found = fc_exif_orientation(w->reader, w->content + prefix, w->content + w->length);
  w->orientation = FC_MAX(found, 0);
  w->is_odd = found < 0;
}

static void look_at_frames(walk *w) {
  const uint8_t *p = w->length >= 4 ? fc_reader_at(w->reader, w->content, 4) : NULL;
  w->has_frames = 1;
  w->frames = p ? fc_be32(p) : 0;
}

static void look_at(walk *w) {
  switch (w->name) {
    case FC_PNG_TEXT:
    case FC_PNG_ZTXT:
    case FC_PNG_ITXT:
      look_at_text(w);
      break;
    case FC_PNG_EXIF:
      look_at_exif(w);
      break;
    case FC_PNG_TRNS:
      w->info->flags |= FC_IMAGE_ALPHA;
      break;
    case FC_PNG_ACTL:
      look_at_frames(w);
      break;
    case FC_PNG_FCTL:
      w->has_frame_control = 1;
      break;
    default:
      break;
  }
}

/* An image outside the animation, shown by those who know nothing of it, is one more frame. */
static int is_animated(const walk *w) {
  return w->has_frames && w->frames != 0 && (w->frames > 1 || !w->has_frame_control);
}

static int walk_to_pixels(walk *w) {
  while (next_chunk(w)) {
    if (w->name == FC_PNG_IDAT) return 1;
    if (w->name == FC_PNG_IEND) return 0;
    look_at(w);
  }
  return 0;
}

/* Pillow stops at the end or at the next frame. */
static void walk_to_end(walk *w, int animated) {
  while (next_chunk(w) && w->name != FC_PNG_IEND) {
    if (animated && w->name == FC_PNG_FCTL) return;
    if (w->name != FC_PNG_TRNS) look_at(w);
  }
}

static void set_orientation(const walk *w) {
  int ask = w->has_exif_text || (w->has_raw_exif && !w->has_exif) ||
            (w->has_xmp && w->orientation == 0) || w->is_odd ||
            w->reader->reads >= FC_READER_MAX_READS;
  if (ask)
    w->info->flags |= FC_IMAGE_ASK_ORIENTATION;
  else if (w->orientation)
    w->info->orientation = w->orientation;
}

fc_status fc_probe_png(fc_reader *reader, int whole, fc_image_info *info) {
  const uint8_t *p = fc_reader_at(reader, FC_PNG_SIGNATURE_BYTES, 8 + FC_PNG_IHDR_BYTES);
  fc_png_header header;
  if (!p || fc_be32(p) != FC_PNG_IHDR_BYTES || fc_be32(p + 4) != FC_PNG_IHDR)
    return FC_NEEDS_PYTHON;
  if (!fc_png_read_header(p + 8, &header)) return FC_NEEDS_PYTHON;
  fc_status status = fc_probe_size(info, (uint32_t)header.width, (uint32_t)header.height,
                                   fc_png_components(header.colours), header.depth);
  if (status != FC_OK) return status;
  if (header.colours & 4) info->flags |= FC_IMAGE_ALPHA;
  walk w = {.reader = reader,
            .info = info,
            .at = FC_PNG_SIGNATURE_BYTES + FC_PNG_CHUNK_BYTES + FC_PNG_IHDR_BYTES};
  if (!walk_to_pixels(&w)) return FC_OK; /* Pillow says what is wrong with it */
  info->flags |= FC_IMAGE_IN_C;
  int animated = is_animated(&w);
  if (animated) info->flags |= FC_IMAGE_ANIMATED;
  if (whole) walk_to_end(&w, animated);
  set_orientation(&w);
  return FC_OK;
}
