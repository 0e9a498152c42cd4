// policy/settings.cc - see settings.h.
#include "policy/settings.h"

#include <iterator>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "policy/own_names.h"
#include "sip/content_type.h"
#include "sip/event_headers.h"

namespace parley::policy {

using sip::HeaderId;

Settings::Settings(const Parts& parts)
    : config_(parts.config), wishes_(parts.wishes), publications_(parts.config->settings.publications, parts.random, parts.metrics, {}) {}

void Settings::reload(std::shared_ptr<const SipConfig> config) {
  const ImSettings before = defaults();
  config_ = std::move(config);
  publications_.set_config(config_->settings.publications);
  if (defaults() == before) return;  // reading everything again would take its time
  for (auto& [aor, settings] : settled_) {
    settings = merged(entities(aor), defaults_of(aor));
    tell_wish(aor);
  }
}

void Settings::take(std::shared_ptr<const UserDocuments> documents, bool ours) {
  const std::shared_ptr<const UserDocuments> before = std::exchange(user_documents_, std::move(documents));
  const std::string& owner = user_documents_->changed_owner;
  if (owner.empty()) {  // the operator's have changed, and with them everybody's
    if (before->settings.empty() && user_documents_->settings.empty()) return;
    for (auto& [aor, settings] : settled_) {
      settings = merged(entities(aor), defaults_of(aor));
      tell_wish(aor);
    }
  } else if (ours && before->settings.find(owner) != user_documents_->settings.find(owner)) {
    settle(owner);
  }
}

void Settings::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
}

// --- what outlives the process

void Settings::store(std::string_view aor, const sip::Publication& publication) {
  if (!config_->stores_bindings) return;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(publication.expires - now_.mono);
  out_->store({0, core::PutPublication{{.aor = std::string(aor),
                                        .name = publication.name,
                                        .entity_tag = publication.entity_tag,
                                        .body = publication.body,
                                        .changed = publication.changed,
                                        .expires_ms = now_.wall_ms + left.count()}}});
}

void Settings::forget(std::string_view aor, std::string_view name) {
  if (config_->stores_bindings) out_->store({0, core::RemovePublication{std::string(aor), std::string(name)}});
}

// What the store has was read once before it was kept; a later version may read it otherwise.
void Settings::restore(const core::PublicationRow& row, const core::Now& now) {
  PocSettings said;
  if (parse_poc_settings(row.body, said)) return;
  const core::Instant expires = now.mono + std::chrono::milliseconds(row.expires_ms - now.wall_ms);
  if (!publications_.restore(row.aor, row.name, row.entity_tag, row.body, row.changed, expires)) return;
  settled_.insert_or_assign(row.aor, merged(entities(row.aor), defaults_of(row.aor)));
  tell_wish(row.aor);
}

// --- PUBLISH, in the order of OMA-SET-9

std::uint16_t Settings::publish(std::string_view aor, const sip::Received& request) {
  lines_.clear();
  reason_.clear();
  sip::Event event;
  if (!sip::parse_event(request.head.value(HeaderId::event, request.bytes), event) ||
      event.package != poc_settings_event) {
    lines_.add(HeaderId::allow_events, poc_settings_event);
    return 489;
  }
  const sip::PublishAsk ask = publications_.judge(aor, request.head, request.bytes, !request.body.empty(), now_.mono);
  if (ask.status == 423) put_number(lines_.begin(HeaderId::min_expires), ask.min_expires_seconds);
  if (ask.status != 200) return ask.status;
  const bool says = ask.kind == sip::PublishAsk::Kind::initial || ask.kind == sip::PublishAsk::Kind::modify;
  if (says) {
    if (const std::uint16_t status = read_body(request); status != 200) return status;
  }
  const std::string removed = ask.kind == sip::PublishAsk::Kind::remove ? publications_.get(ask.publication)->name : "";
  const sip::Published done = publications_.apply(aor, ask, request.body, now_.mono);
  if (done.status != 200) return done.status;
  if (!removed.empty()) forget(aor, removed);
  if (const sip::Publication* const kept = publications_.get(done.publication)) store(aor, *kept);
  if (done.changed) settle(aor);
  lines_.add(HeaderId::sip_etag, done.entity_tag);
  put_number(lines_.begin(HeaderId::expires), ask.expires_seconds);
  return 200;
}

// 200: it says something about settings.
std::uint16_t Settings::read_body(const sip::Received& request) {
  sip::ContentType type;
  const std::string_view coding = request.head.value(HeaderId::content_encoding, request.bytes);
  if (!sip::parse_content_type(request.head.value(HeaderId::content_type, request.bytes), type) ||
      !sip::is_type(type, "application", "poc-settings+xml") ||
      (!coding.empty() && !core::equal_ignore_case(coding, "identity"))) {
    lines_.add(HeaderId::accept, poc_settings_type);
    if (!coding.empty()) lines_.add(HeaderId::accept_encoding, "identity");
    return 415;
  }
  PocSettings settings;
  const XmlError error = parse_poc_settings(request.body, settings);
  if (!error) return 200;
  reason_ = "Bad Settings";
  return 400;
}

// --- what holds

const ImSettings& Settings::defaults() const {
  static constexpr ImSettings usual;
  return config_->documents == nullptr ? usual : config_->documents->user_defaults;
}

const ImSettings& Settings::defaults_of(std::string_view aor) const {
  if (user_documents_->settings.empty()) return defaults();
  const auto own = user_documents_->settings.find(aor);
  return own == nullptr ? defaults() : *own;  // the snapshot has it, too
}

std::vector<PocEntity> Settings::entities(std::string_view aor) const {
  std::vector<PocEntity> all;
  for (const sip::PublicationId id : publications_.of(aor)) {
    PocSettings said;
    const XmlError error = parse_poc_settings(publications_.get(id)->body, said);
    CHECK(!error);  // it was read before it was kept
    std::move(said.entities.begin(), said.entities.end(), std::back_inserter(all));
  }
  return all;
}

void Settings::settle(std::string_view aor) {
  if (publications_.of(aor).empty()) {
    const auto there = settled_.find(aor);
    if (there != settled_.end()) settled_.erase(there);
  } else {
    settled_.insert_or_assign(std::string(aor), merged(entities(aor), defaults_of(aor)));
  }
  tell_wish(aor);
  changes_.emplace_back(aor);
}

void Settings::tell_wish(std::string_view aor) {
  if (wishes_ != nullptr) wishes_->put(aor, of(aor), defaults_of(aor));
}

const ImSettings& Settings::of(std::string_view aor) const {
  const auto there = settled_.find(aor);
  return there == settled_.end() ? defaults_of(aor) : there->second;
}

bool Settings::wants_history(std::string_view aor, HistoryMode mode) const {
  const auto there = settled_.find(aor);
  if (there != settled_.end()) return policy::wants_history(there->second, mode);
  if (wishes_ != nullptr) {
    if (const std::optional<bool> wish = wishes_->of(aor, mode)) return *wish;
  }
  return policy::wants_history(defaults_of(aor), mode);
}

void Settings::put_document(std::string_view aor, std::string& out) const {
  put_poc_settings(composed(entities(aor)), out);
}

bool Settings::next_change(std::string& aor) {
  sip::PublicationFact over;
  while (publications_.next_fact(now_.mono, over)) {
    forget(over.resource, over.name);
    settle(over.resource);
  }
  if (changes_.empty()) return false;
  aor = std::move(changes_.front());
  changes_.pop_front();
  return true;
}

core::Instant Settings::next_deadline() const {
  return changes_.empty() ? publications_.next_deadline() : core::Instant::min();
}

}  // namespace parley::policy
