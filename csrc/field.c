/* field.c: the job that makes images of series, whatever their kind. */
#include <math.h>
#include <stdlib.h>

#include "field.h"

/* Rows that cannot be streamed to their place are made here first, within the first level's cache.
 */
#define STAGE 16384
/* Output of one item: the images of a series, or a band of rows of them where these are large. */
#define BAND (4 << 20)
/* Output between visits to the shared counter, each of which waits until all stores have left. */
#define VISIT (1 << 20)

const fc_field_kernels *fc_field_kernels_get(void) {
#ifdef __x86_64__
  if (fc_cpu_get() == FC_CPU_AVX512) return &fc_field_avx512;
  if (fc_cpu_get() == FC_CPU_AVX2) return &fc_field_avx2;
#endif
  return &fc_field_scalar;
}

const fc_field_kind_entry *fc_field_kind_of(int kind) {
  static const fc_field_kind_entry *const kinds[FC_FIELD_KIND_COUNT] = {
      [FC_GASF] = &fc_gasf_kind,
      [FC_GADF] = &fc_gadf_kind,
      [FC_GAF_BOTH] = &fc_gaf_both_kind,
      [FC_MTF] = &fc_mtf_kind,
      [FC_RECURRENCE] = &fc_recurrence_kind};
  return kind >= 0 && kind < FC_FIELD_KIND_COUNT ? kinds[kind] : NULL;
}

int fc_field_images(int kind) {
  const fc_field_kind_entry *entry = fc_field_kind_of(kind);
  return entry ? entry->images : 0;
}

/* ---- scratch ----------------------------------------------------------------------------------
 */

typedef struct scratch {
  size_t values, state, stage; /* bytes */
} scratch;

static size_t row_bytes(const fc_field_spec *spec) {
  return (size_t)spec->size * fc_element_size(spec->element);
}

static scratch scratch_of(const fc_field_spec *spec, int64_t length) {
  scratch s = {fc_field_lines((size_t)length * sizeof(double)),
               fc_field_lines(fc_field_kind_of(spec->kind)->scratch(spec, length)),
               fc_field_lines(FC_MAX(STAGE, row_bytes(spec)))};
  return s;
}

size_t fc_field_scratch(const fc_field_spec *spec, int64_t length) {
  if (!fc_field_kind_of(spec->kind)) return 0;
  const scratch s = scratch_of(spec, length);
  return s.values + 2 * s.state + s.stage;
}

/* ---- checks -----------------------------------------------------------------------------------
 */

static int is_sound(const fc_field_spec *spec, int64_t length) {
  const int64_t most = INT32_MAX; /* so that the bytes of an image are a number */
  if (!fc_field_kind_of(spec->kind) || !fc_field_is_image(spec->element)) return 0;
  if (length < 1 || length > most || spec->size < 1 || spec->size > length) return 0;
  if (!(spec->out_low < spec->out_high) || !isfinite(spec->out_high - spec->out_low)) return 0;
  if (!spec->start) return spec->size == length || spec->kind == FC_RECURRENCE;
  for (int64_t i = 0; i < spec->size; i++)
    if (spec->start[i] < 0 || spec->start[i] >= spec->end[i] || spec->end[i] > length) return 0;
  return 1;
}

fc_status fc_field_start(fc_field_job *job) {
  const fc_series *series = &job->series;
  const fc_field_spec *spec = job->spec;
  if (fc_element_size(series->element) == 0 || series->element == FC_BFLOAT16) return FC_E_ARGUMENT;
  if (series->samples < 0 || series->channels < 1 || !is_sound(spec, series->length))
    return FC_E_ARGUMENT;
  if (series->samples > INT64_MAX / series->channels / spec->size) return FC_E_ARGUMENT;
  if (job->store < FC_STORE_AUTO || job->store > FC_STORE_STREAMING) return FC_E_ARGUMENT;
  const fc_field_kind_entry *kind = fc_field_kind_of(spec->kind);
  const fc_status status = kind->check(spec, series->length);
  if (status != FC_OK) return status;
  const double image = (double)row_bytes(spec) * (double)spec->size * kind->images;
  job->bands = FC_MIN((int64_t)(image / BAND) + 1, spec->size);
  job->cursor.count = series->samples * series->channels * job->bands;
  if (job->store == FC_STORE_AUTO) {
    const double all = image * (double)(series->samples * series->channels);
    job->store = all > (double)fc_cpu_cache_bytes() ? FC_STORE_STREAMING : FC_STORE_CACHED;
  }
  atomic_store(&job->refused, -1);
  return FC_OK;
}

/* ---- refusals: series and status in one number, the smallest counts ---------------------------
 */

#define STATUSES 32
_Static_assert(FC_STATUS_COUNT <= STATUSES, "statuses outgrow the number they are kept in");

static void refuse(fc_field_job *job, int64_t series, fc_status status) {
  const int64_t mine = series * STATUSES + (int64_t)status;
  int64_t seen = atomic_load(&job->refused);
  while ((seen < 0 || mine < seen) && !atomic_compare_exchange_weak(&job->refused, &seen, mine)) {
  }
  atomic_fetch_add_explicit(&job->cursor.failed, 1, memory_order_relaxed);
  atomic_store_explicit(&job->cursor.cancel, 1, memory_order_relaxed);
}

fc_status fc_field_refused(const fc_field_job *job, int64_t *which) {
  const int64_t refused = atomic_load(&job->refused);
  if (refused < 0) return FC_OK;
  *which = refused / STATUSES;
  return (fc_status)(refused % STATUSES);
}

/* ---- rows to their place ----------------------------------------------------------------------
 */

typedef struct worker {
  fc_field_job *job;
  const fc_field_kind_entry *kind;
  /* Two series: the next is prepared before the rows of this one are written, so that its factors
   * have long arrived in the cache, and its values from memory, when they are needed. */
  fc_field field[2];
  int64_t prepared[2]; /* numbers of these series; -1: none */
  double *values;
  uint8_t *stage;
} worker;

/* Rows until the place of the next one begins a cache line; 0 if none of them does. */
static int64_t rows_to_line(const uint8_t *place, size_t row) {
  for (int64_t rows = 0; rows < 64; rows++)
    if ((uintptr_t)(place + (size_t)rows * row) % 64 == 0) return rows;
  return 0;
}

/* Rows whose bytes are whole lines, as many as the stage holds; or just as many as it holds. */
static int64_t rows_of_lines(size_t row, size_t room) {
  const int64_t fit = (int64_t)(room / row);
  int64_t period = 1;
  while (period < 64 && (size_t)period * row % 64 != 0) period *= 2;
  return fit >= period ? fit / period * period : fit;
}

/* Through the stage: groups of rows that begin and end with a line, as far as that is possible. */
static void stream_staged(const worker *w, const fc_field *field, int image, int64_t first,
                          int64_t rows, uint8_t *place) {
  const size_t row = row_bytes(field->spec), room = FC_MAX(STAGE, row);
  const int64_t whole = rows_of_lines(row, room);
  int64_t group = FC_MIN(rows_to_line(place, row), (int64_t)(room / row));
  if (group == 0) group = whole;
  while (rows > 0) {
    group = FC_MIN(group, rows);
    w->kind->rows(field, image, first, group, w->stage, 0);
    fc_stream_bytes(place, w->stage, (size_t)group * row);
    first += group, rows -= group, place += (size_t)group * row;
    group = whole;
  }
}

static int streams_itself(const worker *w, const fc_field *field, const uint8_t *place) {
  if (!field->kernels->streams || w->kind->streams == FC_STREAMS_NEVER) return 0;
  if (w->kind->streams == FC_STREAMS_LINES)
    return (uintptr_t)place % 64 == 0 && row_bytes(field->spec) % 64 == 0;
  return (uintptr_t)place % fc_element_size(field->spec->element) == 0;
}

static void write_rows(const worker *w, const fc_field *field, int image, int64_t first,
                       int64_t rows, uint8_t *place) {
  const int streaming = w->job->store == FC_STORE_STREAMING && FC_CAN_STREAM;
  if (!streaming || streams_itself(w, field, place))
    w->kind->rows(field, image, first, rows, place, streaming);
  else
    stream_staged(w, field, image, first, rows, place);
}

/* ---- the job ----------------------------------------------------------------------------------
 */

/* Dividing by the usual divisor, 1, would take longer than the rest of what is done per item. */
static inline int64_t quotient(int64_t number, int64_t by) {
  return by == 1 ? number : number / by;
}

/* The first value of a series. */
static const uint8_t *place_of(const fc_series *series, int64_t number) {
  const int64_t sample = quotient(number, series->channels);
  const int64_t channel = number - sample * series->channels;
  const int64_t from = series->offset ? series->offset[sample] : sample * series->sample;
  return series->data + from + channel * series->channel;
}

static fc_status prepare(worker *w, fc_field *field, int64_t number) {
  const fc_series *series = &w->job->series;
  fc_values values;
  field->merged = w->job->merged ? w->job->merged + number : NULL;
  const fc_status status =
      fc_field_load(series, place_of(series, number), w->values, field->kernels, &values);
  return status == FC_OK ? w->kind->prepare(field, &values) : status;
}

/* The field of series `number`, prepared in the place of any but `keep`; NULL when it is refused.
 */
static const fc_field *field_of(worker *w, int64_t number, int64_t keep) {
  for (int k = 0; k < 2; k++)
    if (w->prepared[k] == number) return &w->field[k];
  const int free = w->prepared[0] == keep;
  const fc_status status = prepare(w, &w->field[free], number);
  w->prepared[free] = status == FC_OK ? number : -1;
  if (status == FC_OK) return &w->field[free];
  refuse(w->job, number, status);
  return NULL;
}

/* An item, and the series of the one that follows; -1 if none does.  0 when one is refused. */
static int do_item(worker *w, int64_t item, int64_t next) {
  const fc_field_job *job = w->job;
  const int64_t number = quotient(item, job->bands), band = item - number * job->bands;
  const fc_field *field = field_of(w, number, -1);
  if (!field || (next >= 0 && !field_of(w, next, number))) return 0;
  const int64_t channels = job->series.channels, size = job->spec->size;
  const int64_t first = quotient(size * band, job->bands);
  const int64_t last = quotient(size * (band + 1), job->bands);
  const int64_t sample = quotient(number, channels), channel = number - sample * channels;
  for (int image = 0; image < w->kind->images; image++) {
    const int64_t plane = image * channels + channel;
    write_rows(w, field, image, first, last - first,
               job->out + sample * job->out_sample + plane * job->plane +
                   first * (int64_t)row_bytes(job->spec));
  }
  return 1;
}

static void work(worker *w, int64_t grain) {
  fc_cursor *cursor = &w->job->cursor;
  const int64_t bands = w->job->bands;
  fc_stretch items = fc_cursor_take_stretch(cursor, grain);
  while (items.first < items.end) {
    const fc_stretch after = fc_cursor_take_stretch(cursor, grain);
    for (int64_t item = items.first; item < items.end; item++) {
      int64_t next = item + 1 < items.end ? item + 1 : after.first < after.end ? after.first : -1;
      if (!do_item(w, item, next < 0 ? -1 : quotient(next, bands))) return;
    }
    atomic_fetch_add_explicit(&cursor->done, items.end - items.first, memory_order_relaxed);
    if (atomic_load_explicit(&cursor->cancel, memory_order_relaxed)) return;
    items = after;
  }
}

/* Factors that vectors reach behind the last column: none where every image is whole vectors and
 * begins with one. */
static int64_t columns_behind(const fc_field_job *job, const fc_field_kernels *kernels) {
  const int64_t step = kernels->step[job->spec->element];
  const int64_t vector = step * (int64_t)fc_element_size(job->spec->element);
  const int64_t places = (int64_t)(uintptr_t)job->out | job->out_sample | job->plane;
  return job->spec->size % step == 0 && places % vector == 0 ? 0 : step;
}

fc_status fc_field_run(fc_field_job *job) {
  const fc_field_spec *spec = job->spec;
  const int64_t length = job->series.length;
  const scratch parts = scratch_of(spec, length);
  uint8_t *memory = aligned_alloc(64, fc_field_scratch(spec, length));
  if (!memory) return FC_E_NOMEM;
  uint8_t *state = memory + parts.values;
  const fc_field_kernels *kernels = fc_field_kernels_get();
  const int64_t more = columns_behind(job, kernels);
  worker w = {.job = job,
              .kind = fc_field_kind_of(spec->kind),
              .field = {{spec, length, kernels, state, more, NULL},
                        {spec, length, kernels, state + parts.state, more, NULL}},
              .prepared = {-1, -1},
              .values = (double *)(void *)memory,
              .stage = state + 2 * parts.state};
  const int64_t image = (int64_t)row_bytes(spec) * spec->size * w.kind->images;
  work(&w, fc_cursor_grain(&job->cursor, image / job->bands, VISIT));
  if (job->store == FC_STORE_STREAMING) fc_stream_end();
  free(memory);
  return FC_OK;
}
