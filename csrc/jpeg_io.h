/* jpeg_io.h: libjpeg's callbacks: where bytes come from, where errors go. */
#ifndef FC_JPEG_IO_H
#define FC_JPEG_IO_H

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */

#include <jerror.h>
#include <jpeglib.h>

#include "fc_internal.h"

#if !defined(LIBJPEG_TURBO_VERSION_NUMBER) || LIBJPEG_TURBO_VERSION_NUMBER < 2001000
#error \
    "fastcache needs libjpeg-turbo 2.1 or later (Debian: libjpeg-dev, Fedora: libjpeg-turbo-devel)"
#endif

typedef struct fc_jpeg_io {
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;   /* set by the caller before any libjpeg call */
  fc_status status; /* why it was taken */
  int detail;
  int max_scans;
  fc_deadline deadline;
} fc_jpeg_io;

/* Prepare for one image and set cinfo->err, which jpeg_create_decompress wants beforehand. */
void fc_jpeg_io_errors(fc_jpeg_io *io, j_decompress_ptr cinfo);
/* After jpeg_create_decompress: read from memory, keep to the request's limits. */
void fc_jpeg_io_attach(fc_jpeg_io *io, j_decompress_ptr cinfo, const fc_request *request);
/* Leave through io->escape with this status. */
_Noreturn void fc_jpeg_io_leave(fc_jpeg_io *io, fc_status status, int detail);
/* libjpeg's text for its message code, and its version. */
const char *fc_jpeg_io_message(int code);
void fc_jpeg_io_version(char *text, size_t capacity);

#endif
