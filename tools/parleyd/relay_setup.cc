// tools/parleyd/relay_setup.cc - Settings and bound listeners become the configuration values of relay and SIP.
#include "tools/parleyd/relay_setup.h"

#include <algorithm>
#include <utility>

namespace parley::parleyd {

std::shared_ptr<const msrp::RelayConfig> make_relay_config(const Settings& settings,
                                                           const std::vector<RelayListenerAt>& listeners, Users users) {
  auto config = std::make_shared<msrp::RelayConfig>(settings.relay);
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const RelayListenerAt& at = listeners[i];
    msrp::RelayListener named;
    named.host = at.spec.host;
    named.port = at.bound.port;
    named.bound_port = at.bound.port;
    named.bound = at.bound;
    named.secure = at.spec.transport == core::Transport::tls || at.spec.transport == core::Transport::wss;
    named.websocket = at.spec.transport == core::Transport::ws || at.spec.transport == core::Transport::wss;
    if (!settings.advertise.empty()) {
      named.host = settings.advertise[i].host;
      named.port = settings.advertise[i].port.value_or(at.bound.port);
    }
    config->listeners.push_back(std::move(named));
  }
  config->domains = settings.domains;
  config->realm = settings.realm;
  config->users = std::move(users);
  return config;
}

std::shared_ptr<const policy::SipConfig> make_sip_config(const Settings& settings,
                                                         const std::vector<RelayListenerAt>& sip, const Users& users) {
  if (sip.empty()) return nullptr;
  auto config = std::make_shared<policy::SipConfig>(settings.sip);
  config->transport.listener_base = static_cast<std::uint16_t>(settings.msrp.size());
  for (std::size_t i = 0; i < sip.size(); ++i) {
    sip::Listener named;
    named.transport = sip[i].spec.transport;
    named.host = sip[i].spec.host;
    named.port = sip[i].bound.port;
    named.bound = sip[i].bound;
    if (!settings.advertise.empty()) {
      const HostPort& shown = settings.advertise[settings.msrp.size() + i];
      named.host = shown.host;
      named.port = shown.port.value_or(named.port);
    }
    config->transport.listeners.push_back(std::move(named));
  }
  config->users = users;
  return config;
}

std::shared_ptr<const policy::Config> make_config(const Settings& settings, const std::vector<RelayListenerAt>& msrp,
                                                  const std::vector<RelayListenerAt>& sip, Users users) {
  auto config = std::make_shared<policy::Config>();
  config->sip = make_sip_config(settings, sip, users);
  config->rooms = std::make_shared<policy::RoomConfig>(settings.rooms);
  config->relay = make_relay_config(settings, msrp, std::move(users));
  return config;
}

namespace {

bool same_xcap(const XcapSettings& a, const XcapSettings& b) {
  const policy::XcapConfig& p = a.front.service;
  const policy::XcapConfig& q = b.front.service;
  const auto same_block = [](const core::Cidr& x, const core::Cidr& y) {
    return x.base == y.base && x.prefix_bits == y.prefix_bits;
  };
  return a.listeners == b.listeners && a.uri == b.uri && p.root == q.root && p.groups_prefix == q.groups_prefix &&
         p.document_bytes_max == q.document_bytes_max && p.documents_per_user_max == q.documents_per_user_max &&
         p.documents_max == q.documents_max && p.bytes_max == q.bytes_max && p.group_members_max == q.group_members_max &&
         a.http.connections_max == b.http.connections_max && a.http.per_source_max == b.http.per_source_max &&
         a.http.request_time == b.http.request_time && a.http.idle_time == b.http.idle_time &&
         a.http.threads == b.http.threads &&
         std::equal(a.front.trusted.begin(), a.front.trusted.end(), b.front.trusted.begin(), b.front.trusted.end(),
                    same_block);
}

}  // namespace

std::string needs_restart(const Settings& running, const Settings& fresh) {
  std::string flags;
  const auto check = [&flags](bool same, const char* flag) {
    if (!same) flags += (flags.empty() ? "" : ", ") + std::string(flag);
  };
  const auto same_listener = [](const ListenSpec& a, const ListenSpec& b) {
    return a.transport == b.transport && a.host == b.host && a.port == b.port;
  };
  const auto same_name = [](const HostPort& a, const HostPort& b) { return a.host == b.host && a.port == b.port; };
  check(std::equal(running.msrp.begin(), running.msrp.end(), fresh.msrp.begin(), fresh.msrp.end(), same_listener),
        "--msrp");
  check(std::equal(running.sip_listeners.begin(), running.sip_listeners.end(), fresh.sip_listeners.begin(),
                   fresh.sip_listeners.end(), same_listener),
        "--sip");
  check(running.sip.registers_users == fresh.sip.registers_users && running.sip.im.participating == fresh.sip.im.participating &&
            running.sip.focus.on == fresh.sip.focus.on && running.sip.im.deferred.on == fresh.sip.im.deferred.on,
        "--roles");
  check(running.sip.settings.publications.publications_max == fresh.sip.settings.publications.publications_max,
        "--publications-max");
  check(running.sip.im.rate_users_max == fresh.sip.im.rate_users_max, "--im-rate-users-max");
  check(running.sip.im.media.pairs_max == fresh.sip.im.media.pairs_max, "--pf-media-pairs-max");
  check(running.sip.im.media.kept_bytes_max == fresh.sip.im.media.kept_bytes_max, "--pf-media-kept-max");
  check(running.sip.focus.sessions_max == fresh.sip.focus.sessions_max, "--im-sessions-max");
  check(running.sip.focus.participants_max == fresh.sip.focus.participants_max, "--im-participants-max");
  check(running.rooms.rooms_max == fresh.rooms.rooms_max, "--rooms-max");
  check(running.rooms.members_max == fresh.rooms.members_max, "--room-members-total-max");
  check(running.rooms.messages_max == fresh.rooms.messages_max, "--room-messages-max");
  check(running.sip.transactions.transactions_max == fresh.sip.transactions.transactions_max, "--sip-transactions-max");
  check(running.sip.transactions.t1 == fresh.sip.transactions.t1, "--sip-t1");
  check(running.sip.proxied_max == fresh.sip.proxied_max, "--sip-proxied-max");
  check(running.sip.location.aors_max == fresh.sip.location.aors_max, "--users-registered-max");
  check(running.sip.location.bindings_per_aor_max == fresh.sip.location.bindings_per_aor_max, "--bindings-per-user-max");
  check(running.sip.location.bytes_max == fresh.sip.location.bytes_max, "--bindings-bytes-max");
  check(std::equal(running.advertise.begin(), running.advertise.end(), fresh.advertise.begin(), fresh.advertise.end(),
                   same_name),
        "--advertise");
  check(running.sip.im.deferred.users_max == fresh.sip.im.deferred.users_max, "--deferred-users-max");
  check(running.store.directory == fresh.store.directory, "--store");
  check(running.store.waiting_max == fresh.store.waiting_max, "--store-waiting-max");
  check(running.store.waiting_bytes_max == fresh.store.waiting_bytes_max, "--store-waiting-bytes-max");
  check(running.store.wal_max_bytes == fresh.store.wal_max_bytes, "--store-wal-max");
  check(running.realm == fresh.realm, "--realm");
  check(same_xcap(running.xcap, fresh.xcap), "--xcap or one of its limits");
  // XCAP was told once.
  const auto& told = running.xcap.front;
  const auto& now = fresh.xcap.front;
  const bool listens = !running.xcap.listeners.empty();
  check(!listens || (told.plain_digest == now.plain_digest && told.digest.algorithms == now.digest.algorithms),
        "--plain-auth or --auth-algorithms, while --xcap is on");
  check(!listens || told.service.reserved == now.service.reserved,
        "an address of the service (--conference-factory and the like), while --xcap is on");
  check(running.shards == fresh.shards, "--shards");
  check(running.pin == fresh.pin, "--pin");
  check(running.loop == fresh.loop, "--loop");
  check(running.admin == fresh.admin, "--admin");
  check(running.admin_token_file == fresh.admin_token_file, "--admin-token-file");
  check(running.log_format == fresh.log_format, "--log-format");
  check(running.dumpable == fresh.dumpable, "--dumpable");
  check(running.connections_max == fresh.connections_max, "--connections-max");
  check(running.connections_per_source_max == fresh.connections_per_source_max, "--connections-per-source-max");
  check(running.writer_timeout == fresh.writer_timeout, "--writer-timeout");
  check(running.gather_us == fresh.gather_us, "--loop-gather-us");
  check(running.linger_timeout == fresh.linger_timeout, "--linger-timeout");
  check(running.flush_timeout == fresh.flush_timeout, "--flush-timeout");
  check(running.tls_handshake_timeout == fresh.tls_handshake_timeout, "--tls-handshake-timeout");
  check(running.relay.connect_timeout == fresh.relay.connect_timeout, "--connect-timeout");
  check(running.relay.sessions_max == fresh.relay.sessions_max, "--sessions-max");
  check(running.relay.ends_max == fresh.relay.ends_max, "--msrp-ends-max");
  check(running.relay.transactions_max == fresh.relay.transactions_max, "--transactions-max");
  check(running.dns_servers == fresh.dns_servers, "--dns-servers");
  check(running.dns_timeout == fresh.dns_timeout, "--dns-timeout");
  check(running.dns_waiting_max == fresh.dns_waiting_max, "--dns-waiting-max");
  check(running.pipe_window_bytes == fresh.pipe_window_bytes, "--pipe-window");
  check(running.pool.small_count == fresh.pool.small_count, "--recv-buffers");
  check(running.pool.large_count == fresh.pool.large_count, "--recv-buffers-large");
  check(running.pool.arena_count == fresh.pool.arena_count, "--arena-blocks");
  check(running.pool.heap_bytes_max == fresh.pool.heap_bytes_max, "--heap-max");
  return flags;
}

}  // namespace parley::parleyd
