// tools/parleyd/exposition.h - the shards' counters as Prometheus text (exposition format 0.0.4).
//
// Each shard's cells become samples with a `shard` label; summing over it gives the process. Called by admin threads
// while the shards count on: a sample is a relaxed load, so a scrape costs the message path nothing.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics.h"

namespace parley::parleyd {

// A fact about the process that no shard counts.
struct ProcessSample {
  std::string name;
  core::MetricType type = core::MetricType::gauge;
  std::string help;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

std::string exposition(std::span<const core::Metrics* const> shards, std::span<const ProcessSample> process);

// Memory, descriptors, CPU time and start time of this process, by the names Prometheus clients agree on.
std::vector<ProcessSample> process_samples();

}  // namespace parley::parleyd
