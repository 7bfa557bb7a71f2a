/* jpeg.c: libjpeg by itself: the pictures to decode, and the limit to hold fc_decode against. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "core.h"

typedef struct escape {
  struct jpeg_error_mgr base;
  jmp_buf jump;
} escape;

static void leave(j_common_ptr codec) {
  longjmp(((escape *)codec->err)->jump, 1);
}

static void stay_silent(j_common_ptr codec) {
  (void)codec;
}

static struct jpeg_error_mgr *set_escape(escape *e) {
  jpeg_std_error(&e->base);
  e->base.error_exit = leave;
  e->base.output_message = stay_silent;
  return &e->base;
}

/* Slow changes, an edge now and then, and grain on top: what photographs cost, roughly. */
static void paint_row(uint8_t *row, int width, int y, unsigned *state) {
  for (int x = 0; x < width; x++) {
    const int wave = (x * 3 + y * 2) / 4 % 256, block = ((x / 37 + y / 53) % 3) * 40;
    for (int c = 0; c < 3; c++) {
      *state = *state * 1664525u + 1013904223u;
      const int grain = (int)(*state >> 28) - 8;
      const int value = 30 + (wave < 128 ? wave : 255 - wave) + block + grain + c * 9;
      row[x * 3 + c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

int core_jpeg_make(int width, int height, int quality, int is_420, unsigned seed,
                   const uint8_t *pixels, uint8_t **data, size_t *size) {
  struct jpeg_compress_struct codec;
  escape e;
  unsigned char *volatile row = NULL;
  unsigned char *memory = NULL;
  unsigned long length = 0;
  codec.err = set_escape(&e);
  if (setjmp(e.jump)) {
    jpeg_destroy_compress(&codec);
    free(row);
    return 1;
  }
  jpeg_create_compress(&codec);
  jpeg_mem_dest(&codec, &memory, &length);
  codec.image_width = (JDIMENSION)width;
  codec.image_height = (JDIMENSION)height;
  codec.input_components = 3;
  codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  codec.comp_info[0].h_samp_factor = codec.comp_info[0].v_samp_factor = is_420 ? 2 : 1;
  jpeg_start_compress(&codec, TRUE);
  row = malloc((size_t)width * 3);
  if (!row) leave((j_common_ptr)&codec);
  unsigned state = seed;
  for (int y = 0; y < height; y++) {
    JSAMPROW rows[1] = {row};
    if (pixels)
      memcpy(row, pixels + (size_t)y * (size_t)width * 3, (size_t)width * 3);
    else
      paint_row(row, width, y, &state);
    jpeg_write_scanlines(&codec, rows, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  free(row);
  *data = memory;
  *size = length;
  return 0;
}

int core_jpeg_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity) {
  struct jpeg_decompress_struct codec;
  escape e;
  codec.err = set_escape(&e);
  if (setjmp(e.jump)) {
    jpeg_destroy_decompress(&codec);
    return 1;
  }
  jpeg_create_decompress(&codec);
  jpeg_mem_src(&codec, data, size);
  jpeg_read_header(&codec, TRUE);
  codec.out_color_space = JCS_RGB;
  jpeg_start_decompress(&codec);
  const size_t stride = (size_t)codec.output_width * 3;
  if (stride * codec.output_height > capacity) leave((j_common_ptr)&codec);
  while (codec.output_scanline < codec.output_height) {
    JSAMPROW rows[4];
    for (int i = 0; i < 4; i++) rows[i] = pixels + (codec.output_scanline + (size_t)i) * stride;
    const JDIMENSION left = codec.output_height - codec.output_scanline;
    jpeg_read_scanlines(&codec, rows, left < 4 ? left : 4);
  }
  jpeg_finish_decompress(&codec);
  jpeg_destroy_decompress(&codec);
  return 0;
}
