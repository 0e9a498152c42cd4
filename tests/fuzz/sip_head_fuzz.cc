// tests/fuzz/sip_head_fuzz.cc - one SIP head: whole and byte by byte, against the slow reader; then the verdict over
// it.
//
// Input: one byte that chooses the limits, then the bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "sip/params.h"
#include "sip/verdict.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/sip/slow_head.h"

namespace {

using namespace parley::sip;
using parley::tests::ExactBlock;
using parley::tests::SlowSipHead;

Progress parse(HeadParser& parser, std::string_view bytes, const HeadLimits& limits) {
  return parley::tests::without_memory(bytes.size(), [&] { return parser.parse(bytes, limits); });
}

// The time that each piece takes must not grow with what came before.
Progress trickle(HeadParser& parser, std::string_view bytes, const HeadLimits& limits) {
  parley::tests::GrowingBlock growing(bytes);
  const parley::tests::NoMemory measured(bytes.size());
  Progress progress = parser.parse({}, limits);
  for (std::size_t i = 1; i <= bytes.size() && progress == Progress::need_more; ++i)
    progress = parser.parse(growing.first(i), limits);
  return progress;
}

void check_same(const Head& a, const Head& b, std::string_view bytes) {
  CHECK(a.error == b.error);
  CHECK(a.length == b.length);
  CHECK(a.method == b.method);
  CHECK(a.status == b.status);
  CHECK(a.uri.of(bytes) == b.uri.of(bytes));
  CHECK(a.reason.of(bytes) == b.reason.of(bytes));
  CHECK(a.header_count == b.header_count);
  CHECK(a.bad_content_length == b.bad_content_length);
  CHECK(a.content_length == b.content_length);
  for (std::size_t i = 0; i < a.header_count; ++i) {
    CHECK(a.headers[i].id == b.headers[i].id);
    CHECK(a.headers[i].name.of(bytes) == b.headers[i].name.of(bytes));
    CHECK(a.headers[i].value.of(bytes) == b.headers[i].value.of(bytes));
  }
}

void check_against_slow(const Head& head, Progress progress, std::string_view bytes) {
  if (head.error == HeadError::too_long || head.error == HeadError::too_many_headers) return;
  const SlowSipHead slow = parley::tests::slow_sip_head(std::string(bytes));
  CHECK((progress == Progress::done) == (slow.outcome == SlowSipHead::Outcome::done));
  CHECK((progress == Progress::bad) == (slow.outcome == SlowSipHead::Outcome::not_sip));
  if (progress != Progress::done) return;
  CHECK(head.length == slow.length);
  CHECK(to_string(head.error) == slow.error);
  if (!slow.method.empty()) CHECK(head.method_name.of(bytes) == slow.method && head.uri.of(bytes) == slow.uri);
  if (slow.status != 0) CHECK(head.status == slow.status);
  CHECK(head.header_count == slow.headers.size());
  for (std::size_t i = 0; i < slow.headers.size(); ++i) {
    CHECK(head.headers[i].name.of(bytes) == slow.headers[i].first);
    CHECK(head.headers[i].value.of(bytes) == slow.headers[i].second);
  }
}

// Every header is in the chain of its kind, and in no other.
void check_chains(const Head& head) {
  std::size_t chained = 0;
  for (std::size_t id = 0; id <= header_ids; ++id) {
    const Header* last = nullptr;
    for (const Header* header = head.first(static_cast<HeaderId>(id)); header != nullptr; header = head.next(*header)) {
      CHECK(header->id == static_cast<HeaderId>(id));
      CHECK(last == nullptr || last < header);
      last = header;
      ++chained;
    }
  }
  CHECK(chained == head.header_count);
}

void check_verdict(const Head& head, std::string_view bytes, const Carrier& carrier) {
  Essentials essentials;
  const Verdict verdict =
      parley::tests::without_memory(bytes.size(), [&] { return judge(head, bytes, carrier, essentials); });
  if (!carrier.stream) CHECK(head.length + body_length(head, carrier) <= bytes.size());
  if (verdict.kind == Verdict::Kind::respond) {
    CHECK(head.request() && head.method != Method::ack && verdict.status >= 400);
  } else if (verdict.kind == Verdict::Kind::drop) {
    CHECK(!verdict.reason.empty());
  } else {
    CHECK(head.error == HeadError::none && !essentials.call_id.empty());
    Uri uri;
    CHECK(parse_uri(essentials.from.uri, uri) && parse_uri(essentials.to.uri, uri));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const HeadLimits limits{.head_bytes_max = data[0] % 4 == 1 ? std::uint32_t{data[0]} * 8 : 64 * 1024,
                          .headers_max = static_cast<std::uint16_t>(data[0] % 8 == 2 ? 3 : headers_limit)};
  const ExactBlock whole({reinterpret_cast<const char*>(data + 1), size - 1});
  const std::string_view bytes = whole.view();

  HeadParser parser;
  Progress progress = parse(parser, bytes, limits);
  HeadParser trickled;
  CHECK(trickle(trickled, bytes, limits) == progress);
  check_same(parser.head(), trickled.head(), bytes);
  check_against_slow(parser.head(), progress, bytes);
  if (progress == Progress::need_more) {
    progress = parser.end_of_datagram(bytes, limits);
    CHECK(progress != Progress::need_more && parser.head().error != HeadError::none);
    CHECK(progress == trickled.end_of_datagram(bytes, limits));
    check_same(parser.head(), trickled.head(), bytes);
  }
  const Head& head = parser.head();
  CHECK(head.length <= bytes.size());
  check_chains(head);
  check_verdict(head, bytes, {.stream = false, .body_bytes = bytes.size() - head.length});
  check_verdict(head, bytes, {.stream = true, .body_bytes = 0});
  return 0;
}
