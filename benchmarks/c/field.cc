// field.cc: Gramian angular fields of series, one thread.
//
// The limit is a bare loop of streaming stores over the same memory, 256 and 512 bits wide; the
// faster one counts.  All take turns; of_limit is the limit's time over ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench.h"

namespace {

constexpr size_t kLarge = 256 << 20;
constexpr int kWidths[] = {32, 64};

struct Images {
  core_field field;
  std::vector<double> series;
  std::unique_ptr<uint8_t, void (*)(void *)> out{nullptr, std::free};
  size_t bytes;
};

// `offset`: of the first image from a cache line; NumPy's arrays begin 16 bytes behind one.
std::shared_ptr<Images> make(int kind, const char *type, int64_t size, int64_t count, int store,
                             size_t offset) {
  auto images = std::make_shared<Images>();
  core_field &field = images->field;
  field = {kind, core_field_element(type), size, count, store, nullptr, nullptr};
  images->bytes = core_field_bytes(&field);
  images->series.resize(size_t(count * size));
  std::mt19937 random(1);
  std::normal_distribution<double> step;
  double at = 0;
  for (auto &value : images->series) value = at += step(random);
  const size_t room = (images->bytes + offset + 4095) / 4096 * 4096;
  images->out.reset(static_cast<uint8_t *>(std::aligned_alloc(4096, room)));
  if (!images->out) return images;
  std::memset(images->out.get(), 1, room);
  field.series = images->series.data();
  field.out = images->out.get() + offset;
  return images;
}

int64_t count_for(int kind, const char *type, int64_t size, size_t bytes) {
  const core_field one = {kind, core_field_element(type), size, 1, 0, nullptr, nullptr};
  return std::max<int64_t>(1, int64_t(bytes / core_field_bytes(&one)));
}

void report(benchmark::State &state, const Images &images, double total) {
  const double times = double(state.iterations());
  state.counters["series/s"] = times * double(images.field.count) / total;
  state.counters["ns/series"] = 1e9 * total / times / double(images.field.count);
}

void beside_limit(benchmark::State &state, int kind, const char *type, int64_t size,
                  size_t offset) {
  const auto images =
      make(kind, type, size, count_for(kind, type, size, kLarge), CORE_STORE_AUTO, offset);
  if (!images->out) return state.SkipWithError("not enough memory");
  double limit[2] = {0, 0}, total = 0;
  bool has[2] = {true, true};
  for (auto _ : state) {
    for (int k = 0; k < 2; k++)
      limit[k] +=
          seconds([&] { has[k] = core_stream(images->out.get(), images->bytes, kWidths[k]) == 0; });
    int failed = 0;
    const double once = seconds([&] { failed = core_field_run(&images->field); });
    if (failed) return state.SkipWithError("fc_field_run refuses the series");
    state.SetIterationTime(once);
    total += once;
  }
  report(state, *images, total);
  state.counters["GB/s"] = double(state.iterations()) * double(images->bytes) / total * 1e-9;
  const double best = !has[0] ? limit[1] : !has[1] ? limit[0] : std::min(limit[0], limit[1]);
  if (has[0] || has[1]) state.counters["of_limit"] = best / total;
}

// Memory that stays in the cache: what the kernel does when nothing waits for memory.
void small(benchmark::State &state, const char *type, int64_t size, int64_t count, int store,
           size_t offset) {
  const auto images = make(CORE_GASF, type, size, count, store, offset);
  if (!images->out) return state.SkipWithError("not enough memory");
  int failed = 0;
  double total = 0;
  for (auto _ : state) {
    const double once = seconds([&] { failed |= core_field_run(&images->field); });
    benchmark::DoNotOptimize(images->out.get());
    state.SetIterationTime(once);
    total += once;
  }
  if (failed) return state.SkipWithError("fc_field_run refuses the series");
  report(state, *images, total);
  state.counters["GB/s"] = double(state.iterations()) * double(images->bytes) / total * 1e-9;
}

void prepare(benchmark::State &state, const char *type, int64_t size) {
  const auto images = make(CORE_GASF, type, size, 256, CORE_STORE_AUTO, 0);
  if (!images->out) return state.SkipWithError("not enough memory");
  int failed = 0;
  double total = 0;
  for (auto _ : state) {
    const double once = seconds([&] { failed |= core_field_prepare(&images->field); });
    state.SetIterationTime(once);
    total += once;
  }
  if (failed) return state.SkipWithError("a series is refused");
  report(state, *images, total);
}

template <typename Call>
void add(const std::string &name, Call call) {
  benchmark::RegisterBenchmark(("field/" + name).c_str(), call)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

std::string shape(const char *type, int64_t size) {
  return std::string(type) + " " + std::to_string(size) + "x" + std::to_string(size);
}

}  // namespace

void register_field() {
  const char *const types[] = {"float32", "float64", "float16", "bfloat16", "uint16", "uint8"};
  for (const char *type : types)
    for (int64_t size : {64, 96, 128, 150, 224, 256, 512})
      add("summation, " + shape(type, size),
          [=](benchmark::State &s) { beside_limit(s, CORE_GASF, type, size, 0); });
  for (const char *type : types)
    add("summation, 16 bytes behind a line, " + shape(type, 128),
        [=](benchmark::State &s) { beside_limit(s, CORE_GASF, type, 128, 16); });
  for (const char *type : {"float32", "uint8"}) {
    add("difference, " + shape(type, 128),
        [=](benchmark::State &s) { beside_limit(s, CORE_GADF, type, 128, 0); });
    add("both, " + shape(type, 128),
        [=](benchmark::State &s) { beside_limit(s, CORE_GAF_BOTH, type, 128, 0); });
  }
  for (const char *type : {"float32", "float64"})
    for (int64_t size : {64, 96, 128, 224, 512})
      add("preparation alone, " + shape(type, size),
          [=](benchmark::State &s) { prepare(s, type, size); });
  const std::pair<const char *, int> stores[] = {{"auto", CORE_STORE_AUTO},
                                                 {"cached", CORE_STORE_CACHED},
                                                 {"streaming", CORE_STORE_STREAMING}};
  for (int64_t count : {8, 32, 256})
    for (const auto &[name, store] : stores)
      add("batch of " + std::to_string(count) + ", stores " + name + ", " + shape("float32", 96),
          [=, store = store](benchmark::State &s) { small(s, "float32", 96, count, store, 0); });
  for (const char *type : types)
    for (size_t offset : {0, 16})
      add("batch of 8, stores cached, " + std::to_string(offset) + " bytes behind a line, " +
              shape(type, 128),
          [=](benchmark::State &s) { small(s, type, 128, 8, CORE_STORE_CACHED, offset); });
}
