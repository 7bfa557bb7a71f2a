/* image.c: bytes of a file to one slot: probe, codec, orientation, resampler. */
#include <stdlib.h>

#include "fc_internal.h"

const fc_limits fc_default_limits = {.max_pixels = 2 * INT64_C(89478485), .max_scans = 100};

struct fc_decoder {
  fc_jpeg *jpeg;
  fc_sink *sink;
  fc_buffer upright; /* a stored image waiting to be turned, then the rows of the turned one */
};

fc_decoder *fc_decoder_new(void) {
  fc_decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) return NULL;
  decoder->jpeg = fc_jpeg_new();
  decoder->sink = fc_sink_new();
  if (decoder->jpeg && decoder->sink) return decoder;
  fc_decoder_free(decoder);
  return NULL;
}

void fc_decoder_free(fc_decoder *decoder) {
  if (!decoder) return;
  fc_jpeg_free(decoder->jpeg);
  if (decoder->sink) fc_sink_free(decoder->sink);
  fc_buffer_free(&decoder->upright);
  free(decoder);
}

/* ---- orientation ---------------------------------------------------------------------------- */

/* EXIF orientation as three steps from the stored to the upright image: reverse the rows, reverse
 * the columns, then exchange both. */
typedef struct turn {
  int reverse_rows, reverse_columns, transpose;
} turn;

static const turn turns[9] = {
    [1] = {0, 0, 0}, [2] = {0, 1, 0}, [3] = {1, 1, 0}, [4] = {1, 0, 0},
    [5] = {0, 0, 1}, [6] = {1, 0, 1}, [7] = {1, 1, 1}, [8] = {0, 1, 1},
};

static void reverse_range(int32_t *from, int32_t *to, int32_t size) {
  int32_t end = size - *from;
  *from = size - *to;
  *to = end;
}

/* The part of the stored image that holds a part of the upright one. */
static fc_rect stored_rect(const turn *how, fc_rect rect, const fc_image_info *info) {
  if (how->transpose) rect = (fc_rect){rect.x0, rect.y0, rect.x1, rect.y1};
  if (how->reverse_rows) reverse_range(&rect.y0, &rect.y1, info->height);
  if (how->reverse_columns) reverse_range(&rect.x0, &rect.x1, info->width);
  return rect;
}

/* Copy `rect` of the stored image as it is: an identity for the resampler. */
static fc_geometry copy_geometry(const fc_image_info *info, fc_rect rect) {
  int32_t h = rect.y1 - rect.y0, w = rect.x1 - rect.x0;
  return (fc_geometry){.src_h = info->height,
                       .src_w = info->width,
                       .crop_y = rect.y0,
                       .crop_x = rect.x0,
                       .crop_h = h,
                       .crop_w = w,
                       .size_h = h,
                       .size_w = w,
                       .out_h = h,
                       .out_w = w};
}

static fc_image_spec copy_spec(const fc_image_spec *spec) {
  fc_image_spec copy = *spec;
  copy.filter = FC_NEAREST;
  copy.apply_orientation = 0;
  return copy;
}

/* Rows of the upright image are gathered into these, FC_SINK_ROWS at a time. */
static size_t upright_stride(size_t width, size_t channels) {
  return (width * channels + FC_ROW_SLACK + 63) / 64 * 64;
}

/* Pixels `step` bytes apart become one row. */
static void gather_row(uint8_t *row, const uint8_t *pixel, ptrdiff_t step, int32_t count,
                       int channels) {
  for (int32_t x = 0; x < count; x++, pixel += step)
    for (int c = 0; c < channels; c++) *row++ = pixel[c];
}

/* Push the upright rows of a stored rectangle (`stored`, rows of h x w pixels without gaps). */
static void push_upright(fc_sink *sink, const turn *how, const uint8_t *stored, int32_t h,
                         int32_t w, int channels, uint8_t *scratch) {
  ptrdiff_t column = channels, row = (ptrdiff_t)w * channels;
  if (how->reverse_rows) {
    stored += (h - 1) * row;
    row = -row;
  }
  if (how->reverse_columns) {
    stored += (w - 1) * column;
    column = -column;
  }
  int32_t out_h = how->transpose ? w : h, out_w = how->transpose ? h : w;
  ptrdiff_t step_x = how->transpose ? row : column, step_y = how->transpose ? column : row;
  size_t stride = upright_stride((size_t)out_w, (size_t)channels);
  for (int32_t y = 0; y < out_h; y += FC_SINK_ROWS) {
    const uint8_t *rows[FC_SINK_ROWS];
    int32_t count = FC_MIN(FC_SINK_ROWS, out_h - y);
    for (int32_t i = 0; i < count; i++) {
      uint8_t *target = scratch + (size_t)i * stride;
      gather_row(target, stored + (y + i) * step_y, step_x, out_w, channels);
      rows[i] = target;
    }
    fc_sink_push(sink, rows, count);
  }
}

/* ---- decode --------------------------------------------------------------------------------- */

typedef struct request {
  const uint8_t *data;
  size_t size;
  const fc_image_spec *spec;
  const fc_geometry *geometry;
  uint8_t *out;
  size_t out_stride;
  fc_image_info info;
} request;

static fc_status decode_as_stored(fc_decoder *decoder, const request *r, int *detail) {
  fc_status status = fc_sink_plan(decoder->sink, r->geometry, r->spec, r->out, r->out_stride);
  if (status != FC_OK) return status;
  return fc_jpeg_decode(decoder->jpeg, r->data, r->size, &r->info, r->spec->channels,
                        &r->spec->limits, decoder->sink, detail);
}

/* The needed part is decoded whole, then pushed row by row of the upright image. */
static fc_status decode_upright(fc_decoder *decoder, const request *r, int *detail) {
  const turn *how = &turns[r->info.orientation];
  int channels = r->spec->channels;
  fc_status status = fc_sink_plan(decoder->sink, r->geometry, r->spec, r->out, r->out_stride);
  if (status != FC_OK) return status;
  fc_rect need = fc_sink_need(decoder->sink);
  if (need.y0 >= need.y1) return decode_as_stored(decoder, r, detail);

  fc_rect stored = stored_rect(how, need, &r->info);
  size_t h = (size_t)(stored.y1 - stored.y0), w = (size_t)(stored.x1 - stored.x0);
  size_t pixels = h * w * (size_t)channels;
  size_t width = how->transpose ? h : w;
  status = fc_buffer_reserve(&decoder->upright,
                             pixels + FC_SINK_ROWS * upright_stride(width, (size_t)channels));
  if (status != FC_OK) return status;

  const fc_geometry geometry = copy_geometry(&r->info, stored);
  const fc_image_spec spec = copy_spec(r->spec);
  request copy = *r;
  copy.spec = &spec;
  copy.geometry = &geometry;
  copy.out = decoder->upright.data;
  copy.out_stride = w * (size_t)channels;
  status = decode_as_stored(decoder, &copy, detail);
  if (status != FC_OK) return status;

  status = fc_sink_plan(decoder->sink, r->geometry, r->spec, r->out, r->out_stride);
  if (status != FC_OK) return status;
  fc_sink_begin(decoder->sink, need.y0, need.x0);
  push_upright(decoder->sink, how, decoder->upright.data, (int32_t)h, (int32_t)w, channels,
               decoder->upright.data + pixels);
  return FC_OK;
}

static int spec_is_valid(const fc_image_spec *spec) {
  return (spec->channels == 1 || spec->channels == 3 || spec->channels == 4) && spec->filter >= 0 &&
         spec->filter < FC_FILTER_COUNT;
}

static int same_size(const fc_image_info *info, const fc_image_spec *spec,
                     const fc_geometry *geometry) {
  int transpose = spec->apply_orientation && turns[info->orientation].transpose;
  int32_t h = transpose ? info->width : info->height;
  int32_t w = transpose ? info->height : info->width;
  return h == geometry->src_h && w == geometry->src_w;
}

fc_status fc_decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                    const fc_image_spec *spec, const fc_geometry *geometry, uint8_t *out,
                    size_t out_stride, int *detail) {
  int ignored;
  if (!detail) detail = &ignored;
  *detail = 0;
  if (!decoder || !spec || !geometry || !out || !spec_is_valid(spec)) return FC_E_ARGUMENT;
  if (fc_geometry_check(geometry) != FC_OK) return FC_E_ARGUMENT;
  if (out_stride < (size_t)geometry->out_w * (size_t)spec->channels) return FC_E_ARGUMENT;

  request r = {data, size, spec, geometry, out, out_stride, {0}};
  fc_status status = fc_probe_bytes(data, size, &spec->limits, &r.info);
  if (status != FC_OK) return status;
  if (!(r.info.flags & FC_IMAGE_IN_C)) return FC_NEEDS_PYTHON;
  if (!same_size(&r.info, spec, geometry)) return FC_E_CHANGED;
  if (spec->apply_orientation && r.info.orientation != 1)
    return decode_upright(decoder, &r, detail);
  return decode_as_stored(decoder, &r, detail);
}

size_t fc_decode_scratch(const fc_image_info *info, const fc_image_spec *spec,
                         const fc_geometry *geometry) {
  size_t bytes =
      sizeof(fc_decoder) + fc_jpeg_scratch(info, spec->channels) + fc_sink_scratch(geometry, spec);
  if (!spec->apply_orientation || info->orientation == 1) return bytes;
  const turn *how = &turns[info->orientation];
  fc_rect crop = {geometry->crop_y, geometry->crop_x, geometry->crop_y + geometry->crop_h,
                  geometry->crop_x + geometry->crop_w};
  const fc_geometry copy = copy_geometry(info, stored_rect(how, crop, info));
  const fc_image_spec spec_of_copy = copy_spec(spec);
  size_t channels = (size_t)spec->channels;
  bytes += (size_t)geometry->crop_h * (size_t)geometry->crop_w * channels + FC_ROW_SLACK;
  bytes += FC_SINK_ROWS * upright_stride((size_t)geometry->crop_w, channels);
  return bytes + fc_sink_scratch(&copy, &spec_of_copy);
}
