// tests/service/fake_media.h - MSRP sessions that are only names: what a focus asked for, what it was told, and what its rooms
// said.
#pragma once

#include <deque>
#include <map>
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
  void close(msrp::EndHandle end) override {
    if (const Session* const session = sessions.get(end); session != nullptr && answers) past[session->uri] = *session;
    sessions.erase(end);
  }

  // What all that was sent to it makes.
  [[nodiscard]] static std::string whole(const Session& session) {
    std::string text;
    for (const Session::Chunk& chunk : session.chunks) {
      if (text.size() < chunk.start - 1 + chunk.body.size()) text.resize(chunk.start - 1 + chunk.body.size());
      text.replace(chunk.start - 1, chunk.body.size(), chunk.body);
    }
    return text;
  }
  [[nodiscard]] msrp::EndHandle end_of(std::string_view uri) {
    msrp::EndHandle found;
    sessions.for_each([&](core::SlotId id, Session& session) {
      if (session.uri == uri) found = id;
    });
    return found;
  }
  // The session with that URI; null when it is closed.
  [[nodiscard]] const Session* find(std::string_view uri) const {
    const Session* found = nullptr;
    const_cast<core::SlotMap<Session>&>(sessions).for_each([&](core::SlotId, Session& session) {
      if (session.uri == uri) found = &session;
    });
    return found;
  }

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
  void answer(msrp::EndHandle end, msrp::EndToken&, std::uint16_t status) override {
    if (FakeMedia::Session* const session = media_.sessions.get(end)) session->answers.push_back(status);
  }
  msrp::Ends::Sent send(msrp::EndHandle end, const msrp::EndSend& message) override {
    FakeMedia::Session* const session = media_.sessions.get(end);
    if (session == nullptr) return msrp::Ends::Sent::gone;
    std::string body(message.prefix);
    if (message.body.length != 0) body.append(pool_.view(message.body));
    session->chunks.push_back({std::string(message.headers), message.start, message.total, std::move(body), message.flag});
    if (media_.answers) {
      msrp::EndFact fact;
      fact.kind = msrp::EndFact::Kind::answered;
      fact.end = end;
      fact.mark = message.mark;
      fact.status = media_.answer;
      media_.facts.push_back(fact);
    } else {
      media_.marks.push_back(message.mark);
    }
    return msrp::Ends::Sent::sent;
  }
  void fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
               std::vector<msrp::Ends::NotSent>&) override {
    for (const msrp::EndHandle end : ends) (void)send(end, message);
  }
  void report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange&, std::uint16_t status,
              std::string_view) override {
    if (FakeMedia::Session* const session = media_.sessions.get(end)) {
      session->reports.push_back({std::string(message_id), status});
    }
  }
  [[nodiscard]] std::uint64_t waiting_bytes(msrp::EndHandle) const override { return media_.unsent; }
  void hold(msrp::EndHandle end) override { change_holds(end, 1); }
  void release(msrp::EndHandle end) override { change_holds(end, -1); }

 private:
  void change_holds(msrp::EndHandle end, int by) {
    if (FakeMedia::Session* const session = media_.sessions.get(end)) session->holds += by;
  }
  FakeMedia& media_;
  core::Pool& pool_;
};

}  // namespace parley::tests
