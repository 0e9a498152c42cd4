// sip/publication.h - the event state that clients publish (RFC 3903): entity tags, conditions, expiry. R3903-1.
//
// One per shard, used by its thread alone; holds at most PublicationConfig::publications_max publications and
// bytes_max bytes of their bodies. It reads no bodies and answers no messages: what a PUBLISH asks for is judged, its
// caller judges the body, and then it is applied, whole or not at all.
//
//   PUBLISH      judge() in the order of RFC 3903 section 6, steps 3 and 4; the caller reads the body (step 5); apply()
//   time         next_fact(): a publication is over
//
// A resource is the address of record it is about; several publications of one resource live side by side, one for each
// client. Soft state: what is not refreshed is gone, and nothing of it stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "sip/head.h"

namespace parley::sip {

struct PublicationConfig {
  std::uint32_t publications_max = 100'000;        // per shard
  std::uint32_t per_resource_max = 10;             // a user's devices; one more is refused
  std::uint32_t body_bytes_max = 16 * 1024;        // of one publication
  std::uint64_t bytes_max = 256ULL * 1024 * 1024;  // of all bodies, per shard
  std::uint32_t expires_default_seconds = 3600;    // RFC 4354 section 5.5
  std::uint32_t expires_min_seconds = 60;          // a shorter wish is answered 423
  std::uint32_t expires_max_seconds = 600'000;     // a longer one gets this (T-11)
};

using PublicationId = core::SlotId;

struct Publication {
  PublicationId self{};
  std::string name{};  // its first entity tag, which names it for its whole life
  std::string entity_tag{};
  std::string body{};
  std::uint64_t changed = 0;  // rises with every change of a body: the highest one of a resource spoke last
  core::Instant expires{};
  core::Timer timer{};
  std::string_view resource{};  // the key of its record
};

struct PublishAsk {
  enum class Kind : std::uint8_t { initial, refresh, modify, remove };
  // 200: it may be applied. 400: more than one entity tag, no body where there has to be one, or no number in Expires.
  // 412: nothing with that tag. 423: with Min-Expires.
  std::uint16_t status = 200;
  Kind kind = Kind::initial;
  PublicationId publication{};  // not of `initial`
  std::uint32_t expires_seconds = 0;
  std::uint32_t min_expires_seconds = 0;  // 423
};

struct Published {
  // 200; 413: the body is too long; 403: too many publications of that resource; 503: no room in this shard.
  std::uint16_t status = 200;
  std::string_view entity_tag{};  // valid until the next call
  PublicationId publication{};    // not valid() when nothing was kept
  bool changed = false;           // what the resource's publications say
};

// A publication's time was over. Its state is gone already.
struct PublicationFact {
  std::string resource;
  std::string name;
};

class Publications {
 public:
  Publications(const PublicationConfig& config, core::Random& random, core::Metrics& metrics, core::Instant now);
  ~Publications();
  Publications(const Publications&) = delete;
  Publications& operator=(const Publications&) = delete;

  // What a PUBLISH without a fault in its Event asks for.
  [[nodiscard]] PublishAsk judge(std::string_view resource, const Head& request, std::string_view bytes, bool has_body,
                                 core::Instant now);
  // With status 200 of judge() for the same resource, and nothing in between. Every success has a new entity tag.
  [[nodiscard]] Published apply(std::string_view resource, const PublishAsk& ask, std::string_view body,
                                core::Instant now);

  // Of an earlier process, before the first judge(); in the order of `changed`. False: a limit stands against it.
  [[nodiscard]] bool restore(std::string_view resource, std::string_view name, std::string_view entity_tag,
                             std::string_view body, std::uint64_t changed, core::Instant expires);

  [[nodiscard]] const Publication* get(PublicationId id) const { return publications_.get(id); }
  // Those of a resource in the order of their last change, the last word at the end. Valid until the next change.
  [[nodiscard]] std::span<const PublicationId> of(std::string_view resource) const;

  // Until there is none. Publications whose time is over by `now` end here.
  [[nodiscard]] bool next_fact(core::Instant now, PublicationFact& fact);
  [[nodiscard]] core::Instant next_deadline() const;

  void set_config(const PublicationConfig& config) { config_ = config; }  // limits of what is there already stay
  [[nodiscard]] std::uint32_t size() const { return publications_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  using Records = std::map<std::string, std::vector<PublicationId>, std::less<>>;
  void make_tag();
  void end(Publication& publication);
  void end_due(core::Instant now);
  [[nodiscard]] Publication& add(std::string_view resource);
  [[nodiscard]] Published keep(std::string_view resource, const PublishAsk& ask, std::string_view body,
                               core::Instant now);
  [[nodiscard]] std::uint16_t room_for(std::string_view resource, const PublishAsk& ask, std::size_t body_bytes);

  PublicationConfig config_;
  core::Random& random_;
  core::Metrics& metrics_;
  core::TimerWheel wheel_;
  core::SlotMap<Publication> publications_;
  Records records_;
  std::deque<PublicationFact> facts_;
  std::uint64_t bytes_ = 0;
  std::uint64_t changes_ = 0;
  std::string tag_;  // the latest one
};

}  // namespace parley::sip
