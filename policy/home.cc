// policy/home.cc - see home.h.
#include "policy/home.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/params.h"
#include "sip/reach.h"

namespace parley::policy {

namespace {

constexpr std::size_t aor_bytes_max = 512;

std::uint16_t default_port(const sip::Listener& listener) {
  switch (listener.transport) {
    case core::Transport::tls: return 5061;
    case core::Transport::ws: return 80;
    case core::Transport::wss: return 443;
    default: return 5060;
  }
}

std::string_view without_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

Home::Home(const Parts& parts)
    : shard_(parts.shard), shard_count_(parts.shard_count), route_key_(parts.route_key), owner_key_(parts.owner_key) {
  reload(parts.config);
}

void Home::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  sent_by_.clear();
  for (const sip::Listener& listener : config_->transport.listeners) sent_by_.push_back({listener.host, listener.port});
  core_route_ = config_->core.empty() ? std::string() : "<" + config_->core + ">";
}

// --- names

bool Home::has_domain(std::string_view host) const {
  host = without_dot(host);
  return std::any_of(config_->domains.begin(), config_->domains.end(),
                     [host](const std::string& domain) { return core::equal_ignore_case(domain, host); });
}

bool Home::names_us(const sip::Uri& uri) const {
  if (uri.scheme != sip::Scheme::sip && uri.scheme != sip::Scheme::sips) return false;
  if (uri.host.empty()) return false;
  const auto& listeners = config_->transport.listeners;
  const auto port_fits = [&uri](const sip::Listener& listener, std::uint16_t port) {
    return uri.has_port ? uri.port == port : port == default_port(listener);
  };
  if (has_domain(uri.host)) {
    if (!uri.has_port || uri.port == 5060 || uri.port == 5061) return true;
    if (std::any_of(listeners.begin(), listeners.end(),
                    [&](const sip::Listener& l) { return uri.port == l.port || uri.port == l.bound.port; })) {
      return true;
    }
  }
  const auto literal = core::parse_ip(uri.host, 0);
  return std::any_of(listeners.begin(), listeners.end(), [&](const sip::Listener& l) {
    if (port_fits(l, l.port) && core::equal_ignore_case(without_dot(uri.host), l.host)) return true;
    return literal && literal->family == l.bound.family && literal->ip == l.bound.ip && port_fits(l, l.bound.port);
  });
}

bool Home::names_deferred(const sip::Uri& uri) const {
  sip::Uri own;
  return !config_->im.deferred_uris.empty() && sip::parse_uri(config_->im.deferred_uris.front(), own) &&
         core::equal_ignore_case(own.user, uri.user);
}

bool Home::names_history(const sip::Uri& uri) const {
  sip::Uri own;
  return config_->im.history_access.on && sip::parse_uri(config_->im.history_access.uri, own) &&
         core::equal_ignore_case(own.user, uri.user);
}

bool Home::names_function(const sip::Uri& uri) const {
  return (config_->im.deferred.on && names_deferred(uri)) || names_history(uri);
}

bool Home::may_have_sent(const sip::Received& request) const {
  const sip::Header* const via = request.head.first(sip::HeaderId::via);
  if (request.head.next(*via) != nullptr || via->value.of(request.bytes).find(',') != std::string_view::npos)
    return true;
  const sip::Via& top = request.essentials.via;
  return std::any_of(sent_by_.begin(), sent_by_.end(), [&top](const sip::SentBy& own) {
    return (!top.has_port || top.port == own.port) && core::equal_ignore_case(top.host, own.host);
  });
}

// --- users

std::string_view Home::aor_of(const sip::Uri& uri, std::string& room) const {
  char key[aor_bytes_max];
  const std::string_view whole = sip::aor_key(uri, key, sizeof key);
  const std::size_t at = whole.rfind('@');
  if (at == std::string_view::npos) {
    room.assign(whole.starts_with("tel:") ? whole : std::string_view{});
    return room;
  }
  room.assign(whole.substr(0, at + 1));
  room.append(config_->domains.empty() ? whole.substr(at + 1) : std::string_view(config_->domains.front()));
  return room;
}

std::string_view Home::user_aor(std::string_view identity, std::string& room) const {
  sip::Uri uri;
  room.clear();
  if (!sip::parse_uri(identity, uri) || (uri.scheme != sip::Scheme::tel && !names_us(uri))) return room;
  return aor_of(uri, room);
}

bool Home::serves(std::string_view user) const {
  sip::Uri uri;
  return sip::parse_uri(user, uri) && (uri.host.empty() || has_domain(uri.host) || names_us(uri));
}

void Home::put_keys(std::string_view uri, std::vector<std::string>& keys) const {
  const std::string key = user_key(uri);
  sip::Uri parsed;  // of the key: "sip:+15550100@example.org;user=phone" is the number, which may be anybody's
  if (key.empty() || !sip::parse_uri(key, parsed)) return;
  const auto add = [&keys](std::string one) {
    if (std::find(keys.begin(), keys.end(), one) == keys.end()) keys.push_back(std::move(one));
  };
  add(key);
  const std::string_view number = number_in(key);
  if (number.empty() || !(has_domain(parsed.host) || (parsed.host.empty() && config_->users.contains(number)))) return;
  if (!key.starts_with("tel:")) {
    add("tel:" + std::string(number));
  } else if (!config_->domains.empty()) {
    add("sip:" + std::string(number) + "@" + config_->domains.front());
  }
}

void Home::put_number(std::string_view key, NumberKeys& numbers) const {
  if (number_in(key).empty() || key.starts_with("tel:")) return;
  for (std::string& other : keys_of(key)) {
    if (other != key) numbers.emplace(std::move(other), key);
  }
}

bool Home::same_user(std::span<const std::string> keys, std::string_view other) const {
  if (keys.empty() || has_key(keys, other)) return !keys.empty();
  const std::string_view number = number_in(other);
  return !number.empty() && number == number_in(keys.front()) && has_key(keys_of(other), keys.front());
}

bool Home::is_user(std::string_view text, const Routing& routing) const {
  sip::Uri uri;
  if (!sip::parse_uri(text, uri)) return false;
  if (sip::same_user(text, routing.uri)) return true;
  std::string asked;
  std::string named;
  return names_us(uri) && !aor_of(uri, named).empty() && named == aor_of(routing.parsed, asked);
}

std::uint32_t Home::shard_of(std::string_view aor) const {
  if (shard_count_ == 1) return 0;
  return static_cast<std::uint32_t>(core::KeyedHash(owner_key_).add(aor).finish().low % shard_count_);
}

// --- peers

bool Home::trusts(const core::Address& address) const {
  const core::Address plain = core::unmapped(address);
  return std::any_of(config_->trusted_peers.begin(), config_->trusted_peers.end(),
                     [&plain](const core::Cidr& block) { return core::contains(block, plain); });
}

bool Home::may_reach(const core::Address& address) const {
  return sip::may_reach(config_->transport.dial_deny, address);
}

bool Home::may_reach_outside(const core::Address& address) const {
  if (!may_reach(address)) return false;
  if (trusts(address)) return true;
  const core::Address plain = core::unmapped(address);
  return std::any_of(config_->dial_allow.begin(), config_->dial_allow.end(),
                     [&plain](const core::Cidr& block) { return core::contains(block, plain); });
}

// --- routes

bool Home::read_routing(const sip::Received& request, Routing& routing) const {
  const std::string_view bytes = request.bytes;
  const std::string_view call_id = request.essentials.call_id;
  routing.uri = request.head.uri.of(bytes);
  routing.parsed = request.essentials.uri;
  // A token proves that a dialog was let through: what begins anew has to prove its sender itself.
  const auto token_of = [&](const sip::Uri& uri) {
    return request.essentials.to_tag.empty() ? std::nullopt : read_token(uri.user, call_id);
  };
  // R3261-10: a strict router has moved our Record-Route URI into the request URI, and the target behind all Routes.
  if (names_us(routing.parsed) && request.head.first(sip::HeaderId::route) != nullptr)
    routing.token = token_of(routing.parsed);
  const bool strict = routing.token.has_value();
  bool ours = true;
  std::string_view last;
  for (const sip::Header* header = request.head.first(sip::HeaderId::route); header != nullptr;
       header = request.head.next(*header)) {
    std::string_view rest = header->value.of(bytes);
    while (!rest.empty()) {
      sip::Address address;
      sip::Uri uri;
      if (!sip::take_address(rest, address) || !sip::parse_uri(address.uri, uri)) return false;
      last = address.uri;
      if (ours && names_us(uri)) {
        ++routing.own_routes;
        routing.token = token_of(uri);
        routing.originating = routing.originating || sip::has_uri_parameter(uri, "orig");
        continue;
      }
      ours = false;
      if (routing.next_route.empty()) routing.next_route = address.uri;
    }
  }
  if (strict) {
    if (!sip::parse_uri(last, routing.parsed)) return false;
    routing.uri = last;
    routing.drop_last_route = true;
    if (routing.next_route.data() == last.data()) routing.next_route = {};
  }
  routing.local = names_us(routing.parsed);
  return true;
}

}  // namespace parley::policy
