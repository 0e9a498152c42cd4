// tests/fuzz/msrp_auth_fuzz.cc - Authorization values: views lie inside the text, and what is said does not change when
// harmless parameters are added.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/digest_header.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace {

using parley::core::Authorization;

std::array<std::string_view, 10> fields(const Authorization& auth) {
  return {auth.username,  auth.realm,  auth.nonce,  auth.uri, auth.response,
          auth.algorithm, auth.cnonce, auth.opaque, auth.qop, auth.nc};
}

bool parse(std::string_view text, Authorization& auth) {
  const std::size_t before = parley::tests::allocations;
  const bool ok = parley::core::parse_authorization(text, auth);
  CHECK(parley::tests::allocations == before);
  return ok;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block({reinterpret_cast<const char*>(data), size});
  const std::string_view text = block.view();
  Authorization auth;
  if (!parse(text, auth)) return 0;
  for (const std::string_view field : fields(auth)) {
    if (field.data() == nullptr) continue;
    CHECK(field.data() >= text.data());
    CHECK(field.data() + field.size() <= text.data() + text.size());
    for (const char c : field) CHECK(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  }
  CHECK(auth.nc.empty() || auth.nc.size() == 8);
  CHECK(auth.has_uri == (auth.uri.data() != nullptr));

  const parley::tests::ExactBlock longer(" " + std::string(text) + ", x-y=\"\\\"\",x-y=1");
  Authorization again;
  CHECK(parse(longer.view(), again));
  CHECK(fields(again) == fields(auth));
  if (auth.has_uri) {
    const parley::tests::ExactBlock twice(std::string(text) + ", uri=\"\"");
    CHECK(!parse(twice.view(), again));
  }
  return 0;
}
