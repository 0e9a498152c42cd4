// tests/core/metrics_test.cc - every metric has a legal, unique name, one type per family, and a help text.
#include "core/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>

namespace parley::core {
namespace {

TEST(Metrics, the_table_is_fit_for_exposition) {
  const std::regex legal(R"re(parley_[a-z0-9_]+(\{[a-z_]+="[A-Za-z0-9_]+"(,[a-z_]+="[A-Za-z0-9_]+")*\})?)re");
  std::set<std::string> names;
  std::map<std::string, MetricType> family_types;
  for (std::size_t i = 0; i < metric_count; ++i) {
    const MetricInfo& info = metric_info(static_cast<Metric>(i));
    const std::string name(info.name);
    EXPECT_TRUE(std::regex_match(name, legal)) << name;
    EXPECT_TRUE(names.insert(name).second) << name << " stands twice";
    EXPECT_FALSE(info.help.empty()) << name;
    const std::string family = name.substr(0, name.find('{'));
    EXPECT_EQ(family_types.emplace(family, info.type).first->second, info.type) << family;
    EXPECT_EQ(family.ends_with("_total"), info.type == MetricType::counter) << name;
  }
}

TEST(Metrics, cells_count) {
  Metrics metrics;
  metrics.add(Metric::connections, 3);
  metrics.sub(Metric::connections);
  metrics.set(Metric::heap_bytes, 77);
  EXPECT_EQ(metrics.get(Metric::connections), 2U);
  EXPECT_EQ(metrics.get(Metric::heap_bytes), 77U);
  EXPECT_EQ(metrics.get(Metric::loop_turns), 0U);
  EXPECT_EQ(metric_info(Metric::connections).name, "parley_connections");
}

}  // namespace
}  // namespace parley::core
