// png.cc: filtered rows of PNG to pixels, in place and in the cache, one thread.
//
// The limit is a copy of the same rows, taken in turns; of_limit is its time over ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench.h"

namespace {

constexpr size_t kWidth = 500, kHeight = 375;
constexpr int kSub = 1, kUp = 2, kPaeth = 4, kPhoto = 5;
constexpr const char *kFilters[] = {"none", "sub", "up", "average", "paeth", "photo"};

// Photographs: mostly Paeth in long runs, with a few rows of Sub or Up between them.
int filter_of(int filter, size_t y) {
  if (filter != kPhoto) return filter;
  const size_t place = y % 25;
  return place < 4 ? kSub : place == 13 || place == 20 ? kUp : kPaeth;
}

void run(benchmark::State &state, int filter, size_t pixel) {
  const size_t bytes = kWidth * pixel, size = kHeight * (1 + bytes);
  std::vector<uint8_t> rows(size), other(size);
  unsigned random = 1;
  for (auto &byte : rows) byte = uint8_t((random = random * 1664525u + 1013904223u) >> 24);
  for (size_t y = 0; y < kHeight; y++) rows[y * (1 + bytes)] = uint8_t(filter_of(filter, y));
  double limit = 0, total = 0;
  for (auto _ : state) {
    int failed = 0;
    // The source is what was made last: the limit finds its bytes where ours does.
    limit += seconds([&] { std::copy(rows.begin(), rows.end(), other.begin()); });
    benchmark::DoNotOptimize(other.data());
    const double once =
        seconds([&] { failed = core_png_unfilter(rows.data(), kHeight, bytes, pixel); });
    if (failed) return state.SkipWithError("fc_png_unfilter refuses a filter");
    benchmark::DoNotOptimize(rows.data());
    state.SetIterationTime(once);
    total += once;
  }
  state.counters["GB/s"] = double(state.iterations()) * double(size) / total * 1e-9;
  state.counters["of_limit"] = limit / total;
}

}  // namespace

void register_png() {
  for (int filter = kSub; filter <= kPhoto; filter++)
    for (size_t pixel : {1, 2, 3, 4, 6, 8}) {
      const std::string name = std::string("png/unfilter ") + kFilters[filter] + ", pixels of " +
                               std::to_string(pixel) + " bytes";
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State &state) { run(state, filter, pixel); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
}
