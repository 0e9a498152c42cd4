// tests/service/fake_media.cc - see fake_media.h.
#include "tests/service/fake_media.h"

#include <utility>

namespace parley::tests {

msrp::EndHandle FakeMedia::open(bool secure, std::uint64_t owner) {
  if (sessions.size() >= sessions_max) return {};
  const msrp::EndHandle end = sessions.emplace();
  sessions.get(end)->uri = std::string(secure ? "msrps" : "msrp") + "://127.0.0.1:" + (secure ? "2856" : "2855") +
                           "/s" + std::to_string(++opened) + ";tcp";
  sessions.get(end)->owner = owner;
  return end;
}

std::string_view FakeMedia::uri(msrp::EndHandle end) const {
  const Session* const session = sessions.get(end);
  return session == nullptr ? std::string_view{} : std::string_view(session->uri);
}

bool FakeMedia::connect(msrp::EndHandle end, const msrp::EndPeer& peer) {
  Session* const session = sessions.get(end);
  if (session == nullptr) return false;
  session->peer = peer.path;
  session->we_connect = peer.we_connect;
  session->loose = peer.loose;
  session->address = peer.address;
  if (binds) bound.push_back(end);
  return true;
}

bool FakeMedia::change_peer(msrp::EndHandle end, const msrp::EndPeer& peer) {
  if (!connect(end, peer)) return false;
  ++sessions.get(end)->changes;
  return true;
}

void FakeMedia::close(msrp::EndHandle end) {
  if (const Session* const session = sessions.get(end); session != nullptr && answers) past[session->uri] = *session;
  sessions.erase(end);
}

std::string FakeMedia::whole(const Session& session) {
  std::string text;
  for (const Session::Chunk& chunk : session.chunks) {
    if (text.size() < chunk.start - 1 + chunk.body.size()) text.resize(chunk.start - 1 + chunk.body.size());
    text.replace(chunk.start - 1, chunk.body.size(), chunk.body);
  }
  return text;
}

msrp::EndHandle FakeMedia::end_of(std::string_view uri) {
  msrp::EndHandle found;
  sessions.for_each([&](core::SlotId id, Session& session) {
    if (session.uri == uri) found = id;
  });
  return found;
}

const FakeMedia::Session* FakeMedia::find(std::string_view uri) const {
  const Session* found = nullptr;
  const_cast<core::SlotMap<Session>&>(sessions).for_each([&](core::SlotId, Session& session) {
    if (session.uri == uri) found = &session;
  });
  return found;
}

void FakeLegs::answer(msrp::EndHandle end, msrp::EndToken&, std::uint16_t status) {
  if (FakeMedia::Session* const session = media_.sessions.get(end)) session->answers.push_back(status);
}

msrp::Ends::Sent FakeLegs::send(msrp::EndHandle end, const msrp::EndSend& message) {
  FakeMedia::Session* const session = media_.sessions.get(end);
  if (session == nullptr) return msrp::Ends::Sent::gone;
  std::string body(message.prefix);
  if (message.body.length != 0) body.append(pool_.view(message.body));
  session->chunks.push_back(
      {std::string(message.headers), message.start, message.total, std::move(body), message.flag});
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

void FakeLegs::fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
                       std::vector<msrp::Ends::NotSent>&) {
  for (const msrp::EndHandle end : ends) (void)send(end, message);
}

void FakeLegs::report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange&, std::uint16_t status,
                      std::string_view) {
  if (FakeMedia::Session* const session = media_.sessions.get(end)) {
    session->reports.push_back({std::string(message_id), status});
  }
}

void FakeLegs::change_holds(msrp::EndHandle end, int by) {
  if (FakeMedia::Session* const session = media_.sessions.get(end)) session->holds += by;
}

}  // namespace parley::tests
