// tools/parley-load/frame.h - reads MSRP frames off a byte stream (RFC 4975 section 9), written for the generator
// alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::load {

enum class Method : uint8_t { response, send, report, auth, other };
enum class FailureReport : uint8_t { yes, no, partial };

inline constexpr size_t kTidBytesMax = 32;             // RFC 4975 9: ident is 4 to 32 characters
inline constexpr size_t kHeadBytesMax = 16 * 1024;     // two long paths and a challenge fit many times over
inline constexpr uint64_t kRangeUnknown = UINT64_MAX;  // '*' or no Byte-Range at all

struct ByteRange {
  uint64_t start = 1;
  uint64_t end = kRangeUnknown;
  uint64_t total = kRangeUnknown;
};

// Everything before the body. All views point into the bytes that were parsed.
struct Head {
  Method method = Method::other;
  unsigned code = 0;  // of a response
  std::string_view tid;
  std::string_view to_path;
  std::string_view from_path;
  std::string_view message_id;
  std::string_view use_path;
  std::string_view expires;
  std::string_view status;
  std::array<std::string_view, 6> challenges{};  // WWW-Authenticate, one line each; more than 6 are left out
  size_t challenge_count = 0;
  ByteRange range;
  bool has_range = false;
  bool success_report = false;
  FailureReport failure_report = FailureReport::yes;
  bool has_body = false;
  char flag = 0;          // without a body: the continuation flag of the end-line
  size_t size_bytes = 0;  // of the head with its empty line, or of the whole frame when it has no body
};

enum class HeadResult : uint8_t { done, more, bad };
// On bad, `*why` names what was wrong.
HeadResult parse_head(std::string_view data, Head& head, const char** why);

// Looks for the end-line of the frame in front of which `data` stands.
struct BodyScan {
  size_t body_bytes = 0;  // leading bytes that are certainly body
  size_t used_bytes = 0;  // with the end-line, when there is one
  char flag = 0;          // 0: no end-line yet
};
class EndMark {
 public:
  void set(std::string_view tid);
  BodyScan scan(std::string_view data) const;
  std::string_view tid() const { return {text_.data() + kLead, size_ - kLead}; }

 private:
  static constexpr size_t kLead = 9;  // CRLF and seven dashes
  std::array<char, kLead + kTidBytesMax> text_{};
  size_t size_ = 0;
};

bool parse_range(std::string_view text, ByteRange& range);
bool parse_number(std::string_view text, uint64_t& number);
// "000 413 comment" -> 413; 0 when malformed.
unsigned parse_status(std::string_view text);
// The first of the URIs of a path.
inline std::string_view first_uri(std::string_view path) { return path.substr(0, path.find(' ')); }

}  // namespace parley::load
