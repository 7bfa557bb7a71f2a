/* test_png_probe.c: what a PNG's chunks tell before it is decoded. */
#define _XOPEN_SOURCE 700 /* mkstemp, P_tmpdir */
#include <unistd.h>

#include "fastcache.h"
#include "png_maker.h"

enum { HEIGHT = 5, WIDTH = 6 };

static const png_kind rgb = {"RGB", 2, 8, 0}, grey = {"grey", 0, 8, 0};
static const png_kind alpha = {"grey, alpha", 4, 8, 0}, palette = {"palette", 3, 8, 0};

#define PUT(where, name, literal) png_put_chunk(where, name, literal, sizeof(literal) - 1)

/* Takes both lists of chunks over. */
static png_bytes file_of(const png_kind *kind, png_bytes *before, png_bytes *after) {
  const png_recipe r = {.kind = kind,
                        .height = HEIGHT,
                        .width = WIDTH,
                        .filter = -1,
                        .before = *before,
                        .after = *after};
  png_bytes file = make_png(&r);
  free(before->data);
  free(after->data);
  return file;
}

static fc_status decode(fc_decoder *decoder, const png_bytes *file, int exif) {
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
  return fc_decode(decoder, file->data, file->size, &spec, &geometry, out, WIDTH * 3, NULL);
}

static void test_kinds(void) {
  static const int components[7] = {1, 0, 3, 1, 2, 0, 4};
  for (int k = 0; k < PNG_KINDS; k++) {
    const png_kind *kind = &png_kinds[k];
    const png_recipe r = {.kind = kind, .height = 9, .width = 7};
    png_bytes file = make_png(&r);
    fc_image_info info;
    CHECK_CONTEXT("%s", kind->name);
    CHECK_INT(fc_probe_bytes(file.data, file.size, &fc_default_limits, &info), FC_OK);
    CHECK_INT(info.height, 9);
    CHECK_INT(info.width, 7);
    CHECK_INT(info.components, components[kind->colours]);
    CHECK_INT(info.depth, kind->depth);
    CHECK_INT(info.flags, FC_IMAGE_IN_C | (kind->colours & 4 ? FC_IMAGE_ALPHA : 0));
    for (size_t size = 9; size < file.size; size++) {
      uint8_t *cut = check_alloc(size);
      memcpy(cut, file.data, size);
      fc_status status = fc_probe_bytes(cut, size, &fc_default_limits, &info);
      CHECK(status == FC_OK || status == FC_NEEDS_PYTHON);
      free(cut);
    }
    free(file.data);
  }
}

/* Headers that the standard does not allow are Pillow's to judge. */
static void test_odd_headers(void) {
  int in_c = 0;
  for (int colours = 0; colours < 9; colours++)
    for (int depth = 0; depth <= 33; depth++)
      for (int rest = 0; rest < 6; rest++) {
        png_bytes file = {0};
        fc_image_info info;
        png_start(&file, &(png_kind){"", colours, depth, 0}, 3, 4);
        if (rest < 3) file.data[26 + rest] = (uint8_t)(rest == 2 ? 1 : 9);
        if (rest == 3) file.data[28] = 2;
        png_put_chunk(&file, "IDAT", "", 0);
        fc_status status = fc_probe_bytes(file.data, file.size, &fc_default_limits, &info);
        CHECK_CONTEXT("colour type %d, depth %d, rest %d", colours, depth, rest);
        CHECK(status == FC_NEEDS_PYTHON || (status == FC_OK && info.flags & FC_IMAGE_IN_C));
        if (rest < 2 || rest == 3) CHECK_INT(status, FC_NEEDS_PYTHON);
        in_c += status == FC_OK && rest == 4;
        free(file.data);
      }
  CHECK_CONTEXT("combinations");
  CHECK_INT(in_c, 15);
}

static void check_transparency(const png_kind *kind, const char *key, size_t size, int expected) {
  png_bytes before = {0}, after = {0};
  fc_image_info info;
  if (key) png_put_chunk(&before, "tRNS", key, size);
  PUT(&after, "tRNS", "\0\1");
  png_bytes file = file_of(kind, &before, &after);
  CHECK_CONTEXT("%s, tRNS of %zu bytes", kind->name, size);
  CHECK_INT(fc_probe_bytes(file.data, file.size, &fc_default_limits, &info), FC_OK);
  CHECK_INT(!!(info.flags & FC_IMAGE_ALPHA), expected);
  free(file.data);
}

static void test_transparency(void) {
  check_transparency(&rgb, NULL, 0, 0);
  check_transparency(&rgb, "\0\1\0\2\0\3", 6, 1);
  check_transparency(&grey, "\0\1", 2, 1);
  check_transparency(&palette, "\1", 1, 1);
  check_transparency(&alpha, NULL, 0, 1);
}

/* Orientation 6 and 3, in both byte orders. */
#define EXIF_6 "MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
#define EXIF_3 "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\3\0\0\0\0\0\0\0"
#define EXIF_NONE "II*\0\x08\0\0\0\0\0\0\0\0\0"

typedef struct stands {
  const char *what;
  struct {
    const char *name, *data;
    size_t size;
    int behind;
  } chunk[3];
  int orientation, ask;
} stands;

#define CHUNK(name, literal, behind) \
  { name, literal, sizeof(literal) - 1, behind }

static void test_orientation(fc_decoder *decoder) {
  static const stands cases[] = {
      {"none", {{0}}, 1, 0},
      {"before", {CHUNK("eXIf", EXIF_6, 0)}, 6, 0},
      {"behind", {CHUNK("eXIf", EXIF_3, 1)}, 3, 0},
      {"with JPEG's prefix", {CHUNK("eXIf", "Exif\0\0" EXIF_6, 0)}, 6, 0},
      {"the last one", {CHUNK("eXIf", EXIF_6, 0), CHUNK("eXIf", EXIF_3, 0)}, 3, 0},
      {"the last one, behind", {CHUNK("eXIf", EXIF_6, 0), CHUNK("eXIf", EXIF_3, 1)}, 3, 0},
      {"empty", {CHUNK("eXIf", "", 0)}, 1, 0},
      {"nonsense", {CHUNK("eXIf", "no TIFF at all", 0)}, 1, 1},
      {"nonsense, then sense", {CHUNK("eXIf", "nonsense", 0), CHUNK("eXIf", EXIF_3, 0)}, 3, 0},
      {"other text", {CHUNK("tEXt", "Comment\0tiff:Orientation=\"6", 0)}, 1, 0},
      {"XMP", {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0tiff:Orientation=\"6", 0)}, 1, 1},
      {"XMP behind", {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0", 1)}, 1, 1},
      {"XMP in other clothes", {CHUNK("tEXt", "xmp\0x", 1)}, 1, 1},
      {"EXIF before XMP",
       {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0", 0), CHUNK("eXIf", EXIF_6, 1)},
       6,
       0},
      {"XMP for want of a tag",
       {CHUNK("iTXt", "XML:com.adobe.xmp\0\0\0\0\0", 0), CHUNK("eXIf", EXIF_NONE, 0)},
       1,
       1},
      {"hexadecimal", {CHUNK("zTXt", "Raw profile type exif\0\0x", 0)}, 1, 1},
      {"EXIF before hexadecimal",
       {CHUNK("zTXt", "Raw profile type exif\0\0x", 0), CHUNK("eXIf", EXIF_3, 0)},
       3,
       0},
      {"a text called exif", {CHUNK("eXIf", EXIF_6, 0), CHUNK("tEXt", "exif\0x", 0)}, 1, 1},
      {"its keyword only", {CHUNK("tEXt", "exif", 0)}, 1, 1},
      {"a longer keyword", {CHUNK("tEXt", "exif2\0x", 0)}, 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    png_bytes before = {0}, after = {0};
    for (int k = 0; k < 3 && cases[i].chunk[k].name; k++)
      png_put_chunk(cases[i].chunk[k].behind ? &after : &before, cases[i].chunk[k].name,
                    cases[i].chunk[k].data, cases[i].chunk[k].size);
    png_bytes file = file_of(&rgb, &before, &after);
    fc_image_info info;
    CHECK_CONTEXT("orientation: %s", cases[i].what);
    CHECK_INT(fc_probe_bytes(file.data, file.size, &fc_default_limits, &info), FC_OK);
    CHECK_INT(info.orientation, cases[i].orientation);
    CHECK_INT(!!(info.flags & FC_IMAGE_ASK_ORIENTATION), cases[i].ask);
    CHECK_INT(decode(decoder, &file, 0), FC_OK);
    if (cases[i].ask) CHECK_INT(decode(decoder, &file, 1), FC_NEEDS_PYTHON);
    free(file.data);
  }
}

/* ---- from files ------------------------------------------------------------------------------ */

/* What the probe says of the same bytes in a file. */
static void check_file(const png_bytes *file, int whole, int orientation, int flags) {
  char path[] = P_tmpdir "/fastcache-test-XXXXXX";
  int fd = mkstemp(path), detail = -1;
  fc_image_info info = {0};
  CHECK(fd >= 0 && write(fd, file->data, file->size) == (ssize_t)file->size);
  CHECK_INT(fc_probe_file(path, &fc_default_limits, whole, &info, &detail), FC_OK);
  CHECK_INT(info.width, WIDTH);
  CHECK_INT(info.orientation, orientation);
  CHECK_INT(info.flags, flags);
  CHECK_INT(detail, 0);
  close(fd);
  unlink(path);
}

/* `count` chunks, each further from the last than a probe reads at once, and one that turns the
 * image. */
static png_bytes many_chunks(const char *name, int count) {
  static const uint8_t zeros[3000] = {0};
  png_bytes chunks = {0};
  for (int i = 0; i < count; i++) png_put_chunk(&chunks, name, zeros, sizeof zeros);
  PUT(&chunks, "eXIf", EXIF_6);
  return chunks;
}

static void test_files(void) {
  const int in_c = FC_IMAGE_IN_C, ask = FC_IMAGE_IN_C | FC_IMAGE_ASK_ORIENTATION;
  png_bytes none = {0}, chunks = many_chunks("prIv", 20);
  png_bytes file = file_of(&rgb, &chunks, &none);
  CHECK_CONTEXT("before the pixels");
  check_file(&file, 0, 6, in_c);
  check_file(&file, 1, 6, in_c);
  free(file.data);

  none = (png_bytes){0}, chunks = many_chunks("prIv", 20);
  file = file_of(&rgb, &none, &chunks);
  CHECK_CONTEXT("behind the pixels");
  check_file(&file, 0, 1, in_c);
  check_file(&file, 1, 6, in_c);
  free(file.data);

  none = (png_bytes){0}, chunks = many_chunks("prIv", 600);
  file = file_of(&rgb, &none, &chunks);
  CHECK_CONTEXT("so far behind the pixels that the probe gives up");
  check_file(&file, 0, 1, in_c);
  check_file(&file, 1, 1, ask);
  free(file.data);

  none = (png_bytes){0}, chunks = many_chunks("prIv", 600);
  file = file_of(&rgb, &chunks, &none);
  CHECK_CONTEXT("pixels so far behind that the probe gives up");
  check_file(&file, 0, 1, 0);
  free(file.data);
}

int main(void) {
  fc_decoder *decoder = fc_decoder_new();
  CHECK(decoder != NULL);
  if (!decoder) return check_result();
  test_kinds();
  test_odd_headers();
  test_transparency();
  test_orientation(decoder);
  test_files();
  fc_decoder_free(decoder);
  return check_result();
}
