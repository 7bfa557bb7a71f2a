/* probe.h: what the probe knows of single formats. */
#ifndef FC_PROBE_H
#define FC_PROBE_H

#include "reader.h"

/* Each of these reads the header of a file that begins as its format does, and fills in everything
 * but format and bytes (scans and orientation are 1 before). */

/* Everything up to the first scan. */
fc_status fc_probe_jpeg(fc_reader *reader, fc_image_info *info);
/* Scans in a whole JPEG; stops counting beyond `limit`. */
int fc_jpeg_count_scans(const uint8_t *data, size_t size, int limit);
/* Up to the first pixels; with `whole` also the metadata behind them. */
fc_status fc_probe_png(fc_reader *reader, int whole, fc_image_info *info);
fc_status fc_probe_webp(fc_reader *reader, fc_image_info *info);

/* Orientation 1 to 8 of the TIFF structure at [base, end) of the file: tag 0x0112 of its first
 * directory; 0 when there is none, -1 when only Pillow can tell.  What does not fit is passed over:
 * a damaged EXIF block does not make an image unreadable. */
int fc_exif_orientation(fc_reader *reader, int64_t base, int64_t end);

typedef struct fc_range {
  int64_t start, end; /* of bytes in a file; start == end: nothing */
} fc_range;

/* Set what Pillow's getexif() says: the tag of an EXIF block or, where it has none, the XMP
 * packet's.  FC_IMAGE_ASK_ORIENTATION when only Pillow can tell. */
void fc_find_orientation(fc_reader *reader, fc_range exif, fc_range xmp, fc_image_info *info);

/* Set a size that fits; else FC_NEEDS_PYTHON: Pillow is the judge of odd headers. */
fc_status fc_probe_size(fc_image_info *info, uint32_t width, uint32_t height, int components,
                        int depth);

#endif
