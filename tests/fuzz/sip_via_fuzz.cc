// tests/fuzz/sip_via_fuzz.cc - one header value as Vias: each element against the slow reader; written again it is the
// same; stamped with what a receiver adds it differs in that alone (R3261-13).
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/text.h"
#include "sip/via.h"
#include "sip/writer.h"
#include "tests/fuzz/cost.h"
#include "tests/fuzz/sip_pieces.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::sip;
using parley::tests::ExactBlock;
using parley::tests::SlowParam;
using parley::tests::SlowVia;

constexpr std::size_t elements_max = 64;  // the slow reader copies what is left for each

void check_same(const Via& via, const SlowVia& slow) {
  CHECK(via.protocol == slow.protocol);
  CHECK(via.version == slow.version);
  CHECK(via.transport == slow.transport);
  CHECK(via.host == slow.host);
  CHECK(via.has_port == slow.port.has_value());
  CHECK(via.port == slow.port.value_or(0));
  parley::tests::check_params(via.params, slow.params);
}

std::string written(const Via& via) {
  std::string text = std::string(via.protocol) + '/' + std::string(via.version) + '/' + std::string(via.transport) +
                     ' ' + std::string(via.host);
  if (via.has_port) text += ':' + std::to_string(via.port);
  for (const SlowParam& param : parley::tests::params_of(via.params)) {
    text += ';' + param.name + (param.value ? '=' + *param.value : "");
  }
  return text;
}

void check_written(const Via& via) {
  const ExactBlock block(written(via));
  std::string_view rest = block.view();
  Via again;
  CHECK(take_via(rest, again));
  CHECK(rest.empty());
  CHECK(written(again) == block.view());
}

// The value as the first one of a request that is answered.
void check_stamped(std::string_view value, const Via& via) {
  const std::string request = "OPTIONS sip:a@b SIP/2.0\r\nVia: " + std::string(value) +
                              "\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
  HeadParser parser;
  if (parser.parse(request, {.head_bytes_max = ~std::uint32_t{0}}) != Progress::done) return;
  if (parser.head().error != HeadError::none || parser.head().header_count != 5) return;  // it was no single line
  std::string_view line = parser.head().value(HeaderId::via, request);
  Via read;
  if (!take_via(line, read)) return;  // the blanks behind a last comma have gone
  const ResponseText text{.status = 200, .stamp = {.received = "2001:db8::1", .rport = 65535}};
  std::string room(response_bytes(parser.head(), request, text), '?');
  CHECK(room.size() <= response_bytes_max(parser.head(), request, text));
  parley::core::TextOut out(room.data());
  parley::tests::without_memory(request.size(), [&] { put_response(out, parser.head(), request, text); });
  CHECK(out.size() == room.size());

  HeadParser answer;
  CHECK(answer.parse(room, {.head_bytes_max = ~std::uint32_t{0}}) == Progress::done);
  CHECK(answer.head().error == HeadError::none);
  std::string_view rest = answer.head().value(HeaderId::via, room);
  Via stamped;
  CHECK(take_via(rest, stamped));
  CHECK(via_received(stamped) == "2001:db8::1");
  CHECK(stamped.host == via.host && stamped.port == via.port && stamped.transport == via.transport);
  std::vector<SlowParam> expected;
  for (SlowParam param : parley::tests::params_of(via.params)) {
    if (parley::core::equal_ignore_case(param.name, "received")) continue;
    if (parley::core::equal_ignore_case(param.name, "rport")) param.value = "65535";
    expected.push_back(param);
  }
  expected.push_back({.name = "received", .value = "2001:db8::1"});
  const std::vector<SlowParam> ours = parley::tests::params_of(stamped.params);
  CHECK(ours.size() == expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(ours[i].name == expected[i].name);
    const bool folded = expected[i].value && expected[i].value->find_first_of("\r\n") != std::string::npos;
    CHECK(folded || ours[i].value == expected[i].value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ExactBlock block({reinterpret_cast<const char*>(data), size});
  parley::tests::without_memory(size, [&] {  // all of them, however many
    std::string_view rest = block.view();
    for (Via via; !rest.empty() && take_via(rest, via);) (void)via_received(via);
  });
  std::string_view rest = block.view();
  for (std::size_t i = 0; i < elements_max && !rest.empty(); ++i) {
    const std::string_view before = rest;
    Via via;
    const bool ok = take_via(rest, via);
    const std::optional<SlowVia> slow = parley::tests::slow_via(std::string(before));
    CHECK(ok == slow.has_value());
    if (!ok) {
      CHECK(rest == before);
      break;
    }
    CHECK(rest == slow->rest);
    for (const std::string_view piece :
         {via.protocol, via.version, via.transport, via.host, via.params, via_received(via)})
      parley::tests::check_inside(piece, before);
    check_same(via, *slow);
    check_written(via);
    if (i == 0) check_stamped(before, via);
  }
  return 0;
}
