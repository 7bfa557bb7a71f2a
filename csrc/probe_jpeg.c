/* probe_jpeg.c: the markers of a JPEG up to its first scan.
 *
 * Both Pillow's own walk over the markers and libjpeg's must accept a file for Pillow to decode it,
 * so what either refuses is FC_E_CORRUPT here. */
#include <string.h>

#include "probe.h"

enum {
  TEM = 0x01,
  SOF0 = 0xc0,
  SOF1 = 0xc1,
  SOF2 = 0xc2,
  DHT = 0xc4,
  JPG = 0xc8,
  SOF9 = 0xc9,
  SOF10 = 0xca,
  DAC = 0xcc,
  SOF15 = 0xcf,
  RST0 = 0xd0,
  RST7 = 0xd7,
  SOI = 0xd8,
  EOI = 0xd9,
  SOS = 0xda,
  DHP = 0xde,
  EXP = 0xdf,
  APP0 = 0xe0,
  APP1 = 0xe1,
  APP14 = 0xee,
  APP15 = 0xef,
  COM = 0xfe,
};

/* ---- segments ------------------------------------------------------------------------------- */

typedef struct segment {
  int marker;
  int64_t at;     /* of its content */
  int64_t length; /* of its content */
} segment;

static int starts_with(fc_reader *reader, const segment *s, const char *text, size_t length) {
  if (s->length < (int64_t)length) return 0;
  const uint8_t *p = fc_reader_at(reader, s->at, length);
  return p && memcmp(p, text, length) == 0;
}

static int is_frame(int marker) {
  return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

static int has_no_content(int marker) {
  return marker >= RST0 && marker <= RST7;
}

/* Segments that carry a length.  What is neither these nor restarts ends one of the walks. */
static int has_content(int marker) {
  return marker == DHT || marker == DAC || (marker >= SOS && marker < DHP) ||
         (marker >= APP0 && marker <= APP15) || marker == COM || is_frame(marker);
}

/* The marker at or after *at, which moves behind it; -1 when the file ends first. */
static int next_marker(fc_reader *reader, int64_t *at) {
  const uint8_t *p;
  int previous = 0;
  while ((p = fc_reader_at(reader, *at, 1))) {
    ++*at;
    if (previous == 0xff && *p != 0xff && *p != 0) return *p;
    previous = *p;
  }
  return -1;
}

static fc_status read_frame(fc_reader *reader, const segment *s, fc_image_info *info) {
  const uint8_t *p = s->length >= 6 ? fc_reader_at(reader, s->at, 6) : NULL;
  if (!p) return s->length < 6 ? FC_E_CORRUPT : fc_reader_failure(reader);
  info->depth = p[0];
  info->height = (int32_t)fc_be16(p + 1);
  info->width = (int32_t)fc_be16(p + 3);
  info->components = p[5];
  if (info->height == 0 || info->width == 0) return FC_E_CORRUPT;
  int huffman = s->marker == SOF0 || s->marker == SOF1 || s->marker == SOF2;
  int arithmetic = s->marker == SOF9 || s->marker == SOF10;
  int colours = p[5] == 1 || p[5] == 3 || p[5] == 4;
  if ((huffman || arithmetic) && p[0] == 8 && colours) info->flags |= FC_IMAGE_IN_C;
  if (s->marker == SOF2 || s->marker == SOF10) info->flags |= FC_IMAGE_MULTISCAN;
  return FC_OK;
}

static fc_status read_scan(fc_reader *reader, const segment *s, fc_image_info *info) {
  const uint8_t *p = s->length >= 1 ? fc_reader_at(reader, s->at, 1) : NULL;
  if (!p) return s->length < 1 ? FC_E_CORRUPT : fc_reader_failure(reader);
  if (info->width == 0) return FC_E_CORRUPT; /* a scan before its frame */
  if (*p < info->components) info->flags |= FC_IMAGE_MULTISCAN;
  return info->flags & FC_IMAGE_IN_C ? FC_OK : FC_NEEDS_PYTHON;
}

/* Pillow reads a version word at byte 5 of these and gives up on a file that has none. */
static int lacks_version(fc_reader *reader, const segment *s) {
  if (s->length >= 7) return 0;
  return (s->marker == APP0 && starts_with(reader, s, "JFIF", 4)) ||
         (s->marker == APP14 && starts_with(reader, s, "Adobe", 5));
}

/* The blocks in which Pillow looks for the orientation. */
typedef struct metadata {
  fc_range exif, xmp;
  int exif_parts;
} metadata;

static void note_metadata(fc_reader *reader, const segment *s, metadata *blocks) {
  static const char exif_name[6] = "Exif\0", xmp_name[] = "http://ns.adobe.com/xap/1.0/";
  if (s->marker != APP1) return;
  if (starts_with(reader, s, exif_name, sizeof exif_name)) {
    if (blocks->exif_parts++ == 0) blocks->exif = (fc_range){s->at, s->at + s->length};
  } else if (starts_with(reader, s, xmp_name, sizeof xmp_name)) { /* the last one counts */
    blocks->xmp = (fc_range){s->at + (int64_t)sizeof xmp_name, s->at + s->length};
  }
}

static void find_orientation(fc_reader *reader, const metadata *blocks, fc_image_info *info) {
  /* Pillow strings several EXIF blocks together; here only the first can be read. */
  if (blocks->exif_parts > 1)
    info->flags |= FC_IMAGE_ASK_ORIENTATION;
  else
    fc_find_orientation(reader, blocks->exif, blocks->xmp, info);
}

fc_status fc_probe_jpeg(fc_reader *reader, fc_image_info *info) {
  int64_t at = 2;
  metadata blocks = {0};
  for (;;) {
    segment s = {.marker = next_marker(reader, &at)};
    if (s.marker < 0) return fc_reader_failure(reader);
    if (has_no_content(s.marker)) continue;
    /* Tables in a datastream of their own, or a hierarchical file: Pillow's to judge. */
    if (s.marker == EOI || s.marker == DHP || s.marker == EXP) return FC_NEEDS_PYTHON;
    if (!has_content(s.marker)) return FC_E_CORRUPT;
    const uint8_t *p = fc_reader_at(reader, at, 2);
    if (!p) return fc_reader_failure(reader);
    s.at = at + 2;
    s.length = FC_MAX((int64_t)fc_be16(p) - 2, 0); /* lengths 0 and 1 are read over */
    at = s.at + s.length;
    if (at > reader->size) return FC_E_TRUNCATED;
    if (s.marker == SOS) {
      fc_status status = read_scan(reader, &s, info);
      if (status == FC_OK) find_orientation(reader, &blocks, info);
      return status;
    }
    if (is_frame(s.marker)) {
      if (info->width != 0) return FC_E_CORRUPT; /* a second frame */
      fc_status status = read_frame(reader, &s, info);
      if (status != FC_OK) return status;
    } else if (lacks_version(reader, &s)) {
      return FC_E_CORRUPT;
    }
    note_metadata(reader, &s, &blocks);
  }
}

int fc_jpeg_count_scans(const uint8_t *data, size_t size, int limit) {
  int scans = 0;
  size_t at = 2;
  while (scans <= limit && at < size) {
    const uint8_t *p = memchr(data + at, 0xff, size - at);
    if (!p || (size_t)(p - data) + 1 >= size) break;
    at = (size_t)(p - data) + 1;
    int marker = data[at];
    if (marker == 0xff) continue; /* a fill byte: the marker may follow */
    at++;
    if (marker == EOI) break;
    if (marker == SOS) scans++;
    if (marker == 0 || marker == TEM || has_no_content(marker) || marker == SOI) continue;
    if (size - at < 2) break;
    at += FC_MAX(fc_be16(data + at), 2);
  }
  return scans;
}
