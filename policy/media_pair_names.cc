// policy/media_pair_names.cc - where each side of a pair knows the other one by a Contact of ours: message/cpim that is
// addressed to that goes on addressed to whom it stands for. See media_pair.h.
//
// Only a To line changes. When it gets another length, all numbers of the message move by the difference, and those of
// reports about it move back.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/cpim.h"
#include "policy/media_pair.h"
#include "sip/uri.h"

namespace parley::policy {

using msrp::ByteRange;
using msrp::EndFact;
using msrp::EndSend;
using msrp::Flag;

namespace {

constexpr std::uint32_t head_bytes_max = 8 * 1024;  // a longer head of a message/cpim passes as it is

bool is_cpim(std::string_view headers) {
  constexpr std::string_view name = "Content-Type:";
  constexpr std::string_view type = "message/cpim";
  while (!headers.empty()) {
    const std::string_view line = headers.substr(0, headers.find("\r\n"));
    headers.remove_prefix(std::min(headers.size(), line.size() + 2));
    if (!core::equal_ignore_case(line.substr(0, name.size()), name)) continue;
    std::string_view value = line.substr(name.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    return core::equal_ignore_case(value.substr(0, type.size()), type);
  }
  return false;
}

}  // namespace

void MediaPairs::name(PairId id, Side side, std::string_view user, std::string_view uri) {
  Pair* const pair = pairs_.get(id);
  if (pair == nullptr || user.empty() || uri.empty()) return;
  Direction& way = pair->leg(side).out;
  way.user = user;
  way.uri = uri;
}

// False: it waits for the rest of its head.
bool MediaPairs::readdress(Pair& pair, Side from, const EndFact& fact, EndSend& message) {
  Direction& way = pair.leg(from).out;
  if (fact.first) {
    way.gathers = false;
    way.head.clear();
  }
  if (!way.gathers && (fact.start != 1 || !is_cpim(headers_) || fact.body.length == 0)) {
    const std::uint64_t delta = delta_of(way, fact.message_id);
    message.start += delta;
    if (message.total != ByteRange::unknown) message.total += delta;
    return true;
  }
  const std::string_view piece = fact.body.length == 0 ? std::string_view{} : pool_.view(fact.body);
  const bool gathered = std::exchange(way.gathers, false);
  if (gathered) way.head += piece;
  const std::string_view bytes = gathered ? std::string_view(way.head) : piece;
  CpimParser parser;  // a head that comes in pieces is rare, and read from its start again
  const auto progress = parser.parse(bytes, fact.last && fact.flag == Flag::end, head_bytes_max);
  if (progress == CpimParser::Progress::need_more && !fact.last) {
    if (!gathered) way.head = piece;
    way.gathers = true;
    return false;
  }
  if (gathered) {
    message.start = 1;
    message.has_body = true;
  }
  const core::Span to = parser.head().to_uri;
  sip::Uri uri;
  const bool read = progress == CpimParser::Progress::done && to.present();
  const bool his = read && sip::parse_uri(to.of(bytes), uri) && uri.user == way.user;
  if (!his) {
    if (gathered) {
      message.prefix = way.head;
      message.body = {};
    }
    return true;
  }
  prefix_.assign(bytes.substr(0, to.offset)).append(way.uri);
  const std::size_t behind = to.offset + std::size_t{to.length};
  if (gathered) {
    prefix_ += bytes.substr(behind);
    message.body = {};
  } else {
    message.body =
        fact.body.part(static_cast<std::uint32_t>(behind), static_cast<std::uint32_t>(bytes.size() - behind));
  }
  message.prefix = prefix_;
  const std::uint64_t delta = std::uint64_t{way.uri.size()} - to.length;
  if (delta == 0) return true;
  if (message.total != ByteRange::unknown) message.total += delta;
  if (way.shifted.size() >= config_.reports_max) way.shifted.pop_front();
  way.shifted.push_back({std::string(fact.message_id), delta});
  return true;
}

std::uint64_t MediaPairs::delta_of(const Direction& way, std::string_view message_id) {
  const auto found = std::find_if(way.shifted.rbegin(), way.shifted.rend(),
                                  [&](const Shifted& s) { return s.message_id == message_id; });
  return found == way.shifted.rend() ? 0 : found->delta;
}

// A range of what went to the other side as its sender counts.
ByteRange MediaPairs::as_sent(const Direction& way, std::string_view message_id, ByteRange range) {
  const std::uint64_t delta = delta_of(way, message_id);
  if (range.start != 1) range.start -= delta;
  if (range.end != ByteRange::unknown && range.end != 0) range.end -= delta;
  if (range.total != ByteRange::unknown && range.total != 0) range.total -= delta;
  return range;
}

}  // namespace parley::policy
