/* jpeg_io.c: libjpeg's callbacks: where bytes come from, where errors go. */
#include "jpeg_io.h"

_Noreturn void fc_jpeg_io_leave(fc_jpeg_io *io, fc_status status, int detail) {
  io->status = status;
  io->detail = detail;
  longjmp(io->escape, 1);
}

/* ---- errors --------------------------------------------------------------------------------- */

/* errors is the first member, so that this works before client_data is set. */
static fc_jpeg_io *io_of(j_common_ptr cinfo) {
  return (fc_jpeg_io *)cinfo->err;
}

static void on_error(j_common_ptr cinfo) {
  int code = cinfo->err->msg_code;
  fc_status status = FC_E_CORRUPT;
  if (code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE) status = FC_E_NOMEM;
  if (code == JERR_ARITH_NOTIMPL) status = FC_NEEDS_PYTHON; /* libjpeg was built without it */
  fc_jpeg_io_leave(io_of(cinfo), status, status == FC_E_CORRUPT ? code : 0);
}

static void on_message(j_common_ptr cinfo, int level) {
  if (level < 0) cinfo->err->num_warnings++;
}

static void on_output(j_common_ptr cinfo) {
  (void)cinfo; /* a library does not print */
}

void fc_jpeg_io_errors(fc_jpeg_io *io, j_decompress_ptr cinfo) {
  cinfo->err = jpeg_std_error(&io->errors);
  io->errors.error_exit = on_error;
  io->errors.emit_message = on_message;
  io->errors.output_message = on_output;
  io->status = FC_OK;
  io->detail = 0;
}

const char *fc_jpeg_io_message(int code) {
  struct jpeg_error_mgr errors;
  jpeg_std_error(&errors);
  if (code < 0 || code > errors.last_jpeg_message) return "unknown libjpeg message";
  return errors.jpeg_message_table[code];
}

#define QUOTE_VALUE(value) #value
#define QUOTE(macro) QUOTE_VALUE(macro)

/* Of the header: libjpeg has no way to ask the library itself. */
void fc_jpeg_io_version(char *text, size_t capacity) {
  snprintf(text, capacity, "%s", QUOTE(LIBJPEG_TURBO_VERSION));
}

/* ---- source --------------------------------------------------------------------------------- */

static void do_nothing(j_decompress_ptr cinfo) {
  (void)cinfo;
}

/* The bytes are all there from the start: who asks for more reads a truncated file.  Pillow's
 * source suspends at this point and its loader then refuses the file, so this refuses the same. */
static boolean on_past_end(j_decompress_ptr cinfo) {
  fc_jpeg_io_leave(io_of((j_common_ptr)cinfo), FC_E_TRUNCATED, 0);
}

static void on_skip(j_decompress_ptr cinfo, long count) {
  struct jpeg_source_mgr *source = cinfo->src;
  if (count <= 0) return;
  if ((size_t)count > source->bytes_in_buffer) on_past_end(cinfo);
  source->next_input_byte += count;
  source->bytes_in_buffer -= (size_t)count;
}

/* ---- limits --------------------------------------------------------------------------------- */

/* The scans were counted beforehand; this holds when libjpeg finds more of them in damaged data. */
static void on_progress(j_common_ptr cinfo) {
  fc_jpeg_io *io = io_of(cinfo);
  if (((j_decompress_ptr)cinfo)->input_scan_number > io->max_scans)
    fc_jpeg_io_leave(io, FC_E_SCANS, 0);
  if (fc_deadline_passed(&io->deadline)) fc_jpeg_io_leave(io, FC_E_TIME, 0);
}

void fc_jpeg_io_attach(fc_jpeg_io *io, j_decompress_ptr cinfo, const fc_request *request) {
  io->source = (struct jpeg_source_mgr){
      .next_input_byte = request->data,
      .bytes_in_buffer = request->size,
      .init_source = do_nothing,
      .fill_input_buffer = on_past_end,
      .skip_input_data = on_skip,
      .resync_to_restart = jpeg_resync_to_restart,
      .term_source = do_nothing,
  };
  cinfo->src = &io->source;
  io->max_scans = request->spec->limits.max_scans;
  io->deadline = request->deadline;
  io->progress = (struct jpeg_progress_mgr){.progress_monitor = on_progress};
  cinfo->progress = &io->progress;
}
