// policy/calls_history.cc - calls of the IM service: when the history of a user begins and ends, and what his record of it
// says (SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19, SEED4-6.1.2.2.5-5, OMA-HIS-3, OMA-HIS-7). See calls.h, history_recorder.h.
#include <utility>

#include "policy/calls.h"
#include "policy/history_text.h"
#include "sip/address.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

void Calls::on_settings(core::SlotId id, Leg leg, const ImSettings& settings) {
  Call* const call = calls_.get(id);
  if (call == nullptr || call->media == nullptr || !wants_history(settings, call->history_mode)) return;
  tell_history(*call, leg, HistoryEvent::wanted);
}

void Calls::tell_history(Call& call, Leg leg, HistoryEvent event) {
  HistoryTrack& track = call.history[leg == Leg::a ? 0 : 1];
  const HistoryAction action = track.on(event);
  if (action == HistoryAction::nothing) return;
  const bool starts = action == HistoryAction::start;
  record(call, leg, starts);
  metrics_.add(starts ? Metric::im_histories_begun : Metric::im_histories_ended);
  history_facts_.push_back({.kind = starts ? HistoryFact::Kind::started : HistoryFact::Kind::ended,
                            .mode = call.history_mode,
                            .user = track.user,
                            .session = leg == Leg::a ? std::string(call.won->a.call_id()) : call.call_id});
}

void Calls::tell_history(Call& call, HistoryEvent event) {
  if (call.media == nullptr) return;
  tell_history(call, Leg::a, event);
  tell_history(call, Leg::b, event);
}

// The 200 to who has invited (SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19).
void Calls::tell_up(Call& call) {
  tell_history(call, HistoryEvent::up);
  if (users_ == nullptr || call.counted) return;
  call.counted = true;
  for (const std::string& user : call.users) users_->entered(user);
}

// Both legs are released (SEED4-6.1.2.2.5-5).
void Calls::tell_over(Call& call) {
  tell_history(call, HistoryEvent::over);
  if (call.talk.valid()) history_->close(std::exchange(call.talk, {}));
  if (users_ == nullptr || !call.counted) return;
  call.counted = false;
  for (const std::string& user : call.users) users_->left(user);
}

bool Calls::next_history(HistoryFact& fact) {
  if (history_facts_.empty()) return false;
  fact = std::move(history_facts_.front());
  history_facts_.pop_front();
  return true;
}

// His side of it: what his own leg has shown him.
void Calls::record(Call& call, Leg leg, bool starts) {
  if (history_ == nullptr || (starts && !history_->on())) return;
  if (!starts) {
    history_->stop(call.talk, party_of(side_of(leg)));
    return;
  }
  if (!call.talk.valid()) {
    call.talk = history_->open();
    if (!call.talk.valid()) return;
    call.media->record(call.talk);
  }
  const HistoryTrack& track = call.history[leg == Leg::a ? 0 : 1];
  HistoryRecorder::Beginning beginning{.mode = call.history_mode, .aor = track.user, .begun_by_owner = leg == Leg::a};
  const sip::Dialog* const own = dialog(call, *call.won, leg);
  const sip::Dialog* const far = dialog(call, *call.won, sip::other(leg));
  if (own != nullptr) {
    beginning.from = without_tag(leg == Leg::a ? own->remote() : own->local());
    beginning.to = without_tag(leg == Leg::a ? own->local() : own->remote());
  }
  if (far != nullptr && call.leg(sip::other(leg)).features.find("isfocus") != std::string::npos) {
    beginning.group = far->remote_target();  // DEC-10
  }
  beginning.people = call.people[leg == Leg::a ? 0 : 1];
  beginning.subject = call.subject;
  history_->start(call.talk, party_of(side_of(leg)), std::move(beginning));
}

// OMA-HIS-3: a MESSAGE of this dialog, which the other side has taken. One that was on its way when the record began, or ended,
// is none of it.
void Calls::record_message(const Call& call, const CallRequest& passed) {
  const Received* const message = stored(passed.server);
  if (message == nullptr || !call.talk.valid()) return;
  history_->take(call.talk, {.from = party_of(side_of(sip::other(passed.leg))),
                             .type = message->head.value(HeaderId::content_type, message->bytes),
                             .bytes = message->body});
}

}  // namespace parley::policy
