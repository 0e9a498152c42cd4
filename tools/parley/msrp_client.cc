// tools/parley/msrp_client.cc - sessions, time, facts. See msrp_client.h.
#include "tools/parley/msrp_client.h"

#include <algorithm>
#include <utility>

#include "core/id_text.h"

namespace parley::client {

MsrpClient::Session* MsrpClient::find(std::uint32_t number) {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}
const MsrpClient::Session* MsrpClient::find(std::uint32_t number) const {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}

bool MsrpClient::next(MsrpFact& fact) {
  if (facts_.empty()) return false;
  fact = std::move(facts_.front());
  facts_.pop_front();
  return true;
}

void MsrpClient::tell(MsrpFact::Kind kind, const Session& session, std::uint16_t status, std::uint64_t number) {
  MsrpFact fact;
  fact.kind = kind;
  fact.session = session.number;
  fact.status = status;
  fact.number = number;
  facts_.push_back(std::move(fact));
}

void MsrpClient::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
  std::vector<std::uint64_t> late;
  for (auto& [key, link] : links_) {
    if (now.mono >= link.due) late.push_back(key);
  }
  for (const std::uint64_t key : late) link_lost(key, 408);
  for (auto& [key, link] : links_) {
    while (!link.deadlines.empty() && link.deadlines.front().first <= now.mono) {
      const auto found = link.chunks.find(link.deadlines.front().second);
      link.deadlines.pop_front();
      if (found == link.chunks.end()) continue;
      const Chunk chunk = found->second;
      link.chunks.erase(found);
      chunk_answered(chunk, 408);  // R4975-8: no answer is a failure
    }
  }
  for (auto& [number, session] : sessions_) {
    if (now.mono >= session.come) go_there(session);
    if (now.mono < session.refresh) continue;
    session.refresh = core::never;
    ask_relay(session);  // R4976-4
  }
}

void MsrpClient::end() {
  for (auto& [number, session] : sessions_) pump(session);
}

core::Instant MsrpClient::next_deadline() const {
  core::Instant at = core::never;
  for (const auto& [key, link] : links_) {
    at = std::min(at, link.due);
    if (!link.deadlines.empty()) at = std::min(at, link.deadlines.front().first);
  }
  for (const auto& [number, session] : sessions_) at = std::min({at, session.refresh, session.come});
  return at;
}

bool MsrpClient::open(std::uint32_t number, bool secure, MsrpIntake intake) {
  if (sessions_.size() >= config_.sessions_max || sessions_.contains(number)) return false;
  Session& session = sessions_[number];
  session.number = number;
  session.secure = secure;
  session.intake = std::move(intake);
  if (session.intake.bytes_max == 0) session.intake.bytes_max = config_.message_bytes_max;
  std::array<char, core::id128_chars> id{};
  core::id_encode128({random_.next(), random_.next()}, id.data());  // R4975-16
  session.id.assign(id.data(), id.size());
  session.uri = secure ? "msrps://" : "msrp://";
  session.uri += config_.host + ":" + std::to_string(config_.port == 0 ? 9 : config_.port) + "/" + session.id + ";tcp";
  if (config_.relay.empty()) {
    tell(MsrpFact::Kind::ready, session);
    return true;
  }
  session.behind_relay = true;
  session.state = State::asking;
  if (relay_link_ == 0) relay_link_ = dial(config_.relay);
  session.link = relay_link_;
  Link* const to = link(relay_link_);
  if (to == nullptr) {
    fail(session, 503);
  } else if (to->open) {
    ask_relay(session);
  }
  return true;
}

std::string_view MsrpClient::uri(std::uint32_t number) const {
  const Session* const session = find(number);
  return session == nullptr ? std::string_view{} : session->uri;
}

bool MsrpClient::ready(std::uint32_t number) const {
  const Session* const session = find(number);
  return session != nullptr && session->state != State::asking && session->state != State::dead;
}

std::string MsrpClient::path(std::uint32_t number) const {
  const Session* const session = find(number);
  if (session == nullptr) return {};
  // R4976-9: Use-Path is in the order of our To-Path; the peer comes from the other end.
  std::string path = session->uri;
  std::string_view rest = session->use_path;
  while (!rest.empty()) {
    const std::size_t blank = std::min(rest.find(' '), rest.size());
    if (blank != 0) path.insert(0, std::string(rest.substr(0, blank)) + " ");
    rest.remove_prefix(std::min(blank + 1, rest.size()));
  }
  return path;
}

std::size_t MsrpClient::unsent(std::uint32_t number) const {
  const Session* const session = find(number);
  if (session == nullptr) return 0;
  return static_cast<std::size_t>(
      std::count_if(session->outgoing.begin(), session->outgoing.end(), [](const Outgoing& m) { return !m.told; }));
}

void MsrpClient::fail(Session& session, std::uint16_t status) {
  if (session.state == State::dead) return;
  session.state = State::dead;
  session.refresh = session.come = core::never;
  for (Outgoing& message : session.outgoing) {
    if (!message.told) tell(MsrpFact::Kind::sent, session, status, message.number);
  }
  session.outgoing.clear();
  for (const auto& [message_id, incoming] : session.incoming) {
    tell(MsrpFact::Kind::broken, session);
    facts_.back().message_id = message_id;
  }
  session.incoming.clear();
  session.link = 0;
  tell(MsrpFact::Kind::failed, session, status);
}

void MsrpClient::came_up(Session& session) {
  if (session.state == State::up || session.state == State::dead) return;
  session.state = State::up;
  session.come = core::never;
  tell(MsrpFact::Kind::up, session);
}

void MsrpClient::close(std::uint32_t number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  const std::uint64_t key = found->second.link;
  sessions_.erase(found);
  Link* const used = link(key);
  if (used == nullptr) return;
  std::erase_if(used->chunks, [number](const auto& chunk) { return chunk.second.session == number; });
  // R4975-12: with the last session the connection ends.
  const bool others =
      std::any_of(sessions_.begin(), sessions_.end(), [key](const auto& s) { return s.second.link == key; });
  if (others) return;
  if (used->open) out_->close(used->conn);
  if (used->conn.valid()) by_conn_.erase(used->conn.index);
  by_token_.erase(used->token);
  if (key == relay_link_) relay_link_ = 0;
  links_.erase(key);
}

}  // namespace parley::client
