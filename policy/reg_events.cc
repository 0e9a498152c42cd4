// policy/reg_events.cc - see reg_events.h.
#include "policy/reg_events.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace parley::policy {

namespace {

sip::ContactEvent contact_event(sip::BindingEvent event) {
  switch (event) {
    case sip::BindingEvent::registered: return sip::ContactEvent::registered;
    case sip::BindingEvent::refreshed: return sip::ContactEvent::refreshed;
    case sip::BindingEvent::shortened: return sip::ContactEvent::shortened;
    case sip::BindingEvent::unregistered: return sip::ContactEvent::unregistered;
    case sip::BindingEvent::expired: return sip::ContactEvent::expired;
    case sip::BindingEvent::deactivated: return sip::ContactEvent::deactivated;
  }
  return sip::ContactEvent::deactivated;
}

std::uint64_t seconds_between(core::Instant from, core::Instant to) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0));
}

}  // namespace

RegEvents::RegEvents(const Parts& parts)
    : metrics_(parts.metrics),
      transport_(parts.transport),
      location_(parts.location),
      settings_(parts.settings),
      config_(parts.config),
      packages_{parts.config->reg_events.package, parts.config->settings.package, parts.config->xcap.package},
      served_(packages_, parts.settings == nullptr            ? std::size_t{1}
                         : parts.config->xcap.root.empty() ? std::size_t{documents}
                                                              : std::size_t{package_count}),
      allowed_events_(sip::allow_events(served_)),
      dialogs_({.shard = parts.shard,
                .pool = parts.pool,
                .metrics = parts.metrics,
                .random = parts.random,
                .transactions = parts.transactions,
                .transport = parts.transport,
                .config = parts.config,
                .owner = Owner::subscriber,
                .packages = served_,
                .allowed_events = allowed_events_,
                .notifier = parts.config->reg_events.notifier,
                .notifies_unanswered_max = parts.config->reg_events.notifies_unanswered_max,
                .kept_as = kept_of_users}),
      watched_(parts.config->reg_events.notifier.subscriptions_max) {}

RegEvents::~RegEvents() = default;

void RegEvents::begin(const core::Now& now, core::Outbox& out) {
  now_ = now.mono;
  dialogs_.begin(now, out);
}

// --- what outlives the process

void RegEvents::restore(const core::SubscriptionRow& row, const core::Now& now) {
  watched_.restore(row, true, config_->reg_events.subscriptions_per_user_max, dialogs_, now,
                   [&](const RestoredEvent& there) {
                     return Usage{.subscription = there.subscription, .package = there.package, .version = row.version};
                   });
}

void RegEvents::keep(const KeepFact& fact) {
  Watched* const watched = watched_.of(fact.resource);
  const Usage* const usage = watched == nullptr ? nullptr : watched_.usage(*watched, fact.subscription);
  if (usage != nullptr) dialogs_.keep(fact, {.resource = watched->aor, .version = usage->version});
}

void RegEvents::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  packages_[registrations] = config_->reg_events.package;
  packages_[settings] = config_->settings.package;
  packages_[documents] = config_->xcap.package;
  dialogs_.reload(config_, config_->reg_events.notifies_unanswered_max);
}

bool RegEvents::serves(std::string_view package) const {
  return std::any_of(served_.begin(), served_.end(), [&](const auto& served) { return served.name == package; });
}

// --- SUBSCRIBE

std::uint16_t RegEvents::subscribe(const sip::Received& request, const sip::RequestMatch& match, std::string_view aor,
                                   std::string_view user) {
  const UserSubscribe ask{.request = request,
                          .match = match,
                          .aor = aor,
                          .user = user,
                          .usages_max = config_->reg_events.subscriptions_per_user_max};
  return watched_.subscribe(ask, dialogs_, transport_, metrics_,
                            [](const EventOutcome& outcome, const sip::SubscribeAnswer& asked) {
                              return Usage{.subscription = outcome.subscription, .package = asked.package};
                            });
}

std::uint16_t RegEvents::refresh(const sip::Received& request, const sip::RequestMatch& match) {
  const EventOutcome outcome = dialogs_.refresh(request, match);
  if (!outcome.created) return outcome.status;
  sip::Event event;
  CHECK(sip::parse_event(request.head.value(sip::HeaderId::event, request.bytes), event));  // it has been served
  std::uint8_t package = registrations;
  for (std::uint8_t n = 0; n < served_.size(); ++n) {
    if (event.package == packages_[n].name) package = n;
  }
  watched_.of(outcome.resource)->usages.push_back({.subscription = outcome.subscription, .package = package});
  return outcome.status;
}

// --- what is watched

void RegEvents::on_binding(const sip::LocationFact& fact) {
  Watched* const watched = watched_.find(fact.aor);
  if (watched == nullptr) return;
  const sip::Binding& binding = fact.binding;
  const std::string id = std::to_string(binding.number);
  const sip::ReginfoContact contact = contact_of(binding, fact.event, id, now_);
  for (Usage& usage : watched->usages) {
    if (usage.package == registrations) usage.changes.add(contact);
  }
  tell(*watched, registrations);
}

void RegEvents::on_settings(std::string_view aor) {
  if (const Watched* const watched = watched_.find(aor)) tell(*watched, settings);
}

void RegEvents::take(std::shared_ptr<const UserDocuments> documents_now) {
  user_documents_ = std::move(documents_now);
  Watched* const watched = watched_.find(user_documents_->changed_owner);
  if (watched == nullptr) return;
  for (Usage& usage : watched->usages) {
    if (usage.package == documents) usage.documents.add(*user_documents_);
  }
  tell(*watched, documents);
}

void RegEvents::tell(const Watched& watched, std::uint8_t package) {
  for (const Usage& usage : watched.usages) {
    if (usage.package == package) dialogs_.remind(usage.subscription);
  }
}

// --- documents

sip::ReginfoContact RegEvents::contact_of(const sip::Binding& binding, sip::BindingEvent event, std::string_view id,
                                          core::Instant now) {
  return {.id = id,
          .event = contact_event(event),
          .uri = binding.contact,
          .display = binding.display,
          .params = binding.params,
          .expires_seconds = seconds_between(now, binding.expires),
          .registered_seconds = seconds_between(binding.registered, now),
          .q = binding.q,
          .call_id = binding.call_id,
          .cseq = binding.cseq};
}

// Into body_.
void RegEvents::put_registrations(core::SlotId id, Usage& usage, bool full) {
  const Watched& watched = watched_.at(id);
  const std::span<const sip::Binding> bindings = location_.bindings(watched.aor);
  const std::vector<sip::ReginfoContact> changed = usage.changes.contacts();
  full = full || usage.changes.overflown();
  const auto is_changed = [&](std::string_view contact_id) {
    return std::any_of(changed.begin(), changed.end(), [&](const auto& contact) { return contact.id == contact_id; });
  };
  ids_.clear();
  ids_.reserve(bindings.size());  // the contacts show them
  contacts_.clear();
  for (const sip::Binding& binding : bindings) {
    ids_.push_back(std::to_string(binding.number));
    if (full || is_changed(ids_.back())) {
      contacts_.push_back(contact_of(binding, binding.last_event, ids_.back(), now_));
    }
  }
  for (const sip::ReginfoContact& contact : changed) {
    if (sip::ends_contact(contact.event)) contacts_.push_back(contact);
  }
  auto state = sip::RegistrationState::active;
  if (bindings.empty()) {
    // R3680-1: `terminated` is said once, with the last contact's end.
    state = contacts_.empty() ? sip::RegistrationState::init : sip::RegistrationState::terminated;
  }
  const std::string shown_id = "r" + std::to_string(id.packed());
  const sip::ReginfoRegistration registration{
      .aor = watched.aor, .id = shown_id, .state = state, .contacts = contacts_};
  body_.clear();
  sip::put_reginfo({.version = usage.version++, .full = full, .registrations = {&registration, 1}}, body_);
}

// Into body_.
void RegEvents::put_documents(const Watched& watched, Usage& usage, bool full) {
  body_.clear();
  if (!full && !usage.documents.overflown()) {
    put_xcap_diff(config_->xcap.root, usage.documents.changes(), body_);
    return;
  }
  const auto owned = user_documents_->owned.find(watched.aor);
  put_xcap_diff(config_->xcap.root, owned == nullptr ? std::span<const OwnedDocument>() : std::span(*owned), body_);
}

void RegEvents::notify(const sip::NotifyFact& fact) {
  Watched* const watched = watched_.of(fact.resource);
  CHECK(watched != nullptr);
  Usage* const usage = watched_.usage(*watched, fact.subscription);
  CHECK(usage != nullptr);
  if (usage->package == settings) {
    body_.clear();
    settings_->put_document(watched->aor, body_);
    (void)dialogs_.send(fact, {.type = poc_settings_type, .body = body_});
    return;
  }
  if (usage->package == documents) {
    put_documents(*watched, *usage, fact.full);
    (void)dialogs_.send(fact, {.type = xcap_diff_type, .body = body_});
    usage->documents.clear();
    return;
  }
  put_registrations(core::SlotId::unpack(fact.resource), *usage, fact.full);
  (void)dialogs_.send(fact, {.type = sip::reginfo_type, .body = body_});
  usage->changes.clear();
}

void RegEvents::end() {
  for (EventFact fact; dialogs_.next(fact);) {
    switch (fact.kind) {
      case EventFact::Kind::notify: notify(fact.notify); break;
      case EventFact::Kind::ended: watched_.on_ended(fact.ended); break;
      case EventFact::Kind::keep: keep(fact.keep); break;
    }
  }
}

}  // namespace parley::policy
