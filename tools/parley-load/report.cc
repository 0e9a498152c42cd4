// tools/parley-load/report.cc - the verdict, the warnings, the table and the JSON.
#include "tools/parley-load/report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/parley-load/report_parts.h"

namespace parley::load {
namespace {

std::string codes_text(const std::map<unsigned, uint64_t>& codes) {
  std::string out;
  for (const auto& [code, count] : codes)
    out +=
        (out.empty() ? "" : ", ") + (code == 0 ? "aborted '#'" : std::to_string(code)) + ": " + std::to_string(count);
  return out.empty() ? "none" : out;
}

}  // namespace

std::vector<std::string> judge(const Options& options, const Result& result) {
  std::vector<std::string> wrong;
  const auto check = [&wrong](uint64_t count, const char* what) {
    if (count > 0) wrong.push_back(std::to_string(count) + " " + what);
  };
  const Counts& t = result.total;
  check(t.lost, "messages lost");
  check(t.duplicated, "chunks or messages duplicated");
  check(t.reordered, "messages out of order");
  check(t.corrupted, "messages corrupted");
  check(t.unanswered, "messages delivered without their answers or reports");
  check(t.bad_frames, "malformed frames");
  check(t.connections_lost, "connections lost");
  if (!options.allow_errors) check(t.failed, "messages refused (--allow-errors lets them pass)");
  if (options.idle == 0 && result.window.delivered == 0) wrong.emplace_back("nothing delivered while measuring");
  return wrong;
}

std::vector<std::string> warn(const Options& options, const Result& result) {
  std::vector<std::string> doubts;
  if (options.idle > 0) return doubts;
  const double own = result.own_cores() / options.threads;
  if (own > 0.9 && result.server_known() && result.server_cores() < 0.9)
    doubts.emplace_back(
        "the generator was saturated and the server was not: messages/s and latency show the generator"
        " (server CPU per message still holds); use --threads or fewer messages");
  if (own > 0.9 && options.server_pids.empty())
    doubts.emplace_back("the generator was saturated: messages/s and latency may show the generator, not the server");
  if (own > 0.9 && options.open_loop())
    doubts.emplace_back("the generator was saturated in an open loop: latency includes its own delays");
  if (!options.server_pids.empty() && !result.server_known())
    doubts.emplace_back(result.server_tree_grew
                            ? "server CPU is unknown: the server started processes during the measurement"
                            : "server CPU is unknown: a process of --server-pid ended or cannot be read");
  if (result.server_known() && result.server_end.cpu_ns - result.server_begin.cpu_ns < 20'000'000)
    doubts.emplace_back("the server used less than 20 ms of CPU: too little to divide by");
  if (!result.per_pair.empty() && !options.open_loop() &&
      static_cast<double>(result.per_pair.front()) * 10 <
          per(static_cast<double>(result.window.delivered), options.pairs))
    doubts.emplace_back(
        "some pairs were starved (less than a tenth of the mean): closed-loop latency leaves their"
        " waiting out");
  if (result.behind > 0)
    doubts.push_back("the load fell behind its schedule: " + std::to_string(result.behind) +
                     " messages were due but never begun; latency understates the overload");
  const double run_s = options.warmup_s + options.duration_s + options.drain_s;
  if (result.expires_min_s != UINT64_MAX && static_cast<double>(result.expires_min_s) < run_s)
    doubts.push_back("the relay granted only " + std::to_string(result.expires_min_s) +
                     " s (Expires) and AUTH is not refreshed: sessions may have ended within the run");
  return doubts;
}

void print_table(const Options& options, const Result& result) {
  const Counts& w = result.window;
  const Counts& t = result.total;
  if (options.idle > 0) {
    std::printf("idle connections         %u\n", options.idle);
  } else {
    const auto messages = static_cast<double>(w.delivered);
    std::printf("load                     %u pairs, %s, %s bytes%s%s%s\n", options.pairs,
                options.open_loop() ? ("open loop " + std::to_string(options.rate_per_s) + "/s").c_str()
                                    : ("window " + std::to_string(options.window)).c_str(),
                options.sizes.empty() ? std::to_string(options.size_bytes).c_str() : options.sizes_text.c_str(),
                options.chunk_bytes > 0 ? (" in chunks of " + std::to_string(options.chunk_bytes)).c_str() : "",
                options.tls ? ", TLS" : "", options.is_direct ? ", no MSRP relay (direct)" : "");
    std::printf("measured                 %.3f s, %llu messages\n", result.measured_s,
                static_cast<unsigned long long>(w.delivered));
    std::printf("throughput               %.0f messages/s, %.2f MB/s of bodies\n", per(messages, result.measured_s),
                per(static_cast<double>(w.delivered_bytes) / 1e6, result.measured_s));
    std::printf("latency\n");
    print_latency("delivered", result.delivery);
    print_latency("answered", result.answered);
    std::printf("  oldest still under way when the measurement ended %.1f us\n",
                static_cast<double>(result.waiting_max_ns) / 1000.0);
    if (!result.per_pair.empty())
      std::printf("messages per pair        min %llu, median %llu, max %llu\n",
                  static_cast<unsigned long long>(result.per_pair.front()),
                  static_cast<unsigned long long>(result.per_pair[result.per_pair.size() / 2]),
                  static_cast<unsigned long long>(result.per_pair.back()));
  }
  if (result.server_known()) {
    const auto user = static_cast<double>(result.server_end.user_ticks - result.server_begin.user_ticks);
    const auto system = static_cast<double>(result.server_end.system_ticks - result.server_begin.system_ticks);
    if (options.idle == 0)
      std::printf("server CPU               %.2f us/message, %.2f cores (%.0f %% user), %u processes\n",
                  result.server_us_per_message(), result.server_cores(), 100 * per(user, user + system),
                  result.server_end.processes);
    std::printf("server memory            %llu KiB PSS, %llu before the connections",
                static_cast<unsigned long long>(result.pss_after_kib),
                static_cast<unsigned long long>(result.pss_before_kib));
    if (options.idle > 0)
      std::printf(
          ": %.2f KiB per connection",
          per(static_cast<double>(result.pss_after_kib) - static_cast<double>(result.pss_before_kib), options.idle));
    std::printf("\n");
  }
  if (options.idle == 0) {
    std::printf(
        "own CPU                  %.2f us/message, %.2f of %u cores (%.0f %% user, the rest is the kernel's TCP)\n",
        result.own_us_per_message(), result.own_cores(), options.threads,
        100 * per(static_cast<double>(result.own_user_ns), static_cast<double>(result.own_cpu_ns)));
    std::printf("whole run                %llu begun, %llu delivered, %llu answers, %llu success reports\n",
                static_cast<unsigned long long>(t.begun),
                static_cast<unsigned long long>(t.delivered + t.slow_delivered),
                static_cast<unsigned long long>(t.answers), static_cast<unsigned long long>(t.success_reports));
    std::printf("chunks                   %llu sent, %llu received\n", static_cast<unsigned long long>(t.chunks_sent),
                static_cast<unsigned long long>(t.chunks_received));
    if (options.slow_readers > 0)
      std::printf(
          "slow readers             %u pairs, %llu body bytes offered in all, %llu messages delivered in the end\n",
          options.slow_readers, static_cast<unsigned long long>(t.slow_bytes_sent),
          static_cast<unsigned long long>(t.slow_delivered));
    std::printf(
        "lost %llu, duplicated %llu, reordered %llu, corrupted %llu, unanswered %llu, refused %llu, stray %llu\n",
        static_cast<unsigned long long>(t.lost), static_cast<unsigned long long>(t.duplicated),
        static_cast<unsigned long long>(t.reordered), static_cast<unsigned long long>(t.corrupted),
        static_cast<unsigned long long>(t.unanswered), static_cast<unsigned long long>(t.failed),
        static_cast<unsigned long long>(t.stray));
    std::printf("errors by code           answers %s; reports %s\n", codes_text(result.answer_errors).c_str(),
                codes_text(result.report_errors).c_str());
  }
  for (const std::string& note : result.notes) std::printf("note: %s\n", note.c_str());
  for (const std::string& doubt : warn(options, result)) std::printf("warning: %s\n", doubt.c_str());
  const std::vector<std::string> wrong = judge(options, result);
  for (const std::string& reason : wrong) std::printf("FAILED: %s\n", reason.c_str());
  if (wrong.empty()) std::printf("ok\n");
  std::fflush(stdout);
}

bool write_json(const Options& options, const Result& result) {
  const Counts& w = result.window;
  const Counts& t = result.total;
  nlohmann::json out;
  out["mode"] = options.idle > 0 ? "idle" : options.is_direct ? "direct" : "relay";
  out["load"] = {{"pairs", options.pairs},
                 {"window", options.window},
                 {"rate", options.rate_per_s},
                 {"size", options.size_bytes},
                 {"sizes", options.sizes_text},
                 {"chunk", options.chunk_bytes},
                 {"content", options.content_text},
                 {"tls", options.tls},
                 {"auth_both", options.auth_both},
                 {"failure_report", options.failure_report_text},
                 {"success_reports", options.success_reports},
                 {"slow_readers", options.slow_readers},
                 {"idle", options.idle},
                 {"threads", options.threads}};
  out["measured_s"] = result.measured_s;
  out["messages"] = w.delivered;
  out["messages_per_s"] = per(static_cast<double>(w.delivered), result.measured_s);
  out["mb_per_s"] = per(static_cast<double>(w.delivered_bytes) / 1e6, result.measured_s);
  out["latency_us"] = latency_json(result.delivery);
  out["answered_us"] = latency_json(result.answered);
  out["waiting_max_us"] = static_cast<double>(result.waiting_max_ns) / 1000.0;
  if (!result.per_pair.empty())
    out["messages_per_pair"] = {{"min", result.per_pair.front()},
                                {"median", result.per_pair[result.per_pair.size() / 2]},
                                {"max", result.per_pair.back()}};
  out["own_cpu_us_per_message"] = result.own_us_per_message();
  out["own_user_us_per_message"] =
      per(static_cast<double>(result.own_user_ns) / 1000.0, static_cast<double>(result.window.delivered));
  out["own_cores"] = result.own_cores();
  if (result.server_known()) {
    out["server_cpu_us_per_message"] = result.server_us_per_message();
    out["server_cores"] = result.server_cores();
    out["server_user_ticks"] = result.server_end.user_ticks - result.server_begin.user_ticks;
    out["server_system_ticks"] = result.server_end.system_ticks - result.server_begin.system_ticks;
    out["server_pss_kib"] = result.pss_after_kib;
    out["server_pss_before_kib"] = result.pss_before_kib;
  }
  out["total"] = {{"begun", t.begun},
                  {"delivered", t.delivered + t.slow_delivered},
                  {"answers", t.answers},
                  {"success_reports", t.success_reports},
                  {"chunks_sent", t.chunks_sent},
                  {"chunks_received", t.chunks_received},
                  {"lost", t.lost},
                  {"duplicated", t.duplicated},
                  {"reordered", t.reordered},
                  {"corrupted", t.corrupted},
                  {"unanswered", t.unanswered},
                  {"refused", t.failed},
                  {"stray", t.stray},
                  {"bad_frames", t.bad_frames},
                  {"connections_lost", t.connections_lost},
                  {"behind", result.behind},
                  {"slow_bytes_sent", t.slow_bytes_sent},
                  {"slow_delivered", t.slow_delivered}};
  out["answer_errors"] = codes_json(result.answer_errors);
  out["report_errors"] = codes_json(result.report_errors);
  out["notes"] = result.notes;
  out["warnings"] = warn(options, result);
  out["failures"] = judge(options, result);
  return write_json_text(out, options.json_file);
}

}  // namespace parley::load
