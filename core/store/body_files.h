// core/store/body_files.h - the bodies of large messages: a directory with one file each, and one thread that alone
// writes and reads them, so that no commit waits for a long message and no message for the length of another's.
//
// What was submitted is carried out in its order. A file is there for good when it was synced; whether it is still
// wanted says the row of its message, so what has no row when the process begins is removed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/store/store.h"

namespace parley::core {

struct BodyFilesConfig {
  std::string directory;                        // made if it is not there; its parent has to be
  std::uint64_t waiting_bytes_max = 256 << 20;  // of writes and of what was read for; beyond it they are refused
  std::function<void(std::uint32_t shard, std::vector<StoreResult>&& results)> answer{};
};

// Of the body with that id, in its directory.
[[nodiscard]] std::string body_file_name(std::uint64_t id);

class BodyFiles {
 public:
  // Null and a sentence when the directory can not be used.
  static std::unique_ptr<BodyFiles> open(BodyFilesConfig config, std::string& error);
  // Carries out what was submitted, and ends.
  ~BodyFiles();

  // Before start(): removes what is none of these, which are in order; how many.
  std::size_t keep_only(const std::vector<std::uint64_t>& ids);
  void start();

  [[nodiscard]] static bool takes(const StoreOp& op);
  // False: it is refused.
  bool submit(std::uint32_t shard, StoreOp&& op);
  void drop(std::uint64_t id) { (void)submit(0, {0, DropBody{id}}); }

  [[nodiscard]] std::uint64_t waiting_bytes() const;
  [[nodiscard]] std::uint64_t failures() const;  // operations that the disk refused
  // All that was submitted before has been carried out.
  [[nodiscard]] bool at_rest() const;

 private:
  struct State;
  explicit BodyFiles(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::core
