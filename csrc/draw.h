/* draw.h: what the files that draw a recipe say to one another. */
#ifndef FC_DRAW_H
#define FC_DRAW_H

#include "fastcache_recipe.h"
#include "fc_internal.h"

/* ---- random.c, normals.c ------------------------------------------------------------------------
 * One round of Philox4x32, of FC_PHILOX_ROUNDS; the constants are the paper's. */
#define FC_PHILOX_ROUNDS 10
#define FC_PHILOX_KEY_0 0x9E3779B9u
#define FC_PHILOX_KEY_1 0xBB67AE85u
static inline void fc_philox_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d,
                                   uint32_t key_0, uint32_t key_1) {
  const uint64_t p = (uint64_t)0xD2511F53u * *a, q = (uint64_t)0xCD9E8D57u * *c;
  *a = (uint32_t)(q >> 32) ^ *b ^ key_0;
  *c = (uint32_t)(p >> 32) ^ *d ^ key_1;
  *b = (uint32_t)q;
  *d = (uint32_t)p;
}

/* The part of a key that all samples of an epoch share, for those who begin many steps. */
typedef struct fc_random_epoch {
  uint32_t key[2];
} fc_random_epoch;
fc_random_epoch fc_random_of_epoch(const fc_key *key);
void fc_random_start(fc_random *random, const fc_random_epoch *epoch, const fc_key *key,
                     uint32_t step);

/* ---- fold.c: steps whose parameters are known become stages
 * -------------------------------------- Coordinates are those of the image as it is after the
 * steps so far; `stages` is at least 1.  All but FC_OK is FC_E_ARGUMENT: it does not fit into
 * fc_drawn, or not into 32 bits. */

/* An image of h x w pixels to which nothing was done, or to which `before` was. */
fc_status fc_fold_begin(fc_drawn *drawn, int32_t h, int32_t w, const fc_stage *before);
/* Size of the image so far. */
static inline int32_t fc_fold_height(const fc_drawn *drawn) {
  return drawn->stage[drawn->stages - 1].geometry.out_h;
}
static inline int32_t fc_fold_width(const fc_drawn *drawn) {
  return drawn->stage[drawn->stages - 1].geometry.out_w;
}
/* is_fast: whether a scale may be chosen at which a JPEG is decoded. */
fc_status fc_fold_resample(fc_drawn *drawn, int64_t h, int64_t w, int filter, int is_fast);

typedef struct fc_window {
  int64_t y, x, h, w; /* may leave the image */
  int32_t padding;    /* fc_padding: what is outside */
  const uint8_t *fill;
} fc_window;
fc_status fc_fold_window(fc_drawn *drawn, const fc_window *window);
void fc_fold_flip(fc_drawn *drawn, int is_x);
fc_status fc_fold_colour(fc_drawn *drawn, int kind, float amount);
/* A rectangle inside the image; of no area: nothing. */
fc_status fc_fold_erase(fc_drawn *drawn, const fc_erased *erased);
/* The last step was folded: leave out what later stages do not read. */
void fc_fold_end(fc_drawn *drawn);

#endif
