/* png_inflate.c: the pixels' zlib stream, in one call of libdeflate into memory of the right size.
 */
#include "png.h"

int fc_png_is_zlib(const uint8_t *data) {
  int method = data[0] & 15, window = data[0] >> 4, dictionary = data[1] & 0x20;
  return fc_be16(data) % 31 == 0 && method == 8 && window <= 7 && !dictionary;
}

/* Whether the data end before the last row does, so that Pillow refuses them.  libdeflate does not
 * tell how far it came: the last byte is set to two values in turn, and stays what it was both
 * times if it was never reached. */
static int ends_early(struct libdeflate_decompressor *inflater, const uint8_t *data,
                      size_t compressed, uint8_t *out, size_t size) {
  for (int value = 0; value <= 0xff; value += 0xff) {
    size_t used, got;
    out[size - 1] = (uint8_t)value;
    if (libdeflate_deflate_decompress_ex(inflater, data, compressed, out, size, &used, &got) !=
        LIBDEFLATE_BAD_DATA)
      return 0;
    if (out[size - 1] != value) return 0;
  }
  return 1;
}

/* libdeflate reads over a few faults that zlib refuses (a list of code lengths that runs too far,
 * say); that the pixels are the right ones all the same is what their checksum tells.
 *
 * Pillow feeds zlib with blocks of this size.  A checksum in the same block as the last row is
 * verified together with it, one in a later block never. */
#define PILLOW_BLOCK 65536

static fc_status check_adler(const uint8_t *end, size_t left, const uint8_t *out, size_t size,
                             fc_png_file *file, int *detail) {
  if (left < 4) return FC_NEEDS_PYTHON;
  /* Of several chunks, Pillow refuses a cut one unless it has pixels. */
  if (file->cut_inside && file->parts > 1) return FC_NEEDS_PYTHON;
  if (left > 4) file->warnings++; /* something follows, and is read over */
  if (fc_be32(end) == libdeflate_adler32(1, out, size)) return FC_OK;
  if (file->parts > 1 || file->compressed_bytes > PILLOW_BLOCK) return FC_NEEDS_PYTHON;
  *detail = FC_PNG_BAD_ADLER;
  return FC_E_CORRUPT;
}

fc_status fc_png_inflate(struct libdeflate_decompressor *inflater, const uint8_t *data,
                         size_t compressed, uint8_t *out, size_t size, fc_png_file *file,
                         int *detail) {
  if (compressed < 2 || !fc_png_is_zlib(data)) return FC_NEEDS_PYTHON;
  data += 2;
  compressed -= 2;
  size_t used, got;
  switch (libdeflate_deflate_decompress_ex(inflater, data, compressed, out, size, &used, &got)) {
    case LIBDEFLATE_SUCCESS:
      /* A stream that stops early leaves the rest black in Pillow, or is refused. */
      if (got != size) return FC_NEEDS_PYTHON;
      return check_adler(data + used, compressed - used, out, size, file, detail);
    case LIBDEFLATE_BAD_DATA:
      if (file->cut && ends_early(inflater, data, compressed, out, size)) return FC_E_TRUNCATED;
      return FC_NEEDS_PYTHON;
    default: /* more pixels than fit: Pillow may never look at them */
      return FC_NEEDS_PYTHON;
  }
}
