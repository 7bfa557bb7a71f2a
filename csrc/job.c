/* job.c: the loops that threads enter.  Each takes the next item from the job's cursor until none
 * is left; an item that fails is recorded and the loop goes on. */
#include "fc_internal.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2 &&
                   ATOMIC_INT_LOCK_FREE == 2,
               "processes share cursors: their atomics must work without locks");

void fc_probe_run(fc_probe_job *job) {
  int64_t item;
  while ((item = fc_cursor_take(&job->cursor)) >= 0) {
    int detail = 0;
    fc_status status = fc_probe_file(fc_path_of(&job->paths, item), &job->limits, job->whole,
                                     &job->info[item], &detail);
    job->status[item] = (int32_t)status;
    job->detail[item] = detail;
    fc_cursor_count(&job->cursor, status, job->info[item].bytes);
  }
}

/* What a thread of a fill holds from item to item. */
typedef struct worker {
  fc_decoder *decoder;
  fc_buffer file;
  fc_buffer unwanted; /* pixels of items that have no slot */
} worker;

/* The bytes of an item's file, in memory that `mine` owns if they had to be read. */
static fc_status find_file(const fc_fill_job *job, int64_t item, worker *mine, const uint8_t **data,
                           size_t *size, int *detail) {
  if (job->data && job->data_size[item] >= 0) {
    *data = job->data + job->data_offset[item];
    *size = (size_t)job->data_size[item];
    return *size ? FC_OK : FC_E_EMPTY;
  }
  fc_status status =
      fc_file_read(fc_path_of(&job->paths, item), job->spec->limits.max_bytes, &mine->file, detail);
  *data = mine->file.data;
  *size = mine->file.size;
  return status;
}

static fc_status fill_item(const fc_fill_job *job, int64_t item, worker *mine, int *detail) {
  const uint8_t *data;
  size_t size;
  fc_status status = find_file(job, item, mine, &data, &size, detail);
  if (status != FC_OK) return status;
  const fc_geometry *geometry = &job->geometry[item];
  size_t stride = (size_t)geometry->out_w * (size_t)fc_pixel_bytes(job->spec);
  uint8_t *out;
  if (job->slot[item] >= 0) {
    out = job->base + job->slot[item];
  } else {
    status = fc_buffer_reserve(&mine->unwanted, stride * (size_t)geometry->out_h);
    out = mine->unwanted.data;
  }
  if (status != FC_OK) return status;
  return fc_decode(mine->decoder, data, size, job->spec, geometry, out, stride, detail);
}

static int64_t pixel_bytes_of(const fc_fill_job *job, int64_t item) {
  const fc_geometry *geometry = &job->geometry[item];
  return (int64_t)geometry->out_h * geometry->out_w * fc_pixel_bytes(job->spec);
}

fc_status fc_fill_run(fc_fill_job *job) {
  worker mine = {.decoder = fc_decoder_new()};
  if (!mine.decoder) return FC_E_NOMEM;
  fc_cursor *cursor = job->shared ? job->shared : &job->cursor;
  int64_t item;
  while ((item = fc_cursor_take(cursor)) >= 0) {
    if (job->status[item] != FC_PENDING) continue;
    int detail = 0;
    fc_status status = fill_item(job, item, &mine, &detail);
    if (fc_is_damage(status) && job->damaged_needs_python) {
      status = FC_NEEDS_PYTHON;
      detail = 0;
    }
    job->status[item] = (int32_t)status;
    job->detail[item] = detail;
    /* What is handed on to Python is counted there. */
    const int64_t written = job->slot[item] >= 0 ? pixel_bytes_of(job, item) : 0;
    if (status != FC_NEEDS_PYTHON) fc_cursor_count(cursor, status, status == FC_OK ? written : 0);
  }
  fc_buffer_free(&mine.file);
  fc_buffer_free(&mine.unwanted);
  fc_decoder_free(mine.decoder);
  return FC_OK;
}

void fc_read_run(fc_read_job *job) {
  int64_t item;
  while ((item = fc_cursor_take(&job->cursor)) >= 0) {
    if (job->status[item] != FC_PENDING) continue;
    int detail = 0;
    fc_status status = fc_file_read_into(fc_path_of(&job->paths, item), job->base + job->slot[item],
                                         (size_t)job->size[item], &detail);
    job->status[item] = (int32_t)status;
    job->detail[item] = detail;
    fc_cursor_count(&job->cursor, status, status == FC_OK ? job->size[item] : 0);
  }
}
