/* image.c: bytes of a file to one slot: probe, codec, orientation, resampler. */
#include <stdlib.h>

#include "fc_internal.h"
#include "resample.h"

const fc_limits fc_default_limits = {.max_pixels = 2 * INT64_C(89478485),
                                     .max_bytes = INT64_C(1) << 31,
                                     .max_scans = 100,
                                     .max_ms = 60000};

struct fc_decoder {
  const fc_codec *codec; /* of the last image; one at a time, so that buffers do not add up */
  void *codec_state;
  fc_sink *sink;
  fc_buffer upright; /* a stored image waiting to be turned, then the rows of the turned one */
};

static void drop_codec(fc_decoder *decoder) {
  if (decoder->codec_state) decoder->codec->destroy(decoder->codec_state);
  decoder->codec_state = NULL;
}

fc_decoder *fc_decoder_new(void) {
  fc_decoder *decoder = calloc(1, sizeof *decoder);
  if (!decoder) return NULL;
  decoder->sink = fc_sink_new();
  if (decoder->sink) return decoder;
  free(decoder);
  return NULL;
}

void fc_decoder_free(fc_decoder *decoder) {
  if (!decoder) return;
  drop_codec(decoder);
  fc_sink_free(decoder->sink);
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
  copy.premultiply = 0;
  copy.scale = 0;
  return copy;
}

/* Pixels `step` bytes apart become one row. */
static void gather_row(uint8_t *row, const uint8_t *pixel, ptrdiff_t step, int32_t count,
                       int pixel_bytes) {
  for (int32_t x = 0; x < count; x++, pixel += step)
    for (int i = 0; i < pixel_bytes; i++) *row++ = pixel[i];
}

/* Push the upright rows of a stored rectangle (`stored`, rows of h x w pixels without gaps);
 * `scratch` has room for FC_SINK_ROWS of them. */
static void push_upright(fc_sink *sink, const turn *how, const uint8_t *stored, int32_t h,
                         int32_t w, int pixel_bytes, uint8_t *scratch) {
  ptrdiff_t column = pixel_bytes, row = (ptrdiff_t)w * pixel_bytes;
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
  size_t stride = fc_row_stride((size_t)out_w, (size_t)pixel_bytes);
  for (int32_t y = 0; y < out_h; y += FC_SINK_ROWS) {
    const uint8_t *rows[FC_SINK_ROWS];
    int32_t count = FC_MIN(FC_SINK_ROWS, out_h - y);
    for (int32_t i = 0; i < count; i++) {
      uint8_t *target = scratch + (size_t)i * stride;
      gather_row(target, stored + (y + i) * step_y, step_x, out_w, pixel_bytes);
      rows[i] = target;
    }
    fc_sink_push(sink, rows, count);
  }
}

/* ---- decode --------------------------------------------------------------------------------- */

typedef struct job {
  fc_request request;
  const fc_geometry *geometry;
  uint8_t *out;
  size_t out_stride;
  const fc_row_taker *taker; /* in place of `out`, if not NULL */
} job;

static fc_status plan(const job *j) {
  if (j->taker) return fc_sink_plan_rows(j->request.sink, j->geometry, j->request.spec, j->taker);
  return fc_sink_plan(j->request.sink, j->geometry, j->request.spec, j->out, j->out_stride);
}

static fc_status take_codec(fc_decoder *decoder, int format) {
  const fc_codec *codec = fc_codec_of(format);
  if (!codec) return FC_NEEDS_PYTHON;
  if (decoder->codec != codec) drop_codec(decoder);
  decoder->codec = codec;
  if (!decoder->codec_state) decoder->codec_state = decoder->codec->create();
  return decoder->codec_state ? FC_OK : FC_E_NOMEM;
}

static fc_status decode_as_stored(fc_decoder *decoder, const job *j, int *detail) {
  fc_status status = take_codec(decoder, j->request.info->format);
  if (status == FC_OK) status = plan(j);
  if (status != FC_OK) return status;
  status = decoder->codec->decode(decoder->codec_state, &j->request, detail);
  if (status == FC_E_CORRUPT && *detail) *detail = FC_CODEC_DETAIL(decoder->codec->format, *detail);
  return status;
}

/* The needed part is decoded whole, then pushed row by row of the upright image. */
static fc_status decode_upright(fc_decoder *decoder, const job *j, int *detail) {
  const fc_image_info *info = j->request.info;
  const turn *how = &turns[info->orientation];
  fc_status status = plan(j);
  if (status != FC_OK) return status;
  fc_rect need = fc_sink_need(decoder->sink);
  if (need.y0 >= need.y1) return decode_as_stored(decoder, j, detail);

  fc_rect stored = stored_rect(how, need, info);
  size_t h = (size_t)(stored.y1 - stored.y0), w = (size_t)(stored.x1 - stored.x0);
  size_t pixel_bytes = (size_t)fc_pixel_bytes(j->request.spec);
  size_t bytes = h * w * pixel_bytes;
  size_t width = how->transpose ? h : w;
  status = fc_buffer_reserve(&decoder->upright,
                             bytes + FC_SINK_ROWS * fc_row_stride(width, pixel_bytes));
  if (status != FC_OK) return status;

  const fc_geometry geometry = copy_geometry(info, stored);
  const fc_image_spec spec = copy_spec(j->request.spec);
  job copy = *j;
  copy.request.spec = &spec;
  copy.geometry = &geometry;
  copy.out = decoder->upright.data;
  copy.out_stride = w * pixel_bytes;
  copy.taker = NULL;
  status = decode_as_stored(decoder, &copy, detail);
  if (status != FC_OK) return status;

  status = plan(j);
  if (status != FC_OK) return status;
  fc_sink_begin(decoder->sink, need.y0, need.x0);
  push_upright(decoder->sink, how, decoder->upright.data, (int32_t)h, (int32_t)w, (int)pixel_bytes,
               decoder->upright.data + bytes);
  return FC_OK;
}

static int same_size(const fc_image_info *info, const fc_image_spec *spec,
                     const fc_geometry *geometry) {
  int transpose = spec->apply_orientation && turns[info->orientation].transpose;
  int32_t h = transpose ? info->width : info->height;
  int32_t w = transpose ? info->height : info->width;
  return h == geometry->src_h && w == geometry->src_w;
}

static int is_turned(const fc_image_info *info, const fc_image_spec *spec) {
  return spec->apply_orientation && info->orientation != 1;
}

/* The scale at which this file will be decoded. */
static int32_t scale_of(const fc_image_spec *spec, const fc_image_info *info,
                        const fc_geometry *g) {
  if (info->format != FC_FORMAT_JPEG || spec->filter == FC_NEAREST || is_turned(info, spec))
    return 0;
  const int32_t times = FC_MIN(g->crop_h / g->size_h, g->crop_w / g->size_w);
  return times >= spec->scale ? spec->scale : 0;
}

/* Opaque pixels need no multiplying, whatever they are resampled to. */
static fc_image_spec spec_of_file(const fc_image_spec *spec, const fc_image_info *info,
                                  const fc_geometry *geometry) {
  fc_image_spec own = *spec;
  own.scale = scale_of(spec, info, geometry);
  own.premultiply = spec->channels == 4 && (info->flags & FC_IMAGE_ALPHA) != 0;
  return own;
}

/* `j` says where the output goes. */
static fc_status decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                        const fc_image_spec *spec, job *j, int *detail) {
  *detail = 0;
  fc_image_info info;
  fc_status status = fc_probe_bytes(data, size, &spec->limits, &info);
  if (status != FC_OK) return status;
  if (!(info.flags & FC_IMAGE_IN_C)) return FC_NEEDS_PYTHON;
  if (spec->apply_orientation && info.flags & FC_IMAGE_ASK_ORIENTATION) return FC_NEEDS_PYTHON;
  if (!same_size(&info, spec, j->geometry)) return FC_E_CHANGED;
  const fc_image_spec own = spec_of_file(spec, &info, j->geometry);
  j->request =
      (fc_request){data, size, &info, &own, fc_deadline_in(spec->limits.max_ms), decoder->sink};
  if (is_turned(&info, spec)) return decode_upright(decoder, j, detail);
  return decode_as_stored(decoder, j, detail);
}

static int is_asked_well(const fc_decoder *decoder, const fc_image_spec *spec,
                         const fc_geometry *geometry) {
  return decoder && spec && geometry && fc_spec_is_valid(spec) &&
         fc_geometry_check(geometry) == FC_OK;
}

fc_status fc_decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                    const fc_image_spec *spec, const fc_geometry *geometry, uint8_t *out,
                    size_t out_stride, int *detail) {
  int ignored;
  if (!detail) detail = &ignored;
  *detail = 0;
  if (!is_asked_well(decoder, spec, geometry) || !out) return FC_E_ARGUMENT;
  if (out_stride < (size_t)geometry->out_w * (size_t)fc_pixel_bytes(spec)) return FC_E_ARGUMENT;
  job j = {.geometry = geometry, .out = out, .out_stride = out_stride};
  return decode(decoder, data, size, spec, &j, detail);
}

fc_status fc_decode_rows(fc_decoder *decoder, const uint8_t *data, size_t size,
                         const fc_image_spec *spec, const fc_geometry *geometry,
                         const fc_row_taker *taker, int *detail) {
  *detail = 0;
  if (!is_asked_well(decoder, spec, geometry)) return FC_E_ARGUMENT;
  job j = {.geometry = geometry, .taker = taker};
  return decode(decoder, data, size, spec, &j, detail);
}

static size_t add(size_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t fc_scratch_sum(const fc_scratch *scratch) {
  return add(add(scratch->kept, scratch->passing), add(scratch->resampler, scratch->upright));
}

/* The stored image is copied by the resampler first. */
static void add_turning(fc_scratch *scratch, const fc_image_info *info, const fc_image_spec *spec,
                        const fc_geometry *geometry) {
  const turn *how = &turns[info->orientation];
  fc_rect crop = {geometry->crop_y, geometry->crop_x, geometry->crop_y + geometry->crop_h,
                  geometry->crop_x + geometry->crop_w};
  const fc_geometry copy = copy_geometry(info, stored_rect(how, crop, info));
  const fc_image_spec spec_of_copy = copy_spec(spec);
  size_t pixel_bytes = (size_t)fc_pixel_bytes(spec);
  scratch->resampler = add(scratch->resampler, fc_sink_scratch(&copy, &spec_of_copy));
  scratch->upright =
      fc_buffer_bytes((size_t)geometry->crop_h * (size_t)geometry->crop_w * pixel_bytes +
                      FC_SINK_ROWS * fc_row_stride((size_t)geometry->crop_w, pixel_bytes));
}

fc_scratch fc_decode_scratch(const fc_image_info *info, const fc_image_spec *spec,
                             const fc_geometry *geometry) {
  const fc_image_spec own = spec_of_file(spec, info, geometry);
  fc_scratch scratch = {.resampler = add(sizeof(fc_decoder), fc_sink_scratch(geometry, &own))};
  const fc_codec *codec = fc_codec_of(info->format);
  if (codec) {
    scratch.kept = codec->kept(info, &own);
    scratch.passing = codec->scratch(info, &own) - scratch.kept;
  }
  if (is_turned(info, spec)) add_turning(&scratch, info, spec, geometry);
  return scratch;
}
