// policy/message_reader.h - reads a message again that was kept as bytes: it was judged when it came, or was written here.
#pragma once

#include <optional>
#include <string_view>

#include "sip/flow.h"

namespace parley::policy {

class MessageReader {
 public:
  // Null when it is no whole message. What it shows stays until the next call; the bytes are the caller's.
  [[nodiscard]] const sip::Received* read(std::string_view bytes, const sip::Flow& flow, const sip::HeadLimits& limits = {}) {
    parser_.reset();
    if (parser_.parse(bytes, limits) != sip::Progress::done) return nullptr;
    const sip::Head& head = parser_.head();
    const sip::Carrier carrier{.stream = false, .body_bytes = bytes.size() - head.length, .via_later = true};
    verdict_ = sip::judge(head, bytes.substr(0, head.length), carrier, essentials_);
    message_.emplace(sip::Received{flow, head, bytes, bytes.substr(head.length), verdict_, essentials_});
    return &*message_;
  }

 private:
  sip::HeadParser parser_;
  sip::Verdict verdict_;
  sip::Essentials essentials_;
  std::optional<sip::Received> message_;
};

}  // namespace parley::policy
