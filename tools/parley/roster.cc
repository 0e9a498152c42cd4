// tools/parley/roster.cc - see roster.h.
#include "tools/parley/roster.h"

#include <algorithm>

#include "policy/xml_reader.h"

namespace parley::client {

namespace {

enum class State : std::uint8_t { full, partial, deleted };

// OMA-CONF-3: absent means full.
State state_of(policy::XmlElement element) {
  const auto value = element.attribute("state");
  if (value == "partial") return State::partial;
  return value == "deleted" ? State::deleted : State::full;
}

// OMA-CONF-5: of several devices the one that is there.
std::string best_status(policy::XmlElement user) {
  std::string best;
  for (const policy::XmlElement endpoint : user.children()) {
    if (endpoint.name() != "endpoint" || state_of(endpoint) == State::deleted) continue;
    const std::string status(endpoint.child("status").text());
    if (best.empty() || status == "connected" || best == "disconnected") best = status;
  }
  return best;
}

}  // namespace

Roster::Taken Roster::take(std::string_view text) {
  policy::XmlDocument document;
  if (document.parse(text, {.bytes_max = 1 << 20, .elements_max = 64 * roster_users_max})) return Taken::bad;
  const policy::XmlElement root = document.root();
  if (root.name() != "conference-info") return Taken::bad;
  const State state = state_of(root);
  const auto version = policy::xml_number(root.attribute("version").value_or("0"));
  if (!version) return Taken::bad;
  if (state == State::deleted) return Taken::deleted;
  // R4575-1: a full document replaces, a partial one follows the last.
  if (any_ && *version <= version_ && !(state == State::full && *version == version_)) return Taken::old;
  if (state == State::partial && (!any_ || *version != version_ + 1)) return Taken::gap;
  version_ = *version;
  any_ = true;
  if (state == State::full) users_.clear();
  if (const policy::XmlElement subject = root.child("conference-description").child("subject")) {
    subject_ = subject.text();
  }
  const policy::XmlElement users = root.child("users");
  if (users && state_of(users) == State::full) users_.clear();
  for (const policy::XmlElement user : users.children()) {
    const auto entity = user.attribute("entity");
    if (user.name() != "user" || !entity) continue;
    const auto found = std::find_if(users_.begin(), users_.end(), [&](const User& u) { return u.entity == *entity; });
    if (state_of(user) == State::deleted) {
      if (found != users_.end()) users_.erase(found);
      continue;
    }
    User* into = nullptr;
    if (found != users_.end()) {
      into = &*found;
      if (state_of(user) == State::full) *into = {.entity = std::string(*entity), .name = {}, .status = {}};
    } else if (users_.size() < roster_users_max) {
      into = &users_.emplace_back(User{.entity = std::string(*entity), .name = {}, .status = {}});
    } else {
      continue;
    }
    if (const policy::XmlElement name = user.child("display-text")) into->name = name.text();
    if (const std::string status = best_status(user); !status.empty()) into->status = status;
  }
  return Taken::applied;
}

}  // namespace parley::client
