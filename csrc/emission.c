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
                       int32_t w, int flip_y, int flip_x, uint8_t *room) {
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
  const int whole = is_lines((uintptr_t)out) && is_lines(emission->row);
  emission->streaming = emit->streaming && whole && fc_emit_is_real(emit->element);
  emission->by_lines = emit->streaming && !emission->streaming;
}

static void end_lines(fc_emission *emission) {
  for (int p = 0; emission->next >= 0 && p < emission->planes; p++)
    fc_lines_end(&emission->lines[p]);
}

void fc_emission_row(fc_emission *emission, int32_t y, const uint8_t *row) {
  const fc_emitter *emitter = emission->emitter;
  if (emission->flip_y) y = emission->h - 1 - y;
  if (emission->row_of_channels) row = converted(emission, row);
  uint8_t *place[4], *rows[4];
  const size_t room = (emission->row + FC_LINE - 1) / FC_LINE * FC_LINE;
  for (int p = 0; p < emission->planes; p++) {
    place[p] = emission->out + (size_t)p * emission->plane + (size_t)y * emission->row;
    rows[p] = emission->by_lines ? emission->room + (size_t)p * room : place[p];
  }
  if (!emission->by_lines) {
    fc_emitter_row(emitter, row, emission->w, emission->flip_x, rows, emission->streaming);
    return;
  }
  if (y != emission->next) {
    end_lines(emission);
    for (int p = 0; p < emission->planes; p++) fc_lines_begin(&emission->lines[p], place[p]);
  }
  emission->next = y + 1;
  const int as_is = emitter->emit.element == FC_UINT8 && emission->planes == 1 && !emission->flip_x;
  if (as_is)
    rows[0] = NULL;
  else
    fc_emitter_row(emitter, row, emission->w, emission->flip_x, rows, 0);
  for (int p = 0; p < emission->planes; p++)
    fc_lines_append(&emission->lines[p], as_is ? row : rows[p], emission->row);
}

void fc_emission_end(fc_emission *emission) {
  end_lines(emission);
  emission->next = -1;
}
