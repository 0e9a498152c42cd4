// tools/parley-load/deferred_report.cc - the verdict, the table and the JSON of a load of deferred messages.
#include "tools/parley-load/deferred_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/parley-load/report_parts.h"

namespace parley::load {
namespace {

double ratio_p99(const DeferredOutcome& found) {
  return per(static_cast<double>(found.busy.percentile_ns(0.99)), static_cast<double>(found.calm.percentile_ns(0.99)));
}

nlohmann::json latencies_json(const std::vector<Histogram>& all) {
  nlohmann::json out = nlohmann::json::array();
  for (const Histogram& one : all) out.push_back(latency_json(one));
  return out;
}

}  // namespace

std::vector<std::string> judge(const DeferredOptions& options, const DeferredOutcome& found) {
  std::vector<std::string> wrong;
  const auto check = [&wrong](uint64_t count, const char* what) {
    if (count > 0) wrong.push_back(std::to_string(count) + " " + what);
  };
  uint64_t refused = 0;
  for (const auto& [status, count] : found.refusals) refused += count;
  check(found.lost, "stored messages that never came");
  check(found.twice, "messages that came twice");
  check(found.out_of_order, "messages behind a later one of their sender");
  check(found.corrupted, "messages corrupted");
  check(found.unanswered, "transactions that did not come to their end");
  check(found.bad_messages, "malformed messages");
  check(refused, "requests refused");
  if (options.push_rate_max > 0 && static_cast<double>(found.per_second_max) > options.push_rate_max)
    wrong.push_back(std::to_string(found.per_second_max) + " deliveries in one second (--push-rate-max)");
  if (options.ratio_max > 0 && ratio_p99(found) > options.ratio_max) {
    char text[80];
    std::snprintf(text, sizeof text, "p99 of the two who talk is %.2f times what it was (--ratio-max)", ratio_p99(found));
    wrong.emplace_back(text);
  }
  return wrong;
}

void print_table(const DeferredOptions& options, const DeferredOutcome& found) {
  std::printf("%u users away, %u messages each of %u bytes, %u senders\n", options.receivers, options.messages,
              options.size_bytes, options.senders);
  std::printf("  stored                 %llu in %.1f s: %.0f/s", static_cast<unsigned long long>(found.stored), found.store_s,
              per(static_cast<double>(found.stored), found.store_s));
  if (found.server_known) std::printf(", %.1f us of server CPU each", found.server_store_us);
  std::printf("\n");
  print_latency("due to 202", found.storing);
  std::printf("  all back after         %.1f s\n", found.register_s);
  std::printf("  delivered              %llu in %.1f s: %.0f/s, at most %llu in a second",
              static_cast<unsigned long long>(found.delivered), found.push_s,
              per(static_cast<double>(found.delivered), found.push_s), static_cast<unsigned long long>(found.per_second_max));
  if (found.server_known) std::printf(", %.1f us of server CPU each", found.server_push_us);
  std::printf("\n");
  if (options.online_per_s > 0) {
    print_latency("two who talk, calm", found.calm);
    print_latency("two who talk, push", found.busy);
    std::printf("  p99, push to calm      %.2f\n", ratio_p99(found));
  }
  std::printf("  retransmissions        %llu sent, %llu received; %llu stray, %llu dropped by our kernel\n",
              static_cast<unsigned long long>(found.retransmitted), static_cast<unsigned long long>(found.repeated),
              static_cast<unsigned long long>(found.stray), static_cast<unsigned long long>(found.datagrams_dropped));
  for (const std::string& note : found.notes) std::printf("  note: %s\n", note.c_str());
  for (const std::string& wrong : judge(options, found)) std::printf("  WRONG: %s\n", wrong.c_str());
}

bool write_json(const DeferredOptions& options, const DeferredOutcome& found) {
  const nlohmann::json out = {{"receivers", options.receivers},
                              {"messages", options.messages},
                              {"size", options.size_bytes},
                              {"stored", found.stored},
                              {"stored_per_s", per(static_cast<double>(found.stored), found.store_s)},
                              {"taken_at_once", found.at_once},
                              {"registered", found.registered},
                              {"register_s", found.register_s},
                              {"delivered", found.delivered},
                              {"push_s", found.push_s},
                              {"per_second_max", found.per_second_max},
                              {"lost", found.lost},
                              {"twice", found.twice},
                              {"out_of_order", found.out_of_order},
                              {"corrupted", found.corrupted},
                              {"unanswered", found.unanswered},
                              {"retransmitted", found.retransmitted},
                              {"repeated", found.repeated},
                              {"stray", found.stray},
                              {"talked", found.talked},
                              {"refusals", codes_json(found.refusals)},
                              {"server_us_per_stored", found.server_store_us},
                              {"server_us_per_delivered", found.server_push_us},
                              {"storing_us", latency_json(found.storing)},
                              {"calm_us", latency_json(found.calm)},
                              {"push_us", latency_json(found.busy)},
                              {"push_us_by_second", latencies_json(found.busy_by_second)},
                              {"p99_ratio", ratio_p99(found)},
                              {"wrong", judge(options, found)}};
  return write_json_text(out, options.json_file);
}

}  // namespace parley::load
