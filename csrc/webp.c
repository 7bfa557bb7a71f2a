/* webp.c: WebP rows into the row sink, as Pillow decodes them.
 *
 * libwebp makes the part of the image that the sink needs and stops behind its last row.  It gets
 * the chunks that Pillow's demuxer would hand it, not the file: where a container's flags and its
 * chunks contradict each other, these two differ.
 *
 * The part is made in one piece, and the deadline is looked at behind it: the limit of pixels keeps
 * that to seconds.  libwebp's incremental decoder would hand out rows in between, but it costs
 * lossless images up to a tenth of their speed and does not stop behind the last row of a part. */
#include "webp.h"

#include <stdio.h>
#include <stdlib.h>
#include <webp/decode.h>

typedef struct fc_webp {
  fc_buffer pixels; /* the part, then FC_SINK_ROWS rows converted for the sink */
} fc_webp;

static void *create(void) {
  return calloc(1, sizeof(fc_webp));
}

static void destroy(void *state) {
  fc_webp *webp = state;
  fc_buffer_free(&webp->pixels);
  free(webp);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Opacity is decoded only where it is wanted. */
static int coded_components(int alpha, int channels) {
  return alpha && channels == 4 ? 4 : 3;
}

static fc_convert_row conversion(int components, int channels) {
  return components == channels ? NULL : fc_convert_for(components, channels);
}

static size_t pixels_bytes(size_t height, size_t width, int components, int channels) {
  size_t bytes = height * fc_row_stride(width, (size_t)components);
  if (conversion(components, channels))
    bytes += FC_SINK_ROWS * fc_row_stride(width, (size_t)channels);
  return bytes;
}

enum { MOST_GROUPS = 2600 }; /* that libwebp's encoder ever makes */

/* How many groups of prefix codes an image has, only its compressed data tell; more than
 * MOST_GROUPS are refused before libwebp sees them.  One holds for 4 x 4 pixels at least; but up to
 * 1,000 are made room for before anyone looks which of them are used. */
static size_t most_codes(size_t height, size_t width) {
  size_t blocks = ((width + 3) / 4) * ((height + 3) / 4);
  return FC_MIN(FC_MAX(blocks, FC_MIN(height * width, 1000)), MOST_GROUPS);
}

/* All pixels as 32 bits; for every 4 x 4 of them a predictor, a mixture of colours and the number
 * of a set of codes; rows between the transforms; the codes. */
static size_t lossless_bytes(size_t height, size_t width) {
  const size_t pixel = sizeof(uint32_t), rows = 20, code = 21 << 10, numbers = 65536 * sizeof(int);
  size_t blocks = ((width + 3) / 4) * ((height + 3) / 4);
  return (width * height + 3 * blocks + rows * width) * pixel + most_codes(height, width) * code +
         numbers;
}

/* A row of macroblocks with their coefficients, and what the loop filter holds back; two planes of
 * opacity, itself coded without loss. */
static size_t lossy_bytes(size_t height, size_t width, int alpha) {
  const size_t macroblock = 2560;
  size_t bytes = (width + 15) / 16 * macroblock;
  if (alpha) bytes += 2 * width * height + lossless_bytes(height, width);
  return bytes;
}

static size_t kept(const fc_image_info *info, const fc_image_spec *spec) {
  int components = coded_components((info->flags & FC_IMAGE_ALPHA) != 0, spec->channels);
  return sizeof(fc_webp) + fc_buffer_bytes(pixels_bytes((size_t)info->height, (size_t)info->width,
                                                        components, spec->channels));
}

static size_t scratch(const fc_image_info *info, const fc_image_spec *spec) {
  const size_t fixed = 128 << 10;
  size_t height = (size_t)info->height, width = (size_t)info->width;
  int alpha = (info->flags & FC_IMAGE_ALPHA) != 0;
  size_t codec = info->flags & FC_IMAGE_MULTISCAN ? lossless_bytes(height, width)
                                                  : lossy_bytes(height, width, alpha);
  return kept(info, spec) + fixed + codec;
}

/* ---- the part of the image that is made ----------------------------------------------------- */

enum { CHUNK_HEADER = 8 };

/* Opacity in the form where a row's first value is the difference to the row above. */
static int opacity_needs_rows_above(const fc_request *r, const fc_webp_file *file) {
  enum { HORIZONTAL = 1 };
  return file->alpha && !file->lossless &&
         (r->data[file->frame.start + CHUNK_HEADER] >> 2 & 3) == HORIZONTAL;
}

/* Lossy images hold one colour for 2 x 2 pixels, and upsampling mixes neighbours: a cut must leave
 * one pixel more than is needed, and begin at a whole sample.  libwebp leaves out the opacity above
 * a part even where it is needed; then the part begins at the top. */
static fc_rect part_for(fc_rect need, const fc_request *r, const fc_webp_file *file,
                        int components) {
  fc_rect part = {
      .y0 = FC_MAX(need.y0 - 1, 0) & ~1,
      .x0 = FC_MAX(need.x0 - 1, 0) & ~1,
      .y1 = FC_MIN(need.y1 + 1, file->height),
      .x1 = FC_MIN(need.x1 + 1, file->width),
  };
  if (components == 4 && opacity_needs_rows_above(r, file)) part.y0 = 0;
  return part;
}

/* Some versions speak of memory when it is the data of an opacity chunk that are wrong. */
static fc_status status_of(VP8StatusCode code, const fc_webp_file *file, int *detail) {
  switch (code) {
    case VP8_STATUS_OK:
      return FC_OK;
    case VP8_STATUS_OUT_OF_MEMORY:
      return file->alpha && !file->lossless ? FC_NEEDS_PYTHON : FC_E_NOMEM;
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return FC_E_TRUNCATED;
    default:
      *detail = (int)code + 1;
      return FC_E_CORRUPT;
  }
}

static fc_status make_part(const fc_request *r, const fc_webp_file *file, fc_rect part,
                           int components, uint8_t *pixels, size_t stride, int *detail) {
  int height = part.y1 - part.y0, width = part.x1 - part.x0;
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return status_of(VP8_STATUS_INVALID_PARAM, file, detail);
  config.options.use_cropping = height < file->height || width < file->width;
  config.options.crop_top = part.y0;
  config.options.crop_left = part.x0;
  config.options.crop_height = height;
  config.options.crop_width = width;
  config.output.colorspace = components == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size = (size_t)(height - 1) * stride + (size_t)width * (size_t)components;
  const uint8_t *frame = r->data + file->frame.start;
  size_t size = (size_t)(file->frame.end - file->frame.start);
  return status_of(WebPDecode(frame, size, &config), file, detail);
}

static void push_part(const fc_request *r, fc_rect part, int components, uint8_t *pixels) {
  int channels = r->spec->channels;
  size_t height = (size_t)(part.y1 - part.y0), width = (size_t)(part.x1 - part.x0);
  size_t stride = fc_row_stride(width, (size_t)components);
  size_t converted_stride = fc_row_stride(width, (size_t)channels);
  uint8_t *converted = pixels + height * stride;
  fc_convert_row convert = conversion(components, channels);
  fc_sink_begin(r->sink, part.y0, part.x0);
  for (size_t y = 0; y < height; y += FC_SINK_ROWS) {
    const uint8_t *rows[FC_SINK_ROWS];
    size_t count = FC_MIN(FC_SINK_ROWS, height - y);
    for (size_t i = 0; i < count; i++) {
      rows[i] = pixels + (y + i) * stride;
      if (!convert) continue;
      convert(converted + i * converted_stride, rows[i], width);
      rows[i] = converted + i * converted_stride;
    }
    fc_sink_push(r->sink, rows, (int)count);
  }
}

/* ---- one image ------------------------------------------------------------------------------ */

enum { TOO_MANY_GROUPS = 0x100 }; /* a message beside those of libwebp's status codes */

/* Refuse lossless data, opacity included, for whose prefix codes libwebp would need more memory
 * than `scratch` says.  It never gets data that cannot be counted: nothing would bound them. */
static fc_status check_groups(const fc_request *r, const fc_webp_file *file, int *detail) {
  enum { METHOD = 3, LOSSLESS = 1 };
  const uint8_t *chunk = r->data + file->frame.start, *content = chunk + CHUNK_HEADER;
  int groups = 1;
  if (file->lossless) {
    size_t size = (size_t)(file->frame.end - file->frame.start) - CHUNK_HEADER;
    groups = fc_webp_groups(content, size, FC_WEBP_LOSSLESS_HEADER, file->height, file->width);
  } else if (file->alpha) {
    size_t size = fc_le32(chunk + 4);
    if (size > 0 && (content[0] & METHOD) == LOSSLESS)
      groups = fc_webp_groups(content + 1, size - 1, 0, file->height, file->width);
  }
  if (groups >= 1 && groups <= MOST_GROUPS) return FC_OK;
  *detail = groups ? TOO_MANY_GROUPS : VP8_STATUS_BITSTREAM_ERROR + 1;
  return FC_E_CORRUPT;
}

static fc_status decode(void *state, const fc_request *r, int *detail) {
  fc_webp *webp = state;
  if (r->spec->wide) return FC_NEEDS_PYTHON;
  fc_reader reader;
  reader.data = r->data; /* the window stays unused, and uncleared */
  reader.size = (int64_t)r->size;
  reader.fd = -1;
  reader.error = reader.reads = 0;
  fc_webp_file file;
  fc_status status = fc_webp_read(&reader, &file);
  if (status != FC_OK) return status;
  if (!file.regular) return FC_NEEDS_PYTHON;

  fc_rect need = fc_sink_need(r->sink);
  if (need.y0 >= need.y1) return FC_OK;
  status = check_groups(r, &file, detail);
  if (status != FC_OK) return status;
  int components = coded_components(file.alpha, r->spec->channels);
  fc_rect part = part_for(need, r, &file, components);
  size_t stride = 0;
  uint8_t *direct = NULL;
  if (components == r->spec->channels) direct = fc_sink_target(r->sink, part, &stride);
  if (stride > INT32_MAX) direct = NULL; /* libwebp counts in int */
  if (!direct) {
    stride = fc_row_stride((size_t)(part.x1 - part.x0), (size_t)components);
    size_t height = (size_t)(part.y1 - part.y0), width = (size_t)(part.x1 - part.x0);
    status = fc_buffer_reserve(&webp->pixels,
                               pixels_bytes(height, width, components, r->spec->channels));
    if (status != FC_OK) return status;
  }
  uint8_t *pixels = direct ? direct : webp->pixels.data;
  status = make_part(r, &file, part, components, pixels, stride, detail);
  if (status != FC_OK) return status;
  if (fc_deadline_passed(&r->deadline)) return FC_E_TIME;
  if (!direct) push_part(r, part, components, pixels);
  return FC_OK;
}

/* ---- as a codec ------------------------------------------------------------------------------ */

static void version(char *text, size_t capacity) {
  int number = WebPGetDecoderVersion();
  snprintf(text, capacity, "%d.%d.%d", number >> 16, number >> 8 & 0xff, number & 0xff);
}

static const char *message(int code) {
  if (code == TOO_MANY_GROUPS)
    return "more prefix codes than libwebp's encoder ever writes: they may take over a gigabyte";
  switch (code - 1) {
    case VP8_STATUS_INVALID_PARAM:
      return "the image does not have the size that its container states";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "the compressed data make no sense";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a frame that cannot be shown by itself";
    case VP8_STATUS_USER_ABORT:
      return "decoding broke off";
    default:
      return "";
  }
}

const fc_codec fc_webp_codec = {
    .format = FC_FORMAT_WEBP,
    .library = "libwebp",
    .version = version,
    .create = create,
    .destroy = destroy,
    .decode = decode,
    .scratch = scratch,
    .kept = kept,
    .message = message,
};
