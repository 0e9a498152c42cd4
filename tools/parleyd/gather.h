// tools/parleyd/gather.h - one question to several shards, their answers in one place, with a time limit.
//
// Admin threads ask and wait; shard threads answer and go on. An answer that comes too late finds nobody.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/seam.h"

namespace parley::parleyd {

class Gather {
 public:
  using Answers = std::vector<std::optional<std::string>>;  // by shard; nothing: no answer in time
  // Hands a request to a shard's loop; false when the loop takes no more.
  using Post = std::function<bool(std::uint32_t shard, core::AdminRequest request)>;

  Gather(std::uint32_t shard_count, Post post) : shard_count_(shard_count), post_(std::move(post)) {}

  // Waits at most `limit`.
  Answers ask_all(core::AdminRequest::Kind kind, const std::string& argument, std::chrono::milliseconds limit);
  std::optional<std::string> ask(std::uint32_t shard, core::AdminRequest::Kind kind, const std::string& argument,
                                 std::chrono::milliseconds limit);

  // From a shard's thread.
  void answer(std::uint64_t id, std::string json);

 private:
  struct Round {
    Answers answers;
    std::size_t missing = 0;
  };
  struct Place {
    Round* round;
    std::size_t index;
  };
  Answers run(std::uint32_t first, std::uint32_t count, core::AdminRequest::Kind kind, const std::string& argument,
              std::chrono::milliseconds limit);

  const std::uint32_t shard_count_;
  const Post post_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<std::uint64_t, Place> open_;
  std::uint64_t next_id_ = 1;
};

}  // namespace parley::parleyd
