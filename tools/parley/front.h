// tools/parley/front.h - the running program: the loop with the client in it, signals, lines that are typed, output.
#pragma once

#include <memory>
#include <string>

#include "tools/parley/job.h"
#include "tools/parley/settings.h"

namespace parley::client {

// Runs until the job is over; the program's exit status. `body` and `file`: of send.
[[nodiscard]] int run(const Settings& settings, const std::string& password, std::shared_ptr<const ByteSource> body,
                      std::optional<FileOffer> file);

}  // namespace parley::client
