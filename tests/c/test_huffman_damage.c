/* test_huffman_damage.c: damaged files give what libjpeg's Huffman decoder makes of them, whether
 * ours notices in time or the damage lies behind what is needed. */
#include "huffman_pair.h"
#include "jpeg_drawer.h"

typedef struct tally {
  long own, given_up, warned, refused;
} tally;

static void count(tally *t, outcome result) {
  t->own += result.own;
  t->given_up += !result.own;
  t->warned += result.status == FC_OK && result.warnings > 0;
  t->refused += result.status != FC_OK;
}

/* Damage of all kinds was met, and ours decoded what it did not reach. */
static void check_tally(const tally *t) {
  CHECK_CONTEXT("%ld by ours, %ld given up, %ld with warnings, %ld refused", t->own, t->given_up,
                t->warned, t->refused);
  CHECK(t->own > 0 && t->given_up > 0 && t->warned > 0 && t->refused > 0);
}

/* With an end marker behind the cut, so that libjpeg makes the best of it. */
static void test_truncated(void) {
  enum { HEIGHT = 40, WIDTH = 48 };
  tally t = {0};
  for (int k = 0; k < JPEG_KINDS; k++) {
    if (!is_ours(&jpeg_kinds[k])) continue;
    jpeg_file file = make_jpeg(&jpeg_kinds[k], HEIGHT, WIDTH, 80);
    for (unsigned long size = file.size; size > 300; size -= 7) {
      jpeg_file cut = {check_alloc(size), size};
      fc_image_info info;
      memcpy(cut.data, file.data, size);
      if (size % 2) memcpy(cut.data + size - 2, "\xff\xd9", 2);
      CHECK_CONTEXT("%s cut to %lu", jpeg_kinds[k].name, size);
      if (probe(&cut, &info)) {
        count(&t, compare(&cut, &info, whole(&info)));
        count(&t, compare(&cut, &info, random_rect(HEIGHT, WIDTH)));
      }
      free(cut.data);
    }
    free(file.data);
  }
  check_tally(&t);
}

/* Bits anywhere, tables included. */
static void test_flipped(int flips) {
  enum { HEIGHT = 48, WIDTH = 40 };
  tally t = {0};
  for (int k = 0; k < JPEG_KINDS; k++) {
    jpeg_file file = make_jpeg(&jpeg_kinds[k], HEIGHT, WIDTH, 60);
    for (int i = 0; i < flips; i++) {
      const int at = random_below((int)file.size), bit = 1 << random_below(8);
      fc_image_info info;
      file.data[at] ^= (unsigned char)bit;
      CHECK_CONTEXT("%s byte %d of %lu ^ %d", jpeg_kinds[k].name, at, file.size, bit);
      if (probe(&file, &info) && (int64_t)info.height * info.width <= 1 << 16) {
        const fc_rect part = random_rect(info.height, info.width);
        count(&t, compare(&file, &info, i % 2 ? part : whole(&info)));
      }
      file.data[at] ^= (unsigned char)bit;
    }
    free(file.data);
  }
  check_tally(&t);
}

static unsigned char *find_marker(const jpeg_file *file, int code) {
  for (unsigned long i = 0; i + 1 < file->size; i++)
    if (file->data[i] == 0xff && file->data[i + 1] == code) return file->data + i;
  fprintf(stderr, "a test's file has no marker %02x\n", (unsigned)code);
  exit(2);
}

/* Codes that mean something else than the encoder meant: ends of blocks of any run, values of up to
 * 15 bits.  255 is left out, which could make a marker. */
static void change_symbols(const jpeg_file *file) {
  const unsigned char *scan = find_marker(file, 0xda);
  for (unsigned char *table = find_marker(file, 0xc4); table < scan; table++) {
    if (table[0] != 0xff || table[1] != 0xc4 || table[4] >> 4 != 1) continue;
    const int symbols = (table[2] << 8 | table[3]) - 19;
    for (int change = random_below(40); change > 0; change--) {
      const int at = random_below(symbols);
      table[21 + at] = (unsigned char)random_below(255);
    }
  }
}

/* Bits that are no code at all, among other things. */
static void change_bits(const jpeg_file *file) {
  unsigned char *scan = find_marker(file, 0xda), *data = scan + 2 + scan[3];
  for (int change = random_below(4); change > 0; change--) {
    const int at = random_below((int)(file->data + file->size - data));
    data[at] ^= (unsigned char)(1 << random_below(8));
  }
}

static void test_drawn(int files) {
  tally t = {0};
  for (int i = 0; i < files; i++) {
    jpeg_file file = draw_jpeg(&jpeg_kinds[i % 15], 48, 40, random_density());
    fc_image_info info;
    CHECK_CONTEXT("drawn file %d", i);
    if (i % 2)
      change_symbols(&file);
    else
      change_bits(&file);
    CHECK(probe(&file, &info));
    count(&t, compare(&file, &info, whole(&info)));
    free(file.data);
  }
  check_tally(&t);
}

/* A table for differences that 8-bit images do not have is left to libjpeg. */
static void test_wide_differences(void) {
  jpeg_file file = make_jpeg(&jpeg_kinds[0], 48, 40, 80);
  unsigned char *last = find_marker(&file, 0xc4) + 4 + 16 + 12;
  fc_image_info info;
  CHECK_CONTEXT("a difference of 12 bits");
  CHECK(probe(&file, &info));
  CHECK_INT(*last, 11);
  *last = 12;
  CHECK_INT(compare(&file, &info, whole(&info)).own, 0);
  free(file.data);
}

/* ---- sums ----------------------------------------------------------------------------------- */

/* A grey square in which every block's DC coefficient is 2047 more than the last one's. */
static jpeg_file make_climbing(int blocks) {
  jpeg_file small = make_jpeg(&jpeg_kinds[11], 8, 8, 50);
  unsigned char *frame = find_marker(&small, 0xc0), *scan = find_marker(&small, 0xda);
  for (int i = 5; i < 9; i += 2) {
    frame[i] = (unsigned char)(8 * blocks >> 8);
    frame[i + 1] = (unsigned char)(8 * blocks);
  }
  /* The first code, two zeros in both tables: a difference of 11 bits, the end of the block. */
  unsigned char *tables = find_marker(&small, 0xc4);
  tables[4 + 17] = 11;
  const jpeg_file behind = {tables + 2, small.size - (size_t)(tables + 2 - small.data)};
  tables = find_marker(&behind, 0xc4);
  tables[4 + 17] = 0;

  const size_t header = (size_t)(scan - small.data) + 2 + scan[3];
  const size_t bits = (size_t)blocks * (size_t)blocks * 15;
  jpeg_file file = {check_alloc(header + bits / 4 + 16), header};
  memcpy(file.data, small.data, header);
  for (size_t bit = 0; bit < bits; bit += 8) {
    unsigned byte = 0;
    for (size_t i = bit; i < bit + 8; i++) byte = byte << 1 | (i % 15 >= 2 && i % 15 < 13);
    file.data[file.size++] = (unsigned char)byte;
    if (byte == 0xff) file.data[file.size++] = 0;
  }
  memcpy(file.data + file.size, "\xff\xd9", 2);
  file.size += 2;
  free(small.data);
  return file;
}

/* Sums are kept in 16 bits of a block, and libjpeg refuses those beyond 32. */
static void test_sums(void) {
  static const struct { int blocks, own; } squares[] = {{64, 1}, {700, 1}, {800, 0}, {1040, 0}};
  for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
    const int blocks = squares[i].blocks;
    jpeg_file file = make_climbing(blocks);
    fc_image_info info;
    CHECK_CONTEXT("%d x %d climbing blocks", blocks, blocks);
    CHECK(probe(&file, &info));
    CHECK_INT(info.height, 8 * blocks);
    const fc_rect bottom = {8 * blocks - 16, 8 * blocks - 24, 8 * blocks, 8 * blocks};
    CHECK_INT(compare(&file, &info, bottom).own, squares[i].own);
    free(file.data);
  }
}

int main(void) {
  if (!start_pair()) return check_result();
  test_truncated();
  test_flipped(1000);
  test_drawn(3000);
  test_wide_differences();
  test_sums();
  end_pair();
  return check_result();
}
