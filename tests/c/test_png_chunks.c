/* test_png_chunks.c: what stands in a PNG beside its pixels: order, lengths, texts and
 * animation. */
#include "fastcache.h"
#include "png_maker.h"

enum { HEIGHT = 5, WIDTH = 6, MEBI = 1 << 20 };

static const png_kind rgb = {"RGB", 2, 8, 0}, palette = {"palette", 3, 8, 0};

#define PUT(where, name, literal) png_put_chunk(where, name, literal, sizeof(literal) - 1)

static png_bytes file_of(const png_kind *kind, png_bytes *before, png_bytes *after) {
  png_recipe r = {.kind = kind, .height = HEIGHT, .width = WIDTH, .filter = -1};
  if (before) r.before = *before;
  if (after) r.after = *after;
  png_bytes file = make_png(&r);
  if (before) free(before->data);
  if (after) free(after->data);
  return file;
}

static fc_status decode(fc_decoder *decoder, const png_bytes *file, int exif, int *warnings) {
  const fc_geometry geometry = {.src_h = HEIGHT,
                                .src_w = WIDTH,
                                .crop_h = HEIGHT,
                                .crop_w = WIDTH,
                                .size_h = HEIGHT,
                                .size_w = WIDTH,
                                .out_h = HEIGHT,
                                .out_w = WIDTH};
  const fc_image_spec spec = {
      .channels = 3, .filter = FC_BILINEAR, .apply_orientation = exif, .limits = fc_default_limits};
  uint8_t out[HEIGHT * WIDTH * 3];
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out, WIDTH * 3, warnings);
}

/* One chunk before the pixels, then behind them. */
static void check_chunk(fc_decoder *decoder, const char *name, const void *data, size_t size,
                        fc_status before, fc_status after) {
  for (int behind = 0; behind < 2; behind++) {
    png_bytes chunk = {0};
    png_put_chunk(&chunk, name, data, size);
    png_bytes file = file_of(&rgb, behind ? NULL : &chunk, behind ? &chunk : NULL);
    CHECK_CONTEXT("%s of %zu bytes %s the pixels", name, size, behind ? "behind" : "before");
    CHECK_INT(decode(decoder, &file, 0, NULL), behind ? after : before);
    free(file.data);
  }
}
#define CHECK_CHUNK(name, literal, before, after) \
  check_chunk(decoder, name, literal, sizeof(literal) - 1, before, after)

static void test_single_chunks(fc_decoder *decoder) {
  static const uint8_t zeros[40] = {0};
  static const struct {
    const char *name;
    size_t least;
  } fixed[] = {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}};
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
    for (size_t size = 0; size <= 40; size += size + 1 == fixed[i].least ? 1 : 3) {
      fc_status status = size < fixed[i].least ? FC_NEEDS_PYTHON : FC_OK;
      check_chunk(decoder, fixed[i].name, zeros, size, status, status);
    }
  CHECK_CHUNK("tIME", "", FC_OK, FC_OK);
  CHECK_CHUNK("prIv", "anything", FC_OK, FC_OK);
  CHECK_CHUNK("CrIt", "unknown, and critical", FC_OK, FC_OK); /* Pillow knows no such thing */
  CHECK_CHUNK("a_1Z", "", FC_OK, FC_OK);
  CHECK_CHUNK("bad!", "", FC_NEEDS_PYTHON, FC_OK); /* behind the pixels, Pillow stops there */
  CHECK_CHUNK("tRNS", "\0\1\0\2\0\3", FC_OK, FC_NEEDS_PYTHON);
  CHECK_CHUNK("tRNS", "\0\1\0\2\0", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("PLTE", "abc", FC_OK, FC_NEEDS_PYTHON);
  CHECK_CHUNK("IHDR", "\0\0\0\6\0\0\0\5\x08\2\0\0\0", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("IEND", "", FC_NEEDS_PYTHON, FC_OK);
  CHECK_CHUNK("fdAT", "\0\0\0\0", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
}

static void test_palettes(fc_decoder *decoder) {
  static const struct {
    size_t palette, transparency;
    fc_status status;
  } cases[] = {
      {3, 0, FC_OK},   {768, 256, FC_OK},         {4, 0, FC_OK},
      {3, 256, FC_OK}, {3, 257, FC_NEEDS_PYTHON}, {771, 0, FC_NEEDS_PYTHON},
      {0, 0, FC_OK},
  };
  static const uint8_t zeros[800] = {0};
  png_bytes rows = png_rows(&palette, HEIGHT, WIDTH, 0);
  png_bytes stream = png_compress(rows.data, rows.size, 6);
  for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
    int missing = i == sizeof cases / sizeof *cases;
    png_bytes file = {0};
    png_start(&file, &palette, HEIGHT, WIDTH);
    if (!missing) png_put_chunk(&file, "PLTE", zeros, cases[i].palette);
    if (!missing) png_put_chunk(&file, "tRNS", zeros, cases[i].transparency);
    png_put_chunk(&file, "IDAT", stream.data, stream.size);
    png_put_chunk(&file, "IEND", "", 0);
    CHECK_CONTEXT("palette, case %zu", i);
    CHECK_INT(decode(decoder, &file, 0, NULL), missing ? FC_NEEDS_PYTHON : cases[i].status);
    free(file.data);
  }
  png_bytes second = {0};
  PUT(&second, "PLTE", "abc");
  png_bytes file = file_of(&palette, &second, NULL);
  CHECK_CONTEXT("two palettes");
  CHECK_INT(decode(decoder, &file, 0, NULL), FC_NEEDS_PYTHON);
  free(file.data);
  free(stream.data);
  free(rows.data);
}

/* Pillow takes the IDATs that follow one another, and ends there. */
static void test_gap(fc_decoder *decoder) {
  png_bytes after = {0};
  PUT(&after, "tEXt", "k\0v");
  PUT(&after, "IDAT", "");
  png_bytes file = file_of(&rgb, NULL, &after);
  CHECK_CONTEXT("an IDAT behind another chunk");
  CHECK_INT(decode(decoder, &file, 0, NULL), FC_NEEDS_PYTHON);
  free(file.data);
}

/* A chunk behind the pixels that ends after the file does is refused, one that just fits is not. */
static void test_cut_behind(fc_decoder *decoder) {
  png_bytes after = {0};
  PUT(&after, "tEXt", "key\0value");
  png_bytes file = file_of(&rgb, NULL, &after);
  size_t text = file.size - 12 - 12 - 9;
  for (size_t size = text; size <= file.size; size++) {
    int warnings = -1;
    png_bytes cut = {.data = check_alloc(size), .size = size};
    memcpy(cut.data, file.data, size);
    fc_status status = decode(decoder, &cut, 0, &warnings);
    int inside = size >= text + 8 && size < text + 8 + 9;
    CHECK_CONTEXT("cut to %zu, the text begins at %zu", size, text);
    CHECK_INT(status, inside ? FC_E_TRUNCATED : FC_OK);
    if (!inside) CHECK_INT(warnings, size < file.size - 4);
    free(cut.data);
  }
  free(file.data);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* `start` and a zlib stream of `size` bytes. */
static png_bytes compressed_text(const char *start, size_t start_size, size_t size) {
  uint8_t *zeros = check_alloc(size);
  png_bytes stream = png_compress(zeros, size, 6), text = {0};
  png_put(&text, start, start_size);
  png_put(&text, stream.data, stream.size);
  free(zeros);
  free(stream.data);
  return text;
}

static void check_compressed(fc_decoder *decoder, const char *name, const char *start,
                             size_t start_size) {
  static const struct {
    size_t size;
    fc_status status;
  } cases[] = {
      {0, FC_OK},
      {100, FC_OK},
      {MEBI - 1, FC_OK},
      {MEBI, FC_NEEDS_PYTHON}, /* depends on how zlib stops */
      {MEBI + 1, FC_E_BYTES},
      {MEBI + (1 << 17), FC_E_BYTES},
      {MEBI + (1 << 17) + 1, FC_E_BYTES},
      {20 * MEBI, FC_E_BYTES},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    png_bytes text = compressed_text(start, start_size, cases[i].size);
    check_chunk(decoder, name, text.data, text.size, cases[i].status, cases[i].status);
    free(text.data);
  }
}

static void test_compressed_texts(fc_decoder *decoder) {
  check_compressed(decoder, "zTXt", "key\0", 5);
  check_compressed(decoder, "iTXt", "key\0\1\0de\0k", 11);
  check_compressed(decoder, "iCCP", "profile\0", 9);
  /* Damaged ones are empty to Pillow, unless they reach its limit first. */
  png_bytes small = compressed_text("key\0", 5, 1000);
  small.data[small.size - 1] ^= 1;
  check_chunk(decoder, "zTXt", small.data, small.size, FC_OK, FC_OK);
  check_chunk(decoder, "zTXt", small.data, small.size - 6, FC_OK, FC_OK);
  small.data[5] = 0x79;
  check_chunk(decoder, "zTXt", small.data, small.size, FC_OK, FC_OK);
  free(small.data);
  png_bytes large = compressed_text("key\0", 5, 3 * MEBI);
  check_chunk(decoder, "zTXt", large.data, 1060, FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  free(large.data);
  CHECK_CHUNK("zTXt", "key\0\1compressed how?", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("zTXt", "key\0", FC_OK, FC_OK);
  CHECK_CHUNK("zTXt", "key", FC_OK, FC_OK);
  CHECK_CHUNK("zTXt", "", FC_OK, FC_OK);
  CHECK_CHUNK("iTXt", "key\0\1\1\0\0how?", FC_OK, FC_OK);
  CHECK_CHUNK("iTXt", "key\0\1", FC_OK, FC_OK);
  CHECK_CHUNK("iTXt", "key", FC_OK, FC_OK);
  CHECK_CHUNK("iCCP", "profile\0\1", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("iCCP", "profile", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
}

/* 64 MiB of text together, whichever way they come. */
static void test_all_texts(fc_decoder *decoder) {
  png_bytes almost = compressed_text("key\0", 5, MEBI - 1);
  uint8_t *plain = check_alloc(MEBI);
  memcpy(plain, "key", 3);
  static const struct {
    int compressed, plain;
    fc_status status;
  } cases[] = {{64, 0, FC_OK}, {65, 0, FC_E_BYTES}, {64, 1, FC_E_BYTES}, {1, 63, FC_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int behind = 0; behind < 2; behind++) {
      png_bytes texts = {0};
      for (int k = 0; k < cases[i].compressed; k++)
        png_put_chunk(&texts, "zTXt", almost.data, almost.size);
      for (int k = 0; k < cases[i].plain; k++) png_put_chunk(&texts, "tEXt", plain, MEBI);
      png_bytes file = file_of(&rgb, behind ? NULL : &texts, behind ? &texts : NULL);
      CHECK_CONTEXT("%d compressed texts, %d plain ones", cases[i].compressed, cases[i].plain);
      CHECK_INT(decode(decoder, &file, 0, NULL), cases[i].status);
      free(file.data);
    }
  free(plain);
  uint8_t *international = check_alloc(65 * MEBI);
  memcpy(international, "key\0\0\0\0", 8);
  check_chunk(decoder, "iTXt", international, 65 * MEBI, FC_E_BYTES, FC_E_BYTES);
  /* Characters are not counted here, and bytes are only as many as them or more. */
  international[MEBI] = 0xc3;
  check_chunk(decoder, "iTXt", international, 65 * MEBI, FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  free(international);
  free(almost.data);
}

/* Texts whose keyword is a name that Pillow uses itself. */
static void test_keywords(fc_decoder *decoder) {
  CHECK_CHUNK("tEXt", "interlace\0001", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("tEXt", "interlace", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("tEXt", "interlaces\0001", FC_OK, FC_OK);
  CHECK_CHUNK("tEXt", "bbox\0", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("tEXt", "Transparency\0", FC_OK, FC_OK);
  CHECK_CHUNK("zTXt", "transparency\0", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("iTXt", "transparency\0\0\0\0\0x", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("tEXt", "\0interlace", FC_OK, FC_OK);
  CHECK_CHUNK("tEXt", "", FC_OK, FC_OK);
}

/* ---- animation ------------------------------------------------------------------------------- */

#define ACTL(frames) "\0\0\0" frames "\0\0\0\0"
#define FCTL(number, width, x) \
  "\0\0\0" number "\0\0\0" width "\0\0\0\5\0\0\0" x "\0\0\0\0\0\1\0\1\0\0"

static void test_animation(fc_decoder *decoder) {
  static const struct {
    const char *what, *actl, *fctl; /* before the pixels */
    fc_status status;
    int animated;
  } cases[] = {
      {"first frame", ACTL("\3"), FCTL("\0", "\6", "\0"), FC_OK, 1},
      {"default image", ACTL("\3"), NULL, FC_OK, 1},
      {"default image, one frame", ACTL("\1"), NULL, FC_OK, 1},
      {"one frame", ACTL("\1"), FCTL("\0", "\6", "\0"), FC_OK, 0},
      {"no frame", ACTL("\0"), NULL, FC_NEEDS_PYTHON, 0},
      {"a part of the canvas", ACTL("\3"), FCTL("\0", "\3", "\0"), FC_NEEDS_PYTHON, 1},
      {"beside the canvas", ACTL("\3"), FCTL("\0", "\6", "\1"), FC_NEEDS_PYTHON, 1},
      {"a later frame", ACTL("\3"), FCTL("\1", "\6", "\0"), FC_NEEDS_PYTHON, 1},
      {"a frame of no animation", NULL, FCTL("\0", "\6", "\0"), FC_NEEDS_PYTHON, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    png_bytes before = {0}, after = {0};
    if (cases[i].actl) png_put_chunk(&before, "acTL", cases[i].actl, 8);
    if (cases[i].fctl) png_put_chunk(&before, "fcTL", cases[i].fctl, 26);
    if (cases[i].animated) {
      PUT(&after, "fcTL", FCTL("\1", "\6", "\0"));
      PUT(&after, "fdAT", "\0\0\0\2....");
      PUT(&after, "tEXt", "interlace\0behind the first frame");
    }
    png_bytes file = file_of(&rgb, &before, &after);
    fc_image_info info;
    CHECK_CONTEXT("%s", cases[i].what);
    CHECK_INT(fc_probe_bytes(file.data, file.size, &fc_default_limits, &info), FC_OK);
    CHECK_INT(!!(info.flags & FC_IMAGE_ANIMATED), cases[i].animated);
    CHECK_INT(decode(decoder, &file, 0, NULL), cases[i].status);
    free(file.data);
  }
  CHECK_CHUNK("acTL", ACTL("\2"), FC_OK, FC_NEEDS_PYTHON);
  CHECK_CHUNK("acTL", "\0\0\0\1", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
  CHECK_CHUNK("fcTL", "", FC_NEEDS_PYTHON, FC_NEEDS_PYTHON);
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_single_chunks(decoder);
  test_palettes(decoder);
  test_gap(decoder);
  test_cut_behind(decoder);
  test_compressed_texts(decoder);
  test_all_texts(decoder);
  test_keywords(decoder);
  test_animation(decoder);
  fc_decoder_free(decoder);
  return check_result();
}
