// policy/call_media.h - the media of one call: its pairs of MSRP sessions, and the descriptions that pass between its
// legs with our ends in them (media_description.h, media_pair.h).
//
// Owned by its call, core-local. A description is passed on when it comes; where its sender is reached is acted upon
// when offer and answer have agreed, so a refused change changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/media_description.h"
#include "policy/media_pair.h"

namespace parley::policy {

class CallMedia {
 public:
  CallMedia(MediaPairs& pairs, std::uint64_t owner, std::uint64_t bytes_max)
      : pairs_(pairs), owner_(owner), bytes_max_(bytes_max) {}
  ~CallMedia();
  // The process ends: nobody can be told any more that its connections are closed.
  void abandon() { sections_.clear(); }
  CallMedia(const CallMedia&) = delete;
  CallMedia& operator=(const CallMedia&) = delete;

  // What the other leg gets: replaces `out`. False: it can not go through here, there is no room or it is none.
  [[nodiscard]] bool pass(Side from, bool is_offer, std::string_view description, std::string& out);
  // The exchange at hand has ended well: its offer and its answer hold.
  void agree();
  // It has not: neither of them holds.
  void forget();
  void count_recipients();
  // See MediaPairs::name.
  void name(Side side, std::string_view user, std::string_view uri);
  void release(Side side);
  // See MediaPairs::tell_parties; also of what comes later.
  void tell_parties(MediaPairs::Parties parties);
  // See MediaPairs::record; also of what comes later.
  void record(TalkId talk);

 private:
  struct Heard {
    std::uint8_t index = 0;
    std::string path{};
    sip::SdpSetup setup = sip::SdpSetup::absent;
    bool loose = false;
    bool offered = false;
    std::string address{};
    bool over = false;  // port 0
  };
  struct Section {
    std::uint8_t index = 0;
    PairId pair{};
  };
  [[nodiscard]] PairId pair_of(std::uint8_t index) const;
  void end(std::uint8_t index);
  [[nodiscard]] std::vector<Heard>& heard(Side side) { return heard_[side == Side::a ? 0 : 1]; }

  MediaPairs& pairs_;
  const std::uint64_t owner_;
  const std::uint64_t bytes_max_;
  TalkId talk_{};
  MediaPairs::Parties parties_;
  std::vector<Section> sections_;            // at most media_sections_max
  std::array<std::vector<Heard>, 2> heard_;  // of each side in the exchange at hand
  std::vector<PeerMedia> read_;
  std::vector<OwnMedia> own_;
};

}  // namespace parley::policy
