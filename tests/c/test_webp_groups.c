/* test_webp_groups.c: groups of prefix codes are counted as the specification read bit by bit
 * counts them; whatever libwebp decodes is counted; too many are refused. */
#include "fastcache.h"
#include "random.h"
#include "webp.h"
#include "webp_bits.h"
#include "webp_slow.h"

/* Where a file's lossless data are, of pixels or opacity; .data NULL: it has none. */
typedef struct lossless {
  const uint8_t *data;
  size_t size, header;
} lossless;

static lossless lossless_of(const webp_file *file) {
  enum { VP8L = 12, ALPH = 30, CHUNK_HEADER = 8 };
  const uint8_t *p = file->data;
  if (memcmp(p + VP8L, "VP8L", 4) == 0)
    return (lossless){p + VP8L + CHUNK_HEADER, file->size - VP8L - CHUNK_HEADER,
                      FC_WEBP_LOSSLESS_HEADER};
  if (memcmp(p + ALPH, "ALPH", 4) == 0 && (p[ALPH + CHUNK_HEADER] & 3) == 1)
    return (lossless){p + ALPH + CHUNK_HEADER + 1, fc_le32(p + ALPH + 4) - 1, 0};
  return (lossless){NULL, 0, 0};
}

static int count_groups(lossless l, int height, int width) {
  return fc_webp_groups(l.data, l.size, l.header, height, width);
}

static int count_slowly(lossless l, int height, int width) {
  return slow_groups(l.data, l.size, l.header, height, width);
}

/* The slow reader finds damage that does not matter for the number. */
static int check_same(lossless l, int height, int width) {
  int groups = count_groups(l, height, width), slow = count_slowly(l, height, width);
  CHECK(groups >= 0 && groups <= 65536);
  if (slow) CHECK_INT(groups, slow);
  return slow;
}

/* ---- sound files ------------------------------------------------------------------------------
 */

static void test_every_kind(void) {
  static const int sizes[][2] = {{1, 1}, {3, 5}, {64, 96}, {90, 201}, {40, 700}, {300, 33}};
  int with_data = 0, with_groups = 0;
  for (int k = 0; k < WEBP_KINDS; k++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      int h = sizes[s][0], w = sizes[s][1];
      webp_file file = make_webp(&webp_kinds[k], h, w);
      lossless l = lossless_of(&file);
      CHECK_CONTEXT("%s %dx%d", webp_kinds[k].name, h, w);
      if (l.data) {
        int groups = check_same(l, h, w);
        CHECK(groups > 0);
        with_data++;
        with_groups += groups > 1;
      }
      free(file.data);
    }
  CHECK_CONTEXT("all kinds");
  CHECK(with_data > 50);
  CHECK(with_groups > 5);
}

static void test_written_groups(void) {
  static const int counts[] = {1, 2, 255, 256, 257, 999, 2600, 2601, 65535, 65536};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int size = counts[i] > 2704 ? 1024 : 208;
    webp_file file = make_groups(size, counts[i], i % 2 ? 11 : 0);
    CHECK_CONTEXT("%d groups", counts[i]);
    CHECK_INT(count_groups(lossless_of(&file), size, size), counts[i]);
    free(file.data);
  }
}

/* ---- damaged files ----------------------------------------------------------------------------
 */

static const char *const damaged_kinds[] = {
    "lossless, slow", "lossless, patches",  "lossless, alpha",  "200 colours",
    "16 colours",     "alpha, best filter", "alpha, few levels"};
enum { DAMAGED_KINDS = sizeof damaged_kinds / sizeof *damaged_kinds, HEIGHT = 52, WIDTH = 71 };

static webp_file make_damaged(int i) {
  for (int k = 0; k < WEBP_KINDS; k++)
    if (strcmp(webp_kinds[k].name, damaged_kinds[i]) == 0)
      return make_webp(&webp_kinds[k], HEIGHT, WIDTH);
  CHECK_CONTEXT("%s", damaged_kinds[i]);
  CHECK(!"a kind of that name");
  exit(check_result());
}

/* Nothing until the groups are named; the number from there on. */
static void test_truncation(void) {
  for (int i = 0; i < DAMAGED_KINDS; i++) {
    webp_file file = make_damaged(i);
    lossless l = lossless_of(&file);
    int whole = count_groups(l, HEIGHT, WIDTH), before = 0;
    for (size_t size = l.header; size <= l.size; size++) {
      uint8_t *copy = check_alloc(size); /* exactly sized, so that reading over is seen */
      memcpy(copy, l.data, size);
      lossless part = {copy, size, l.header};
      CHECK_CONTEXT("%s, %zu bytes", damaged_kinds[i], size);
      int groups = count_groups(part, HEIGHT, WIDTH);
      if (size % 16 == 0) check_same(part, HEIGHT, WIDTH);
      /* the end of fewer than 64 bits is not noticed, and what they miss is 0 */
      if (size >= 8) CHECK(before ? groups == whole : groups == 0 || groups == whole);
      if (size >= 8) before = groups;
      free(copy);
    }
    CHECK_INT(before, whole);
    free(file.data);
  }
}

static void damage(uint8_t *data, size_t size) {
  size_t reach = random_below(2) ? size : FC_MIN(size, 60);
  for (int i = random_below(3); i >= 0; i--) {
    uint8_t *at = data + random_below((int)reach);
    *at = random_below(2) ? (uint8_t)random_below(256) : (uint8_t)(*at ^ 1 << random_below(8));
  }
}

static void test_damage(void) {
  enum { RUNS = 150 };
  int decoded = 0, counted = 0;
  for (int i = 0; i < DAMAGED_KINDS; i++) {
    webp_file sound = make_damaged(i);
    lossless l = lossless_of(&sound);
    size_t start = (size_t)(l.data - sound.data) + l.header;
    for (int k = 0; k < RUNS; k++) {
      webp_file file = {check_alloc(sound.size), sound.size};
      memcpy(file.data, sound.data, sound.size);
      damage(file.data + start, l.size - l.header);
      CHECK_CONTEXT("%s, damage %d", damaged_kinds[i], k);
      l = lossless_of(&file);
      counted += l.data && check_same(l, HEIGHT, WIDTH);
      uint8_t *pixels = decode_webp_plainly(&file, HEIGHT, WIDTH);
      if (pixels && l.data) CHECK(count_groups(l, HEIGHT, WIDTH) > 0);
      decoded += pixels != NULL;
      free(pixels);
      free(file.data);
      l = lossless_of(&sound);
    }
    free(sound.data);
  }
  CHECK_CONTEXT("all damage");
  CHECK(decoded > 100 && decoded < counted && counted < DAMAGED_KINDS * RUNS);
}

static void test_noise(void) {
  int counted = 0;
  for (int k = 0; k < 2000; k++) {
    size_t size = (size_t)random_below(300);
    uint8_t *noise = check_alloc(size);
    for (size_t i = 0; i < size; i++) noise[i] = (uint8_t)random_below(256);
    CHECK_CONTEXT("noise %d", k);
    lossless l = {noise, size, 0};
    counted += check_same(l, 1 + random_below(500), 1 + random_below(500)) > 0;
    free(noise);
  }
  CHECK(counted > 100);
}

/* ---- what the specification forbids ------------------------------------------------------------
 */

typedef struct written {
  const char *what;
  int groups;
  uint32_t parts[14][2]; /* value, bits */
} written;

/* Of 8 x 8 pixels. */
static const written rules[] = {
    {"green subtracted once", 1, {{5, 3}, {0, 1}, {0, 1}, {0, 1}}},
    {"green subtracted twice", 0, {{5, 3}, {5, 3}, {0, 1}, {0, 1}, {0, 1}}},
    {"cache of 11 bits", 1, {{0, 1}, {1, 1}, {11, 4}, {0, 1}}},
    {"cache of 12 bits", 0, {{0, 1}, {1, 1}, {12, 4}, {0, 1}}},
    {"cache of no bits", 0, {{0, 1}, {1, 1}, {0, 4}, {0, 1}}},
    {"numbers 0", 1, {{4, 3}, {0, 3}, {0, 1}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {1, 4}}},
    {"numbers 257", 258, {{4, 3}, {0, 3}, {0, 1}, {9, 4}, {9, 4}, {1, 4}, {1, 4}, {1, 4}}},
    {"number 257 somewhere",
     258,
     {{4, 3}, {0, 3}, {0, 1}, {0x13, 12}, {9, 4}, {1, 4}, {1, 4}, {1, 4}, {8, 4}}},
    {"a code without symbols",
     0,
     {{4, 3}, {0, 3}, {0, 1}, {1, 4}, {1, 4}, {1, 4}, {1, 4}, {200 << 3 | 5, 11}}},
    {"a code that is not complete", 0, {{4, 3}, {0, 3}, {0, 1}, {0, 5}, {1 | 2 << 3, 6}, {0, 9}}},
};

static void test_rules(void) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    bit_writer w = {0};
    for (int k = 0; k < 14; k++) put_bits(&w, rules[i].parts[k][0], (int)rules[i].parts[k][1]);
    for (int k = 0; k < 64; k++) put_bits(&w, 0, 1);
    CHECK_CONTEXT("%s", rules[i].what);
    lossless l = {w.data, bytes_written(&w), 0};
    CHECK_INT(count_groups(l, 8, 8), rules[i].groups);
    CHECK_INT(count_slowly(l, 8, 8), rules[i].groups);
    free(w.data);
  }
}

/* ---- refusal -----------------------------------------------------------------------------------
 */

static void check_decode(const webp_file *file, int size, fc_status wanted) {
  const fc_geometry g = {.src_h = size,
                         .src_w = size,
                         .crop_h = size,
                         .crop_w = size,
                         .size_h = 8,
                         .size_w = 8,
                         .out_h = 8,
                         .out_w = 8};
  const fc_image_spec spec = {.channels = 3, .filter = FC_BILINEAR, .limits = fc_default_limits};
  uint8_t out[8 * 8 * 3];
  char text[200];
  int detail = 0;
  fc_decoder *decoder = fc_decoder_new();
  CHECK_INT(fc_decode(decoder, file->data, file->size, &spec, &g, out, 24, &detail), wanted);
  fc_describe(wanted, detail, text, sizeof text);
  CHECK((strstr(text, "more prefix codes") != NULL) == (wanted != FC_OK));
  fc_decoder_free(decoder);
}

static void test_refusal(void) {
  static const struct {
    int size, groups;
    fc_status wanted;
  } cases[] = {{208, 2600, FC_OK}, {208, 2601, FC_E_CORRUPT}, {1024, 65536, FC_E_CORRUPT}};
  for (int i = 0; i < 3; i++) {
    CHECK_CONTEXT("%d groups", cases[i].groups);
    webp_file file = make_groups(cases[i].size, cases[i].groups, 0);
    check_decode(&file, cases[i].size, cases[i].wanted);
    free(file.data);
    CHECK_CONTEXT("%d groups of opacity", cases[i].groups);
    file = make_opacity_groups(cases[i].size, cases[i].groups);
    check_decode(&file, cases[i].size, cases[i].wanted);
    free(file.data);
  }
}

int main(void) {
  test_every_kind();
  test_written_groups();
  test_truncation();
  test_damage();
  test_noise();
  test_rules();
  test_refusal();
  return check_result();
}
