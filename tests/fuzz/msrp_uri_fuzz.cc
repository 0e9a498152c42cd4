// tests/fuzz/msrp_uri_fuzz.cc - URIs against the slow reading; comparison is symmetric. Input: two texts with LF
// between.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "msrp/uri.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/slow_uri.h"

namespace {

using namespace parley::msrp;

bool inside(std::string_view piece, std::string_view text) {
  return piece.empty() || (piece.data() >= text.data() && piece.data() + piece.size() <= text.data() + text.size());
}

bool check_one(std::string_view text, Uri& uri) {
  const std::size_t before = parley::tests::allocations;
  const bool ok = parse_uri(text, uri);
  CHECK(parley::tests::allocations == before);
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
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), size);
  const parley::tests::ExactBlock a(input.substr(0, line));
  const parley::tests::ExactBlock b(input.substr(std::min(line + 1, size)));
  Uri uri_a;
  Uri uri_b;
  const bool ok_a = check_one(a.view(), uri_a);
  const bool ok_b = check_one(b.view(), uri_b);
  if (ok_a && ok_b) CHECK(same_uri(uri_a, uri_b) == same_uri(uri_b, uri_a));
  CHECK(split_path(input).first.size() <= size);
  CHECK(input.empty() || path_length(input) >= 1);
  return 0;
}
