// tools/parley-load/sip_pager.cc - MESSAGE to one, to several by a list, and to a group (RFC 3428, RFC 5365): what is sent, and
// what is wrong with what arrives. Recipients are places among the users of the thread, so that none need be remembered.
#include <functional>

#include "tools/parley-load/pager_text.h"
#include "tools/parley-load/sip_worker.h"

namespace parley::load {
namespace {

using To = PagerPart::To;

constexpr size_t kEndedBits = 17;  // deliveries that are remembered when their message is over

uint64_t ended_key(uint64_t serial, uint32_t place) { return (serial * 0x9e3779b97f4a7c15ULL + place) * 0xff51afd7ed558ccdULL; }

}  // namespace

void SipWorker::prepare_pager() {
  for (uint32_t i = 0; i < users_.size(); ++i) {
    users_[i]->place = i;
    users_by_name_.emplace(users_[i]->account.name, users_[i].get());
  }
  ended_.assign(size_t{1} << kEndedBits, {});
  const time_t seconds_now = time(nullptr);
  tm when{};
  gmtime_r(&seconds_now, &when);
  char text[32];
  date_time_.assign(text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when));
}

To SipWorker::next_target(SipPair& pair) const {
  const PagerOptions& p = options_.pager;
  const uint32_t place = pair.chosen++ * 37 % 100;  // each of a hundred once, spread
  const uint32_t list = p.list > 0 ? p.list_percent : 0;
  if (place < list) return To::list;
  return pair.sender->place < p.group_members && place < list + p.group_percent ? To::group : To::one;
}

void SipWorker::begin_pager(SipPair& pair, uint64_t due_ns) {
  Flight& flight = begin_flight(SipMode::pager, *pair.sender, &pair, due_ns);
  ++counts_.begun;
  PagerPart& part = flight.pager;
  part.to = next_target(pair);
  if (part.to == To::list) part.turn = pair.lists++;
  part.missing = part.to == To::one ? 1 : part.to == To::list ? options_.pager.list : options_.pager.group_members - 1;
  part.came.assign(part.missing, 0);
  if (part.to == To::list) ++counts_.to_lists;
  if (part.to == To::group) ++counts_.to_groups;
  start_pager(flight);
}

const std::string& SipWorker::pager_uri(const Flight& flight) const {
  switch (flight.pager.to) {
    case To::one: break;
    case To::list: return options_.pager.factory;
    case To::group: return options_.pager.group;
  }
  return flight.pair->receiver->aor;
}

// A new transaction takes its place behind all that was sent before.
void SipWorker::start_pager(Flight& flight) {
  flight.pager.number = ++flight.pair->sent;
  authorize(flight, "MESSAGE", pager_uri(flight));
  start_request(flight);
}

void SipWorker::write_pager(Flight& flight) {
  const PagerPart& part = flight.pager;
  const std::string& uri = pager_uri(flight);
  const User& sender = *flight.user;
  const SipId id = id_of(flight);
  const bool listed = part.to == To::list;
  const std::string_view text_type = options_.pager.cpim ? "message/cpim" : "text/plain";
  std::string& front = pager_front_;
  front.clear();
  if (listed) {
    begin_list(front);
    for (uint32_t i = 0; i < options_.pager.list; ++i) put_list_entry(front, recipient(flight, i).aor);
    end_list(front, text_type);
  }
  if (options_.pager.cpim) {
    char call_id[kCallIdDigits];
    SipText(call_id).call_id(run_, id);
    put_cpim_head(front, sender.aor, uri, date_time_, {call_id, sizeof call_id});
  }
  put_stamp(front, run_, {id, part.number});
  const std::string_view rest =
      pattern_.piece(message_seed(flight.pair->index, flight.serial), 0, options_.size_bytes - kPagerStampBytes);
  const std::string_view tail = listed ? kMixedEnd : std::string_view{};

  SipText out(out_.open(*sender.link));
  out.put("MESSAGE ").put(uri).put(" SIP/2.0\r\nVia: ").put(sender.link->via).branch(run_, id);
  out.put("\r\nMax-Forwards: 70\r\nFrom: <").put(sender.aor).put(">;tag=f").hex(flight.serial, 10);
  out.put("\r\nTo: <").put(uri).put(">\r\nCall-ID: ").call_id(run_, id).put("\r\nCSeq: ").number(flight.cseq);
  out.put(" MESSAGE\r\n").put(flight.login_line);
  if (options_.pager.im_tag) out.put("Accept-Contact: *;+g.oma.sip-im\r\n");
  if (listed) out.put("Require: recipient-list-message\r\n");
  out.put("Content-Type: ").put(listed ? kMixedType : text_type);
  out.put("\r\nContent-Length: ").number(front.size() + rest.size() + tail.size()).put("\r\n\r\n").put(front);
  out_.close(out.size(), rest, tail);
}

void SipWorker::on_pager_answer(Flight& flight, const SipMessage& message) {
  if (take_challenge(flight, message)) return start_pager(flight);
  if (flight.answered) return void(++counts_.stray);
  if (message.status >= 300) return refused(flight, message.status);
  // RFC 3428 section 4: 202 of what is not there yet; RFC 5365 section 7.2: of what goes to several.
  if (message.status != (flight.pager.to == To::one ? 200 : 202)) {
    ++counts_.odd_answers;
    flight.spoiled = true;
    note("a message of " + flight.user->account.name + " to " + pager_uri(flight) + " was answered " +
         std::to_string(message.status));
  }
  flight.answered = true;
  flight.quiet = true;
  if (measuring_) answered_.record(now_ - flight.due_ns);
  if (flight.delivered) finished(flight);
}

// Where its recipients begin among the others: behind those of the list before.
size_t SipWorker::list_shift(const Flight& flight) const {
  return uint64_t{flight.pager.turn} * options_.pager.list % (users_.size() - 1);
}

const User& SipWorker::recipient(const Flight& flight, size_t copy) const {
  const size_t from = flight.user->place;
  switch (flight.pager.to) {
    case To::one: break;
    case To::list: return *users_[(from + 1 + (list_shift(flight) + copy) % (users_.size() - 1)) % users_.size()];
    case To::group: return *users_[copy < from ? copy : copy + 1];
  }
  return *flight.pair->receiver;
}

// Which of its recipients that is; npos: none.
size_t SipWorker::copy_of(const Flight& flight, const User& receiver) const {
  constexpr size_t npos = std::string_view::npos;
  const PagerPart& part = flight.pager;
  const uint32_t from = flight.user->place;
  if (part.to == To::one) return &receiver == flight.pair->receiver ? 0 : npos;
  if (&receiver == flight.user) return npos;
  if (part.to == To::group)
    return receiver.place < options_.pager.group_members ? receiver.place - (receiver.place > from ? 1 : 0) : npos;
  const size_t users = users_.size();
  const size_t behind = (receiver.place + users - from - 1) % users;
  const size_t at = (behind + users - 1 - list_shift(flight)) % (users - 1);
  return at < options_.pager.list ? at : npos;
}

User* SipWorker::user_of(std::string_view uri) const {
  if (!uri.starts_with("sip:")) return nullptr;
  const auto found = users_by_name_.find(std::string(uri.substr(4, uri.find('@') - 4)));
  return found == users_by_name_.end() ? nullptr : found->second;
}

void SipWorker::on_pager_request(Link& link, const SipMessage& message) {
  answer(link, message, {}, {});
  std::string_view text = pager_text_of(message.content_type, message.body);
  PagerStamp stamp;
  const size_t size = text.size();
  User* const receiver = user_of(message.uri);
  if (message.method != SipMethod::message || receiver == nullptr || !take_stamp(text, run_, stamp)) {
    ++counts_.stray;
    return note("a request nobody waited for: " + std::string(message.head.substr(0, 200)));
  }
  Flight* const flight = find(stamp.id);
  if (flight == nullptr || flight->kind != SipMode::pager) return on_ended_pager(link, message, stamp.id, *receiver);
  const size_t copy = copy_of(*flight, *receiver);
  if (copy == std::string_view::npos || receiver->link != &link)
    return corrupt(*flight, "delivered to '" + std::string(message.uri) + "', whom it was not for");
  PagerPart& part = flight->pager;
  if (!first_time(*flight, link, message, part.came[copy] != 0, part.came[copy])) return;
  if (size != options_.size_bytes) {
    corrupt(*flight, "text of " + std::to_string(size) + " bytes");
  } else {
    const size_t same = pattern_.first_difference(message_seed(flight->pair->index, flight->serial), 0, text);
    if (same < text.size()) corrupt(*flight, "text differs at byte " + std::to_string(kPagerStampBytes + same + 1));
  }
  check_order(*flight, *receiver, stamp.number);
  ++counts_.deliveries;
  counts_.body_bytes += message.body.size();
  if (measuring_ && !flight->spoiled) delivery_.record(now_ - flight->due_ns);
  if (--part.missing != 0) return;
  flight->delivered = true;
  if (flight->answered) finished(*flight);
}

// What goes to one, and what goes to several, are two ways through a server.
void SipWorker::check_order(const Flight& flight, const User& receiver, uint32_t number) {
  const bool one = flight.pager.to == To::one;
  uint32_t& last = one ? flight.pair->last : last_copies_[uint64_t{flight.pair->index} << 32 | receiver.place];
  if (number < last) {
    ++(one ? counts_.out_of_order : counts_.copies_out_of_order);
    if (one ? !options_.datagrams() : options_.pager.copies_in_order)
      note(receiver.account.name + " got a message of " + flight.user->account.name + " behind a later one");
  }
  last = std::max(last, number);
}

void SipWorker::remember_ended(const Flight& flight) {
  for (size_t copy = 0; copy < flight.pager.came.size(); ++copy) {
    const uint64_t key = ended_key(flight.serial, recipient(flight, copy).place);
    ended_[key >> (64 - kEndedBits)] = {key, flight.pager.came[copy]};
  }
}

// Of a message that is over: the Via tells a repetition from a second delivery.
void SipWorker::on_ended_pager(const Link& link, const SipMessage& message, const SipId& id, const User& receiver) {
  if (failed_.contains(id.serial)) return void(++counts_.stray);
  const uint64_t key = ended_key(id.serial, receiver.place);
  const Ended& ended = ended_[key >> (64 - kEndedBits)];
  if (link.datagrams && (ended.key != key || ended.via == std::hash<std::string_view>{}(message.vias[0])))
    return void(++counts_.repeated);
  ++counts_.duplicated;
  note("delivered again after its end: " + std::string(message.head.substr(0, 200)));
}

}  // namespace parley::load
