// tools/parleyd/exposition.cc - the shards' counters as Prometheus text (exposition format 0.0.4).
#include "tools/parleyd/exposition.h"

#include <dirent.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

namespace parley::parleyd {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

// parley_x_total{reason="a",kind="b"} taken apart; metrics.def writes labels into the name because they never change.
struct Name {
  std::string family;
  Labels labels;
  double scale = 1;
};

Name take_apart(std::string_view text) {
  Name name;
  const auto brace = text.find('{');
  name.family = text.substr(0, brace);
  // Cells are integers, Prometheus wants base units.
  constexpr std::string_view microseconds = "_microseconds";
  if (name.family.ends_with(microseconds)) {
    name.family.replace(name.family.size() - microseconds.size(), microseconds.size(), "_seconds");
    name.scale = 1e-6;
  }
  if (brace == std::string_view::npos) return name;
  std::string_view rest = text.substr(brace + 1);
  for (;;) {
    const auto equals = rest.find("=\"");
    if (equals == std::string_view::npos) return name;
    const auto quote = rest.find('"', equals + 2);
    if (quote == std::string_view::npos) return name;
    name.labels.push_back(
        {std::string(rest.substr(0, equals)), std::string(rest.substr(equals + 2, quote - equals - 2))});
    rest.remove_prefix(quote + 1);
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
}

prometheus::ClientMetric sample(Labels labels, core::MetricType type, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (type == core::MetricType::counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

// Families in the order they were first named; the first help text speaks for the family.
class Families {
 public:
  prometheus::MetricFamily& at(const std::string& name, core::MetricType type, std::string_view help) {
    const auto [it, fresh] = index_.try_emplace(name, families_.size());
    if (fresh) {
      prometheus::MetricFamily family;
      family.name = name;
      family.help = help;
      family.type = type == core::MetricType::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
      families_.push_back(std::move(family));
    }
    return families_[it->second];
  }
  [[nodiscard]] const std::vector<prometheus::MetricFamily>& all() const { return families_; }

 private:
  std::vector<prometheus::MetricFamily> families_;
  std::map<std::string, std::size_t> index_;
};

double open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -1;  // the one that looks
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count;
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double start_time_seconds() {
  std::ifstream stat("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const auto after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream fields(text.substr(after_name + 1));
  std::string skipped;
  for (int i = 0; i < 19; ++i) fields >> skipped;  // field 22 is the start in clock ticks since boot
  double ticks = 0;
  fields >> ticks;
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const double boot = static_cast<double>(::time(nullptr) - since_boot.tv_sec);
  return boot + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

std::string exposition(std::span<const core::Metrics* const> shards, std::span<const ProcessSample> process) {
  Families families;
  for (std::size_t i = 0; i < core::metric_count; ++i) {
    const auto metric = static_cast<core::Metric>(i);
    const core::MetricInfo& info = core::metric_info(metric);
    const Name name = take_apart(info.name);
    auto& family = families.at(name.family, info.type, info.help);
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
      Labels labels = name.labels;
      labels.push_back({"shard", std::to_string(shard)});
      const double value = static_cast<double>(shards[shard]->get(metric)) * name.scale;
      family.metric.push_back(sample(std::move(labels), info.type, value));
    }
  }
  for (const ProcessSample& fact : process) {
    Labels labels;
    for (const auto& [label, value] : fact.labels) labels.push_back({label, value});
    families.at(fact.name, fact.type, fact.help).metric.push_back(sample(std::move(labels), fact.type, fact.value));
  }
  std::ostringstream out;
  prometheus::TextSerializer{}.Serialize(out, families.all());
  return out.str();
}

std::vector<ProcessSample> process_samples() {
  using core::MetricType;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  return {
      {"process_cpu_seconds_total",
       MetricType::counter,
       "CPU time used, user and system.",
       {},
       seconds(usage.ru_utime) + seconds(usage.ru_stime)},
      {"process_resident_memory_bytes", MetricType::gauge, "Resident memory.", {}, resident_bytes()},
      {"process_open_fds", MetricType::gauge, "Open file descriptors.", {}, open_descriptors()},
      {"process_max_fds",
       MetricType::gauge,
       "The limit of open file descriptors.",
       {},
       static_cast<double>(descriptors.rlim_cur)},
      {"process_start_time_seconds",
       MetricType::gauge,
       "When the process started, Unix time.",
       {},
       start_time_seconds()},
  };
}

}  // namespace parley::parleyd
