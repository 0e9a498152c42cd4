// policy/service_mail.h - what shards say to each other about SIP, behind sip::MailKind::service: a byte that says what it is,
// then values as they lie in memory and texts with their length. Bytes of this process, checked for their length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/slot_map.h"
#include "core/time.h"

namespace parley::policy {

enum class ServiceMail : std::uint8_t {
  look_up,      // context, aor, sender of a message  answered by `bindings`
  bindings,     // context, settings of that user, whether messages of that sender wait for him, encode_bindings
  register_,    // server transaction, flow, third party, aor, request   answered by `registered`
  registered,   // server transaction, Registered, header lines
  flow_closed,  // flow
  keep,         // flow, until, longest silence: somebody relies on that connection
  settings,     // call, aor                        answered by `settled`
  settled,      // call, settings of the user who began it
  deferred,     // whether he was tried, aor, sender: a message has been kept for him
  list_changed, // whether he is to be reminded of it, aor: of what waits for him
  history_changed,  // aor: whose list of records is another one now
  fetched,      // id, aor: of a message that he has fetched and that waits no more
  answer,       // server transaction, aor, id and option: of a system message   answered by `answered`
  answered,     // server transaction, status
  held,         // whether he is, aor: who owes an answer to a system message (DEC-22)
};

// What has come of a REGISTER, beside the lines of its answer.
struct Registered {
  std::uint16_t status = 0;
  std::uint32_t granted_s = 0;
  std::uint32_t flow_timer_s = 0;
};

// What was asked of another shard, whose answer may be lost.
struct ShardQuestion {
  core::Instant until;
  bool registers = false;  // or looks up
  core::SlotId id;         // its server transaction, or its Proxied
};

class MailWriter {
 public:
  MailWriter(std::string& out, ServiceMail kind) : out_(out) {
    out_.clear();
    out_.push_back(static_cast<char>(kind));
  }
  template <class T>
  MailWriter& put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof value);
    out_.append(raw, sizeof raw);
    return *this;
  }
  MailWriter& text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_.append(text);
    return *this;
  }

 private:
  std::string& out_;
};

class MailReader {
 public:
  explicit MailReader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T take() {
    T value{};
    if (rest_.size() < sizeof(T)) {
      good_ = false;
      rest_ = {};
    } else {
      std::memcpy(&value, rest_.data(), sizeof value);
      rest_.remove_prefix(sizeof value);
    }
    return value;
  }
  std::string_view text() {
    const std::size_t size = take<std::uint32_t>();
    if (size > rest_.size()) good_ = false;
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(text.size());
    return text;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace parley::policy
