/* core.h: the C core for C++.  fastcache.h is C11 (its jobs hold _Atomic members), Google Benchmark
 * is C++: these few functions stand between them.  All of them return 0 when they succeed. */
#ifndef FASTCACHE_BENCH_CORE_H
#define FASTCACHE_BENCH_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *core_cpu(void);
const char *core_cpu_error(void); /* NULL if there is none */

/* ---- JPEG ---- */
/* Make a picture of RGB pixels, or if that is NULL with gradients, edges and grain; *data is to be
 * freed with free(). */
int core_jpeg_make(int width, int height, int quality, int is_420, unsigned seed,
                   const uint8_t *pixels, uint8_t **data, size_t *size);
int core_jpeg_size(const uint8_t *data, size_t size, int *width, int *height);
/* The limit: libjpeg alone, every row of the picture as RGB into the same memory. */
int core_jpeg_decode(const uint8_t *data, size_t size, uint8_t *pixels, size_t capacity);

typedef struct core_decoder core_decoder;
core_decoder *core_decoder_new(void);
void core_decoder_free(core_decoder *decoder);
/* fc_decode: short side to `side`, centre `crop` x `crop` RGB; side 0: the whole picture as it is.
 */
int core_decode(core_decoder *decoder, const uint8_t *data, size_t size, int side, int crop,
                uint8_t *out);

/* ---- resample ---- */
typedef struct core_shape {
  int height, width, channels;
  int size_h, size_w;
  int crop_h, crop_w; /* centre window of the resampled picture */
  int filter;         /* fc_filter */
} core_shape;
int core_resample(const core_shape *shape, const uint8_t *source, uint8_t *out);
/* The limit: read what the window needs of the source once, write the output once. */
void core_touch(const core_shape *shape, const uint8_t *source, uint8_t *out);

/* ---- gather ---- */
typedef struct core_gather {
  const uint8_t *source;
  uint8_t *target;
  const int64_t *source_offset, *target_offset;
  int64_t count, row;
} core_gather;
void core_gather_run(const core_gather *gather, int streaming); /* fc_copy_run */
void core_gather_stream(const core_gather *gather); /* the limit: bare streaming stores */
void core_gather_memcpy(const core_gather *gather);

/* ---- PNG ---- */
/* fc_png_unfilter, a few rows at a time as png.c calls it; each row is a filter byte and `bytes`.
 */
int core_png_unfilter(uint8_t *rows, size_t count, size_t bytes, size_t pixel_bytes);

/* ---- colours ---- */
enum { CORE_BRIGHTNESS, CORE_CONTRAST, CORE_SATURATION, CORE_HUE, CORE_GREY };
/* fc_colours_apply on a whole picture, in place; at most 8 colours. */
int core_tint(uint8_t *pixels, int height, int width, int channels, const int *kinds,
              const float *amounts, int count);

/* ---- fields of series ---- */
typedef struct core_field {
  int kind, element; /* fc_field_kind, fc_element */
  int64_t size, count;
  int store;            /* fc_store */
  const double *series; /* [count * size] */
  uint8_t *out;
} core_field;
enum { CORE_GASF, CORE_GADF, CORE_GAF_BOTH };
enum { CORE_STORE_AUTO, CORE_STORE_CACHED, CORE_STORE_STREAMING };
int core_field_element(const char *name); /* -1 if there is no such type */
size_t core_field_bytes(const core_field *field);
int core_field_run(const core_field *field);
/* Everything but the rows: what is done once per series. */
int core_field_prepare(const core_field *field);
/* The limit: bare streaming stores, `width` bytes each; 1 where the processor has none such. */
int core_stream(uint8_t *out, size_t bytes, int width);

/* ---- recipes ---- */
typedef struct core_make {
  int resized; /* a random resized crop, or a random crop, to side x side pixels, mirrored or not */
  int jittered;        /* its colours too */
  int element, planar; /* normalised unless uint8 */
  int height, width, side;
  const uint8_t *source;
  const int64_t *offset; /* [count] */
  int64_t count;
  uint64_t epoch;
  uint8_t *out;
} core_make;
size_t core_make_bytes(const core_make *make); /* of one sample of the output */
int core_make_run(const core_make *make);      /* fc_make_run */

/* Random resized crops of files, to 224 x 224 pixels. */
typedef struct core_crops core_crops;
core_crops *core_crops_new(void);
void core_crops_free(core_crops *crops);
/* fc_make_from_file, which decodes what the crop needs; or, if `pixels` is not NULL, the whole
 * picture is decoded there, and the same crop made of that.  is_fast: at 1/2 or 1/4 of the size
 * where that is enough.  out: 224 * 224 * 3 bytes. */
int core_crops_make(core_crops *crops, const uint8_t *data, size_t size, uint64_t sample,
                    int is_fast, uint8_t *pixels, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
