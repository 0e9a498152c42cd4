// tools/parley/chat.h - the conversation: lines that are typed become messages and commands, events become lines.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/parley/job.h"

namespace parley::client {

[[nodiscard]] std::unique_ptr<Job> make_chat(const Settings& settings);

// "/add sip:carol@example.org": for completion and /help.
struct ChatCommand {
  std::string_view name{};
  std::string_view arguments{};
  std::string_view help{};
};
[[nodiscard]] const std::vector<ChatCommand>& chat_commands();

}  // namespace parley::client
