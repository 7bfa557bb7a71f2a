/* jpeg_maker.h: JPEGs of every kind, made in memory, and their full decode by plain libjpeg: the
 * oracle of the C tests. */
#ifndef FC_TEST_JPEG_MAKER_H
#define FC_TEST_JPEG_MAKER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "check.h"

/* Progressive, but the last scans were left out: libjpeg guesses what they said. */
#define SCANS_MISSING 2

typedef struct jpeg_kind {
  const char *name;
  int components;      /* 1, 3, 4 */
  J_COLOR_SPACE coded; /* colour space inside the file */
  int h[4], v[4];      /* sampling factors; 0 counts as 1 */
  int progressive;     /* 0, 1 or SCANS_MISSING */
  int separate;        /* one scan per component */
  int restart;         /* restart interval in MCUs */
  int arithmetic;
} jpeg_kind;

static const jpeg_kind jpeg_kinds[] = {
    {.name = "4:4:4", .components = 3, .coded = JCS_YCbCr},
    {.name = "4:2:2", .components = 3, .coded = JCS_YCbCr, .h = {2}},
    {.name = "4:2:0", .components = 3, .coded = JCS_YCbCr, .h = {2}, .v = {2}},
    {.name = "4:4:0", .components = 3, .coded = JCS_YCbCr, .v = {2}},
    {.name = "4:1:1", .components = 3, .coded = JCS_YCbCr, .h = {4}},
    {.name = "4:1:0", .components = 3, .coded = JCS_YCbCr, .h = {4}, .v = {2}},
    {.name = "1x4", .components = 3, .coded = JCS_YCbCr, .v = {4}},
    {.name = "3x1", .components = 3, .coded = JCS_YCbCr, .h = {3}},
    {.name = "uneven", .components = 3, .coded = JCS_YCbCr, .h = {2, 1, 2}, .v = {2, 2, 1}},
    {.name = "luma below chroma",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {1, 2, 2},
     .v = {1, 2, 2}},
    {.name = "RGB", .components = 3, .coded = JCS_RGB},
    {.name = "grey", .components = 1, .coded = JCS_GRAYSCALE},
    {.name = "grey 2x2", .components = 1, .coded = JCS_GRAYSCALE, .h = {2}, .v = {2}},
    {.name = "CMYK", .components = 4, .coded = JCS_CMYK},
    {.name = "YCCK", .components = 4, .coded = JCS_YCCK},
    {.name = "YCCK 4:2:0",
     .components = 4,
     .coded = JCS_YCCK,
     .h = {2, 1, 1, 2},
     .v = {2, 1, 1, 2}},
    {.name = "progressive 4:4:4", .components = 3, .coded = JCS_YCbCr, .progressive = 1},
    {.name = "progressive 4:2:0",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {2},
     .v = {2},
     .progressive = 1},
    {.name = "progressive 4:2:2", .components = 3, .coded = JCS_YCbCr, .h = {2}, .progressive = 1},
    {.name = "progressive grey", .components = 1, .coded = JCS_GRAYSCALE, .progressive = 1},
    {.name = "progressive CMYK", .components = 4, .coded = JCS_CMYK, .progressive = 1},
    {.name = "scans missing 4:4:4",
     .components = 3,
     .coded = JCS_YCbCr,
     .progressive = SCANS_MISSING},
    {.name = "scans missing 4:2:0",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {2},
     .v = {2},
     .progressive = SCANS_MISSING},
    {.name = "separate scans 4:4:4", .components = 3, .coded = JCS_YCbCr, .separate = 1},
    {.name = "separate scans 4:2:0",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {2},
     .v = {2},
     .separate = 1},
    {.name = "4x4, separate scans",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {4},
     .v = {4},
     .separate = 1},
    {.name = "restarts 4:4:4", .components = 3, .coded = JCS_YCbCr, .restart = 3},
    {.name = "restarts 4:2:0",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {2},
     .v = {2},
     .restart = 5},
    {.name = "arithmetic 4:2:0",
     .components = 3,
     .coded = JCS_YCbCr,
     .h = {2},
     .v = {2},
     .arithmetic = 1},
    {.name = "arithmetic progressive",
     .components = 3,
     .coded = JCS_YCbCr,
     .progressive = 1,
     .arithmetic = 1},
};
#define JPEG_KINDS ((int)(sizeof jpeg_kinds / sizeof *jpeg_kinds))

/* Smooth waves, sharp edges and some noise, different in every component. */
static inline uint8_t test_pixel(int y, int x, int c) {
  uint32_t noise = (uint32_t)(y * 7919 + x * 104729 + c * 1299709) * 2654435761u >> 27;
  int wave = (x * (3 + c) + y * (5 - c)) % 256, edge = ((x / 11 + y / 7 + c) & 1) * 60;
  return (uint8_t)((abs(wave - 128) + edge + (int)noise) & 255);
}

typedef struct jpeg_file {
  unsigned char *data;
  unsigned long size;
} jpeg_file;

static inline void set_scans(struct jpeg_compress_struct *cinfo, const jpeg_kind *kind,
                             jpeg_scan_info *scans) {
  if (kind->progressive == SCANS_MISSING) { /* DC only, the first bits of it, then nothing */
    scans[0] = (jpeg_scan_info){kind->components, {0, 1, 2, 3}, 0, 0, 0, 1};
    scans[1] = (jpeg_scan_info){1, {0}, 1, 5, 0, 2};
    cinfo->scan_info = scans;
    cinfo->num_scans = 2;
  } else if (kind->progressive) {
    jpeg_simple_progression(cinfo);
  } else if (kind->separate) {
    for (int c = 0; c < kind->components; c++) scans[c] = (jpeg_scan_info){1, {c}, 0, 63, 0, 0};
    cinfo->scan_info = scans;
    cinfo->num_scans = kind->components;
  }
}

/* Everything that comes before the pixels or coefficients; scans: room that lasts until the end. */
static inline void start_jpeg(struct jpeg_compress_struct *cinfo, const jpeg_kind *kind, int height,
                              int width, int quality, jpeg_scan_info *scans) {
  cinfo->image_width = (JDIMENSION)width;
  cinfo->image_height = (JDIMENSION)height;
  cinfo->input_components = kind->components;
  cinfo->in_color_space = kind->components == 1   ? JCS_GRAYSCALE
                          : kind->components == 3 ? JCS_RGB
                                                  : JCS_CMYK;
  jpeg_set_defaults(cinfo);
  jpeg_set_colorspace(cinfo, kind->coded);
  jpeg_set_quality(cinfo, quality, TRUE);
  for (int c = 0; c < kind->components; c++) {
    cinfo->comp_info[c].h_samp_factor = kind->h[c] ? kind->h[c] : 1;
    cinfo->comp_info[c].v_samp_factor = kind->v[c] ? kind->v[c] : 1;
  }
  cinfo->restart_interval = (unsigned)kind->restart;
  cinfo->arith_code = kind->arithmetic ? TRUE : FALSE;
  set_scans(cinfo, kind, scans);
}

/* The caller frees .data. */
static inline jpeg_file make_jpeg(const jpeg_kind *kind, int height, int width, int quality) {
  struct jpeg_compress_struct cinfo = {0};
  struct jpeg_error_mgr errors;
  jpeg_scan_info scans[4];
  jpeg_file file = {NULL, 0};
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  jpeg_mem_dest(&cinfo, &file.data, &file.size);
  start_jpeg(&cinfo, kind, height, width, quality, scans);
  jpeg_start_compress(&cinfo, TRUE);
  uint8_t *row = check_alloc((size_t)width * 4);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++)
      for (int c = 0; c < kind->components; c++)
        row[x * kind->components + c] = test_pixel(y, x, c);
    jpeg_write_scanlines(&cinfo, &row, 1);
  }
  free(row);
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  return file;
}

/* Put an EXIF block with this orientation behind the first marker. */
static inline void set_orientation(jpeg_file *file, int orientation) {
  unsigned char exif[36] =
      "\xff\xe1\0\x22"
      "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0";
  exif[28] = (unsigned char)orientation;
  unsigned char *data = check_alloc(file->size + sizeof exif);
  memcpy(data, file->data, 2);
  memcpy(data + 2, exif, sizeof exif);
  memcpy(data + 2 + sizeof exif, file->data + 2, file->size - 2);
  free(file->data);
  *file = (jpeg_file){data, file->size + sizeof exif};
}

/* All pixels, in the codec's own components, as Pillow's settings give them, at 1 / scale of the
 * size; each side is rounded up. */
static inline uint8_t *decode_at_scale(const jpeg_file *file, int components, int scale) {
  struct jpeg_decompress_struct cinfo = {0};
  struct jpeg_error_mgr errors;
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&cinfo);
  jpeg_mem_src(&cinfo, file->data, file->size);
  jpeg_read_header(&cinfo, TRUE);
  cinfo.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  cinfo.scale_num = 1;
  cinfo.scale_denom = (unsigned)scale;
  jpeg_start_decompress(&cinfo);
  size_t stride = (size_t)cinfo.output_width * (size_t)components;
  uint8_t *pixels = check_alloc(stride * cinfo.output_height);
  while (cinfo.output_scanline < cinfo.output_height) {
    uint8_t *row = pixels + stride * cinfo.output_scanline;
    jpeg_read_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_decompress(&cinfo);
  jpeg_destroy_decompress(&cinfo);
  return pixels;
}

static inline uint8_t *decode_plainly(const jpeg_file *file, int components) {
  return decode_at_scale(file, components, 1);
}

#endif
