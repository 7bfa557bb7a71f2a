/* png.c: PNG rows into the row sink, as Pillow decodes them.
 *
 * The pixels are inflated whole, by libdeflate, into memory of exactly the size that the header
 * gives: a stream that wants more is no bomb but an error.  From there a few rows at a time are
 * unfiltered in place, converted and pushed, while they are in the cache; rows that need no
 * conversion are pushed from where they lie. */
#include <stdlib.h>
#include <string.h>

#include "png.h"

typedef struct fc_png {
  struct libdeflate_decompressor *inflater;
  /* Texts, one after the other; then, side by side: */
  fc_buffer memory;
  uint8_t *inflated; /* pixels */
  uint8_t *joined;   /* compressed pixels that came in several chunks */
  uint8_t *rows;     /* on their way to the sink */
  fc_png_passes passes;
  fc_png_colours colours;
} fc_png;

static void *create(void) {
  fc_png *png = calloc(1, sizeof *png);
  if (!png) return NULL;
  png->inflater = libdeflate_alloc_decompressor();
  if (png->inflater) return png;
  free(png);
  return NULL;
}

static void destroy(void *state) {
  fc_png *png = state;
  libdeflate_free_decompressor(png->inflater);
  fc_buffer_free(&png->memory);
  free(png);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* More than any version of libdeflate allocates for a decompressor (12 KB in 1.14). */
#define INFLATER_BYTES ((size_t)32 << 10)
/* Where sizes are no numbers any more; sums of a few of these still are. */
#define TOO_MUCH (SIZE_MAX / 16)

/* A row as it is fetched, the same cut to bytes, and FC_SINK_ROWS of the sink's. */
static size_t rows_bytes(size_t width, size_t pixel_bytes, const fc_image_spec *spec) {
  return 2 * fc_row_stride(width, pixel_bytes) +
         FC_SINK_ROWS * fc_row_stride(width, (size_t)fc_pixel_bytes(spec));
}

static size_t inflated_bytes(const fc_image_info *info, int interlaced) {
  /* The colour type is not kept; of those with one component, the bits of a pixel are the same. */
  static const int colours[5] = {FC_PNG_GREY, FC_PNG_GREY, FC_PNG_GREY_ALPHA, FC_PNG_RGB,
                                 FC_PNG_RGBA};
  const fc_png_header header = {.height = info->height,
                                .width = info->width,
                                .colours = colours[info->components],
                                .depth = info->depth,
                                .interlaced = interlaced};
  fc_png_passes passes;
  fc_png_plan_passes(&header, &passes);
  return FC_MIN(passes.bytes, TOO_MUCH);
}

/* Where the pieces of one allocation begin, and its size. */
typedef struct layout {
  size_t joined, rows, size;
} layout;

/* Each with readable bytes behind it. */
static size_t piece(size_t bytes) {
  return (FC_MIN(bytes, TOO_MUCH) + FC_ROW_SLACK + 63) / 64 * 64;
}

static layout lay_out(size_t inflated, size_t joined, size_t rows) {
  layout l;
  l.joined = piece(inflated);
  l.rows = l.joined + piece(joined);
  l.size = l.rows + piece(rows);
  return l;
}

static size_t scratch(const fc_image_info *info, const fc_image_spec *spec) {
  size_t inflated = FC_MAX(inflated_bytes(info, 0), inflated_bytes(info, 1));
  size_t pixel_bytes = ((size_t)(info->components * info->depth) + 7) / 8;
  size_t rows = rows_bytes((size_t)info->width, pixel_bytes, spec);
  size_t size = lay_out(inflated, (size_t)info->bytes, rows).size;
  return sizeof(fc_png) + INFLATER_BYTES + fc_buffer_bytes(FC_MAX(size, FC_PNG_TEXT_SCRATCH));
}

/* The compressed pixels of several chunks are joined; those of one stay where they are. */
static fc_status reserve(fc_png *png, const fc_request *r, const fc_png_file *file) {
  fc_rect need = fc_sink_need(r->sink);
  layout l = lay_out(png->passes.bytes, file->parts > 1 ? file->compressed_bytes : 0,
                     rows_bytes((size_t)(need.x1 - need.x0), png->passes.pixel_bytes, r->spec));
  fc_status status = fc_buffer_reserve(&png->memory, l.size);
  if (status != FC_OK) return status;
  png->inflated = png->memory.data;
  png->joined = png->memory.data + l.joined;
  png->rows = png->memory.data + l.rows;
  memset(png->inflated + png->passes.bytes, 0, FC_ROW_SLACK);
  return FC_OK;
}

/* ---- compressed pixels ----------------------------------------------------------------------- */

/* The content of all IDATs in one piece. */
static const uint8_t *join_parts(fc_png *png, const fc_png_file *file) {
  if (file->parts == 1) return file->first + 8;
  size_t filled = 0;
  const uint8_t *part = file->first;
  for (size_t i = 0; i < file->parts; i++) {
    /* The last one may be cut off. */
    size_t size = FC_MIN(fc_be32(part), file->compressed_bytes - filled);
    memcpy(png->joined + filled, part + 8, size);
    filled += size;
    part += size + FC_PNG_CHUNK_BYTES;
  }
  return png->joined;
}

static fc_status inflate(fc_png *png, const fc_request *r, fc_png_file *file, int *detail) {
  if (file->compressed_bytes < 2) return FC_NEEDS_PYTHON;
  /* Before memory is reserved: not even the best compression holds so much in so few bytes. */
  if (png->passes.bytes / FC_PNG_MAX_RATIO > file->compressed_bytes) return FC_NEEDS_PYTHON;
  fc_status status = reserve(png, r, file);
  if (status != FC_OK) return status;
  return fc_png_inflate(png->inflater, join_parts(png, file), file->compressed_bytes, png->inflated,
                        png->passes.bytes, file, detail);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The rectangle that is pushed, and the rows that it goes through. */
typedef struct target {
  fc_rect need;
  uint8_t *fetched, *taken;
  uint8_t *row[FC_SINK_ROWS];
} target;

static void prepare_rows(const fc_png *png, const fc_request *r, target *t) {
  t->need = fc_sink_need(r->sink);
  size_t width = (size_t)(t->need.x1 - t->need.x0);
  size_t fetched = fc_row_stride(width, png->passes.pixel_bytes);
  t->fetched = png->rows;
  t->taken = t->fetched + fetched;
  for (size_t i = 0; i < FC_SINK_ROWS; i++)
    t->row[i] = t->taken + fetched + i * fc_row_stride(width, (size_t)fc_pixel_bytes(r->spec));
}

/* Row y for the sink: where it lies, or in `room`. */
static const uint8_t *make_row(const fc_png *png, const target *t, int32_t y, uint8_t *room) {
  const fc_png_colours *colours = &png->colours;
  size_t pixels = (size_t)(t->need.x1 - t->need.x0);
  int converts = colours->convert || colours->look_up;
  const uint8_t *row = fc_png_fetch(&png->passes, png->inflated, y, t->need.x0, t->need.x1,
                                    converts || colours->take ? t->fetched : room);
  if (colours->take) {
    uint8_t *taken = converts ? t->taken : room;
    colours->take(taken, row, pixels);
    row = taken;
  }
  if (!converts) return row;
  if (colours->look_up)
    colours->look_up(colours, room, row, pixels);
  else
    colours->convert(room, row, pixels);
  return room;
}

static fc_status unfilter_to(fc_png *png, int32_t end) {
  for (int i = 0; i < png->passes.count; i++) {
    fc_status status = fc_png_unfilter_to(&png->passes, &png->passes.pass[i], png->inflated, end);
    if (status != FC_OK) return status;
  }
  return FC_OK;
}

/* Rows above the first needed one are only unfiltered: what follows refers to them. */
static fc_status push_rows(fc_png *png, const fc_request *r) {
  target t;
  prepare_rows(png, r, &t);
  fc_sink_begin(r->sink, t.need.y0, t.need.x0);
  for (int32_t y = 0; y < t.need.y1; y += FC_SINK_ROWS) {
    if (fc_deadline_passed(&r->deadline)) return FC_E_TIME;
    int32_t end = FC_MIN(y + FC_SINK_ROWS, t.need.y1);
    fc_status status = unfilter_to(png, end);
    if (status != FC_OK) return status;
    const uint8_t *rows[FC_SINK_ROWS];
    int count = 0;
    for (int32_t i = FC_MAX(y, t.need.y0); i < end; i++, count++)
      rows[count] = make_row(png, &t, i, t.row[count]);
    if (count) fc_sink_push(r->sink, rows, count);
  }
  return FC_OK;
}

/* ---- one image ------------------------------------------------------------------------------- */

static fc_status decode(void *state, const fc_request *r, int *detail) {
  fc_png *png = state;
  fc_png_file file;
  fc_png_texts texts = {.inflater = png->inflater, .scratch = &png->memory};
  fc_status status = fc_png_read_chunks(r, &texts, &file, detail);
  if (status != FC_OK) return status;
  status = fc_png_plan_colours(&file, r->spec, &png->colours);
  if (status != FC_OK) return status;
  fc_png_plan_passes(&file.header, &png->passes);
  status = inflate(png, r, &file, detail);
  if (status != FC_OK) return status;
  status = push_rows(png, r);
  if (status == FC_OK) status = fc_png_check_filters(&png->passes, png->inflated);
  if (status == FC_E_CORRUPT) *detail = FC_PNG_BAD_FILTER;
  if (status == FC_OK) *detail = file.warnings;
  return status;
}

/* ---- as a codec ------------------------------------------------------------------------------ */

static void version(char *text, size_t capacity) {
  const char *of = LIBDEFLATE_VERSION_STRING;
  if (capacity == 0) return;
  size_t size = FC_MIN(strlen(of), capacity - 1);
  memcpy(text, of, size);
  text[size] = '\0';
}

const fc_codec fc_png_codec = {
    .format = FC_FORMAT_PNG,
    .library = "libdeflate",
    .version = version,
    .create = create,
    .destroy = destroy,
    .decode = decode,
    .scratch = scratch,
    .kept = scratch,
    .message = fc_png_message,
};
