/* fold.c: steps become stages: one crop, resample, window and flip each, and the colours after it.
 *
 * A step goes into the stage at hand whenever the pixels stay what doing one after the other gives;
 * else it begins another.  A flip stays at the end of its stage and mirrors the coordinates of what
 * follows.  Crops move the crop before a resample, and narrow the window after it. */
#include <string.h>

#include "draw.h"

/* One axis of a stage, wide enough for sums. */
typedef struct axis {
  int64_t crop, cropped, size, window, out;
  int flip;
} axis;

static fc_stage *stage_at_hand(fc_drawn *drawn) {
  return &drawn->stage[drawn->stages - 1];
}

static axis axis_of(const fc_stage *s, int is_x) {
  const fc_geometry *g = &s->geometry;
  if (is_x) return (axis){g->crop_x, g->crop_w, g->size_w, g->win_x, g->out_w, s->flip_x};
  return (axis){g->crop_y, g->crop_h, g->size_h, g->win_y, g->out_h, s->flip_y};
}

/* FC_E_ARGUMENT when a number is too large for a geometry. */
static fc_status set_axis(fc_stage *s, int is_x, const axis *a) {
  fc_geometry *g = &s->geometry;
  if (a->out < 1 || a->out > INT32_MAX || a->size < 1 || a->size > INT32_MAX ||
      a->window < INT32_MIN || a->window + a->out > INT32_MAX)
    return FC_E_ARGUMENT;
  const int32_t crop = (int32_t)a->crop, cropped = (int32_t)a->cropped, size = (int32_t)a->size;
  const int32_t window = (int32_t)a->window, out = (int32_t)a->out;
  if (is_x)
    g->crop_x = crop, g->crop_w = cropped, g->size_w = size, g->win_x = window, g->out_w = out;
  else
    g->crop_y = crop, g->crop_h = cropped, g->size_h = size, g->win_y = window, g->out_h = out;
  return FC_OK;
}

static int is_resampled(const fc_stage *s) {
  return s->geometry.size_h != s->geometry.crop_h || s->geometry.size_w != s->geometry.crop_w;
}

static int leaves(const axis *a) {
  return a->window < 0 || a->window + a->out > a->size;
}

static int is_padded(const fc_stage *s) {
  const axis y = axis_of(s, 0), x = axis_of(s, 1);
  return leaves(&y) || leaves(&x);
}

/* Whether each pixel's colour follows from that pixel alone: contrast asks for the mean of all. */
static int is_pointwise(const fc_stage *s) {
  for (int32_t i = 0; i < s->colours; i++)
    if (s->colour[i].kind == FC_CONTRAST) return 0;
  return 1;
}

/* What is cut off before a resample, or where there is none, is no longer part of the crop: then a
 * resample that follows cannot see it.  Edges that are mirrored keep what they mirror. */
static void settle(fc_stage *s) {
  if (is_resampled(s)) return;
  for (int is_x = 0; is_x < 2; is_x++) {
    axis a = axis_of(s, is_x);
    const int64_t from = FC_MAX(a.window, 0), to = FC_MIN(a.window + a.out, a.size);
    if (from >= to || (leaves(&a) && s->padding != FC_PAD_CONSTANT)) continue;
    a.crop += from;
    a.cropped = a.size = to - from;
    a.window -= from;
    (void)set_axis(s, is_x, &a); /* nothing has become larger */
  }
  if (is_padded(s)) return;
  s->padding = FC_PAD_CONSTANT;
  memset(s->fill, 0, sizeof s->fill);
}

static void set_whole(fc_stage *s, int32_t h, int32_t w) {
  s->geometry = (fc_geometry){.src_h = h,
                              .src_w = w,
                              .crop_h = h,
                              .crop_w = w,
                              .size_h = h,
                              .size_w = w,
                              .out_h = h,
                              .out_w = w};
  s->filter = FC_BILINEAR;
}

/* NULL when there is no room for another. */
static fc_stage *add_stage(fc_drawn *drawn) {
  if (drawn->stages == FC_MOST_STAGES) return NULL;
  const int32_t h = fc_fold_height(drawn), w = fc_fold_width(drawn);
  drawn->stages++;
  set_whole(stage_at_hand(drawn), h, w);
  return stage_at_hand(drawn);
}

static int is_stage(const fc_stage *s) {
  int ok = fc_geometry_check(&s->geometry) == FC_OK && s->filter >= 0 &&
           s->filter < FC_FILTER_COUNT && s->padding >= FC_PAD_CONSTANT &&
           s->padding <= FC_PAD_SYMMETRIC && fc_scale_is_valid(s->scale) && s->colours >= 0 &&
           s->colours <= FC_MOST_COLOURS;
  for (int32_t i = 0; ok && i < s->colours; i++)
    ok = s->colour[i].kind >= FC_BRIGHTNESS && s->colour[i].kind <= FC_GREY;
  return ok && !(s->padding != FC_PAD_CONSTANT && is_resampled(s));
}

fc_status fc_fold_begin(fc_drawn *drawn, int32_t h, int32_t w, const fc_stage *before) {
  memset(drawn, 0, sizeof *drawn);
  drawn->stages = 1;
  if (h < 1 || w < 1) return FC_E_ARGUMENT;
  fc_stage *s = stage_at_hand(drawn);
  if (!before) {
    set_whole(s, h, w);
    return FC_OK;
  }
  if (!is_stage(before) || before->geometry.src_h != h || before->geometry.src_w != w)
    return FC_E_ARGUMENT;
  *s = *before;
  s->scale = 0; /* what is kept in the arena is never approximate */
  s->flip_y = before->flip_y != 0;
  s->flip_x = before->flip_x != 0;
  for (int is_x = 0; is_x < 2; is_x++) {
    const axis a = axis_of(s, is_x);
    if (set_axis(s, is_x, &a) != FC_OK) return FC_E_ARGUMENT;
  }
  settle(s);
  return FC_OK;
}

/* ---- geometry ---- */

/* These two choose between neighbours at equal distance, and so differ from the mirrored image. */
static int takes_sides(int filter) {
  return filter == FC_NEAREST || filter == FC_BOX;
}

/* The largest scale that leaves at least one pixel for each of the resampled ones, as Pillow's
 * Image.draft chooses; only the first stage sees a file. */
static int32_t scale_of(const fc_drawn *drawn) {
  const fc_geometry *g = &drawn->stage[0].geometry;
  const int32_t times = FC_MIN(g->crop_h / g->size_h, g->crop_w / g->size_w);
  if (drawn->stages > 1) return 0;
  return times >= 4 ? 4 : times >= 2 ? 2 : 0;
}

fc_status fc_fold_resample(fc_drawn *drawn, int64_t h, int64_t w, int filter, int is_fast) {
  fc_stage *s = stage_at_hand(drawn);
  const int more_h = h != s->geometry.out_h, more_w = w != s->geometry.out_w;
  if (!more_h && !more_w) return FC_OK;
  if (drawn->erased) return FC_E_ARGUMENT;
  const int turned = (more_h && s->flip_y) || (more_w && s->flip_x);
  if (is_resampled(s) || is_padded(s) || s->colours || (turned && takes_sides(filter)))
    if (!(s = add_stage(drawn))) return FC_E_ARGUMENT;
  for (int is_x = 0; is_x < 2; is_x++) {
    axis a = axis_of(s, is_x);
    a.size = a.out = is_x ? w : h; /* the window was all of it, and is again */
    if (set_axis(s, is_x, &a) != FC_OK) return FC_E_ARGUMENT;
  }
  s->filter = filter;
  if (is_fast) s->scale = scale_of(drawn);
  return FC_OK;
}

/* Where [start, start + length) of an image lies in a mirrored one. */
static int64_t mirrored(int64_t start, int64_t length, int64_t whole) {
  return whole - (start + length);
}

/* Whether a window that reaches outside fits into the stage at hand; start: as the axes lie. */
static int can_pad(const fc_stage *s, const fc_window *window, const int64_t start[2],
                   const int64_t length[2]) {
  if (s->colours) return 0; /* the padding is not to be coloured */
  if (is_padded(s)) {
    if (s->padding != FC_PAD_CONSTANT || window->padding != FC_PAD_CONSTANT) return 0;
    if (memcmp(s->fill, window->fill, sizeof s->fill) != 0) return 0;
  } else if (window->padding != FC_PAD_CONSTANT && is_resampled(s)) {
    return 0;
  }
  for (int is_x = 0; is_x < 2; is_x++) {
    const axis a = axis_of(s, is_x);
    /* Behind an edge that cut the resampled image what was cut off would show again. */
    if (start[is_x] < 0 && a.window > 0) return 0;
    if (start[is_x] + length[is_x] > a.out && a.window + a.out < a.size) return 0;
  }
  return 1;
}

/* What is erased moves with the window, and is cut by it. */
static void move_erased(fc_drawn *drawn, const fc_window *window) {
  int32_t kept = 0;
  for (int32_t i = 0; i < drawn->erased; i++) {
    fc_erased e = drawn->erase[i];
    const int64_t y0 = FC_MAX(e.y - window->y, 0), x0 = FC_MAX(e.x - window->x, 0);
    const int64_t y1 = FC_MIN((int64_t)e.y + e.h - window->y, window->h);
    const int64_t x1 = FC_MIN((int64_t)e.x + e.w - window->x, window->w);
    if (y0 >= y1 || x0 >= x1) continue;
    e.y = (int32_t)y0, e.x = (int32_t)x0, e.h = (int32_t)(y1 - y0), e.w = (int32_t)(x1 - x0);
    drawn->erase[kept++] = e;
  }
  memset(drawn->erase + kept, 0, (size_t)(drawn->erased - kept) * sizeof drawn->erase[0]);
  drawn->erased = kept;
}

fc_status fc_fold_window(fc_drawn *drawn, const fc_window *window) {
  fc_stage *s = stage_at_hand(drawn);
  const int64_t whole[2] = {s->geometry.out_h, s->geometry.out_w};
  const int64_t length[2] = {window->h, window->w};
  int64_t start[2] = {window->y, window->x};
  if (!start[0] && !start[1] && length[0] == whole[0] && length[1] == whole[1]) return FC_OK;
  for (int is_x = 0; is_x < 2; is_x++)
    if (start[is_x] < INT32_MIN || start[is_x] > INT32_MAX || length[is_x] < 1 ||
        length[is_x] > INT32_MAX)
      return FC_E_ARGUMENT;
  const int pads = start[0] < 0 || start[1] < 0 || start[0] + length[0] > whole[0] ||
                   start[1] + length[1] > whole[1];
  if (drawn->erased) {
    if (pads && window->padding != FC_PAD_CONSTANT) return FC_E_ARGUMENT; /* erased pixels' image */
    move_erased(drawn, window);
  }
  int64_t turned[2];
  for (int is_x = 0; is_x < 2; is_x++)
    turned[is_x] =
        axis_of(s, is_x).flip ? mirrored(start[is_x], length[is_x], whole[is_x]) : start[is_x];
  if (pads ? can_pad(s, window, turned, length) : is_pointwise(s))
    memcpy(start, turned, sizeof start);
  else if (!(s = add_stage(drawn)))
    return FC_E_ARGUMENT;
  for (int is_x = 0; is_x < 2; is_x++) {
    axis a = axis_of(s, is_x);
    a.window += start[is_x];
    a.out = length[is_x];
    if (set_axis(s, is_x, &a) != FC_OK) return FC_E_ARGUMENT;
  }
  if (pads) {
    s->padding = window->padding;
    memcpy(s->fill, window->fill, sizeof s->fill);
  }
  settle(s);
  return FC_OK;
}

void fc_fold_flip(fc_drawn *drawn, int is_x) {
  fc_stage *s = stage_at_hand(drawn);
  if (is_x)
    s->flip_x ^= 1;
  else
    s->flip_y ^= 1;
  for (int32_t i = 0; i < drawn->erased; i++) {
    fc_erased *e = &drawn->erase[i];
    if (is_x)
      e->x = (int32_t)mirrored(e->x, e->w, s->geometry.out_w);
    else
      e->y = (int32_t)mirrored(e->y, e->h, s->geometry.out_h);
  }
}

/* ---- what is not geometry ---- */

fc_status fc_fold_colour(fc_drawn *drawn, int kind, float amount) {
  fc_stage *s = stage_at_hand(drawn);
  if (drawn->erased) return FC_E_ARGUMENT;
  if (s->colours == FC_MOST_COLOURS && !(s = add_stage(drawn))) return FC_E_ARGUMENT;
  s->colour[s->colours++] = (fc_colour){.kind = kind, .amount = amount};
  return FC_OK;
}

fc_status fc_fold_erase(fc_drawn *drawn, const fc_erased *erased) {
  if (erased->h < 1 || erased->w < 1) return FC_OK;
  if (drawn->erased == FC_MOST_ERASED) return FC_E_ARGUMENT;
  drawn->erase[drawn->erased++] = *erased;
  return FC_OK;
}

/* A window of a stage is the same pixels as that stage's window, so what the next one's crop does
 * not read is not made. */
void fc_fold_end(fc_drawn *drawn) {
  for (int32_t i = drawn->stages - 1; i > 0; i--) {
    fc_stage *s = &drawn->stage[i], *earlier = s - 1;
    if (!is_pointwise(earlier)) continue;
    for (int is_x = 0; is_x < 2; is_x++) {
      axis a = axis_of(s, is_x), b = axis_of(earlier, is_x);
      b.window += b.flip ? mirrored(a.crop, a.cropped, b.out) : a.crop;
      b.out = a.cropped;
      a.crop = 0;
      (void)set_axis(s, is_x, &a); /* nothing has become larger */
      (void)set_axis(earlier, is_x, &b);
    }
    s->geometry.src_h = earlier->geometry.out_h;
    s->geometry.src_w = earlier->geometry.out_w;
    settle(earlier);
  }
}

/* Follow what is seen through one stage: what it cuts off does not show again behind its edges. */
static void see(double seen[2], const axis *a, double times) {
  double end[2];
  for (int i = 0; i < 2; i++) {
    const double at = FC_MIN(FC_MAX(seen[i], (double)a->crop), (double)(a->crop + a->cropped));
    const double made = (at - (double)a->crop) * times - (double)a->window;
    end[i] = FC_MIN(FC_MAX(made, 0), (double)a->out);
  }
  seen[0] = a->flip ? (double)a->out - end[1] : end[0];
  seen[1] = a->flip ? (double)a->out - end[0] : end[1];
}

fc_map fc_drawn_map(const fc_drawn *drawn) {
  const fc_geometry *first = &drawn->stage[0].geometry;
  fc_map map = {.scale_y = 1, .scale_x = 1};
  map.seen_y[1] = first->src_h, map.seen_x[1] = first->src_w;
  for (int32_t i = 0; i < drawn->stages; i++)
    for (int is_x = 0; is_x < 2; is_x++) {
      const axis a = axis_of(&drawn->stage[i], is_x);
      double *scale = is_x ? &map.scale_x : &map.scale_y;
      double *shift = is_x ? &map.shift_x : &map.shift_y;
      const double times = (double)a.size / (double)a.cropped;
      *scale *= times;
      *shift = (*shift - (double)a.crop) * times - (double)a.window;
      if (a.flip) {
        *scale = -*scale;
        *shift = (double)a.out - *shift;
      }
      see(is_x ? map.seen_x : map.seen_y, &a, times);
    }
  if (drawn->stages > 0) {
    map.h = drawn->stage[drawn->stages - 1].geometry.out_h;
    map.w = drawn->stage[drawn->stages - 1].geometry.out_w;
  }
  return map;
}
