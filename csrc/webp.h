/* webp.h: where the parts of a WebP file stand: what its probe and its codec both need to know. */
#ifndef FC_WEBP_H
#define FC_WEBP_H

#include "probe.h"

typedef struct fc_webp_file {
  int32_t width, height;
  int lossless;
  int alpha;    /* pixels may be transparent */
  int animated; /* several frames, or one that is wrapped as if there were more */
  /* A still image in a container that cannot be misunderstood.  Everything else is Pillow's to
   * judge; then only the size above is known. */
  int regular;
  fc_range frame;     /* chunks: ALPH where it counts, then VP8 or VP8L */
  fc_range exif, xmp; /* contents */
} fc_webp_file;

/* FC_E_TRUNCATED when the file is shorter than its first bytes promise; FC_NEEDS_PYTHON when not
 * even the size can be read. */
fc_status fc_webp_read(fc_reader *reader, fc_webp_file *file);

/* How many groups of prefix codes lossless data name, 1 to 65,536, before libwebp makes room for
 * them; 0 when what stands in front of them is damaged, and libwebp would not get so far.  `header`
 * bytes of the data are passed over: those of VP8L, which an ALPH chunk does not have. */
#define FC_WEBP_LOSSLESS_HEADER 5
int fc_webp_groups(const uint8_t *data, size_t size, size_t header, int32_t height, int32_t width);

#endif
