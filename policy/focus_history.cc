// policy/focus_history.cc - histories of users who take part in sessions of ours: when the record of each begins and ends, and
// what his room says goes into it (OMA-HIS-3, OMA-HIS-7). See focus.h, history_recorder.h.
//
// A user of ours in a session of ours has both functions here, so his record is that of the room, as it tells messages to
// others: with the alias of who is anonymous.
#include <algorithm>
#include <utility>

#include "policy/focus.h"
#include "policy/history_text.h"

namespace parley::policy {

namespace {

// What comes out of the store is one message, whatever it comes as (--deferred-push-by).
bool is_one_message(const FocusSession& s) { return s.large_message || s.stored != nullptr; }
HistoryMode mode_of(const FocusSession& s) { return is_one_message(s) ? HistoryMode::pager_large : HistoryMode::session; }

}  // namespace

void Focus::on_settings(core::SlotId participant, std::string_view aor, const ImSettings& settings) {
  Participant* const p = participants_.get(participant);
  if (p == nullptr || history_ == nullptr || !history_->on()) return;
  if (wants_history(settings, mode_of(session_of(*p)))) p->recorder = aor;
}

// The same for all devices of a user.
std::uint64_t Focus::party_of(const Participant& p) const {
  return core::KeyedHash(name_key_).add("party").add(p.key).finish().low | 1;
}

// He is in: SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19.
void Focus::begin_record(FocusSession& s, Participant& p) {
  if (p.recorder.empty() || history_ == nullptr || !history_->on()) return;
  if (!s.talk.valid()) {
    s.talk = history_->open(s.stored != nullptr);
    if (!s.talk.valid()) return;
  }
  rooms_->set_recorded(s.room, true);
  HistoryRecorder::Beginning beginning{
      .mode = mode_of(s), .aor = p.recorder, .begun_by_owner = !p.invited_by_us() && s.stored == nullptr};
  if (p.invited_by_us()) {
    beginning.from = without_tag(p.from);
    beginning.to = without_tag(p.to);
  } else if (s.stored != nullptr) {  // he fetches it
    beginning.from = s.originator_from;
    beginning.to = "<" + p.uri + ">";
  } else {
    beginning.from = without_tag(p.dialog->remote());
    beginning.to = without_tag(p.dialog->local());
  }
  if (s.group != nullptr) {
    beginning.group = s.group->uri();
  } else if (!s.of_two() && !is_one_message(s)) {
    beginning.group = s.identity;
  }
  if (s.originator == p.self && s.group == nullptr && !s.of_two()) {
    for (const Recipient& recipient : s.recipients.list) beginning.people.append(recipient.uri).append("\n");
  } else if (!s.of_two()) {
    for (const ListEntry& entry : recipient_history(s.recipients, p.key)) beginning.people.append(entry.uri).append("\n");
  }
  beginning.subject = s.subject;
  history_->start(s.talk, party_of(p), std::move(beginning));
  p.recorded = true;
  metrics_.add(core::Metric::im_histories_begun);
}

// SEED4-6.1.2.2.5-5.
void Focus::end_record(const FocusSession& s, Participant& p) {
  if (!std::exchange(p.recorded, false)) return;
  history_->stop(s.talk, party_of(p));
  metrics_.add(core::Metric::im_histories_ended);
  const bool others = std::any_of(s.participants.begin(), s.participants.end(), [this](core::SlotId id) {
    const Participant* const other = participants_.get(id);
    return other != nullptr && other->recorded;
  });
  if (!others) rooms_->set_recorded(s.room, false);
}

void Focus::end_talk(FocusSession& s) {
  if (s.talk.valid()) history_->close(std::exchange(s.talk, {}));
}

void Focus::record(const RoomFact& fact) {
  const FocusSession* const s = sessions_.get(core::SlotId::unpack(fact.room_owner));
  if (s == nullptr || !s->talk.valid()) return;
  const Participant* const from = participants_.get(core::SlotId::unpack(fact.member_owner));
  const Participant* to = nullptr;
  if (fact.to.valid()) {
    for (const core::SlotId id : s->participants) {
      const Participant* const p = participants_.get(id);
      if (p != nullptr && p->member == fact.to) to = p;
    }
    if (to == nullptr) return;  // he has gone
  }
  history_->take(s->talk, {.from = from == nullptr ? 0 : party_of(*from),
                           .to = to == nullptr ? 0 : party_of(*to),
                           .number = fact.message,
                           .message_id = fact.message_id,
                           .type = fact.content_type,
                           .bytes = fact.body.length == 0 ? std::string_view{} : pool_.view(fact.body),
                           .start = 0,
                           .first = fact.first,
                           .last = fact.last,
                           .flag = fact.aborted ? msrp::Flag::abort : msrp::Flag::end});
}

}  // namespace parley::policy
