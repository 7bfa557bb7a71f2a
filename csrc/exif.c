/* exif.c: how a camera was held, where and as Pillow's Image.getexif() looks for it. */
#include <string.h>

#include "probe.h"

enum {
  ABSENT = 0,
  ASK = -1, /* there is something that only Pillow reads */
};

#define ORIENTATION 0x0112 /* the tag */

/* ---- EXIF: a TIFF structure ------------------------------------------------------------------ */

typedef struct exif_view {
  fc_reader *reader;
  int64_t base, end; /* of the TIFF structure inside the file, end exclusive */
  int big_endian;
} exif_view;

static const uint8_t *exif_at(const exif_view *exif, uint32_t offset, size_t count) {
  int64_t room = exif->end - exif->base;
  if ((int64_t)offset > room || (int64_t)count > room - (int64_t)offset) return NULL;
  return fc_reader_at(exif->reader, exif->base + offset, count);
}

static uint32_t exif_16(const exif_view *exif, const uint8_t *p) {
  return exif->big_endian ? fc_be16(p) : fc_le16(p);
}

static uint32_t exif_32(const exif_view *exif, const uint8_t *p) {
  return exif->big_endian ? fc_be32(p) : fc_le32(p);
}

/* Numbers that stand for no orientation turn nothing, and are an answer all the same. */
static int orientation_of(uint32_t value) {
  return value >= 1 && value <= 8 ? (int)value : 1;
}

static int entry_orientation(const exif_view *exif, const uint8_t *entry) {
  enum { SHORT = 3, LONG = 4 };
  uint32_t type = exif_16(exif, entry + 2), count = exif_32(exif, entry + 4);
  if (count == 1 && type == SHORT) return orientation_of(exif_16(exif, entry + 8));
  if (count == 1 && type == LONG) return orientation_of(exif_32(exif, entry + 8));
  return ASK;
}

/* Pillow cuts off up to two of these, whatever the file format. */
static int64_t skip_prefixes(fc_reader *reader, int64_t base, int64_t end) {
  static const char prefix[6] = "Exif\0";
  for (int i = 0; i < 2 && end - base >= (int64_t)sizeof prefix; i++) {
    const uint8_t *p = fc_reader_at(reader, base, sizeof prefix);
    if (p && memcmp(p, prefix, sizeof prefix) == 0) base += (int64_t)sizeof prefix;
  }
  return base;
}

/* The first directory's first entry counts. */
int fc_exif_orientation(fc_reader *reader, int64_t base, int64_t end) {
  exif_view exif = {reader, skip_prefixes(reader, base, end), end, 0};
  if (exif.base == end) return ABSENT;
  /* Pillow may refuse an image for a block that is no TIFF structure. */
  const uint8_t *p = exif_at(&exif, 0, 8);
  if (!p || (memcmp(p, "MM\0*", 4) != 0 && memcmp(p, "II*\0", 4) != 0)) return ASK;
  exif.big_endian = p[0] == 'M';
  uint32_t at = exif_32(&exif, p + 4);
  if (!(p = exif_at(&exif, at, 2))) return ABSENT;
  uint32_t entries = exif_16(&exif, p);
  at += 2; /* no overflow: at lies within the block */
  for (uint32_t i = 0; i < entries && (p = exif_at(&exif, at, 12)); i++, at += 12)
    if (exif_16(&exif, p) == ORIENTATION) return entry_orientation(&exif, p);
  return ABSENT;
}

/* ---- XMP: text ------------------------------------------------------------------------------- */

static const char xmp_name[] = "tiff:Orientation";
enum {
  XMP_NAME = sizeof xmp_name - 1,
  XMP_MATCH = XMP_NAME + 3, /* with =" and a digit */
  XMP_LONGEST = 1 << 16,    /* packets hold a few KB; no probe reads through megabytes */
};

static int is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

/* Pillow's pattern is tiff:Orientation(="|>)([0-9]). */
static int match(const uint8_t *p, size_t count) {
  if (count < XMP_NAME + 2 || memcmp(p, xmp_name, XMP_NAME) != 0) return ABSENT;
  const uint8_t *digit = NULL;
  if (p[XMP_NAME] == '>') digit = p + XMP_NAME + 1;
  if (count >= XMP_MATCH && memcmp(p + XMP_NAME, "=\"", 2) == 0) digit = p + XMP_NAME + 2;
  return digit && is_digit(*digit) ? orientation_of((uint32_t)(*digit - '0')) : ABSENT;
}

static int find_match(const uint8_t *p, size_t count) {
  const uint8_t *end = p + count;
  int found = ABSENT;
  for (; !found && (p = memchr(p, xmp_name[0], (size_t)(end - p))); p++)
    found = match(p, (size_t)(end - p));
  return found;
}

static int xmp_orientation(fc_reader *reader, fc_range xmp) {
  if (xmp.end - xmp.start > XMP_LONGEST) return ASK;
  for (int64_t at = xmp.start; at < xmp.end;) {
    size_t count = (size_t)FC_MIN(xmp.end - at, FC_READER_WINDOW);
    const uint8_t *p = fc_reader_at(reader, at, count);
    if (!p) return ASK;
    int found = find_match(p, count);
    if (found) return found;
    if (at + (int64_t)count == xmp.end) break;
    at += (int64_t)count - XMP_MATCH; /* one may begin in this window and end in the next */
  }
  return ABSENT;
}

/* ---- both ------------------------------------------------------------------------------------ */

void fc_find_orientation(fc_reader *reader, fc_range exif, fc_range xmp, fc_image_info *info) {
  int found = ABSENT;
  if (exif.start < exif.end) found = fc_exif_orientation(reader, exif.start, exif.end);
  if (found == ABSENT) found = xmp_orientation(reader, xmp);
  if (found == ASK) info->flags |= FC_IMAGE_ASK_ORIENTATION;
  info->orientation = FC_MAX(found, 1);
}
