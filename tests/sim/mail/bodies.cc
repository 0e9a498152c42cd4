// tests/sim/mail/bodies.cc - see bodies.h.
#include "tests/sim/mail/bodies.h"

#include <algorithm>
#include <variant>

namespace parley::sim::mail {
namespace {

constexpr std::uint64_t sector_bytes = 512;  // what a disk writes whole or not at all

}  // namespace

bool Bodies::takes(const core::StoreOp& op) {
  return std::holds_alternative<core::WriteBody>(op.what) || std::holds_alternative<core::SyncBody>(op.what) ||
         std::holds_alternative<core::ReadBody>(op.what) || std::holds_alternative<core::DropBody>(op.what);
}

void Bodies::put(std::string& bytes, std::uint64_t offset, std::string_view what) {
  if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
  bytes.replace(offset, what.size(), what);
}

void Bodies::carry_out(const core::StoreOp& op, bool full, core::StoreResult& result) {
  result.token = op.token;
  const auto refuse = [&] { result.status = core::StoreResult::Status::refused; };
  if (const auto* write = std::get_if<core::WriteBody>(&op.what)) {
    const std::string_view bytes =
        std::string_view(write->bytes).substr(0, full ? rng_.between(0, write->bytes.size()) : write->bytes.size());
    File& file = files_[write->id];
    put(file.bytes, write->offset, bytes);
    file.writes.push_back({write->offset, std::string(bytes)});
    if (full) refuse();
  } else if (const auto* sync = std::get_if<core::SyncBody>(&op.what)) {
    const auto found = files_.find(sync->id);
    if (full || found == files_.end()) return refuse();
    found->second.synced = found->second.bytes;
    found->second.named = true;
    found->second.writes.clear();
  } else if (const auto* read = std::get_if<core::ReadBody>(&op.what)) {
    const auto found = files_.find(read->id);
    if (found == files_.end()) return refuse();
    if (read->offset < found->second.bytes.size())
      result.bytes = found->second.bytes.substr(read->offset, read->length);
  } else if (const auto* unwanted = std::get_if<core::DropBody>(&op.what)) {
    drop(unwanted->id);
  }
}

// Of each write all is there, or nothing, or some of its sectors, in no order; the file may be as long as it would be.
void Bodies::tear(File& file) {
  std::string left = std::move(file.synced);
  for (const Write& write : file.writes) {
    const std::uint64_t how = rng_.next() % 3;
    if (how == 0) continue;
    if (how == 1) {
      put(left, write.offset, write.bytes);
      continue;
    }
    ++torn_;
    if (rng_.coin(1, 2) && left.size() < write.offset + write.bytes.size())
      left.resize(write.offset + write.bytes.size());
    for (std::uint64_t at = 0; at < write.bytes.size();) {
      const std::uint64_t end = std::min<std::uint64_t>(
          (write.offset + at) / sector_bytes * sector_bytes + sector_bytes - write.offset, write.bytes.size());
      if (rng_.coin(1, 2)) put(left, write.offset + at, std::string_view(write.bytes).substr(at, end - at));
      at = end;
    }
  }
  file.bytes = file.synced = std::move(left);
  file.writes.clear();
}

void Bodies::crash(bool power) {
  if (!power) return;
  for (auto at = files_.begin(); at != files_.end();) {
    if (!at->second.named && rng_.coin(1, 2)) {
      at = files_.erase(at);
      continue;
    }
    tear(at->second);
    at->second.named = true;
    ++at;
  }
}

bool Bodies::lasts(std::uint64_t id, std::uint64_t bytes) const {
  const auto found = files_.find(id);
  return found != files_.end() && found->second.named && found->second.writes.empty() &&
         found->second.synced.size() == bytes;
}

bool Bodies::is_there(std::uint64_t id, std::uint64_t bytes) const {
  const auto found = files_.find(id);
  return found != files_.end() && found->second.bytes.size() == bytes;
}

}  // namespace parley::sim::mail
