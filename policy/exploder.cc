// policy/exploder.cc - see exploder.h.
#include "policy/exploder.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "core/text.h"
#include "policy/carried_lines.h"
#include "policy/entry_headers.h"
#include "policy/history_text.h"
#include "policy/imdn.h"
#include "policy/own_names.h"
#include "policy/user_key.h"
#include "sip/identity.h"
#include "sip/leg_pair.h"
#include "sip/tokens.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr std::size_t lane_max = 64;
constexpr core::Duration no_room_pause = std::chrono::seconds(1);

std::string lane_of(std::string_view sender, const core::SendingRow::Copy& copy) {
  return std::string(sender).append("\n").append(entry_target(copy.uri));
}

}  // namespace

ListMessageFacts Exploder::facts_of(const Received& request, const To& to, const ListMessage& message,
                                    Recipients& recipients) const {
  ListMessageFacts facts;
  facts.body_status = message.refusal;
  facts.of_group = to.group != nullptr;
  facts.list_there = !message.lists.empty();
  facts.content =
      std::any_of(message.parts.begin(), message.parts.end(), [](const BodyPart& part) { return !part.body.empty(); });
  sip::OptionSet required;
  for (const sip::Header* line = request.head.first(HeaderId::require); line != nullptr;
       line = request.head.next(*line)) {
    sip::add_options(line->value.of(request.bytes), required);
  }
  facts.list_required = required.has(sip::OptionTag::recipient_list_message);
  std::vector<std::string> keys;
  home_.put_keys(to.identity, keys);
  if (to.group == nullptr) {
    std::vector<ResourceList> lists;
    for (const std::string_view list : message.lists) {
      lists.emplace_back();
      if (parse_resource_list(list, lists.back())) facts.list_wrong = true;
    }
    if (!facts.list_wrong) recipients = recipients_of(lists, config_->focus.list);
    recipients.join(home_.numbers_of(recipients.list));
    facts.list_too_long = recipients.left_out != 0 || recipients.count_without(keys) > config_->focus.adhoc_max;
    facts.list_useless = recipients.all_failed();
    (void)recipients.remove(user_key(config_->focus.factory));
  } else {
    const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
    const Group::Asker asker{.keys = keys,
                             .anonymous = privacy.id && !privacy.none,
                             .wall_ms = wall_ms_,
                             .lists = lists_};
    const GroupVerdict verdict = to.group->judge(asker, GroupAction::join);
    facts.understood = to.group->not_understood().empty();
    facts.member = verdict != GroupVerdict::forbidden;
    facts.anonymity_disallowed = verdict == GroupVerdict::anonymity_disallowed;
    for (const GroupMember& member : to.group->members()) (void)recipients.add(member.uri, CopyControl::to);
    recipients.join(home_.numbers_of(recipients.list));
  }
  for (const std::string& key : keys) (void)recipients.remove(key);  // OMA-PAG-3: the sender gets no copy
  facts.anybody = !recipients.list.empty();
  return facts;
}

std::uint16_t Exploder::message(const Received& request, const sip::RequestMatch& match, const To& to) {
  lines_.clear();
  const ListMessage message = read_list_message(request, to.group == nullptr);
  Recipients recipients;
  const ListMessageFacts facts = facts_of(request, to, message, recipients);
  if (const ListMessageRefusal* const why = first_refusal(facts)) {
    if (!why->warning.empty()) {
      std::string& line = lines_.begin(HeaderId::warning);
      line.append("399 ");
      line.append(config_->domains.empty() ? std::string_view("parley") : std::string_view(config_->domains.front()));
      line.append(" \"").append(why->warning);
      if (why->warning.ends_with(' ')) put_number(line, config_->focus.adhoc_max);  // OMA-GRP-5
      line.append("\"");
    }
    if (why->status == 415) lines_.add(HeaderId::accept_encoding, "identity");
    lines_.add(HeaderId::server, config_->im.product);
    return why->status;
  }
  const core::SlotId id =
      waiting_ + recipients.list.size() > config_->focus.list_copies_max ? core::SlotId{} : sendings_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::im_list_copies_limit);
    return 503;
  }
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) {
    sendings_.erase(id);
    return 503;
  }
  Sending& s = *sendings_.get(id);
  s.self = id;
  s.server = server;
  s.recorded_sender = to.recorded_sender;
  if (!transactions_.claim(server, request)) {  // R3261-4: by another way it is here already
    answer(s, 482);
    sendings_.erase(id);
    return 0;
  }
  core::SendingRow row;
  row.id = ids_.next(wall_ms_);
  row.sender = to.identity;
  row.list = to.group != nullptr ? to.group->uri() : config_->focus.factory;
  row.hidden = to.group != nullptr;
  row.arrived_ms = wall_ms_;
  sip::put_address(row.from, request.essentials.from);
  if (!take_lines(row, request)) {
    answer(s, 513);
    sendings_.erase(id);
    return 0;
  }
  char boundary[core::letters64_chars];
  core::letters_encode64(random_.next(), boundary);
  const std::vector<ListEntry> history = to.group != nullptr ? std::vector<ListEntry>{} : recipient_history(recipients);
  ListCopy copy = copy_of(message, row.list, history, {boundary, sizeof boundary});
  row.type = std::move(copy.type);
  row.body = std::move(copy.body);
  row.notices = copy.notices;
  row.message_id = std::move(copy.message_id);
  for (const Recipient& recipient : recipients.list) {
    row.copies.push_back({static_cast<std::uint32_t>(row.copies.size()), recipient.uri});
  }
  row.call_id = request.essentials.call_id;
  s.trace = trace_.add({.message_id = row.message_id, .call_id = row.call_id},
                       {.way = TracedPager::Way::list,
                        .sender = row.sender,
                        .recipient = row.list,
                        .bytes = request.body.size(),
                        .wall_ms = wall_ms_,
                        .copies = static_cast<std::uint32_t>(row.copies.size())});
  metrics_.add(Metric::im_list_messages);
  if (config_->stores_messages) {
    store(s, row);
    take_row(s, std::move(row));
    return 0;
  }
  take_row(s, std::move(row));
  s.promised = true;
  answer(s, 202);
  send_more(s);
  return 0;
}

void Exploder::begin(const core::Now& now, core::Outbox& out) {
  UserAgent::begin(now.mono);
  wall_ms_ = now.wall_ms;
  out_ = &out;
  while (!restored_.empty()) {
    const core::SlotId id = sendings_.emplace();
    if (!id.valid()) return;  // as many as may be at one time: when some of them are over
    Sending& s = *sendings_.get(id);
    s.self = id;
    take_row(s, std::move(restored_.front()));
    s.promised = true;
    restored_.pop_front();
    send_more(s);
  }
}

void Exploder::end() {
  give_up_waiting();
  if (later_.empty() || later_at_ > now_) return;
  for (const core::SlotId id : std::exchange(later_, {})) {
    if (Sending* const s = sendings_.get(id)) send_more(*s);
  }
}

void Exploder::on_no_room(core::SlotId id, std::uint32_t number) {
  Sending* const s = sendings_.get(id);
  if (s == nullptr) return;
  const auto found = std::find_if(s->running.begin(), s->running.end(),
                                  [number](const Running& running) { return running.number == number; });
  if (found == s->running.end()) return;
  if (found->notice) {
    on_over(id, number);
    return;
  }
  s->waiting.push_front(std::move(found->copy));
  ++waiting_;
  s->running.erase(found);
  --running_;
  if (later_.empty()) later_at_ = now_ + no_room_pause;
  later_.push_back(id);
}

void Exploder::take_row(Sending& s, core::SendingRow row) {
  s.row = std::move(row);
  waiting_ += s.row.copies.size();
  for (core::SendingRow::Copy& copy : s.row.copies) {
    const auto lane = in_order(copy) ? lanes_.try_emplace(lane_of(s.row.sender, copy)) : std::pair{lanes_.end(), true};
    // Who gets so many that he has not taken is not waited for by all that this sender says.
    if (lane.second || lane.first->second.size() >= lane_max) {
      s.waiting.push_back(std::move(copy));
    } else {
      lane.first->second.push_back({s.self, std::move(copy)});
      ++s.behind;
    }
  }
  s.row.copies.clear();
}

// A user of ours, whatever his URI is.
bool Exploder::in_order(const core::SendingRow::Copy& copy) const {
  sip::Uri uri;
  const std::string target = entry_target(copy.uri);
  if (!in_order_ || !sip::parse_uri(target, uri)) return false;
  return uri.scheme == sip::Scheme::tel ||
         std::any_of(config_->domains.begin(), config_->domains.end(),
                     [&uri](const std::string& domain) { return core::equal_ignore_case(uri.host, domain); });
}

// That copy has come to its end: it is the next one's turn.
void Exploder::let_next(std::string_view sender, const core::SendingRow::Copy& copy) {
  if (!in_order_) return;
  const auto lane = lanes_.find(lane_of(sender, copy));
  if (lane == lanes_.end()) return;
  while (!lane->second.empty()) {
    Behind next = std::move(lane->second.front());
    lane->second.pop_front();
    Sending* const s = sendings_.get(next.sending);
    if (s == nullptr) continue;  // it was not stored
    --s->behind;
    s->waiting.push_back(std::move(next.copy));
    send_more(*s);
    return;
  }
  lanes_.erase(lane);
}

bool Exploder::drained() const { return config_->stores_messages ? waits_.empty() && running_ == 0 : sendings_.empty(); }

// --- the store

void Exploder::store(const Sending& s, const core::SendingRow& row) {
  const std::uint64_t number = ++numbers_;
  waits_.emplace(number, Waits{s.self, now_ + config_->store_answer});
  out_->store({store_token(StoreOwner::exploder, number), core::PutSending{row}});
}

void Exploder::on_stored(const core::StoreResult& result) {
  const auto found = waits_.find(store_number(result.token));
  if (found == waits_.end()) return;
  Sending* const s = sendings_.get(found->second.sending);
  waits_.erase(found);
  CHECK(s != nullptr);
  if (result.status != core::StoreResult::Status::done) {
    metrics_.add(Metric::im_list_messages_unstored);
    answer(*s, 503);
    forget(*s);
    return;
  }
  s->promised = true;
  answer(*s, 202);  // OMA-PAG-1: it is ours to bring from here on
  send_more(*s);
}

// The disk takes longer than a sender waits.
void Exploder::give_up_waiting() {
  while (!waits_.empty() && waits_.begin()->second.until <= now_) {
    Sending* const s = sendings_.get(waits_.begin()->second.sending);
    waits_.erase(waits_.begin());
    CHECK(s != nullptr);
    metrics_.add(Metric::im_list_messages_unstored);
    answer(*s, 503);
    out_->store({0, core::RemoveSending{s->row.id}});
    forget(*s);
  }
}

void Exploder::forget(Sending& s) {
  waiting_ -= s.waiting.size() + s.behind;
  const std::string sender = std::move(s.row.sender);
  const std::deque<core::SendingRow::Copy> front = std::move(s.waiting);
  sendings_.erase(core::SlotId(s.self));
  for (const core::SendingRow::Copy& copy : front) let_next(sender, copy);
}

void Exploder::answer(Sending& s, std::uint16_t status) {
  if (status == 202 && !s.recorded_sender.empty()) {
    if (const Received* const request = stored(s.server)) {
      record_message(history_, *request, s.recorded_sender, true, wall_ms_);
    }
  }
  texts_.clear();
  add(HeaderId::server, config_->im.product);
  (void)give_response(s.server, status, "im");
  trace_.answered(s.trace, status, false, wall_ms_);
}

// --- what is sent

// What goes on beside what a request of ours says itself (OMA-PAG-2).
// False: there are more than could be read again.
bool Exploder::take_lines(core::SendingRow& row, const Received& request) const {
  const std::size_t lines = put_carried_lines(
      request,
      [this](HeaderId id, std::string_view name) {
        if (id == HeaderId::privacy) return true;
        return id != HeaderId::user_agent && id != HeaderId::require &&
               sip::header_pass(id, name, config_->calls.pass_unknown) == sip::HeaderPass::pass;
      },
      row.head);
  return fits_again(config_->transport.head, lines, row.head.size());
}

void Exploder::send_more(Sending& s) {
  if (!s.promised || (draining_ && config_->stores_messages)) return;  // the next process goes on
  const auto unanswered = [&s] {
    return std::count_if(s.running.begin(), s.running.end(), [](const Running& running) { return !running.told; });
  };
  for (auto running = unanswered(); !s.waiting.empty() && running < config_->focus.invite_parallel; ++running) {
    core::SendingRow::Copy copy = std::move(s.waiting.front());
    s.waiting.pop_front();
    --waiting_;
    send(s, {.copy = std::move(copy)}, s.row.type, s.row.body);
  }
}

// OMA-PAG-2, R5365-1: a request of its own, from the same user. Who gets it twice, because a process ended in between, sees
// the same Call-ID.
void Exploder::send(Sending& s, Running running, std::string_view type, std::string_view body) {
  const bool notice = running.notice;
  char id[core::letters64_chars];
  core::letters_encode64(s.row.id, id);
  std::string call_id(notice ? "notice-" : "list-");
  call_id.append(id, sizeof id).append("-");
  put_number(call_id, running.copy.number);
  call_id.append("@").append(config_->domains.empty() ? config_->realm : config_->domains.front());
  const std::string from = notice ? "<" + s.row.list + ">" : s.row.from;
  const std::string uri = notice ? s.row.sender : entry_target(running.copy.uri);
  const std::string asserted = "<" + (notice ? s.row.list : s.row.sender) + ">";
  message_.begin({.uri = uri,
                  .from = from,
                  .from_tag = s.row.id + (std::uint64_t{running.copy.number} << 32),
                  .call_id = call_id,
                  .user_agent = config_->im.product,
                  .asserted = asserted});
  const std::vector<EntryHeader> asked = notice ? std::vector<EntryHeader>{} : entry_headers(running.copy.uri);
  if (!notice) message_.add_stored(s.row.head);
  put_entry_headers(asked, message_.lines());
  message_.add(HeaderId::accept_contact, "*;+g.oma.sip-im");
  message_.add(HeaderId::content_type, type);
  Errand errand;
  errand.client = Errand::Client::copy;
  errand.call = s.self;
  errand.number = running.number = ++s.numbers;
  if (!notice) errand.origin = s.row.call_id;
  message_.put(body, errand);
  errand.by_uri = true;
  s.running.push_back(std::move(running));
  ++running_;
  errands_.push_back(std::move(errand));
}

void Exploder::on_response(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Sending* const s = sendings_.get(id);
  if (s == nullptr || status < 200) return;
  const auto found = std::find_if(s->running.begin(), s->running.end(),
                                  [number](const Running& running) { return running.number == number; });
  if (found == s->running.end() || found->told) return;
  found->told = true;
  if (found->notice) return;
  const core::SendingRow::Copy copy = found->copy;
  metrics_.add(status < 300 ? Metric::im_list_copies : Metric::im_list_copies_failed);
  trace_.copy_over(s->trace, status < 300);
  if (status >= 300) tell_failed(*s, copy);
  let_next(s->row.sender, copy);
  send_more(*s);
}

// R5438-2: it was taken, so its failure is told, once for each who did not get it.
void Exploder::tell_failed(Sending& s, const core::SendingRow::Copy& copy) {
  if (!wants(s.row.notices, Notice::negative)) return;
  std::string own_id;
  put_call_id(own_id);
  const std::string recipient = entry_target(copy.uri);
  std::string text;
  put_notice({.status = NoticeText::Status::failed,
              .from = s.row.list,
              .to = s.row.sender,
              .message_id = s.row.message_id,
              .own_id = own_id,
              .recipient = s.row.hidden ? std::string_view{} : std::string_view(recipient),
              .original_recipient = s.row.list,
              .wall_ms = wall_ms_},
             text);
  send(s, {.copy = copy, .notice = true}, "message/cpim", text);
}

void Exploder::on_over(core::SlotId id, std::uint32_t number) {
  on_response(id, number, 408);  // unless it has been answered
  Sending* const s = sendings_.get(id);
  if (s == nullptr) return;
  const auto found = std::find_if(s->running.begin(), s->running.end(),
                                  [number](const Running& running) { return running.number == number; });
  if (found == s->running.end()) return;
  const core::SendingRow::Copy copy = std::move(found->copy);
  s->running.erase(found);
  --running_;
  // A copy that failed comes to its end when that has been told.
  const bool told_of = std::any_of(s->running.begin(), s->running.end(),
                                   [&copy](const Running& running) { return running.copy.number == copy.number; });
  if (!told_of && config_->stores_messages) out_->store({0, core::RemoveCopy{s->row.id, copy.number}});
  send_more(*s);
  if (s->waiting.empty() && s->running.empty() && s->behind == 0) sendings_.erase(id);
}

std::vector<Exploder::Open> Exploder::open_of(std::string_view id) {
  using State = Open::State;
  const auto named = [id](const core::SendingRow& row) { return !id.empty() && (row.message_id == id || row.call_id == id); };
  std::vector<Open> found;
  sendings_.for_each([&](core::SlotId self, Sending& s) {
    if (!named(s.row)) return;
    Open open{.row = s.row, .copies = {}};
    const State state = s.promised ? State::waiting : State::storing;
    for (const Running& running : s.running) {
      if (!running.notice && !running.told) open.copies.push_back({running.copy.uri, State::sending});
    }
    for (const core::SendingRow::Copy& copy : s.waiting) open.copies.push_back({copy.uri, state});
    for (const auto& [lane, behind] : lanes_) {
      if (s.behind == 0) break;
      for (const Behind& each : behind) {
        if (each.sending == self) open.copies.push_back({each.copy.uri, s.promised ? State::behind : State::storing});
      }
    }
    found.push_back(std::move(open));
  });
  for (const core::SendingRow& row : restored_) {
    if (!named(row)) continue;
    Open open{.row = row, .copies = {}};
    for (const core::SendingRow::Copy& copy : row.copies) open.copies.push_back({copy.uri, State::waiting});
    found.push_back(std::move(open));
  }
  return found;
}

}  // namespace parley::policy
