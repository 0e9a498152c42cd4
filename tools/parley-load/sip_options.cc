// tools/parley-load/sip_options.cc - the flags of `parley-load sip`, and what they mean together.
#include "tools/parley-load/sip_options.h"

#include <CLI/CLI.hpp>

#include <fstream>
#include <map>

namespace parley::load {
namespace {

constexpr uint32_t kDatagramBodyBytesMax = 60'000;  // with its head below the 65,507 of a datagram
constexpr uint32_t kBodyBytesMax = 64 * 1024;       // a whole message fits one read
constexpr uint32_t kFrameBodyBytesMax = 6 * 1024;   // is copied and masked behind its head, within one room of Batch

std::string finish_users(SipOptions& o) {
  for (const std::string& user : o.users_text) {
    if (!add_user(user, o.users)) return "--user: NAME:SECRET expected";
  }
  if (!o.users_file.empty()) {
    std::ifstream file(o.users_file);
    if (!file) return "--users-file: cannot read " + o.users_file;
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line[0] != '#' && !add_user(line, o.users)) return "--users-file: NAME:SECRET expected";
    }
  }
  const size_t place = o.user_pattern.find('%');
  if (place == std::string::npos) return "--user-pattern: a '%' is needed where the number goes";
  for (uint32_t i = 0; i < o.user_count; ++i) {
    std::string name = o.user_pattern;
    name.replace(place, 1, std::to_string(i));
    o.users.push_back({name, o.password});
  }
  return o.users.empty() ? "--users, --user or --users-file is required" : "";
}

}  // namespace

void add_shared_flags(CLI::App& app, SipOptions& o) {
  app.add_option("--server", o.server_text, "server to load, HOST:PORT")->required();
  app.add_option("--transport", o.transport_text,
                 "udp, tcp, tls, ws or wss (WebSocket); without udp each user has a connection")
      ->check(CLI::IsMember({"udp", "tcp", "tls", "ws", "wss"}))
      ->capture_default_str();
  app.add_option("--domain", o.domain, "domain of all users and of the registrar (default: the server's host)");
  app.add_option("--tls-ca", o.tls_ca, "CA certificates (PEM) the server is checked against");
  app.add_flag("--insecure", o.insecure, "do not check the server's certificate");

  app.add_option("--users", o.user_count, "N generated users; all have the --password");
  app.add_option("--user-pattern", o.user_pattern, "their names; '%' is the number, from 0")->capture_default_str();
  app.add_option("--password", o.password, "of generated users")->capture_default_str();
  app.add_option("--user", o.users_text, "NAME:SECRET; repeatable");
  app.add_option("--users-file", o.users_file, "file with one NAME:SECRET per line");
  app.add_flag("--register,!--no-register", o.registers, "users register before messages and calls (default: on)");
  app.add_flag("--outbound", o.outbound, "registrations ask for RFC 5626 flows (+sip.instance, reg-id)");
  app.add_option("--expires", o.expires_s, "Expires of REGISTER, seconds")->capture_default_str();
  app.add_option("--sockets", o.sockets, "UDP sockets per thread that the users share; 0: one for each user")
      ->capture_default_str();

  app.add_option("--pairs", o.pairs, "pairs of a sender and a receiver (default: half as many as users)");
  app.add_option("--window", o.window,
                 "closed loop: transactions in flight, per pair (message, call, pager) or per thread (register, options)")
      ->check(CLI::Range(1U, 1U << 16))
      ->capture_default_str();
  app.add_option("--rate", o.rate_per_s,
                 "open loop: messages, calls, ... per second in all; latency counts from the time one was due");
  app.add_option("--size", o.size_bytes, "bytes per MESSAGE body")->capture_default_str();

  app.add_option("--duration", o.duration_s, "measured seconds")->capture_default_str();
  app.add_option("--warmup", o.warmup_s, "seconds of load before the measurement")->capture_default_str();
  app.add_option("--drain", o.drain_s, "seconds without any progress after which what is missing counts as lost")
      ->capture_default_str();
  app.add_option("--setup-timeout", o.setup_s, "seconds for connections and registrations")->capture_default_str();
  app.add_option("--setups-at-once", o.setups_at_once, "users being set up at a time, per thread")
      ->check(CLI::Range(1U, 4096U))
      ->capture_default_str();
  app.add_option("--timeout", o.timeout_s, "seconds until a transaction is given up")->capture_default_str();

  app.add_option("--threads", o.threads, "threads; users and pairs are dealt out in turn")->check(CLI::Range(1U, 256U));
  app.add_option("--cpu", o.cpu, "pin thread 0 to this CPU, thread 1 to the next, ...");
  app.add_flag("--spin", o.spin, "never sleep in the loop: lower latency noise, own CPU figure loses its meaning");
  app.add_option("--server-pid", o.server_pids, "server process(es) whose tree's CPU time and memory are reported")
      ->delimiter(',');
  app.add_option("--json", o.json_file, "write the result as JSON to FILE ('-': standard output, without the table)");
  app.add_flag("--progress,!--no-progress", o.progress, "a line per second on standard error (default: on)");
  app.add_flag("--allow-errors", o.allow_errors, "error answers alone do not make the exit status 1");
}

void add_sip_flags(CLI::App& app, SipOptions& o) {
  app.add_option("mode", o.mode_text,
                 "register: digest registrations and refreshes, users in turn; message: MESSAGE from the sender to the "
                 "receiver of each pair; call: INVITE, ACK, BYE of each pair; options: OPTIONS to the server itself")
      ->required()
      ->check(CLI::IsMember({"register", "message", "call", "options"}));
  add_shared_flags(app, o);
  app.add_flag(
      "--challenge-each", o.challenge_each,
      "register: each registration begins without credentials, so each is challenged (default: a nonce is used "
      "again with a higher count for as long as the server takes it)");
  app.add_option("--bind", o.bind_text,
                 "bind the first UDP socket to HOST:PORT, where a server without registrations sends all requests");
  app.add_flag("--ring", o.ring, "call: a 180 goes before the 200");
  app.add_option("--hold", o.hold_s, "call: seconds from ACK to BYE")->capture_default_str();
  app.add_option("--idle", o.idle, "register the first N users and do nothing more; prints 'ready', then holds them");
}

std::string finish_sip_options(SipOptions& o) {
  o.mode = o.mode_text == "register"  ? SipMode::registration
           : o.mode_text == "message" ? SipMode::message
           : o.mode_text == "call"    ? SipMode::call
           : o.mode_text == "pager"   ? SipMode::pager
                                      : SipMode::options;
  static const std::map<std::string, Transport> kTransports = {{"udp", Transport::udp},
                                                               {"tcp", Transport::tcp},
                                                               {"tls", Transport::tls},
                                                               {"ws", Transport::ws},
                                                               {"wss", Transport::wss}};
  o.transport = kTransports.at(o.transport_text);
  if (!parse_address(o.server_text, o.server)) return "--server: HOST:PORT expected";
  if (o.domain.empty())
    o.domain = o.server.host.find(':') == std::string::npos ? o.server.host : "[" + o.server.host + "]";
  if (o.insecure && !o.tls_ca.empty()) return "--insecure: not together with --tls-ca";
  if (!o.bind_text.empty() && (!o.datagrams() || !parse_address(o.bind_text, o.bind)))
    return "--bind: HOST:PORT expected, and only for UDP";
  if (const std::string wrong = finish_users(o); !wrong.empty()) return wrong;
  const uint32_t size_max = o.datagrams() ? kDatagramBodyBytesMax : o.websocket() ? kFrameBodyBytesMax : kBodyBytesMax;
  if (o.size_bytes > size_max) return "--size: at most " + std::to_string(size_max);
  if (o.duration_s <= 0 && o.idle == 0) return "--duration: more than 0 seconds expected";

  if (o.idle > 0) {
    if (o.idle > o.users.size()) return "--idle: there are only " + std::to_string(o.users.size()) + " users";
    o.users.resize(o.idle);
    o.mode = SipMode::registration;
    o.registers = true;
  }
  if (o.pairwise()) {
    const auto users = static_cast<uint32_t>(o.users.size());
    if (o.pairs == 0) o.pairs = users > 1 ? users / 2 : 1;
    if (o.pairs > users) return "--pairs: each receiver is another user, and there are " + std::to_string(users);
    if (o.threads > 1 && users < 2ULL * o.pairs) return "--threads: two users for each pair are needed";
    if (users > 2ULL * o.pairs && o.mode != SipMode::pager) o.users.resize(2 * static_cast<size_t>(o.pairs));
    o.threads = std::min(o.threads, o.pairs);
  } else {
    o.threads = std::min(o.threads, static_cast<uint32_t>(o.users.size()));
  }
  return o.mode == SipMode::pager ? finish_pager_options(o) : "";
}

}  // namespace parley::load
