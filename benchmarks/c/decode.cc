// decode.cc: JPEG bytes in memory to pixels, one thread.
//
// The limit is libjpeg's own full decode.  Ours is timed in turns with it, picture by picture, so
// that both see the same machine; of_limit is how many times as fast ours is.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <vector>

#include "bench.h"

namespace {

constexpr size_t kMostPhotos = 500;
constexpr int kBicubic = 4;

struct Photos {
  std::vector<std::vector<uint8_t>> files;
  std::vector<uint8_t> pixels;  // room for the largest, decoded
  std::string source;
};

std::vector<std::filesystem::path> find_jpegs(const std::string &folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::string suffix = entry.path().extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(), ::tolower);
    if (entry.is_regular_file() && (suffix == ".jpg" || suffix == ".jpeg"))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<uint8_t> read_file(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Sizes and qualities as photo collections have them; three quarters 4:2:0.
std::vector<std::vector<uint8_t>> make_photos() {
  const int sizes[][2] = {{500, 375}, {375, 500}, {500, 333}, {640, 480}, {480, 640}, {350, 263}};
  std::vector<std::vector<uint8_t>> files;
  for (unsigned i = 0; i < 24; i++) {
    uint8_t *data = nullptr;
    size_t size = 0;
    const int *shape = sizes[i % 6];
    if (core_jpeg_make(shape[0], shape[1], 75 + static_cast<int>(i) % 21, i % 4 != 0, i, nullptr,
                       &data, &size))
      throw std::runtime_error("libjpeg could not make a picture");
    files.emplace_back(data, data + size);
    std::free(data);
  }
  return files;
}

// Keeps what libjpeg decodes and the crop fits into; unreadable files are left out.
std::shared_ptr<Photos> load_photos(const std::string &folder) {
  auto photos = std::make_shared<Photos>();
  photos->source = folder.empty() ? "made" : folder;
  std::vector<std::vector<uint8_t>> files;
  if (folder.empty()) files = make_photos();
  for (const auto &path :
       folder.empty() ? std::vector<std::filesystem::path>() : find_jpegs(folder))
    if (files.size() < kMostPhotos) files.push_back(read_file(path));
  for (auto &file : files) {
    int width = 0, height = 0;
    if (core_jpeg_size(file.data(), file.size(), &width, &height)) continue;
    photos->pixels.resize(std::max(photos->pixels.size(), size_t(width) * size_t(height) * 3));
    if (core_jpeg_decode(file.data(), file.size(), photos->pixels.data(), photos->pixels.size()))
      continue;
    photos->files.push_back(std::move(file));
  }
  if (photos->files.empty()) throw std::runtime_error("no JPEG files in " + folder);
  return photos;
}

// Every tenth of the photographs, enlarged: what cameras make of the same scenes, but smoother.
std::shared_ptr<Photos> enlarge(const Photos &photos, int times) {
  auto large = std::make_shared<Photos>();
  std::vector<uint8_t> small(photos.pixels.size());
  large->pixels.resize(small.size() * size_t(times) * size_t(times));
  for (size_t i = 0; i < photos.files.size(); i += photos.files.size() < 100 ? 1 : 10) {
    const auto &file = photos.files[i];
    core_shape shape = {};
    shape.channels = 3;
    shape.filter = kBicubic;
    uint8_t *data = nullptr;
    size_t size = 0;
    if (core_jpeg_size(file.data(), file.size(), &shape.width, &shape.height) ||
        core_jpeg_decode(file.data(), file.size(), small.data(), small.size()))
      continue;
    shape.size_h = shape.crop_h = shape.height * times;
    shape.size_w = shape.crop_w = shape.width * times;
    if (core_resample(&shape, small.data(), large->pixels.data()) ||
        core_jpeg_make(shape.crop_w, shape.crop_h, 90, 1, 0, large->pixels.data(), &data, &size))
      throw std::runtime_error("a photograph could not be enlarged");
    large->files.emplace_back(data, data + size);
    std::free(data);
  }
  return large;
}

void report(benchmark::State &state, const Photos &photos, double limit, double ours) {
  const double images = double(state.iterations()) * double(photos.files.size());
  state.counters["images"] = double(photos.files.size());
  state.counters["images/s"] = images / ours;
  state.counters["of_limit"] = limit / ours;
}

void limit(benchmark::State &state, std::shared_ptr<Photos> photos) {
  double total = 0;
  for (auto _ : state) {
    const double pass = seconds([&] {
      for (const auto &file : photos->files)
        core_jpeg_decode(file.data(), file.size(), photos->pixels.data(), photos->pixels.size());
    });
    state.SetIterationTime(pass);
    total += pass;
  }
  report(state, *photos, total, total);
}

// side 0: every pixel, as the limit makes them.
void ours(benchmark::State &state, std::shared_ptr<Photos> photos, int side, int crop) {
  std::unique_ptr<core_decoder, void (*)(core_decoder *)> decoder(core_decoder_new(),
                                                                  core_decoder_free);
  std::vector<uint8_t> out(std::max(photos->pixels.size(), size_t(crop) * size_t(crop) * 3));
  double limit_total = 0, total = 0;
  for (auto _ : state) {
    double pass = 0;
    for (const auto &file : photos->files) {
      int failed = 0;
      limit_total += seconds([&] {
        core_jpeg_decode(file.data(), file.size(), photos->pixels.data(), photos->pixels.size());
      });
      pass += seconds([&] {
        failed = core_decode(decoder.get(), file.data(), file.size(), side, crop, out.data());
      });
      if (failed) return state.SkipWithError("fc_decode refuses what libjpeg decodes");
    }
    state.SetIterationTime(pass);
    total += pass;
  }
  report(state, *photos, limit_total, total);
}

// Random resized crops, in turns with the same crops of the whole picture; or, if is_fast, at 1/2
// or 1/4 of the size where that is enough, in turns with the same crops at all of it.
void crops(benchmark::State &state, std::shared_ptr<Photos> photos, int is_fast) {
  std::unique_ptr<core_crops, void (*)(core_crops *)> making(core_crops_new(), core_crops_free);
  std::vector<uint8_t> out(224 * 224 * 3);
  double whole = 0, total = 0;
  uint64_t sample = 0;
  for (auto _ : state) {
    double pass = 0;
    for (const auto &file : photos->files) {
      int failed = 0;
      sample++;
      whole += seconds([&] {
        failed |= core_crops_make(making.get(), file.data(), file.size(), sample, 0,
                                  is_fast ? nullptr : photos->pixels.data(), out.data());
      });
      pass += seconds([&] {
        failed |= core_crops_make(making.get(), file.data(), file.size(), sample, is_fast, nullptr,
                                  out.data());
      });
      if (failed) return state.SkipWithError("fc_make refuses what libjpeg decodes");
    }
    state.SetIterationTime(pass);
    total += pass;
  }
  report(state, *photos, whole, total);
}

}  // namespace

void register_decode(const std::string &folder) {
  const auto photos = load_photos(folder);
  benchmark::AddCustomContext("photos", photos->source);
  const auto set = [](benchmark::internal::Benchmark *b) {
    b->UseManualTime()->Unit(benchmark::kMillisecond);
  };
  set(benchmark::RegisterBenchmark("decode/limit: libjpeg, every pixel",
                                   [=](benchmark::State &state) { limit(state, photos); }));
  set(benchmark::RegisterBenchmark("decode/fc_decode, every pixel",
                                   [=](benchmark::State &state) { ours(state, photos, 0, 0); }));
  set(benchmark::RegisterBenchmark("decode/fc_decode, side 256, centre 224",
                                   [=](benchmark::State &s) { ours(s, photos, 256, 224); }));
  set(benchmark::RegisterBenchmark("decode/fc_make_from_file, RandomResizedCrop 224, flip",
                                   [=](benchmark::State &state) { crops(state, photos, 0); }));
  for (int times = 1; times <= 4; times *= 2) {
    const auto name = "decode/fast_scale, RandomResizedCrop 224, photos x " + std::to_string(times);
    const auto kept = std::make_shared<std::shared_ptr<Photos>>(times == 1 ? photos : nullptr);
    set(benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
      if (!*kept) *kept = enlarge(*photos, times);
      crops(state, *kept, 1);
    }));
  }
}
