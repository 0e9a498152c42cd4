// core/store/backup.cc - see backup.h.
#include "core/store/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/store/body_files.h"
#include "core/store/sqlite.h"

namespace parley::core {
namespace {

std::string why(const std::string& path) { return path + ": " + std::strerror(errno); }

bool sync_directory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const bool synced = ::fsync(directory) == 0;
  ::close(directory);
  return synced;
}

// A body that is gone was delivered after its row was copied: the copy has neither.
std::string copy_bodies(Sqlite& copy, const std::string& from, const std::string& to) {
  if (::mkdir(to.c_str(), 0700) != 0) return why(to);
  std::vector<std::uint64_t> gone;
  {
    Statement large = copy.prepare("SELECT id FROM deferred WHERE large_bytes<>0");
    int result = SQLITE_ERROR;
    while (large.valid() && large.next(result)) {
      const auto id = static_cast<std::uint64_t>(large.number());
      const std::string name = "/" + body_file_name(id);
      if (::link((from + name).c_str(), (to + name).c_str()) == 0) continue;
      std::error_code failed;
      if (errno == EXDEV || errno == EPERM || errno == EMLINK) {  // no second name can be there
        if (std::filesystem::copy_file(from + name, to + name, failed)) continue;
        if (failed != std::errc::no_such_file_or_directory) return to + name + ": " + failed.message();
      } else if (errno != ENOENT) {
        return why(to + name);
      }
      gone.push_back(id);
    }
    if (result != SQLITE_DONE) return copy.last_error();
  }
  Statement remove = copy.prepare("DELETE FROM deferred WHERE id=?");
  for (const std::uint64_t id : gone) {
    if (!remove.valid() || remove.put(static_cast<std::int64_t>(id)).run() != SQLITE_OK) return copy.last_error();
  }
  return sync_directory(to) ? "" : why(to);
}

std::string fill(const std::string& directory, const std::string& part) {
  const std::string file = part + "/parley.db";
  const int made = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);  // nobody else's from its beginning on
  if (made < 0) return why(file);
  ::close(made);
  {
    Sqlite reader;  // its own connection: it sees one state of the file, and stops nobody
    if (std::string error = reader.open(directory + "/parley.db"); !error.empty()) return error;
    if (reader.prepare("VACUUM INTO ?").put(file).run() != SQLITE_OK) return file + ": " + reader.last_error();
  }
  Sqlite copy;
  if (std::string error = copy.open(file); !error.empty()) return error;
  return copy_bodies(copy, directory + "/bodies", part + "/bodies");
}

}  // namespace

void remove_broken_backups(const std::string& directory) {
  std::error_code ignored;
  std::vector<std::filesystem::path> parts;
  for (const auto& each : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = each.path().filename();
    if (name.starts_with("backup-") && name.ends_with(".part")) parts.push_back(each.path());
  }
  for (const auto& part : parts) std::filesystem::remove_all(part, ignored);
}

std::string back_up(const std::string& directory, std::string& made) {
  char name[64];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::strftime(name, sizeof name, "/backup-%Y%m%dT%H%M%SZ", &utc);
  made = directory + name;
  const std::string part = made + ".part";
  // It has its name when it is whole. Who copies in the same second has found the part, or what it has become.
  if (::mkdir(part.c_str(), 0700) != 0) return why(part);
  std::string error = fill(directory, part);
  if (error.empty() && !sync_directory(part)) error = why(part);
  if (error.empty() && ::rename(part.c_str(), made.c_str()) != 0) error = why(made);  // over no other: that is not empty
  if (error.empty() && !sync_directory(directory)) return why(directory);
  if (error.empty()) return "";
  std::error_code ignored;
  std::filesystem::remove_all(part, ignored);
  return error;
}

}  // namespace parley::core
