// tests/fuzz/sip_multipart_fuzz.cc - multipart bodies against the slow reader; parts written again are the same parts.
//
// Input: two lines, the boundary and the body.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/check.h"
#include "sip/multipart.h"
#include "tests/fuzz/cost.h"
#include "tests/fuzz/two_lines.h"
#include "tests/sip/slow_multipart.h"

namespace {

using namespace parley::sip;
using parley::tests::SlowMultipart;
using parley::tests::SlowPart;

bool same_value(Span ours, const std::optional<std::string>& slow, std::string_view body) {
  return ours.present() == slow.has_value() && (!slow || ours.of(body) == *slow);
}

void check_part(const Part& part, const SlowPart& slow, std::string_view body) {
  CHECK(part.headers.of(body) == slow.headers);
  CHECK(part.body.of(body) == slow.body);
  CHECK(same_value(part.content_type, slow.content_type, body));
  CHECK(same_value(part.content_disposition, slow.content_disposition, body));
  CHECK(same_value(part.content_id, slow.content_id, body));
  CHECK(same_value(part.content_transfer_encoding, slow.content_transfer_encoding, body));
  CHECK(same_content_id(part.content_id.of(body), "<" + std::string(part.content_id.of(body)) + ">") ||
        part.content_id.of(body).starts_with('<'));
}

void check_written(const SlowMultipart& parts) {
  // No line of theirs can begin like this: it was chosen after them.
  std::string boundary = "b";
  std::string body;
  for (const SlowPart& part : parts.parts) body += part.headers + "\r\n" + part.body;
  while (body.find("--" + boundary) != std::string::npos) boundary += "b";
  if (boundary.size() > boundary_bytes_max) return;
  body = "preamble\r\n";
  for (const SlowPart& part : parts.parts)
    body += "--" + boundary + "\r\n" + part.headers + "\r\n" + part.body + "\r\n";
  body += "--" + boundary + "--\r\n";
  Multipart again;
  CHECK(parse_multipart(body, boundary, again) == MultipartError::none);
  CHECK(again.closed);
  CHECK(again.count == parts.parts.size());
  for (std::size_t i = 0; i < parts.parts.size(); ++i) check_part(again.parts[i], parts.parts[i], body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::TwoLines lines(data, size);
  const std::string_view boundary = lines.first();
  const std::string_view body = lines.second();
  Multipart parts;
  const MultipartError error =
      parley::tests::without_memory(size, [&] { return parse_multipart(body, boundary, parts); });
  if (error == MultipartError::boundary) {
    CHECK(boundary.empty() || boundary.size() > boundary_bytes_max);
    return 0;
  }
  const SlowMultipart slow = parley::tests::slow_multipart(std::string(body), std::string(boundary));
  CHECK(to_string(error) == slow.error);
  if (error != MultipartError::none) return 0;
  CHECK(parts.closed == slow.closed);
  CHECK(parts.count == slow.parts.size());
  for (std::size_t i = 0; i < slow.parts.size(); ++i) check_part(parts.parts[i], slow.parts[i], body);
  check_written(slow);
  return 0;
}
