/* probe.c: which format, what size: from the header only, whatever the file is called. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "probe.h"

/* ---- formats that Pillow decodes: only their size is read ------------------------------------
 * A header that does not have the expected shape is FC_NEEDS_PYTHON, not an error: Pillow is the
 * judge of formats that it decodes. */

fc_status fc_probe_size(fc_image_info *info, uint32_t width, uint32_t height, int components,
                        int depth) {
  if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX) return FC_NEEDS_PYTHON;
  info->width = (int32_t)width;
  info->height = (int32_t)height;
  info->components = components;
  info->depth = depth;
  return FC_OK;
}

/* Jump over a chain of sub-blocks, each led by its length, up to the empty one. */
static int64_t gif_skip_blocks(fc_reader *reader, int64_t at) {
  const uint8_t *p;
  while ((p = fc_reader_at(reader, at, 1)) && *p) at += 1 + *p;
  return p ? at + 1 : -1;
}

/* The logical screen, enlarged to hold the first frame: Pillow's size of a GIF. */
static fc_status probe_gif(fc_reader *reader, int whole, fc_image_info *info) {
  (void)whole;
  const uint8_t *p = fc_reader_at(reader, 0, 13);
  if (!p) return FC_NEEDS_PYTHON;
  uint32_t width = fc_le16(p + 6), height = fc_le16(p + 8);
  int64_t at = 13 + (p[10] & 0x80 ? 3 << ((p[10] & 7) + 1) : 0);
  while (at >= 0 && (p = fc_reader_at(reader, at, 10)) && *p == '!')
    at = gif_skip_blocks(reader, at + 2);
  if (at < 0 || !p || *p != ',') return FC_NEEDS_PYTHON;
  width = FC_MAX(width, fc_le16(p + 1) + fc_le16(p + 5));
  height = FC_MAX(height, fc_le16(p + 3) + fc_le16(p + 7));
  return fc_probe_size(info, width, height, 0, 8);
}

static fc_status probe_bmp(fc_reader *reader, int whole, fc_image_info *info) {
  (void)whole;
  const uint8_t *p = fc_reader_at(reader, 14, 12);
  if (!p) return FC_NEEDS_PYTHON;
  if (fc_le32(p) == 12) return fc_probe_size(info, fc_le16(p + 4), fc_le16(p + 6), 0, 8);
  uint32_t height = fc_le32(p + 8);
  if (height >> 31) height = 0 - height; /* negative: rows run from top to bottom */
  return fc_probe_size(info, fc_le32(p + 4), height, 0, 8);
}

static fc_status probe_webp(fc_reader *reader, int whole, fc_image_info *info) {
  (void)whole; /* the header says whether there is metadata */
  return fc_probe_webp(reader, info);
}

static fc_status probe_jpeg(fc_reader *reader, int whole, fc_image_info *info) {
  (void)whole;
  return fc_probe_jpeg(reader, info);
}

static fc_status leave_to_pillow(fc_reader *reader, int whole, fc_image_info *info) {
  (void)reader, (void)whole, (void)info;
  return FC_NEEDS_PYTHON;
}

/* ---- dispatch ------------------------------------------------------------------------------- */

typedef struct signature {
  int32_t format;
  int32_t offset, length; /* of the bytes that tell formats with a common beginning apart */
  const char *start, *bytes;
  fc_status (*probe)(fc_reader *, int whole, fc_image_info *);
} signature;

static const signature signatures[] = {
    {FC_FORMAT_JPEG, 0, 3, "\xff\xd8", "\xff\xd8\xff", probe_jpeg},
    {FC_FORMAT_PNG, 0, 8, "\x89PNG", "\x89PNG\r\n\x1a\n", fc_probe_png},
    {FC_FORMAT_GIF, 0, 6, "GIF8", "GIF87a", probe_gif},
    {FC_FORMAT_GIF, 0, 6, "GIF8", "GIF89a", probe_gif},
    {FC_FORMAT_BMP, 0, 2, "BM", "BM", probe_bmp},
    {FC_FORMAT_WEBP, 8, 4, "RIFF", "WEBP", probe_webp},
    {FC_FORMAT_TIFF, 0, 4, "II", "II*\0", leave_to_pillow},
    {FC_FORMAT_TIFF, 0, 4, "II", "II+\0", leave_to_pillow},
    {FC_FORMAT_TIFF, 0, 4, "MM", "MM\0*", leave_to_pillow},
    {FC_FORMAT_TIFF, 0, 4, "MM", "MM\0+", leave_to_pillow},
};

static int matches(fc_reader *reader, const signature *s) {
  size_t start = strlen(s->start);
  const uint8_t *p = fc_reader_at(reader, 0, FC_MAX(start, (size_t)(s->offset + s->length)));
  return p && memcmp(p, s->start, start) == 0 &&
         memcmp(p + s->offset, s->bytes, (size_t)s->length) == 0;
}

static fc_status probe(fc_reader *reader, const fc_limits *limits, int whole, fc_image_info *info) {
  fc_status status = FC_NEEDS_PYTHON;
  info->bytes = reader->size;
  info->orientation = 1;
  info->scans = 1;
  if (limits->max_bytes && reader->size > limits->max_bytes) return FC_E_BYTES;
  for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
    if (!matches(reader, &signatures[i])) continue;
    info->format = signatures[i].format;
    status = signatures[i].probe(reader, whole, info);
    break;
  }
  if (reader->error) return FC_E_IO;
  if ((int64_t)info->width * info->height > limits->max_pixels) return FC_E_PIXELS;
  return status;
}

fc_status fc_probe_bytes(const uint8_t *data, size_t size, const fc_limits *limits,
                         fc_image_info *info) {
  if (!info || !limits || (!data && size) || size > INT64_MAX) return FC_E_ARGUMENT;
  *info = (fc_image_info){0};
  if (size == 0) return FC_E_EMPTY;
  fc_reader reader;
  reader.data = data; /* the window stays unused, and uncleared */
  reader.size = (int64_t)size;
  reader.fd = -1;
  reader.error = reader.reads = 0;
  fc_status status = probe(&reader, limits, 1, info);
  if (status == FC_OK && info->format == FC_FORMAT_JPEG && info->flags & FC_IMAGE_MULTISCAN) {
    info->scans = fc_jpeg_count_scans(data, size, limits->max_scans);
    if (info->scans > limits->max_scans) return FC_E_SCANS;
  }
  return status;
}

fc_status fc_probe_file(const char *path, const fc_limits *limits, int whole, fc_image_info *info,
                        int *detail) {
  int none;
  if (!detail) detail = &none;
  *detail = 0;
  if (!path || !limits || !info) return FC_E_ARGUMENT;
  *info = (fc_image_info){0};
  fc_reader reader;
  reader.data = NULL;
  reader.error = reader.reads = 0;
  reader.base = 0;
  reader.valid = 0;
  fc_status status = fc_file_open(path, &reader.fd, &reader.size, detail);
  if (status != FC_OK) return status;
  status = probe(&reader, limits, whole, info);
  *detail = reader.error;
  close(reader.fd);
  return status;
}
