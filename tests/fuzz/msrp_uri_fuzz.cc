// tests/fuzz/msrp_uri_fuzz.cc - URIs against the slow reading; comparison is symmetric. Input: two texts with LF
// between.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "msrp/uri.h"
#include "tests/fuzz/cost.h"
#include "tests/fuzz/two_lines.h"
#include "tests/msrp/slow_uri.h"

namespace {

using namespace parley::msrp;

bool inside(std::string_view piece, std::string_view text) {
  return piece.empty() || (piece.data() >= text.data() && piece.data() + piece.size() <= text.data() + text.size());
}

bool check_one(std::string_view text, Uri& uri) {
  const bool ok = parley::tests::without_memory(text.size(), [&] { return parse_uri(text, uri); });
  const parley::tests::SlowUri slow = parley::tests::slow_uri(std::string(text));
  CHECK(ok == slow.ok);
  if (!ok) return false;
  CHECK(inside(uri.userinfo, text) && inside(uri.host, text) && inside(uri.session_id, text) &&
        inside(uri.transport, text));
  CHECK(uri.secure == slow.secure);
  CHECK(uri.userinfo == slow.userinfo);
  CHECK(uri.host == slow.host);
  CHECK(uri.has_port == !slow.port.empty());
  CHECK(uri.session_id == slow.session_id);
  CHECK(uri.transport == slow.transport);
  CHECK(same_uri(uri, uri));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::TwoLines lines(data, size);
  Uri uri_a;
  Uri uri_b;
  const bool ok_a = check_one(lines.first(), uri_a);
  const bool ok_b = check_one(lines.second(), uri_b);
  if (ok_a && ok_b) CHECK(same_uri(uri_a, uri_b) == same_uri(uri_b, uri_a));
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  CHECK(split_path(input).first.size() <= size);
  CHECK(input.empty() || path_length(input) >= 1);
  return 0;
}
