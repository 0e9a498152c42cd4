// tests/fuzz/sip_uri_fuzz.cc - two URIs, one per line: their pieces against the slow reader, equality and keys.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "sip/uri.h"
#include "tests/fuzz/cost.h"
#include "tests/fuzz/sip_pieces.h"
#include "tests/fuzz/two_lines.h"

namespace {

using namespace parley::sip;

// The URI put together from its pieces again.
std::string joined(const Uri& uri, std::string_view port) {
  std::string text(uri.text.substr(0, uri.text.find(':') + 1));
  if (uri.scheme == Scheme::tel || uri.scheme == Scheme::other) {
    text += uri.user;
  } else {
    text += uri.user;
    if (uri.password.data() != nullptr) text += ":" + std::string(uri.password);
    if (!uri.user.empty()) text += "@";
    text += uri.host;
    if (uri.has_port) text += ":" + std::string(port);
  }
  if (uri.parameters.data() != nullptr) text += ";" + std::string(uri.parameters);
  if (uri.headers.data() != nullptr) text += "?" + std::string(uri.headers);
  return text;
}

bool check_uri(std::string_view text, Uri& uri) {
  const bool ok = parley::tests::without_memory(text.size(), [&] { return parse_uri(text, uri); });
  const std::optional<parley::tests::SlowSipUri> slow = parley::tests::slow_sip_uri(std::string(text));
  CHECK(ok == slow.has_value());
  if (!ok) return false;
  parley::tests::check_uri_pieces(uri, *slow);
  CHECK(uri.text == text);
  std::string_view port;
  if (uri.has_port) {
    port = text.substr(static_cast<std::size_t>(uri.host.data() + uri.host.size() + 1 - text.data()));
    port = port.substr(0, port.find_first_not_of("0123456789"));
    CHECK(std::stoi(std::string(port)) == uri.port);
  }
  CHECK(joined(uri, port) == text);
  CHECK(same_uri(uri, uri));
  return true;
}

std::string key_of(const Uri& uri) {
  std::array<char, 2048> out{};
  return std::string(aor_key(uri, out.data(), out.size()));
}

// The key is a URI whose key it is, and does not depend on what equality does not look at.
void check_key(const Uri& uri) {
  std::array<char, 2048> out{};
  const std::string key(
      parley::tests::without_memory(uri.text.size(), [&] { return aor_key(uri, out.data(), out.size()); }));
  if (key.empty() || key.size() == 4) return;  // of another scheme, too long, or a number of separators alone
  CHECK(key.size() <= 3 * uri.text.size() + 64);
  Uri again;
  if (!parse_uri(key, again)) {
    CHECK(uri.scheme == Scheme::tel || uri.user.find('%') != std::string_view::npos || uri.user.front() == '+');
    return;
  }
  std::array<char, 2048> second{};
  CHECK(aor_key(again, second.data(), second.size()) == key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::TwoLines lines(data, size);
  Uri uri_a;
  Uri uri_b;
  const bool ok_a = check_uri(lines.first(), uri_a);
  const bool ok_b = check_uri(lines.second(), uri_b);
  if (ok_a) check_key(uri_a);
  if (ok_b) check_key(uri_b);
  if (ok_a && ok_b) {
    const bool same = parley::tests::without_memory(size, [&] { return same_uri(uri_a, uri_b); });
    CHECK(same == same_uri(uri_b, uri_a));
    if (same) CHECK(key_of(uri_a) == key_of(uri_b));
  }
  return 0;
}
