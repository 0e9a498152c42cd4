// tests/sim/mail/bodies.h - the files in which the store of this world keeps large messages: what was written and not
// synced is lost at a crash of the machine, or there in part; one of the process alone leaves it as it is.
//
// Knows nothing of rows; the disk says which bodies are wanted (disk.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/store/store.h"
#include "tests/sim/rng.h"

namespace parley::sim::mail {

class Bodies {
 public:
  explicit Bodies(std::uint64_t seed) : rng_(seed, 42) {}

  [[nodiscard]] static bool takes(const core::StoreOp& op);
  // `full`: the disk takes nothing, though a part of a write may be there.
  void carry_out(const core::StoreOp& op, bool full, core::StoreResult& result);
  void drop(std::uint64_t id) { files_.erase(id); }
  // The machine has lost its power, or the process alone has died.
  void crash(bool power);

  // All of it can not be lost any more.
  [[nodiscard]] bool lasts(std::uint64_t id, std::uint64_t bytes) const;
  [[nodiscard]] bool is_there(std::uint64_t id, std::uint64_t bytes) const;
  template <typename Wanted>
  void keep_only(const Wanted& wanted) {
    std::erase_if(files_, [&](const auto& each) { return !wanted(each.first); });
  }
  [[nodiscard]] std::size_t size() const { return files_.size(); }
  [[nodiscard]] std::uint64_t torn() const { return torn_; }

 private:
  struct Write {
    std::uint64_t offset = 0;
    std::string bytes;
  };
  struct File {
    std::string bytes;          // as a reader sees it
    std::string synced;         // as it is after a crash
    bool named = false;         // its name, too
    std::vector<Write> writes;  // since then
  };
  static void put(std::string& bytes, std::uint64_t offset, std::string_view what);
  void tear(File& file);

  Rng rng_;
  std::map<std::uint64_t, File> files_;
  std::uint64_t torn_ = 0;
};

}  // namespace parley::sim::mail
