// tests/fuzz/sip_header_fuzz.cc - typed readers of header values that have no target of their own: views lie inside the
// value, and nothing is allocated. The first byte chooses the reader.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "sip/content_type.h"
#include "sip/cseq.h"
#include "sip/dialog_headers.h"
#include "sip/event_headers.h"
#include "sip/feature_tags.h"
#include "sip/params.h"
#include "sip/privacy.h"
#include "sip/reason_headers.h"
#include "sip/timer_headers.h"
#include "sip/tokens.h"
#include "sip/value.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::sip;

void inside(std::string_view text, std::string_view part) {
  if (part.data() == nullptr) return;
  CHECK(part.data() >= text.data());
  CHECK(part.data() + part.size() <= text.data() + text.size());
}

void walk_items(std::string_view text) {
  Items items(text);
  std::size_t bytes = 0;
  for (std::string_view item; items.next(item);) {
    inside(text, item);
    CHECK(!item.empty());
    bytes += item.size();
    const Item split = split_item(item);
    inside(item, split.head);
    std::string_view rest = split.parameters;
    for (Param param; take_param(rest, param);) {
      inside(item, param.name);
      inside(item, param.value);
    }
    ContactPredicate predicate;
    if (parse_contact_predicate(item, predicate)) CHECK(match_tags(";audio", predicate).tags < item.size());
    Warning warning;
    if (parse_warning(item, warning)) CHECK(warning.code <= 999);
    Reason reason;
    (void)parse_reason(item, reason);
    inside(item, reason.text);
    std::string_view uri;
    if (parse_info_uri(item, uri)) inside(item, uri);
  }
  CHECK(bytes <= text.size());
}

void read_dialogs(std::string_view text) {
  TargetDialog target;
  if (parse_target_dialog(text, target)) {
    CHECK(!target.call_id.empty());
    inside(text, target.remote_tag);
  }
  Replaces replaces;
  if (parse_replaces(text, replaces)) {
    Replaces join;
    CHECK(parse_join(text, join));
    CHECK(join.call_id == replaces.call_id);
  }
  RAck rack;
  if (parse_rack(text, rack)) inside(text, rack.method);
  Event event;
  if (parse_event(text, event)) CHECK(same_event(event, event));
  SubscriptionState state;
  (void)parse_subscription_state(text, state);
}

void read_timers(std::string_view text) {
  SessionExpires session;
  std::uint32_t seconds = 0;
  if (parse_session_expires(text, session)) CHECK(parse_seconds(text, seconds));
  RetryAfter retry;
  if (parse_retry_after(text, retry)) inside(text, retry.comment);
  std::uint8_t hops = 0;
  (void)parse_max_forwards(text, hops);
  std::int64_t date = 0;
  if (parse_date(text, date)) CHECK(date < std::int64_t{400} * 1000 * 1000 * 1000);
  Privacy privacy;
  if (parse_privacy(text, privacy)) {
    char room[privacy_bytes_max];
    parley::core::TextOut out(room);
    put_privacy(out, privacy);
    CHECK(out.size() <= privacy_bytes_max);
  }
}

void read_names(std::string_view text) {
  CSeq cseq;
  if (parse_cseq(text, cseq)) CHECK(cseq.number <= cseq_max && !cseq.method_name.empty());
  CHECK(!valid_call_id(text) || std::count(text.begin(), text.end(), '@') <= 1);
  ContentType content;
  if (parse_content_type(text, content)) inside(text, content.subtype);
  ContentDisposition disposition;
  if (parse_content_disposition(text, disposition)) inside(text, disposition.type);
}

void read_lists(std::string_view text) {
  OptionSet set;
  add_options(text, set);
  std::string_view rest = text;
  for (std::size_t calls = 0; !next_unsupported(rest, set).empty(); ++calls) CHECK(calls < text.size());
  MethodSet methods;
  add_methods(text, methods);
  (void)accepts(text, "text", "plain");
  (void)score_contact(";audio;methods=\"INVITE\"", text);
  (void)rejects_contact(text, "*;audio, *;video");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const parley::tests::ExactBlock block({reinterpret_cast<const char*>(data) + 1, size - 1});
  const std::string_view text = block.view();
  const parley::tests::NoMemory measured(size);
  switch (data[0] % 5) {
    case 0: walk_items(text); break;
    case 1: read_dialogs(text); break;
    case 2: read_timers(text); break;
    case 3: read_lists(text); break;
    default: read_names(text); break;
  }
  return 0;
}
