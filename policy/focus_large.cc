// policy/focus_large.cc - large messages and the store: those whose recipients can not be reached go in, those that
// wait go out. OMA-LRG-3, OMA-LRG-4, OMA-DEF-4 to -9, SEED4-6.1.2.1-5. See focus.h; those that are fetched are in
// focus_fetch.cc.
//
// Each is a session that distributes: a message of the store is one of its room's legs (stored_legs.h), and has no
// dialog.
#include <algorithm>
#include <utility>

#include "policy/carried_lines.h"
#include "policy/deferred_reference.h"
#include "policy/focus.h"
#include "policy/focus_newcomer.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/store_owner.h"
#include "policy/terminating.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/date.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;

namespace {

constexpr std::string_view no_room_text = "no more is kept for the recipient";
constexpr std::string_view too_long_text = "it is too long to be kept for the recipient";
constexpr std::string_view too_many_lines_text = "its header lines are too long to be kept";
constexpr std::string_view not_now_text = "it can not be stored now";

// What a=file-selector says of the size (RFC 5547 section 6); 0: nothing.
std::uint64_t known_bytes_of(std::string_view section) {
  const std::size_t at = section.find("a=file-selector:");
  if (at == std::string_view::npos) return 0;
  const std::string_view line = section.substr(at, section.find("\r\n", at) - at);
  const std::size_t size = line.find("size:");
  if (size == std::string_view::npos) return 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = size + 5;
       i < line.size() && line[i] >= '0' && line[i] <= '9' && bytes < (std::uint64_t{1} << 59); ++i) {
    bytes = bytes * 10 + static_cast<std::uint64_t>(line[i] - '0');
  }
  return bytes;
}

// Of the headers of an INVITE, those that say something of the message and not of the session.
bool tells_of_message(HeaderId id) {
  switch (id) {
    case HeaderId::accept_contact:
    case HeaderId::expires:  // of the invitation
    case HeaderId::from:
    case HeaderId::content_type:
    case HeaderId::privacy:
    case HeaderId::p_charging_vector:
    case HeaderId::p_charging_function_addresses:
    case HeaderId::p_asserted_service: return false;
    default: return true;
  }
}

}  // namespace

// --- into the store

bool Focus::deposit(const Received& request, sip::TransactionId server, const Deposit& what) {
  lines_.clear();
  refusal_body_.clear();
  if (!stores() || media_ == nullptr || rooms_ == nullptr) return false;
  Newcomer who;
  Invitation invitation{.target = Invitation::Target::user,
                        .uri = request.head.uri.of(request.bytes),
                        .identity = what.identity,
                        .from_trusted = what.from_trusted,
                        .recorder = what.recorder};
  read_newcomer(request, invitation, who);
  who.body = read_invite_body(request);
  if (who.body.refusal != 0 || !who.body.has_sdp || read_terms(who.body.sdp, true, who.terms) != 0 ||
      !who.terms.may_send) {
    return false;
  }
  sip::SessionTimer timers;
  const sip::TimerGrant grant = timers.grant(config_->calls.timer, sip::read_timer(request.head, request.bytes));
  if (grant.refuse) return false;
  who.distribution = who.large_message = true;
  FocusSession* const s = open_session(request, invitation, who);
  if (s == nullptr) return false;
  s->asserted = "<" + config_->im.deferred_uris.front() + ">";
  s->gather_until = now_ + config_->store_answer;
  std::uint16_t status = 0;
  Participant* const p =
      admit(*s, request, who, {.timers = timers, .grant = grant, .trusted = what.from_trusted}, status);
  if (p == nullptr) {
    drop_session(*s);
    return false;
  }
  p->server = server;
  transactions_.set_owner(server, owner_number(Owner::participant, p->self));
  take_way(*p, p->way, request, !p->dialog->route_set().empty());
  s->originator = p->self;
  metrics_.add(Metric::sip_sessions);
  metrics_.add(Metric::sip_sessions_begun);
  (void)show(*s, *p, EndpointStatus::dialing_in);
  const core::SlotId self = p->self;
  const core::SlotId session = s->self;
  ask_room(*s, what.copy);
  if (Participant* const left = participants_.get(self)) settle(*left);
  settle(session);
  return true;
}

void Focus::on_unreached(core::SlotId participant, StoredCopy copy) {
  Participant* const p = participants_.get(participant);
  if (p == nullptr) return;
  if (may_store_for(session_of(*p))) p->unreached = std::move(copy);
}

void Focus::on_given_up(core::SlotId participant, StoredCopy copy) {
  if (Participant* const p = participants_.get(participant)) p->given_up = std::move(copy);
}

// OMA-DEF-5: how much of it there may be is known before anything is read.
void Focus::ask_room(FocusSession& s, StoredCopy copy) {
  const DeferredConfig& config = config_->im.deferred;
  Participant* const originator = participants_.get(s.originator);
  const std::uint64_t bytes = originator == nullptr ? 0 : known_bytes_of(originator->terms.file_section);
  if (bytes > config.large_bytes_max) {
    metrics_.add(Metric::im_deferred_full);
    s.refusal_text = too_long_text;
    refused_invitee(s, 480);
    refuse_copy(s, copy);
    if (originator != nullptr) nobody_came(s, *originator);
    return;
  }
  copy.asked = ++asks_made_;
  ++s.asking;
  asks_.emplace(copy.asked, s.self);
  out_->store({store_token(StoreOwner::large, copy.asked),
               core::AskDeferred{
                   .aor = copy.aor, .bytes = bytes, .count_max = config.count_max, .bytes_max = config.bytes_max}});
  s.copies.push_back(std::move(copy));
}

StoredLegs::Limits Focus::stored_limits() const {
  const DeferredConfig& config = config_->im.deferred;
  return {.legs = config.large_parallel, .per_user = config.large_per_user};
}

void Focus::give_up_asking(FocusSession& s) {
  if (s.stored != nullptr && s.stored->asked != 0) {
    asks_.erase(std::exchange(s.stored->asked, 0));
    on_fetched(s, {.token = 0, .status = core::StoreResult::Status::refused});
  }
  for (StoredCopy& copy : s.copies) {
    if (copy.asked == 0) continue;
    asks_.erase(std::exchange(copy.asked, 0));
    --s.asking;
    metrics_.add(Metric::im_deferred_failed);
    s.refusal_text = not_now_text;
    refused_invitee(s, 480);
    refuse_copy(s, copy);
  }
}

// Others may get it: then its sender hears, if he wants to, for whom it could not be kept.
void Focus::refuse_copy(const FocusSession& s, const StoredCopy& copy) {
  const msrp::EndHandle end = stored_->keep(
      {.row = row_of(s, copy), .call_id = {}, .from_tag = {}, .owner = s.self.packed(), .refused = true},
      stored_limits());
  if (end.valid()) (void)join_stored(s, end, copy.aor, false);
}

void Focus::on_stored(const core::StoreResult& result) {
  const auto found = asks_.find(store_number(result.token));
  if (found == asks_.end()) return;
  const std::uint64_t number = found->first;
  FocusSession* const s = sessions_.get(found->second);
  asks_.erase(found);
  if (s == nullptr) return;
  const core::SlotId session = s->self;
  if (s->stored != nullptr && s->stored->asked == number) {
    s->stored->asked = 0;
    if (!s->ending) on_fetched(*s, result);
  }
  for (StoredCopy& copy : s->copies) {
    if (copy.asked != number) continue;
    copy.asked = 0;
    --s->asking;
    if (s->ending) break;
    keep_copy(*s, copy, result);
    all_have_answered(*s);
    if (Participant* const originator = participants_.get(s->originator)) nobody_came(*s, *originator);
    break;
  }
  settle(session);
}

void Focus::keep_copy(FocusSession& s, StoredCopy& copy, const core::StoreResult& result) {
  using Status = core::StoreResult::Status;
  const DeferredConfig& config = config_->im.deferred;
  const auto refuse = [&](Metric metric, std::string_view text) {
    metrics_.add(metric);
    s.refusal_text = text;
    refused_invitee(s, 480);
    refuse_copy(s, copy);
  };
  if (result.status == Status::full) return refuse(Metric::im_deferred_full, no_room_text);
  if (result.status != Status::done) return refuse(Metric::im_deferred_failed, not_now_text);
  copy.bytes_max = std::min(config.large_bytes_max, result.room);
  core::DeferredRow row = row_of(s, copy);
  const auto lines = static_cast<std::size_t>(std::count(row.head.begin(), row.head.end(), '\n'));
  if (!fits_again(config_->transport.head, lines, row.head.size()))
    return refuse(Metric::im_deferred_failed, too_many_lines_text);
  const Participant* const originator = participants_.get(s.originator);
  copy.end = stored_->keep({.row = std::move(row),
                            .call_id = originator == nullptr ? s.name : std::string(originator->dialog->call_id()),
                            .from_tag = originator == nullptr ? std::string() : std::string(originator->dialog->remote_tag()),
                            .bytes_max = copy.bytes_max,
                            .count_max = config.count_max,
                            .user_bytes_max = config.bytes_max,
                            .owner = s.self.packed()},
                           stored_limits());
  if (!copy.end.valid() || !join_stored(s, copy.end, copy.aor, false))
    return refuse(Metric::im_deferred_failed, not_now_text);
  ++s.keeping;
}

// As for a pager message (deferred.cc).
core::DeferredRow Focus::row_of(const FocusSession& s, const StoredCopy& copy) const {
  core::DeferredRow row;
  row.id = copy.id;
  row.aor = copy.aor;
  row.sender = user_key(s.originator_uri);
  row.arrived_ms = copy.arrived_ms;
  row.expires_ms =
      copy.arrived_ms + std::chrono::duration_cast<std::chrono::milliseconds>(config_->im.deferred.age_max).count();
  row.head.append("From: ").append(s.originator_from).append("\r\n");
  if (s.originator_anonymous) row.head.append("Privacy: id\r\n");  // OMA-DEF-15
  bool dated = false;
  for (const PassedHeader& header : s.passed) {
    if (!tells_of_message(header.id)) continue;
    dated = dated || header.id == HeaderId::date;
    row.head.append(header.name).append(": ");
    for (const char c : header.value) row.head.push_back(c == '\r' || c == '\n' ? ' ' : c);
    row.head.append("\r\n");
  }
  if (!dated) {  // OMA-DEF-8
    row.head.append("Date: ");
    sip::put_date(row.head, copy.arrived_ms);
    row.head.append("\r\n");
  }
  return row;
}

// False: its room has no place; nothing stays of the leg.
bool Focus::join_stored(const FocusSession& s, msrp::EndHandle end, std::string_view uri, bool sends) {
  Member member;
  member.uri = uri;
  member.end = end;
  member.may_send = member.judged = sends;
  member.may_receive = !sends;
  member.private_messages = false;
  const Rooms::Joined joined = rooms_->join(s.room, member);
  if (joined.member.valid()) return true;
  stored_->close(end);
  return false;
}

bool Focus::next_stored(Stored& stored) {
  if (stored_rows_.empty()) return false;
  stored = std::move(stored_rows_.front());
  stored_rows_.pop_front();
  return true;
}

// --- out of it

// A session that nobody here has asked for, or somebody who gets what the store has. `flow`: he came by it.
FocusSession* Focus::new_session(std::string_view asserted, const sip::Flow* flow, bool secure) {
  const core::SlotId id = sessions_.emplace();
  FocusSession* const s = sessions_.get(id);
  if (s == nullptr) {
    metrics_.add(Metric::sip_sessions_limit);
    return nullptr;
  }
  s->self = id;
  s->timer.owner = id.packed();
  s->timer.kind = session_timer;
  s->began = now_;
  s->kind = SessionKind::adhoc;
  s->name = make_call_name({static_cast<std::uint16_t>(shard_), id, NameKind::session}, name_key_, random_);
  const auto& listeners = config_->transport.listeners;
  if (flow != nullptr) {
    put_listener_uri(s->identity, flow->transport, transport_.listener(*flow), s->name, secure);
  } else if (!listeners.empty()) {
    put_listener_uri(s->identity, listeners.front().transport, listeners.front(), s->name);
  }
  s->asserted = "<" + std::string(asserted) + ">";
  s->distribution = s->large_message = s->peopled = true;
  s->stored = std::make_unique<StoredMessage>();
  s->stored->asserts = s->asserted;
  if (furnish(*s, RoomKind::distribution)) return s;
  sessions_.erase(id);
  return nullptr;
}

// Who has sent it, and what goes with it.
void Focus::take_head(FocusSession& s, const core::DeferredRow& row) {
  std::vector<sip::HeaderText> lines;
  add_carried_lines(row.head, lines);
  s.originator_uri = row.sender;
  for (const sip::HeaderText& line : lines) {
    if (line.id == HeaderId::from) {
      s.originator_from = line.value;
      std::string_view rest = line.value;
      sip::Address from;
      if (sip::take_address(rest, from)) s.originator_uri = from.uri;
    } else if (line.id == HeaderId::privacy) {
      s.originator_anonymous = true;
    } else if (tells_of_message(line.id)) {
      if (line.id == HeaderId::subject) s.subject = line.value;
      s.passed.push_back({.id = line.id, .name = std::string(line.name), .value = std::string(line.value)});
    }
  }
}

// OMA-DEF-8: from whom it came, by us.
void Focus::push(const Push& what) {
  const auto fail = [&] { pushed_.push_back({.box = what.box, .number = what.number, .status = 0}); };
  FocusSession* const s = stores() && media_ != nullptr && rooms_ != nullptr && !draining_
                              ? new_session(config_->im.deferred_uris.front(), nullptr, false)
                              : nullptr;
  if (s == nullptr) return fail();
  const core::DeferredRow& row = what.row;
  s->stored->id = row.id;
  s->large_message = row.large_bytes != 0;
  take_head(*s, row);
  const core::SlotId session = s->self;
  s->stored->end = stored_->give(row, session.packed(), stored_limits());
  if (!s->stored->end.valid() || !join_stored(*s, s->stored->end, s->originator_uri, true)) {
    drop_session(*s);
    return fail();
  }
  s->stored->box = what.box;
  s->stored->number = what.number;
  s->begun = true;
  metrics_.add(Metric::sip_sessions);
  metrics_.add(Metric::sip_sessions_begun);
  s->waiting.push_back({.uri = row.aor, .key = user_key(row.aor), .display = {}});
  invite_more(*s);
  if (s->participants.empty()) end_session(*s, "SIP;cause=503");
  settle(session);
}

bool Focus::next_pushed(Pushed& pushed) {
  take_overs();
  if (pushed_.empty()) return false;
  pushed = pushed_.front();
  pushed_.pop_front();
  return true;
}

bool Focus::next_fetched(Fetched& fetched) {
  if (fetched_.empty()) return false;
  fetched = std::move(fetched_.front());
  fetched_.pop_front();
  return true;
}

void Focus::tell_pushed(FocusSession& s, std::uint16_t status) {
  StoredMessage& stored = *s.stored;
  if (stored.asked != 0) asks_.erase(std::exchange(stored.asked, 0));
  if (stored.status != 0) return;
  if (stored.taken && means_unreachable(status)) status = 500;
  stored.status = status;
  if (stored.box.valid()) {
    pushed_.push_back({.box = stored.box, .number = stored.number, .status = status});
  } else if (stored.record) {
    if (status == 200) metrics_.add(Metric::history_fetched);
  } else if (status == 200) {  // he has it, as what he fetches by REFER
    metrics_.add(Metric::im_deferred_fetched);
    out_->store({0, core::RemoveDeferred{.id = stored.id}});
    fetched_.push_back({.aor = std::move(stored.aor), .id = stored.id});
  }
}

// What the legs of the store have to say. Of one that gives: its receiver has all of it, or will not.
void Focus::take_overs() {
  if (stored_ == nullptr) return;
  for (StoredLegs::Over over; stored_->next_over(over);) {
    FocusSession* const s = sessions_.get(core::SlotId::unpack(over.owner));
    if (over.kept) {
      const auto copy = s == nullptr ? std::vector<StoredCopy>::iterator{}
                                     : std::find_if(s->copies.begin(), s->copies.end(),
                                                    [&](const auto& c) { return c.end == over.end; });
      const bool tried = s != nullptr && copy != s->copies.end() && copy->tried;
      stored_rows_.push_back({.row = std::move(over.row), .duplicate = over.duplicate, .tried = tried});
      continue;
    }
    if (over.lost) {
      // One alone hears of it in his session.
      const bool others = s == nullptr || s->copies.size() > 1 || s->peopled;
      if (!others) continue;
      metrics_.add(Metric::im_deferred_large_lost);
      stored_rows_.push_back({.row = std::move(over.row), .lost = true});
      continue;
    }
    if (s == nullptr || s->stored == nullptr || s->stored->end != over.end || s->ending) continue;
    const core::SlotId session = s->self;
    if (over.status == 200 && s->talk.valid()) history_->accept(s->talk);
    s->stored->taken = true;  // or it is the message that is the matter, and not its user
    tell_pushed(*s, over.status);
    end_session(*s,
                over.status == 200 ? "SIP;cause=200;text=\"Message Sent\"" : "SIP;cause=480;text=\"Message Not Sent\"");
    settle(session);
  }
}

}  // namespace parley::policy
