// tests/fuzz/replay_main.cc - plays the committed corpus through a fuzz target in a build without libFuzzer.
//
// What an input costs shows when it is large: some of them are played again with a piece repeated up to 64 KiB.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t grown_bytes = std::size_t{64} * 1024;
constexpr std::size_t grown_inputs = 48;  // of each folder: a second or two in a sanitizer build

void play(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void play_grown(const std::string& bytes, std::size_t from, std::size_t end) {
  if (from >= end || bytes.size() >= grown_bytes) return;
  std::string grown = bytes.substr(0, end);
  while (grown.size() + bytes.size() - end < grown_bytes) grown.append(bytes, from, end - from);
  play(grown.append(bytes, end));
}

// Its middle, the line there, and all of it.
void play_grown(const std::string& bytes) {
  const std::size_t middle = bytes.size() / 2;
  play_grown(bytes, bytes.size() / 3, bytes.size() - bytes.size() / 3);
  const std::size_t line = middle == 0 ? 0 : bytes.rfind('\n', middle - 1) + 1;
  play_grown(bytes, line, std::min(bytes.find('\n', middle), bytes.size() - 1) + 1);
  play_grown(bytes, 0, bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    const std::size_t step = paths.size() / grown_inputs + 1;
    for (std::size_t at = 0; at < paths.size(); ++at, ++inputs) {
      std::ifstream in(paths[at], std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), {});
      play(bytes);
      if (at % step == 0) play_grown(bytes);
    }
  }
  std::printf("%zu inputs\n", inputs);
  return inputs == 0 ? 1 : 0;  // an empty corpus proves nothing
}
