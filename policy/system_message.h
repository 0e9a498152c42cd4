// policy/system_message.h - what is written of a system message and its answer (OMA-SYS-3, OMA-SYS-4): an operator's order,
// the body that a user's devices get, and what they send back.
//
//   <system-message id="7" response-required="true" timeout="3600">
//     <text xml:lang="en">New terms</text><option id="yes">I agree</option>
//   </system-message>
//   <system-message-response id="7" option="yes"/>
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/flow.h"

namespace parley::policy {

inline constexpr std::string_view system_message_type = "application/vnd.oma.im.system-message+xml";

struct SystemMessageOption {
  std::string id;
  std::string text;
  bool operator==(const SystemMessageOption&) const = default;
};

struct SystemMessageOrder {
  std::string user;  // URI
  std::string text;
  std::string language;               // empty: it is not said
  std::uint32_t answer_within_s = 0;  // 0: no answer is demanded
  std::vector<SystemMessageOption> options;
  bool operator==(const SystemMessageOrder&) const = default;
};

inline constexpr std::size_t system_text_bytes_max = 4096;
inline constexpr std::size_t system_options_max = 16;
inline constexpr std::size_t system_option_bytes_max = 256;
inline constexpr std::size_t system_option_id_bytes_max = 32;
inline constexpr std::uint32_t system_answer_within_max_s = 365 * 86'400;

// What is wrong with it, but for its user; empty: nothing.
[[nodiscard]] std::string why_no_order(const SystemMessageOrder& order);

// As one text, on its way to the shard of its user; and its options alone, as the store has them.
[[nodiscard]] std::string put_order(const SystemMessageOrder& order);
[[nodiscard]] std::optional<SystemMessageOrder> read_order(std::string_view text);
[[nodiscard]] std::string put_options(const std::vector<SystemMessageOption>& options);
[[nodiscard]] std::optional<std::vector<SystemMessageOption>> read_options(std::string_view text);

// multipart/alternative: text/plain for clients that know no better comes first, as the better one comes last.
struct SystemMessageBody {
  std::string type;  // value of Content-Type
  std::string body;
};
[[nodiscard]] SystemMessageBody system_message_body(const SystemMessageOrder& order, std::string_view id,
                                                    std::string_view boundary);

struct SystemAnswer {
  std::string id;
  std::string option;  // empty: it names none
};
enum class SystemAnswerError : std::uint8_t { none, type, body };
// From a body of that type, or one wrapped in message/cpim or a multipart.
[[nodiscard]] SystemAnswerError read_system_answer(const sip::Received& request, SystemAnswer& answer);

}  // namespace parley::policy
