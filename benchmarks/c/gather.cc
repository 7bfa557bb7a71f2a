// gather.cc: rows of a large memory in random order into a batch, one thread.
//
// The limit is a bare loop of streaming stores over the same rows.  All kinds of copying take
// turns, batch by batch; of_limit is the limit's time over ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "bench.h"

namespace {

constexpr int64_t kBatch = 256, kBatches = 4;
constexpr size_t kLine = 64;

using Memory = std::unique_ptr<uint8_t, void (*)(void *)>;

Memory allocate(size_t size) {
  Memory memory(static_cast<uint8_t *>(std::aligned_alloc(4096, (size + 4095) / 4096 * 4096)),
                std::free);
  if (memory) std::memset(memory.get(), 1, size);
  return memory;
}

enum class Kind { kStreaming, kCached, kMemcpy, kLimit };

void copy(const core_gather &gather, Kind kind) {
  switch (kind) {
    case Kind::kStreaming:
      return core_gather_run(&gather, 1);
    case Kind::kCached:
      return core_gather_run(&gather, 0);
    case Kind::kMemcpy:
      return core_gather_memcpy(&gather);
    case Kind::kLimit:
      return core_gather_stream(&gather);
  }
}

void run(benchmark::State &state, size_t memory, int64_t row, Kind kind) {
  const int64_t rows = int64_t(memory) / row;
  // Several targets in turn, as batches are: none of them is in the cache when its turn comes.
  const Memory source = allocate(size_t(rows * row));
  const Memory targets = allocate(size_t(kBatches * kBatch * row));
  if (!source || !targets)
    return state.SkipWithError("not enough memory: give --memory=MIB a smaller number");
  std::vector<int64_t> source_offset(static_cast<size_t>(rows)), target_offset(kBatch);
  for (int64_t i = 0; i < rows; i++) source_offset[size_t(i)] = i * row;
  for (int64_t i = 0; i < kBatch; i++) target_offset[size_t(i)] = i * row;
  std::shuffle(source_offset.begin(), source_offset.end(), std::mt19937(1));

  int64_t turn = 0;
  const auto next = [&](Kind which) {
    const core_gather gather = {source.get(),
                                targets.get() + turn % kBatches * kBatch * row,
                                source_offset.data() + turn * kBatch % (rows - kBatch),
                                target_offset.data(),
                                kBatch,
                                row};
    turn++;
    return seconds([&] { copy(gather, which); });
  };
  double limit = 0, total = 0;
  for (auto _ : state) {
    limit += next(Kind::kLimit);
    const double once = next(kind);
    state.SetIterationTime(once);
    total += once;
  }
  const double times = double(state.iterations());
  state.counters["images/s"] = times * double(kBatch) / total;
  state.counters["GB/s"] = times * double(kBatch * row) / total * 1e-9;
  state.counters["of_limit"] = limit / total;
}

}  // namespace

void register_gather(size_t memory) {
  const std::pair<const char *, Kind> kinds[] = {{"limit: streaming stores", Kind::kLimit},
                                                 {"fc_copy_run, streaming", Kind::kStreaming},
                                                 {"fc_copy_run, cached", Kind::kCached},
                                                 {"memcpy", Kind::kMemcpy}};
  for (int64_t row : {224 * 224 * 3, 32 * 32 * 3})
    for (const auto &[label, kind] : kinds) {
      const std::string name = "gather/" + std::to_string(row) + " bytes/" + label;
      benchmark::RegisterBenchmark(
          name.c_str(),
          [=, kind = kind](benchmark::State &state) { run(state, memory, row, kind); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
}
