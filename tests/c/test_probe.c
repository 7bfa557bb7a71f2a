/* test_probe.c: what headers say: whole, odd and hostile ones. */
#include "bytes.h"
#include "fastcache.h"
#include "jpeg_maker.h"

static fc_status probe(const void *data, size_t size, fc_image_info *info) {
  return fc_probe_bytes(data, size, &fc_default_limits, info);
}

/* ---- other formats: their size only -------------------------------------------------------- */

static void check_size(const bytes *b, int format, int height, int width) {
  fc_image_info info;
  CHECK_INT(probe(b->data, b->size, &info), FC_OK);
  CHECK_INT(info.format, format);
  CHECK_INT(info.height, height);
  CHECK_INT(info.width, width);
  CHECK_INT(info.bytes, b->size);
  CHECK_INT(info.orientation, 1);
  CHECK_INT(info.flags & FC_IMAGE_IN_C, 0);
  for (size_t cut = 1; cut < b->size; cut++) { /* exactly sized, so that reading over is seen */
    uint8_t *part = check_alloc(cut);
    memcpy(part, b->data, cut);
    fc_status status = probe(part, cut, &info);
    CHECK(status == FC_OK || status == FC_NEEDS_PYTHON);
    free(part);
  }
}

static void test_other_formats(void) {
  CHECK_CONTEXT("PNG");
  bytes png = {{0}, 0};
  PUT(&png, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\1\2\0\0\0\x30\x08\x06\0\0\0");
  check_size(&png, FC_FORMAT_PNG, 48, 258);

  CHECK_CONTEXT("GIF whose first frame is larger than its screen");
  bytes gif = {{0}, 0};
  PUT(&gif, "GIF89a\x05\0\x06\0\x80\0\0......");
  PUT(&gif, "!\xf9\4\0\0\0\0\0");
  PUT(&gif, "!\xfe\3abc\2de\0");
  PUT(&gif, ",\3\0\1\0\x0a\0\x05\0\0");
  check_size(&gif, FC_FORMAT_GIF, 6, 13);

  CHECK_CONTEXT("BMP, rows from top to bottom");
  bytes bmp = {{0}, 0};
  PUT(&bmp, "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x0a\0\0\0\xfb\xff\xff\xff");
  check_size(&bmp, FC_FORMAT_BMP, 5, 10);
  CHECK_CONTEXT("BMP of OS/2");
  bytes os2 = {{0}, 0};
  PUT(&os2, "BM\0\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0\x0a\0\x07\0\1\0\x18\0");
  check_size(&os2, FC_FORMAT_BMP, 7, 10);
}

static void test_left_to_python(void) {
  static const struct {
    const char *text;
    size_t size;
    int format;
  } cases[] = {
      {"II*\0\x08\0\0\0", 8, FC_FORMAT_TIFF}, {"MM\0*\0\0\0\x08", 8, FC_FORMAT_TIFF},
      {"P6 3 4 255 ", 11, FC_FORMAT_UNKNOWN}, {"\xff\xd8", 2, FC_FORMAT_UNKNOWN},
      {"\xff\xd8x", 3, FC_FORMAT_UNKNOWN},    {"x", 1, FC_FORMAT_UNKNOWN},
      {"GIF89a", 6, FC_FORMAT_GIF},           {"RIFF....WAVEfmt ", 16, FC_FORMAT_UNKNOWN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fc_image_info info;
    CHECK_CONTEXT("case %zu", i);
    CHECK_INT(probe(cases[i].text, cases[i].size, &info), FC_NEEDS_PYTHON);
    CHECK_INT(info.format, cases[i].format);
    CHECK_INT(info.bytes, cases[i].size);
  }
  fc_image_info info;
  CHECK_INT(probe("", 0, &info), FC_E_EMPTY);
}

/* ---- JPEG ----------------------------------------------------------------------------------- */

static void test_every_kind(void) {
  for (int k = 0; k < JPEG_KINDS; k++) {
    const jpeg_kind *kind = &jpeg_kinds[k];
    jpeg_file file = make_jpeg(kind, 45, 67, 80);
    fc_image_info info;
    CHECK_CONTEXT("%s", kind->name);
    CHECK_INT(probe(file.data, file.size, &info), FC_OK);
    CHECK_INT(info.format, FC_FORMAT_JPEG);
    CHECK_INT(info.height, 45);
    CHECK_INT(info.width, 67);
    CHECK_INT(info.components, kind->components);
    CHECK_INT(info.depth, 8);
    CHECK(info.flags & FC_IMAGE_IN_C);
    CHECK_INT(!!(info.flags & FC_IMAGE_MULTISCAN), kind->progressive || kind->separate);
    if (kind->separate) CHECK_INT(info.scans, kind->components);
    if (!kind->separate && !kind->progressive) CHECK_INT(info.scans, 1);
    if (kind->progressive == 1) CHECK(info.scans > 5 && info.scans < 20);
    free(file.data);
  }
}

/* A JPEG header: SOI, `segments`, a frame of the given kind, the beginning of a scan. */
static bytes jpeg_header(const char *segments, size_t size, const char *frame, size_t frame_size) {
  bytes b = {{0}, 0};
  PUT(&b, "\xff\xd8");
  put(&b, segments, size);
  put(&b, frame, frame_size);
  PUT(&b, "\xff\xda\0\x08\1\1\0\0\x3f\0");
  return b;
}
#define GREY_FRAME "\xff\xc0\0\x0b\x08\0\x20\0\x30\1\1\x11\0"
#define JPEG_WITH(segments) \
  jpeg_header(segments, sizeof(segments) - 1, GREY_FRAME, sizeof(GREY_FRAME) - 1)
#define JPEG_FRAME(frame) jpeg_header("", 0, frame, sizeof(frame) - 1)

static void check_jpeg(const char *what, bytes b, fc_status status, int orientation) {
  fc_image_info info;
  CHECK_CONTEXT("%s", what);
  CHECK_INT(probe(b.data, b.size, &info), status);
  CHECK_INT(info.format, FC_FORMAT_JPEG);
  CHECK_INT(info.orientation, orientation);
}

static void test_orientation(void) {
#define EXIF(length, tiff) "\xff\xe1\0" length "Exif\0\0" tiff
  check_jpeg("no EXIF", JPEG_WITH(""), FC_OK, 1);
  check_jpeg("big endian",
             JPEG_WITH(EXIF("\x22", "MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")),
             FC_OK, 6);
  check_jpeg("little endian",
             JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0\0\0\0\0")),
             FC_OK, 5);
  check_jpeg("a 32-bit value",
             JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\1\0\x12\1\4\0\1\0\0\0\x08\0\0\0\0\0\0\0")),
             FC_OK, 8);
  check_jpeg("value out of range",
             JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x09\0\0\0\0\0\0\0")),
             FC_OK, 1);
  check_jpeg("value zero",
             JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\0\0\0\0\0\0\0\0")),
             FC_OK, 1);
  check_jpeg("directory beyond the segment",
             JPEG_WITH(EXIF("\x22", "II*\0\x18\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0\0\0\0\0")),
             FC_OK, 1);
  check_jpeg("directory at 4 GiB",
             JPEG_WITH(EXIF("\x22", "II*\0\xff\xff\xff\xff\1\0\x12\1\3\0\1\0\0\0\5\0\0\0\0\0\0\0")),
             FC_OK, 1);
  check_jpeg("an entry cut off by the segment's end",
             JPEG_WITH(EXIF("\x1c", "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0")), FC_OK, 1);
  check_jpeg("more entries promised than there are",
             JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\xff\xff\x12\1\3\0\1\0\0\0\5\0\0\0\0\0\0\0")),
             FC_OK, 5);
  check_jpeg("neither endian",
             JPEG_WITH(EXIF("\x22", "XX*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\5\0\0\0\0\0\0\0")),
             FC_OK, 1);
  check_jpeg("an empty EXIF block",
             JPEG_WITH("\xff\xe1\0\x08"
                       "Exif\0\0"),
             FC_OK, 1);
  check_jpeg("the tag twice",
             JPEG_WITH(EXIF("\x2e",
                            "II*\0\x08\0\0\0\2\0\x12\1\3\0\1\0\0\0\5\0\0\0"
                            "\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")),
             FC_OK, 5);
  check_jpeg("the prefix twice", JPEG_WITH(EXIF("\x28", "Exif\0\0" TIFF("\5"))), FC_OK, 5);
}

static void check_flags(const char *what, bytes b, int flags, int orientation) {
  fc_image_info info;
  check_jpeg(what, b, FC_OK, orientation);
  CHECK_INT(probe(b.data, b.size, &info), FC_OK);
  CHECK_INT(info.flags, flags);
}

/* Pillow turns images by XMP where EXIF does not say anything. */
static void test_xmp_orientation(void) {
#define XMP(length, text) "\xff\xe1\0" length "http://ns.adobe.com/xap/1.0/\0" text
  const int ask = FC_IMAGE_IN_C | FC_IMAGE_ASK_ORIENTATION;
  check_flags("attribute", JPEG_WITH(XMP("\x33", "tiff:Orientation=\"8\"")), FC_IMAGE_IN_C, 8);
  check_flags("element", JPEG_WITH(XMP("\x31", "tiff:Orientation>3")), FC_IMAGE_IN_C, 3);
  check_flags("nonsense", JPEG_WITH(XMP("\x31", "tiff:Orientation>9")), FC_IMAGE_IN_C, 1);
  check_flags("no digit", JPEG_WITH(XMP("\x31", "tiff:Orientation>x")), FC_IMAGE_IN_C, 1);
  check_flags("no value", JPEG_WITH(XMP("\x2f", "tiff:Orientation")), FC_IMAGE_IN_C, 1);
  check_flags("cut off", JPEG_WITH(XMP("\x31", "tiff:Orientation=\"")), FC_IMAGE_IN_C, 1);
  check_flags("another name", JPEG_WITH(XMP("\x31", "exif:Orientation>3")), FC_IMAGE_IN_C, 1);
  check_flags("the first that fits",
              JPEG_WITH(XMP("\x51", "tiff:Orientation>tiff:Orientation>4tiff:Orientation>5")),
              FC_IMAGE_IN_C, 4);
  check_flags("an empty packet", JPEG_WITH(XMP("\x1f", "")), FC_IMAGE_IN_C, 1);
  check_flags("the last packet",
              JPEG_WITH(XMP("\x31", "tiff:Orientation>3") XMP("\x31", "tiff:Orientation>4")),
              FC_IMAGE_IN_C, 4);
  check_flags("EXIF goes first",
              JPEG_WITH(XMP("\x31", "tiff:Orientation>3") EXIF("\x22", TIFF("\6"))), FC_IMAGE_IN_C,
              6);
  check_flags("EXIF whose value is nonsense",
              JPEG_WITH(XMP("\x31", "tiff:Orientation>3") EXIF("\x22", TIFF("\x2a"))),
              FC_IMAGE_IN_C, 1);
  check_flags(
      "EXIF without the tag",
      JPEG_WITH(EXIF("\x16", "II*\0\x08\0\0\0\0\0\0\0\0\0") XMP("\x31", "tiff:Orientation>3")),
      FC_IMAGE_IN_C, 3);
  check_flags("a value of another type",
              JPEG_WITH(EXIF("\x22", "II*\0\x08\0\0\0\1\0\x12\1\1\0\1\0\0\0\6\0\0\0\0\0\0\0")), ask,
              1);
  check_flags("EXIF in two parts", JPEG_WITH(EXIF("\x22", TIFF("\6")) EXIF("\x0a", "ab")), ask, 1);
#undef XMP
#undef EXIF
}

/* Wherever it lies in a packet that is longer than the probe's window. */
static void test_long_xmp(void) {
  enum { TEXT = 5000, HEAD = 31 };
  const char name[] = "tiff:Orientation=\"7\"";
  bytes b = JPEG_WITH("");
  size_t size = b.size + 2 + HEAD + TEXT;
  uint8_t *data = check_alloc(size), *text = data + 4 + HEAD;
  memcpy(data, "\xff\xd8\xff\xe1", 4);
  data[4] = (HEAD + TEXT) >> 8;
  data[5] = (HEAD + TEXT) & 255;
  memcpy(data + 6, "http://ns.adobe.com/xap/1.0/", 29);
  memcpy(text + TEXT, b.data + 2, b.size - 2);
  for (size_t at = 0; at + sizeof name - 1 <= TEXT; at++) {
    fc_image_info info;
    CHECK_CONTEXT("byte %zu", at);
    memset(text, 't', TEXT);
    memcpy(text + at, name, sizeof name - 1);
    CHECK_INT(probe(data, size, &info), FC_OK);
    CHECK_INT(info.orientation, 7);
  }
  free(data);
}

static void test_frames(void) {
#define FRAME(type, depth, size, components) JPEG_FRAME("\xff" type "\0\x08" depth size components)
  check_jpeg("lossless", FRAME("\xc3", "\x08", "\0\x20\0\x30", "\1"), FC_NEEDS_PYTHON, 1);
  check_jpeg("hierarchical", FRAME("\xc5", "\x08", "\0\x20\0\x30", "\1"), FC_NEEDS_PYTHON, 1);
  check_jpeg("12 bits", FRAME("\xc1", "\x0c", "\0\x20\0\x30", "\1"), FC_NEEDS_PYTHON, 1);
  check_jpeg("two components", FRAME("\xc0", "\x08", "\0\x20\0\x30", "\2"), FC_NEEDS_PYTHON, 1);
  check_jpeg("no height", FRAME("\xc0", "\x08", "\0\0\0\x30", "\1"), FC_E_CORRUPT, 1);
  check_jpeg("no width", FRAME("\xc0", "\x08", "\0\x20\0\0", "\1"), FC_E_CORRUPT, 1);
  check_jpeg("huge", FRAME("\xc0", "\x08", "\xff\xff\xff\xff", "\3"), FC_E_PIXELS, 1);
  check_jpeg("no frame", JPEG_FRAME(""), FC_E_CORRUPT, 1);
  check_jpeg("two frames", JPEG_WITH(GREY_FRAME), FC_E_CORRUPT, 1);
  check_jpeg("a short frame", JPEG_FRAME("\xff\xc0\0\x06\x08\0\x20\0"), FC_E_CORRUPT, 1);
#undef FRAME
}

static void test_markers(void) {
  check_jpeg("fill bytes", JPEG_WITH("\xff\xff\xff\xff"), FC_OK, 1);
  check_jpeg("junk between segments", JPEG_WITH("\xff\xfe\0\x02junk\xff\0junk"), FC_OK, 1);
  check_jpeg("a restart marker", JPEG_WITH("\xff\xd3"), FC_OK, 1);
  check_jpeg("a second start", JPEG_WITH("\xff\xd8"), FC_E_CORRUPT, 1);
  check_jpeg("a reserved marker", JPEG_WITH("\xff\x42"), FC_E_CORRUPT, 1);
  check_jpeg("an end before the image", JPEG_WITH("\xff\xd9"), FC_NEEDS_PYTHON, 1);
  check_jpeg("JFIF without its version", JPEG_WITH("\xff\xe0\0\x07JFIF\0"), FC_E_CORRUPT, 1);
  check_jpeg("Adobe without its version",
             JPEG_WITH("\xff\xee\0\x07"
                       "Adobe"),
             FC_E_CORRUPT, 1);
  check_jpeg("a segment longer than the file", JPEG_WITH("\xff\xe5\xff\xff"), FC_E_TRUNCATED, 1);
  bytes b = JPEG_WITH("");
  for (size_t cut = 3; cut < b.size - 7; cut++) {
    bytes part = b;
    part.size = cut;
    check_jpeg("cut", part, FC_E_TRUNCATED, 1);
  }
}

static void test_scan_limit(void) {
  bytes b = JPEG_FRAME("\xff\xc2\0\x0b\x08\0\x20\0\x30\1\1\x11\0");
  size_t scans = 1000, scan = 10, size = b.size + scans * scan;
  uint8_t *data = check_alloc(size);
  memcpy(data, b.data, b.size);
  for (size_t i = 0; i < scans; i++)
    memcpy(data + b.size + i * scan, "\xff\xda\0\x08\1\1\0\0\x3f\0", scan);
  fc_image_info info;
  CHECK_CONTEXT("1001 scans");
  CHECK_INT(probe(data, size, &info), FC_E_SCANS);
  CHECK_INT(info.scans, fc_default_limits.max_scans + 1); /* counting ended there */
  fc_limits limits = fc_default_limits;
  limits.max_scans = 1001;
  CHECK_INT(fc_probe_bytes(data, size, &limits, &info), FC_OK);
  CHECK_INT(info.scans, 1001);
  free(data);
}

int main(void) {
  test_other_formats();
  test_left_to_python();
  test_every_kind();
  test_orientation();
  test_xmp_orientation();
  test_long_xmp();
  test_frames();
  test_markers();
  test_scan_limit();
  return check_result();
}
