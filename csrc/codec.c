/* codec.c: what decodes here.  A new codec is one line in this table. */
#include "fc_internal.h"

static const fc_codec *const codecs[] = {&fc_jpeg_codec, &fc_png_codec, &fc_webp_codec};
#define CODECS ((int)(sizeof codecs / sizeof *codecs))

const fc_codec *fc_codec_of(int format) {
  for (int i = 0; i < CODECS; i++)
    if (codecs[i]->format == format) return codecs[i];
  return NULL;
}

int fc_codec_list(int index, fc_codec_about *about) {
  if (index < 0 || index >= CODECS || !about) return 0;
  *about = (fc_codec_about){.format = codecs[index]->format, .library = codecs[index]->library};
  codecs[index]->version(about->version, sizeof about->version);
  return 1;
}

#define CACHE_LINE 64
#define PAGE 4096

size_t fc_row_stride(size_t pixels, size_t pixel_bytes) {
  size_t stride = pixels * pixel_bytes + FC_ROW_SLACK;
  stride = (stride + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  return stride % PAGE == 0 ? stride + CACHE_LINE : stride;
}
