// make.cc: recipes, from pixels in a large memory to a batch, samples in random order, one thread.
//
// The limit is a bare loop of streaming stores over the batch, in turns with ours; of_limit is its
// time over ours.  Times are of batches of 64.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "bench.h"

namespace {

// Photographs whose shorter side is 256.
constexpr int kHeight = 256, kWidth = 341, kSide = 224, kBatch = 64;

using Memory = std::unique_ptr<uint8_t, void (*)(void *)>;

Memory allocate(size_t size) {
  Memory memory(static_cast<uint8_t *>(std::aligned_alloc(4096, (size + 4095) / 4096 * 4096)),
                std::free);
  if (memory) std::memset(memory.get(), 1, size);
  return memory;
}

void run(benchmark::State &state, size_t memory, core_make make) {
  const size_t sample = size_t(kHeight) * kWidth * 3, samples = memory / sample;
  const size_t bytes = core_make_bytes(&make) * kBatch;
  // Readable beyond the last sample, as an arena's block is.
  const Memory source = allocate(samples * sample + 64), out = allocate(bytes);
  if (!source || !out || !samples)
    return state.SkipWithError("not enough memory: give --memory=MIB another number");
  unsigned random = 1;
  for (size_t i = 0; i < samples * sample; i++)
    source.get()[i] = uint8_t((random = random * 1664525u + 1013904223u) >> 24);
  std::vector<int64_t> offset(kBatch);
  make.source = source.get(), make.offset = offset.data(), make.out = out.get();
  make.count = kBatch;
  double limit = 0, total = 0;
  for (auto _ : state) {
    for (auto &at : offset) {
      random = random * 1664525u + 1013904223u;
      at = int64_t((random >> 8) % samples * sample);
    }
    make.epoch++;
    int missing = 0, failed = 0;
    limit += seconds([&] { missing = core_stream(out.get(), bytes, 32); });
    const double once = seconds([&] { failed = core_make_run(&make); });
    if (failed) return state.SkipWithError("fc_make_run fails");
    if (missing) limit = 0;
    state.SetIterationTime(once);
    total += once;
  }
  const double times = double(state.iterations());
  state.counters["images/s"] = times * kBatch / total;
  state.counters["GB/s"] = times * double(bytes) / total * 1e-9;
  state.counters["of_limit"] = limit / total;
}

void add(size_t memory, const std::string &what, core_make make, const char *element) {
  make.element = core_field_element(element);
  make.height = kHeight, make.width = kWidth, make.side = kSide;
  const std::string name = "make/" + what + " to " + element + (make.planar ? " CHW" : " HWC");
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State &state) { run(state, memory, make); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

void register_make(size_t memory) {
  core_make resized = {}, crop = {}, jittered = {};
  resized.resized = jittered.resized = jittered.jittered = 1;
  for (const char *element : {"uint8", "float32", "float16", "bfloat16"}) {
    for (int planar = 0; planar < 2; planar++) {
      resized.planar = crop.planar = planar;
      add(memory, "RandomResizedCrop, flip", resized, element);
      add(memory, "RandomCrop, flip", crop, element);
    }
  }
  add(memory, "RandomResizedCrop, ColorJitter, flip", jittered, "uint8");
}
