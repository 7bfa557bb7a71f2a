/* test_huffman.c: sound files, where our Huffman decoder does all the work and gives what libjpeg's
 * gives, and what may stand between the data and the end of the file. */
#include "huffman_pair.h"
#include "jpeg_drawer.h"

/* A sound file: the whole of it and some parts, all decoded by ours if it is for ours. */
static void check_sound(const jpeg_file *file, int own, int parts) {
  fc_image_info info;
  CHECK(probe(file, &info));
  for (int i = 0; i <= parts; i++) {
    const outcome result =
        compare(file, &info, i ? random_rect(info.height, info.width) : whole(&info));
    CHECK_INT(result.own, own);
    CHECK_INT(result.warnings, 0);
  }
}

static void test_every_kind(void) {
  static const int sizes[][2] = {{1, 1}, {1, 37}, {41, 1}, {7, 9}, {33, 65}, {129, 97}, {250, 383}};
  static const int qualities[] = {1, 30, 75, 90, 96, 100};
  for (int k = 0; k < JPEG_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (size_t q = 0; q < sizeof qualities / sizeof *qualities; q++) {
        const jpeg_kind *kind = &jpeg_kinds[k];
        jpeg_file file = make_jpeg(kind, sizes[s][0], sizes[s][1], qualities[q]);
        CHECK_CONTEXT("%s %dx%d quality %d", kind->name, sizes[s][0], sizes[s][1], qualities[q]);
        check_sound(&file, is_ours(kind), 6);
        free(file.data);
      }
}

static void test_drawn(int files) {
  for (int i = 0; i < files; i++) {
    const jpeg_kind *kind = &jpeg_kinds[random_below(JPEG_KINDS)];
    if (!is_ours(kind)) continue;
    const density d = random_density();
    const int height = 1 + random_below(90), width = 1 + random_below(90);
    CHECK_CONTEXT("file %d: %s %dx%d, %d coefficients of %d bits", i, kind->name, height, width,
                  d.coefficients, d.bits);
    jpeg_file file = draw_jpeg(kind, height, width, d);
    check_sound(&file, 1, 2);
    free(file.data);
  }
}

/* ---- what stands behind the data ------------------------------------------------------------ */

enum { TAIL_HEIGHT = 40, TAIL_WIDTH = 56 };

/* A file with other bytes in place of its end marker, both decoded wholly and a part from the top.
 */
static void check_tail(const char *what, const char *bytes, size_t count, int own, int warnings) {
  jpeg_file file = make_jpeg(&jpeg_kinds[2], TAIL_HEIGHT, TAIL_WIDTH, 85);
  jpeg_file longer = {check_alloc(file.size - 2 + count), file.size - 2 + count};
  fc_image_info info;
  memcpy(longer.data, file.data, file.size - 2);
  memcpy(longer.data + file.size - 2, bytes, count);
  CHECK_CONTEXT("%s", what);
  CHECK(probe(&longer, &info));
  const outcome all = compare(&longer, &info, whole(&info));
  CHECK_INT(all.own, own);
  CHECK_INT(all.warnings, warnings);
  const outcome top = compare(&longer, &info, (fc_rect){0, 0, 5, TAIL_WIDTH});
  CHECK_INT(top.own, 1); /* stops before it gets there */
  free(longer.data);
  free(file.data);
}

static void test_tails(void) {
#define TAIL(what, bytes, own, warnings) check_tail(what, bytes, sizeof bytes - 1, own, warnings)
  TAIL("end", "\xff\xd9", 1, 0);
  TAIL("fill bytes", "\xff\xff\xff\xff\xd9", 1, 0);
  TAIL("comment", "\xff\xfe\0\4hi\xff\xd9", 1, 0);
  TAIL("restart marker", "\xff\xd3\xff\xd9", 1, 0);
  TAIL("bytes behind the end", "\xff\xd9 and so on \xff\0\xff\xff", 1, 0);
  TAIL("bytes before the end", "0123456789012345678901234567890123456789\xff\xd9", 0, 1);
  TAIL("one byte before the end", "\0\xff\xd9", 0, 0); /* libjpeg has read it by then */
  TAIL("stuffing with fill bytes", "\xff\xff\0\xff\xd9", 0, 0);
  TAIL("no end", "", 0, 0);
  TAIL("half an end", "\xff", 0, 0);
  TAIL("half an end behind fill bytes", "\xff\xff\xff", 0, 0);
#undef TAIL
}

/* Whatever the number of bits that fill up the last byte, one byte more is one too many. */
static void test_one_byte_more(void) {
  for (int width = 1; width < 200; width++) {
    jpeg_file file = make_jpeg(&jpeg_kinds[11], 8, width, 85);
    jpeg_file longer = {check_alloc(file.size + 1), file.size + 1};
    fc_image_info info;
    memcpy(longer.data, file.data, file.size - 2);
    memcpy(longer.data + file.size - 2, "\x55\xff\xd9", 3);
    CHECK_CONTEXT("one byte more, width %d", width);
    CHECK(probe(&longer, &info));
    CHECK_INT(compare(&longer, &info, whole(&info)).own, 0);
    free(longer.data);
    free(file.data);
  }
}

int main(void) {
  if (!start_pair()) return check_result();
  test_every_kind();
  test_drawn(3000);
  test_tails();
  test_one_byte_more();
  end_pair();
  return check_result();
}
