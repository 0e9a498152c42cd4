// core/store/backup.h - a copy of the store in a directory, while it is used.
#pragma once

#include <string>

namespace parley::core {

// Copies what is committed in the store `directory` to backup-TIME/ in it, which is a store itself: parley.db, and in bodies/ the
// large messages, as second names of their files, so that they take no room as long as both are there. `made` says which.
// Whatever has been delivered meanwhile is not in it. By any thread that may wait; commits go on. Empty, or what went wrong.
[[nodiscard]] std::string back_up(const std::string& directory, std::string& made);

// What processes that ended meanwhile have left of such copies. Before anybody makes one.
void remove_broken_backups(const std::string& directory);

}  // namespace parley::core
