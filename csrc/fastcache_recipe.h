/* fastcache_recipe.h: the public face of the C core for recipes: what happens to samples on their
 * way from the arena into a batch.  The rules of fastcache.h hold here too.
 *
 * A recipe is a list of steps.  For one sample they are first *drawn*: everything random and
 * everything that depends on its size is decided, and the steps become at most FC_MOST_STAGES
 * stages, each one geometry and the colours after it, and at the end what is erased and how pixels
 * are emitted.  Then the sample is *made*: pixels go through the stages and are written once, in
 * their final type and order, where the batch wants them. */
#ifndef FASTCACHE_RECIPE_H
#define FASTCACHE_RECIPE_H

#include "fastcache.h"
#include "fastcache_fields.h" /* fc_element */

/* ---- random numbers: of who asks, not of when ----------------------------------------------- */

/* Philox4x32-10, of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
void fc_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Whose numbers these are.  Equal keys give equal numbers, whatever the threads. */
typedef struct fc_key {
  uint64_t seed, epoch, sample;
  uint32_t occurrence; /* of the sample in its epoch: 0, 1, … under sampling with replacement */
} fc_key;

/* Numbers of one step of one sample: a step more in a recipe does not change those of others. */
typedef struct fc_random {
  uint32_t key[2], counter[4], word[4];
  int32_t left; /* of `word` */
} fc_random;
void fc_random_begin(fc_random *random, const fc_key *key, uint32_t step);
uint32_t fc_random_bits(fc_random *random);
double fc_random_uniform(fc_random *random);               /* [0, 1), 53 bits */
int32_t fc_random_below(fc_random *random, int32_t count); /* 0..count-1, unbiased; count >= 1 */
double fc_random_normal(fc_random *random);                /* Box-Muller */
/* The same distribution in float, 24 bits, many times faster; takes whole blocks of four words:
 * what is left of the last one is not used by what follows.  Equal on every machine. */
void fc_random_normals(fc_random *random, float *out, size_t count);
/* Shapes from FC_LEAST_SHAPE to FC_MOST_SHAPE; of any other the result is NaN. */
#define FC_LEAST_SHAPE 1e-300
#define FC_MOST_SHAPE 1e300
double fc_random_gamma(fc_random *random, double shape); /* Marsaglia-Tsang */
double fc_random_beta(fc_random *random, double a, double b);

/* ---- visits: how often each sample was asked for, counted by all who ask --------------------- */

/* Counters that processes may share: no addresses, no locks; all zeros at first.  They count within
 * a *turn*, which begins where an epoch is told: all samples are unvisited in it.  Nothing is
 * cleared for that: a word tells which turn it is of, and counts only there. */
typedef struct fc_visits {
  _Atomic uint64_t turn;     /* its number */
  _Atomic uint64_t epoch[2]; /* of turns with even and with odd numbers: epoch + 1; 0: none */
  _Atomic uint32_t word[];   /* one per sample: FC_VISIT_BITS of visits, above them the turn */
} fc_visits;
#define FC_VISIT_BITS 20 /* of more visits than these can tell, the count stays where it is */
/* Bytes of counters for so many samples; 0 for a number below 0 or too large. */
size_t fc_visits_bytes(int64_t count);
/* Begin a turn in some epoch, also if it is the same one again. */
fc_status fc_visits_tell(fc_visits *visits, int64_t count, uint64_t epoch);
/* Count a visit of each of `n` rows, in their order.  times[i]: visits of rows[i] before, in this
 * turn.  *epoch: epoch + 1 as it was last told, or 0.  A row that is not there is FC_E_ARGUMENT,
 * and none is counted then. */
fc_status fc_visit(fc_visits *visits, int64_t count, const int64_t *rows, size_t n, uint32_t *times,
                   uint64_t *epoch);

/* ---- steps ---------------------------------------------------------------------------------- */

/* What each means, and its random numbers' distributions, are torchvision.transforms.v2's; sizes
 * are (h, w) and at least 1, scales from 0 to FC_MOST_SCALE, ratios from FC_LEAST_RATIO to its
 * inverse.  fast: 1 where a JPEG may be decoded at 1/2 or 1/4 of its size if that is enough. */
typedef enum fc_step_kind {
  FC_RESIZE = 0,          /* number: h, w, fast */
  FC_RESIZE_SHORT,        /* number: shorter side, or 0; most of the longer side, or 0; fast */
  FC_CENTER_CROP,         /* number: h, w; what is smaller is padded with fill */
  FC_RANDOM_CROP,         /* number: h, w; left, top, right, bottom padding; fc_padding;
                             1: pad_if_needed */
  FC_RANDOM_RESIZED_CROP, /* number: h, w, fast; real: scale low, high, ratio low, high */
  FC_LETTER_BOX,          /* number: h, w of the frame; 1: smaller images are enlarged */
  FC_FLIP_X,              /* real: probability */
  FC_FLIP_Y,
  FC_COLOUR_JITTER, /* real: brightness low, high, contrast low, high, saturation low, high,
                       hue low, high; low > high: none of it */
  FC_GREYSCALE,     /* real: probability (1: always).  All channels become grey */
  FC_ERASE,         /* real: probability, scale low, high, ratio low, high; number: fc_erase_with;
                       value */
  FC_STEP_KIND_COUNT
} fc_step_kind;
#define FC_MOST_SCALE 1e6
#define FC_LEAST_RATIO 1e-6

/* Mirrors go back and forth where the padding is wider than the image, as in numpy.pad. */
typedef enum fc_padding {
  FC_PAD_CONSTANT = 0,
  FC_PAD_EDGE,
  FC_PAD_REFLECT, /* the pixel at the edge is not repeated */
  FC_PAD_SYMMETRIC
} fc_padding;
typedef enum fc_erase_with {
  FC_ERASE_VALUE = 0,
  FC_ERASE_NORMAL /* each pixel from N(0, 1) */
} fc_erase_with;

typedef struct fc_step {
  int32_t kind;
  int32_t filter; /* fc_filter, of those that resample */
  int32_t number[8];
  double real[8];
  float value[4];  /* FC_ERASE: in the output's numbers */
  uint8_t fill[4]; /* of padding */
} fc_step;

/* FC_OK when a step keeps the rules of its kind, else FC_E_ARGUMENT. */
fc_status fc_step_check(const fc_step *step);

/* ---- drawn ---------------------------------------------------------------------------------- */

typedef enum fc_colour_kind {
  FC_BRIGHTNESS = 0,
  FC_CONTRAST,
  FC_SATURATION,
  FC_HUE,
  FC_GREY
} fc_colour_kind;
typedef struct fc_colour {
  int32_t kind;
  float amount; /* factor; hue: turns, -0.5..0.5; grey: unused */
} fc_colour;

#define FC_MOST_STAGES 4
#define FC_MOST_COLOURS 8
#define FC_MOST_ERASED 4

typedef struct fc_stage {
  fc_geometry geometry; /* src_h, src_w: of the sample, or of what the stage before made */
  int32_t filter;
  int32_t padding; /* fc_padding; anything but FC_PAD_CONSTANT only where size equals crop, about
                      whose edges pixels are mirrored */
  uint8_t fill[4];
  int32_t scale;          /* as in fc_image_spec: of the first stage, if the sample is a file */
  int32_t flip_y, flip_x; /* of the stage's output */
  int32_t colours;
  fc_colour colour[FC_MOST_COLOURS];
} fc_stage;

typedef struct fc_erased {
  int32_t y, x, h, w; /* of the final image */
  int32_t with;
  float value[4];
  uint32_t step; /* FC_ERASE_NORMAL: whose random numbers, as fc_random_begin takes it */
} fc_erased;
/* The pixels of a step that erases have other numbers than the step itself. */
#define FC_STEP_PIXELS 0x80000000u

typedef struct fc_drawn {
  int32_t stages, erased;
  fc_stage stage[FC_MOST_STAGES];
  fc_erased erase[FC_MOST_ERASED];
} fc_drawn;

/* Decide everything about one sample of h x w pixels.  `before` is NULL, or what is done to the
 * sample before the first step (store= of a sample that is kept encoded; its source is h x w): it
 * becomes the first stage, or a part of it.  Every geometry of the result passes
 * fc_geometry_check.  `at` receives -1, or the number of the step that is to blame.
 * FC_E_ARGUMENT: a contradiction in h, w, `before` or a step; a crop larger than the image without
 * padding; sizes beyond 32 bits; colours, resampling or mirrored padding behind an erasure; more
 * stages or erasures than fit.  Erasures are moved and cut by what follows. */
fc_status fc_draw(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                  const fc_stage *before, fc_drawn *drawn, int *at);
/* The same for a mask of such pixels, which holds labels: resampled by FC_NEAREST, not coloured and
 * not erased, padded with the letter box's own class, else with 0. */
fc_status fc_draw_mask(const fc_step *steps, int count, const fc_key *key, int32_t h, int32_t w,
                       const fc_stage *before, const fc_image_spec *spec, fc_drawn *drawn, int *at);

/* Where a point of the sample lies in the final image: x' = x * scale_x + shift_x, in pixels from
 * the left edge; a negative scale is a flip.  What shows the sample lies from seen_x[0] to
 * seen_x[1]; beyond there is padding. */
typedef struct fc_map {
  double scale_y, shift_y, scale_x, shift_x;
  double seen_y[2], seen_x[2];
  int32_t h, w; /* of the final image */
} fc_map;
fc_map fc_drawn_map(const fc_drawn *drawn);

/* ---- emit ----------------------------------------------------------------------------------- */

typedef enum fc_scaling {
  FC_PLAIN = 0,       /* the pixel as a number */
  FC_UNIT,            /* pixel / 255 (uint16: / 65535) */
  FC_NORMALISED,      /* (pixel / 255 - mean) / std, each operation in float32 as torch does them */
  FC_NORMALISED_PLAIN /* (pixel - mean) / std */
} fc_scaling;

typedef struct fc_emit {
  int32_t element;  /* FC_UINT8 (FC_PLAIN only), FC_FLOAT32, FC_FLOAT16, FC_BFLOAT16: rounded to
                       nearest even from float32 */
  int32_t planar;   /* 1: (C, H, W); 0: (H, W, C) */
  int32_t channels; /* 1, 3 or 4; those of the pixels, or 1 of 3 (the first: for images that were
                       made grey), or 3 of 1 */
  int32_t scaling;
  float mean[4], std[4];
  int32_t streaming; /* past the cache: for outputs much larger than it */
} fc_emit;

fc_status fc_emit_check(const fc_emit *emit);
size_t fc_emit_bytes(const fc_emit *emit, int32_t h, int32_t w);

/* ---- making samples ------------------------------------------------------------------------- */

typedef struct fc_maker fc_maker; /* one thread's sink, decoder and scratch */
fc_maker *fc_maker_new(void);     /* NULL when out of memory */
void fc_maker_free(fc_maker *maker);
/* *bytes receives an upper bound of what a maker allocates for a sample of h x w pixels in memory;
 * of files the codec's parts of fc_decode_scratch (all but `resampler`) come on top, and the file's
 * bytes where it is read.  Arguments, *at and errors are fc_draw's; FC_E_ARGUMENT for a bad `spec`
 * or `emit` as well. */
fc_status fc_make_scratch(const fc_step *steps, int count, int32_t h, int32_t w,
                          const fc_stage *before, const fc_image_spec *spec, const fc_emit *emit,
                          size_t *bytes, int *at);

/* Make one sample of pixels in memory: rows `stride` bytes apart, of spec->channels. `out` has
 * fc_emit_bytes.  FC_E_ARGUMENT: a contradiction, or pixels that cannot become what `emit` asks
 * for: others of its channels, uint16 of uint8 or the other way round. */
fc_status fc_make(fc_maker *maker, const uint8_t *source, size_t stride, const fc_image_spec *spec,
                  const fc_drawn *drawn, const fc_key *key, const fc_emit *emit, uint8_t *out);
/* The same of a file's bytes: the first stage's geometry is the decoder's, so that only the rows
 * and columns which it needs are decoded. */
fc_status fc_make_from_file(fc_maker *maker, const uint8_t *data, size_t size,
                            const fc_image_spec *spec, const fc_drawn *drawn, const fc_key *key,
                            const fc_emit *emit, uint8_t *out, int *detail);

/* One image or mask column of a batch: [count] samples, each decoded in memory, or a file. */
typedef struct fc_plane {
  const fc_image_spec *spec;
  const uint8_t *base;
  const int64_t
      *offset; /* [count] of a decoded sample's first byte from base; negative: it is a file */
  const int32_t *height, *width; /* [count] of decoded samples; of files: of the (oriented) image */
  fc_paths paths;                /* of files that do not lie in memory */
  const uint8_t *data;           /* of files that do, as in fc_fill_job */
  const int64_t *data_offset, *data_size;
  const fc_stage *before; /* [count] or NULL: what store= does to files */
  int32_t is_mask;        /* drawn by fc_draw_mask; FC_PLAIN */
  const fc_step *steps;   /* of a view: its own; NULL: the job's */
  int32_t step_count;
  fc_emit emit;
  uint8_t *out;
  const int64_t *out_offset; /* [count] of a sample's first byte from out */
  const int64_t *out_size;   /* [count] its bytes: FC_E_ARGUMENT for what would take others */
} fc_plane;

/* The read job: draw each sample once, and make all its columns.  Columns of one sample that differ
 * in size (after what store= does to them) are FC_E_ARGUMENT, as is a step that cannot be done,
 * whose number is the detail then. */
typedef struct fc_make_job {
  fc_cursor cursor;
  const fc_step *steps;
  int32_t step_count;
  uint64_t seed;
  const uint64_t *epoch, *sample; /* [count] */
  const uint32_t *occurrence;     /* [count] */
  const fc_plane *planes;
  int32_t plane_count;
  /* 1: the planes are views of the first one's images, with steps and outputs of their own, and
   * `map` is NULL.  A file is then read once, and decoded once where that is less work. */
  int32_t is_views;
  int32_t damaged_needs_python; /* as in fc_fill_job */
  fc_map *map;                  /* [count], or NULL: written, for boxes and points */
  int32_t *status;              /* [count] in: FC_PENDING or final */
  int32_t *detail;              /* [count] */
} fc_make_job;

/* FC_E_NOMEM when the thread's own maker cannot be made; the items are then left to others.  Makers
 * are kept from job to job: up to 32 of them, of up to 4 MiB each. */
fc_status fc_make_run(fc_make_job *job);

#endif
