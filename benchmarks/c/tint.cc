// tint.cc: colours of a picture changed in place, in the cache, one thread.
//
// The limit is a copy of the picture, taken in turns; of_limit is its time over ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench.h"

namespace {

constexpr int kSide = 224;
constexpr const char *kNames[] = {"brightness", "contrast", "saturation", "hue", "grey"};
constexpr float kAmounts[] = {0.8f, 1.3f, 0.7f, 0.07f, 0.0f};

// With `shuffle` each iteration takes the next order of the kinds.
void run(benchmark::State &state, std::vector<int> kinds, int channels, bool shuffle) {
  const size_t size = size_t(kSide) * kSide * size_t(channels);
  std::vector<uint8_t> source(size), pixels(size);
  unsigned random = 1;
  for (auto &byte : source) byte = uint8_t((random = random * 1664525u + 1013904223u) >> 24);
  double limit = 0, total = 0;
  for (auto _ : state) {
    std::vector<float> amounts;
    for (int kind : kinds) amounts.push_back(kAmounts[kind]);
    limit += seconds([&] { std::copy(source.begin(), source.end(), pixels.begin()); });
    benchmark::DoNotOptimize(pixels.data());
    int failed = 0;
    const double once = seconds([&] {
      failed = core_tint(pixels.data(), kSide, kSide, channels, kinds.data(), amounts.data(),
                         int(kinds.size()));
    });
    if (failed) return state.SkipWithError("core_tint refuses the colours");
    benchmark::DoNotOptimize(pixels.data());
    state.SetIterationTime(once);
    total += once;
    if (shuffle) std::next_permutation(kinds.begin(), kinds.end());
  }
  state.counters["images/s"] = double(state.iterations()) / total;
  state.counters["of_limit"] = limit / total;
}

void add(const std::string &what, const std::vector<int> &kinds, int channels, bool shuffle) {
  const std::string name = "tint/" + what + " 224x224x" + std::to_string(channels);
  benchmark::RegisterBenchmark(
      name.c_str(), [=](benchmark::State &state) { run(state, kinds, channels, shuffle); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

void register_tint() {
  for (int kind = CORE_BRIGHTNESS; kind <= CORE_GREY; kind++) add(kNames[kind], {kind}, 3, false);
  for (int kind : {CORE_BRIGHTNESS, CORE_CONTRAST}) add(kNames[kind], {kind}, 1, false);
  const std::vector<int> jitter = {CORE_BRIGHTNESS, CORE_CONTRAST, CORE_SATURATION, CORE_HUE};
  for (int channels : {3, 4}) add("jitter in every order", jitter, channels, true);
}
