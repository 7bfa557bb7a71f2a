/* test_file.c: files that are far from ordinary, and what the statuses are called. */
#define _XOPEN_SOURCE 700 /* mkdtemp, P_tmpdir */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fastcache.h"
#include "jpeg_maker.h"

/* ---- probing files
 * ---------------------------------------------------------------------------------- */

static char folder[] = P_tmpdir "/fastcache-test-XXXXXX";

static const char *path_in_folder(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *path, const uint8_t *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size);
  if (file) fclose(file);
}

static void check_file(const char *path, fc_status expected, int expected_detail) {
  fc_image_info info;
  int detail = -1;
  CHECK_CONTEXT("%s", path);
  CHECK_INT(fc_probe_file(path, &fc_default_limits, 0, &info, &detail), expected);
  CHECK_INT(detail, expected_detail);
}

/* The same header, with segments of 64 KB before the frame, from bytes and through windows. */
static void test_far_header(void) {
  jpeg_file tail = make_jpeg(&jpeg_kinds[0], 32, 48, 75);
  set_orientation(&tail, 7);
  for (size_t segments = 0; segments < 40; segments += 13)
    for (size_t odd = 0; odd < 30; odd++) {
      size_t length = 65535 - odd, size = 2 + segments * (length + 2) + tail.size - 2;
      uint8_t *data = check_alloc(size), *to = data + 2;
      memcpy(data, "\xff\xd8", 2);
      for (size_t i = 0; i < segments; i++, to += length + 2) {
        memset(to, 0xff, length + 2); /* content that looks like markers */
        to[1] = 0xe2;
        to[2] = (uint8_t)(length >> 8);
        to[3] = (uint8_t)length;
      }
      memcpy(to, tail.data + 2, tail.size - 2);
      const char *path = path_in_folder("far.jpg");
      write_file(path, data, size);
      fc_image_info from_bytes, from_file;
      CHECK_CONTEXT("%zu segments of %zu", segments, length);
      CHECK_INT(fc_probe_bytes(data, size, &fc_default_limits, &from_bytes), FC_OK);
      CHECK_INT(fc_probe_file(path, &fc_default_limits, 1, &from_file, NULL), FC_OK);
      CHECK(memcmp(&from_bytes, &from_file, sizeof from_file) == 0);
      CHECK_INT(from_file.orientation, 7);
      CHECK_INT(from_file.height, 32);
      free(data);
    }
  free(tail.data);
}

/* 16 MB of two-byte segments: read in part, then left to Pillow. */
static void test_endless_header(void) {
  size_t size = 16 << 20;
  uint8_t *data = check_alloc(size);
  memcpy(data, "\xff\xd8\xff\xe0", 4);
  for (size_t i = 2; i + 4 <= size; i += 4) memcpy(data + i, "\xff\xe5\0\x02", 4);
  const char *path = path_in_folder("endless.jpg");
  write_file(path, data, size);
  free(data);
  check_file(path, FC_NEEDS_PYTHON, 0);
}

static void test_not_files(void) {
  check_file(folder, FC_E_NOT_REGULAR, 0);
  check_file(path_in_folder("missing"), FC_E_IO, ENOENT);
  const char *path = path_in_folder("fifo");
  CHECK(mkfifo(path, 0600) == 0);
  check_file(path, FC_E_NOT_REGULAR, 0); /* and does not wait for a writer */
  path = path_in_folder("empty");
  write_file(path, (const uint8_t *)"", 0);
  check_file(path, FC_E_EMPTY, 0);
  path = path_in_folder("loop");
  CHECK(symlink("loop", path) == 0);
  check_file(path, FC_E_IO, ELOOP);
  path = path_in_folder("text.jpg");
  write_file(path, (const uint8_t *)"not an image", 12);
  check_file(path, FC_NEEDS_PYTHON, 0);
}

static void test_files(void) {
  CHECK(mkdtemp(folder) != NULL);
  test_far_header();
  test_endless_header();
  test_not_files();
  static const char *const names[] = {"far.jpg", "endless.jpg", "fifo",
                                      "empty",   "loop",        "text.jpg"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(path_in_folder(names[i]));
  CHECK(rmdir(folder) == 0);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void test_texts(void) {
  char text[200], small[8];
  for (int status = -1; status <= FC_STATUS_COUNT; status++) {
    CHECK_CONTEXT("status %d", status);
    const char *sentence = fc_status_text(status);
    CHECK(sentence && *sentence && sentence[strlen(sentence) - 1] != '.');
  }
  CHECK(strstr(fc_describe(FC_E_IO, ENOENT, text, sizeof text), strerror(ENOENT)) != NULL);
  CHECK(fc_describe(FC_E_CORRUPT, 1 << 30, text, sizeof text) == text);
  for (int code = 0; code < 140; code++) /* libjpeg's printf formats are not shown as such */
    CHECK(strchr(fc_describe(FC_E_CORRUPT, code, text, sizeof text), '%') == NULL);
  CHECK_INT(strlen(fc_describe(FC_E_IO, ENOENT, small, sizeof small)), sizeof small - 1);
  CHECK(strcmp(fc_format_name(FC_FORMAT_JPEG), "JPEG") == 0);
  CHECK(strcmp(fc_format_name(-1), fc_format_name(FC_FORMAT_UNKNOWN)) == 0);
  CHECK(strcmp(fc_format_name(FC_FORMAT_COUNT), fc_format_name(FC_FORMAT_UNKNOWN)) == 0);
}

int main(void) {
  test_files();
  test_texts();
  return check_result();
}
