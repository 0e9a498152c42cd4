// tools/parley/stored_job.h - what the server keeps for the user, for scripts: listed, fetched, deleted.
#pragma once

#include <memory>

#include "tools/parley/job.h"

namespace parley::client {

// `settings.command`: stored_list, stored_get or stored_delete.
[[nodiscard]] std::unique_ptr<Job> make_stored_job(const Settings& settings);

}  // namespace parley::client
