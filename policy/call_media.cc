// policy/call_media.cc - see call_media.h.
#include "policy/call_media.h"

#include <algorithm>
#include <utility>

namespace parley::policy {

CallMedia::~CallMedia() {
  for (const Section& section : sections_) pairs_.close(section.pair);
}

PairId CallMedia::pair_of(std::uint8_t index) const {
  const auto found =
      std::find_if(sections_.begin(), sections_.end(), [index](const Section& s) { return s.index == index; });
  return found == sections_.end() ? PairId{} : found->pair;
}

bool CallMedia::pass(Side from, bool is_offer, std::string_view description, std::string& out) {
  if (!read_media(description, read_)) return false;
  std::vector<Heard>& said = heard(from);
  said.clear();
  for (const Section& section : sections_) {
    const auto there = [&section](const PeerMedia& media) { return media.index == section.index; };
    if (std::none_of(read_.begin(), read_.end(), there)) said.push_back({.index = section.index, .over = true});
  }
  if (is_offer) heard(other(from)).clear();  // of an exchange before, that came to nothing
  own_.clear();
  for (const PeerMedia& media : read_) {
    PairId pair = pair_of(media.index);
    if (!pair.valid()) {
      if (sections_.size() == media_sections_max) return false;
      pair = pairs_.open(media.secure, owner_, bytes_max_);
      if (!pair.valid()) return false;
      sections_.push_back({media.index, pair});
      pairs_.record(pair, talk_);
      pairs_.tell_parties(pair, parties_);
    }
    said.push_back({media.index, std::string(media.path), media.setup, media.loose, is_offer, media.address, false});
    sip::SdpSetup setup = sip::SdpSetup::actpass;
    if (!is_offer) {
      const auto& asked = heard(other(from));
      const auto offer =
          std::find_if(asked.begin(), asked.end(), [&](const Heard& h) { return h.index == media.index; });
      setup = answer_to(offer == asked.end() ? sip::SdpSetup::absent : offer->setup);
    }
    own_.push_back({media.index, pairs_.uri(pair, other(from)), setup});
  }
  out.clear();
  put_with_own_media(description, own_, out);
  return true;
}

void CallMedia::agree() {
  for (const std::vector<Heard>& all : heard_) {
    for (const Heard& said : all) {
      if (said.over) end(said.index);
    }
  }
  for (const Side side : {Side::a, Side::b}) {
    for (const Heard& said : heard(side)) {
      if (said.path.empty() || !pair_of(said.index).valid()) continue;
      (void)pairs_.connect(
          pair_of(said.index), side,
          {.path = said.path, .we_connect = we_connect(said.setup, said.offered), .loose = said.loose, .address = said.address});
    }
    heard(side).clear();
  }
}

// RFC 3264 section 8.2, RFC 5547 section 8.4: nothing more is expected there; what comes in its place is new.
void CallMedia::end(std::uint8_t index) {
  pairs_.close(pair_of(index));
  std::erase_if(sections_, [index](const Section& section) { return section.index == index; });
}

void CallMedia::forget() {
  for (std::vector<Heard>& said : heard_) said.clear();
}

void CallMedia::name(Side side, std::string_view user, std::string_view uri) {
  for (const Section& section : sections_) pairs_.name(section.pair, side, user, uri);
}

void CallMedia::count_recipients() {
  for (const Section& section : sections_) pairs_.count_recipients(section.pair);
}

void CallMedia::tell_parties(MediaPairs::Parties parties) {
  parties_ = std::move(parties);
  for (const Section& section : sections_) pairs_.tell_parties(section.pair, parties_);
}

void CallMedia::record(TalkId talk) {
  talk_ = talk;
  for (const Section& section : sections_) pairs_.record(section.pair, talk);
}

void CallMedia::release(Side side) {
  for (const Section& section : sections_) pairs_.release(section.pair, side);
}

}  // namespace parley::policy
