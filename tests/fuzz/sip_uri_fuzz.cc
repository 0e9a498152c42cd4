// tests/fuzz/sip_uri_fuzz.cc - two URIs, one per line: their pieces, equality and keys; then both lines as header
// values.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "sip/address.h"
#include "sip/cseq.h"
#include "sip/params.h"
#include "sip/uri.h"
#include "sip/via.h"
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
  if (!parse_uri(text, uri)) return false;
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

// The key is a URI whose key it is, and does not depend on what equality does not look at.
void check_key(const Uri& uri) {
  std::array<char, 2048> out{};
  const std::string key(aor_key(uri, out.data(), out.size()));
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

void check_inside(std::string_view piece, std::string_view text) {
  if (piece.data() == nullptr) return;
  CHECK(piece.data() >= text.data() && piece.data() + piece.size() <= text.data() + text.size());
}

void check_params(std::string_view params, std::string_view text) {
  check_inside(params, text);
  std::size_t count = 0;
  Param param;
  std::string_view rest = params;
  for (; take_param(rest, param); ++count) {
    check_inside(param.name, params);
    check_inside(param.value, params);
    CHECK(param_value(params, param.name).data() != nullptr);
    if (count > 32) return;  // the check above is quadratic
  }
  CHECK(rest.empty());
}

void check_values(std::string_view text) {
  Address address;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t before = rest.size();
    if (!take_address(rest, address)) break;
    CHECK(rest.size() < before);
    check_inside(address.display, text);
    Uri uri;
    CHECK(address.star || parse_uri(address.uri, uri));
    check_params(address.params, text);
  }
  Via via;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t before = rest.size();
    if (!take_via(rest, via)) break;
    CHECK(rest.size() < before);
    CHECK(!via.host.empty() && !via.transport.empty());
    check_params(via.params, text);
    check_inside(via_received(via), text);
  }
  CSeq cseq;
  if (parse_cseq(text, cseq)) CHECK(cseq.number <= cseq_max && !cseq.method_name.empty());
  CHECK(!valid_call_id(text) || std::count(text.begin(), text.end(), '@') <= 1);
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
  if (ok_a && ok_b) CHECK(same_uri(uri_a, uri_b) == same_uri(uri_b, uri_a));
  check_values(lines.first());
  check_values(lines.second());
  return 0;
}
