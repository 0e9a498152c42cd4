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
  std::size_t words_min = 0;  // behind its name
  std::size_t words_max = 0;
  std::size_t uris = 0;  // so many of them have to be URIs
  bool needs_session = false;
  bool names_session = false;  // by number; else it is about the one that is talked in
};
inline constexpr std::size_t words_any = static_cast<std::size_t>(-1);
[[nodiscard]] const std::vector<ChatCommand>& chat_commands();

}  // namespace parley::client
