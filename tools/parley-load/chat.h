// tools/parley-load/chat.h - the `chat` sub-command: rooms, their members, and what is said in them.
#pragma once

#include "tools/parley-load/chat_options.h"

namespace parley::load {

// Exit status: 0 clean, 1 something was wrong with what the server did, 2 the run could not be made.
int run_chat(ChatOptions options);

}  // namespace parley::load
