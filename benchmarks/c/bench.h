// bench.h: what the benchmark files share.
#pragma once

#include <chrono>
#include <string>

#include "core.h"

// Seconds that a call takes.
template <typename Call>
double seconds(Call call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Each registers its benchmarks.
void register_decode(const std::string &folder);
void register_resample();
void register_png();
void register_gather(size_t memory);
void register_field();
void register_tint();
void register_make(size_t memory);
void register_draw();
