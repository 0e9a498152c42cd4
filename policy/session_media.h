// policy/session_media.h - what the controlling function asks of MSRP for the descriptions it writes: the part of
// msrp::Ends that is about sessions, not messages.
//
// An interface, so that what is said in SIP can be tested without a relay (room_legs.h is the same for messages).
#pragma once

#include <cstdint>
#include <string_view>

#include "msrp/ends.h"
#include "policy/far_legs.h"

namespace parley::policy {

class SessionMedia {
 public:
  virtual ~SessionMedia() = default;
  // Whether clients can come by TCP (secure: TLS) at all.
  [[nodiscard]] virtual bool serves(bool secure) const = 0;
  [[nodiscard]] virtual msrp::EndHandle open(bool secure, std::uint64_t owner) = 0;
  [[nodiscard]] virtual std::string_view uri(msrp::EndHandle end) const = 0;
  virtual bool connect(msrp::EndHandle end, const msrp::EndPeer& peer) = 0;
  virtual bool change_peer(msrp::EndHandle end, const msrp::EndPeer& peer) = 0;
  virtual void close(msrp::EndHandle end) = 0;
  // A leg of a room here, whose session is to live on another shard.
  [[nodiscard]] virtual msrp::EndHandle open_elsewhere(bool, std::uint32_t) { return {}; }
  // A session here that another shard has named.
  [[nodiscard]] virtual msrp::EndHandle open_named(std::string_view, std::string_view) { return {}; }
};

// The sessions of a shard's Relay, and those that it has on other shards.
class SessionEnds final : public SessionMedia {
 public:
  // `far`: nullptr where there is one shard.
  SessionEnds(msrp::Ends& ends, bool plain, bool tls, FarLegs* far)
      : ends_(ends), far_(far), plain_(plain), tls_(tls) {}
  [[nodiscard]] bool serves(bool secure) const override { return secure ? tls_ : plain_; }
  [[nodiscard]] msrp::EndHandle open(bool secure, std::uint64_t owner) override { return ends_.open(secure, owner); }
  [[nodiscard]] msrp::EndHandle open_elsewhere(bool secure, std::uint32_t shard) override {
    msrp::Ends::Name name;
    if (far_ == nullptr || !far_->has_place() || !ends_.name_elsewhere(secure, shard, name)) return {};
    return far_->open(shard, name.id, name.uri);
  }
  [[nodiscard]] msrp::EndHandle open_named(std::string_view id, std::string_view uri) override {
    return ends_.open_named(id, uri);
  }
  [[nodiscard]] std::string_view uri(msrp::EndHandle end) const override {
    return is_far(end) ? far_->uri(end) : ends_.uri(end);
  }
  bool connect(msrp::EndHandle end, const msrp::EndPeer& peer) override {
    return is_far(end) ? far_->connect(end, peer, false) : ends_.connect(end, peer);
  }
  bool change_peer(msrp::EndHandle end, const msrp::EndPeer& peer) override {
    return is_far(end) ? far_->connect(end, peer, true) : ends_.change_peer(end, peer);
  }
  void close(msrp::EndHandle end) override { is_far(end) ? far_->close(end) : ends_.close(end); }

 private:
  msrp::Ends& ends_;
  FarLegs* const far_;
  const bool plain_;
  const bool tls_;
};

}  // namespace parley::policy
