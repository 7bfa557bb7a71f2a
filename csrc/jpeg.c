/* jpeg.c: JPEG rows into the row sink, as Pillow decodes them.
 *
 * Only the rows and columns that the sink needs are made, and decoding stops behind the last one.
 * A fresh libjpeg object per image: it costs microseconds, and nothing of one image (tables, colour
 * markers) can leak into a damaged one that lacks its own. */
#include <stdlib.h>

#include "jpeg_huffman.h"
#include "jpeg_io.h"

struct fc_jpeg {
  struct jpeg_decompress_struct cinfo;
  fc_jpeg_io io;
  fc_buffer rows;                   /* both kinds of rows lie in it */
  uint8_t *decoded[FC_SINK_ROWS];   /* libjpeg's output */
  uint8_t *converted[FC_SINK_ROWS]; /* the sink's input; the same when no conversion is needed */
  fc_convert_row convert;
  int own_entropy;  /* wanted */
  int used_entropy; /* the last image was decoded with it */
  fc_huffman huffman;
};

fc_jpeg *fc_jpeg_new(void) {
  fc_jpeg *jpeg = calloc(1, sizeof *jpeg);
  if (jpeg) jpeg->own_entropy = 1;
  return jpeg;
}

void fc_jpeg_use_own_entropy(fc_jpeg *jpeg, int own) {
  jpeg->own_entropy = own;
}

int fc_jpeg_used_own_entropy(const fc_jpeg *jpeg) {
  return jpeg->used_entropy;
}

void fc_jpeg_free(fc_jpeg *jpeg) {
  if (!jpeg) return;
  fc_buffer_free(&jpeg->rows);
  free(jpeg);
}

/* ---- memory --------------------------------------------------------------------------------- */

#define CACHE_LINE 64

static size_t rows_bytes(size_t width, int components, int channels) {
  size_t bytes = FC_SINK_ROWS * fc_row_stride(width, (size_t)components);
  if (fc_convert_for(components, channels))
    bytes += FC_SINK_ROWS * fc_row_stride(width, (size_t)channels);
  return bytes + 2 * CACHE_LINE;
}

static fc_status prepare_rows(fc_jpeg *jpeg, size_t width, int components, int channels) {
  fc_status status = fc_buffer_reserve(&jpeg->rows, rows_bytes(width, components, channels));
  if (status != FC_OK) return status;
  jpeg->convert = fc_convert_for(components, channels);
  /* 16 bytes off: libjpeg-turbo writes rows that start on a 32-byte boundary past the cache, and
   * the resampler would then read them back from memory. */
  uintptr_t line = ((uintptr_t)jpeg->rows.data + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  uint8_t *decoded = (uint8_t *)line + 16;
  size_t stride = fc_row_stride(width, (size_t)components);
  uint8_t *converted = jpeg->convert ? decoded + FC_SINK_ROWS * stride : decoded;
  size_t converted_stride = jpeg->convert ? fc_row_stride(width, (size_t)channels) : stride;
  for (size_t i = 0; i < FC_SINK_ROWS; i++) {
    jpeg->decoded[i] = decoded + i * stride;
    jpeg->converted[i] = converted + i * converted_stride;
  }
  return FC_OK;
}

/* What libjpeg allocates, for the worst sampling factors (4 x 4) that the components may have: the
 * probe does not keep them. */
static size_t codec_bytes(const fc_image_info *info) {
  const size_t fixed = 160 << 10; /* tables, control blocks, one MCU, the allocator's slop */
  const size_t context_rows = 4 * 10, upsampled_rows = 4;
  size_t components = (size_t)info->components;
  size_t width = ((size_t)info->width + 31) / 32 * 32 + 2 * CACHE_LINE;
  size_t height = ((size_t)info->height + 31) / 32 * 32;
  size_t bytes = fixed + components * (context_rows + upsampled_rows) * (width + sizeof(void *));
  if (info->flags & FC_IMAGE_MULTISCAN)
    bytes += components * (width * height * sizeof(JCOEF) + height / 8 * sizeof(void *));
  return bytes;
}

static size_t kept(const fc_image_info *info, const fc_image_spec *spec) {
  return sizeof(fc_jpeg) +
         fc_buffer_bytes(rows_bytes((size_t)info->width, info->components, spec->channels));
}

static size_t scratch(const fc_image_info *info, const fc_image_spec *spec) {
  return kept(info, spec) + codec_bytes(info);
}

/* ---- the part of the image that is made ----------------------------------------------------- */

/* Columns from the returned one on; libjpeg moves the left edge to a whole block.  Where chroma is
 * subsampled, upsampling looks one of its samples beyond a pixel, and a cut must stay away from
 * what is needed: libjpeg treats it as the edge of the image.  Twice that distance is kept.
 *
 * At a scale libjpeg lets the inverse DCT do as much of the upsampling as it can.  Where that is
 * not all of it, which takes sampling factors above 2, it cuts such a component too short (2.1.5):
 * those rare images keep their columns. */
static int32_t crop_columns(j_decompress_ptr cinfo, fc_rect need) {
  if (cinfo->scale_denom > 1 && FC_MAX(cinfo->max_h_samp_factor, cinfo->max_v_samp_factor) > 2)
    return 0;
  int32_t margin = cinfo->max_h_samp_factor > 1 ? 2 * cinfo->max_h_samp_factor : 0;
  int32_t right = FC_MIN((int32_t)cinfo->output_width, need.x1 + margin);
  JDIMENSION x0 = (JDIMENSION)FC_MAX(0, need.x0 - margin);
  JDIMENSION width = (JDIMENSION)right - x0;
  if (width < cinfo->output_width) jpeg_crop_scanline(cinfo, &x0, &width);
  return (int32_t)x0;
}

/* libjpeg guesses the low frequencies of progressive images whose last scans are missing from ten
 * coefficients around.  Its versions differ in how, so these are left to Pillow's own libjpeg. */
static int is_guessed(const struct jpeg_decompress_struct *cinfo) {
  if (!cinfo->progressive_mode || !cinfo->coef_bits) return 0;
  for (int component = 0; component < cinfo->num_components; component++)
    for (int coefficient = 0; coefficient < 10; coefficient++)
      if (cinfo->coef_bits[component][coefficient] != 0) return 1;
  return 0;
}

static void read_rows(fc_jpeg *jpeg, int count) {
  int got = 0;
  while (got < count) {
    JDIMENSION more =
        jpeg_read_scanlines(&jpeg->cinfo, jpeg->decoded + got, (JDIMENSION)(count - got));
    if (more == 0) fc_jpeg_io_leave(&jpeg->io, FC_E_CORRUPT, 0); /* the source never suspends */
    got += (int)more;
  }
}

static void push_rows(fc_jpeg *jpeg, const fc_request *r, int32_t end) {
  j_decompress_ptr cinfo = &jpeg->cinfo;
  while ((int32_t)cinfo->output_scanline < end) {
    int count = FC_MIN(FC_SINK_ROWS, end - (int32_t)cinfo->output_scanline);
    read_rows(jpeg, count);
    if (jpeg->convert)
      for (int i = 0; i < count; i++)
        jpeg->convert(jpeg->converted[i], jpeg->decoded[i], cinfo->output_width);
    fc_sink_push(r->sink, (const uint8_t *const *)jpeg->converted, count);
  }
}

/* ---- the end of the data -------------------------------------------------------------------- */

static int has_end_marker(fc_jpeg *jpeg) {
  j_decompress_ptr cinfo = &jpeg->cinfo;
  if (jpeg_input_complete(cinfo) || cinfo->unread_marker == JPEG_EOI) return 1;
  const uint8_t *data = cinfo->src->next_input_byte;
  /* Backwards, since it is nearly always the last thing in the file. */
  for (size_t i = cinfo->src->bytes_in_buffer; i >= 2; i--)
    if (data[i - 1] == 0xd9 && data[i - 2] == 0xff) return 1;
  return 0;
}

/* Stopping early is for sound data.  After a warning only the end of the data tells whether Pillow
 * refuses the file, so that is where the decoder goes. */
static fc_status finish(fc_jpeg *jpeg) {
  j_decompress_ptr cinfo = &jpeg->cinfo;
  if (cinfo->output_scanline < cinfo->output_height && cinfo->err->num_warnings == 0)
    return has_end_marker(jpeg) ? FC_OK : FC_E_TRUNCATED;
  while (cinfo->output_scanline < cinfo->output_height)
    read_rows(jpeg, (int)FC_MIN(FC_SINK_ROWS, cinfo->output_height - cinfo->output_scanline));
  jpeg_finish_decompress(cinfo); /* reads on to the end marker */
  return FC_OK;
}

/* ---- one image ------------------------------------------------------------------------------ */

static J_COLOR_SPACE output_colours(int components) {
  return components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
}

static fc_status decode(fc_jpeg *jpeg, const fc_request *r, int own_entropy) {
  j_decompress_ptr cinfo = &jpeg->cinfo;
  fc_rect need = fc_sink_need(r->sink);
  jpeg_read_header(cinfo, TRUE);
  if (cinfo->num_components != r->info->components ||
      (int32_t)cinfo->image_width != r->info->width ||
      (int32_t)cinfo->image_height != r->info->height)
    return FC_E_CHANGED;
  if (need.y0 >= need.y1) return has_end_marker(jpeg) ? FC_OK : FC_E_TRUNCATED;

  cinfo->out_color_space = output_colours(r->info->components);
  cinfo->dct_method = JDCT_ISLOW;
  cinfo->scale_num = 1;
  cinfo->scale_denom = (unsigned)FC_MAX(r->spec->scale, 1);
  cinfo->mem->max_memory_to_use = (long)codec_bytes(r->info);
  jpeg_start_decompress(cinfo);
  if (is_guessed(cinfo)) return FC_NEEDS_PYTHON;
  jpeg->used_entropy = own_entropy && fc_huffman_attach(&jpeg->huffman, cinfo);
  int32_t x0 = crop_columns(cinfo, need);
  fc_status status =
      prepare_rows(jpeg, cinfo->output_width, r->info->components, r->spec->channels);
  if (status != FC_OK) return status;
  if (need.y0 > 0) jpeg_skip_scanlines(cinfo, (JDIMENSION)need.y0);
  fc_sink_begin(r->sink, (int32_t)cinfo->output_scanline, x0);
  push_rows(jpeg, r, need.y1);
  return finish(jpeg);
}

static fc_status try_decode(fc_jpeg *jpeg, const fc_request *r, int own_entropy, int *detail) {
  jpeg->cinfo = (struct jpeg_decompress_struct){0}; /* may be destroyed before it is created */
  jpeg->used_entropy = 0;
  fc_jpeg_io_errors(&jpeg->io, &jpeg->cinfo);
  fc_status status;
  if (setjmp(jpeg->io.escape) == 0) {
    jpeg_create_decompress(&jpeg->cinfo);
    fc_jpeg_io_attach(&jpeg->io, &jpeg->cinfo, r);
    status = decode(jpeg, r, own_entropy);
    *detail = status == FC_OK ? (int)FC_MIN(jpeg->io.errors.num_warnings, INT32_MAX) : 0;
  } else {
    status = jpeg->io.status;
    *detail = jpeg->io.detail;
  }
  jpeg_destroy_decompress(&jpeg->cinfo);
  return status;
}

fc_status fc_jpeg_decode(fc_jpeg *jpeg, const fc_request *request, int *detail) {
  if (request->spec->wide) return FC_NEEDS_PYTHON;
  fc_status status = try_decode(jpeg, request, jpeg->own_entropy, detail);
  /* Our entropy decoder gave up: what damaged data mean is for libjpeg to say, from the start. */
  if (status == FC_PENDING) status = try_decode(jpeg, request, 0, detail);
  return status;
}

/* ---- as a codec ------------------------------------------------------------------------------ */

static void *create(void) {
  return fc_jpeg_new();
}

static void destroy(void *jpeg) {
  fc_jpeg_free(jpeg);
}

static fc_status decode_request(void *jpeg, const fc_request *request, int *detail) {
  return fc_jpeg_decode(jpeg, request, detail);
}

const fc_codec fc_jpeg_codec = {
    .format = FC_FORMAT_JPEG,
    .library = "libjpeg-turbo, Huffman decoder of fastcache",
    .version = fc_jpeg_io_version,
    .create = create,
    .destroy = destroy,
    .decode = decode_request,
    .scratch = scratch,
    .kept = kept,
    .message = fc_jpeg_io_message,
};
