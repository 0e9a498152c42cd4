// tools/parley-load/sip_report.cc - the verdict, the warnings, the table and the JSON of a SIP load.
#include "tools/parley-load/sip_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/parley-load/report_parts.h"

namespace parley::load {
namespace {

// What is counted, and what one of it is called.
const char* unit(const SipOptions& options) {
  switch (options.mode) {
    case SipMode::registration: return "registration";
    case SipMode::message:
    case SipMode::pager: return "message";
    case SipMode::call: return "call";
    case SipMode::options: break;
  }
  return "OPTIONS";
}

struct Named {
  const char* name;
  uint64_t value;
};

std::vector<Named> all_counts(const SipCounts& c) {
  return {{"begun", c.begun},
          {"finished", c.finished},
          {"requests_sent", c.requests_sent},
          {"requests_received", c.requests_received},
          {"responses_received", c.responses_received},
          {"provisional", c.provisional},
          {"challenged", c.challenged},
          {"retransmitted", c.retransmitted},
          {"answers_again", c.answers_again},
          {"repeated", c.repeated},
          {"duplicated", c.duplicated},
          {"corrupted", c.corrupted},
          {"refused", c.refused},
          {"stray", c.stray},
          {"bad_messages", c.bad_messages},
          {"connections_lost", c.connections_lost},
          {"lost", c.lost},
          {"unanswered", c.unanswered},
          {"to_lists", c.to_lists},
          {"to_groups", c.to_groups},
          {"deliveries", c.deliveries},
          {"missing", c.missing},
          {"odd_answers", c.odd_answers},
          {"out_of_order", c.out_of_order},
          {"copies_out_of_order", c.copies_out_of_order}};
}

std::string statuses_text(const std::map<unsigned, uint64_t>& statuses) {
  std::string out;
  for (const auto& [status, count] : statuses)
    out += (out.empty() ? "" : ", ") + std::to_string(status) + ": " + std::to_string(count);
  return out.empty() ? "none" : out;
}

}  // namespace

std::vector<std::string> judge(const SipOptions& options, const SipOutcome& outcome) {
  std::vector<std::string> wrong;
  const auto check = [&wrong](uint64_t count, const char* what) {
    if (count > 0) wrong.push_back(std::to_string(count) + " " + what);
  };
  const SipCounts& t = outcome.total;
  check(t.lost, "transactions without answer or delivery");
  check(t.unanswered, "delivered without their answers");
  check(t.duplicated, "requests duplicated");
  check(t.corrupted, "messages corrupted");
  check(t.bad_messages, "malformed messages");
  check(t.connections_lost, "connections lost");
  check(t.missing, "deliveries that never came");
  check(t.odd_answers, "messages answered with another status than fits");
  if (!options.datagrams()) check(t.out_of_order, "messages behind a later one of their sender");
  if (options.pager.copies_in_order) check(t.copies_out_of_order, "copies behind a later one of their sender");
  if (!options.allow_errors) check(t.refused, "requests refused (--allow-errors lets them pass)");
  if (options.idle == 0 && outcome.window.finished == 0) wrong.emplace_back("nothing finished while measuring");
  return wrong;
}

std::vector<std::string> warn(const SipOptions& options, const SipOutcome& outcome) {
  std::vector<std::string> doubts;
  if (options.idle > 0) return doubts;
  const double own = outcome.own_cores() / options.threads;
  if (own > 0.9 && outcome.server_known() && outcome.server_cores() < 0.9)
    doubts.emplace_back(
        "the generator was saturated and the server was not: rate and latency show the generator (server CPU per "
        "transaction still holds); use --threads");
  if (own > 0.9 && options.server_pids.empty())
    doubts.emplace_back("the generator was saturated: rate and latency may show the generator, not the server");
  if (own > 0.9 && options.open_loop())
    doubts.emplace_back("the generator was saturated in an open loop: latency includes its own delays");
  if (!options.server_pids.empty() && !outcome.server_known())
    doubts.emplace_back(outcome.server_tree_grew
                            ? "server CPU is unknown: the server started processes during the measurement"
                            : "server CPU is unknown: a process of --server-pid ended or cannot be read");
  if (outcome.server_known() && outcome.server_end.cpu_ns - outcome.server_begin.cpu_ns < 20'000'000)
    doubts.emplace_back("the server used less than 20 ms of CPU: too little to divide by");
  if (outcome.total.retransmitted > 0)
    doubts.push_back(std::to_string(outcome.total.retransmitted) +
                     " requests were sent again: datagrams were lost or the server was late by 500 ms");
  if (outcome.datagrams_dropped > 0)
    doubts.push_back(std::to_string(outcome.datagrams_dropped) +
                     " datagrams were refused by the generator's own kernel");
  if (!outcome.per_pair.empty() && !options.open_loop() &&
      static_cast<double>(outcome.per_pair.front()) * 10 <
          per(static_cast<double>(outcome.window.finished), options.pairs))
    doubts.emplace_back("some pairs were starved (less than a tenth of the mean)");
  if (outcome.behind > 0)
    doubts.push_back("the load fell behind its schedule: " + std::to_string(outcome.behind) +
                     " were due but never begun; latency understates the overload");
  return doubts;
}

void print_table(const SipOptions& options, const SipOutcome& outcome) {
  const SipCounts& w = outcome.window;
  const SipCounts& t = outcome.total;
  const char* const one = unit(options);
  if (options.idle > 0) {
    std::printf("idle registered users    %u, %s\n", options.idle, options.transport_text.c_str());
  } else {
    const std::string amount =
        options.pairwise() ? std::to_string(options.pairs) + " pairs" : std::to_string(options.users.size()) + " users";
    std::printf("load                     %s, %s, %s, %s\n", options.mode_text.c_str(), amount.c_str(),
                options.transport_text.c_str(),
                options.open_loop() ? ("open loop " + std::to_string(options.rate_per_s) + "/s").c_str()
                                    : ("window " + std::to_string(options.window)).c_str());
    std::printf("measured                 %.3f s, %llu %ss\n", outcome.measured_s,
                static_cast<unsigned long long>(w.finished), one);
    std::printf("throughput               %.0f %ss/s\n", per(static_cast<double>(w.finished), outcome.measured_s), one);
    if (options.mode == SipMode::pager)
      std::printf("deliveries               %.0f/s; of %llu messages %llu were to lists of %u, %llu to the group\n",
                  per(static_cast<double>(w.deliveries), outcome.measured_s), static_cast<unsigned long long>(w.begun),
                  static_cast<unsigned long long>(w.to_lists), options.pager.list, static_cast<unsigned long long>(w.to_groups));
    std::printf("latency\n");
    if (options.pairwise()) print_latency("delivered", outcome.delivery);
    print_latency("answered", outcome.answered);
    if (options.mode == SipMode::call) print_latency("BYE answered", outcome.teardown);
    if (!outcome.per_pair.empty())
      std::printf("%ss per pair        min %llu, median %llu, max %llu\n", one,
                  static_cast<unsigned long long>(outcome.per_pair.front()),
                  static_cast<unsigned long long>(outcome.per_pair[outcome.per_pair.size() / 2]),
                  static_cast<unsigned long long>(outcome.per_pair.back()));
  }
  if (outcome.server_known()) {
    const auto user = static_cast<double>(outcome.server_end.user_ticks - outcome.server_begin.user_ticks);
    const auto system = static_cast<double>(outcome.server_end.system_ticks - outcome.server_begin.system_ticks);
    if (options.idle == 0)
      std::printf("server CPU               %.2f us/%s, %.2f cores (%.0f %% user), %u processes\n",
                  outcome.server_us_per_transaction(), one, outcome.server_cores(), 100 * per(user, user + system),
                  outcome.server_end.processes);
    if (options.mode == SipMode::pager)
      std::printf("                         %.2f us/delivery\n", outcome.server_us_per(w.deliveries));
    std::printf("server memory            %llu KiB PSS, %llu before the load",
                static_cast<unsigned long long>(outcome.pss_after_kib),
                static_cast<unsigned long long>(outcome.pss_before_kib));
    if (options.idle > 0)
      std::printf(
          ": %.2f KiB per user",
          per(static_cast<double>(outcome.pss_after_kib) - static_cast<double>(outcome.pss_before_kib), options.idle));
    std::printf("\n");
  }
  if (options.idle == 0) {
    std::printf("own CPU                  %.2f us/%s, %.2f of %u cores (%.0f %% user)\n",
                outcome.own_us_per_transaction(), one, outcome.own_cores(), options.threads,
                100 * per(static_cast<double>(outcome.own_user_ns), static_cast<double>(outcome.own_cpu_ns)));
    std::printf("whole run                ");
    bool first = true;
    for (const Named& count : all_counts(t)) {
      if (count.value == 0 && std::string_view(count.name) != "lost" && std::string_view(count.name) != "retransmitted")
        continue;
      std::printf("%s%s %llu", first ? "" : ", ", count.name, static_cast<unsigned long long>(count.value));
      first = false;
    }
    std::printf("\nrefusals by status       %s\n", statuses_text(outcome.statuses).c_str());
  }
  for (const std::string& note : outcome.notes) std::printf("note: %s\n", note.c_str());
  for (const std::string& doubt : warn(options, outcome)) std::printf("warning: %s\n", doubt.c_str());
  const std::vector<std::string> wrong = judge(options, outcome);
  for (const std::string& reason : wrong) std::printf("FAILED: %s\n", reason.c_str());
  if (wrong.empty()) std::printf("ok\n");
  std::fflush(stdout);
}

bool write_json(const SipOptions& options, const SipOutcome& outcome) {
  const SipCounts& w = outcome.window;
  nlohmann::json out;
  const bool pager = options.mode == SipMode::pager;
  out["mode"] = options.idle > 0 ? "sip-idle" : pager ? "pager" : "sip-" + options.mode_text;
  out["load"] = {{"transport", options.transport_text},
                 {"users", options.users.size()},
                 {"pairs", options.pairwise() ? options.pairs : 0},
                 {"window", options.window},
                 {"rate", options.rate_per_s},
                 {"size", options.size_bytes},
                 {"registers", options.registers},
                 {"challenge_each", options.challenge_each},
                 {"idle", options.idle},
                 {"threads", options.threads}};
  if (pager) {
    out["load"]["cpim"] = options.pager.cpim;
    out["load"]["list"] = options.pager.list;
    out["load"]["group_members"] = options.pager.group_members;
    out["deliveries_per_s"] = per(static_cast<double>(w.deliveries), outcome.measured_s);
    if (outcome.server_known()) out["server_cpu_us_per_delivery"] = outcome.server_us_per(w.deliveries);
  }
  out["measured_s"] = outcome.measured_s;
  out["transactions"] = w.finished;
  out["transactions_per_s"] = per(static_cast<double>(w.finished), outcome.measured_s);
  out["latency_us"] = latency_json(outcome.answered);
  if (options.pairwise()) out["delivered_us"] = latency_json(outcome.delivery);
  if (options.mode == SipMode::call) out["bye_us"] = latency_json(outcome.teardown);
  if (!outcome.per_pair.empty())
    out["per_pair"] = {{"min", outcome.per_pair.front()},
                       {"median", outcome.per_pair[outcome.per_pair.size() / 2]},
                       {"max", outcome.per_pair.back()}};
  out["own_cpu_us_per_transaction"] = outcome.own_us_per_transaction();
  out["own_user_us_per_transaction"] =
      per(static_cast<double>(outcome.own_user_ns) / 1000.0, static_cast<double>(w.finished));
  out["own_cores"] = outcome.own_cores();
  if (outcome.server_known()) {
    out["server_cpu_us_per_transaction"] = outcome.server_us_per_transaction();
    out["server_cores"] = outcome.server_cores();
    out["server_user_ticks"] = outcome.server_end.user_ticks - outcome.server_begin.user_ticks;
    out["server_system_ticks"] = outcome.server_end.system_ticks - outcome.server_begin.system_ticks;
    out["server_pss_kib"] = outcome.pss_after_kib;
    out["server_pss_before_kib"] = outcome.pss_before_kib;
  }
  for (const Named& count : all_counts(outcome.total)) out["total"][count.name] = count.value;
  out["total"]["behind"] = outcome.behind;
  out["total"]["datagrams_dropped"] = outcome.datagrams_dropped;
  out["refusals"] = codes_json(outcome.statuses);
  out["notes"] = outcome.notes;
  out["warnings"] = warn(options, outcome);
  out["failures"] = judge(options, outcome);
  return write_json_text(out, options.json_file);
}

}  // namespace parley::load
