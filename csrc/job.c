/* job.c: the loops that threads enter.  Each takes the next item from the job's cursor until none
 * is left; an item that fails is recorded and the loop goes on. */
#include "fc_internal.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2 &&
                   ATOMIC_INT_LOCK_FREE == 2,
               "processes share cursors: their atomics must work without locks");

static const char *path_of(const fc_paths *paths, int64_t item) {
  return paths->text + paths->offset[item];
}

/* Statuses that hand an item on or finish it; everything else counts as failed. */
static int is_failure(int32_t status) {
  return status != FC_OK && status != FC_NEEDS_PYTHON && status != FC_PENDING;
}

/* What Pillow may read over when it is told to load truncated images.  FC_E_BYTES: large texts. */
static int is_damage(fc_status status) {
  return status == FC_E_TRUNCATED || status == FC_E_CORRUPT || status == FC_E_BYTES;
}

static void count_item(fc_cursor *cursor, int32_t status, int64_t bytes) {
  if (is_failure(status)) atomic_fetch_add_explicit(&cursor->failed, 1, memory_order_relaxed);
  if (bytes) atomic_fetch_add_explicit(&cursor->bytes, bytes, memory_order_relaxed);
  /* Last, and released: who reads `done` sees the rest. */
  atomic_fetch_add_explicit(&cursor->done, 1, memory_order_release);
}

void fc_probe_run(fc_probe_job *job) {
  int64_t item;
  while ((item = fc_cursor_take(&job->cursor)) >= 0) {
    int detail = 0;
    fc_status status = fc_probe_file(path_of(&job->paths, item), &job->limits, job->whole,
                                     &job->info[item], &detail);
    job->status[item] = (int32_t)status;
    job->detail[item] = detail;
    count_item(&job->cursor, status, job->info[item].bytes);
  }
}

static fc_status fill_item(fc_fill_job *job, int64_t item, fc_decoder *decoder, fc_buffer *buffer,
                           int *detail) {
  fc_status status =
      fc_file_read(path_of(&job->paths, item), job->spec->limits.max_bytes, buffer, detail);
  if (status != FC_OK) return status;
  const fc_geometry *geometry = &job->geometry[item];
  size_t stride = (size_t)geometry->out_w * (size_t)fc_pixel_bytes(job->spec);
  return fc_decode(decoder, buffer->data, buffer->size, job->spec, geometry,
                   job->base + job->slot[item], stride, detail);
}

fc_status fc_fill_run(fc_fill_job *job) {
  fc_decoder *decoder = fc_decoder_new();
  if (!decoder) return FC_E_NOMEM;
  fc_cursor *cursor = job->shared ? job->shared : &job->cursor;
  fc_buffer buffer = {0};
  int64_t item;
  while ((item = fc_cursor_take(cursor)) >= 0) {
    if (job->status[item] != FC_PENDING) continue;
    int detail = 0;
    fc_status status = fill_item(job, item, decoder, &buffer, &detail);
    if (is_damage(status) && job->damaged_needs_python) {
      status = FC_NEEDS_PYTHON;
      detail = 0;
    }
    job->status[item] = (int32_t)status;
    job->detail[item] = detail;
    /* What is handed on to Python is counted there. */
    const fc_geometry *geometry = &job->geometry[item];
    if (status != FC_NEEDS_PYTHON)
      count_item(cursor, status,
                 status == FC_OK
                     ? (int64_t)geometry->out_h * geometry->out_w * fc_pixel_bytes(job->spec)
                     : 0);
  }
  fc_buffer_free(&buffer);
  fc_decoder_free(decoder);
  return FC_OK;
}
