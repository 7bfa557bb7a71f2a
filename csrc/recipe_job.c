/* recipe_job.c: the read job: samples from the arena to the batch. */
#include "recipe.h"

/* A sample that was taken from the cursor. */
typedef struct taken {
  int64_t item; /* negative: there is none */
  fc_key key;
  fc_status status;
  int at;         /* the step that cannot be done */
  fc_drawn drawn; /* for the first column */
} taken;

static int is_decoded(const fc_plane *plane, int64_t item) {
  return plane->offset[item] >= 0;
}

static const fc_stage *before_of(const fc_plane *plane, int64_t item) {
  return is_decoded(plane, item) || !plane->before ? NULL : &plane->before[item];
}

static fc_status draw_of(const fc_make_job *job, const fc_plane *plane, taken *t, int32_t h,
                         int32_t w, const fc_stage *before, fc_drawn *drawn) {
  const fc_step *steps = plane->steps ? plane->steps : job->steps;
  const int count = plane->steps ? plane->step_count : job->step_count;
  if (plane->is_mask)
    return fc_draw_mask(steps, count, &t->key, h, w, before, plane->spec, drawn, &t->at);
  return fc_draw(steps, count, &t->key, h, w, before, drawn, &t->at);
}

static fc_status draw(const fc_make_job *job, const fc_plane *plane, taken *t, fc_drawn *drawn) {
  const int64_t item = t->item;
  const fc_stage *before = before_of(plane, item);
  const int32_t h = plane->height[item], w = plane->width[item];
  if (before && (before->geometry.src_h != h || before->geometry.src_w != w)) return FC_E_ARGUMENT;
  return draw_of(job, plane, t, h, w, before, drawn);
}

static taken take(fc_make_job *job) {
  taken t = {.item = -1, .status = FC_OK};
  do {
    t.item = fc_cursor_take(&job->cursor);
  } while (t.item >= 0 && job->status[t.item] != FC_PENDING);
  if (t.item < 0) return t;
  t.key = (fc_key){job->seed, job->epoch[t.item], job->sample[t.item], job->occurrence[t.item]};
  t.status = draw(job, &job->planes[0], &t, &t.drawn);
  return t;
}

/* ---- columns ---- */

typedef struct size {
  int32_t h, w;
} size;

/* Of what the steps are done to. */
static size size_of(const fc_plane *plane, int64_t item) {
  const fc_stage *before = before_of(plane, item);
  if (before) return (size){before->geometry.out_h, before->geometry.out_w};
  return (size){plane->height[item], plane->width[item]};
}

static fc_status draw_column(const fc_make_job *job, int index, taken *t, fc_drawn *drawn) {
  const fc_plane *plane = &job->planes[index], *first = &job->planes[0];
  const size here = size_of(plane, t->item), there = size_of(first, t->item);
  if (here.h != there.h || here.w != there.w) return FC_E_ARGUMENT;
  if (before_of(plane, t->item) || before_of(first, t->item) || plane->is_mask || first->is_mask)
    return draw(job, plane, t, drawn);
  *drawn = t->drawn;
  return FC_OK;
}

static fc_status find_file(const fc_plane *plane, int64_t item, fc_maker *mine, fc_sample *sample,
                           int *detail) {
  if (plane->data && plane->data_size[item] >= 0) {
    sample->data = plane->data + plane->data_offset[item];
    sample->size = (size_t)plane->data_size[item];
    return sample->size ? FC_OK : FC_E_EMPTY;
  }
  const fc_status status = fc_file_read(fc_path_of(&plane->paths, item),
                                        plane->spec->limits.max_bytes, &mine->file, detail);
  sample->data = mine->file.data;
  sample->size = mine->file.size;
  return status;
}

static fc_sample decoded_of(const fc_plane *plane, int64_t item) {
  const size_t stride = (size_t)plane->width[item] * (size_t)fc_pixel_bytes(plane->spec);
  return (fc_sample){.data = plane->base + plane->offset[item], .stride = stride};
}

static int64_t bytes_of(const fc_plane *plane, const fc_drawn *drawn) {
  const fc_geometry *g = &drawn->stage[drawn->stages - 1].geometry;
  return (int64_t)fc_emit_bytes(&plane->emit, g->out_h, g->out_w);
}

static fc_status make_column(const fc_make_job *job, int index, taken *t, fc_maker *mine,
                             const fc_ahead *ahead, int *detail) {
  const fc_plane *plane = &job->planes[index];
  const int64_t item = t->item;
  fc_drawn own;
  const fc_drawn *drawn = &t->drawn;
  fc_status status = FC_OK;
  if (index) {
    drawn = &own;
    status = draw_column(job, index, t, &own);
  }
  if (status == FC_OK && bytes_of(plane, drawn) != plane->out_size[item]) status = FC_E_ARGUMENT;
  if (status != FC_OK) return status;
  fc_sample sample = {0};
  if (is_decoded(plane, item))
    sample = decoded_of(plane, item);
  else
    status = find_file(plane, item, mine, &sample, detail);
  if (status != FC_OK) return status;
  return fc_make_sample(mine, &sample, plane->spec, drawn, &t->key, &plane->emit,
                        plane->out + plane->out_offset[item], ahead, detail);
}

/* ---- views ---- */

/* Which part of a file's decoding a view takes: half of that is entropy coding, down to the last
 * row that is seen, the other half goes into the pixels seen.  At a scale it takes its own. */
static double share_of(const fc_drawn *drawn) {
  const fc_geometry *g = &drawn->stage[0].geometry;
  if (drawn->stage[0].scale) return 0;
  const double rows = (double)FC_MIN((int64_t)g->win_y + g->out_h, g->size_h) / g->size_h;
  const double seen = FC_MIN((double)g->out_h * g->out_w / ((double)g->size_h * g->size_w), 1);
  const double area = (double)g->crop_h * g->crop_w / ((double)g->src_h * g->src_w);
  return ((g->crop_y + g->crop_h * FC_MAX(rows, 0)) / g->src_h + area * seen) / 2;
}

/* All views of a sample.  Those that would together decode more than the whole file share it. */
static fc_status make_views(const fc_make_job *job, taken *t, fc_maker *mine, const fc_ahead *ahead,
                            int *detail) {
  const fc_plane *first = &job->planes[0];
  const int64_t item = t->item;
  const fc_stage *before = before_of(first, item);
  const size made = size_of(first, item);
  fc_sample from = {0}, whole = {0};
  fc_drawn drawn;
  double share = 0;
  for (int i = 0; i < job->plane_count; i++) {
    const fc_status status = draw(job, &job->planes[i], t, &drawn);
    if (status != FC_OK) {
      *detail = t->at;
      return status;
    }
    share += share_of(&drawn);
  }
  fc_status status = FC_OK;
  if (is_decoded(first, item))
    from = decoded_of(first, item);
  else
    status = find_file(first, item, mine, &from, detail);
  if (status == FC_OK && !from.stride && share > 1)
    status = fc_decode_whole(mine, &from, first->spec, before, first->height[item],
                             first->width[item], &whole, detail);
  for (int i = 0; i < job->plane_count && status == FC_OK; i++) {
    const fc_plane *plane = &job->planes[i];
    const fc_sample *sample = &from;
    status = draw(job, plane, t, &drawn);
    if (status == FC_OK && whole.stride && !drawn.stage[0].scale) {
      sample = &whole;
      status = draw_of(job, plane, t, made.h, made.w, NULL, &drawn);
    }
    if (status == FC_OK && bytes_of(plane, &drawn) != plane->out_size[item]) status = FC_E_ARGUMENT;
    if (status == FC_OK)
      status = fc_make_sample(mine, sample, first->spec, &drawn, &t->key, &plane->emit,
                              plane->out + plane->out_offset[item], i ? NULL : ahead, detail);
  }
  return status;
}

/* ---- samples ---- */

/* Pixels of a column that will be read after this sample; rows 0 when that is not known.  What was
 * drawn for the first column holds for the others where both are decoded and of one size. */
static fc_ahead ahead_of(const fc_make_job *job, const taken *next, int index) {
  const fc_plane *plane = &job->planes[index], *first = &job->planes[0];
  const fc_ahead none = {0};
  if (next->item < 0 || next->status != FC_OK) return none;
  if (!is_decoded(plane, next->item) || !is_decoded(first, next->item)) return none;
  const size here = size_of(plane, next->item), there = size_of(first, next->item);
  if (here.h != there.h || here.w != there.w) return none;
  const fc_sample sample = decoded_of(plane, next->item);
  return fc_stage_ahead(&sample, plane->spec, &next->drawn.stage[0]);
}

static void make(fc_make_job *job, taken *t, const taken *next, fc_maker *mine) {
  fc_status status = t->status;
  int detail = status == FC_OK ? 0 : t->at;
  int64_t bytes = 0;
  if (status == FC_OK && job->map) job->map[t->item] = fc_drawn_map(&t->drawn);
  for (int i = 0; i < job->plane_count && status == FC_OK; i++) {
    const fc_ahead ahead = ahead_of(job, next, i);
    if (!job->is_views)
      status = make_column(job, i, t, mine, ahead.rows ? &ahead : NULL, &detail);
    else if (i == 0)
      status = make_views(job, t, mine, ahead.rows ? &ahead : NULL, &detail);
    bytes += job->planes[i].out_size[t->item];
  }
  if (fc_is_damage(status) && job->damaged_needs_python) {
    status = FC_NEEDS_PYTHON;
    detail = 0;
  }
  job->status[t->item] = (int32_t)status;
  job->detail[t->item] = detail;
  /* What is handed on to Python is counted there. */
  if (status != FC_NEEDS_PYTHON) fc_cursor_count(&job->cursor, status, status == FC_OK ? bytes : 0);
}

fc_status fc_make_run(fc_make_job *job) {
  fc_maker *mine = fc_maker_take();
  if (!mine) return FC_E_NOMEM;
  /* One sample is taken before the one before it is made, to be fetched meanwhile.  Two of them,
   * in turn: they are large. */
  taken samples[2];
  int now = 0;
  samples[now] = take(job);
  while (samples[now].item >= 0) {
    samples[!now] = take(job);
    make(job, &samples[now], &samples[!now], mine);
    now = !now;
    if (atomic_load_explicit(&job->cursor.cancel, memory_order_relaxed)) break;
  }
  fc_stream_end();
  fc_maker_give(mine);
  return FC_OK;
}
