// tests/msrp/golden_page.h - wire pages: a sentence, bytes, the expected lines of FrameReader, one line of why.
//
//   # Sentence that names the page
//   ```bytes          each line ends with CRLF, unless \c ends it. \r \n \t \\ \xHH are bytes; \{40*ab} repeats.
//   ```events
//   Why: ...
#pragma once

#include <string>
#include <vector>

namespace parley::tests {

struct GoldenPage {
  std::string file;
  std::string sentence;
  std::string bytes;
  std::vector<std::string> events;
  std::string why;
};

// Every page of every *.md in `folder`, in the order of names. Ends the process when a page cannot be read.
std::vector<GoldenPage> read_golden_pages(const std::string& folder);

}  // namespace parley::tests
