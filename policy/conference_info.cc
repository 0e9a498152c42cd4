// policy/conference_info.cc - changes of a roster. See conference_info.h; documents are in conference_documents.cc.
#include "policy/conference_info.h"

#include <algorithm>

namespace parley::policy {

namespace {

// Up to `bytes_max`, no part of a character.
std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
  return std::string(text.substr(0, end));
}

// The same `aor` in the open and without a name are two users.
std::string roster_key(const RosterJoin& what) {
  std::string key(what.anonymous ? "-" : "+");
  return key.append(what.aor);
}

// RFC 4575 section 5.6 (OMA-CONF-6)
std::string anonymous_entity(std::uint32_t number) {
  return "sip:anonymous" + std::to_string(number) + "@anonymous.invalid";
}

bool takes_part(EndpointStatus status) {
  return status == EndpointStatus::connected || status == EndpointStatus::on_hold ||
         status == EndpointStatus::muted_via_focus;
}

}  // namespace

Roster::Roster(std::string entity, ConferenceDescription description, const RosterLimits& limits)
    : entity_(std::move(entity)), limits_(limits), description_(std::move(description)) {
  CHECK(limits_.documents_max > 0);
  CHECK(limits_.endpoints_max > 0);
}

// --- changes

RosterPlace Roster::join(const RosterJoin& what) {
  const bool shown_uri_fits = what.anonymous || (!what.entity.empty() && what.entity.size() <= limits_.uri_bytes_max);
  if (!shown_uri_fits || what.endpoint.size() > limits_.uri_bytes_max || what.status == EndpointStatus::disconnected) {
    return {};
  }
  std::uint32_t number = 0;
  User* const user = take_user(what, number);
  if (user == nullptr) return {};
  auto& endpoints = user->endpoints;
  const auto drop = [&](std::vector<Endpoint>::iterator endpoint) {
    departures_.erase(endpoint->left);
    endpoints.erase(endpoint);
  };
  std::string entity(what.endpoint);
  const auto same =
      std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& e) { return e.entity == entity; });
  bool taken = what.anonymous || entity.empty();
  if (!taken && same != endpoints.end()) {
    taken = same->left == 0;
    if (!taken) drop(same);  // it is back
  }
  if (endpoints.size() >= limits_.endpoints_max) {
    const auto departed =
        std::find_if(endpoints.begin(), endpoints.end(), [](const Endpoint& e) { return e.left != 0; });
    if (departed == endpoints.end()) return {};
    drop(departed);
  }
  const std::uint32_t endpoint = ++user->endpoints_ever;
  // OMA-CONF-6: his Contact does not show who he is.
  if (taken) entity = (what.anonymous ? user->entity : entity) + ";endpoint=" + std::to_string(endpoint);
  change();
  Endpoint& fresh = endpoints.emplace_back();
  fresh.number = endpoint;
  fresh.entity = std::move(entity);
  fresh.status = what.status;
  fresh.method = what.method;
  if (!what.display.empty() && !what.anonymous) user->display = cut(what.display, limits_.text_bytes_max);
  if (!what.alias.empty()) user->alias = cut(what.alias, limits_.text_bytes_max);
  touch(number, *user);
  return {number, endpoint};
}

// Who is known, who comes back, or a new one who is not in yet.
Roster::User* Roster::take_user(const RosterJoin& what, std::uint32_t& number) {
  std::string key = roster_key(what);
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    number = known->second;
    User& user = users_.find(number)->second;
    if (user.left == 0) return &user;
    if (present_ >= limits_.users_max) return nullptr;
    // It was his endpoint that left, not he.
    const auto last = std::find_if(user.endpoints.begin(), user.endpoints.end(),
                                   [&](const Endpoint& e) { return e.left == user.left; });
    CHECK(last != user.endpoints.end());
    departures_.find(user.left)->second.endpoint = last->number;
    user.left = 0;
    user.alias.clear();
    ++present_;
    return &user;
  }
  if (present_ >= limits_.users_max) return nullptr;
  std::uint32_t anonymous = 0;
  std::string entity(what.entity);
  if (what.anonymous) {
    anonymous = anonymous_number(key);
    entity = anonymous_entity(anonymous);
  }
  // The keys of a document are the shown texts: two users must not have one.
  if (!by_entity_.emplace(entity, users_ever_ + 1).second) return nullptr;
  number = ++users_ever_;
  User& user = users_[number];
  user.key = std::move(key);
  user.entity = std::move(entity);
  user.anonymous = anonymous;
  by_key_.emplace(user.key, number);
  ++present_;
  return &user;
}

// The same for the whole session (OMA-CONF-6).
std::uint32_t Roster::anonymous_number(const std::string& key) {
  if (const auto known = anonymous_.find(key); known != anonymous_.end()) return known->second;
  for (auto at = anonymous_.begin(); anonymous_.size() >= limits_.anonymous_max && at != anonymous_.end();) {
    at = by_key_.contains(at->first) ? std::next(at) : anonymous_.erase(at);
  }
  do {
    ++anonymous_ever_;
  } while (by_entity_.contains(anonymous_entity(anonymous_ever_)));
  return anonymous_[key] = anonymous_ever_;
}

bool Roster::status(RosterPlace place, EndpointStatus status) {
  User* user = nullptr;
  Endpoint* const endpoint = find(place, user);
  if (endpoint == nullptr || endpoint->left != 0) return false;
  if (status == endpoint->status || status == EndpointStatus::disconnected) return false;
  change();
  endpoint->status = status;
  touch(place.user, *user);
  return true;
}

bool Roster::leave(RosterPlace place, DisconnectionMethod method, std::string_view reason) {
  User* user = nullptr;
  Endpoint* const endpoint = find(place, user);
  if (endpoint == nullptr || endpoint->left != 0) return false;
  change();
  endpoint->status = EndpointStatus::disconnected;
  endpoint->disconnection = method;
  endpoint->reason = cut(reason, limits_.text_bytes_max);
  endpoint->left = version_;
  const bool last =
      std::all_of(user->endpoints.begin(), user->endpoints.end(), [](const Endpoint& e) { return e.left != 0; });
  if (last) {
    user->left = version_;
    --present_;
  }
  touch(place.user, *user);
  remember({place.user, last ? 0 : place.endpoint});
  return true;
}

bool Roster::alias(std::uint32_t number, std::string_view alias) {
  User* const user = find(number);
  std::string text = cut(alias, limits_.text_bytes_max);
  if (user == nullptr || user->left != 0 || user->alias == text) return false;
  change();
  user->alias = std::move(text);
  touch(number, *user);
  return true;
}

bool Roster::lock(bool locked) {
  if (locked_ == locked) return false;
  change();
  locked_ = locked;
  state_changed_ = version_;
  return true;
}

bool Roster::activate(bool active) {
  if (active_ == active) return false;
  change();
  active_ = active;
  state_changed_ = version_;
  return true;
}

void Roster::describe(ConferenceDescription description) {
  change();
  description_ = std::move(description);
  description_changed_ = version_;
}

// --- what it says

std::string_view Roster::entity_of(std::uint32_t user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? std::string_view() : found->second.entity;
}

std::string_view Roster::display_of(std::uint32_t user) const {
  const auto found = users_.find(user);
  if (found == users_.end()) return {};
  return found->second.alias.empty() ? found->second.display : found->second.alias;
}

std::uint32_t Roster::user_of(std::string_view entity) const {
  const auto found = by_entity_.find(entity);
  if (found == by_entity_.end()) return 0;
  return users_.find(found->second)->second.left == 0 ? found->second : 0;
}

// --- the parts of a change

Roster::User* Roster::find(std::uint32_t user) {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

Roster::Endpoint* Roster::find(RosterPlace place, User*& user) {
  user = find(place.user);
  if (user == nullptr) return nullptr;
  const auto found = std::find_if(user->endpoints.begin(), user->endpoints.end(),
                                  [&](const Endpoint& e) { return e.number == place.endpoint; });
  return found == user->endpoints.end() ? nullptr : &*found;
}

void Roster::change() {
  ++version_;
  kept_.clear();
}

// He has changed in this version.
void Roster::touch(std::uint32_t number, User& user) {
  by_change_.erase(user.changed);
  user.changed = version_;
  by_change_.emplace(version_, number);
  user.xml.clear();
  if (user.display.empty() && user.anonymous != 0) user.display = "Anonymous" + std::to_string(user.anonymous);
  const bool counted =
      std::any_of(user.endpoints.begin(), user.endpoints.end(), [](const Endpoint& e) { return takes_part(e.status); });
  if (counted == user.counted) return;
  user.counted = counted;
  connected_ = counted ? connected_ + 1 : connected_ - 1;
  state_changed_ = version_;
}

// --- departures

void Roster::remember(Departure departure) {
  departures_.emplace(version_, departure);
  while (departures_.size() > limits_.history_max) erase(departures_.begin());
}

void Roster::forget(std::uint64_t before) {
  while (!departures_.empty() && departures_.begin()->first <= before) erase(departures_.begin());
}

void Roster::erase(std::map<std::uint64_t, Departure>::iterator departure) {
  const std::uint64_t version = departure->first;
  const Departure what = departure->second;  // no structured binding: clang 14 does not let lambdas have one
  departures_.erase(departure);
  forgotten_ = version;
  const auto found = users_.find(what.user);
  CHECK(found != users_.end());
  User& user = found->second;
  if (what.endpoint != 0) {
    std::erase_if(user.endpoints, [&](const Endpoint& e) { return e.number == what.endpoint; });
    return;
  }
  CHECK(user.left == version);  // who came back has none
  by_key_.erase(user.key);
  by_entity_.erase(user.entity);
  by_change_.erase(user.changed);
  users_.erase(found);
}

}  // namespace parley::policy
