// tools/parley-load/deferred_options.cc - the flags of `parley-load deferred`, and what they mean together.
#include "tools/parley-load/deferred_options.h"

#include <CLI/CLI.hpp>

namespace parley::load {

void add_deferred_flags(CLI::App& app, DeferredOptions& o) {
  app.add_option("--server", o.server_text, "server to load by UDP, HOST:PORT")->required();
  app.add_option("--domain", o.domain, "domain of all users and of the registrar (default: the server's host)");
  app.add_option("--user-pattern", o.user_pattern, "names of the users; '%' is the number, from 0")->capture_default_str();
  app.add_option("--password", o.password, "of all users")->capture_default_str();
  app.add_option("--receivers", o.receivers, "users who are away while messages are sent to them: the first N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--senders", o.senders, "users who send: the next N; two more talk to each other meanwhile")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--messages", o.messages, "for each of those who are away")
      ->check(CLI::Range(1U, 10'000U))
      ->capture_default_str();
  app.add_option("--size", o.size_bytes, "bytes per MESSAGE body")->check(CLI::Range(64U, 60'000U))->capture_default_str();
  app.add_option("--window", o.window, "messages under way while they are stored")
      ->check(CLI::Range(1U, 65'536U))
      ->capture_default_str();
  app.add_option("--at-once", o.at_once, "registrations under way while all come back")
      ->check(CLI::Range(1U, 65'536U))
      ->capture_default_str();
  app.add_option("--online-rate", o.online_per_s, "messages a second between the two who talk; 0: they do not")
      ->check(CLI::Range(0.0, 100'000.0))
      ->capture_default_str();
  app.add_option("--calm", o.calm_s, "seconds for which they talk before the others come back")->capture_default_str();
  app.add_option("--push-rate-max", o.push_rate_max,
                 "deliveries of stored messages in any second above which the run has failed; 0: not judged");
  app.add_option("--ratio-max", o.ratio_max,
                 "how many times its calm value p99 of the two may be while the others come back; 0: not judged");
  app.add_option("--drain", o.drain_s, "seconds without any progress after which what is missing counts as lost")
      ->capture_default_str();
  app.add_option("--timeout", o.timeout_s, "seconds until a transaction is given up")->capture_default_str();
  app.add_option("--cpu", o.cpu, "pin the generator to this CPU");
  app.add_option("--server-pid", o.server_pids, "server process(es) whose tree's CPU time is reported")->delimiter(',');
  app.add_option("--json", o.json_file, "write the result as JSON to FILE ('-': standard output, without the table)");
}

std::string finish_deferred_options(DeferredOptions& o) {
  if (!parse_address(o.server_text, o.server)) return "--server: HOST:PORT expected";
  if (o.domain.empty())
    o.domain = o.server.host.find(':') == std::string::npos ? o.server.host : "[" + o.server.host + "]";
  if (o.user_pattern.find('%') == std::string::npos) return "--user-pattern: a '%' is needed where the number goes";
  if (o.ratio_max > 0 && (o.online_per_s <= 0 || o.calm_s <= 0)) return "--ratio-max: needs --online-rate and --calm";
  return {};
}

}  // namespace parley::load
