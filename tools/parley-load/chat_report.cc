// tools/parley-load/chat_report.cc - the verdict, the table and the JSON of a chat load.
#include "tools/parley-load/chat_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/parley-load/report_parts.h"

namespace parley::load {
double ChatOutcome::server_us_per_join() const {
  return per(static_cast<double>(server_setup_done.cpu_ns - server_setup.cpu_ns) / 1000.0, static_cast<double>(joined));
}
std::vector<std::string> judge(const ChatOptions& options, const ChatOutcome& outcome) {
  std::vector<std::string> wrong;
  const auto check = [&wrong](uint64_t count, const char* what) {
    if (count > 0) wrong.push_back(std::to_string(count) + " " + what);
  };
  const ChatCounts& t = outcome.total;
  check(t.lost, "messages lost");
  check(t.repeated, "messages twice or out of order");
  check(t.echoed, "messages came back to their sender");
  check(t.corrupted, "messages corrupted");
  check(t.aborted, "messages aborted");
  check(t.bad_frames, "malformed frames or SIP messages");
  check(t.connections_lost, "connections lost");
  check(t.expelled, "members expelled");
  check(t.join_errors, "joins failed");
  check(t.reports_missing, "messages missed by members that are behind, and their senders were not told");
  check(t.reports_wrong, "failure REPORTs of what everybody has got or nobody has sent");
  check(t.reports_repeated, "failure REPORTs that came twice");
  check(t.full_again, "full documents to members that had one");
  check(t.out_of_date, "members with an old conference state in the end");
  if (!options.allow_errors) check(t.refused, "messages refused (--allow-errors lets them pass)");
  if (options.duration_s > 0 && outcome.window.delivered == 0) wrong.emplace_back("nothing delivered while measuring");
  return wrong;
}

void print_table(const ChatOptions& o, const ChatOutcome& r) {
  const ChatCounts& w = r.window;
  const ChatCounts& t = r.total;
  const auto count = [](uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("load                     %u rooms of %u, %u senders, %s, bursts of %u, %u bytes, Failure-Report: %s%s\n",
              o.rooms, o.members, o.senders,
              o.open_loop() ? (std::to_string(o.rate_per_s) + " beats/s").c_str() : "closed loop", o.burst,
              o.size_bytes, o.failure_report_text.c_str(), o.tls ? ", TLS" : "");
  std::printf("joined                   %llu members", count(r.joined));
  if (r.server_setup.ok) std::printf(", %.1f us of server CPU each", r.server_us_per_join());
  std::printf("\n");
  print_latency("INVITE to joined", r.joining);
  if (o.duration_s > 0) {
    std::printf("measured                 %.3f s, %llu messages, %llu deliveries\n", r.measured_s, count(w.messages),
                count(r.window_deliveries()));
    std::printf("throughput               %.0f deliveries/s, %.1f messages/s\n",
                per(static_cast<double>(r.window_deliveries()), r.measured_s),
                per(static_cast<double>(w.messages), r.measured_s));
    print_latency("delivered", r.delivery);
    std::printf("  %-22s p99 %.1f us\n", "in the worst second", static_cast<double>(r.worst_second_ns) / 1000.0);
  }
  if (r.server_known() && o.duration_s > 0) {
    const auto user = static_cast<double>(r.server_end.user_ticks - r.server_begin.user_ticks);
    const auto system = static_cast<double>(r.server_end.system_ticks - r.server_begin.system_ticks);
    std::printf("server CPU               %.3f us/delivery, %.2f cores (%.0f %% user)\n", r.server_us_per_delivery(),
                r.server_cores(), 100 * per(user, user + system));
  }
  if (o.duration_s > 0) std::printf("generator CPU            %.3f us/delivery\n", r.own_us_per_delivery());
  if (t.notifies > 0)
    std::printf("conference state         %llu NOTIFYs (%llu full, at most %llu in one subscription), %llu bytes, %llu users in "
                "them: %.0f bytes each\n",
                count(t.notifies), count(t.notifies_full), count(t.full_most), count(t.notify_bytes),
                count(t.notify_users), per(static_cast<double>(t.notify_bytes), static_cast<double>(t.notify_users)));
  if (o.stalled_percent > 0)
    std::printf("stalled members          %llu delivered, %llu missed, %llu closed by the server; %llu failure REPORTs, %llu "
                "messages that should have had one and had none\n",
                count(t.stalled_delivered), count(t.stalled_missed), count(t.stalled_closed), count(t.failure_reports),
                count(t.reports_missing));
  if (t.rejoins > 0 || t.leaves > 0)
    std::printf("joins                    %llu, of them %llu after a lost connection, to whom %llu messages came again\n",
                count(t.joins), count(t.rejoins), count(t.doubled));
  std::printf("answers, reports         %llu answers, %llu success and %llu failure reports, %llu refused\n",
              count(t.answers), count(t.success_reports), count(t.failure_reports), count(t.refused));
  if (t.skipped > 0) std::printf("beats without a sender   %llu\n", count(t.skipped));
  for (const auto& [status, n] : r.statuses) std::printf("status %u                %llu\n", status, count(n));
  for (const std::string& note : r.notes) std::printf("note                     %s\n", note.c_str());
  const auto wrong = judge(o, r);
  for (const std::string& what : wrong) std::printf("WRONG                    %s\n", what.c_str());
  if (wrong.empty()) std::printf("verified                 every message once and in order at every member\n");
}

bool write_json(const ChatOptions& o, const ChatOutcome& r) {
  const auto counts = [](const ChatCounts& c) {
    return nlohmann::json{{"messages", c.messages},
                          {"delivered", c.delivered},
                          {"delivered_bytes", c.delivered_bytes},
                          {"stalled_delivered", c.stalled_delivered},
                          {"stalled_missed", c.stalled_missed},
                          {"stalled_closed", c.stalled_closed},
                          {"answers", c.answers},
                          {"success_reports", c.success_reports},
                          {"failure_reports", c.failure_reports},
                          {"reports_repeated", c.reports_repeated},
                          {"reports_wrong", c.reports_wrong},
                          {"reports_missing", c.reports_missing},
                          {"doubled", c.doubled},
                          {"lost", c.lost},
                          {"repeated", c.repeated},
                          {"echoed", c.echoed},
                          {"corrupted", c.corrupted},
                          {"aborted", c.aborted},
                          {"refused", c.refused},
                          {"bad_frames", c.bad_frames},
                          {"connections_lost", c.connections_lost},
                          {"expelled", c.expelled},
                          {"joins", c.joins},
                          {"rejoins", c.rejoins},
                          {"leaves", c.leaves},
                          {"join_errors", c.join_errors},
                          {"notifies", c.notifies},
                          {"notifies_full", c.notifies_full},
                          {"notify_bytes", c.notify_bytes},
                          {"notify_users", c.notify_users},
                          {"full_again", c.full_again},
                          {"full_most", c.full_most},
                          {"out_of_date", c.out_of_date},
                          {"skipped", c.skipped}};
  };
  nlohmann::json out{{"load",
                      {{"rooms", o.rooms},
                       {"members", o.members},
                       {"senders", o.senders},
                       {"rate", o.rate_per_s},
                       {"burst", o.burst},
                       {"size", o.size_bytes},
                       {"failure_report", o.failure_report_text},
                       {"stalled", o.stalled_percent},
                       {"reconnect", o.reconnect_percent},
                       {"storm", o.storm},
                       {"subscribe", o.subscribe},
                       {"tls", o.tls}}},
                     {"measured_s", r.measured_s},
                     {"joined", r.joined},
                     {"window", counts(r.window)},
                     {"total", counts(r.total)},
                     {"deliveries_per_s", per(static_cast<double>(r.window_deliveries()), r.measured_s)},
                     {"delivery_us", latency_json(r.delivery)},
                     {"worst_second_p99_us", static_cast<double>(r.worst_second_ns) / 1000.0},
                     {"joining_us", latency_json(r.joining)},
                     {"own_us_per_delivery", r.own_us_per_delivery()},
                     {"statuses", codes_json(r.statuses)},
                     {"wrong", judge(o, r)}};
  if (r.server_known()) {
    out["server_us_per_delivery"] = r.server_us_per_delivery();
    out["server_us_per_join"] = r.server_us_per_join();
  }
  return write_json_text(out, o.json_file);
}

}  // namespace parley::load
