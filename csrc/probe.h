/* probe.h: what the probe knows of single formats. */
#ifndef FC_PROBE_H
#define FC_PROBE_H

#include "reader.h"

/* Everything up to the first scan of a file that begins as a JPEG does. */
fc_status fc_probe_jpeg(fc_reader *reader, fc_image_info *info);
/* Scans in a whole JPEG; stops counting beyond `limit`. */
int fc_jpeg_count_scans(const uint8_t *data, size_t size, int limit);

#endif
