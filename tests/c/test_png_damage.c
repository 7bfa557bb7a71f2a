/* test_png_damage.c: PNGs whose pixels are damaged, missing, too many, or a bomb. */
#include "fc_internal.h"
#include "png_maker.h"
#include "random.h"

enum { HEIGHT = 24, WIDTH = 37 };

static const png_kind *const rgb = &png_kinds[10];

static png_bytes exact(const uint8_t *data, size_t size) {
  png_bytes copy = {.data = check_alloc(size), .size = size, .capacity = size};
  if (size) memcpy(copy.data, data, size);
  return copy;
}

/* Decode to RGB without resampling: rows [0, rows) of them. */
static fc_status decode(fc_decoder *decoder, const uint8_t *data, size_t size, int height,
                        int width, int rows, uint8_t *out, int *detail) {
  const fc_geometry geometry = {.src_h = height,
                                .src_w = width,
                                .crop_h = rows,
                                .crop_w = width,
                                .size_h = rows,
                                .size_w = width,
                                .out_h = rows,
                                .out_w = width};
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits};
  return fc_decode(decoder, data, size, &spec, &geometry, out, (size_t)width * 3, detail);
}

static fc_status decode_small(fc_decoder *decoder, const png_bytes *file, int *detail) {
  uint8_t out[HEIGHT * WIDTH * 3];
  return decode(decoder, file->data, file->size, HEIGHT, WIDTH, HEIGHT, out, detail);
}

/* A file around a stream of the test's own. */
static png_bytes file_of(const png_kind *kind, const png_bytes *stream, size_t part) {
  png_bytes file = {0};
  png_start(&file, kind, HEIGHT, WIDTH);
  png_put_pixels(&file, stream->data, stream->size, part, 0);
  png_put_chunk(&file, "IEND", "", 0);
  return file;
}

static void check_stream(fc_decoder *decoder, const char *what, const png_bytes *stream,
                         size_t part, fc_status status, int detail) {
  png_bytes file = file_of(rgb, stream, part);
  int got = -1;
  CHECK_CONTEXT("%s, parts of %zu", what, part);
  CHECK_INT(decode_small(decoder, &file, &got), status);
  CHECK_INT(got, detail);
  free(file.data);
}

#define CORRUPT(code) (FC_FORMAT_PNG << 16 | (code))

/* ---- cut ------------------------------------------------------------------------------------- */

static size_t first_part(const png_bytes *file) {
  size_t at = 8;
  while (memcmp(file->data + at, "IDAT", 4) != 0) at++;
  return at;
}

/* Wherever a file ends: pixels only if all are there, and then they are the right ones. */
static void test_cut(fc_decoder *decoder) {
  for (int k = 0; k < PNG_KINDS; k++) {
    const png_recipe r = {.kind = &png_kinds[k],
                          .height = HEIGHT,
                          .width = WIDTH,
                          .filter = -1,
                          .part = k % 3 ? 0 : 150};
    png_bytes file = make_png(&r);
    uint8_t whole[HEIGHT * WIDTH * 3], out[HEIGHT * WIDTH * 3];
    int decoded = 0, truncated = 0;
    CHECK_INT(decode(decoder, file.data, file.size, HEIGHT, WIDTH, HEIGHT, whole, NULL), FC_OK);
    for (size_t size = 0; size < file.size; size++) {
      png_bytes cut = exact(file.data, size);
      CHECK_CONTEXT("%s cut to %zu of %zu", r.kind->name, size, file.size);
      int warnings = 0;
      fc_status status = decode(decoder, cut.data, size, HEIGHT, WIDTH, HEIGHT, out, &warnings);
      if (status == FC_OK) {
        decoded++;
        CHECK_INT(warnings, size + 4 < file.size); /* of IEND, the checksum is not missed */
        CHECK(memcmp(out, whole, sizeof whole) == 0);
        CHECK(size + 16 >= file.size); /* only IEND or the checksum before it are missing */
      }
      truncated += status == FC_E_TRUNCATED;
      CHECK(status == FC_OK || status == FC_E_TRUNCATED || status == FC_NEEDS_PYTHON ||
            (status == FC_E_EMPTY && size == 0));
      free(cut.data);
    }
    CHECK_CONTEXT("%s: %d decoded, %d truncated", r.kind->name, decoded, truncated);
    CHECK(decoded == 16);
    /* All but the first bytes of the pixels, and those cuts that spare the last row. */
    CHECK(truncated > (int)(file.size - first_part(&file)) * 3 / 4);
    free(file.data);
  }
}

/* A stored block that says more than is there hides how many pixels zlib would find in it. */
static void test_cut_stored_block(fc_decoder *decoder) {
  png_bytes rows = png_rows(rgb, HEIGHT, WIDTH, 0);
  png_bytes stream = {0};
  const uint8_t start[7] = {0x78, 0x01, 1, 0xff, 0xff, 0, 0}; /* 65535 bytes, stored */
  png_put(&stream, start, sizeof start);
  png_put(&stream, rows.data, rows.size);
  png_bytes file = file_of(rgb, &stream, 0);
  for (size_t end = file.size - 20; end < file.size - 16; end++) {
    CHECK_CONTEXT("stored block cut at %zu", end);
    png_bytes cut = exact(file.data, end);
    CHECK_INT(decode_small(decoder, &cut, NULL), FC_NEEDS_PYTHON);
    free(cut.data);
  }
  free(file.data);
  free(stream.data);
  free(rows.data);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void test_streams(fc_decoder *decoder) {
  png_bytes rows = png_rows(rgb, HEIGHT, WIDTH, -1);
  png_bytes good = png_compress(rows.data, rows.size, 6);
  check_stream(decoder, "good", &good, 0, FC_OK, 0);

  png_bytes bad = exact(good.data, good.size);
  bad.data[bad.size - 1] ^= 1;
  check_stream(decoder, "wrong Adler-32", &bad, 0, FC_E_CORRUPT, CORRUPT(1));
  /* Pillow looks at a checksum that comes with the last row, and at no later one. */
  check_stream(decoder, "wrong Adler-32", &bad, bad.size - 2, FC_NEEDS_PYTHON, 0);
  check_stream(decoder, "no Adler-32", &(png_bytes){good.data, good.size - 4, 0}, 0,
               FC_NEEDS_PYTHON, 0);
  bad.data[bad.size - 1] ^= 1;
  bad.data[0] = 0x79;
  check_stream(decoder, "another method", &bad, 0, FC_NEEDS_PYTHON, 0);
  bad.data[0] = 0x78, bad.data[1] ^= 0x20;
  check_stream(decoder, "a dictionary", &bad, 0, FC_NEEDS_PYTHON, 0);
  check_stream(decoder, "one byte", &(png_bytes){good.data, 1, 0}, 0, FC_NEEDS_PYTHON, 0);
  check_stream(decoder, "no byte", &(png_bytes){good.data, 0, 0}, 0, FC_NEEDS_PYTHON, 0);

  png_bytes longer = exact(good.data, good.size);
  png_put(&longer, "junk", 4);
  check_stream(decoder, "something behind the stream", &longer, 0, FC_OK, 1);
  for (int more = -3; more <= 300; more += more < 3 ? 1 : 33) {
    if (more == 0) continue;
    png_bytes other = exact(rows.data, rows.size);
    if (more > 0) png_put(&other, rows.data, (size_t)more);
    png_bytes stream = png_compress(other.data, rows.size + (size_t)more, 6);
    check_stream(decoder, "rows too many or too few", &stream, 0, FC_NEEDS_PYTHON, 0);
    free(stream.data);
    free(other.data);
  }
  free(longer.data);
  free(bad.data);
  free(good.data);
  free(rows.data);
}

/* An unknown filter refuses the file, below the last row that is wanted as well. */
static void test_filters(fc_decoder *decoder) {
  static const png_kind kinds[2] = {{"plain", 2, 8, 0}, {"Adam7", 2, 8, 1}};
  uint8_t out[HEIGHT * WIDTH * 3];
  for (int k = 0; k < 2; k++) {
    png_bytes rows = png_rows(&kinds[k], HEIGHT, WIDTH, 0);
    size_t last = 1 + 3 * WIDTH; /* the last pass has whole rows */
    for (int unknown = 5; unknown < 256; unknown += 50) {
      rows.data[rows.size - last] = (uint8_t)unknown;
      png_bytes stream = png_compress(rows.data, rows.size, 6);
      png_bytes file = file_of(&kinds[k], &stream, 0);
      for (int wanted = 1; wanted <= HEIGHT; wanted += 23) {
        int detail = 0;
        CHECK_CONTEXT("%s, filter %d, %d rows wanted", kinds[k].name, unknown, wanted);
        CHECK_INT(decode(decoder, file.data, file.size, HEIGHT, WIDTH, wanted, out, &detail),
                  FC_E_CORRUPT);
        CHECK_INT(detail, CORRUPT(2));
      }
      free(file.data);
      free(stream.data);
    }
    free(rows.data);
  }
}

static void test_flipped(fc_decoder *decoder) {
  long counts[FC_STATUS_COUNT] = {0};
  for (int k = 0; k < PNG_KINDS; k++) {
    const png_recipe r = {.kind = &png_kinds[k], .height = HEIGHT, .width = WIDTH, .filter = -1};
    png_bytes file = make_png(&r);
    uint8_t whole[HEIGHT * WIDTH * 3], out[HEIGHT * WIDTH * 3];
    CHECK_INT(decode(decoder, file.data, file.size, HEIGHT, WIDTH, HEIGHT, whole, NULL), FC_OK);
    for (int i = 0; i < 400; i++) {
      size_t byte = (size_t)random_below((int)file.size);
      uint8_t bit = (uint8_t)(1 << random_below(8));
      int detail = 0;
      file.data[byte] ^= bit;
      CHECK_CONTEXT("%s, byte %zu of %zu ^ %d", r.kind->name, byte, file.size, bit);
      fc_status status = decode(decoder, file.data, file.size, HEIGHT, WIDTH, HEIGHT, out, &detail);
      counts[status]++;
      /* Checksums see to it that no single bit changes pixels in silence. */
      if (status == FC_OK) CHECK(memcmp(out, whole, sizeof whole) == 0);
      file.data[byte] ^= bit;
    }
    free(file.data);
  }
  CHECK_CONTEXT("%ld decoded, %ld corrupt, %ld left to Python", counts[FC_OK], counts[FC_E_CORRUPT],
                counts[FC_NEEDS_PYTHON]);
  CHECK(counts[FC_OK] > 0 && counts[FC_E_CORRUPT] > 0 && counts[FC_NEEDS_PYTHON] > 0);
}

/* ---- checksums ------------------------------------------------------------------------------- */

static void test_checksums(fc_decoder *decoder) {
  static const struct {
    const char *name, *message;
  } chunks[] = {
      {"IHDR", "the image data are corrupt: wrong checksum in chunk IHDR"},
      {"tRNS", "the image data are corrupt: wrong checksum in chunk tRNS"},
      {"prIv", "the image data are corrupt: wrong checksum in chunk of an unknown kind"},
      {"IDAT", NULL},
      {"tEXt", NULL}, /* behind the pixels */
      {"IEND", NULL},
  };
  png_recipe r = {.kind = rgb,
                  .height = HEIGHT,
                  .width = WIDTH,
                  .key = (const uint8_t *)"\0\1\0\2\0\3",
                  .key_size = 6};
  png_put_chunk(&r.before, "prIv", "abc", 3);
  png_put_chunk(&r.after, "tEXt", "key\0text", 8);
  png_bytes file = make_png(&r);
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    size_t at = 8;
    while (memcmp(file.data + at + 4, chunks[i].name, 4) != 0)
      at += 12 + ((size_t)file.data[at + 2] << 8) + file.data[at + 3];
    uint8_t *crc = file.data + at + 8 + ((size_t)file.data[at + 2] << 8) + file.data[at + 3];
    char text[200];
    int detail = -1;
    CHECK_CONTEXT("wrong checksum of %s", chunks[i].name);
    crc[1] ^= 4;
    fc_status status = decode_small(decoder, &file, &detail);
    const int of_pixels = strcmp(chunks[i].name, "IDAT") == 0; /* Pillow judges */
    CHECK_INT(status, chunks[i].message ? FC_E_CORRUPT : of_pixels ? FC_NEEDS_PYTHON : FC_OK);
    if (chunks[i].message)
      CHECK(strcmp(fc_describe(status, detail, text, sizeof text), chunks[i].message) == 0);
    else
      CHECK_INT(detail, of_pixels);
    crc[1] ^= 4;
  }
  free(file.data);
  free(r.before.data);
  free(r.after.data);
}

/* ---- bombs ----------------------------------------------------------------------------------- */

static fc_status decode_bomb(fc_decoder *decoder, const png_bytes *file, int32_t height,
                             int32_t width, const fc_limits *limits) {
  const fc_geometry geometry = {.src_h = height,
                                .src_w = width,
                                .crop_h = 1,
                                .crop_w = 1,
                                .size_h = 1,
                                .size_w = 1,
                                .out_h = 1,
                                .out_w = 1};
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = *limits};
  uint8_t out[3];
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out, 3, NULL);
}

static void test_bombs(fc_decoder *decoder) {
  static const png_kind rgba = {"RGBA 16", 6, 16, 1};
  fc_limits no_pixel_limit = fc_default_limits;
  no_pixel_limit.max_pixels = INT64_MAX;
  png_bytes zeros = {.data = check_alloc(1 << 20), .size = 1 << 20};
  png_bytes stream = png_compress(zeros.data, zeros.size, 9);
  static const int32_t sides[][2] = {
      {100000, 100000}, {INT32_MAX, INT32_MAX}, {1, INT32_MAX}, {INT32_MAX, 1}};
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
    png_bytes file = {0};
    png_start(&file, &rgba, sides[i][0], sides[i][1]);
    png_put_chunk(&file, "IDAT", stream.data, stream.size);
    png_put_chunk(&file, "IEND", "", 0);
    CHECK_CONTEXT("%d x %d", sides[i][0], sides[i][1]);
    CHECK_INT(decode_bomb(decoder, &file, sides[i][0], sides[i][1], &fc_default_limits),
              FC_E_PIXELS);
    /* Without that limit it is refused before memory is asked for. */
    CHECK_INT(decode_bomb(decoder, &file, sides[i][0], sides[i][1], &no_pixel_limit),
              FC_NEEDS_PYTHON);
    fc_image_info info;
    CHECK_INT(fc_probe_bytes(file.data, file.size, &no_pixel_limit, &info), FC_OK);
    free(file.data);
  }
  free(stream.data);
  /* More pixels than the header speaks of. */
  png_bytes long_stream = png_compress(zeros.data, zeros.size, 9);
  png_bytes file = file_of(rgb, &long_stream, 0);
  CHECK_CONTEXT("1 MiB where %d rows are expected", HEIGHT);
  CHECK_INT(decode_small(decoder, &file, NULL), FC_NEEDS_PYTHON);
  free(file.data);
  free(long_stream.data);
  free(zeros.data);
}

/* A deadline that has passed is seen among the rows, and among chunks. */
static void test_deadline(void) {
  for (int i = 0; i < 4; i++) {
    png_bytes chunks = {0};
    if (i > 1) png_put_chunk(&chunks, "tEXt", "key\0text", 8);
    png_recipe r = {.kind = rgb, .height = HEIGHT, .width = WIDTH};
    if (i == 2) r.before = chunks;
    if (i == 3) r.after = chunks;
    png_bytes file = make_png(&r);
    const fc_geometry geometry = {HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH,
                                  HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH};
    const fc_image_spec spec = {.channels = 3, .limits = fc_default_limits};
    uint8_t out[HEIGHT * WIDTH * 3];
    fc_image_info info;
    fc_sink *sink = fc_sink_new();
    void *png = fc_png_codec.create();
    int detail = 0;
    CHECK_CONTEXT("deadline, case %d", i);
    CHECK_INT(fc_probe_bytes(file.data, file.size, &fc_default_limits, &info), FC_OK);
    CHECK_INT(fc_sink_plan(sink, &geometry, &spec, out, WIDTH * 3), FC_OK);
    const fc_request request = {file.data, file.size, &info, &spec, {.at = i > 0}, sink};
    CHECK_INT(fc_png_codec.decode(png, &request, &detail), i ? FC_E_TIME : FC_OK);
    fc_png_codec.destroy(png);
    fc_sink_free(sink);
    free(file.data);
    free(chunks.data);
  }
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_cut(decoder);
  test_cut_stored_block(decoder);
  test_streams(decoder);
  test_filters(decoder);
  test_flipped(decoder);
  test_checksums(decoder);
  test_bombs(decoder);
  test_deadline();
  fc_decoder_free(decoder);
  return check_result();
}
