/* png_text.c: how much text a PNG carries, and whether its keywords mean more than text.
 *
 * Pillow keeps all texts in memory, the compressed ones inflated, and refuses a file when one of
 * them is larger than 1 MiB or all are larger than 64 MiB.  So does this core, holding one at a
 * time. */
#include <string.h>

#include "png.h"

/* A compressed text whose inflated size is not certain counts as this much at most. */
static size_t most_of(size_t compressed) {
  return FC_MIN(compressed * FC_PNG_MAX_RATIO, FC_PNG_TEXT_BYTES);
}

static fc_status count(fc_png_texts *texts, size_t bytes, size_t most) {
  texts->total += bytes;
  texts->most += most;
  if (texts->total > FC_PNG_TEXTS_BYTES) return FC_E_BYTES;
  return texts->most > FC_PNG_TEXTS_BYTES ? FC_NEEDS_PYTHON : FC_OK;
}

/* ---- keywords -------------------------------------------------------------------------------- */

/* Pillow keeps texts in the dictionary in which it looks for these. */
static const char *const meaningful[] = {
    "interlace", "transparency", "bbox", "default_image", "disposal", "blend",
};

static int is_meaningful(const uint8_t *keyword, size_t size) {
  for (size_t i = 0; i < sizeof meaningful / sizeof *meaningful; i++)
    if (strlen(meaningful[i]) == size && memcmp(meaningful[i], keyword, size) == 0) return 1;
  return 0;
}

/* Up to the next zero byte, which *data is then behind; up to the end when there is none. */
static size_t word(const uint8_t **data, size_t *size) {
  const uint8_t *zero = memchr(*data, 0, *size);
  size_t length = zero ? (size_t)(zero - *data) : *size, step = length + (zero != NULL);
  *data += step;
  *size -= step;
  return length;
}

/* ---- compressed texts ------------------------------------------------------------------------ */

/* Whether the zlib stream's own checksum follows it and fits. */
static int is_complete(const uint8_t *end, size_t left, const uint8_t *text, size_t bytes) {
  return left >= 4 && fc_be32(end) == libdeflate_adler32(1, text, bytes);
}

/* FC_OK with what Pillow gets: exactly *bytes, or, when that is not certain, nothing to *most. */
static fc_status inflate(fc_png_texts *texts, const uint8_t *data, size_t size, size_t *bytes,
                         size_t *most) {
  *bytes = *most = 0;
  if (size < 2 || !fc_png_is_zlib(data)) return FC_OK; /* Pillow takes it for empty */
  fc_status status = fc_buffer_reserve(texts->scratch, FC_PNG_TEXT_SCRATCH);
  if (status != FC_OK) return status;
  size_t used, got;
  switch (libdeflate_deflate_decompress_ex(texts->inflater, data + 2, size - 2,
                                           texts->scratch->data, FC_PNG_TEXT_SCRATCH, &used,
                                           &got)) {
    case LIBDEFLATE_SUCCESS:
      break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      return FC_E_BYTES;
    default: /* Pillow takes damaged texts for empty, and cut ones for what there is of them */
      *most = most_of(size);
      return *most < FC_PNG_TEXT_BYTES ? FC_OK : FC_NEEDS_PYTHON;
  }
  int complete = is_complete(data + 2 + used, size - 2 - used, texts->scratch->data, got);
  if (got >= FC_PNG_TEXT_BYTES)
    return complete && got > FC_PNG_TEXT_BYTES ? FC_E_BYTES : FC_NEEDS_PYTHON;
  *bytes = complete ? got : 0;
  *most = got;
  return FC_OK;
}

static fc_status check_profile(fc_png_texts *texts, const uint8_t *data, size_t size) {
  word(&data, &size);
  if (size < 1 || data[0] != 0) return FC_NEEDS_PYTHON;
  if (most_of(size) < FC_PNG_TEXT_BYTES) return FC_OK;
  size_t bytes, most; /* profiles do not count together with texts */
  return inflate(texts, data + 1, size - 1, &bytes, &most);
}

static fc_status check_compressed(fc_png_texts *texts, const uint8_t *data, size_t size) {
  if (size == 0) return FC_OK;
  if (data[0] != 0) return FC_NEEDS_PYTHON; /* an unknown method */
  size_t bytes, most;
  fc_status status = inflate(texts, data + 1, size - 1, &bytes, &most);
  return status == FC_OK ? count(texts, bytes, most) : status;
}

static int is_ascii(const uint8_t *data, size_t size) {
  unsigned all = 0;
  for (size_t i = 0; i < size; i++) all |= data[i];
  return all < 0x80;
}

/* Pillow counts characters, and only if all is valid UTF-8: certain for ASCII, otherwise at most
 * the number of bytes. */
static fc_status check_international(fc_png_texts *texts, const uint8_t *data, size_t size) {
  if (size < 2) return FC_OK;
  const int compressed = data[0] != 0, method = data[1];
  data += 2;
  size -= 2;
  const uint8_t *language = data;
  word(&data, &size);
  word(&data, &size); /* translated keyword */
  const int plain = is_ascii(language, (size_t)(data - language));
  if (!compressed) return count(texts, plain && is_ascii(data, size) ? size : 0, size);
  if (method != 0) return FC_OK; /* Pillow reads over it */
  size_t bytes, most;
  fc_status status = inflate(texts, data, size, &bytes, &most);
  if (status != FC_OK) return status;
  return count(texts, plain && is_ascii(texts->scratch->data, bytes) ? bytes : 0, most);
}

fc_status fc_png_check_text(fc_png_texts *texts, uint32_t name, const uint8_t *data, size_t size) {
  if (name == FC_PNG_ICCP) return check_profile(texts, data, size);
  const uint8_t *keyword = data;
  size_t length = word(&data, &size);
  if (is_meaningful(keyword, length)) return FC_NEEDS_PYTHON;
  if (name == FC_PNG_ZTXT) return check_compressed(texts, data, size);
  if (name == FC_PNG_ITXT) return check_international(texts, data, size);
  return count(texts, length ? size : 0, size);
}
