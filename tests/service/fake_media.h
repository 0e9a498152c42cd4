// tests/service/fake_media.h - MSRP sessions that are only names: what a focus asked for, and what it was told.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/slot_map.h"
#include "policy/room_legs.h"
#include "policy/session_media.h"

namespace parley::tests {

class FakeMedia final : public policy::SessionMedia {
 public:
  struct Session {
    std::string uri;
    std::uint64_t owner = 0;
    std::string peer;  // its path
    bool we_connect = false;
    bool loose = false;
    std::string address;  // where we connect, when the path does not say
    int changes = 0;
  };
  [[nodiscard]] bool serves(bool secure) const override { return secure ? tls : plain; }
  [[nodiscard]] msrp::EndHandle open(bool secure, std::uint64_t owner) override {
    if (sessions.size() >= sessions_max) return {};
    const msrp::EndHandle end = sessions.emplace();
    sessions.get(end)->uri = std::string(secure ? "msrps" : "msrp") + "://127.0.0.1:" + (secure ? "2856" : "2855") + "/s" +
                             std::to_string(++opened) + ";tcp";
    sessions.get(end)->owner = owner;
    return end;
  }
  [[nodiscard]] std::string_view uri(msrp::EndHandle end) const override {
    const Session* const session = sessions.get(end);
    return session == nullptr ? std::string_view{} : std::string_view(session->uri);
  }
  bool connect(msrp::EndHandle end, const msrp::EndPeer& peer) override {
    Session* const session = sessions.get(end);
    if (session == nullptr) return false;
    session->peer = peer.path;
    session->we_connect = peer.we_connect;
    session->loose = peer.loose;
    session->address = peer.address;
    if (binds) bound.push_back(end);
    return true;
  }
  bool change_peer(msrp::EndHandle end, const msrp::EndPeer& peer) override {
    if (!connect(end, peer)) return false;
    ++sessions.get(end)->changes;
    return true;
  }
  void close(msrp::EndHandle end) override { sessions.erase(end); }

  // The session with that URI; null when it is closed.
  [[nodiscard]] const Session* find(std::string_view uri) const {
    const Session* found = nullptr;
    const_cast<core::SlotMap<Session>&>(sessions).for_each([&](core::SlotId, Session& session) {
      if (session.uri == uri) found = &session;
    });
    return found;
  }

  core::SlotMap<Session> sessions{1 << 16};
  std::size_t sessions_max = 1 << 16;
  int opened = 0;
  bool binds = false;                   // peers connect as soon as their description has come, and the room hears of it
  std::vector<msrp::EndHandle> bound;   // that it has yet to hear of
  bool plain = true;
  bool tls = false;
};

// Whatever a room says is thrown away.
class FakeLegs final : public policy::RoomLegs {
 public:
  explicit FakeLegs(FakeMedia& media) : media_(media) {}
  void close(msrp::EndHandle end) override { media_.close(end); }
  void answer(msrp::EndHandle, msrp::EndToken&, std::uint16_t) override {}
  msrp::Ends::Sent send(msrp::EndHandle, const msrp::EndSend&) override { return msrp::Ends::Sent::sent; }
  void fan_out(std::span<const msrp::EndHandle>, const msrp::EndSend&, std::vector<msrp::Ends::NotSent>&) override {}
  void report(msrp::EndHandle, std::string_view, const msrp::ByteRange&, std::uint16_t, std::string_view) override {}
  [[nodiscard]] std::uint64_t waiting_bytes(msrp::EndHandle) const override { return 0; }
  void hold(msrp::EndHandle) override {}
  void release(msrp::EndHandle) override {}

 private:
  FakeMedia& media_;
};

}  // namespace parley::tests
