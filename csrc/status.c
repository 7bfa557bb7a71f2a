/* status.c: what every fc_status and fc_format is called. */
#define _POSIX_C_SOURCE 200809L /* strerror_r that returns int */
#undef _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "fc_internal.h"

static const char *const status_text[FC_STATUS_COUNT] = {
    [FC_OK] = "no error",
    [FC_NEEDS_PYTHON] = "left to the Python step",
    [FC_PENDING] = "not reached yet",
    [FC_E_ARGUMENT] = "invalid argument",
    [FC_E_NOMEM] = "out of memory",
    [FC_E_IO] = "the file could not be read",
    [FC_E_NOT_REGULAR] = "not a regular file",
    [FC_E_EMPTY] = "the file is empty",
    [FC_E_FORMAT] = "not an image format that is known here",
    [FC_E_TRUNCATED] = "the file ends before the image does",
    [FC_E_CORRUPT] = "the image data are corrupt",
    [FC_E_PIXELS] = "the image has more pixels than the limit allows",
    [FC_E_SCANS] = "the progressive image has more scans than the limit allows",
    [FC_E_BYTES] = "more bytes than the limit allows",
    [FC_E_TIME] = "decoding took longer than the limit allows",
    [FC_E_CHANGED] = "the file changed after it was probed",
    [FC_E_NOT_FINITE] = "a series holds NaN or infinity",
    [FC_E_RANGE] = "a series leaves [-1, 1], and is not to be scaled",
};

static const char *const format_name[FC_FORMAT_COUNT] = {
    [FC_FORMAT_UNKNOWN] = "unknown", [FC_FORMAT_JPEG] = "JPEG", [FC_FORMAT_PNG] = "PNG",
    [FC_FORMAT_WEBP] = "WebP",       [FC_FORMAT_GIF] = "GIF",   [FC_FORMAT_BMP] = "BMP",
    [FC_FORMAT_TIFF] = "TIFF",
};

const char *fc_status_text(int status) {
  if (status < 0 || status >= FC_STATUS_COUNT) return "unknown status";
  return status_text[status];
}

const char *fc_format_name(int format) {
  if (format < 0 || format >= FC_FORMAT_COUNT) return format_name[FC_FORMAT_UNKNOWN];
  return format_name[format];
}

/* A codec's messages may be printf formats whose values were not kept: show a "?" in their place.
 */
static void blank_conversions(char *text) {
  char *to = text;
  for (const char *from = text; *from;) {
    if (*from != '%') {
      *to++ = *from++;
      continue;
    }
    from += strcspn(from, "cdiusxX");
    if (*from) from++;
    *to++ = '?';
  }
  *to = '\0';
}

const char *fc_describe(int status, int detail, char *buffer, size_t capacity) {
  if (capacity == 0) return buffer;
  char more[160] = "";
  if (status == FC_E_IO && detail != 0) {
    if (strerror_r(detail, more, sizeof more) != 0) snprintf(more, sizeof more, "errno %d", detail);
  } else if (status == FC_E_CORRUPT && detail != 0) {
    const fc_codec *codec = fc_codec_of(detail >> 16);
    if (codec) snprintf(more, sizeof more, "%s", codec->message(detail & 0xffff));
    blank_conversions(more);
  }
  snprintf(buffer, capacity, "%s%s%s", fc_status_text(status), *more ? ": " : "", more);
  return buffer;
}
