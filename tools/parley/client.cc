// tools/parley/client.cc - steps, who a request is for, registration, the end. See client.h.
#include "tools/parley/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/id_text.h"
#include "core/text.h"
#include "sip/address.h"
#include "sip/own_tag.h"
#include "sip/timer_headers.h"
#include "sip/value.h"

namespace parley::client {

using sip::HeaderId;
using sip::Method;

namespace {

constexpr core::Duration enrol_retry_min =
    std::chrono::seconds(2);  // RFC 5626 section 4.5 has 30 s for a server's sake;
constexpr core::Duration enrol_retry_max = std::chrono::seconds(300);  // a person waits, so the first tries come sooner

}  // namespace

Client::Client(Parts parts)
    : random_(parts.seed),
      config_(std::move(parts.config)),
      pool_(parts.pool),
      metrics_(parts.metrics),
      files_(parts.files),
      fetched_(parts.fetched),
      xcap_(parts.xcap),
      agent_(parts.pool, parts.metrics, random_, parts.start, config_.agent),
      msrp_(random_, config_.msrp) {
  enrolment_ = new_envelope();
}

std::string Client::new_tag() { return std::string(sip::make_tag(random_).view()); }

Envelope Client::new_envelope() {
  std::array<char, core::id128_chars> id{};
  core::id_encode128({random_.next(), random_.next()}, id.data());
  return {.call_id = std::string(id.data(), id.size()), .from_tag = new_tag(), .cseq = 1};
}

void Client::tell(Event event) { events_.push_back(std::move(event)); }

bool Client::next(Event& event) {
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

const ImSession* Client::session(std::uint32_t number) const {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}

// --- steps

void Client::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  agent_.begin(now, out);
  msrp_.begin(now, out);
  run_timers();
  settle();
}

void Client::take(const core::Input& input, std::string_view bytes) {
  using Kind = core::Input::Kind;
  bool media = false;
  switch (input.kind) {
    case Kind::opened: media = input.peer->listener < config_.agent.transport->listener_base; break;
    case Kind::connected:
    case Kind::connect_failed: media = (input.token & sip::sip_token_bit) == 0; break;
    case Kind::resolved: media = true; break;
    case Kind::bytes:
    case Kind::half_closed:
    case Kind::sent:
    case Kind::closed: media = msrp_.owns(input.conn); break;
    case Kind::datagram: break;
    case Kind::mail:
    case Kind::stored:
    case Kind::admin:
    case Kind::reload:
    case Kind::drain: return;
  }
  if (!media) {
    agent_.take(input);
  } else if (input.kind == Kind::bytes) {
    msrp_.take_bytes(input.conn, bytes);
  } else {
    msrp_.take(input);
  }
  settle();
}

void Client::settle() {
  for (bool more = true; more;) {
    more = false;
    for (UaFact fact; agent_.next(fact); more = true) {
      switch (fact.kind) {
        case UaFact::Kind::request: on_request(fact); break;
        case UaFact::Kind::ack: on_ack(*fact.message); break;
        case UaFact::Kind::cancelled:
          for (auto& [number, session] : sessions_) {
            if (!(session.server == fact.server)) continue;
            if (session.changes) {
              carry_change(session, session.changes->on_cancel(now_.mono), &fact);
            } else {
              session.failure = "cancelled";
              carry_out(session, session.usage.on(sip::InviteEvent::cancel, now_.mono), &fact);
            }
            break;
          }
          break;
        case UaFact::Kind::response: on_response(fact, fact.status, fact.message); break;
        case UaFact::Kind::failed: on_response(fact, fact.status, nullptr); break;
        case UaFact::Kind::challenged: {
          const auto errand = errands_.find(fact.number);
          std::uint32_t cseq = 0;
          if (errand != errands_.end()) {
            if (const auto s = sessions_.find(errand->second.owner);
                s != sessions_.end() && errand->second.kind != Errand::Kind::subscribe) {
              cseq = s->second.dialog.next_cseq();
            } else if (const auto of = subscriptions_.find(errand->second.owner); of != subscriptions_.end()) {
              cseq = of->second.dialog.next_cseq();
            }
          }
          if (cseq != 0) {
            agent_.again(fact.number, cseq);
          } else {
            agent_.forget(fact.number);
            on_response(fact, 401, nullptr);
          }
          break;
        }
        case UaFact::Kind::lost:
          // RFC 5626 section 4.5: the registration has gone with its connection.
          if (wanted_ && config_.agent.server.transport != core::Transport::udp && !stopping_) {
            enrolled_ = false;
            enrol_again_ = std::min(enrol_again_, now_.mono + enrol_retry_min);
          }
          break;
      }
    }
    for (MsrpFact fact; msrp_.next(fact); more = true) on_media(fact);
  }
}

void Client::end() {
  for (int round = 0; round < 2; ++round) {  // what is written may bring facts at once
    settle();
    msrp_.end();
  }
  settle();
  drop_dead_sessions();
  agent_.end();
}

void Client::run_timers() {
  if (now_.mono >= enrol_again_) {
    enrol_again_ = core::never;
    if (wanted_) enrol();
  }
  if (now_.mono >= publish_again_) {
    publish_again_ = core::never;
    if (!stopping_) publish({});
  }
  for (auto& [number, session] : sessions_) run_timers_of(session);
  std::vector<std::uint32_t> due;
  for (auto& [number, subscription] : subscriptions_) {
    if (now_.mono >= subscription.rules.deadline()) due.push_back(number);
  }
  for (const std::uint32_t number : due) {
    Subscription& subscription = subscriptions_.at(number);
    carry_subscription(subscription, subscription.rules.due(now_.mono));
  }
  while (!receipts_.empty() && receipts_.front().until <= now_.mono) {
    if (!receipts_.front().answered) {
      tell(Event("delivery").number("ticket", receipts_.front().ticket).text("status", "timeout"));
    }
    receipts_.pop_front();
  }
}

core::Instant Client::next_deadline() const {
  core::Instant at = std::min({agent_.next_deadline(), msrp_.next_deadline(), enrol_again_, publish_again_});
  for (const auto& [number, session] : sessions_) {
    at =
        std::min({at, session.usage.next_deadline(), session.timer.next_deadline(), session.leave_at, session.lost_at});
    if (session.changes) at = std::min(at, session.changes->next_deadline());
  }
  for (const auto& [number, subscription] : subscriptions_) at = std::min(at, subscription.rules.deadline());
  if (!receipts_.empty()) at = std::min(at, receipts_.front().until);
  if (stopping_) at = std::min(at, leave_ends_);
  return at;
}

// --- who it is for

void Client::answer(sip::TransactionId server, std::uint16_t status, const Lines& lines) {
  (void)agent_.respond(server, status, lines, new_tag());
}

void Client::on_request(const UaFact& fact) {
  const Received& request = *fact.message;
  const sip::Essentials& e = request.essentials;
  const Method method = request.head.method;
  if (!e.to_tag.empty()) {
    for (auto& [number, session] : sessions_) {
      if (!session.dialog.made() || !session.dialog.is(e.call_id, e.to_tag, e.from_tag)) continue;
      on_dialog_request(session, fact);
      return;
    }
    if (method == Method::notify) {
      on_notify(fact, nullptr);
    } else {
      answer(fact.server, 481);
    }
    return;
  }
  if (method == Method::invite) return on_invite(fact);
  if (method == Method::message) return on_pager(fact, nullptr);
  if (method == Method::options) {
    Lines lines = answer_lines(self());
    lines.add(HeaderId::allow, own_methods);
    lines.add(HeaderId::supported, own_options);
    lines.add(HeaderId::accept, "application/sdp, text/plain, message/cpim, multipart/mixed");
    answer(fact.server, 200, lines);
    return;
  }
  if (method == Method::bye || method == Method::notify || method == Method::update || method == Method::prack) {
    answer(fact.server, 481);
    return;
  }
  Lines lines = answer_lines(self());
  lines.add(HeaderId::allow, own_methods);
  answer(fact.server, method == Method::other ? 501 : 405, lines);
}

// T-25: the dialog and the CSeq say which 2xx it is for.
void Client::on_ack(const Received& ack) {
  for (auto& [number, session] : sessions_) {
    if (!session.dialog.made() || !session.dialog.acknowledges(ack.essentials, session.invite_cseq)) continue;
    UaFact fact;
    fact.message = &ack;
    if (session.changes) {
      carry_change(session, session.changes->on_ack(!ack.body.empty(), now_.mono), &fact);
      return;
    }
    if (session.offered_nothing && !ack.body.empty()) take_answer(session, ack);
    carry_out(session, session.usage.on(sip::InviteEvent::ack, now_.mono), &fact);
    return;
  }
}

void Client::on_response(const UaFact& fact, std::uint16_t status, const Received* message) {
  const auto found = errands_.find(fact.number);
  if (found == errands_.end()) return;
  const Errand errand = found->second;
  if (errand.kind == Errand::Kind::invite) {
    // Its 2xx may come again as long as its transaction lives.
    if (status >= 300) errands_.erase(found);
    if (const auto s = sessions_.find(errand.owner); s != sessions_.end()) {
      on_invite_response(s->second, fact, status, message, errand.asked);
    }
    return;
  }
  if (status < 200) return;
  if (!(errand.kind == Errand::Kind::refresh && status < 300)) errands_.erase(found);
  switch (errand.kind) {
    case Errand::Kind::invite: return;
    case Errand::Kind::enrol: return on_register_response(status, message);
    case Errand::Kind::leave_registrar: enrolled_ = false; return;
    case Errand::Kind::other_bye:
    case Errand::Kind::notification: return;
    case Errand::Kind::bye:
      if (const auto s = sessions_.find(errand.owner); s != sessions_.end()) {
        carry_out(s->second, s->second.usage.on(sip::InviteEvent::bye_done, now_.mono), &fact);
      }
      return;
    case Errand::Kind::refresh:
      if (const auto s = sessions_.find(errand.owner); s != sessions_.end()) {
        on_refresh_response(s->second, errand, status, message);
      }
      return;
    case Errand::Kind::message: {
      Event event("sent");
      event.number("ticket", errand.owner).text("mode", "pager").number("status", status);
      if (message != nullptr) {
        event.if_any("warning", message->head.value(HeaderId::warning, message->bytes));
        event.if_any("accept", message->head.value(HeaderId::accept, message->bytes));
      }
      tell(std::move(event));
      if (status >= 300) std::erase_if(receipts_, [&](const Waiting& w) { return w.ticket == errand.owner; });
      return;
    }
    case Errand::Kind::subscribe: return on_subscribe_response(errand.owner, status, message);
    case Errand::Kind::publish: return on_publish_response(status, message);
    case Errand::Kind::refer: tell(Event("referred").number("session", errand.owner).number("status", status)); return;
  }
}

// --- registration

void Client::enrol() {
  wanted_ = true;
  const std::uint32_t exchange = agent_.send(
      register_request(self(), {.registrar = config_.registrar, .expires = config_.register_seconds}), enrolment_);
  enrolment_.cseq += 8;  // more than the tries with credentials
  if (exchange == 0) {
    on_register_response(503, nullptr);
    return;
  }
  errands_[exchange] = {.kind = Errand::Kind::enrol};
}

void Client::on_register_response(std::uint16_t status, const Received* message) {
  if (status >= 200 && status < 300 && message != nullptr) {
    // RFC 3261 section 10.2.4: what our binding was granted.
    std::uint32_t seconds = config_.register_seconds;
    if (const auto value = message->head.value(HeaderId::expires, message->bytes); !value.empty()) {
      (void)sip::parse_seconds(value, seconds);
    }
    for (const sip::Header* h = message->head.first(HeaderId::contact); h != nullptr; h = message->head.next(*h)) {
      std::string_view rest = h->value.of(message->bytes);
      for (sip::Address address; !rest.empty() && sip::take_address(rest, address);) {
        if (!address.uri.starts_with(self().contact)) continue;
        std::uint32_t own = 0;
        if (sip::parse_seconds(sip::find_param(address.params, "expires"), own)) seconds = own;
      }
    }
    // SEED0-8.2.2.1-IMS, SEED1-7.1.1.1-IMS, SEED3-7.1.1.1-IMS, SEED3-5.2.4-IMS, SEED3-8.1.1-IMS, SEED3-9.1.1.1-IMS:
    // what TS 24.229 asks of a user equipment for its next requests.
    std::string routes;
    for (const sip::Header* h = message->head.first(HeaderId::service_route); h != nullptr;
         h = message->head.next(*h)) {
      routes.append(routes.empty() ? "" : ", ").append(h->value.of(message->bytes));
    }
    constexpr std::size_t routes_bytes_max = 2048;
    if (routes.size() <= routes_bytes_max) agent_.set_service_route(std::move(routes));
    const bool first = !enrolled_;
    enrolled_ = true;
    enrol_failures_ = 0;
    enrol_again_ = now_.mono + std::chrono::seconds(std::max<std::uint32_t>(seconds, 10)) * 4 / 5;
    agent_.keep(now_.mono + std::chrono::seconds(seconds));
    if (first) tell(Event("registered").text("user", self().aor).number("expires", seconds));
    return;
  }
  std::uint32_t least = 0;
  if (status == 423 && message != nullptr &&
      sip::parse_seconds(message->head.value(HeaderId::min_expires, message->bytes), least) &&
      least > config_.register_seconds) {
    config_.register_seconds = least;
    enrol();
    return;
  }
  enrolled_ = false;
  tell(Event("register_failed").text("user", self().aor).number("status", status));
  // Who is refused for good is not asked again; a server that is away comes back.
  if (status == 408 || status >= 500) {
    const core::Duration wait = std::min(enrol_retry_min * (1U << std::min(enrol_failures_, 8U)), enrol_retry_max);
    ++enrol_failures_;
    enrol_again_ = now_.mono + wait;
  }
}

// --- the end

void Client::stop() {
  if (stopping_) return;
  stopping_ = true;
  leave_ends_ = now_.mono + config_.leave_wait;
  wanted_ = false;
  enrol_again_ = publish_again_ = core::never;
  for (auto& [number, subscription] : subscriptions_) {
    carry_subscription(subscription, subscription.rules.stop(now_.mono));
  }
  for (auto& [number, session] : sessions_) leave(number);
  if (!enrolled_) return;
  const std::uint32_t exchange =
      agent_.send(register_request(self(), {.registrar = config_.registrar, .expires = 0}), enrolment_);
  if (exchange != 0) errands_[exchange] = {.kind = Errand::Kind::leave_registrar};
}

bool Client::nothing_left() const {
  const bool busy = std::any_of(errands_.begin(), errands_.end(), [](const auto& errand) {
    return errand.second.kind == Errand::Kind::bye || errand.second.kind == Errand::Kind::leave_registrar;
  });
  const bool open =
      std::any_of(sessions_.begin(), sessions_.end(), [](const auto& s) { return !s.second.usage.over(); });
  return !busy && !open;
}

}  // namespace parley::client
