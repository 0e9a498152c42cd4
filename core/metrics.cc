// core/metrics.cc - names, types and help texts of metrics.def as a table.
#include "core/metrics.h"

#include "core/check.h"

namespace parley::core {

namespace {

constexpr MetricType counter = MetricType::counter;
constexpr MetricType gauge = MetricType::gauge;

constexpr std::array<MetricInfo, metric_count> infos = {{
#define PARLEY_METRIC(id, type, name, help) {name, type, help},
#include "core/metrics.def"
#undef PARLEY_METRIC
}};

}  // namespace

const MetricInfo& metric_info(Metric metric) {
  CHECK(metric < Metric::count_);
  return infos[static_cast<std::size_t>(metric)];
}

}  // namespace parley::core
