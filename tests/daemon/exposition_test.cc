// tests/daemon/exposition_test.cc - the metrics page, judged by promtool where that is installed.
#include "tools/parleyd/exposition.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

namespace parley::parleyd {
namespace {

using core::Metric;

std::string page() {
  static core::Metrics shards[2];
  shards[0].set(Metric::msrp_requests_send, 7);
  shards[1].set(Metric::msrp_requests_send, 1'000'000'007);
  shards[0].set(Metric::loop_lag_us, 1500);
  const core::Metrics* both[] = {&shards[0], &shards[1]};
  auto facts = process_samples();
  facts.push_back({"parley_build_info", core::MetricType::gauge, "Version.", {{"version", "1"}}, 1});
  return exposition(both, facts);
}

TEST(Exposition, labels_leave_the_name_and_each_shard_has_its_own_sample) {
  const std::string text = page();
  EXPECT_NE(text.find("parley_msrp_requests_total{method=\"SEND\",shard=\"0\"} 7\n"), std::string::npos) << text;
  EXPECT_NE(text.find("parley_msrp_requests_total{method=\"SEND\",shard=\"1\"} 1000000007\n"), std::string::npos);
  EXPECT_NE(text.find("parley_build_info{version=\"1\"} 1\n"), std::string::npos);
}

TEST(Exposition, one_header_per_family) {
  const std::string text = page();
  const std::string header = "# TYPE parley_msrp_requests_total counter\n";
  const auto first = text.find(header);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find(header, first + 1), std::string::npos);
}

TEST(Exposition, times_are_in_seconds) {
  EXPECT_NE(page().find("parley_loop_lag_seconds{shard=\"0\"} 0.0015"), std::string::npos) << page();
}

TEST(Exposition, process_facts_are_believable) {
  for (const ProcessSample& fact : process_samples()) EXPECT_GT(fact.value, 0) << fact.name;
}

TEST(Exposition, promtool_has_no_complaint) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "promtool (Debian package prometheus) is not installed";
  FILE* promtool = ::popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = page();
  std::fwrite(text.data(), 1, text.size(), promtool);
  const int status = ::pclose(promtool);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace parley::parleyd
