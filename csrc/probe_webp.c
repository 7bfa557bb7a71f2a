/* probe_webp.c: the chunks of a WebP.
 *
 * Pillow lets libwebp's demuxer read the container and decodes the chunks that it names.  What that
 * demuxer takes as a matter of course is done here in the same way; whatever else a container may
 * hold is left to Pillow, refusals included. */
#include <string.h>

#include "webp.h"

#define NAME(a, b, c, d) ((a) | (b) << 8 | (c) << 16 | (d) << 24)

enum {
  ALPH = NAME('A', 'L', 'P', 'H'),
  ANIM = NAME('A', 'N', 'I', 'M'),
  ANMF = NAME('A', 'N', 'M', 'F'),
  EXIF = NAME('E', 'X', 'I', 'F'),
  VP8 = NAME('V', 'P', '8', ' '),
  VP8L = NAME('V', 'P', '8', 'L'),
  VP8X = NAME('V', 'P', '8', 'X'),
  XMP = NAME('X', 'M', 'P', ' '),
};

enum {
  RIFF_HEADER = 12,
  CHUNK_HEADER = 8,
  MOST_CHUNKS = 256, /* more are there to waste time */
};

/* Flags of VP8X. */
enum { HAS_ANIMATION = 0x02, HAS_XMP = 0x04, HAS_EXIF = 0x08, HAS_ALPHA = 0x10, KNOWN = 0x3e };

typedef struct chunk {
  uint32_t name;
  int64_t at; /* of its header */
  fc_range content;
  int64_t next; /* behind its padding */
} chunk;

static int read_chunk(fc_reader *reader, int64_t at, int64_t end, chunk *c) {
  const uint8_t *p = end - at < CHUNK_HEADER ? NULL : fc_reader_at(reader, at, CHUNK_HEADER);
  if (!p) return 0;
  int64_t length = fc_le32(p + 4);
  c->name = fc_le32(p);
  c->at = at;
  c->content = (fc_range){at + CHUNK_HEADER, at + CHUNK_HEADER + length};
  c->next = c->content.end + (length & 1);
  return c->next <= end;
}

/* The beginning of a chunk's content, if that is so long. */
static const uint8_t *content_of(fc_reader *reader, const chunk *c, size_t length) {
  if (c->content.end - c->content.start < (int64_t)length) return NULL;
  return fc_reader_at(reader, c->content.start, length);
}

/* Size and opacity as VP8 or VP8L has them. */
static int read_frame(fc_reader *reader, const chunk *c, fc_webp_file *file) {
  file->frame = (fc_range){c->at, c->next};
  file->lossless = c->name == VP8L;
  const uint8_t *p = content_of(reader, c, file->lossless ? 5 : 10);
  if (!p) return 0;
  if (file->lossless) {
    uint32_t bits = fc_le32(p + 1);
    file->width = (int32_t)(bits & 0x3fff) + 1;
    file->height = (int32_t)(bits >> 14 & 0x3fff) + 1;
    file->alpha = (int)(bits >> 28 & 1);
    return p[0] == 0x2f;
  }
  file->width = (int32_t)(fc_le16(p + 6) & 0x3fff);
  file->height = (int32_t)(fc_le16(p + 8) & 0x3fff);
  return memcmp(p + 3, "\x9d\x01\x2a", 3) == 0;
}

/* The only frame of an extended file, as large as the canvas; `alpha`: the opacity of a lossy one,
 * which counts only if the flag says so. */
static int take_frame(fc_reader *reader, const chunk *c, const chunk *alpha, uint8_t flags,
                      fc_webp_file *file) {
  int32_t width = file->width, height = file->height;
  if (file->frame.end || !read_frame(reader, c, file)) return 0;
  if (file->width != width || file->height != height) return 0;
  if (!alpha) return 1;
  file->alpha = (flags & HAS_ALPHA) != 0;
  if (file->alpha) file->frame.start = alpha->at;
  return 1;
}

static void keep_first(fc_range *kept, const chunk *c, int wanted) {
  if (wanted && !kept->end) *kept = c->content;
}

/* All chunks behind VP8X, which is `c` at first; 0 when they do not make a plain still image. */
static int read_chunks(fc_reader *reader, chunk c, int64_t end, uint8_t flags, fc_webp_file *file) {
  for (int count = 0; count < MOST_CHUNKS; count++) {
    if (c.next == end) return file->frame.end != 0;
    if (!read_chunk(reader, c.next, end, &c)) return 0;
    chunk alpha = c;
    switch (c.name) {
      case ALPH:
        if (!read_chunk(reader, alpha.next, end, &c) || c.name != VP8) return 0;
        if (!take_frame(reader, &c, &alpha, flags, file)) return 0;
        break;
      case VP8:
      case VP8L:
        if (!take_frame(reader, &c, NULL, flags, file)) return 0;
        break;
      case VP8X:
      case ANIM:
      case ANMF:
        return 0;
      case EXIF:
        keep_first(&file->exif, &c, flags & HAS_EXIF);
        break;
      case XMP:
        keep_first(&file->xmp, &c, flags & HAS_XMP);
        break;
      default: /* colour profiles, and whatever an application put there */
        break;
    }
  }
  return 0;
}

static fc_status read_extended(fc_reader *reader, const chunk *header, int64_t end,
                               fc_webp_file *file) {
  enum { LENGTH = 10 };
  const uint8_t *p = content_of(reader, header, LENGTH);
  if (!p) return FC_NEEDS_PYTHON;
  uint8_t flags = p[0];
  file->width = (int32_t)fc_le24(p + 4) + 1;
  file->height = (int32_t)fc_le24(p + 7) + 1;
  file->animated = (flags & HAS_ANIMATION) != 0;
  fc_webp_file canvas = *file;
  file->regular = !file->animated && (flags & ~KNOWN) == 0 &&
                  header->content.end - header->content.start == LENGTH &&
                  read_chunks(reader, *header, end, flags, file);
  if (!file->regular) *file = canvas;
  return FC_OK;
}

fc_status fc_webp_read(fc_reader *reader, fc_webp_file *file) {
  *file = (fc_webp_file){0};
  const uint8_t *p = fc_reader_at(reader, 0, RIFF_HEADER);
  if (!p) return FC_NEEDS_PYTHON;
  int64_t end = (int64_t)fc_le32(p + 4) + CHUNK_HEADER; /* what lies behind it is passed over */
  if (end > reader->size) return FC_E_TRUNCATED;
  chunk c;
  if (!read_chunk(reader, RIFF_HEADER, end, &c)) return FC_NEEDS_PYTHON;
  if (c.name == VP8X) return read_extended(reader, &c, end, file);
  if (c.name != VP8 && c.name != VP8L) return FC_NEEDS_PYTHON;
  if (!read_frame(reader, &c, file)) return FC_NEEDS_PYTHON;
  file->regular = c.next == end;
  return FC_OK;
}

fc_status fc_probe_webp(fc_reader *reader, fc_image_info *info) {
  fc_webp_file file;
  fc_status status = fc_webp_read(reader, &file);
  if (status != FC_OK) return status;
  if (file.animated) info->flags |= FC_IMAGE_ANIMATED;
  if (file.regular) {
    info->flags |= FC_IMAGE_IN_C;
    if (file.lossless) info->flags |= FC_IMAGE_MULTISCAN;
    if (file.alpha) info->flags |= FC_IMAGE_ALPHA;
    fc_find_orientation(reader, file.exif, file.xmp, info);
  }
  return fc_probe_size(info, (uint32_t)file.width, (uint32_t)file.height, file.alpha ? 4 : 3, 8);
}
