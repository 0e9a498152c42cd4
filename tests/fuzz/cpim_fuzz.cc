// tests/fuzz/cpim_fuzz.cc - a message/cpim: its head against the slow reader; cut where the first byte says, and byte
// by byte, the outcome is the same; nothing is allocated; what is escaped and undone is the text again.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/check.h"
#include "policy/cpim.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/policy/slow_cpim.h"

namespace {

using namespace parley::policy;
using parley::tests::ExactBlock;
using parley::tests::GrowingBlock;
using Progress = CpimParser::Progress;

constexpr std::uint32_t head_bytes_max = 64 * 1024 + 1;  // longer than any input

void inside(std::string_view text, Span span) {
  CHECK(span.offset <= text.size());
  CHECK(span.length <= text.size() - span.offset);
}

void check_fields(const CpimHead& head, std::string_view text, const parley::tests::SlowCpim& slow) {
  for (const Span span : {head.from, head.from_line, head.from_uri, head.to, head.to_uri, head.date_time, head.subject,
                          head.imdn_message_id, head.disposition_notification, head.original_to, head.imdn_record_route,
                          head.content_type, head.content_disposition, head.content_transfer_encoding}) {
    inside(text, span);
  }
  CHECK(head.length <= text.size());
  CHECK(head.length == slow.length);
  CHECK(head.headers_length == slow.headers_length);
  CHECK(head.from.of(text) == slow.from);
  CHECK(head.from_line.of(text) == slow.from_line);
  CHECK(head.to.of(text) == slow.to);
  CHECK(head.from_count == slow.from_count);
  CHECK(head.to_count == slow.to_count);
  CHECK(head.cc_count == slow.cc_count);
  CHECK(head.date_time.of(text) == slow.date_time);
  CHECK(head.imdn_message_id.of(text) == slow.imdn_message_id);
  CHECK(head.disposition_notification.of(text) == slow.disposition_notification);
}

void check_escapes(std::string_view text) {
  std::string escaped;
  append_escaped(escaped, text);
  std::string undone;
  append_unescaped(undone, escaped);
  CHECK(undone == text);
  undone.clear();
  append_unescaped(undone, text);
  CHECK(undone.size() <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);

  const ExactBlock block(text);
  CpimParser whole;
  const Progress progress =
      parley::tests::without_memory(text.size(), [&] { return whole.parse(block.view(), true, head_bytes_max); });
  CHECK(progress != Progress::need_more);

  CpimParser second;
  {
    const ExactBlock first(text.substr(0, cut));
    if (second.parse(first.view(), cut >= text.size(), head_bytes_max) == Progress::need_more) {
      (void)second.parse(block.view(), true, head_bytes_max);
    }
    CHECK(second.error() == whole.error());
    CHECK(second.head().length == whole.head().length);
  }
  CpimParser dribbled;
  GrowingBlock growing(text);
  for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
    if (dribbled.parse(growing.first(bytes), bytes == text.size(), head_bytes_max) != Progress::need_more) break;
  }
  CHECK(dribbled.error() == whole.error());
  CHECK(dribbled.head().length == whole.head().length);

  const std::optional<parley::tests::SlowCpim> slow = parley::tests::slow_cpim(text);
  // The limits of headers and bytes are the fast reader's alone.
  if (progress == Progress::done) {
    CHECK(slow.has_value());
    if (whole.head().header_count < cpim_headers_max) {
      check_fields(whole.head(), text, *slow);
      CHECK(whole.head().content_type.of(text) == slow->content_type);
    }
  } else if (whole.error() != CpimError::too_many_headers && whole.error() != CpimError::too_long) {
    CHECK(!slow.has_value());
  }
  CpimAddress address;
  if (parse_cpim_address(text, address)) {
    CHECK(!address.uri.empty());
    CHECK(address.uri.data() >= text.data());
    CHECK(address.uri.data() + address.uri.size() <= text.data() + text.size());
  }
  check_escapes(text.substr(0, 200));
  return 0;
}
