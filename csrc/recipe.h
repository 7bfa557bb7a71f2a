/* recipe.h: what the files recipe*.c say to one another. */
#ifndef FC_RECIPE_H
#define FC_RECIPE_H

#include "emit.h"
#include "resample.h"
#include "tint.h"

/* A sample as it lies in the arena: decoded pixels, or a file's bytes (`stride` is 0 then). */
typedef struct fc_sample {
  const uint8_t *data;
  size_t stride; /* of rows of pixels */
  size_t size;   /* of a file */
} fc_sample;

/* ---- maker.c ---------------------------------------------------------------------------------
 */

#define FC_MAKER_EMITTERS 4

struct fc_maker {
  _Alignas(64) fc_emission emission;
  fc_emitter plain;                       /* pixels as they are, for stages that mirror them */
  fc_emitter emitters[FC_MAKER_EMITTERS]; /* of those requests that were met last */
  int emitters_set, emitter_next;
  fc_sink *sink;
  fc_decoder *decoder; /* NULL until a file comes */
  fc_buffer pixels[2]; /* from stage to stage */
  fc_buffer crop;      /* of a file, to be padded */
  fc_buffer whole;     /* a decoded file, for several views */
  fc_buffer line, room;
  fc_buffer file;
};

/* A maker for one thread, for the time of a job: jobs are small, and what a maker finds out about
 * requests, and its memory, would cost as much as a picture each time.  NULL when out of memory. */
fc_maker *fc_maker_take(void);
/* The process keeps up to FC_MAKERS_KEPT of them for the next jobs, without their decoders, and
 * only those that hold at most FC_MAKER_KEPT bytes. */
void fc_maker_give(fc_maker *maker);
#define FC_MAKERS_KEPT 32
#define FC_MAKER_KEPT ((size_t)4 << 20)

/* ---- recipe.c and the others ------------------------------------------------------------------
 */

/* recipe.c: fc_make and fc_make_from_file, and more: `ahead`, or NULL, is what will be made next.
 */
fc_status fc_make_sample(fc_maker *maker, const fc_sample *sample, const fc_image_spec *spec,
                         const fc_drawn *drawn, const fc_key *key, const fc_emit *emit,
                         uint8_t *out, const fc_ahead *ahead, int *detail);
/* A file's pixels after what `before` does to it, or as they are; they lie in the maker until the
 * next. */
fc_status fc_decode_whole(fc_maker *maker, const fc_sample *file, const fc_image_spec *spec,
                          const fc_stage *before, int32_t h, int32_t w, fc_sample *made,
                          int *detail);
/* The part of decoded pixels that a stage reads. */
fc_ahead fc_stage_ahead(const fc_sample *sample, const fc_image_spec *spec, const fc_stage *stage);

/* recipe_pad.c: rows of a stage that only cuts and pads, by a mode other than FC_PAD_CONSTANT.
 * `crop` are the pixels of the geometry's crop, `line` has room for a row and FC_ROW_SLACK. */
int fc_stage_pads(const fc_stage *stage);
/* Whether a stage's output, before its colours and mirrors, is a part of its sample as it is. */
int fc_stage_cuts(const fc_stage *stage);
void fc_pad_rows(const uint8_t *crop, size_t stride, const fc_stage *stage, size_t pixel,
                 uint8_t *line, const fc_row_taker *taker);

/* erase.c */
void fc_erase(const fc_emitter *emitter, const fc_drawn *drawn, const fc_key *key, int32_t h,
              int32_t w, uint8_t *out);

#endif
