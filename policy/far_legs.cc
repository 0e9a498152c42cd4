// policy/far_legs.cc - see far_legs.h.
#include "policy/far_legs.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace parley::policy {

using core::Metric;
using Kind = msrp::EndFact::Kind;
using Sent = msrp::Ends::Sent;

FarLegs::FarLegs(RoomLegs& near, LegPost& post, core::Metrics& metrics)
    : near_(near), post_(post), metrics_(metrics), far_(far_leg_slots), shards_(post.shards()) {
  CHECK(post.shards() <= far_leg_shards);
}

msrp::EndHandle FarLegs::handle(std::uint32_t shard, core::SlotId slot) {
  return {far_leg_bit | shard * far_leg_slots | slot.index, slot.generation};
}

FarLegs::Far* FarLegs::get(msrp::EndHandle end) { return far_.get({far_slot(end), end.generation}); }

// --- life

msrp::EndHandle FarLegs::open(std::uint32_t shard, std::string_view session_id, std::string_view uri) {
  const core::SlotId slot = far_.emplace();
  if (!slot.valid()) return {};
  far_.get(slot)->uri.assign(uri);
  const msrp::EndHandle end = handle(shard, slot);
  auto& record = post_.add<LegText>(shard, LegRecord::open, end, session_id.size() + uri.size());
  record.first_bytes = static_cast<std::uint32_t>(session_id.size());
  record.second_bytes = static_cast<std::uint32_t>(uri.size());
  post_.put(session_id);
  post_.put(uri);
  metrics_.add(Metric::room_legs_elsewhere);
  return end;
}

std::string_view FarLegs::uri(msrp::EndHandle end) const {
  const Far* const far = get(end);
  return far == nullptr ? std::string_view{} : std::string_view(far->uri);
}

bool FarLegs::connect(msrp::EndHandle end, const msrp::EndPeer& peer, bool change) {
  if (get(end) == nullptr || msrp::path_length(peer.path) == 0 || msrp::path_length(peer.path) > msrp::path_uris_max) {
    return false;
  }
  for (msrp::PathSplit path = msrp::split_path(peer.path);; path = msrp::split_path(path.rest)) {
    msrp::Uri uri;
    if (!msrp::parse_uri(path.first, uri)) return false;
    if (path.rest.empty()) break;
  }
  auto& record =
      post_.add<LegText>(far_shard(end), LegRecord::connect, end, peer.path.size() + peer.address.size());
  record.first_bytes = static_cast<std::uint32_t>(peer.path.size());
  record.second_bytes = static_cast<std::uint32_t>(peer.address.size());
  record.head.flags = static_cast<std::uint8_t>((peer.we_connect ? 1 : 0) | (peer.loose ? 2 : 0) | (change ? 4 : 0));
  post_.put(peer.path);
  post_.put(peer.address);
  return true;
}

void FarLegs::put_simple(LegRecord kind, msrp::EndHandle end) {
  (void)post_.add<LegText>(far_shard(end), kind, end);
}

void FarLegs::close(msrp::EndHandle end) {
  if (!is_far(end)) return near_.close(end);
  Far* const far = get(end);
  if (far == nullptr) return;
  put_simple(LegRecord::close, end);
  mark(*far, false, false);
  metrics_.sub(Metric::room_legs_elsewhere);
  far_.erase({far_slot(end), end.generation});
}

// --- calls

void FarLegs::answer(msrp::EndHandle end, msrp::EndToken& token, std::uint16_t status) {
  if (!is_far(end)) return near_.answer(end, token, status);
  if (get(end) == nullptr) return token.let_go();
  scratch_.clear();
  token.put(scratch_);
  token.let_go();
  auto& record = post_.add<LegText>(far_shard(end), LegRecord::answer, end, scratch_.size());
  record.first_bytes = static_cast<std::uint32_t>(scratch_.size());
  record.head.status = status;
  post_.put(scratch_);
}

void FarLegs::mark(Far& far, bool stopped, bool full) {
  const bool before = far.stopped || far.full;
  far.stopped = stopped;
  far.full = full;
  const bool after = stopped || full;
  if (before != after) marked_ += after ? 1U : ~0U;
}

bool FarLegs::may_write(msrp::EndHandle end, Far& far, std::uint64_t bytes) {
  Split& shard = shards_[far_shard(end)];
  if (post_.full(far_shard(end))) {
    if (!far.told_full) {
      metrics_.add(Metric::room_shard_full);
      shard.wait_for_it.push_back(end);
    }
  } else if (!far.stopped && !far.full && (far.in_flight == 0 || far.in_flight + bytes <= in_flight_bytes_max)) {
    return true;
  }
  far.told_full = true;
  return false;
}

void FarLegs::put_send(std::uint32_t shard, LegRecord kind, msrp::EndHandle to, std::span<const msrp::EndHandle> legs,
                       const msrp::EndSend& message) {
  const std::size_t body = message.prefix.size() + message.body.length;
  auto& record = post_.add<LegSend>(shard, kind, to, legs.size_bytes() + message.headers.size() + body);
  record.mark = message.mark;
  record.start = message.start;
  record.total = message.total;
  record.legs = static_cast<std::uint32_t>(legs.size());
  record.headers_bytes = static_cast<std::uint32_t>(message.headers.size());
  record.body_bytes = static_cast<std::uint32_t>(body);
  record.failure = message.failure;
  record.flag = message.flag;
  record.tell_200 = message.tell_200;
  record.has_body = message.has_body;
  if (!legs.empty()) post_.put({reinterpret_cast<const char*>(legs.data()), legs.size_bytes()});
  post_.put(message.headers);
  post_.put(message.prefix);
  if (message.body.length != 0) post_.put(post_.pool().view(message.body));
}

Sent FarLegs::send(msrp::EndHandle end, const msrp::EndSend& message) {
  if (!is_far(end)) return near_.send(end, message);
  Far* const far = get(end);
  if (far == nullptr) return Sent::gone;
  const std::uint64_t bytes = message.headers.size() + message.prefix.size() + message.body.length;
  if (far->full && !far->stopped && now_ - far->tried >= try_again) mark(*far, false, false);
  if (!may_write(end, *far, bytes)) return Sent::full;
  far->in_flight += static_cast<std::uint32_t>(bytes);
  put_send(far_shard(end), LegRecord::send, end, {}, message);
  return Sent::sent;
}

void FarLegs::fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
                      std::vector<msrp::Ends::NotSent>& not_sent) {
  if (far_.size() == 0) return near_.fan_out(ends, message, not_sent);
  near_legs_.clear();
  bool checks = marked_ != 0;
  for (std::uint32_t shard = 0; shard < shards_.size(); ++shard) {
    shards_[shard].legs.clear();
    checks = checks || post_.full(shard);
  }
  for (const msrp::EndHandle end : ends) {
    if (!is_far(end)) {
      near_legs_.push_back(end);
      continue;
    }
    if (checks) {
      Far* const far = get(end);
      // Of what is on its way alone to a leg a fan-out need not know: it comes behind it.
      const bool may = far != nullptr && !far->stopped && !far->full && !post_.full(far_shard(end));
      if (!may) {
        if (far != nullptr) (void)may_write(end, *far, 0);
        not_sent.push_back({end, far == nullptr ? Sent::gone : Sent::full});
        continue;
      }
    }
    shards_[far_shard(end)].legs.push_back(end);
  }
  for (std::uint32_t shard = 0; shard < shards_.size(); ++shard) {
    const auto& legs = shards_[shard].legs;
    if (!legs.empty()) put_send(shard, LegRecord::fan_out, {}, legs, message);
  }
  if (!near_legs_.empty()) near_.fan_out(near_legs_, message, not_sent);
}

void FarLegs::report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange& range,
                     std::uint16_t status, std::string_view headers) {
  if (!is_far(end)) return near_.report(end, message_id, range, status, headers);
  if (get(end) == nullptr) return;
  auto& record =
      post_.add<LegReport>(far_shard(end), LegRecord::report, end, message_id.size() + headers.size());
  record.head.status = status;
  record.range = range;
  record.message_id_bytes = static_cast<std::uint32_t>(message_id.size());
  record.headers_bytes = static_cast<std::uint32_t>(headers.size());
  post_.put(message_id);
  post_.put(headers);
}

std::uint64_t FarLegs::waiting_bytes(msrp::EndHandle end) const {
  if (!is_far(end)) return near_.waiting_bytes(end);
  const Far* const far = get(end);
  return far == nullptr ? 0 : std::uint64_t{far->in_flight} + far->waiting;
}

void FarLegs::hold(msrp::EndHandle end) {
  if (!is_far(end)) return near_.hold(end);
  if (get(end) != nullptr) put_simple(LegRecord::hold, end);
}

void FarLegs::release(msrp::EndHandle end) {
  if (!is_far(end)) return near_.release(end);
  if (get(end) != nullptr) put_simple(LegRecord::release, end);
}

// For rooms of two, which have no legs elsewhere.

bool FarLegs::outrun() const {
  if (far_.size() == 0) return false;
  for (std::uint32_t shard = 0; shard < shards_.size(); ++shard) {
    if (post_.busy(shard)) return true;
  }
  return false;
}

// --- what happened

void FarLegs::tell_writable(msrp::EndHandle end, Far& far) {
  if (far.stopped || far.full || !far.told_full) return;
  far.told_full = false;
  writable_.push_back(end);
}

void FarLegs::on_record(const LegPost::Incoming& record) {
  CHECK(record_left_ == 0);
  const msrp::EndHandle end = record.head->leg;
  record_ = record;
  if (record.head->kind == LegRecord::answered) {
    record_left_ = LegReader<LegAnswered>(record)->legs;
    return;
  }
  Far* const far = get(end);
  if (far == nullptr) return;  // closed meanwhile
  switch (record.head->kind) {
    case LegRecord::fact: {
      const Kind kind = LegReader<LegFact>(record)->kind;
      if (kind == Kind::writable || kind == Kind::closed) mark(*far, far->stopped, false);
      if (kind == Kind::writable) return tell_writable(end, *far);
      record_left_ = 1;
      return;
    }
    case LegRecord::stopped:
      metrics_.add(Metric::room_legs_stopped);
      mark(*far, true, static_cast<LegStop>(record.head->status) == LegStop::full);
      far->tried = now_;
      put_simple(LegRecord::noted, end);
      return;
    case LegRecord::dropped:
      mark(*far, false, far->full);
      far->in_flight = 0;
      if (LegReader<LegDropped>(record)->some != 0) {
        far->told_full = true;
        record_left_ = 1;  // and then it is writable
      }
      tell_writable(end, *far);
      return;
    case LegRecord::taken: {
      const auto bytes = static_cast<std::uint32_t>(LegReader<LegCount>(record)->bytes);
      far->in_flight -= std::min(far->in_flight, bytes);
      if (far->in_flight <= in_flight_bytes_max / 2) tell_writable(end, *far);
      return;
    }
    case LegRecord::waiting:
      far->waiting = static_cast<std::uint32_t>(LegReader<LegCount>(record)->bytes);
      return;
    default: CHECK(false);
  }
}

void FarLegs::read_fact(const LegPost::Incoming& record, msrp::EndFact& fact) {
  LegReader<LegFact> in(record);
  fact.kind = in->kind;
  fact.first = in->first;
  fact.last = in->last;
  fact.flag = in->flag;
  fact.start = in->start;
  fact.total = in->total;
  fact.range = in->range;
  fact.status = in->head.status;
  if (in->token_bytes != 0) fact.token = msrp::EndToken::read(in.text(in->token_bytes));
  fact.head_bytes = in.text(in->head_bytes);
  head_ = in->parsed;
  if (in->has_head) fact.head = &head_;
  fact.message_id = in.text(in->message_id_bytes);
  fact.nickname = in.text(in->nickname_bytes);
  fact.body = in.slice(in->body_bytes);
}

bool FarLegs::next_fact(msrp::EndFact& fact) {
  while (record_left_ != 0) {
    if (record_.head->kind == LegRecord::answered) {
      LegReader<LegAnswered> in(record_);
      if (fact.kind != Kind::answered || fact.token.pending()) fact = {};  // else it is the one before
      fact.kind = Kind::answered;
      fact.mark = in->mark;
      fact.status = in->head.status;
      fact.end = in.legs(in->legs)[in->legs - record_left_--];
      if (get(fact.end) == nullptr) continue;
      return true;
    }
    record_left_ = 0;
    fact = {};
    if (record_.head->kind == LegRecord::dropped) {
      LegReader<LegDropped> in(record_);
      fact.kind = Kind::unsent;
      fact.mark = in->mark;
    } else {
      read_fact(record_, fact);
    }
    fact.end = record_.head->leg;
    return true;
  }
  // Who was told to wait for a shard that had too much.
  for (std::uint32_t shard = 0; shard < shards_.size(); ++shard) {
    auto& waiting = shards_[shard].wait_for_it;
    if (waiting.empty() || post_.busy(shard)) continue;
    for (const msrp::EndHandle end : std::exchange(waiting, {})) {
      if (Far* const far = get(end); far != nullptr) tell_writable(end, *far);
    }
  }
  while (!writable_.empty()) {
    const msrp::EndHandle end = writable_.front();
    writable_.pop_front();
    if (get(end) == nullptr) continue;
    fact = {};
    fact.kind = Kind::writable;
    fact.end = end;
    return true;
  }
  return false;
}

}  // namespace parley::policy
