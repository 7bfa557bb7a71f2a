/* fastcache.h: the public face of the C core; fastcache_fields.h is its part for time series.
 *
 * C11 over libc, POSIX threads' atomics and the codec libraries; it knows nothing of Python, torch
 * or CUDA.  Rules that hold for every function here:
 *
 *  - Outputs belong to the caller, who says how large they are.  Nothing returned must be freed,
 *    except by the _free that stands beside a _new.
 *  - A function that can fail returns an fc_status; FC_OK is 0.  No function prints, exits or
 *    leaves through longjmp.
 *  - One fc_decoder per thread at a time.  Jobs (fc_probe_job, fc_fill_job, …) are the
 *    other way round: any number of threads enter the same job's _run, each takes the next item
 *    from its atomic cursor, and all return when none is left.
 *  - Pixels are interleaved uint8 rows (H, W, C) without padding unless a stride is given.
 */
#ifndef FASTCACHE_H
#define FASTCACHE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "fastcache.h is C11; wrap it (see benchmarks/c/core.h) to use it from C++"
#endif

/* ---- status ------------------------------------------------------------------------------ */

typedef enum fc_status {
  FC_OK = 0,
  FC_NEEDS_PYTHON,  /* a valid request that this core leaves to the Python step (Pillow) */
  FC_PENDING,       /* not reached yet, or left because the job was cancelled */
  FC_E_ARGUMENT,    /* the caller broke a contract that this header states */
  FC_E_NOMEM,       /* an allocation failed */
  FC_E_IO,          /* a system call failed; detail is errno */
  FC_E_NOT_REGULAR, /* directory, FIFO, socket or device where a file was expected */
  FC_E_EMPTY,       /* a file of 0 bytes */
  FC_E_FORMAT,      /* no image format that anybody here knows */
  FC_E_TRUNCATED,   /* the data end before the image does */
  FC_E_CORRUPT,     /* the codec refuses the data; detail is its message code */
  FC_E_PIXELS,      /* more pixels than the limit */
  FC_E_SCANS,       /* more progressive scans than the limit */
  FC_E_BYTES,       /* more bytes than the limit: the file's, or of compressed text inside it */
  FC_E_TIME,        /* decoding took longer than the limit */
  FC_E_CHANGED,     /* the header no longer says what the probe read */
  FC_E_NOT_FINITE,  /* a series holds NaN or infinity */
  FC_E_RANGE,       /* a series that is not to be scaled leaves [-1, 1] */
  FC_STATUS_COUNT
} fc_status;

/* A constant English sentence without a full stop; never NULL, any int may be passed. */
const char *fc_status_text(int status);
/* The same with its detail spelled out (strerror, the codec's own message), always terminated.
 * Returns buffer. */
const char *fc_describe(int status, int detail, char *buffer, size_t capacity);

/* ---- processor --------------------------------------------------------------------------- */

/* Name of the instruction set in use: "scalar", "avx2", "neon"…  Chosen once per process as the
 * best that the processor has, or the one that the environment variable FASTCACHE_CPU names; an
 * unknown or missing one counts as "scalar", and fc_cpu_mask_error() then says so (else NULL). */
const char *fc_cpu_name(void);
const char *fc_cpu_mask_error(void);

/* ---- block: memory that processes share --------------------------------------------------- */

typedef struct fc_block {
  uint8_t *data;  /* mapping, aligned to a page; NULL when closed */
  size_t size;    /* bytes of the mapping, a multiple of the page size */
  int fd;         /* -1 when closed, or made of files */
  int32_t owner;  /* 1: created here, 0: opened */
  int32_t sealed; /* 1: this mapping is read-only (opened, made of files, or fc_block_seal) */
} fc_block;

/* Reserve `size` bytes (rounded up to pages) of nameless shared memory: sealed in size, mapped,
 * all zeros, but without pages yet.  More than the machine has is FC_E_IO with ENOMEM.  `detail`
 * receives errno. */
fc_status fc_block_create(fc_block *block, size_t size, const char *name, int *detail);
/* Give the pages of [offset, offset + size) memory, and map them for writing where the kernel can
 * (Linux 5.14; else on first use).  Allocate every range before anything is written: a full
 * machine is then FC_E_IO with ENOSPC or ENOMEM here, and never a SIGBUS later.  What is written
 * already stays.  Threads may call it side by side, for ranges of their own.  FC_E_ARGUMENT if the
 * range leaves the block, or the block is closed or read-only. */
fc_status fc_block_allocate(fc_block *block, size_t offset, size_t size, int *detail);
/* Map an existing one shared and read-only through `path` (/proc/PID/fd/N).  FC_E_CHANGED unless
 * it is shared memory of a sealed size with the inode and the size given. */
fc_status fc_block_open(fc_block *block, const char *path, uint64_t inode, size_t size,
                        int *detail);
/* Map the block of a descriptor that another process has sent, shared and for writing: for those
 * who help to fill it.  FC_E_CHANGED as above; the descriptor stays the caller's. */
fc_status fc_block_adopt(fc_block *block, int fd, uint64_t inode, size_t size, int *detail);
/* Inode of an open block, the identity that fc_block_open checks; 0 on failure. */
uint64_t fc_block_inode(const fc_block *block);
/* Make the owner's own mapping read-only: from here on the arena is immutable in this process. */
fc_status fc_block_seal(fc_block *block, int *detail);
/* The other kind of block: reserve `size` bytes (rounded up to pages) of addresses, to map parts of
 * files into.  Touching what is not mapped yet is a segmentation fault.  It counts as sealed, and
 * has neither descriptor nor inode. */
fc_status fc_block_reserve(fc_block *block, size_t size, int *detail);
/* Map [file_offset, file_offset + length) of a file at byte `at` of a reserved block, shared and
 * read-only, in the place of whatever was mapped there; the descriptor may be closed afterwards.
 * FC_E_ARGUMENT unless all three are multiples of the page size and the range lies in the block;
 * FC_E_NOT_REGULAR; FC_E_CHANGED where the file is shorter.  After FC_E_IO only fc_block_close is
 * allowed.  Files must not become shorter afterwards: reading what is gone is a SIGBUS. */
fc_status fc_block_map_file(fc_block *block, size_t at, int fd, size_t file_offset, size_t length,
                            int *detail);

typedef enum fc_advice {
  FC_WILLNEED, /* read ahead: pages that the range touches */
  FC_DONTNEED, /* drop this process's pages that lie in it wholly; files and memfds keep the data */
  FC_COLD,     /* such pages are the first to go when memory is short (Linux 5.4, else FC_E_IO) */
  FC_PAGEOUT,  /* such pages go now, out of the cache too unless others map them (likewise) */
  FC_RANDOM,   /* a page that is missed is read alone, without what lies around it */
  FC_NORMAL,   /* the system decides what is read with it, as before */
} fc_advice;

/* Tell the kernel what will become of `count` ranges; FC_E_ARGUMENT, and nothing is done, if one
 * leaves the block.  FC_E_IO ends it at the range that the system refused. */
fc_status fc_block_advise(const fc_block *block, const int64_t *offsets, const int64_t *lengths,
                          size_t count, fc_advice advice, int *detail);
/* Unmap and close either kind; a closed block may be closed again. */
void fc_block_close(fc_block *block);

/* ---- probe: what a file's header says ------------------------------------------------------ */

typedef enum fc_format {
  FC_FORMAT_UNKNOWN = 0,
  FC_FORMAT_JPEG,
  FC_FORMAT_PNG,
  FC_FORMAT_WEBP,
  FC_FORMAT_GIF,
  FC_FORMAT_BMP,
  FC_FORMAT_TIFF, /* recognised by signature; its size is left to Pillow (height = width = 0) */
  FC_FORMAT_COUNT
} fc_format;

const char *fc_format_name(int format);

enum {
  FC_IMAGE_IN_C = 1,      /* this core decodes it; otherwise the Python step does */
  FC_IMAGE_MULTISCAN = 2, /* decoding holds the whole image: progressive JPEG, lossless WebP */
  FC_IMAGE_ALPHA = 4,     /* pixels may be transparent */
  FC_IMAGE_ANIMATED = 8,  /* more than one frame; the first is decoded */
  /* Metadata that may turn the image stand in a form that only Pillow reads (XMP, hexadecimal
   * text): `orientation` is 1, and means nothing. */
  FC_IMAGE_ASK_ORIENTATION = 16,
};

typedef struct fc_image_info {
  int64_t bytes;  /* size of the file */
  int32_t height; /* as stored, before orientation */
  int32_t width;
  int32_t format;      /* fc_format */
  int32_t components;  /* coded: 1 grey or palette, 2 grey + alpha, 3, 4 CMYK or RGBA; 0 unknown */
  int32_t depth;       /* bits per component, or per index of a palette */
  int32_t orientation; /* EXIF 1..8, 1 when absent or nonsense */
  int32_t flags;       /* FC_IMAGE_… */
  int32_t scans;       /* progressive JPEG: scans found in the data given, else 1 */
} fc_image_info;

typedef struct fc_limits {
  int64_t max_pixels; /* refuse larger images with FC_E_PIXELS */
  int64_t max_bytes;  /* refuse larger files with FC_E_BYTES; 0: none */
  int32_t max_scans;  /* refuse more progressive scans with FC_E_SCANS */
  int32_t max_ms;     /* give up an image that takes longer with FC_E_TIME; 0: none */
} fc_limits;

/* Pillow's error level (2 x 89,478,485 pixels), files of 2 GiB, 100 scans, a minute. */
extern const fc_limits fc_default_limits;

/* Read the header from the whole file's bytes, or from the file: a few KB of it, whatever its
 * size (only progressive JPEGs have their scans counted, by the decoder).  Content decides the
 * format, never the name.  Statuses besides FC_OK: FC_NEEDS_PYTHON (format known or unknown, but
 * only Pillow can tell its size; `format` and `bytes` are set), FC_E_FORMAT is left to Pillow
 * too, since it knows formats that we do not; FC_E_IO, FC_E_NOT_REGULAR, FC_E_EMPTY,
 * FC_E_TRUNCATED, FC_E_CORRUPT, FC_E_PIXELS, FC_E_BYTES.
 *
 * PNG keeps metadata behind the pixels too.  fc_probe_file goes there, over the whole length of the
 * file, only if `whole` is not 0; without it `orientation` may be missed.  fc_probe_bytes always
 * does. */
fc_status fc_probe_bytes(const uint8_t *data, size_t size, const fc_limits *limits,
                         fc_image_info *info);
fc_status fc_probe_file(const char *path, const fc_limits *limits, int whole, fc_image_info *info,
                        int *detail);

/* ---- resample: Pillow's antialiased definition --------------------------------------------- */

typedef enum fc_filter {
  FC_NEAREST = 0,
  FC_BOX,
  FC_BILINEAR,
  FC_HAMMING,
  FC_BICUBIC,
  FC_LANCZOS,
  FC_FILTER_COUNT
} fc_filter;

/* From a source image to an output, in the one order that everything here uses: orient, crop,
 * resample the crop to size, cut (or pad) a window of that.
 *
 *      0 <= crop_y, crop_y + crop_h <= src_h; the same for x; all sizes >= 1
 *      The window [win_y, win_y + out_h) x [win_x, win_x + out_w) lies in the resampled image's
 *      coordinates and may reach outside: pixels there take the spec's fill. */
typedef struct fc_geometry {
  int32_t src_h, src_w; /* of the oriented source, as the probe read it */
  int32_t crop_y, crop_x, crop_h, crop_w;
  int32_t size_h, size_w; /* what the crop is resampled to */
  int32_t win_y, win_x;
  int32_t out_h, out_w;
} fc_geometry;

typedef struct fc_image_spec {
  int32_t channels;          /* 1: L, 3: RGB, 4: RGBA */
  int32_t filter;            /* fc_filter */
  int32_t apply_orientation; /* 0: as stored, as ImageFolder does; 1: EXIF orientation applied */
  int32_t wide;              /* 1: one channel of uint16 in the processor's byte order: I;16 */
  /* 1: resample colours multiplied by the fourth channel, their opacity, as Pillow does RGBA.
   * fc_decode ignores it and finds out from the file. */
  int32_t premultiply;
  /* 0, or 2 or 4: fc_decode may take a JPEG at 1/2 or 1/4 of its size, where the crop has at least
   * so many pixels for each of its resampled ones; it costs less, and pixels differ from Pillow's.
   * Other formats, FC_NEAREST and images that are turned are decoded as ever. */
  int32_t scale;
  uint8_t fill[4]; /* bytes of one pixel of padding */
  fc_limits limits;
} fc_image_spec;

/* FC_OK when the geometry keeps the rules above, else FC_E_ARGUMENT. */
fc_status fc_geometry_check(const fc_geometry *geometry);

/* Resample pixels in memory: the decoder's resampler without a decoder.  `source` has the
 * geometry's src_h x src_w pixels of spec->channels; output rows are out_stride bytes apart.
 * FC_NEEDS_PYTHON: wide pixels that would have to be blended (any filter but FC_NEAREST and any
 * size but the crop's). */
fc_status fc_resample(const uint8_t *source, size_t source_stride, const fc_geometry *geometry,
                      const fc_image_spec *spec, uint8_t *out, size_t out_stride);

/* ---- decode: bytes of a file → one slot ----------------------------------------------------- */

typedef struct fc_decoder fc_decoder; /* one thread's codec handles and scratch */

fc_decoder *fc_decoder_new(void); /* NULL when out of memory */
void fc_decoder_free(fc_decoder *decoder);

/* Decode `data`, convert to spec->channels as Pillow's convert() does, apply the geometry, write
 * out_h rows of out_w * channels bytes, out_stride apart.  Rows stream from the codec through the
 * resampler; rows and columns that the window does not need are not made.
 *
 * On FC_OK `detail` is the number of warnings the codec gave (checksums that do not fit, damage
 * that Pillow reads over), otherwise what fc_describe expects.
 * On any other status the output's content is unspecified but nothing outside it was touched.
 * FC_NEEDS_PYTHON: not a format, or not a kind of it, that is decoded here, or damaged in a way
 * that Pillow must judge; `detail` counts warnings then too. */
fc_status fc_decode(fc_decoder *decoder, const uint8_t *data, size_t size,
                    const fc_image_spec *spec, const fc_geometry *geometry, uint8_t *out,
                    size_t out_stride, int *detail);

/* Upper bounds of the bytes that fc_decode holds beside data and output, known from the header
 * alone.  A decoder keeps its buffers for the next image: over many images it holds at most the sum
 * of each part's largest. */
typedef struct fc_scratch {
  size_t kept;      /* the codec's buffers */
  size_t passing;   /* what the codec's library takes, and gives back after the image */
  size_t resampler; /* the resampler's, and the decoder itself */
  size_t upright;   /* an image that waits to be turned */
} fc_scratch;

fc_scratch fc_decode_scratch(const fc_image_info *info, const fc_image_spec *spec,
                             const fc_geometry *geometry);
/* All parts: what a single image takes.  SIZE_MAX when that is no number. */
size_t fc_scratch_sum(const fc_scratch *scratch);

/* What decodes a format here. */
typedef struct fc_codec_about {
  int32_t format;      /* fc_format */
  const char *library; /* whose decoder it is; constant */
  char version[24];    /* of that library: of the headers, if it cannot be asked itself */
} fc_codec_about;

/* Codec number `index` of those in this core; 0 when there are no more. */
int fc_codec_list(int index, fc_codec_about *about);

/* ---- jobs ------------------------------------------------------------------------------------ */

/* What the threads of a job share.  Set count, zero the rest.  It holds no addresses and its
 * atomics are free of locks, so that a cursor in shared memory serves the threads of several
 * processes. */
typedef struct fc_cursor {
  int64_t count;
  _Atomic int64_t next;   /* the next item to hand out */
  _Atomic int64_t done;   /* items finished, for progress */
  _Atomic int64_t failed; /* of these, with a status other than FC_OK and FC_NEEDS_PYTHON */
  _Atomic int64_t bytes;  /* output bytes written */
  _Atomic int32_t cancel; /* set to 1 from any thread: no further item is started */
} fc_cursor;

/* Paths of a job: NUL-terminated strings in one buffer. */
typedef struct fc_paths {
  const char *text;
  const int64_t *offset; /* [count] start of each string */
} fc_paths;

typedef struct fc_probe_job {
  fc_cursor cursor;
  fc_paths paths;
  fc_limits limits;
  int32_t whole;       /* as for fc_probe_file */
  fc_image_info *info; /* [count] */
  int32_t *status;     /* [count] */
  int32_t *detail;     /* [count] */
} fc_probe_job;

void fc_probe_run(fc_probe_job *job);

/* Read, decode and resample files into their slots.  Items whose status is not FC_PENDING when the
 * job starts are passed over (failed in the probe, or meant for Python). */
typedef struct fc_fill_job {
  fc_cursor cursor;
  fc_cursor *shared; /* in its place, if not NULL: the cursor that several jobs take items from */
  fc_paths paths;
  /* Files that lie in memory already: data_size[item] bytes from data_offset[item] on.  The others,
   * with a negative size, and all of them where data is NULL, are read from their paths. */
  const uint8_t *data;
  const int64_t *data_offset; /* [count] */
  const int64_t *data_size;   /* [count] */
  const fc_image_spec *spec;
  const fc_geometry *geometry; /* [count] */
  uint8_t *base;
  /* [count] offset of the sample's first byte from base; negative: decode only to see whether it
   * can be done */
  const int64_t *slot;
  int32_t damaged_needs_python; /* hand on, instead of failing: truncated, corrupt, large texts */
  int32_t *status;              /* [count] in: FC_PENDING or final; out: final unless cancelled */
  int32_t *detail;              /* [count] */
} fc_fill_job;

/* FC_E_NOMEM when the thread's own decoder cannot be made; the items are then left to others. */
fc_status fc_fill_run(fc_fill_job *job);

/* Read whole files into their slots, as they are.  FC_E_CHANGED: a file is not as long as its
 * slot. */
typedef struct fc_read_job {
  fc_cursor cursor;
  fc_paths paths;
  uint8_t *base;
  const int64_t *slot; /* [count] offset of the file's first byte from base */
  const int64_t *size; /* [count] bytes of the slot */
  int32_t *status;     /* [count] in: FC_PENDING or final; out: final unless cancelled */
  int32_t *detail;     /* [count] */
} fc_read_job;

void fc_read_run(fc_read_job *job);

/* Copy runs of bytes, a few of them at a time: the gather behind every batch.  Source and
 * destination must not overlap.  streaming != 0 bypasses the cache on the way out: right for
 * batches much larger than it, wrong for small ones that are read at once. */
typedef struct fc_copy_job {
  fc_cursor cursor;
  const uint8_t *source;
  uint8_t *target;
  const int64_t *source_offset; /* [count] */
  const int64_t *target_offset; /* [count] */
  const int64_t *length;        /* [count], or NULL: all are `row` bytes */
  int64_t row;
  int32_t streaming;
} fc_copy_job;

void fc_copy_run(fc_copy_job *job);

#endif
