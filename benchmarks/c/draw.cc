// draw.cc: the steps of a recipe drawn for samples, one thread; nothing touches a pixel.
//
// The limit is the random numbers alone.
#include "drawing.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "bench.h"

namespace {

constexpr int kSamples = 4096;
constexpr size_t kNumbers = 3 * 100 * 100;

void run(benchmark::State &state, int steps) {
  double limit = 0, total = 0;
  for (auto _ : state) {
    int failed = 0;
    limit += seconds([&] { benchmark::DoNotOptimize(core_draw_blocks(steps, kSamples)); });
    const double once = seconds([&] { failed = core_draw(steps, kSamples); });
    if (failed) return state.SkipWithError("fc_draw refuses the recipe");
    state.SetIterationTime(once);
    total += once;
  }
  state.counters["ns/sample"] = total / double(state.iterations()) / kSamples * 1e9;
  state.counters["of_limit"] = limit / total;
}

void run_normals(benchmark::State &state, void (*fill)(float *, size_t)) {
  std::vector<float> numbers(kNumbers);
  for (auto _ : state) {
    fill(numbers.data(), kNumbers);
    benchmark::DoNotOptimize(numbers.data());
  }
  state.counters["numbers/s"] = benchmark::Counter(double(state.iterations()) * double(kNumbers),
                                                   benchmark::Counter::kIsRate);
}

}  // namespace

void register_draw() {
  constexpr const char *kNames[] = {"RandomResizedCrop", "+ flip", "+ ColorJitter",
                                    "+ RandomErasing"};
  for (int steps = 1; steps <= 4; steps++)
    benchmark::RegisterBenchmark((std::string("draw/") + kNames[steps - 1]).c_str(),
                                 [=](benchmark::State &state) { run(state, steps); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("draw/normal numbers", run_normals, core_normals)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("draw/normal numbers one by one", run_normals,
                               core_normals_one_by_one)
      ->Unit(benchmark::kMicrosecond);
}
