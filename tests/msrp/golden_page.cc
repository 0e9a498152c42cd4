// tests/msrp/golden_page.cc - reads the wire pages.
#include "tests/msrp/golden_page.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace parley::tests {
namespace {

[[noreturn]] void unreadable(const std::string& file, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", file.c_str(), what.c_str());
  std::abort();
}

// The bytes that one line of a ```bytes block stands for.
std::string wire_bytes(const std::string& file, const std::string& line) {
  std::string out;
  bool crlf = true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    if (++i == line.size()) unreadable(file, "lone \\ in: " + line);
    switch (line[i]) {
      case 'r': out += '\r'; break;
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case '\\': out += '\\'; break;
      case 'c': crlf = false; break;
      case 'x':
        out += static_cast<char>(std::stoi(line.substr(i + 1, 2), nullptr, 16));
        i += 2;
        break;
      case '{': {
        const std::size_t star = line.find('*', i);
        const std::size_t close = line.find('}', i);
        if (star == std::string::npos || close == std::string::npos || star > close)
          unreadable(file, "bad \\{ in: " + line);
        const std::string unit = wire_bytes(file, line.substr(star + 1, close - star - 1) + "\\c");
        for (int n = std::stoi(line.substr(i + 1, star - i - 1)); n > 0; --n) out += unit;
        i = close;
        break;
      }
      default: unreadable(file, "unknown escape in: " + line);
    }
  }
  if (crlf) out += "\r\n";
  return out;
}

void read_file(const std::string& file, std::vector<GoldenPage>& pages) {
  std::ifstream in(file);
  enum class In { text, bytes, events } in_block = In::text;
  for (std::string line; std::getline(in, line);) {
    if (in_block != In::text) {
      if (line == "```") {
        in_block = In::text;
      } else if (in_block == In::bytes) {
        pages.back().bytes += wire_bytes(file, line);
      } else {
        pages.back().events.push_back(line);
      }
      continue;
    }
    if (line.starts_with("# ")) {
      pages.push_back({.file = std::filesystem::path(file).stem().string(),
                       .sentence = line.substr(2),
                       .bytes = {},
                       .events = {},
                       .why = {}});
    } else if (line == "```bytes") {
      in_block = In::bytes;
    } else if (line == "```events") {
      in_block = In::events;
    } else if (line.starts_with("Why: ")) {
      pages.back().why = line.substr(5);
    } else if (!line.empty()) {
      unreadable(file, "stray line: " + line);
    }
  }
}

}  // namespace

std::vector<GoldenPage> read_golden_pages(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".md") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::vector<GoldenPage> pages;
  for (const std::string& file : files) read_file(file, pages);
  for (const GoldenPage& page : pages) {
    if (page.bytes.empty() || page.events.empty() || page.why.empty())
      unreadable(page.file, "incomplete page: " + page.sentence);
  }
  return pages;
}

}  // namespace parley::tests
