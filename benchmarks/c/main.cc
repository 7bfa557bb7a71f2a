// main.cc: bench [--data=FOLDER] [--memory=MIB] [Google Benchmark's own options]
//
// FOLDER (or FASTCACHE_BENCH_DATA) is searched for JPEG files; without it pictures are made.  MIB
// is the memory that rows are gathered from, 2048 by default: it has to be much larger than any
// cache.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench.h"

int main(int argc, char **argv) {
  const char *data = std::getenv("FASTCACHE_BENCH_DATA");
  std::string folder = data ? data : "";
  size_t memory = 2048;
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; i++) {
    if (std::strncmp(argv[i], "--data=", 7) == 0) {
      folder = argv[i] + 7;
    } else if (std::strncmp(argv[i], "--memory=", 9) == 0 && std::atoi(argv[i] + 9) > 0) {
      memory = static_cast<size_t>(std::atoi(argv[i] + 9));
    } else {
      std::fprintf(stderr,
                   "%s: give --data=FOLDER, --memory=MIB or --benchmark_... instead of %s\n",
                   argv[0], argv[i]);
      return 2;
    }
  }
  benchmark::AddCustomContext("instruction set", core_cpu());
  if (core_cpu_error()) benchmark::AddCustomContext("FASTCACHE_CPU", core_cpu_error());
  register_decode(folder);
  register_resample();
  register_png();
  register_tint();
  register_make(memory << 20);
  register_field();
  register_draw();
  register_gather(memory << 20);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
