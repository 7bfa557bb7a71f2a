// resample.cc: pixels in memory to pixels in memory, one thread.
//
// The limit is to read the needed part of the source once and write the output once, with both in
// the cache; of_limit says how near the arithmetic comes to costing nothing.
#include <benchmark/benchmark.h>

#include <vector>

#include "bench.h"

namespace {

constexpr const char *kFilters[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"};
constexpr int kBilinear = 2;

void run(benchmark::State &state, core_shape shape, bool is_limit) {
  std::vector<uint8_t> source(size_t(shape.height) * size_t(shape.width) * size_t(shape.channels));
  std::vector<uint8_t> out(size_t(shape.crop_h) * size_t(shape.crop_w) * size_t(shape.channels));
  unsigned random = 1;
  for (auto &byte : source) byte = uint8_t((random = random * 1664525u + 1013904223u) >> 24);
  double limit = 0, total = 0;
  for (auto _ : state) {
    int failed = 0;
    limit += seconds([&] { core_touch(&shape, source.data(), out.data()); });
    const double once = seconds([&] {
      if (is_limit)
        core_touch(&shape, source.data(), out.data());
      else
        failed = core_resample(&shape, source.data(), out.data());
    });
    if (failed) return state.SkipWithError("fc_resample refuses the shape");
    benchmark::DoNotOptimize(out.data());
    state.SetIterationTime(once);
    total += once;
  }
  // Bytes of the whole source, so that the numbers of pictures of one size can be compared.
  const double times = double(state.iterations());
  state.counters["images/s"] = times / total;
  state.counters["GB/s"] = times * double(source.size() + out.size()) / total * 1e-9;
  state.counters["of_limit"] = limit / total;
}

std::string name_of(const core_shape &s) {
  return std::to_string(s.width) + "x" + std::to_string(s.height) + "x" +
         std::to_string(s.channels) + " to " + std::to_string(s.size_w) + "x" +
         std::to_string(s.size_h) + ", centre " + std::to_string(s.crop_w) + "x" +
         std::to_string(s.crop_h);
}

void add(const core_shape &s, bool is_limit = false) {
  const std::string what = is_limit ? "limit: read and write" : kFilters[s.filter];
  const std::string name = "resample/" + what + " " + name_of(s);
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State &state) { run(state, s, is_limit); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

void register_resample() {
  add({375, 500, 3, 256, 341, 224, 224, kBilinear}, true);
  for (int filter = 0; filter < 6; filter++) add({375, 500, 3, 256, 341, 224, 224, filter});
  add({375, 500, 1, 256, 341, 224, 224, kBilinear});
  add({375, 500, 4, 256, 341, 224, 224, kBilinear});
  // Enlarging, a little smaller, twice, much smaller; a plain pass in one direction only.
  add({201, 267, 3, 256, 340, 224, 224, kBilinear});
  add({480, 640, 3, 256, 341, 224, 224, kBilinear});
  add({512, 683, 3, 256, 341, 224, 224, kBilinear});
  add({1500, 2000, 3, 256, 341, 224, 224, kBilinear});
  add({375, 500, 3, 375, 341, 375, 341, kBilinear});
  add({375, 500, 3, 256, 500, 256, 500, kBilinear});
}
