/* field_order.c: sorted values and quantiles, as NumPy interpolates them. */
#include <math.h>
#include <string.h>

#include "field.h"

#define SHORT 8

static void put_in_order(double *a, double *b) {
  const double x = *a, y = *b;
  *a = y < x ? y : x;
  *b = y < x ? x : y;
}

static void sort_four(double *v) {
  put_in_order(v, v + 1), put_in_order(v + 2, v + 3);
  put_in_order(v, v + 2), put_in_order(v + 1, v + 3);
  put_in_order(v + 1, v + 2);
}

static void sort_by_insertion(double *v, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    const double value = v[i];
    int64_t k = i;
    for (; k > 0 && value < v[k - 1]; k--) v[k] = v[k - 1];
    v[k] = value;
  }
}

/* [a, middle) and [middle, end), both sorted, to `out`.  Which of two values is less is as good as
 * random, so nothing branches on it. */
static void merge(const double *a, const double *middle, const double *end, double *out) {
  const double *b = middle;
  while (a < middle && b < end) {
    const double x = *a, y = *b;
    const int second = y < x;
    *out++ = second ? y : x;
    b += second;
    a += !second;
  }
  while (a < middle) *out++ = *a++;
  while (b < end) *out++ = *b++;
}

/* Halves of equal length from both ends at once: two chains that do not wait for each other, and no
 * half can end before `length` values are out on its side. */
static void merge_equal(const double *a, int64_t length, double *out) {
  const double *b = a + length, *last = a + length - 1, *latest = b + length - 1;
  double *back = out + 2 * length - 1;
  for (int64_t k = 0; k < length; k++) {
    const double x = *a, y = *b, u = *last, v = *latest;
    const int second = y < x, former = v < u;
    *out++ = second ? y : x;
    b += second;
    a += !second;
    *back-- = former ? u : v;
    last -= former;
    latest -= !former;
  }
}

double *fc_field_sort(double *values, double *room, int64_t count) {
  int64_t run = 4, i = 0;
  if (count <= SHORT) {
    sort_by_insertion(values, count);
    return values;
  }
  for (; i + run <= count; i += run) sort_four(values + i);
  sort_by_insertion(values + i, count - i);
  for (; run < count; run *= 2) {
    for (i = 0; i + 2 * run <= count; i += 2 * run) merge_equal(values + i, run, room + i);
    const int64_t middle = FC_MIN(i + run, count);
    merge(values + i, values + middle, values + count, room + i);
    double *sorted = room;
    room = values;
    values = sorted;
  }
  return values;
}

void fc_field_group(fc_order *order, const double *values, int64_t count, double times, double low,
                    double high) {
  const double scale = (double)count / (high - low), last = (double)(count - 1);
  /* Where the range is next to nothing, all are one group. */
  const double by = isfinite(scale) ? scale : 0;
  memset(order->first, 0, ((size_t)count + 2) * sizeof *order->first);
  for (int64_t i = 0; i < count; i++) {
    const double at = (values[i] * times - low) * by;
    order->group[i] = (int32_t)(at < last ? at : last);
  }
  for (int64_t i = 0; i < count; i++) order->first[order->group[i] + 2]++;
  for (int64_t k = 2; k <= count; k++) order->first[k] += order->first[k - 1];
  for (int64_t i = 0; i < count; i++)
    order->grouped[order->first[order->group[i] + 1]++] = values[i] * times;
  order->here = -1;
}

double fc_field_ranked(fc_order *order, int64_t rank) {
  int64_t here = FC_MAX(order->here, 0);
  while (order->first[here + 1] <= rank) here++;
  const int64_t first = order->first[here], count = order->first[here + 1] - first;
  if (here != order->here) {
    double *sorted = fc_field_sort(order->grouped + first, order->room, count);
    if (sorted == order->room)
      memcpy(order->grouped + first, sorted, (size_t)count * sizeof *sorted);
  }
  order->here = here;
  return order->grouped[rank];
}

fc_quantile fc_field_quantile(double q, int64_t count) {
  const double at = (double)(count - 1) * q, rank = floor(at);
  if (at >= (double)(count - 1)) return (fc_quantile){count - 1, count - 1, 0};
  return (fc_quantile){(int64_t)rank, (int64_t)rank + 1, at - rank};
}

double fc_field_between(double low, double high, double share) {
  const double step = high - low;
  return share >= 0.5 ? high - step * (1 - share) : low + step * share;
}
