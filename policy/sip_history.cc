// policy/sip_history.cc - which messages of users are recorded: whether the messages of a session are to go through here for
// that, and pager messages, which are one record each of who sends them and of who gets them (OMA-HIS-3, OMA-HIS-7,
// OMA-SYS-2). See sip_service.h, history_recorder.h.
#include <utility>

#include "policy/history_text.h"
#include "policy/sip_service.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

// Before it goes to his devices. What the operator has to say, and what tells of messages, is none of his conversations.
void SipService::look_at_history(Proxied& p, const ImSettings& settings) {
  p.records_receiver = config_->im.history.on && p.im == ImKind::pager && p.method == Method::message && p.to_user &&
                       wants_history(settings, HistoryMode::pager_large) && !p.is_system_message() &&
                       !p.is_announcement() && !(p.errand != nullptr && p.errand->of_history);
}

// Its transaction does not keep it once its sender has his 202.
void SipService::keep_record(Proxied& p) {
  if (!p.records_receiver || p.branches.empty()) return;
  if (const Received* const request = request_of(p)) p.late = std::make_unique<LateMessage>(late_message(*request, p.aor));
}

// It has been accepted: `delivered` by him, or else to be brought to him later.
void SipService::record_pager(Proxied& p, bool delivered) {
  const std::string sender = std::exchange(p.recorded_sender, {});
  const bool receiver = delivered && std::exchange(p.records_receiver, false);
  if (sender.empty() && !receiver) return;
  if (receiver && p.late != nullptr) {
    record_message(history_, std::move(*std::exchange(p.late, nullptr)), now_.wall_ms);
    return;  // what he has sent was recorded when it was kept
  }
  const Received* const request = request_of(p);
  if (request == nullptr) return;
  if (!sender.empty()) record_message(history_, *request, sender, true, now_.wall_ms);
  if (receiver) record_message(history_, *request, p.aor, false, now_.wall_ms);
}

}  // namespace parley::policy
