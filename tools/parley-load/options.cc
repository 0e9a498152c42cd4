// tools/parley-load/options.cc - the flags of `parley-load relay`, and what they mean together.
#include "tools/parley-load/options.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <fstream>

namespace parley::load {
namespace {

bool parse_sizes(const std::string& text, std::vector<std::pair<double, uint64_t>>& sizes) {
  double sum = 0;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    const size_t colon = part.find(':');
    if (colon == std::string::npos) return false;
    uint64_t bytes = 0;
    if (!parse_number(std::string_view(part).substr(0, colon), bytes)) return false;
    const double share = std::strtod(part.c_str() + colon + 1, nullptr);
    if (!(share > 0)) return false;
    sum += share;
    sizes.emplace_back(sum, bytes);
    at = end + 1;
  }
  for (auto& size : sizes) size.first /= sum;
  return !sizes.empty();
}

}  // namespace

uint64_t Options::message_bytes(uint32_t pair, uint64_t number) const {
  if (sizes.empty()) return size_bytes;
  const double dice = static_cast<double>(message_seed(~pair, number) >> 11) * 0x1.0p-53;
  for (const auto& [share, bytes] : sizes) {
    if (dice < share) return bytes;
  }
  return sizes.back().second;
}

void add_relay_flags(CLI::App& app, Options& o) {
  app.add_option("--server", o.server_text, "relay to load, HOST:PORT (with --direct: the byte relay)");
  app.add_option("--relay-uri", o.relay_uri, "To-Path URI of AUTH (default: msrp[s]://<server>;tcp)");
  app.add_option("--direct", o.direct_text,
                 "no MSRP relay: receivers listen on HOST:PORT, senders reach them through --server, a byte relay "
                 "(without --server: directly, which shows the generator's own cost). No AUTH.");
  app.add_flag("--tls", o.tls, "TLS on every connection");
  app.add_option("--tls-ca", o.tls_ca, "CA certificates (PEM) the server is checked against");
  app.add_flag("--insecure", o.insecure, "do not check the server's certificate");
  app.add_flag("--websocket", o.websocket, "speak WebSocket on every connection (RFC 7977); with --tls it is wss");

  app.add_option("--pairs", o.pairs, "sender and receiver pairs (two connections each)")->capture_default_str();
  app.add_option("--window", o.window,
                 "closed loop: messages in flight per pair, until delivered and answered (and reported)")
      ->check(CLI::Range(1U, 1U << 20))
      ->capture_default_str();
  app.add_option("--rate", o.rate_per_s,
                 "open loop: messages/s of all pairs together; latency counts from the time a message was due");
  app.add_option("--size", o.size_bytes, "bytes per message")->capture_default_str();
  app.add_option("--sizes", o.sizes_text, "distribution of sizes, BYTES:SHARE,... e.g. 100:0.7,1024:0.2,10000:0.1");
  app.add_option("--chunk", o.chunk_bytes, "bytes per chunk (default: one chunk per message)");
  app.add_option("--content", o.content_text, "letters: no CR, no '-'; lines: CRLF, dashes and foreign end-lines")
      ->check(CLI::IsMember({"letters", "lines"}))
      ->capture_default_str();
  app.add_option("--content-type", o.content_type, "Content-Type of every message")->capture_default_str();
  app.add_option("--failure-report", o.failure_report_text, "Failure-Report of every SEND")
      ->check(CLI::IsMember({"yes", "no", "partial"}))
      ->capture_default_str();
  app.add_flag("--success-reports", o.success_reports, "ask for a success REPORT per message and wait for it");

  app.add_option("--duration", o.duration_s, "measured seconds")->capture_default_str();
  app.add_option("--warmup", o.warmup_s, "seconds of load before the measurement")->capture_default_str();
  app.add_option("--drain", o.drain_s, "seconds without any progress after which what is missing counts as lost")
      ->capture_default_str();
  app.add_option("--setup-timeout", o.setup_s, "seconds for connections and AUTH of all pairs")->capture_default_str();
  app.add_option("--setups-at-once", o.setups_at_once, "connections being set up at a time, per thread")
      ->check(CLI::Range(1U, 4096U))
      ->capture_default_str();

  app.add_option("--user", o.users_text, "NAME:SECRET; repeatable, pairs take turns");
  app.add_option("--users-file", o.users_file, "file with one NAME:SECRET per line");
  app.add_flag("--auth-both", o.auth_both, "the sender authenticates too and sends through its own Use-Path");
  app.add_option("--expires", o.expires_s, "Expires of AUTH, seconds (default: none sent)");

  app.add_option("--threads", o.threads, "threads; pairs are dealt out in turn")->check(CLI::Range(1U, 256U));
  app.add_option("--cpu", o.cpu, "pin thread 0 to this CPU, thread 1 to the next, ...");
  app.add_flag("--spin", o.spin, "never sleep in the loop: lower latency noise, own CPU figure loses its meaning");
  app.add_option("--idle", o.idle, "open N authenticated connections that do nothing; prints 'ready', then holds them");
  app.add_option("--slow-readers", o.slow_readers,
                 "extra pairs whose receiver stops reading until the measurement ends");
  app.add_option("--slow-window", o.slow_window, "messages in flight a slow pair is allowed")->capture_default_str();
  app.add_option("--server-pid", o.server_pids, "server process(es) whose tree's CPU time and memory are reported")
      ->delimiter(',');
  app.add_option("--json", o.json_file, "write the result as JSON to FILE ('-': standard output, without the table)");
  app.add_flag("--progress,!--no-progress", o.progress, "a line per second on standard error (default: on)");
  app.add_flag("--allow-errors", o.allow_errors, "error answers alone do not make the exit status 1");
}

std::string finish_options(Options& o) {
  o.is_direct = !o.direct_text.empty();
  if (o.is_direct && !parse_address(o.direct_text, o.direct)) return "--direct: HOST:PORT expected";
  if (o.is_direct && o.threads > 1) return "--threads: the direct mode has one listener and so one thread";
  if (o.is_direct && (o.tls || o.websocket || o.idle > 0 || o.auth_both))
    return "--direct: not with --tls, --websocket, --idle or --auth-both";
  if (o.server_text.empty() && !o.is_direct) return "--server is required";
  if (!o.server_text.empty() && !parse_address(o.server_text, o.server)) return "--server: HOST:PORT expected";
  if (o.relay_uri.empty())
    o.relay_uri = std::string(o.tls ? "msrps://" : "msrp://") + o.server_text + (o.websocket ? ";ws" : ";tcp");
  if (o.tls && o.insecure && !o.tls_ca.empty()) return "--insecure: not together with --tls-ca";

  if (!o.sizes_text.empty() && !parse_sizes(o.sizes_text, o.sizes)) return "--sizes: BYTES:SHARE,... expected";
  if (o.duration_s <= 0 && o.idle == 0) return "--duration: more than 0 seconds expected";
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
  if (!o.is_direct && o.users.empty()) return "--user or --users-file is required";
  o.failure_report = o.failure_report_text == "no"        ? FailureReport::no
                     : o.failure_report_text == "partial" ? FailureReport::partial
                                                          : FailureReport::yes;
  o.content = o.content_text == "lines" ? Content::lines : Content::letters;
  if (o.idle > 0) o.pairs = o.slow_readers = 0;
  if (o.pairs + o.slow_readers + o.idle == 0) return "--pairs: at least 1 expected";
  if (o.threads > o.pairs + o.slow_readers + o.idle) o.threads = o.pairs + o.slow_readers + o.idle;
  return {};
}

}  // namespace parley::load
