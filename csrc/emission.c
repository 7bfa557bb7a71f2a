/* emission.c: the rows of one image to their places in the output. */
#include "emit.h"

static int is_lines(uintptr_t value) {
  return value % FC_LINE == 0;
}

static size_t row_bytes(const fc_emitter *emitter, int32_t w) {
  const fc_emit *emit = &emitter->emit;
  const size_t values = emit->planar ? (size_t)w : (size_t)w * (size_t)emit->channels;
  return values * fc_element_size(emit->element);
}

/* Of the row whose channels were converted; it is read beyond its end. */
static size_t converted_bytes(const fc_emitter *emitter, int32_t w) {
  const int channels = emitter->emit.channels;
  if (emitter->channels == channels) return 0;
  return ((size_t)w * (size_t)channels + FC_ROW_SLACK + FC_LINE - 1) / FC_LINE * FC_LINE;
}

static const uint8_t *converted(const fc_emission *emission, const uint8_t *row) {
  uint8_t *out = emission->row_of_channels;
  const int is_grey = emission->emitter->channels == 1;
  if (is_grey)
    for (int32_t x = 0; x < emission->w; x++) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = row[x];
  else
    for (int32_t x = 0; x < emission->w; x++) out[x] = row[3 * x];
  return out;
}

size_t fc_emission_room(const fc_emitter *emitter, int32_t w) {
  const size_t planes = emitter->emit.planar ? (size_t)emitter->emit.channels : 1;
  return planes * ((row_bytes(emitter, w) + FC_LINE - 1) / FC_LINE * FC_LINE) + FC_LINE +
         converted_bytes(emitter, w);
}

void fc_emission_begin(fc_emission *emission, const fc_emitter *emitter, uint8_t *out, int32_t h,
                       int32_t w, int flip_y, int flip_x, uint8_t *room, const fc_ahead *ahead) {
  const fc_emit *emit = &emitter->emit;
  emission->emitter = emitter;
  emission->out = out;
  emission->h = h, emission->w = w, emission->flip_y = flip_y, emission->flip_x = flip_x;
  emission->row = row_bytes(emitter, w);
  emission->plane = emission->row * (size_t)h;
  emission->planes = emit->planar ? emit->channels : 1;
  emission->row_of_channels = emitter->channels == emit->channels ? NULL : room;
  emission->room = room + converted_bytes(emitter, w);
  emission->next = -1;
  fc_fetch_begin(&emission->fetch, ahead, h);
  const int whole = is_lines((uintptr_t)out) && is_lines(emission->row);
  emission->streaming = emit->streaming && whole && fc_emit_is_real(emit->element);
  emission->by_lines = emit->streaming && !emission->streaming;
  emission->as_is = emit->element == FC_UINT8 && emission->planes == 1 && !flip_x;
  emission->rows =
      (fc_emit_rows){.count = 1,
                     .width = w,
                     .flip = flip_x,
                     .on = flip_y ? -(ptrdiff_t)emission->row : (ptrdiff_t)emission->row,
                     .streaming = emission->streaming,
                     .fetch = &emission->fetch};
  const size_t pitch = (emission->row + FC_LINE - 1) / FC_LINE * FC_LINE;
  for (int p = 0; emission->by_lines && p < emission->planes; p++)
    emission->rows.out[p] = emission->room + (size_t)p * pitch;
}

static void end_lines(fc_emission *emission) {
  for (int p = 0; emission->next >= 0 && p < emission->planes; p++)
    fc_lines_end(&emission->lines[p]);
}

static void put_by_lines(fc_emission *emission, int32_t y, uint8_t *place, const uint8_t *row) {
  if (y != emission->next) {
    end_lines(emission);
    for (int p = 0; p < emission->planes; p++, place += emission->plane)
      fc_lines_begin(&emission->lines[p], place);
  }
  emission->next = y + 1;
  if (emission->as_is) {
    fc_fetch_some(&emission->fetch);
    fc_lines_append(&emission->lines[0], row, emission->row);
    return;
  }
  emission->rows.row = row;
  fc_emitter_rows(emission->emitter, &emission->rows);
  for (int p = 0; p < emission->planes; p++)
    fc_lines_append(&emission->lines[p], emission->rows.out[p], emission->row);
}

/* Few things are written here: what is read again at once, in other pieces than it was written in,
 * waits until all streaming stores before it are through. */
static void put_rows(fc_emission *emission, uint8_t *place, const uint8_t *row, size_t stride,
                     int32_t count) {
  fc_emit_rows *rows = &emission->rows;
  rows->row = row;
  rows->stride = stride;
  rows->count = count;
  for (int p = 0; p < emission->planes; p++, place += emission->plane) rows->out[p] = place;
  fc_emitter_rows(emission->emitter, rows);
}

void fc_emission_rows(fc_emission *emission, int32_t y, const uint8_t *row, size_t stride,
                      int32_t count) {
  const int one_by_one = emission->by_lines || emission->row_of_channels;
  const int32_t some = one_by_one ? 1 : count;
  for (const int32_t end = y + count; y < end; y += some, row += stride) {
    const uint8_t *from = emission->row_of_channels ? converted(emission, row) : row;
    const int32_t at = emission->flip_y ? emission->h - 1 - y : y;
    uint8_t *place = emission->out + (size_t)at * emission->row;
    if (emission->by_lines)
      put_by_lines(emission, at, place, from);
    else
      put_rows(emission, place, from, stride, some);
  }
}

void fc_emission_row(fc_emission *emission, int32_t y, const uint8_t *row) {
  fc_emission_rows(emission, y, row, 0, 1);
}

void fc_emission_end(fc_emission *emission) {
  end_lines(emission);
  emission->next = -1;
}
