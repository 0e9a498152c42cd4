// core/dns_records.cc - see dns_records.h.
#include "core/dns_records.h"

#include <ares.h>

#include <algorithm>
#include <string>

namespace parley::core {
namespace {

// A name in a DNS message, passed over: labels up to a zero or a pointer (RFC 1035 section 4.1.4).
std::optional<std::size_t> after_name(std::span<const unsigned char> message, std::size_t at) {
  while (at < message.size()) {
    const unsigned length = message[at];
    if (length == 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length >= 0x40) return std::nullopt;
    at += 1 + length;
  }
  return std::nullopt;
}

}  // namespace

std::vector<NaptrRecord> naptr_records(std::span<const unsigned char> message) {
  std::vector<NaptrRecord> records;
  ::ares_naptr_reply* replies = nullptr;
  if (::ares_parse_naptr_reply(message.data(), static_cast<int>(message.size()), &replies) != ARES_SUCCESS)
    return records;
  const auto text = [](const unsigned char* field) { return std::string(reinterpret_cast<const char*>(field)); };
  for (const ::ares_naptr_reply* at = replies; at != nullptr && records.size() < naptr_records_max; at = at->next) {
    records.push_back({.order = at->order,
                       .preference = at->preference,
                       .flags = text(at->flags),
                       .service = text(at->service),
                       .regexp = text(at->regexp),
                       .replacement = at->replacement});
  }
  ::ares_free_data(replies);
  return records;
}

SrvRecords srv_records(std::span<const unsigned char> message) {
  SrvRecords records;
  ::ares_srv_reply* replies = nullptr;
  if (::ares_parse_srv_reply(message.data(), static_cast<int>(message.size()), &replies) != ARES_SUCCESS)
    return records;
  for (const ::ares_srv_reply* at = replies; at != nullptr && records.targets.size() < srv_records_max; at = at->next) {
    const std::string name = at->host;
    if (name.empty() || name == ".") {
      records.refused = true;
      continue;
    }
    records.targets.push_back({.name = name, .port = at->port, .priority = at->priority, .weight = at->weight});
  }
  ::ares_free_data(replies);
  return records;
}

std::optional<std::uint32_t> least_ttl_s(std::span<const unsigned char> message) {
  constexpr std::size_t head_bytes = 12;
  constexpr std::size_t question_tail_bytes = 4;  // type, class
  constexpr std::size_t record_tail_bytes = 10;   // type, class, TTL, length
  if (message.size() < head_bytes) return std::nullopt;
  const auto number = [&](std::size_t at) { return static_cast<std::uint32_t>(message[at] << 8 | message[at + 1]); };
  const std::uint32_t questions = number(4);
  const std::uint32_t answers = number(6);
  std::size_t at = head_bytes;
  for (std::uint32_t i = 0; i < questions; ++i) {
    const auto next = after_name(message, at);
    if (!next) return std::nullopt;
    at = *next + question_tail_bytes;
  }
  std::optional<std::uint32_t> least;
  for (std::uint32_t i = 0; i < answers; ++i) {
    const auto next = after_name(message, at);
    if (!next || *next + record_tail_bytes > message.size()) return std::nullopt;
    const std::uint32_t ttl = number(*next + 4) << 16 | number(*next + 6);
    least = std::min(least.value_or(ttl), ttl);
    at = *next + record_tail_bytes + number(*next + 8);
  }
  return least;
}

}  // namespace parley::core
