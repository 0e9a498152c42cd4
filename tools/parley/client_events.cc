// tools/parley/client_events.cc - the conference subscription, service settings, inviting and expelling others. See
// client.h.
#include <utility>

#include "policy/poc_settings.h"
#include "sip/event_headers.h"
#include "sip/timer_headers.h"
#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;
using sip::Method;
using sip::SubscribeKind;

// SEED1-7.1.1.1-11, SEED3-7.1.1.1-13: to the session identity, when the session stands.
void Client::subscribe(ImSession& session) {
  if (subscriptions_.size() >= config_.subscriptions_max || session.subscription != 0) return;
  const std::uint32_t number = next_number_++;
  std::string target;
  if (session.supports.has(sip::OptionTag::tdialog)) {  // R4538-1: tags as the recipient sees them
    target = std::string(session.dialog.call_id()) + ";local-tag=" + std::string(session.dialog.remote_tag()) +
             ";remote-tag=" + std::string(session.dialog.local_tag());
  }
  Subscription& fresh =
      subscriptions_
          .try_emplace(number, Subscription{.number = number,
                                            .kind = Subscription::Kind::conference,
                                            .session = session.number,
                                            .rules = sip::Subscriber({.expires_seconds = config_.conference_seconds}),
                                            .dialog = sip::Dialog(pool_),
                                            .request = subscribe_conference(self(), session.identity, target,
                                                                            config_.conference_seconds),
                                            .envelope = new_envelope(),
                                            .roster = {}})
          .first->second;
  session.subscription = number;
  carry_subscription(fresh, fresh.rules.start(now_.mono));
}

void Client::fetch() { start_fetch(Subscription::Kind::settings, fetch_settings(self())); }

void Client::fetch_deferred_messages() {
  start_fetch(Subscription::Kind::deferred, fetch_list(self(), Stored::deferred));
}

// `stored`, `id`: of that kind.
void Client::start_fetch(Subscription::Kind kind, Request request, Stored stored, std::string id) {
  const std::uint32_t number = next_number_++;
  Subscription fetch{.number = number,
                     .kind = kind,
                     .session = 0,
                     .rules = sip::Subscriber({.expires_seconds = 0}),
                     .dialog = sip::Dialog(pool_),
                     .request = std::move(request),
                     .envelope = new_envelope(),
                     .roster = {},
                     .stored = stored,
                     .id = std::move(id)};
  if (subscriptions_.size() >= config_.subscriptions_max) return tell_subscription_failed(fetch, 503);
  Subscription& fresh = subscriptions_.try_emplace(number, std::move(fetch)).first->second;
  carry_subscription(fresh, fresh.rules.start(now_.mono));
}

void Client::carry_subscription(Subscription& subscription, const sip::SubscriberStep& step) {
  std::uint32_t exchange = 0;
  switch (step.send) {
    case SubscribeKind::none: return;
    case SubscribeKind::first:
      if (subscription.made) {  // anew: another dialog
        subscription.dialog = sip::Dialog(pool_);
        subscription.envelope = new_envelope();
        subscription.made = false;
      }
      exchange = agent_.send(subscription.request, subscription.envelope);
      break;
    case SubscribeKind::refresh:
    case SubscribeKind::last: {
      if (!subscription.made) {  // its 2xx made no dialog, and no NOTIFY came
        (void)subscription.rules.response({.status = 481}, now_.mono);
        return;
      }
      Lines lines = subscription.request.lines;
      std::vector<sip::HeaderText> headers;
      const std::string expires = std::to_string(step.expires_seconds);
      for (const Line& line : lines.list) {
        if (line.id != HeaderId::expires) headers.push_back({.id = line.id, .value = line.value});
      }
      headers.push_back({.id = HeaderId::expires, .value = expires});
      std::string text;
      subscription.dialog.write({.method = "SUBSCRIBE", .cseq = subscription.dialog.next_cseq(), .headers = headers},
                                text);
      exchange = agent_.send_in(std::move(text), Method::subscribe, std::string(subscription.dialog.next_hop()));
      break;
    }
  }
  if (exchange == 0) {
    (void)subscription.rules.response({.status = 503}, now_.mono);
    if (step.send != SubscribeKind::last) tell_subscription_failed(subscription, 503);
    return;
  }
  subscription.exchange = exchange;
  errands_[exchange] = {.kind = Errand::Kind::subscribe, .owner = subscription.number};
}

void Client::tell_subscription_failed(Subscription& subscription, std::uint16_t status) {
  using Kind = Subscription::Kind;
  if (subscription.kind == Kind::stored) {
    if (!std::exchange(subscription.told, true)) tell_list_failed(subscription.stored, subscription.id, status);
    return;
  }
  Event event(subscription.kind == Kind::settings   ? "settings_failed"
              : subscription.kind == Kind::deferred ? "deferred_failed"
                                                    : "roster_failed");
  if (subscription.kind == Kind::conference) event.number("session", subscription.session);
  tell(std::move(event.number("status", status)));
}

void Client::on_subscribe_response(std::uint32_t number, std::uint16_t status, const Received* message) {
  const auto found = subscriptions_.find(number);
  if (found == subscriptions_.end()) return;
  Subscription& subscription = found->second;
  sip::SubscribeResponse response{.status = status};
  if (message != nullptr) {
    const auto seconds = [&](HeaderId id, std::uint32_t& out) {
      const std::string_view value = message->head.value(id, message->bytes);
      return !value.empty() && sip::parse_seconds(value, out);
    };
    response.has_expires = seconds(HeaderId::expires, response.expires_seconds);
    (void)seconds(HeaderId::min_expires, response.min_expires_seconds);
    sip::RetryAfter after;
    if (sip::parse_retry_after(message->head.value(HeaderId::retry_after, message->bytes), after)) {
      response.retry_after_seconds = after.seconds;
    }
    if (status < 300 && !subscription.made) {
      const std::string from = subscription.request.from + ";tag=" + subscription.envelope.from_tag;
      const sip::OpeningRequest ours{.call_id = subscription.envelope.call_id,
                                     .from = from,
                                     .to = subscription.request.to,
                                     .uri = subscription.request.uri,
                                     .cseq = message->essentials.cseq.number};
      if (subscription.dialog.open(ours, message->head, message->bytes, message->essentials) ==
          sip::DialogFault::none) {
        subscription.dialog.confirm();
        subscription.made = true;
      }
    } else if (status < 300) {
      (void)subscription.dialog.refresh(message->head, message->bytes);
    }
  }
  if (status >= 300) tell_subscription_failed(subscription, status);
  carry_subscription(subscription, subscription.rules.response(response, now_.mono));
}

// `session`: it came in that session's own dialog (T-33, and of REFER).
void Client::on_notify(const UaFact& fact, ImSession* session) {
  const Received& request = *fact.message;
  sip::Event event;
  if (!sip::parse_event(request.head.value(HeaderId::event, request.bytes), event)) return answer(fact.server, 400);
  if (session != nullptr && event.package == "refer") {  // R3515-1
    answer(fact.server, 200);
    std::uint64_t status = 0;
    const std::string_view line = request.body;
    if (line.starts_with("SIP/2.0 ") && line.size() >= 11) {
      for (const char c : line.substr(8, 3))
        status = c >= '0' && c <= '9' ? status * 10 + static_cast<std::uint64_t>(c - '0') : 0;
    }
    tell(Event("refer_result").number("session", session->number).number("status", status));
    return;
  }
  Subscription* subscription = nullptr;
  const sip::Essentials& e = request.essentials;
  for (auto& [number, one] : subscriptions_) {
    const bool fits = one.made ? one.dialog.is(e.call_id, e.to_tag, e.from_tag)
                               : one.envelope.call_id == e.call_id && one.envelope.from_tag == e.to_tag;
    if (fits) subscription = &one;
  }
  sip::SubscriptionState state;
  if (subscription == nullptr) return answer(fact.server, session != nullptr ? 489 : 481);
  if (!sip::parse_subscription_state(request.head.value(HeaderId::subscription_state, request.bytes), state)) {
    return answer(fact.server, 400);
  }
  if (!subscription->made) {  // T-32: it was faster than the 200
    const std::string from = subscription->request.from + ";tag=" + subscription->envelope.from_tag;
    const sip::OpeningRequest ours{.call_id = subscription->envelope.call_id,
                                   .from = from,
                                   .to = subscription->request.to,
                                   .uri = subscription->request.uri,
                                   .cseq = agent_.cseq_of(subscription->exchange)};
    if (subscription->dialog.open_by_notify(ours, request.head, request.bytes, e) != sip::DialogFault::none) {
      return answer(fact.server, 400);
    }
    subscription->made = true;  // and this is its first request, which is in order
  } else {
    switch (subscription->dialog.receive(e)) {
      case sip::DialogCheck::ok: break;
      case sip::DialogCheck::out_of_order: return answer(fact.server, 500);
      case sip::DialogCheck::gone: return answer(fact.server, 481);
    }
  }
  (void)subscription->dialog.refresh(request.head, request.bytes);
  sip::SubscriberStep step = subscription->rules.notify(state, now_.mono);
  answer(fact.server, step.answer == 0 ? 200 : step.answer);
  const bool good = step.answer == 0 || step.answer < 300;
  const std::uint32_t number = subscription->number;
  carry_subscription(*subscription, step);
  if (!good) return;
  Subscription& shown = subscriptions_.at(number);
  if (request.body.empty()) {  // nothing of what is stored: the store does not answer
    const bool decided = state.status != sip::SubscriptionStatus::pending;
    if (decided && shown.kind == Subscription::Kind::stored) tell_subscription_failed(shown, 503);
    return;
  }
  show_document(shown, request.body);
  if (shown.kind != Subscription::Kind::conference) return;
  const Roster::Taken taken = shown.roster.take(request.body);
  if (taken == Roster::Taken::gap) {  // R4575-1
    shown.roster = {};
    carry_subscription(shown, shown.rules.refresh_now(now_.mono));
    return;
  }
  if (taken != Roster::Taken::applied) return;
  std::vector<std::string> users;
  std::vector<std::string> names;
  for (const Roster::User& user : shown.roster.users()) {
    if (user.status == "disconnected") continue;
    users.push_back(user.entity);
    names.push_back(user.name);
  }
  tell(Event("roster")
           .number("session", shown.session)
           .if_any("subject", shown.roster.subject())
           .list("users", std::move(users))
           .list("names", std::move(names)));
}

// What a fetch has brought.
void Client::show_document(Subscription& subscription, std::string_view body) {
  if (subscription.kind == Subscription::Kind::settings) {
    policy::PocSettings settings;
    if (policy::parse_poc_settings(body, settings)) return;
    const policy::ImSettings all = policy::merged(settings.entities, {});
    tell(Event("settings")
             .flag("session-barring", all.session_barred)
             .flag("pager-barring", all.pager_large_barred)
             .flag("invisible", all.invisible)
             .flag("offline-delivery", all.offline_delivery)
             .flag("history-session", all.history_session)
             .flag("history-pager", all.history_pager_large)
             .flag("file-barring", all.file_transfer_barred));
  }
  if (subscription.kind == Subscription::Kind::stored) take_list(subscription, body);
  if (subscription.kind == Subscription::Kind::deferred) {  // OMA-DEF-3
    const std::optional<StoredList> list = read_stored_list(Stored::deferred, body);
    if (!list) return;
    std::vector<std::string> from;
    for (const StoredEntry& entry : list->entries) from.push_back(entry.from);
    const std::uint64_t count = from.size();
    tell(Event("deferred").number("messages", count).list("from", std::move(from)));
  }
}

// --- settings: SEED3-5.2.4-9, -11: by the server as everything, and the user is told

// Without a document: what was published is refreshed.
void Client::publish(std::string document, bool offline_delivery) {
  const bool refresh = document.empty() && !etag_.empty();
  if (!document.empty()) {
    published_ = std::move(document);
    fetch_after_publish_ = !offline_delivery;
  }
  const Request request = publish_settings(
      self(), {.document = refresh ? std::string() : published_, .etag = etag_, .expires = config_.publish_seconds});
  const std::uint32_t exchange = agent_.send(request, new_envelope());
  if (exchange == 0) return on_publish_response(503, nullptr);
  errands_[exchange] = {.kind = Errand::Kind::publish};
}

void Client::on_publish_response(std::uint16_t status, const Received* message) {
  if (status == 412 && !etag_.empty()) {  // R3903-1: it has forgotten ours; all of it again
    etag_.clear();
    const bool fetches = fetch_after_publish_;
    publish(std::string(published_), !fetches);
    return;
  }
  std::uint32_t seconds = 0;
  if (status == 423 && message != nullptr &&
      sip::parse_seconds(message->head.value(HeaderId::min_expires, message->bytes), seconds) &&
      seconds > config_.publish_seconds) {
    config_.publish_seconds = seconds;
    const bool fetches = fetch_after_publish_;
    publish(std::string(published_), !fetches);
    return;
  }
  if (status >= 200 && status < 300 && message != nullptr) {
    etag_ = message->head.value(HeaderId::sip_etag, message->bytes);
    seconds = config_.publish_seconds;
    (void)sip::parse_seconds(message->head.value(HeaderId::expires, message->bytes), seconds);
    publish_again_ = now_.mono + std::chrono::seconds(seconds) * 4 / 5;
    // SEED3-5.2.4-10: who does not have them brought asks for them.
    if (std::exchange(fetch_after_publish_, false)) fetch_deferred_messages();
  }
  tell(Event("published").number("status", status).number("expires", seconds));
}

// --- inviting and expelling

void Client::add_users(std::uint32_t number, std::vector<std::string> users) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end() || users.empty()) return;
  if (send_in_dialog(found->second, Method::refer, "REFER", refer_add(self(), users), {.kind = Errand::Kind::refer}) ==
      0) {
    tell(Event("referred").number("session", number).number("status", 503));
  }
}

void Client::expel(std::uint32_t number, std::string user) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  if (send_in_dialog(found->second, Method::refer, "REFER", refer_expel(self(), user), {.kind = Errand::Kind::refer}) ==
      0) {
    tell(Event("referred").number("session", number).number("status", 503));
  }
}

}  // namespace parley::client
