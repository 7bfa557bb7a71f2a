/* test_webp_probe.c: containers of WebP: sound, contradictory and cut ones. */
#include "bytes.h"
#include "check.h"
#include "fastcache.h"

static fc_status probe(const void *data, size_t size, fc_image_info *info) {
  return fc_probe_bytes(data, size, &fc_default_limits, info);
}

/* Frames of 320 x 240, as chunks. */
#define VP8_CHUNK "VP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x40\1\xf0\0"
#define VP8L_CHUNK "VP8L\x05\0\0\0\x2f\x3f\xc1\x3b\0\0"   /* the last byte is padding */
#define VP8L_CLEAR "VP8L\x05\0\0\0\x2f\x3f\xc1\x3b\x10\0" /* with an alpha channel */
#define VP8X_CHUNK(flags) "VP8X\x0a\0\0\0" flags "\0\0\0\x3f\1\0\xef\0\0"
#define ALPH_CHUNK "ALPH\3\0\0\0\0ab\0"
#define EXIF_CHUNK(tiff) "EXIF\x1a\0\0\0" tiff
#define XMP_CHUNK(length, text) "XMP " length "\0\0\0" text
#define TURNED_XMP XMP_CHUNK("\x16", "<tiff:Orientation>6</t")

static bytes webp(const char *chunks, size_t size) {
  bytes b = {{0}, 0};
  PUT(&b, "RIFF....WEBP");
  put(&b, chunks, size);
  memcpy(b.data + 4, (uint8_t[4]){(uint8_t)(b.size - 8), (uint8_t)((b.size - 8) >> 8)}, 4);
  return b;
}
#define WEBP(chunks) webp(chunks, sizeof(chunks) - 1)

enum { STILL = FC_IMAGE_IN_C, WHOLE = FC_IMAGE_IN_C | FC_IMAGE_MULTISCAN };

/* A sound file: its flags and its orientation; without its last byte it is refused. */
static void check_webp(const char *what, bytes b, int flags, int orientation) {
  fc_image_info info;
  CHECK_CONTEXT("%s", what);
  CHECK_INT(probe(b.data, b.size, &info), FC_OK);
  CHECK_INT(info.format, FC_FORMAT_WEBP);
  CHECK_INT(info.height, 240);
  CHECK_INT(info.width, 320);
  CHECK_INT(info.depth, 8);
  CHECK_INT(info.flags, flags);
  CHECK_INT(info.components, flags & FC_IMAGE_ALPHA ? 4 : 3);
  CHECK_INT(info.orientation, orientation);
  for (size_t cut = 12; cut < b.size; cut++) {
    uint8_t *part = check_alloc(cut);
    memcpy(part, b.data, cut);
    CHECK_INT(probe(part, cut, &info), FC_E_TRUNCATED);
    free(part);
  }
  PUT(&b, "what follows the container");
  CHECK_INT(probe(b.data, b.size, &info), FC_OK);
  CHECK_INT(info.flags, flags);
}

static void test_kinds(void) {
  check_webp("lossy", WEBP(VP8_CHUNK), STILL, 1);
  check_webp("lossless", WEBP(VP8L_CHUNK), WHOLE, 1);
  check_webp("lossless with alpha", WEBP(VP8L_CLEAR), WHOLE | FC_IMAGE_ALPHA, 1);
  check_webp("extended", WEBP(VP8X_CHUNK("\0") VP8_CHUNK), STILL, 1);
  check_webp("extended, lossless", WEBP(VP8X_CHUNK("\0") VP8L_CHUNK), WHOLE, 1);
  check_webp("with alpha", WEBP(VP8X_CHUNK("\x10") ALPH_CHUNK VP8_CHUNK), STILL | FC_IMAGE_ALPHA,
             1);
  check_webp("alpha without its flag", WEBP(VP8X_CHUNK("\0") ALPH_CHUNK VP8_CHUNK), STILL, 1);
  check_webp("the flag without alpha", WEBP(VP8X_CHUNK("\x10") VP8_CHUNK), STILL, 1);
  check_webp("lossless with alpha, without the flag", WEBP(VP8X_CHUNK("\0") VP8L_CLEAR),
             WHOLE | FC_IMAGE_ALPHA, 1);
  check_webp("profile and unknown chunks",
             WEBP(VP8X_CHUNK("\x20") "ICCP\1\0\0\0x\0" VP8_CHUNK "abcd\3\0\0\0xyz\0"), STILL, 1);
  check_webp("animated", WEBP(VP8X_CHUNK("\2") "ANIM\6\0\0\0......"), FC_IMAGE_ANIMATED, 1);
}

static void test_orientation(void) {
#define WITH(flags, chunks) WEBP(VP8X_CHUNK(flags) VP8_CHUNK chunks)
  const int ask = STILL | FC_IMAGE_ASK_ORIENTATION;
  check_webp("EXIF", WITH("\x08", EXIF_CHUNK(TIFF("\6"))), STILL, 6);
  check_webp("EXIF before the frame", WEBP(VP8X_CHUNK("\x08") EXIF_CHUNK(TIFF("\6")) VP8_CHUNK),
             STILL, 6);
  check_webp("EXIF without its flag", WITH("\4", EXIF_CHUNK(TIFF("\6"))), STILL, 1);
  check_webp("two EXIF chunks", WITH("\x08", EXIF_CHUNK(TIFF("\5")) EXIF_CHUNK(TIFF("\6"))), STILL,
             5);
  check_webp("with JPEG's prefix", WITH("\x08", "EXIF\x20\0\0\0Exif\0\0" TIFF("\6")), STILL, 6);
  check_webp("with two of them", WITH("\x08", "EXIF\x26\0\0\0Exif\0\0Exif\0\0" TIFF("\6")), STILL,
             6);
  check_webp("with three", WITH("\x08", "EXIF\x2c\0\0\0Exif\0\0Exif\0\0Exif\0\0" TIFF("\6")),
             STILL | FC_IMAGE_ASK_ORIENTATION, 1);
  check_webp("an empty EXIF chunk", WITH("\x08", "EXIF\0\0\0\0"), STILL, 1);
  check_webp("a number as text",
             WITH("\x08",
                  "EXIF\x1a\0\0\0II*\0\x08\0\0\0\1\0\x12\1\2\0\2\0\0\0"
                  "6\0\0\0\0\0\0\0"),
             ask, 1);
  check_webp("BigTIFF", WITH("\x08", "EXIF\x08\0\0\0II+\0\x08\0\0\0"), ask, 1);
  check_webp("XMP", WITH("\4", TURNED_XMP), STILL, 6);
  check_webp("XMP without its flag", WITH("\x08", TURNED_XMP), STILL, 1);
  check_webp("EXIF before XMP", WITH("\x0c", EXIF_CHUNK(TIFF("\3")) TURNED_XMP), STILL, 3);
  check_webp("EXIF without the tag",
             WITH("\x0c", "EXIF\x0e\0\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" TURNED_XMP), STILL, 6);
  check_webp("EXIF whose value is nonsense", WITH("\x0c", EXIF_CHUNK(TIFF("\x2a")) TURNED_XMP),
             STILL, 1);
#undef WITH
}

/* What only Pillow judges: at most its size is known. */
static void check_odd(const char *what, bytes b, fc_status status) {
  fc_image_info info;
  CHECK_CONTEXT("%s", what);
  CHECK_INT(probe(b.data, b.size, &info), status);
  CHECK_INT(info.format, FC_FORMAT_WEBP);
  CHECK_INT(info.flags, 0);
  CHECK_INT(info.width, status == FC_OK ? 320 : 0);
  CHECK_INT(info.orientation, 1);
}

static void test_odd(void) {
  check_odd("no chunk", WEBP(""), FC_NEEDS_PYTHON);
  check_odd("an unknown first chunk", WEBP("abcd\2\0\0\0xy"), FC_NEEDS_PYTHON);
  check_odd("no padding", WEBP("VP8L\x05\0\0\0\x2f\x3f\xc1\x3b\0"), FC_NEEDS_PYTHON);
  check_odd("another version", WEBP("VP8L\x06\0\0\0\x30\x3f\xc1\x3b\0\0"), FC_NEEDS_PYTHON);
  check_odd("no start code", WEBP("VP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2b\x40\1\xf0\0"),
            FC_NEEDS_PYTHON);
  check_odd("more behind a simple frame", WEBP(VP8_CHUNK "abcd\2\0\0\0xy"), FC_OK);
  check_odd("an unknown flag", WEBP(VP8X_CHUNK("\x40") VP8_CHUNK), FC_OK);
  check_odd("a longer VP8X", WEBP("VP8X\x0c\0\0\0\0\0\0\0\x3f\1\0\xef\0\0.." VP8_CHUNK), FC_OK);
  check_odd("a shorter VP8X", WEBP("VP8X\x08\0\0\0\0\0\0\0\x3f\1\0\xef" VP8_CHUNK),
            FC_NEEDS_PYTHON);
  check_odd("no frame", WEBP(VP8X_CHUNK("\0")), FC_OK);
  check_odd("two frames", WEBP(VP8X_CHUNK("\0") VP8_CHUNK VP8_CHUNK), FC_OK);
  check_odd("frames of an animation", WEBP(VP8X_CHUNK("\0") "ANMF\2\0\0\0xy" VP8_CHUNK), FC_OK);
  check_odd("alpha behind the frame", WEBP(VP8X_CHUNK("\x10") VP8_CHUNK ALPH_CHUNK), FC_OK);
  check_odd("alpha away from the frame",
            WEBP(VP8X_CHUNK("\x10") ALPH_CHUNK "abcd\2\0\0\0xy" VP8_CHUNK), FC_OK);
  check_odd("alpha twice", WEBP(VP8X_CHUNK("\x10") ALPH_CHUNK ALPH_CHUNK VP8_CHUNK), FC_OK);
  check_odd("alpha of a lossless frame", WEBP(VP8X_CHUNK("\x10") ALPH_CHUNK VP8L_CHUNK), FC_OK);
  check_odd("another size than the frame's",
            WEBP("VP8X\x0a\0\0\0\0\0\0\0\x3f\1\0\xee\0\0" VP8_CHUNK), FC_OK);
  bytes tail = WEBP(VP8X_CHUNK("\0") VP8_CHUNK "abc");
  check_odd("three bytes too many", tail, FC_OK);

  CHECK_CONTEXT("a chunk after a chunk");
  enum { CHUNKS = 100000 };
  bytes head = WEBP(VP8X_CHUNK("\0") VP8_CHUNK);
  size_t size = head.size + CHUNKS * 8;
  uint8_t *data = check_alloc(size); /* zeros: nameless chunks without content */
  memcpy(data, head.data, head.size);
  memcpy(data + 4, &(uint32_t){(uint32_t)size - 8}, 4);
  fc_image_info info;
  CHECK_INT(probe(data, size, &info), FC_OK);
  CHECK_INT(info.flags, 0);
  free(data);
}

int main(void) {
  test_kinds();
  test_orientation();
  test_odd();
  return check_result();
}
