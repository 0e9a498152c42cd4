// policy/deferred_retrieval.cc - see deferred_retrieval.h.
#include "policy/deferred_retrieval.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "policy/deferred_list.h"
#include "policy/own_names.h"
#include "sip/status.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr core::Duration told_for = std::chrono::minutes(3);  // a retrieval takes no longer than its MESSAGE: Timer F
constexpr std::uint64_t row_bytes = 1;                        // the one row that is wanted comes whatever its size

}  // namespace

DeferredRetrieval::DeferredRetrieval(const Parts& parts)
    : UserAgent(parts), retrievals_(parts.config->im.deferred.retrievals_max) {}

DeferredRetrieval::~DeferredRetrieval() {
  retrievals_.for_each([this](core::SlotId, Retrieval& r) { wheel_.cancel(r.timer); });
}

void DeferredRetrieval::begin(const core::Now& now, core::Outbox& out) {
  UserAgent::begin(now.mono);
  wall_ms_ = now.wall_ms;
  out_ = &out;
}

// The store takes longer than its sender waits.
void DeferredRetrieval::end() {
  while (core::Timer* const timer = wheel_.expire_one(now_)) {
    Retrieval* const r = retrievals_.get(core::SlotId::unpack(timer->owner));
    CHECK(r != nullptr);
    refuse(*r, 503, {});
  }
}

// --- REFER

std::uint16_t DeferredRetrieval::refer(const Ask& ask) {
  lines_.clear();
  const auto warn = [this](const std::string& why) {
    if (why.empty()) return;
    lines_.begin(HeaderId::warning).append("399 ").append(config_->realm).append(" \"").append(why).append("\"");
  };
  Asked asked;
  if (const std::uint16_t status = read(ask, asked); status != 0) {
    warn(asked.warning);
    return status;
  }
  if (asked.ids.size() > config_->im.deferred.count_max) {
    warn("too many messages");
    return 403;
  }
  const auto mine = of_user_.find(ask.aor);
  const bool too_many = mine != of_user_.end() && mine->second >= config_->im.deferred.retrievals_per_user_max;
  const core::SlotId id = too_many ? core::SlotId{} : retrievals_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::im_deferred_retrievals_limit);
    return busy();  // T-86
  }
  Retrieval& r = *retrievals_.get(id);
  r.self = id;
  r.aor = ask.aor;
  r.asked = std::move(asked);
  r.timer.owner = id.packed();
  r.server = transactions_.open_server(ask.request, ask.match, 0, now_);
  ++of_user_[r.aor];
  if (!r.server.valid()) {
    close(r);
    return 503;
  }
  if (!transactions_.claim(r.server, ask.request)) {  // R3261-4
    refuse(r, 482, {});
    return 0;
  }
  find(r);
  return 0;
}

std::uint64_t DeferredRetrieval::ask(const Retrieval& r) {
  const std::uint64_t number = ++numbers_;
  asked_.emplace(number, r.self);
  return store_token(StoreOwner::deferred_retrieval, number);
}

void DeferredRetrieval::find(Retrieval& r) {
  wheel_.arm(r.timer, now_ + config_->store_answer);
  core::StoreOp op{.token = ask(r), .what = core::FindDeferred{.ids = r.asked.ids}};
  if (r.asked.records) op.what = core::FindHistory{.ids = r.asked.ids};
  out_->store(std::move(op));
}

void DeferredRetrieval::on_stored(const core::StoreResult& result) {
  const auto found = asked_.find(store_number(result.token));
  if (found == asked_.end()) return;
  Retrieval* const r = retrievals_.get(found->second);
  asked_.erase(found);
  if (r == nullptr) return;
  if (r->state == Retrieval::State::finding) {
    on_found(*r, result);
  } else if (r->state != Retrieval::State::loading) {
    return;
  } else if (result.status != core::StoreResult::Status::done) {
    next(*r, 503);
  } else if (r->asked.records) {
    on_record(*r, result);
  } else {
    on_message(*r, result);
  }
}

void DeferredRetrieval::on_message(Retrieval& r, const core::StoreResult& result) {
  const bool there = !result.rows.empty() && result.rows.front().id == r.asked.ids[r.at] &&
                     result.rows.front().expires_ms > wall_ms_;
  if (there) {
    send(r, result.rows.front());
  } else {
    next(r, 410);  // since it was found
  }
}

// What can be sent is; when nothing can, the first one says why.
void DeferredRetrieval::on_found(Retrieval& r, const core::StoreResult& result) {
  wheel_.cancel(r.timer);
  if (result.status != core::StoreResult::Status::done) {
    refuse(r, 503, {});
    return;
  }
  std::vector<std::uint64_t> good;
  std::uint32_t large = 0;
  std::uint16_t status = 0;
  std::string_view why;
  for (const std::uint64_t id : r.asked.ids) {
    std::string_view reason;
    const std::uint16_t refusal = r.asked.records ? judge_record(r, id, result, reason) : judge(r, id, result, reason);
    if (refusal == 488) ++large;
    if (refusal == 0) {
      good.push_back(id);
    } else if (status == 0) {
      status = refusal;
      why = reason;
    }
  }
  if (good.empty()) {
    refuse(r, status, why);
    return;
  }
  // R5368-1: nothing tells of the parts of a list but the answer.
  if (large != 0) {
    r.left_out.append("399 ").append(config_->realm).append(" \"");
    put_number(r.left_out, large);
    r.left_out.append(" large: INVITE each reference\"");
  }
  r.asked.ids = std::move(good);
  accept(r);
}

std::uint16_t DeferredRetrieval::judge(Retrieval& r, std::uint64_t id, const core::StoreResult& result,
                                       std::string_view& why) const {
  const auto row =
      std::find_if(result.rows.begin(), result.rows.end(), [id](const auto& one) { return one.id == id; });
  if (row == result.rows.end()) return 404;
  if (row->aor != r.aor) return 403;  // OMA-DEF-14
  if (row->expires_ms <= wall_ms_) return 410;
  if (deferred_mode(*row) != DeferredMode::large) return 0;
  why = "a large message: INVITE its reference";
  return 488;
}

void DeferredRetrieval::refuse(Retrieval& r, std::uint16_t status, std::string_view why) {
  texts_.clear();
  std::string warning;
  if (!why.empty()) {
    warning.append("399 ").append(config_->realm).append(" \"").append(why).append("\"");
    add(HeaderId::warning, warning);
  }
  add(HeaderId::server, config_->im.product);
  (void)give_response(r.server, status, "deferred");
  close(r);
}

std::string DeferredRetrieval::own_user(const Retrieval& r) const {
  sip::Uri uri;
  return sip::parse_uri(own_uri(r), uri) ? std::string(uri.user) : std::string();
}

void DeferredRetrieval::accept(Retrieval& r) {
  const Received* const request = stored(r.server);
  if (request == nullptr) {
    close(r);
    return;
  }
  char tag[core::letters64_chars];
  core::letters_encode64(random_.next(), tag);
  const std::string_view own_tag(tag, sizeof tag);
  const sip::Flow flow = request->flow;
  const bool secure = request->secure();
  if (r.asked.subscribes) {
    r.dialog = std::make_unique<sip::Dialog>(pool_);
    const sip::DialogFault fault =
        r.dialog->accept(request->head, request->bytes, request->essentials, own_tag, secure);
    if (fault != sip::DialogFault::none) {
      refuse(r, sip::refusal(fault), {});
      return;
    }
    r.dialog->confirm();
    r.way = {.flow = flow, .back = flow.reliable()};
    if (!r.way.back) r.way.flow.shard = static_cast<std::uint16_t>(shard_);
    r.until = now_ + told_for;
  }
  texts_.clear();
  add_contact(own_user(r), flow, secure, {});
  add(HeaderId::server, config_->im.product);
  if (r.asked.echoes) add(HeaderId::refer_sub, "false");
  if (!r.left_out.empty()) add(HeaderId::warning, r.left_out);
  (void)give_response(r.server, r.asked.subscribes ? 202 : 200, own_tag);
  notify(r, 100, {});
  load(r);
}

// --- one message after the other

void DeferredRetrieval::load(Retrieval& r) {
  r.state = Retrieval::State::loading;
  const std::uint64_t id = r.asked.ids[r.at];
  core::StoreOp op{
      .token = ask(r),
      .what = core::LoadDeferred{.aor = r.aor, .after = id - 1, .count_max = 1, .bytes_max = row_bytes}};
  if (r.asked.records)
    op.what = core::LoadHistoryMessages{.record = id, .after = 0, .count_max = 1, .bytes_max = row_bytes};
  out_->store(std::move(op));
}

// As Deferred sends it, but for whom it goes to and who answers for that.
void DeferredRetrieval::send(Retrieval& r, const core::DeferredRow& row) {
  r.state = Retrieval::State::sending;
  r.status = 0;
  ++r.number;
  const bool sent_on = !r.asked.target.empty();
  const std::string_view target = sent_on ? std::string_view(r.asked.target) : std::string_view(r.aor);
  std::string call_id;
  put_call_id(call_id);
  const std::string asserted = "<" + (sent_on ? r.aor : std::string(own_uri(r))) + ">";
  message_.begin({.uri = target,
                  .from_tag = random_.next(),
                  .call_id = call_id,
                  .user_agent = config_->im.product,
                  .asserted = asserted});
  if (sent_on) message_.add(HeaderId::referred_by, asserted);
  std::vector<sip::HeaderText>& lines = message_.lines();
  const auto own = static_cast<std::ptrdiff_t>(lines.size());
  message_.add_stored(row.head);
  if (sent_on) {  // who had it sent to him before
    const auto referred = [](const sip::HeaderText& line) { return line.id == HeaderId::referred_by; };
    lines.erase(std::remove_if(lines.begin() + own, lines.end(), referred), lines.end());
  }
  Errand errand;
  errand.client = Errand::Client::retrieval;
  errand.call = r.self;
  errand.number = r.number;
  message_.put(row.body, errand);
  errand.origin = row.request_id;
  if (sent_on) {
    errand.by_uri = true;
  } else {
    errand.aor = r.aor;
  }
  errand.of_history = r.asked.records && !sent_on;
  errands_.push_back(std::move(errand));
}

void DeferredRetrieval::on_response(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Retrieval* const r = retrievals_.get(id);
  if (r == nullptr || r->state != Retrieval::State::sending || r->number != number || status < 200) return;
  if (r->status == 0) r->status = status;
}

void DeferredRetrieval::on_over(core::SlotId id, std::uint32_t number) {
  Retrieval* const r = retrievals_.get(id);
  if (r == nullptr || r->state != Retrieval::State::sending || r->number != number) return;
  const std::uint16_t status = r->status == 0 ? std::uint16_t{408} : r->status;
  if (status < 300 && r->asked.records) {
    metrics_.add(Metric::history_retrieved);
  } else if (status < 300 && r->asked.target.empty()) {
    metrics_.add(Metric::im_deferred_retrieved);
    out_->store({0, core::RemoveDeferred{.id = r->asked.ids[r->at]}});
    removed_.push_back({r->aor, r->asked.ids[r->at]});
  } else if (status < 300) {
    metrics_.add(Metric::im_deferred_forwarded);
  }
  next(*r, status);
}

// `status`: what became of the one before.
void DeferredRetrieval::next(Retrieval& r, std::uint16_t status) {
  if (++r.at < r.asked.ids.size()) {
    load(r);
    return;
  }
  notify(r, status, "noresource");
  close(r);
}

bool DeferredRetrieval::next_removed(Removed& removed) {
  if (removed_.empty()) return false;
  removed = std::move(removed_.front());
  removed_.pop_front();
  return true;
}

// --- what its sender is told (RFC 3515 section 2.4.4)

// `over`: why its subscription ends; empty: it goes on.
void DeferredRetrieval::notify(Retrieval& r, std::uint16_t status, std::string_view over) {
  if (r.dialog == nullptr) return;
  std::string body("SIP/2.0 ");
  put_number(body, status);
  body.append(" ").append(sip::reason_phrase(status)).append("\r\n");  // T-30: with its line end
  const std::string state =
      over.empty()
          ? "active;expires=" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(r.until - now_).count())
          : "terminated;reason=" + std::string(over);
  texts_.clear();
  add(HeaderId::event, "refer");
  add(HeaderId::subscription_state, state);
  add(HeaderId::user_agent, config_->im.product);
  Errand errand;
  errand.client = Errand::Client::nobody;
  errand.method = Method::notify;
  errand.next = r.dialog->next_hop();
  if (r.way.back) errand.flow = r.way.flow;
  errand.came_by = r.way.flow;
  errand.from_trusted = true;
  errand.contact_user = own_user(r);
  r.dialog->write({.method = "NOTIFY",
                   .cseq = r.dialog->next_cseq(),
                   .headers = texts_,
                   .content_type = "message/sipfrag;version=2.0",
                   .body = body},
                  errand.text);
  errands_.push_back(std::move(errand));
}

void DeferredRetrieval::close(Retrieval& r) {
  wheel_.cancel(r.timer);
  const auto mine = of_user_.find(r.aor);
  CHECK(mine != of_user_.end());
  if (--mine->second == 0) of_user_.erase(mine);
  retrievals_.erase(core::SlotId(r.self));
}

}  // namespace parley::policy
