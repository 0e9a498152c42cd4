// sip/publication.cc - see publication.h.
#include "sip/publication.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "sip/event_headers.h"
#include "sip/value.h"

namespace parley::sip {

using core::Metric;

Publications::Publications(const PublicationConfig& config, core::Random& random, core::Metrics& metrics,
                           core::Instant now)
    : config_(config), random_(random), metrics_(metrics), wheel_(now), publications_(config.publications_max) {}

Publications::~Publications() {
  publications_.for_each([this](core::SlotId, Publication& publication) { wheel_.cancel(publication.timer); });
}

std::span<const PublicationId> Publications::of(std::string_view resource) const {
  const auto record = records_.find(resource);
  return record == records_.end() ? std::span<const PublicationId>() : record->second;
}

// --- what is asked for

PublishAsk Publications::judge(std::string_view resource, const Head& request, std::string_view bytes, bool has_body,
                               core::Instant now) {
  end_due(now);
  PublishAsk ask;
  const auto refuse = [&ask](std::uint16_t status) {
    ask.status = status;
    return ask;
  };
  const Header* const condition = request.first(HeaderId::sip_if_match);  // 3903 6 step 3
  if (condition != nullptr) {
    std::string_view tag;
    if (request.next(*condition) != nullptr || !parse_entity_tag(condition->value.of(bytes), tag)) return refuse(400);
    const auto ids = of(resource);
    const auto found = std::find_if(ids.begin(), ids.end(),
                                    [&](PublicationId id) { return publications_.get(id)->entity_tag == tag; });
    if (found == ids.end()) return refuse(412);
    ask.publication = *found;
  }
  ask.expires_seconds = config_.expires_default_seconds;  // 3903 6 step 4
  const Header* const expires = request.first(HeaderId::expires);
  if (expires != nullptr && !clamped_number(expires->value.of(bytes), ask.expires_seconds)) return refuse(400);
  if (ask.expires_seconds > 0 && ask.expires_seconds < config_.expires_min_seconds) {
    ask.min_expires_seconds = config_.expires_min_seconds;
    return refuse(423);
  }
  ask.expires_seconds = std::min(ask.expires_seconds, config_.expires_max_seconds);
  if (condition == nullptr) {
    ask.kind = PublishAsk::Kind::initial;
    if (!has_body) return refuse(400);  // 3903 6 step 5
  } else if (ask.expires_seconds == 0) {
    ask.kind = PublishAsk::Kind::remove;
  } else {
    ask.kind = has_body ? PublishAsk::Kind::modify : PublishAsk::Kind::refresh;
  }
  return ask;
}

// --- what comes of it

// 128 random bits: unique for its resource for ever, also beyond a restart (3903 6 step 6).
void Publications::make_tag() {
  char letters[2 * core::letters64_chars];
  core::letters_encode64(random_.next(), letters);
  core::letters_encode64(random_.next(), letters + core::letters64_chars);
  tag_.assign(letters, sizeof letters);
}

Published Publications::apply(std::string_view resource, const PublishAsk& ask, std::string_view body,
                              core::Instant now) {
  using Kind = PublishAsk::Kind;
  CHECK(ask.status == 200);
  Published done;
  if (ask.kind == Kind::remove) {
    Publication* const publication = publications_.get(ask.publication);
    CHECK(publication != nullptr);
    end(*publication);
    metrics_.add(Metric::sip_publish_removed);
    done.changed = true;
  } else if (ask.expires_seconds != 0) {  // an initial one that is over at once leaves nothing
    done = keep(resource, ask, body, now);
    if (done.status != 200) return done;
  }
  make_tag();
  if (done.publication.valid()) {
    Publication& publication = *publications_.get(done.publication);
    publication.entity_tag = tag_;
    if (publication.name.empty()) publication.name = tag_;
  }
  done.entity_tag = tag_;
  return done;
}

// 200, or why it can not be kept.
std::uint16_t Publications::room_for(std::string_view resource, const PublishAsk& ask, std::size_t body_bytes) {
  if (body_bytes > config_.body_bytes_max) {
    metrics_.add(Metric::sip_publication_bytes_limit);
    return 413;
  }
  const bool initial = ask.kind == PublishAsk::Kind::initial;
  if (initial && of(resource).size() >= config_.per_resource_max) {
    metrics_.add(Metric::sip_publications_user_limit);
    return 403;
  }
  const std::size_t before = initial ? 0 : publications_.get(ask.publication)->body.size();
  if ((initial && publications_.size() == publications_.capacity()) ||
      bytes_ - before + body_bytes > config_.bytes_max) {
    metrics_.add(Metric::sip_publications_limit);
    return 503;
  }
  return 200;
}

Publication& Publications::add(std::string_view resource) {
  const PublicationId id = publications_.emplace();
  CHECK(id.valid());
  metrics_.add(Metric::sip_publications);
  Publication& publication = *publications_.get(id);
  const auto record = records_.try_emplace(std::string(resource)).first;
  record->second.push_back(id);
  publication.self = id;
  publication.resource = record->first;
  publication.timer.owner = id.packed();
  return publication;
}

bool Publications::restore(std::string_view resource, std::string_view name, std::string_view entity_tag,
                           std::string_view body, std::uint64_t changed, core::Instant expires) {
  if (room_for(resource, {}, body.size()) != 200) return false;
  Publication& publication = add(resource);
  publication.name = name;
  publication.entity_tag = entity_tag;
  publication.body = body;
  publication.changed = changed;
  publication.expires = expires;
  changes_ = std::max(changes_, changed);
  bytes_ += body.size();
  wheel_.arm(publication.timer, expires);
  return true;
}

Published Publications::keep(std::string_view resource, const PublishAsk& ask, std::string_view body,
                             core::Instant now) {
  using Kind = PublishAsk::Kind;
  Published done;
  done.publication = ask.publication;
  if (ask.kind != Kind::refresh) {
    done.status = room_for(resource, ask, body.size());
    if (done.status != 200) return done;
  }
  if (ask.kind == Kind::initial) done.publication = add(resource).self;
  Publication& publication = *publications_.get(done.publication);
  if (ask.kind != Kind::refresh) {
    done.changed = true;
    bytes_ = bytes_ - publication.body.size() + body.size();
    publication.body = body;
    publication.changed = ++changes_;
    auto& ids = records_.find(resource)->second;  // to the end: its word is the last
    const auto own = std::find(ids.begin(), ids.end(), done.publication);
    std::rotate(own, own + 1, ids.end());
  }
  publication.expires = now + std::chrono::seconds(ask.expires_seconds);
  wheel_.arm(publication.timer, publication.expires);
  switch (ask.kind) {
    case Kind::initial: metrics_.add(Metric::sip_publish_initial); break;
    case Kind::refresh: metrics_.add(Metric::sip_publish_refreshed); break;
    case Kind::modify: metrics_.add(Metric::sip_publish_modified); break;
    case Kind::remove: break;
  }
  return done;
}

void Publications::end(Publication& publication) {
  wheel_.cancel(publication.timer);
  bytes_ -= publication.body.size();
  const auto record = records_.find(publication.resource);
  std::erase(record->second, publication.self);
  if (record->second.empty()) records_.erase(record);
  metrics_.sub(Metric::sip_publications);
  publications_.erase(publication.self);
}

// --- time

void Publications::end_due(core::Instant now) {
  while (const core::Timer* const timer = wheel_.expire_one(now)) {
    Publication* const publication = publications_.get(core::SlotId::unpack(timer->owner));
    CHECK(publication != nullptr);
    facts_.push_back({std::string(publication->resource), publication->name});
    metrics_.add(Metric::sip_publications_expired);
    end(*publication);
  }
}

bool Publications::next_fact(core::Instant now, PublicationFact& fact) {
  end_due(now);
  if (facts_.empty()) return false;
  fact = std::move(facts_.front());
  facts_.pop_front();
  return true;
}

core::Instant Publications::next_deadline() const {
  return facts_.empty() ? wheel_.next_deadline() : core::Instant::min();
}

}  // namespace parley::sip
