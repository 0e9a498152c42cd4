// policy/deferred.cc - messages into the store, and out of it when their time is over. See deferred.h.
#include "policy/deferred.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/carried_lines.h"
#include "policy/deferred_key.h"
#include "policy/imdn.h"
#include "policy/user_key.h"
#include "sip/date.h"
#include "sip/identity.h"
#include "sip/leg_pair.h"
#include "sip/reason_headers.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr core::Duration expiry_every = std::chrono::seconds(10);
constexpr std::uint32_t expired_at_once = 64;
constexpr core::Duration expiry_pause = std::chrono::milliseconds(100);  // between them: each may be told to somebody
constexpr std::int64_t skew_ms = 60'000;  // OMA-PAG-6

// What a message says of itself goes with it; what its hop or its sender's dialog with us says does not.
bool goes_along(HeaderId id, std::string_view name, bool unknown) {
  switch (id) {
    case HeaderId::accept_contact:
    case HeaderId::expires:
    case HeaderId::privacy:  // OMA-DEF-15
    case HeaderId::reject_contact:
    case HeaderId::reply_to:
    case HeaderId::request_disposition: return true;
    default: break;
  }
  const sip::HeaderPass pass = sip::header_pass(id, name, unknown);
  return pass == sip::HeaderPass::pass || pass == sip::HeaderPass::body;
}

}  // namespace

Deferred::Deferred(const Parts& parts, const sip::Location& location, const Settings& settings, PagerTrace& trace)
    : UserAgent(parts),
      location_(location),
      settings_(settings),
      trace_(trace),
      boxes_(parts.config->im.deferred.users_max) {}

Deferred::~Deferred() {
  boxes_.for_each([this](core::SlotId, Box& box) { wheel_.cancel(box.timer); });
  wheel_.cancel(push_timer_);
  wheel_.cancel(expiry_timer_);
}

void Deferred::begin(const core::Now& now, core::Outbox& out) {
  UserAgent::begin(now.mono);
  wall_ms_ = now.wall_ms;
  out_ = &out;
  if (!config_->im.deferred.on) return;
  if (shard_ == 0 && !expiry_timer_.armed() && expiry_load_ == 0) wheel_.arm(expiry_timer_, now_ + expiry_every);
  for (const std::string& aor : std::exchange(restored_, {})) {
    users_.insert(aor);
    available(aor, true);
  }
}

void Deferred::end() {
  give_up_waiting();
  while (core::Timer* const timer = wheel_.expire_one(now_)) {
    switch (static_cast<TimerKind>(timer->kind)) {
      case TimerKind::box: {
        Box* const box = boxes_.get(core::SlotId::unpack(timer->owner));
        CHECK(box != nullptr);
        if (draining_) break;
        begin_round(*box);
        break;
      }
      case TimerKind::push: go_on_pushing(); break;
      case TimerKind::expiry:
        expiry_load_ = ++numbers_;
        out_->store({token(expiry_load_), core::LoadExpired{.now_ms = wall_ms_, .count_max = expired_at_once}});
        break;
    }
  }
}

core::Instant Deferred::next_deadline() const {
  const core::Instant waits = waiting_.empty() ? core::never : waiting_.begin()->second.until;
  return std::min(waits, wheel_.next_deadline());
}

// --- into the store

// When it is worth nothing any more (OMA-DEF-6, OMA-PAG-6, DEC-14).
std::int64_t Deferred::end_of(const Message& message) const {
  const Received& request = message.request;
  const std::int64_t most =
      message.wall_ms + std::chrono::duration_cast<std::chrono::milliseconds>(config_->im.deferred.age_max).count();
  std::uint32_t expires = 0;
  if (!sip::clamped_number(request.head.value(HeaderId::expires, request.bytes), expires)) return most;
  std::int64_t sent_ms = message.wall_ms;
  if (std::int64_t sent = 0; sip::parse_date(request.head.value(HeaderId::date, request.bytes), sent)) {
    sent_ms = sent * 1000 > sent_ms + skew_ms ? sent_ms : sent * 1000;  // T-88: its clock is wrong
  }
  return std::min(most, sent_ms + std::int64_t{expires} * 1000);
}

// What a sender sends again because he got no answer has its Message-ID, or is the very same request.
std::string Deferred::key_of(const Received& request, const Message& message, std::string_view message_id) {
  if (!message_id.empty()) return deferred_key(digest_, {message.aor, message.sender, message_id});
  const sip::Essentials& e = request.essentials;
  return deferred_key(digest_, {message.aor, message.sender, e.call_id, e.from_tag, std::to_string(e.cseq.number)});
}

// As he calls himself, where nobody else is named by that: who it really is goes with what is brought at once, as
// P-Asserted-Identity, and there it will be ours.
void Deferred::put_from(const Message& message, std::string& out) {
  const sip::Address& from = message.request.essentials.from;
  const sip::Privacy privacy = sip::privacy_of(message.request.head, message.request.bytes);
  const bool another = message.proven && !(privacy.id && !privacy.none) && user_key(from.uri) != message.sender;
  out.append("From: ");
  if (!another && !from.display.empty()) out.append(from.display).append(" ");
  out.append("<").append(another ? message.sender : from.uri).append(">\r\n");
}

bool Deferred::keep(const Message& message) {
  const Received& request = message.request;
  const DeferredConfig& config = config_->im.deferred;
  if (!config.on || request.head.method != Method::message || message.sender.empty()) return false;
  const std::string_view type = request.head.value(HeaderId::content_type, request.bytes);
  const std::int64_t end = end_of(message);
  if (is_composing(type, request.body) || end <= wall_ms_) return false;
  const WantedNotices wanted = wanted_notices(type, request.body);
  core::PutDeferred put{.row = {}, .count_max = config.count_max, .bytes_max = config.bytes_max};
  core::DeferredRow& row = put.row;
  row.id = message.id;
  row.aor = message.aor;
  row.sender = message.sender;
  row.key = key_of(request, message, wanted.message_id);
  row.message_id = wanted.message_id;
  row.notices = wanted.notices;
  row.arrived_ms = message.wall_ms;
  row.expires_ms = end;
  put_from(message, row.head);
  const std::size_t lines = put_carried_lines(
      request, [this](HeaderId id, std::string_view name) { return goes_along(id, name, config_->calls.pass_unknown); },
      row.head);
  if (!fits_again(config_->transport.head, lines, row.head.size())) return false;
  if (request.head.first(HeaderId::date) == nullptr) {  // OMA-DEF-8
    row.head.append("Date: ");
    sip::put_date(row.head, message.wall_ms);
    row.head.append("\r\n");
  }
  row.body = request.body;
  row.request_id = message.origin.empty() ? request.essentials.call_id : message.origin;
  const std::uint64_t number = ++numbers_;
  waiting_.emplace(number, Waiting{.id = row.id,
                                   .until = now_ + config_->store_answer,
                                   .kept = {.asker = message.asker, .aor = row.aor, .sender = row.sender, .tried = message.tried},
                                   .told = wants(row.notices, Notice::processing) ? row : core::DeferredRow{}});
  out_->store({token(number), std::move(put)});
  return true;
}

void Deferred::forget(std::uint64_t id) { out_->store({0, core::RemoveDeferred{.id = id}}); }

bool Deferred::next_kept(Kept& kept) {
  if (kept_.empty()) return false;
  kept = std::move(kept_.front());
  kept_.pop_front();
  return true;
}

bool Deferred::next_changed(std::string& aor) {
  if (changed_.empty()) return false;
  aor = std::move(changed_.front());
  changed_.pop_front();
  return true;
}

void Deferred::on_stored(const core::StoreResult& result) {
  const std::uint64_t number = store_number(result.token);
  if (number == expiry_load_) {
    on_expired(result);
  } else if (const auto load = loads_.find(number); load != loads_.end()) {
    const core::SlotId box = load->second;
    loads_.erase(load);
    on_loaded(box, result);
  } else if (const auto waits = waiting_.find(number); waits != waiting_.end()) {
    Waiting waiting = std::move(waits->second);
    waiting_.erase(waits);
    on_kept(std::move(waiting), result.status);
  }
}

void Deferred::on_large_stored(const core::DeferredRow& row, bool duplicate, bool tried) {
  on_kept({.id = row.id,
           .until = now_,
           .kept = {.asker = {}, .aor = row.aor, .sender = row.sender, .tried = tried},
           .told = wants(row.notices, Notice::processing) ? row : core::DeferredRow{}},
          duplicate ? core::StoreResult::Status::duplicate : core::StoreResult::Status::done);
}

bool Deferred::next_large(Large& large) {
  if (large_.empty()) return false;
  large = std::move(large_.front());
  large_.pop_front();
  return true;
}

void Deferred::on_kept(Waiting waiting, core::StoreResult::Status status) {
  using Status = core::StoreResult::Status;
  switch (status) {
    case Status::done:
      metrics_.add(Metric::im_deferred_kept);
      if (wants(waiting.told.notices, Notice::processing)) notify(waiting.told, false);  // OMA-DEF-4
      break;
    case Status::duplicate: metrics_.add(Metric::im_deferred_duplicates); break;  // it is kept, so it is no lie
    case Status::full:
      metrics_.add(Metric::im_deferred_full);
      waiting.kept.outcome = Kept::Outcome::full;
      break;
    case Status::refused:
      metrics_.add(Metric::im_deferred_failed);
      waiting.kept.outcome = Kept::Outcome::failed;
      break;
  }
  kept_.push_back(std::move(waiting.kept));
}

// The disk takes longer than a sender waits. What he is told is not to be true of half of it.
void Deferred::give_up_waiting() {
  while (!waiting_.empty() && waiting_.begin()->second.until <= now_) {
    Waiting waiting = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    out_->store({0, core::RemoveDeferred{.id = waiting.id, .unless_claimed = true}});
    on_kept(std::move(waiting), core::StoreResult::Status::refused);
  }
}

// --- whose time is over

// OMA-DEF-6. Told first: should we end in between, it is told again.
void Deferred::on_expired(const core::StoreResult& result) {
  expiry_load_ = 0;
  for (const core::DeferredRow& row : result.rows) {
    metrics_.add(Metric::im_deferred_expired);
    if (wants(row.notices, Notice::negative)) notify(row, true);
    forget(row.id);
    changed_.push_back(row.aor);
  }
  // Now: nothing else may ever wake a shard that has nothing to do.
  wheel_.arm(expiry_timer_, now_ + (result.more ? expiry_pause : expiry_every));
}

// Who wrote to a list or group is not told who in it was meant (OMA-DR-5).
void Deferred::notify(const core::DeferredRow& row, bool failed) {
  std::vector<sip::HeaderText> lines;
  add_carried_lines(row.head, lines);
  const auto type = std::find_if(lines.begin(), lines.end(), [](const auto& l) { return l.id == HeaderId::content_type; });
  const std::string_view to_list =
      type == lines.end() ? std::string_view{} : wanted_notices(type->value, row.body).original_to;
  const std::string_view sender = row.sender;
  put_call_id(own_id_);
  std::string text;
  put_notice({.status = failed ? NoticeText::Status::failed : NoticeText::Status::stored,
              .from = own_uri(),
              .to = sender,
              .message_id = row.message_id,
              .own_id = own_id_,
              .recipient = to_list.empty() ? std::string_view(row.aor) : std::string_view{},
              .original_recipient = to_list.empty() ? std::string_view(row.aor) : to_list,
              .wall_ms = wall_ms_},
             text);
  begin_own_message(sender, own_uri(), "message/cpim");
  Errand errand;
  errand.client = Errand::Client::nobody;
  message_.put(text, errand);
  errand.by_uri = true;
  errands_.push_back(std::move(errand));
}

}  // namespace parley::policy
