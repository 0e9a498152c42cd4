// tools/parleyd/gather.cc - one question to several shards, their answers in one place, with a time limit.
#include "tools/parleyd/gather.h"

#include <utility>

namespace parley::parleyd {

Gather::Answers Gather::run(std::uint32_t first, std::uint32_t count, core::AdminRequest::Kind kind,
                            const std::string& argument, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  Round round;
  round.answers.resize(count);
  std::vector<std::uint64_t> ids;
  for (std::uint32_t i = 0; i < count; ++i) {
    core::AdminRequest request;
    {
      const std::lock_guard lock(mutex_);
      request.id = next_id_++;
      open_[request.id] = {&round, i};
      ++round.missing;
    }
    ids.push_back(request.id);
    request.kind = kind;
    request.argument = argument;
    if (!post_(first + i, std::move(request))) {
      const std::lock_guard lock(mutex_);
      if (open_.erase(ids.back()) != 0) --round.missing;
    }
  }
  std::unique_lock lock(mutex_);
  answered_.wait_until(lock, until, [&round] { return round.missing == 0; });
  for (const std::uint64_t id : ids) open_.erase(id);
  return std::move(round.answers);
}

Gather::Answers Gather::ask_all(core::AdminRequest::Kind kind, const std::string& argument,
                                std::chrono::milliseconds limit) {
  return run(0, shard_count_, kind, argument, limit);
}

std::optional<std::string> Gather::ask(std::uint32_t shard, core::AdminRequest::Kind kind, const std::string& argument,
                                       std::chrono::milliseconds limit) {
  if (shard >= shard_count_) return std::nullopt;
  return std::move(run(shard, 1, kind, argument, limit).front());
}

void Gather::answer(std::uint64_t id, std::string json) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = open_.find(id);
    if (it == open_.end()) return;
    it->second.round->answers[it->second.index] = std::move(json);
    --it->second.round->missing;
    open_.erase(it);
  }
  answered_.notify_all();
}

}  // namespace parley::parleyd
