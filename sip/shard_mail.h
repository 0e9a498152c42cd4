// sip/shard_mail.h - what shards tell each other about SIP, as opaque bytes for core::Outbox::mail.
//
//   kind (1 byte) | Flow | payload
//
// Bytes of this process only; they are checked for their length all the same.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "sip/flow.h"

namespace parley::sip {

enum class MailKind : std::uint8_t {
  send,       // write payload, a whole message, to this flow of the receiver's
  received,   // payload came by this flow (of the sender or of a third shard) and is the receiver's to handle
  flow_gone,  // this flow of the sender's has ended: what was to be sent over it may not have been
  service,    // for whoever stands above the transport; the flow means nothing
};

struct ShardMail {
  MailKind kind = MailKind::service;
  Flow flow;
  std::string_view payload;
};

static_assert(std::is_trivially_copyable_v<Flow>);

inline void put_mail(std::string& out, MailKind kind, const Flow& flow, std::string_view payload) {
  out.clear();
  out.push_back(static_cast<char>(kind));
  char raw[sizeof(Flow)];
  std::memcpy(raw, &flow, sizeof flow);
  out.append(raw, sizeof raw);
  out.append(payload);
}

[[nodiscard]] inline bool read_mail(std::string_view bytes, ShardMail& mail) {
  if (bytes.size() < 1 + sizeof(Flow)) return false;
  const auto kind = static_cast<std::uint8_t>(bytes[0]);
  if (kind > static_cast<std::uint8_t>(MailKind::service)) return false;
  mail.kind = static_cast<MailKind>(kind);
  std::memcpy(&mail.flow, bytes.data() + 1, sizeof(Flow));
  mail.payload = bytes.substr(1 + sizeof(Flow));
  return true;
}

}  // namespace parley::sip
