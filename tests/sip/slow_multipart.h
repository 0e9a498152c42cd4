// tests/sip/slow_multipart.h - takes a multipart body apart a second time, line by line: slow, and with nothing in
// common with the splitter it is compared with.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace parley::tests {

struct SlowPart {
  std::string headers;  // whole lines
  std::string body;
  std::optional<std::string> content_type;
  std::optional<std::string> content_disposition;
  std::optional<std::string> content_id;
  std::optional<std::string> content_transfer_encoding;
};

struct SlowMultipart {
  std::string error = "none";  // as to_string(MultipartError) has it
  bool closed = false;
  std::vector<SlowPart> parts;
};

SlowMultipart slow_multipart(const std::string& body, const std::string& boundary);

}  // namespace parley::tests
