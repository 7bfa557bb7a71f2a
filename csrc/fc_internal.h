/* fc_internal.h: what the files of csrc/ say to one another.  Nothing outside csrc includes it. */
#ifndef FC_INTERNAL_H
#define FC_INTERNAL_H

#include "fastcache.h"

#define FC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FC_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- cpu.c: one value for the process ------------------------------------------------------ */
typedef enum fc_cpu { FC_CPU_SCALAR = 0, FC_CPU_AVX2, FC_CPU_AVX512, FC_CPU_NEON } fc_cpu;
fc_cpu fc_cpu_get(void);
/* What has AVX-512 runs the code for AVX2 as well, where there is no wider one. */
static inline int fc_cpu_runs_avx2(void) {
  return fc_cpu_get() == FC_CPU_AVX2 || fc_cpu_get() == FC_CPU_AVX512;
}
/* Bytes that one thread can write and find in a cache again, by the sizes that the system tells. */
size_t fc_cpu_cache_bytes(void);

/* ---- resample_sink.c: the row sink ------------------------------------------------------------
 * A codec pushes source rows in order, top to bottom; finished output rows appear in the slot.
 * The sink asks for the smallest rectangle that it needs ("need": rows y0..y1, columns x0..x1 of
 * the source, at spec->scale if that is not 0); a codec may make more, and says with _begin which
 * rectangle it will push. */
typedef struct fc_sink fc_sink;

typedef struct fc_rect {
  int32_t y0, x0, y1, x1; /* half open */
} fc_rect;

fc_sink *fc_sink_new(void);
void fc_sink_free(fc_sink *sink);
/* Plan one image: geometry must have passed fc_geometry_check.  Writes the padding at once. */
fc_status fc_sink_plan(fc_sink *sink, const fc_geometry *geometry, const fc_image_spec *spec,
                       uint8_t *out, size_t out_stride);
/* Whoever takes finished rows instead of a slot: rows 0, 1, … of the output with their padding, in
 * order, each readable FC_ROW_SLACK bytes beyond its end and valid during the call; from 0 or from
 * the first that is not padding again when a codec begins anew. */
typedef struct fc_row_taker {
  void (*take)(void *to, int32_t y, const uint8_t *row);
  void *to;
} fc_row_taker;
fc_status fc_sink_plan_rows(fc_sink *sink, const fc_geometry *geometry, const fc_image_spec *spec,
                            const fc_row_taker *taker);
/* Empty (y0 == y1) when the window lies wholly in the padding. */
fc_rect fc_sink_need(const fc_sink *sink);
/* The pushed rows will start at column x0 (<= need.x0) and at row y0 (<= need.y0).  May be called
 * again later, to push all rows anew. */
void fc_sink_begin(fc_sink *sink, int32_t y0, int32_t x0);
/* Push count rows that follow the last ones.  Every row must be readable for FC_ROW_SLACK bytes
 * beyond its last needed pixel: SIMD loads run over. */
#define FC_ROW_SLACK 64
void fc_sink_push(fc_sink *sink, const uint8_t *const *rows, int count);
/* Where a codec that makes `rect` in one piece may put it instead of pushing rows: the output
 * itself, rows *stride bytes apart; NULL unless exactly this goes there unchanged. */
uint8_t *fc_sink_target(const fc_sink *sink, fc_rect rect, size_t *stride);
/* Best number of rows to push at once. */
#define FC_SINK_ROWS 8
/* Bytes the sink allocates for such a geometry, an upper bound. */
size_t fc_sink_scratch(const fc_geometry *geometry, const fc_image_spec *spec);
/* The same for any crop of the source, whose rows go to a taker. */
size_t fc_sink_most(const fc_geometry *geometry, const fc_image_spec *spec);
/* Bytes that it holds now. */
size_t fc_sink_held(const fc_sink *sink);

/* ---- image.c ----------------------------------------------------------------------------------
 */
/* fc_decode whose rows go to a taker. */
fc_status fc_decode_rows(fc_decoder *decoder, const uint8_t *data, size_t size,
                         const fc_image_spec *spec, const fc_geometry *geometry,
                         const fc_row_taker *taker, int *detail);

/* ---- colour.c: row conversions, Pillow's arithmetic ----------------------------------------- */
typedef void (*fc_convert_row)(uint8_t *out, const uint8_t *in, size_t pixels);
/* From the codec's components (1 L, 3 RGB, 4 inverted CMYK as Adobe stores it) to channels
 * 1, 3 or 4; NULL when they are the same already. */
fc_convert_row fc_convert_for(int components, int channels);

/* RGBA to what Pillow resamples (mode RGBa), and back in place. */
void fc_multiply_alpha(uint8_t *out, const uint8_t *in, size_t pixels);
void fc_divide_alpha(uint8_t *row, size_t pixels);

/* ---- deadline.c ------------------------------------------------------------------------------ */
typedef struct fc_deadline {
  int64_t at; /* nanoseconds of the monotonic clock; 0: none */
} fc_deadline;
fc_deadline fc_deadline_in(int32_t milliseconds);
int fc_deadline_passed(const fc_deadline *deadline);

/* ---- file.c ---------------------------------------------------------------------------------- */
/* A thread's reusable, growing buffer. */
typedef struct fc_buffer {
  uint8_t *data;
  size_t size; /* valid bytes; FC_ROW_SLACK readable zero bytes follow them */
  size_t capacity;
} fc_buffer;
void fc_buffer_free(fc_buffer *buffer);
fc_status fc_buffer_reserve(fc_buffer *buffer, size_t capacity);
/* What a buffer of that capacity takes. */
size_t fc_buffer_bytes(size_t capacity);
/* Open without blocking on FIFOs; FC_E_NOT_REGULAR unless a regular file. */
fc_status fc_file_open(const char *path, int *fd, int64_t *size, int *detail);
/* FC_E_BYTES when the file is larger than max_bytes (0: any size). */
fc_status fc_file_read(const char *path, int64_t max_bytes, fc_buffer *buffer, int *detail);
/* FC_E_CHANGED unless the file has exactly `size` bytes. */
fc_status fc_file_read_into(const char *path, uint8_t *target, size_t size, int *detail);

/* ---- codec.c: one table of what decodes here ------------------------------------------------- */
/* What a codec is asked for: rows of the stored (not oriented) image. */
typedef struct fc_request {
  const uint8_t *data; /* the whole file */
  size_t size;
  const fc_image_info *info; /* what fc_probe_bytes said of the same data */
  /* The codec looks at channels, wide, limits and scale, which is 0 for all but the JPEG codec;
   * everything else is the sink's. */
  const fc_image_spec *spec;
  fc_deadline deadline; /* looked at as often as the codec's library allows */
  fc_sink *sink;        /* planned; wants rows of spec->channels, straight (not premultiplied) */
} fc_request;

typedef struct fc_codec {
  int32_t format;
  const char *library;
  void (*version)(char *text, size_t capacity);
  void *(*create)(void); /* one thread's handles and buffers; NULL when out of memory */
  void (*destroy)(void *state);
  /* detail: warnings on FC_OK; on FC_E_CORRUPT a code from 1 to 0xffff for `message`, or 0 */
  fc_status (*decode)(void *state, const fc_request *request, int *detail);
  /* Upper bound of the bytes that decoding such an image holds, `state` included; and of those
   * that `state` keeps afterwards. */
  size_t (*scratch)(const fc_image_info *info, const fc_image_spec *spec);
  size_t (*kept)(const fc_image_info *info, const fc_image_spec *spec);
  const char *(*message)(int code); /* a constant string, in which printf conversions may stand */
} fc_codec;

extern const fc_codec fc_jpeg_codec, fc_png_codec, fc_webp_codec;
/* NULL when the format is not decoded here. */
const fc_codec *fc_codec_of(int format);
/* `detail` of FC_E_CORRUPT tells codecs apart. */
#define FC_CODEC_DETAIL(format, code) ((int)(format) << 16 | (code))

/* Bytes of an output pixel. */
static inline int fc_pixel_bytes(const fc_image_spec *spec) {
  return spec->wide ? 2 : spec->channels;
}
static inline int fc_scale_is_valid(int32_t scale) {
  return scale == 0 || scale == 2 || scale == 4;
}
/* Distance of rows that a codec hands to the sink: whole cache lines, and never a multiple of a
 * page, where all rows would compete for the same cache sets. */
size_t fc_row_stride(size_t pixels, size_t pixel_bytes);

/* ---- jpeg.c ---------------------------------------------------------------------------------- */
typedef struct fc_jpeg fc_jpeg;
fc_jpeg *fc_jpeg_new(void);
void fc_jpeg_free(fc_jpeg *jpeg);
fc_status fc_jpeg_decode(fc_jpeg *jpeg, const fc_request *request, int *detail);
/* Whether jpeg_huffman.c may decode in libjpeg's stead, as it does from the start, and whether it
 * did for the last image.  Results are the same; tests compare them. */
void fc_jpeg_use_own_entropy(fc_jpeg *jpeg, int own);
int fc_jpeg_used_own_entropy(const fc_jpeg *jpeg);

/* ---- copy.c ---------------------------------------------------------------------------------- */
/* Copy past the cache, where the processor can; fc_stream_end makes all of it visible to others. */
#ifdef __x86_64__
#define FC_CAN_STREAM 1
#else
#define FC_CAN_STREAM 0
#endif
void fc_stream_bytes(uint8_t *target, const uint8_t *source, size_t length);
void fc_stream_end(void);

/* ---- cursor ---------------------------------------------------------------------------------- */
/* The next item, or -1 when none is left or the job is cancelled. */
static inline int64_t fc_cursor_take(fc_cursor *cursor) {
  if (atomic_load_explicit(&cursor->cancel, memory_order_relaxed)) return -1;
  int64_t item = atomic_fetch_add_explicit(&cursor->next, 1, memory_order_relaxed);
  return item < cursor->count ? item : -1;
}

/* Items [first, end), for work of which several fit one visit to the shared counter; empty when
 * none is left. */
typedef struct fc_stretch {
  int64_t first, end;
} fc_stretch;

static inline fc_stretch fc_cursor_take_stretch(fc_cursor *cursor, int64_t grain) {
  const fc_stretch none = {0, 0};
  if (atomic_load_explicit(&cursor->cancel, memory_order_relaxed)) return none;
  int64_t first = atomic_fetch_add_explicit(&cursor->next, grain, memory_order_relaxed);
  if (first >= cursor->count) return none;
  fc_stretch items = {first, FC_MIN(first + grain, cursor->count)};
  return items;
}

/* Items per visit, of `bytes` each: enough to make the visit cheap beside `visit_bytes` of work,
 * few enough that the threads finish together. */
static inline int64_t fc_cursor_grain(const fc_cursor *cursor, int64_t bytes, int64_t visit_bytes) {
  const int64_t by_size = visit_bytes / FC_MAX(bytes, 1), by_count = cursor->count / 64;
  return FC_MAX(FC_MIN(by_size, by_count), 1);
}

/* Statuses that hand an item on or finish it; everything else counts as failed. */
static inline int fc_is_failure(int32_t status) {
  return status != FC_OK && status != FC_NEEDS_PYTHON && status != FC_PENDING;
}

/* What Pillow may read over when it is told to load truncated images.  FC_E_BYTES: large texts. */
static inline int fc_is_damage(fc_status status) {
  return status == FC_E_TRUNCATED || status == FC_E_CORRUPT || status == FC_E_BYTES;
}

static inline void fc_cursor_count(fc_cursor *cursor, int32_t status, int64_t bytes) {
  if (fc_is_failure(status)) atomic_fetch_add_explicit(&cursor->failed, 1, memory_order_relaxed);
  if (bytes) atomic_fetch_add_explicit(&cursor->bytes, bytes, memory_order_relaxed);
  /* Last, and released: who reads `done` sees the rest. */
  atomic_fetch_add_explicit(&cursor->done, 1, memory_order_release);
}

static inline const char *fc_path_of(const fc_paths *paths, int64_t item) {
  return paths->text + paths->offset[item];
}

#endif
