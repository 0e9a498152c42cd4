// policy/room_ring.cc - see room_ring.h.
#include "policy/room_ring.h"

#include <algorithm>
#include <cstring>

namespace parley::policy {
namespace {

constexpr std::size_t noted_head_max = 8 * 1024;

void append(char* to, std::uint32_t& used, std::string_view text) {
  if (text.empty()) return;
  std::memcpy(to + used, text.data(), text.size());
  used += static_cast<std::uint32_t>(text.size());
}

}  // namespace

core::BufferId RoomRing::take_block(std::uint32_t bytes) {
  const core::BufferId block = pool_.take_heap(bytes);
  if (block != core::no_buffer) bytes_ += bytes;
  return block;
}

void RoomRing::give_block(core::BufferId block) {
  bytes_ -= pool_.size(block);
  pool_.release(block);
}

bool RoomRing::make_room(std::uint64_t bytes) {
  if (bytes > bytes_max_) return false;
  while (bytes_ + bytes > bytes_max_ && count_ != 0) pop();
  return bytes_ + bytes <= bytes_max_;
}

void RoomRing::push(const Entry& entry) {
  if (count_ == entries_.size()) {
    std::vector<Entry> larger(std::max<std::size_t>(8, entries_.size() * 2));
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    entries_.swap(larger);
    first_ = 0;
  }
  entries_[(first_ + count_) % entries_.size()] = entry;
  ++count_;
  bytes_ += entry_bytes;
}

void RoomRing::note(const Entry& entry) {
  const About& about = entry.about;
  Left& left = left_.emplace_back();
  left.number = entry.number;
  left.about = about;
  const std::string_view bytes = pool_.view(entry.bytes);
  const std::string_view body = bytes.substr(entry.headers_length);
  left.type = about.type_length == 0 ? std::string_view("text/plain")
                                     : (about.type_in_body ? body : bytes).substr(about.type_offset, about.type_length);
  left.own_id = pool_.view({entry.bytes.buffer, entry.bytes.offset + entry.bytes.length, about.own_id_length});
  if (about.to_user != 0) left.head = body.substr(0, noted_head_max);
}

void RoomRing::drop_first() {
  if (at(0).number >= note_from_ && at(0).about.own_id_length != 0) note(at(0));
  first_ = (first_ + 1) % entries_.size();
  --count_;
  bytes_ -= entry_bytes;
}

void RoomRing::pop() {
  const core::BufferId block = at(0).bytes.buffer;
  drop_first();
  if (block == core::no_buffer) return;
  // Entries leave in the order of segments, so it is the first one or a block of the entry's own.
  if (segments_.empty() || segments_.front().block != block) {
    give_block(block);
    return;
  }
  // The last segment is kept for what comes.
  if (--segments_.front().entries == 0 && segments_.size() > 1) {
    give_block(block);
    segments_.erase(segments_.begin());
  }
}

// The last segment has `bytes` free then.
bool RoomRing::open_segment(std::uint32_t bytes) {
  for (;;) {
    std::uint32_t size = segment_bytes_min;
    if (!segments_.empty()) {
      Segment& last = segments_.back();
      const std::uint32_t room = pool_.size(last.block);
      if (room - last.used >= bytes) return true;
      if (last.entries == 0) {  // nothing in it counts any more
        if (room >= bytes && pool_.refs(last.block) == 1) {
          last.used = 0;
          return true;
        }
        give_block(last.block);
        segments_.pop_back();
        continue;
      }
      size = room * 2;
    }
    size = std::max(std::min({size, segment_bytes_max, bytes_max_ / 4}), bytes);
    if (bytes_ + size <= bytes_max_) {
      const core::BufferId block = take_block(size);
      if (block == core::no_buffer) return false;
      segments_.push_back({block, 0, 0});
      return true;
    }
    if (count_ == 0) return false;
    if (turn_first_segment(bytes)) return true;
    pop();
  }
}

// The oldest segment comes round when its last entry goes and the kernel has let go of it.
bool RoomRing::turn_first_segment(std::uint32_t bytes) {
  if (segments_.size() < 2) return false;
  const Segment first = segments_.front();
  if (first.entries != 1 || at(0).bytes.buffer != first.block) return false;
  if (pool_.refs(first.block) != 1 || pool_.size(first.block) < bytes) return false;
  drop_first();
  segments_.erase(segments_.begin());
  segments_.push_back({first.block, 0, 0});
  return true;
}

bool RoomRing::gather(RoomGathered& gathered, std::uint64_t expected, std::string_view first, std::string_view second) {
  const std::uint64_t more = first.size() + second.size();
  const std::uint64_t need = gathered.used + more;
  const std::uint64_t have = gathered.present() ? pool_.size(gathered.block) : 0;
  if (need > have) {
    std::uint64_t size = std::max({need, expected, std::min<std::uint64_t>(have * 2, message_bytes_max())});
    if (expected == 0 && size < 4096) size = std::min<std::uint64_t>(4096, message_bytes_max());
    if (size < need) size = need;
    const core::BufferId block =
        size <= message_bytes_max() && make_room(size) ? take_block(static_cast<std::uint32_t>(size)) : core::no_buffer;
    if (block == core::no_buffer) {
      drop(gathered);
      return false;
    }
    if (gathered.present()) {
      std::memcpy(pool_.data(block), pool_.data(gathered.block), gathered.used);
      give_block(gathered.block);
    }
    gathered.block = block;
  }
  append(pool_.data(gathered.block), gathered.used, first);
  append(pool_.data(gathered.block), gathered.used, second);
  return true;
}

void RoomRing::drop(RoomGathered& gathered) {
  if (gathered.present()) give_block(gathered.block);
  gathered = {};
}

// A gap that is not even noted would let what is before it be followed by what is behind it.
bool RoomRing::make_entry_room() {
  if (make_room(entry_bytes)) return true;
  clear();
  return false;
}

bool RoomRing::add(std::uint64_t number, const About& about, std::string_view headers, std::string_view prefix,
                   std::string_view body, std::string_view own_id) {
  if (off()) return false;
  const std::uint64_t bytes = headers.size() + prefix.size() + body.size();
  Entry entry{
      .number = number, .about = about, .bytes = {}, .headers_length = static_cast<std::uint32_t>(headers.size())};
  const bool kept =
      bytes <= message_bytes_max() && open_segment(static_cast<std::uint32_t>(bytes + own_id.size()));
  entry.about.own_id_length = kept ? static_cast<std::uint8_t>(own_id.size()) : std::uint8_t{0};
  if (kept) {
    Segment& segment = segments_.back();
    entry.bytes = {segment.block, segment.used, static_cast<std::uint32_t>(bytes)};
    char* const to = pool_.data(segment.block);
    append(to, segment.used, headers);
    append(to, segment.used, prefix);
    append(to, segment.used, body);
    append(to, segment.used, own_id);
  }
  if (!make_entry_room()) return false;
  if (kept) ++segments_.back().entries;
  push(entry);
  return kept;
}

bool RoomRing::add(std::uint64_t number, const About& about, std::uint32_t headers_length, RoomGathered& gathered) {
  if (off()) return false;
  if (!make_entry_room()) {
    drop(gathered);
    return false;
  }
  const bool kept = gathered.present();
  Entry entry{.number = number, .about = about, .bytes = {}, .headers_length = headers_length};
  if (kept) entry.bytes = {gathered.block, 0, gathered.used - about.own_id_length};
  if (!kept) entry.about.own_id_length = 0;
  push(entry);
  gathered = {};
  return kept;
}

const RoomRing::Entry* RoomRing::find(std::uint64_t number) const {
  if (count_ == 0 || number < at(0).number || number - at(0).number >= count_) return nullptr;
  return &at(static_cast<std::size_t>(number - at(0).number));
}

void RoomRing::expire(core::Instant before) {
  while (count_ != 0 && at(0).about.at < before) pop();
  if (count_ != 0) return;
  // Nobody waits for anything: an idle room keeps no memory.
  for (const Segment& segment : segments_) give_block(segment.block);
  segments_.clear();
  entries_.clear();
  entries_.shrink_to_fit();
  first_ = 0;
}

void RoomRing::clear() {
  while (count_ != 0) pop();
  for (const Segment& segment : segments_) give_block(segment.block);
  segments_.clear();
}

}  // namespace parley::policy
