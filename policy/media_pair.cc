// policy/media_pair.cc - see media_pair.h.
#include "policy/media_pair.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/text.h"

namespace parley::policy {

using core::Metric;
using msrp::EndFact;
using msrp::EndHandle;
using msrp::EndSend;
using msrp::Flag;
using Result = msrp::Ends::Sent;

namespace {

// Of the sessions that end here; the highest bit tells them from those of rooms.
constexpr std::uint64_t pair_bit = std::uint64_t{1} << 63;
constexpr std::uint64_t side_bit = std::uint64_t{1} << 62;

// Of one side, without answer.
constexpr std::size_t nicknames_max = 8;

// Takes the next header line with its end off.
std::string_view take_header_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end == std::string_view::npos ? rest.size() : end + 2);
  rest.remove_prefix(line.size());
  return line;
}
std::string_view name_of(std::string_view line) { return line.substr(0, line.find(':')); }

std::string_view trimmed_value(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  return text;
}

constexpr std::string_view sent_count_parameter = "Include-Sent-Count";

// DEC-11: 1*DIGIT.
bool distribution_count(std::string_view headers, std::uint64_t& out) {
  while (!headers.empty()) {
    const std::string_view line = take_header_line(headers);
    if (!core::equal_ignore_case(name_of(line), "Distribution-Count")) continue;
    const std::string_view value = trimmed_value(line.substr(line.find(':') + 1));
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    return error == std::errc{} && end == value.data() + value.size();
  }
  return false;
}

}  // namespace

MediaPairs::~MediaPairs() = default;

std::uint64_t MediaPairs::owner_of(PairId pair, Side side) {
  return pair_bit | (side == Side::b ? side_bit : 0) | (pair.packed() & (side_bit - 1));
}

PairId MediaPairs::open(bool secure, std::uint64_t owner, std::uint64_t bytes_max) {
  const PairId id = pairs_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::im_media_pairs_limit);
    return {};
  }
  Pair& pair = *pairs_.get(id);
  pair.self = id;
  pair.owner = owner;
  pair.bytes_max = bytes_max;
  metrics_.add(Metric::im_media_pairs);
  for (const Side side : {Side::a, Side::b}) {
    pair.leg(side).end = ends_.open(secure, owner_of(id, side));
    if (pair.leg(side).end.valid()) continue;
    close(id);
    return {};
  }
  return id;
}

std::string_view MediaPairs::uri(PairId id, Side side) const {
  const Pair* const pair = pairs_.get(id);
  return pair == nullptr ? std::string_view{} : ends_.uri(pair->leg(side).end);
}

bool MediaPairs::connect(PairId id, Side side, const msrp::EndPeer& peer) {
  Pair* const pair = pairs_.get(id);
  if (pair == nullptr) return false;
  Leg& leg = pair->leg(side);
  return std::exchange(leg.asked, true) ? ends_.change_peer(leg.end, peer) : ends_.connect(leg.end, peer);
}

void MediaPairs::count_recipients(PairId id) {
  if (Pair* const pair = pairs_.get(id)) pair->counts = true;
}

void MediaPairs::release(PairId id, Side side) {
  Pair* const pair = pairs_.get(id);
  if (pair == nullptr) return;
  ends_.close(std::exchange(pair->leg(side).end, EndHandle{}));
  pair->leg(side).connected = false;
  if (!pair->leg(other(side)).end.valid()) close(id);
}

void MediaPairs::close(PairId id) {
  Pair* const pair = pairs_.get(id);
  if (pair == nullptr) return;
  if (traces()) trace_closed(*pair);
  for (Leg& leg : pair->legs) ends_.close(std::exchange(leg.end, EndHandle{}));
  metrics_.sub(Metric::im_media_pairs);
  pairs_.erase(id);
}

void MediaPairs::record(PairId id, TalkId talk) {
  if (Pair* const pair = pairs_.get(id)) pair->talk = talk;
}

// OMA-HIS-4.
void MediaPairs::tell_recorder(const Pair& pair, Side from, const EndFact& fact) {
  if (!pair.talk.valid() || recorder_ == nullptr) return;
  recorder_->take(pair.talk, {.from = party_of(from),
                              .message_id = fact.message_id,
                              .type = fact(fact.head->content_type),
                              .bytes = fact.body.length == 0 ? std::string_view{} : pool_.view(fact.body),
                              .start = fact.start,
                              .total = fact.total,
                              .first = fact.first,
                              .last = fact.last,
                              .flag = fact.flag});
}

void MediaPairs::forget_recorded(const Pair& pair, Side from, std::string_view message_id) {
  if (pair.talk.valid() && recorder_ != nullptr) recorder_->drop(pair.talk, party_of(from), message_id);
}

bool MediaPairs::next_fact(PairFact& fact) {
  if (facts_.empty()) return false;
  fact = facts_.front();
  facts_.pop_front();
  return true;
}

// --- what happens on a leg

bool MediaPairs::on_fact(EndFact& fact) {
  if ((fact.owner & pair_bit) == 0) return false;
  const Side side = (fact.owner & side_bit) != 0 ? Side::b : Side::a;
  Pair* const found = pairs_.get(PairId::unpack(fact.owner & (side_bit - 1)));
  if (found == nullptr || found->leg(side).end != fact.end) return false;
  Pair& pair = *found;
  switch (fact.kind) {
    case EndFact::Kind::connected:
      pair.leg(side).connected = true;
      flush(pair, other(side));
      break;
    case EndFact::Kind::writable: flush(pair, other(side)); break;
    case EndFact::Kind::unsent: break;  // both ends are here
    case EndFact::Kind::piece: on_piece(pair, side, fact); break;
    case EndFact::Kind::answered: on_answered(pair, side, fact); break;
    case EndFact::Kind::report: on_report(pair, side, fact); break;
    case EndFact::Kind::nickname: on_nickname(pair, side, fact); break;
    case EndFact::Kind::closed:  // T-69: it may come back
      pair.leg(side).connected = false;
      if (traces()) trace_lost(pair, side);
      break;
    case EndFact::Kind::failed: fail(pair); break;
  }
  return true;
}

void MediaPairs::fail(Pair& pair) {
  if (!std::exchange(pair.told, true)) facts_.push_back({pair.owner, pair.self});
}

void MediaPairs::hold(Pair& pair, Side side, bool on) {
  Direction& way = pair.leg(side).out;
  if (std::exchange(way.held, on) == on) return;
  if (on) {
    ends_.hold(pair.leg(side).end);
  } else {
    ends_.release(pair.leg(side).end);
  }
}

// --- messages

// The lines that go on: all but Byte-Range, and what asks for a count as it is asked for on that side
// (SEED4-6.1.1.2.2-10, SEED4-6.1.1.2.2-11).
void MediaPairs::put_headers(Pair& pair, Side from, const EndFact& fact) {
  headers_.clear();
  const bool counts = pair.counts && from == Side::a;
  bool asks = false;
  std::string_view type;
  for (std::string_view rest = (*fact.head).headers.of(fact.head_bytes); !rest.empty();) {
    const std::string_view line = take_header_line(rest);
    const std::string_view name = name_of(line);
    if (core::equal_ignore_case(name, "Byte-Range") || core::equal_ignore_case(name, sent_count_parameter)) continue;
    if (core::equal_ignore_case(name, "Content-Type")) {
      type = line;
      continue;
    }
    if (!core::equal_ignore_case(name, "Success-Report")) {
      headers_ += line;
      continue;
    }
    const std::string_view value = trimmed_value(line.substr(line.find(':') + 1));
    const std::string_view word = trimmed_value(value.substr(0, value.find(';')));
    asks = core::equal_ignore_case(word, "yes");
    if (!counts) headers_.append("Success-Report: ").append(word).append("\r\n");
  }
  if (counts) {
    headers_.append("Success-Report: yes;").append(sent_count_parameter).append("\r\n");
    if (fact.first && (pair.asked.empty() || pair.asked.back().message_id != fact.message_id)) {
      if (pair.asked.size() >= config_.reports_max) pair.asked.pop_front();
      pair.asked.push_back({std::string(fact.message_id), asks});
    }
  }
  headers_ += type;
}

void MediaPairs::on_piece(Pair& pair, Side from, EndFact& fact) {
  Leg& leg = pair.leg(from);
  if (fact.first) leg.out.refused = false;
  if (leg.out.refused) return;
  if (traces()) trace_piece(pair, from, fact);
  put_headers(pair, from, fact);
  EndSend message{.headers = headers_,
                  .failure = fact.head->failure,
                  .mark = ++pair.marks,
                  .has_body = fact.head->has_body,
                  .start = fact.start,
                  .total = fact.total,
                  .body = fact.body,
                  .flag = fact.last ? fact.flag : Flag::more};
  const bool fits = fact.total == msrp::ByteRange::unknown || fact.total <= pair.bytes_max;
  if (pair.bytes_max != 0 && (!fits || fact.start - 1 + fact.body.length > pair.bytes_max)) {  // OMA-POL-3
    refuse(pair, from, fact);
    return;
  }
  if (!leg.out.user.empty() && !readdress(pair, from, fact, message)) {
    tell_recorder(pair, from, fact);
    return;
  }
  bool passed = leg.out.kept.empty() && send(pair, from, message, fact.message_id, leg.out.at_hand) == Result::sent;
  if (!passed) {
    passed = keep(pair, from, message, fact.message_id);
    hold(pair, from, true);
  } else {
    (void)ends_.hold_while_slow(leg.end, pair.leg(other(from)).end);
  }
  if (!passed) {
    refuse(pair, from, fact);
    return;
  }
  tell_recorder(pair, from, fact);
  if (fact.last) ends_.answer(fact.token, 200);
}

// Of a message that is too long, or for which there is no room, nothing more goes on.
void MediaPairs::refuse(Pair& pair, Side from, EndFact& fact) {
  pair.leg(from).out.refused = true;
  forget_recorded(pair, from, fact.message_id);
  if (traces()) trace_refused(pair, from, fact.message_id, 413);
  ends_.answer(fact.token, 413);
  abort(pair, from, fact.message_id, fact.start);
}

Result MediaPairs::send(Pair& pair, Side from, const EndSend& message, std::string_view message_id,
                        std::uint64_t trace) {
  const Leg& to = pair.leg(other(from));
  if (!to.connected) return Result::gone;
  const Result result = ends_.send(to.end, message);
  Direction& way = pair.leg(from).out;
  if (result != Result::sent) return result;
  if (traces()) trace_sent(pair, from, message, trace);
  if (message.failure != msrp::FailureReport::no) {
    if (way.sent.size() >= config_.reports_max) way.sent.pop_front();
    way.sent.push_back({.mark = message.mark,
                        .message_id = std::string(message_id),
                        .start = message.start,
                        .bytes = message.body.length + message.prefix.size(),
                        .last = message.flag == Flag::end,
                        .trace = trace});
  }
  return result;
}

// Bytes that wait are copied once. False: more would wait than may.
bool MediaPairs::keep(Pair& pair, Side from, const EndSend& message, std::string_view message_id) {
  Direction& way = pair.leg(from).out;
  const std::uint64_t bytes = message.prefix.size() + message.body.length + message.headers.size();
  if (way.kept_bytes + bytes > config_.kept_bytes_max) return false;
  way.kept_bytes += bytes;
  Kept kept{.headers = std::string(message.headers),
            .message_id = std::string(message_id),
            .failure = message.failure,
            .mark = message.mark,
            .start = message.start,
            .total = message.total,
            .flag = message.flag,
            .has_body = message.has_body,
            .trace = way.at_hand};
  kept.body = message.prefix;
  if (message.body.length != 0) kept.body += pool_.view(message.body);
  way.kept.push_back(std::move(kept));
  return true;
}

// RFC 7701 section 7: who gives nicknames out is at the other side, or beyond it, and says what there is to say.
void MediaPairs::on_nickname(Pair& pair, Side from, EndFact& fact) {
  if (fact.status != 0) {  // it could not be read
    ends_.answer(fact.token, fact.status);
    return;
  }
  auto& asked = pair.leg(from).out.nicknames;
  if (asked.size() >= nicknames_max) {
    ends_.answer(fact.token, 403);
    return;
  }
  asked.push_back({.token = fact.token, .value = std::string(fact(fact.head->use_nickname)), .mark = ++pair.marks});
  flush_nicknames(pair, from);
}

void MediaPairs::flush_nicknames(Pair& pair, Side from) {
  if (!pair.leg(other(from)).connected) return;
  for (Nickname& nickname : pair.leg(from).out.nicknames) {
    if (nickname.sent) continue;
    nickname.sent = ends_.nickname(pair.leg(other(from)).end, nickname.value, nickname.mark) == Result::sent;
    if (!nickname.sent) return;
  }
}

void MediaPairs::flush(Pair& pair, Side from) {
  flush_nicknames(pair, from);
  Direction& way = pair.leg(from).out;
  while (!way.kept.empty()) {
    const Kept& kept = way.kept.front();
    const EndSend message{.headers = kept.headers,
                          .failure = kept.failure,
                          .mark = kept.mark,
                          .has_body = kept.has_body,
                          .start = kept.start,
                          .total = kept.total,
                          .prefix = kept.body,
                          .flag = kept.flag};
    if (send(pair, from, message, kept.message_id, kept.trace) != Result::sent) return;
    way.kept_bytes -= kept.body.size() + kept.headers.size();
    way.kept.pop_front();
  }
  hold(pair, from, false);
}

// What was begun there comes to no end.
void MediaPairs::abort(Pair& pair, Side from, std::string_view message_id, std::uint64_t start) {
  if (start == 1 || pair.leg(from).out.kept.size() != 0) return;  // nothing of it is there, or it waits here
  start += delta_of(pair.leg(from).out, message_id);
  const std::string headers = "Message-ID: " + std::string(message_id) + "\r\n";
  (void)send(pair, from,
             {.headers = headers, .mark = ++pair.marks, .has_body = false, .start = start, .flag = Flag::abort},
             message_id, pair.leg(from).out.at_hand);
}

// A 200 was given to its sender when it came; what is wrong with it is reported.
void MediaPairs::on_answered(Pair& pair, Side by, const EndFact& fact) {
  Leg& sender = pair.leg(other(by));
  auto& names = sender.out.nicknames;
  const auto name = std::find_if(names.begin(), names.end(), [&](const Nickname& n) { return n.mark == fact.mark; });
  if (name != names.end()) {
    ends_.answer(name->token, fact.status);
    names.erase(name);
    return;
  }
  auto& sent = sender.out.sent;
  const auto found = std::find_if(sent.begin(), sent.end(), [&](const Sent& s) { return s.mark == fact.mark; });
  if (found == sent.end()) return;
  if (traces()) trace_answered(*found, fact.status);
  if (fact.status != 200) {
    const msrp::ByteRange range{.start = found->start,
                                .end = found->bytes == 0 ? msrp::ByteRange::unknown : found->start + found->bytes - 1};
    ends_.report(sender.end, found->message_id, as_sent(sender.out, found->message_id, range), fact.status);
  }
  sent.erase(found);
}

// SEED4-6.1.1.2.2-10 to SEED4-6.1.1.2.2-12.
void MediaPairs::on_report(Pair& pair, Side by, const EndFact& fact) {
  const Side to = other(by);
  if (traces()) trace_reported(pair, to, fact);
  if (to == Side::a && pair.counts) {
    const auto asked = std::find_if(pair.asked.begin(), pair.asked.end(),
                                    [&](const Asked& a) { return a.message_id == fact.message_id; });
    std::uint64_t recipients = 0;
    if (distribution_count(fact.head->headers.of(fact.head_bytes), recipients)) {
      metrics_.add(Metric::im_sent_counts, std::min<std::uint64_t>(recipients, 1'000'000));
    }
    const bool consumed = asked != pair.asked.end() && !asked->by_sender && fact.status == 200;
    if (asked != pair.asked.end() && fact.range.end == fact.range.total) pair.asked.erase(asked);
    if (consumed) return;
  }
  ends_.report(pair.leg(to).end, fact.message_id, as_sent(pair.leg(to).out, fact.message_id, fact.range), fact.status);
}

}  // namespace parley::policy
