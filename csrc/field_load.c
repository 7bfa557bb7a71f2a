/* field_load.c: series of any type and step as doubles, and their piecewise means. */
#include <string.h>

#include "field.h"
#include "field_half.h"

static const uint8_t sizes[FC_ELEMENT_COUNT] = {
    [FC_FLOAT64] = 8, [FC_FLOAT32] = 4, [FC_FLOAT16] = 2, [FC_BFLOAT16] = 2,
    [FC_UINT8] = 1,   [FC_UINT16] = 2,  [FC_UINT32] = 4,  [FC_UINT64] = 8,
    [FC_INT8] = 1,    [FC_INT16] = 2,   [FC_INT32] = 4,   [FC_INT64] = 8,
};

size_t fc_element_size(int element) {
  return element >= 0 && element < FC_ELEMENT_COUNT ? sizes[element] : 0;
}

/* Values need not be aligned: arrays of records have them anywhere. */
#define GATHER(NAME, TYPE, AS_DOUBLE)                                             \
  static void NAME(const uint8_t *at, int64_t step, int64_t count, double *out) { \
    for (int64_t i = 0; i < count; i++, at += step) {                             \
      TYPE value;                                                                 \
      memcpy(&value, at, sizeof value);                                           \
      out[i] = AS_DOUBLE(value);                                                  \
    }                                                                             \
  }

GATHER(from_float64, double, )
GATHER(from_float32, float, )
GATHER(from_float16, uint16_t, fc_double_of_half)
GATHER(from_uint8, uint8_t, )
GATHER(from_uint16, uint16_t, )
GATHER(from_uint32, uint32_t, )
GATHER(from_uint64, uint64_t, (double))
GATHER(from_int8, int8_t, )
GATHER(from_int16, int16_t, )
GATHER(from_int32, int32_t, )
GATHER(from_int64, int64_t, (double))

typedef void (*gather)(const uint8_t *at, int64_t step, int64_t count, double *out);
static const gather gathers[FC_ELEMENT_COUNT] = {
    [FC_FLOAT64] = from_float64, [FC_FLOAT32] = from_float32, [FC_FLOAT16] = from_float16,
    [FC_UINT8] = from_uint8,     [FC_UINT16] = from_uint16,   [FC_UINT32] = from_uint32,
    [FC_UINT64] = from_uint64,   [FC_INT8] = from_int8,       [FC_INT16] = from_int16,
    [FC_INT32] = from_int32,     [FC_INT64] = from_int64,
};

fc_status fc_field_load(const fc_series *series, const uint8_t *at, double *room,
                        const fc_field_kernels *kernels, fc_values *values) {
  const int dense = series->step == (int64_t)fc_element_size(series->element);
  const int aligned = ((uintptr_t)at & (fc_element_size(series->element) - 1)) == 0;
  values->value = room;
  values->count = series->length;
  if (dense && aligned && series->element == FC_FLOAT64)
    values->value = (const double *)(const void *)at;
  else if (dense && aligned && series->element == FC_FLOAT32)
    kernels->doubles_of_floats((const float *)(const void *)at, series->length, room);
  else
    gathers[series->element](at, series->step, series->length, room);
  values->extent = kernels->extent(values->value, series->length);
  return values->extent.finite ? FC_OK : FC_E_NOT_FINITE;
}

void fc_field_means(const double *values, const int64_t *start, const int64_t *end, int64_t count,
                    double times, double *means) {
  for (int64_t i = 0; i < count; i++) {
    double sum = 0;
    for (int64_t k = start[i]; k < end[i]; k++) sum += values[k] * times;
    means[i] = sum / (double)(end[i] - start[i]);
  }
}
