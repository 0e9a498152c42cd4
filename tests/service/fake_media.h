// tests/service/fake_media.h - MSRP sessions that are only names: what a focus asked for, what it was told, and what its rooms
// said.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool.h"
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
    struct Chunk {
      std::string headers;
      std::uint64_t start = 1;
      std::uint64_t total = 0;
      std::string body;
      msrp::Flag flag = msrp::Flag::end;
    };
    std::vector<Chunk> chunks;  // that it was sent
    std::vector<std::uint16_t> answers;  // to what its peer has sent
    struct Report {
      std::string message_id;
      std::uint16_t status = 0;
    };
    std::vector<Report> reports;
    int holds = 0;
  };
  [[nodiscard]] bool serves(bool secure) const override { return secure ? tls : plain; }
  [[nodiscard]] msrp::EndHandle open(bool secure, std::uint64_t owner) override;
  [[nodiscard]] std::string_view uri(msrp::EndHandle end) const override;
  bool connect(msrp::EndHandle end, const msrp::EndPeer& peer) override;
  bool change_peer(msrp::EndHandle end, const msrp::EndPeer& peer) override;
  void close(msrp::EndHandle end) override;

  // What all that was sent to it makes.
  [[nodiscard]] static std::string whole(const Session& session);
  [[nodiscard]] msrp::EndHandle end_of(std::string_view uri);
  // The session with that URI; null when it is closed.
  [[nodiscard]] const Session* find(std::string_view uri) const;

  core::SlotMap<Session> sessions{1 << 16};
  std::map<std::string, Session> past;  // those that are closed, where peers answer
  std::size_t sessions_max = 1 << 16;
  int opened = 0;
  bool binds = false;                   // peers connect as soon as their description has come, and the room hears of it
  std::vector<msrp::EndHandle> bound;   // that it has yet to hear of
  bool answers = false;                 // peers answer what they are sent, with
  std::uint16_t answer = 200;
  std::uint64_t unsent = 0;             // bytes that the kernel has yet to send to each of them
  std::vector<std::uint64_t> marks;     // of what was sent and not answered
  std::deque<msrp::EndFact> facts;      // that the room has yet to hear
  bool plain = true;
  bool tls = false;
};

// Remembers what a room says; who gets it answers, if peers do.
class FakeLegs final : public policy::RoomLegs {
 public:
  FakeLegs(FakeMedia& media, core::Pool& pool) : media_(media), pool_(pool) {}
  void close(msrp::EndHandle end) override { media_.close(end); }
  void answer(msrp::EndHandle end, msrp::EndToken&, std::uint16_t status) override;
  msrp::Ends::Sent send(msrp::EndHandle end, const msrp::EndSend& message) override;
  void fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
               std::vector<msrp::Ends::NotSent>&) override;
  void report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange&, std::uint16_t status,
              std::string_view) override;
  [[nodiscard]] std::uint64_t waiting_bytes(msrp::EndHandle) const override { return media_.unsent; }
  void hold(msrp::EndHandle end) override { change_holds(end, 1); }
  void release(msrp::EndHandle end) override { change_holds(end, -1); }

 private:
  void change_holds(msrp::EndHandle end, int by);
  FakeMedia& media_;
  core::Pool& pool_;
};

}  // namespace parley::tests
