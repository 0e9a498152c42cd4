// tests/sim/sessions.cc - see sessions.h.
#include "tests/sim/sessions.h"

#include <algorithm>
#include <charconv>

#include "tests/sim/client.h"

namespace parley::sim {

std::string log_field(std::string_view text, std::string_view key) {
  const std::string name = " " + std::string(key) + "=";
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  return std::string(text.substr(0, text.find(' ')));
}

void Sessions::granted(const std::string& uri, const Place& place, const Leg& leg, Instant asked, Duration expires,
                       Duration slack) {
  auto& entry = granted_[uri];
  if (entry == nullptr) {
    entry = std::make_unique<Granted>();
    entry->uri = uri;
    entry->place = &place;
    entry->leg = &leg;
    entry->granted = agenda_.now();
    Book& b = books_[{&place, leg.user}];
    b.shared = leg.shares_user;
    b.grants.push_back(entry.get());
    if (b.shared && !b.ends.empty()) b.in_doubt = true;
    // It may have ended before its client heard of it.
    if (!b.shared && b.ends.size() >= b.grants.size()) entry->ended = b.ends[b.grants.size() - 1];
  }
  entry->refreshing = false;
  entry->sure_until = asked + expires;
  entry->gone_at = agenda_.now() + expires + slack;
}

void Sessions::refreshing(const std::string& uri) {
  const auto found = granted_.find(uri);
  if (found == granted_.end()) return;
  if (!found->second->refreshing) found->second->gone_before = found->second->gone_at;
  found->second->refreshing = true;
  found->second->gone_at = core::never;
}

void Sessions::not_refreshed(const std::string& uri) {
  const auto found = granted_.find(uri);
  if (found == granted_.end() || !found->second->refreshing) return;
  found->second->refreshing = false;
  found->second->gone_at = found->second->gone_before;
}

const Sessions::Book* Sessions::book(const Granted& g) const {
  const auto found = books_.find({g.place, g.leg->user});
  return found == books_.end() ? nullptr : &found->second;
}

const Granted* Sessions::last_of(const Place& place, const std::string& user) const {
  const auto found = books_.find({&place, user});
  if (found == books_.end() || found->second.grants.empty()) return nullptr;
  if (found->second.shared || found->second.in_doubt) return nullptr;
  return found->second.grants.back();
}

bool Sessions::must_be_gone(const std::string& uri, Instant at) const {
  const auto found = granted_.find(uri);
  if (found == granted_.end()) return false;
  const Granted& g = *found->second;
  return at > g.ended || at >= g.gone_at;
}

bool Sessions::must_live(const std::string& uri) const {
  const auto found = granted_.find(uri);
  if (found == granted_.end()) return false;
  const Granted& g = *found->second;
  return g.ended == core::never && !g.refreshing && agenda_.now() < g.sure_until && g.leg->client->alive() &&
         !book(g)->in_doubt;
}

bool Sessions::has_lost(const Leg& leg) const {
  return std::any_of(granted_.begin(), granted_.end(),
                     [&](const auto& entry) { return entry.second->leg == &leg && !must_live(entry.first); });
}

void Sessions::log_line(const Place& place, std::string_view text) {
  if (!text.starts_with("session_ended ")) return;
  const std::string user = log_field(text, "user");
  const std::string reason = log_field(text, "reason");
  std::uint64_t number = 0;
  const std::string digits = log_field(text, "number");
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (!ended_.insert({&place, number}).second) {
    journal_.fail("sessions: %s ends a second time", digits.c_str());
    return;
  }
  const bool kicked = kicked_.erase({&place, number}) != 0;
  if ((reason == "kicked") != kicked) {
    journal_.fail("sessions: %s of %s ended as %s", digits.c_str(), user.c_str(), reason.c_str());
    return;
  }
  Book& b = books_[{&place, user}];
  b.ends.push_back(agenda_.now());
  b.in_doubt = b.in_doubt || b.shared;
  if (b.in_doubt) return;
  if (b.ends.size() > b.grants.size()) return;
  Granted& g = *b.grants[b.ends.size() - 1];
  g.ended = agenda_.now();
  if (reason == "expired" && !g.refreshing && g.ended < g.sure_until) {
    journal_.fail("sessions: %s of %s expired before its time", digits.c_str(), user.c_str());
  }
}

void Sessions::listed(const Place& place, std::uint64_t number, const std::string& user) {
  if (ended_.contains({&place, number})) {
    journal_.fail("sessions: %llu of %s is shown after its end", static_cast<unsigned long long>(number), user.c_str());
    return;
  }
  const Granted* g = last_of(place, user);
  if (g != nullptr && agenda_.now() >= g->gone_at) {
    journal_.fail("sessions: %llu of %s outlives its time", static_cast<unsigned long long>(number), user.c_str());
  }
}

void Sessions::kick_answered(const Place& place, std::uint64_t number, const std::string& user, bool kicked) {
  journal_.line("kick %llu of %s: %s", static_cast<unsigned long long>(number), user.c_str(),
                kicked ? "done" : "not there");
  if (kicked) {
    if (ended_.contains({&place, number})) journal_.fail("sessions: %s is kicked after its end", user.c_str());
    kicked_.insert({&place, number});
    return;
  }
  const Granted* g = last_of(place, user);
  const bool over = ended_.contains({&place, number}) || kicked_.contains({&place, number});
  if (g != nullptr && !over && must_live(g->uri)) {
    journal_.fail("sessions: %s cannot be kicked and lives", user.c_str());
  }
}

std::set<std::string> Sessions::to_be_listed(const Place& place, Instant since) const {
  std::set<std::string> users;
  for (const auto& [uri, g] : granted_) {
    if (g->place == &place && g->granted < since && must_live(uri)) users.insert(g->leg->user);
  }
  return users;
}

std::uint64_t Sessions::ends(const Place& place) const {
  return static_cast<std::uint64_t>(
      std::count_if(ended_.begin(), ended_.end(), [&](const auto& entry) { return entry.first == &place; }));
}

void Sessions::settle() {
  if (!kicked_.empty()) journal_.fail("sessions: kicked, and no record of it");
}

}  // namespace parley::sim
