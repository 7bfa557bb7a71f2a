/* resample.h: what the files resample*.c say to one another.
 *
 * An image is resampled in two passes, rows ("across") first, columns ("down") second, with an
 * 8-bit image between them, as Pillow does.  Each direction is planned as an axis: for every
 * output position a run of source positions and their integer weights.  All arithmetic from there
 * on is integer and the same in every instruction set, so that results are too. */
#ifndef FC_RESAMPLE_H
#define FC_RESAMPLE_H

#include "ahead.h"
#include "fc_internal.h"

/* How an axis turns source positions into output positions. */
typedef enum fc_pass {
  FC_PASS_COPY, /* sizes equal: values unchanged */
  FC_PASS_PICK, /* nearest: one source position each, no weights */
  /* Up to FC_HIGH_TAPS weights, none negative, unsigned Q16 that sum to 65536 (a lone 65536 is
   * kept as 65535): each product is cut to its high half, (value << 8) * weight >> 16, and half of
   * what the cuts lose on average is put back by the start value.  The sum stays below 65536. */
  FC_PASS_HIGH,
  /* Any weights: Pillow's own arithmetic, signed weights with FC_SUM_BITS fraction bits, exact
   * products, 32-bit sums.  Kept as coarse * 2048 + fine, since 16-bit factors are twice as fast;
   * sums may wrap on the way, their total fits. */
  FC_PASS_SUM
} fc_pass;

#define FC_SUM_BITS 22
#define FC_FINE_BITS 11
#define FC_HIGH_TAPS 8
/* The instruction sets load 16 bytes for 8 neighbouring values of the across pass: FC_PASS_HIGH is
 * chosen there only if the source positions of 8 values lie within such a window. */
#define FC_HIGH_WINDOW 16

typedef struct fc_axis {
  int32_t lo, hi; /* source positions needed, half open */
  int32_t count;  /* output positions planned; 0: nothing to do */
  int32_t pass;   /* fc_pass */
  int32_t taps;   /* weights per output position */
  int32_t *start; /* [count] first source position, counted from lo; start + taps <= hi - lo */
  /* FC_PASS_HIGH: uint16_t [taps][pitch] by position; FC_PASS_SUM: [count][taps], coarse. */
  int16_t *weight;
  int16_t *fine; /* FC_PASS_SUM: [count][taps] */
  /* Every [count] and [pitch] has room to read 16 entries from any position on. */
  size_t pitch;
} fc_axis;

/* One direction of a geometry: output positions [first, first + count) of `size` that the crop is
 * resampled to.  The crop touches the source's positions [begin, begin + in); it starts `offset`
 * behind `begin` and is `length` long, both whole numbers unless the source is decoded at a scale.
 */
typedef struct fc_span {
  int32_t in, size, first, count, begin;
  double offset, length;
} fc_span;

static inline uint16_t fc_high_start(int32_t taps) {
  return (uint16_t)(128 + taps / 2);
}

/* ---- resample.c ---- */
int fc_spec_is_valid(const fc_image_spec *spec);
void fc_fill_pixels(uint8_t *out, size_t pixels, const fc_image_spec *spec);
/* Write the fill to everything of the window outside `inside`, which counts from its corner. */
void fc_fill_around(uint8_t *out, size_t stride, const fc_geometry *geometry, const fc_rect *inside,
                    const fc_image_spec *spec);

/* Push the needed rows of a source in memory of `size` bytes.  Rows that the kernels would read
 * beyond its end go through `copy`, which has room for the needed part of one and FC_ROW_SLACK. */
void fc_push_pixels(fc_sink *sink, const uint8_t *source, size_t stride, size_t size, int pixel,
                    uint8_t *copy);

/* What is fetched with the rows of the image that was planned last; NULL: nothing. */
void fc_sink_fetch(fc_sink *sink, const fc_ahead *ahead);

/* ---- resample_plan.c ---- */
/* Hands out pieces of one allocation.  With base == NULL it only counts, so that the layout and
 * its size come from the same lines.  Sizes saturate at SIZE_MAX. */
typedef struct fc_carver {
  uint8_t *base;
  size_t used;
} fc_carver;
void *fc_carve(fc_carver *carver, size_t count, size_t size);

/* scale: at which the source comes, as in fc_image_spec. */
fc_span fc_span_y(const fc_geometry *geometry, int32_t scale);
fc_span fc_span_x(const fc_geometry *geometry, int32_t scale);
/* Most weights that an output position can have. */
int32_t fc_axis_taps(const fc_span *span, int filter);
/* Most source positions that an axis can need. */
int32_t fc_axis_extent(const fc_span *span, int filter);
/* Place the axis' tables.  `work` (double, fc_axis_work of them) is needed only while planning. */
void fc_axis_carve(fc_axis *axis, const fc_span *span, int filter, fc_carver *carver);
size_t fc_axis_work(const fc_span *span, int filter);
/* channels: of interleaved values for the across pass, 0 for the down pass. */
void fc_axis_plan(fc_axis *axis, const fc_span *span, const fc_image_spec *spec, int channels,
                  double *work);

/* ---- resample_scalar.c, resample_avx2.c, resample_avx512.c, resample_vbmi.c ---- */
typedef struct fc_across {
  fc_axis axis;
  int channels;
  uint8_t *packed; /* the instruction set's own form of the axis */
} fc_across;

/* Passes with weights; the sink does the others itself. */
typedef struct fc_kernels {
  /* Bytes of `packed` for an axis of so many positions and taps. */
  size_t (*packed_bytes)(size_t count, size_t taps, int channels);
  void (*pack)(const fc_across *across);
  /* rows[i] points at the axis' `lo`; out[i] has FC_ROUND_UP(count * channels, 32) + 32 bytes. */
  void (*across)(const fc_across *across, const uint8_t *const *rows, uint8_t *const *out,
                 int count);
  /* One output row at `position` from its `taps` rows, each readable FC_ROW_SLACK bytes further. */
  void (*down)(const fc_axis *axis, int32_t position, const uint8_t *const *rows, uint8_t *out,
               size_t bytes);
} fc_kernels;

extern const fc_kernels fc_kernels_scalar;
#ifdef __x86_64__
extern const fc_kernels fc_kernels_avx2, fc_kernels_avx512, fc_kernels_avx512_vbmi;
#endif
const fc_kernels *fc_kernels_get(void);
/* FC_PASS_PICK along a row; 2 channels are the bytes of a wide pixel. */
void fc_pick_pixels(const fc_axis *axis, int channels, const uint8_t *row, uint8_t *out);

#define FC_ROUND_UP(value, unit) (((value) + (unit)-1) / (unit) * (unit))

#endif
