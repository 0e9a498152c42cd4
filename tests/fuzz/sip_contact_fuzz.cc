// tests/fuzz/sip_contact_fuzz.cc - one header value as addresses: each element, its URI and its parameters against the
// slow reader; written again it is the same; equality of the URIs is what an equality has to be.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/address.h"
#include "sip/uri.h"
#include "tests/fuzz/cost.h"
#include "tests/fuzz/sip_pieces.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::sip;
using parley::tests::ExactBlock;
using parley::tests::SlowAddress;
using parley::tests::SlowParam;

constexpr std::size_t elements_max = 64;  // the slow reader copies what is left for each
constexpr std::size_t compared_max = 4;

std::string written(const Address& address) {
  if (address.star) return "*";
  std::string text = std::string(address.display) + '<' + std::string(address.uri) + '>';
  for (const SlowParam& param : parley::tests::params_of(address.params)) {
    text += ';' + param.name + (param.value ? '=' + *param.value : "");
  }
  return text;
}

void check_written(const Address& address) {
  const ExactBlock block(written(address));
  std::string_view rest = block.view();
  Address again;
  CHECK(take_address(rest, again));
  CHECK(rest.empty());
  CHECK(written(again) == block.view());
  CHECK(parse_address(block.view(), again) == !address.star);
}

void check_equality(const std::vector<Uri>& uris) {
  for (std::size_t a = 0; a < uris.size(); ++a) {
    for (std::size_t b = a; b < uris.size(); ++b) {
      const std::size_t bytes = uris[a].text.size() + uris[b].text.size();
      const bool same = parley::tests::without_memory(bytes, [&] { return same_uri(uris[a], uris[b]); });
      CHECK(same || a != b);
      CHECK(same == same_uri(uris[b], uris[a]));
      if (same) CHECK(uris[a].scheme == uris[b].scheme && uris[a].has_port == uris[b].has_port);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ExactBlock block({reinterpret_cast<const char*>(data), size});
  parley::tests::without_memory(size, [&] {
    std::string_view rest = block.view();
    for (Address address; !rest.empty() && take_address(rest, address);) (void)param_value(address.params, "q");
  });
  std::vector<Uri> uris;
  std::string_view rest = block.view();
  for (std::size_t i = 0; i < elements_max && !rest.empty(); ++i) {
    const std::string_view before = rest;
    Address address;
    const bool ok = take_address(rest, address);
    const std::optional<SlowAddress> slow = parley::tests::slow_address(std::string(before));
    CHECK(ok == slow.has_value());
    if (!ok) {
      CHECK(rest == before);
      break;
    }
    CHECK(rest == slow->rest);
    for (const std::string_view piece : {address.display, address.uri, address.params})
      parley::tests::check_inside(piece, before);
    CHECK(address.star == slow->star);
    CHECK(address.display == slow->display);
    CHECK(address.uri == slow->uri);
    parley::tests::check_params(address.params, slow->params);
    check_written(address);
    if (address.star) continue;
    Uri uri;
    CHECK(parse_uri(address.uri, uri));
    parley::tests::check_uri_pieces(uri, *parley::tests::slow_sip_uri(slow->uri));
    if (uris.size() < compared_max) uris.push_back(uri);
  }
  check_equality(uris);
  return 0;
}
