// policy/focus_store.cc - what of a session outlives the process: who may come back to which identity. See focus.h and
// left_sessions.h.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/entry_headers.h"
#include "policy/focus.h"
#include "policy/user_key.h"

namespace parley::policy {

// A file and a session of two are begun anew by whoever began them.
void Focus::store(const FocusSession& s) {
  if (!config_->stores_bindings || s.of_two() || s.distribution || !s.begun || s.ending) return;
  core::SessionRow row{.name = s.name,
                       .identity = s.identity,
                       .group = s.group == nullptr ? std::string() : s.group->key(),
                       .originator = s.originator_uri,
                       .members = {},
                       .subject = s.subject};
  if (s.group == nullptr) {
    for (const Recipient& recipient : s.recipients.list) {
      row.members += entry_target(recipient.uri);
      row.members += '\n';
    }
  }
  out_->store({0, core::PutSession{std::move(row)}});
}

void Focus::unstore(const FocusSession& s) {
  left_.ended(s.name);
  if (!config_->stores_bindings || s.of_two() || s.distribution || !s.begun || s.stays) return;
  out_->store({0, core::RemoveSession{s.name}});
}

const LeftSession* Focus::left(std::string_view name) const {
  return left_.find(name, wall_ms_, std::chrono::duration_cast<std::chrono::milliseconds>(config_->focus.left_max).count());
}

// OMA-SES-9: who was in it, or was to be.
bool Focus::was_named(const core::SessionRow& row, std::span<const std::string> keys) {
  const auto is_he = [keys](std::string_view uri) { return has_key(keys, user_key(uri)); };
  if (is_he(row.originator)) return true;
  std::string_view rest = row.members;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (is_he(rest.substr(0, end))) return true;
    rest.remove_prefix(std::min(end == std::string_view::npos ? end : end + 1, rest.size()));
  }
  return false;
}

// It is as it was, but that nobody is there: they come by themselves.
void Focus::take_up(FocusSession& s, const core::SessionRow& row) {
  s.name = row.name;
  s.identity = row.identity;
  s.subject = row.subject;
  s.originator_uri = row.originator;
  std::string_view rest = row.members;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    (void)s.recipients.add(rest.substr(0, end), CopyControl::to);
    rest.remove_prefix(std::min(end == std::string_view::npos ? end : end + 1, rest.size()));
  }
  left_.is_on(row.name, s.self);
  metrics_.add(core::Metric::sip_sessions_taken_up);
}

}  // namespace parley::policy
