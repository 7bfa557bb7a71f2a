/* resample_sink.c: the row sink.  Source rows come in one after another, a ring keeps the few that
 * are in use, and as soon as it holds all rows of an output row, that row is written.
 *
 * Usually rows go through the across pass on their way into the ring and through the down pass on
 * their way out.  Where Pillow runs its vertical pass first, the ring keeps source rows, and both
 * passes follow on the way out. */
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "resample_out.h"

typedef enum sink_order {
  ACROSS_FIRST,
  DOWN_FIRST,
  NEITHER /* both passes copy: rows go straight to the output */
} sink_order;

struct fc_sink {
  const fc_kernels *kernels;
  fc_across x;
  fc_axis y;
  sink_order order;

  fc_out to;
  fc_fetch fetch;   /* what comes next */
  size_t out_bytes; /* of a finished row */

  uint8_t *ring; /* source row r (from y.lo on) is ring row r % ring_rows */
  size_t ring_pitch, ring_bytes;
  int32_t ring_rows;
  const uint8_t **taps; /* the ring rows of one output row, in order */
  /* DOWN_FIRST: FC_SINK_ROWS rows between the passes, and as many after them. */
  uint8_t *between, *after;
  size_t after_pitch;
  /* Colours are blended multiplied by their opacity: FC_SINK_ROWS pushed rows in that form. */
  int premultiply;
  uint8_t *multiplied;
  size_t multiplied_pitch;

  int64_t row;   /* the next pushed row, counted from y.lo */
  int32_t ready; /* source rows before this one are in the ring or not needed */
  int32_t next;  /* the next output row */
  int32_t use;   /* the first output row that may need `row` */
  size_t skip;   /* bytes from the start of a pushed row to x.axis.lo */

  fc_buffer memory;
};

#define MEMORY_ALIGN 64

fc_sink *fc_sink_new(void) {
  return calloc(1, sizeof(fc_sink));
}

void fc_sink_free(fc_sink *sink) {
  if (!sink) return;
  fc_buffer_free(&sink->memory);
  free(sink);
}

/* ---- planning ---- */

/* Pillow (since 13) shrinks the height first if it loses more than twice as many pixels as the
 * width.  The order shows: values are rounded and clipped between the passes. */
static sink_order order_of(const fc_span *y, const fc_span *x, int filter) {
  if (y->in == y->size && x->in == x->size) return NEITHER;
  if (x->in == x->size || filter == FC_NEAREST) return ACROSS_FIRST;
  int64_t loss_y = (int64_t)y->in - y->size, loss_x = (int64_t)x->in - x->size;
  return loss_y > 0 && loss_y > 2 * loss_x ? DOWN_FIRST : ACROSS_FIRST;
}

/* The kernels read and write whole vectors.  A pitch that is an odd number of cache lines keeps
 * the pixels of a column in different cache sets. */
static size_t pitch_for(int32_t pixels, int channels) {
  return FC_ROUND_UP((size_t)pixels * (size_t)channels + FC_ROW_SLACK, 128) + 64;
}

/* Place everything in one allocation; with base == NULL, count its bytes.  The numbers follow from
 * the geometry alone, so that fc_sink_scratch tells the truth.  Returns the planner's work space.
 */
static double *place(fc_sink *sink, const fc_span *y, const fc_span *x, const fc_image_spec *spec,
                     sink_order order, fc_carver *carver) {
  const int channels = fc_pixel_bytes(spec), filter = spec->filter;
  fc_axis_carve(&sink->y, y, filter, carver);
  fc_axis_carve(&sink->x.axis, x, filter, carver);
  const size_t taps_x = (size_t)fc_axis_taps(x, filter);
  sink->x.packed =
      fc_carve(carver, sink->kernels->packed_bytes((size_t)x->count, taps_x, channels), 1);

  const int32_t taps_y = fc_axis_taps(y, filter);
  sink->taps = fc_carve(carver, (size_t)taps_y, sizeof *sink->taps);
  sink->order = order;
  sink->after_pitch = pitch_for(x->count, channels);
  sink->ring_pitch = sink->after_pitch;
  if (sink->order == DOWN_FIRST) {
    sink->ring_pitch = pitch_for(fc_axis_extent(x, filter), channels);
    sink->between = fc_carve(carver, FC_SINK_ROWS, sink->ring_pitch);
    sink->after = fc_carve(carver, FC_SINK_ROWS, sink->after_pitch);
  }
  sink->ring_rows = FC_MIN(taps_y, INT32_MAX - FC_SINK_ROWS) + FC_SINK_ROWS;
  sink->ring = fc_carve(carver, (size_t)sink->ring_rows, sink->ring_pitch);
  sink->premultiply = spec->premultiply && spec->channels == 4 && filter != FC_NEAREST;
  if (sink->order == NEITHER) sink->premultiply = 0;
  if (sink->premultiply) {
    sink->multiplied_pitch = pitch_for(fc_axis_extent(x, filter), channels);
    sink->multiplied = fc_carve(carver, FC_SINK_ROWS, sink->multiplied_pitch);
  }
  fc_out_carve(&sink->to, carver);
  size_t work = FC_MAX(fc_axis_work(y, filter), fc_axis_work(x, filter));
  return fc_carve(carver, work, 1);
}

static size_t count_bytes(fc_sink *sink, const fc_span *y, const fc_span *x,
                          const fc_image_spec *spec, sink_order order) {
  fc_carver counter = {0};
  if (y->count && x->count)
    place(sink, y, x, spec, order, &counter);
  else
    fc_out_carve(&sink->to, &counter);
  if (counter.used > PTRDIFF_MAX - MEMORY_ALIGN) return SIZE_MAX;
  return sizeof *sink + fc_buffer_bytes(counter.used + MEMORY_ALIGN);
}

size_t fc_sink_scratch(const fc_geometry *geometry, const fc_image_spec *spec) {
  const fc_span y = fc_span_y(geometry, spec->scale), x = fc_span_x(geometry, spec->scale);
  fc_sink sink = {.kernels = fc_kernels_get()};
  return count_bytes(&sink, &y, &x, spec, order_of(&y, &x, spec->filter));
}

static void take_nothing(void *to, int32_t y, const uint8_t *row) {
  (void)to, (void)y, (void)row;
}

size_t fc_sink_most(const fc_geometry *geometry, const fc_image_spec *spec) {
  const fc_span y = fc_span_y(geometry, spec->scale), x = fc_span_x(geometry, spec->scale);
  fc_sink sink = {.kernels = fc_kernels_get(),
                  .to = {.taker = {take_nothing, NULL},
                         .w = geometry->out_w,
                         .pixel = (size_t)fc_pixel_bytes(spec)}};
  const size_t across = count_bytes(&sink, &y, &x, spec, ACROSS_FIRST);
  return FC_MAX(across, count_bytes(&sink, &y, &x, spec, DOWN_FIRST));
}

size_t fc_sink_held(const fc_sink *sink) {
  return sink->memory.capacity;
}

/* The start of at least that many bytes, aligned. */
static fc_status reserve_aligned(fc_sink *sink, size_t bytes, uint8_t **start) {
  if (bytes > SIZE_MAX - MEMORY_ALIGN) return FC_E_NOMEM;
  fc_status status = fc_buffer_reserve(&sink->memory, bytes + MEMORY_ALIGN);
  if (status != FC_OK) return status;
  const size_t beyond = (uintptr_t)sink->memory.data % MEMORY_ALIGN;
  *start = sink->memory.data + (MEMORY_ALIGN - beyond);
  return FC_OK;
}

static fc_status plan_axes(fc_sink *sink, const fc_span *y, const fc_span *x,
                           const fc_image_spec *spec) {
  fc_carver carver = {0};
  const sink_order order = order_of(y, x, spec->filter);
  place(sink, y, x, spec, order, &carver);
  fc_status status = reserve_aligned(sink, carver.used, &carver.base);
  if (status != FC_OK) return status;
  carver.used = 0;
  double *work = place(sink, y, x, spec, order, &carver);

  fc_axis_plan(&sink->y, y, spec, 0, work);
  fc_axis_plan(&sink->x.axis, x, spec, sink->x.channels, work);
  if (sink->x.axis.pass >= FC_PASS_HIGH) sink->kernels->pack(&sink->x);
  return FC_OK;
}

/* Nothing but padding. */
static fc_status plan_blank(fc_sink *sink, const fc_image_spec *spec) {
  fc_carver carver = {0};
  fc_out_carve(&sink->to, &carver);
  fc_status status = reserve_aligned(sink, carver.used, &carver.base);
  if (status != FC_OK) return status;
  carver.used = 0;
  fc_out_carve(&sink->to, &carver);
  fc_out_begin(&sink->to, spec);
  return FC_OK;
}

void fc_sink_fetch(fc_sink *sink, const fc_ahead *ahead) {
  fc_fetch_begin(&sink->fetch, ahead, FC_MAX(sink->y.count, 1));
}

/* `to` says where rows go, and is completed. */
static fc_status plan(fc_sink *sink, const fc_geometry *g, const fc_image_spec *spec) {
  sink->y.count = sink->y.lo = sink->y.hi = 0;
  sink->x.axis.count = sink->x.axis.lo = sink->x.axis.hi = 0;
  fc_sink_fetch(sink, NULL);
  const size_t channels = (size_t)fc_pixel_bytes(spec);
  const fc_span y = fc_span_y(g, spec->scale), x = fc_span_x(g, spec->scale);
  if (spec->wide && spec->filter != FC_NEAREST && order_of(&y, &x, spec->filter) != NEITHER)
    return FC_NEEDS_PYTHON;
  fc_rect inside = {0, 0, 0, 0};
  const int is_empty = !y.count || !x.count;
  if (!is_empty) {
    inside.y0 = y.first - g->win_y;
    inside.x0 = x.first - g->win_x;
    inside.y1 = inside.y0 + y.count;
    inside.x1 = inside.x0 + x.count;
  }
  fc_out_plan(&sink->to, g, &inside, spec);
  if (is_empty) return plan_blank(sink, spec);

  sink->kernels = fc_kernels_get();
  sink->x.channels = fc_pixel_bytes(spec);
  fc_status status = plan_axes(sink, &y, &x, spec);
  if (status != FC_OK) return status;
  fc_out_begin(&sink->to, spec);
  sink->out_bytes = (size_t)x.count * channels;
  sink->ring_bytes = sink->out_bytes;
  if (sink->order == DOWN_FIRST)
    sink->ring_bytes = (size_t)(sink->x.axis.hi - sink->x.axis.lo) * channels;
  sink->y.lo += y.begin;
  sink->y.hi += y.begin;
  sink->x.axis.lo += x.begin;
  sink->x.axis.hi += x.begin;
  fc_sink_begin(sink, sink->y.lo, sink->x.axis.lo);
  return FC_OK;
}

fc_status fc_sink_plan(fc_sink *sink, const fc_geometry *g, const fc_image_spec *spec, uint8_t *out,
                       size_t out_stride) {
  if (!fc_spec_is_valid(spec)) return FC_E_ARGUMENT;
  if (out_stride < (size_t)g->out_w * (size_t)fc_pixel_bytes(spec)) return FC_E_ARGUMENT;
  sink->to = (fc_out){.slot = out, .stride = out_stride};
  return plan(sink, g, spec);
}

fc_status fc_sink_plan_rows(fc_sink *sink, const fc_geometry *g, const fc_image_spec *spec,
                            const fc_row_taker *taker) {
  if (!fc_spec_is_valid(spec)) return FC_E_ARGUMENT;
  sink->to = (fc_out){.taker = *taker};
  return plan(sink, g, spec);
}

fc_rect fc_sink_need(const fc_sink *sink) {
  fc_rect need = {sink->y.lo, sink->x.axis.lo, sink->y.hi, sink->x.axis.hi};
  return need;
}

uint8_t *fc_sink_target(const fc_sink *sink, fc_rect rect, size_t *stride) {
  const fc_rect need = fc_sink_need(sink);
  const int same = rect.y0 == need.y0 && rect.x0 == need.x0 && rect.y1 == need.y1 &&
                   rect.x1 == need.x1 && need.y0 < need.y1;
  if (!same || sink->order != NEITHER || !sink->to.slot) return NULL;
  *stride = sink->to.stride;
  return fc_out_row(&sink->to, 0);
}

void fc_sink_begin(fc_sink *sink, int32_t y0, int32_t x0) {
  sink->row = (int64_t)y0 - sink->y.lo;
  sink->skip = (size_t)(sink->x.axis.lo - x0) * (size_t)sink->x.channels;
  sink->ready = sink->next = sink->use = 0;
}

/* ---- rows out ---- */

static uint8_t *ring_row(const fc_sink *sink, int32_t row) {
  return sink->ring + (size_t)(row % sink->ring_rows) * sink->ring_pitch;
}

static void down(fc_sink *sink, int32_t position, uint8_t *out) {
  const fc_axis *y = &sink->y;
  const int32_t start = y->start[position];
  if (y->pass < FC_PASS_HIGH) {
    memcpy(out, ring_row(sink, start), sink->ring_bytes);
    return;
  }
  for (int32_t tap = 0; tap < y->taps; tap++) sink->taps[tap] = ring_row(sink, start + tap);
  sink->kernels->down(y, position, sink->taps, out, sink->ring_bytes);
}

static int is_ready(const fc_sink *sink, int32_t position) {
  return position < sink->y.count && sink->y.start[position] + sink->y.taps <= sink->ready;
}

/* The row at `position` is at its place. */
static void finish(fc_sink *sink, int32_t position) {
  if (sink->premultiply) fc_divide_alpha(fc_out_row(&sink->to, position), sink->out_bytes / 4);
  fc_fetch_some(&sink->fetch);
  fc_out_done(&sink->to, position, NULL);
}

/* As many finished rows as the across pass takes at once; returns how many. */
static int finish_some(fc_sink *sink) {
  const uint8_t *in[FC_SINK_ROWS];
  uint8_t *out[FC_SINK_ROWS];
  int count = 0;
  for (; count < FC_SINK_ROWS && is_ready(sink, sink->next + count); count++) {
    uint8_t *row = sink->between + (size_t)count * sink->ring_pitch;
    down(sink, sink->next + count, row);
    in[count] = row;
    out[count] = sink->after + (size_t)count * sink->after_pitch;
  }
  sink->kernels->across(&sink->x, in, out, count);
  for (int i = 0; i < count; i++) {
    memcpy(fc_out_row(&sink->to, sink->next + i), out[i], sink->out_bytes);
    finish(sink, sink->next + i);
  }
  sink->next += count;
  return count;
}

static void finish_rows(fc_sink *sink) {
  if (sink->order == DOWN_FIRST) {
    while (finish_some(sink) != 0) continue;
    return;
  }
  for (; is_ready(sink, sink->next); sink->next++) {
    down(sink, sink->next, fc_out_row(&sink->to, sink->next));
    finish(sink, sink->next);
  }
}

/* ---- rows in ---- */

/* Whether any output row that is still to come uses this source row. */
static int is_used(fc_sink *sink, int64_t row) {
  const fc_axis *y = &sink->y;
  if (row < 0) return 0;
  while (sink->use < y->count && (int64_t)y->start[sink->use] + y->taps <= row) sink->use++;
  return sink->use < y->count && y->start[sink->use] <= row;
}

static void put_into_ring(fc_sink *sink, const uint8_t *const *rows, uint8_t *const *out,
                          int count) {
  const fc_axis *x = &sink->x.axis;
  const int is_copy = sink->order == DOWN_FIRST || x->pass == FC_PASS_COPY;
  if (!is_copy && x->pass >= FC_PASS_HIGH) {
    sink->kernels->across(&sink->x, rows, out, count);
    return;
  }
  for (int i = 0; i < count; i++) {
    if (is_copy)
      memcpy(out[i], rows[i], sink->ring_bytes);
    else
      fc_pick_pixels(x, sink->x.channels, rows[i], out[i]);
  }
}

static const uint8_t *multiply(const fc_sink *sink, const uint8_t *row, int place) {
  uint8_t *multiplied = sink->multiplied + (size_t)place * sink->multiplied_pitch;
  fc_multiply_alpha(multiplied, row, (size_t)(sink->x.axis.hi - sink->x.axis.lo));
  return multiplied;
}

/* Rows that both passes copy. */
static void copy_some(fc_sink *sink, const uint8_t *const *rows, int count) {
  for (int i = 0; i < count; i++, sink->row++) {
    if (!is_used(sink, sink->row)) continue;
    const int32_t position = (int32_t)sink->row;
    const uint8_t *row = rows[i] + sink->skip;
    if (!fc_out_takes(&sink->to)) {
      memcpy(fc_out_row(&sink->to, position), row, sink->out_bytes);
      row = NULL;
    }
    fc_fetch_some(&sink->fetch);
    fc_out_done(&sink->to, position, row);
  }
}

/* At most FC_SINK_ROWS rows, for which the ring has room beside those still in use. */
static void push_some(fc_sink *sink, const uint8_t *const *rows, int count) {
  const uint8_t *in[FC_SINK_ROWS];
  uint8_t *out[FC_SINK_ROWS];
  int used = 0;
  if (sink->order == NEITHER) {
    copy_some(sink, rows, count);
    return;
  }
  for (int i = 0; i < count; i++, sink->row++) {
    if (!is_used(sink, sink->row)) continue;
    in[used] = rows[i] + sink->skip;
    if (sink->premultiply) in[used] = multiply(sink, in[used], used);
    out[used++] = ring_row(sink, (int32_t)sink->row);
  }
  put_into_ring(sink, in, out, used);
  sink->ready = (int32_t)FC_MAX(FC_MIN(sink->row, sink->y.hi - sink->y.lo), 0);
  finish_rows(sink);
}

void fc_sink_push(fc_sink *sink, const uint8_t *const *rows, int count) {
  for (int done = 0; done < count; done += FC_SINK_ROWS)
    push_some(sink, rows + done, FC_MIN(count - done, FC_SINK_ROWS));
}
