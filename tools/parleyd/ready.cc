// tools/parleyd/ready.cc - the one JSON line that says parleyd serves, and where: tests and supervisors wait for it.
#include "tools/parleyd/ready.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

namespace parley::parleyd {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace

std::string ready_line(const Ready& ready, int pid) {
  nlohmann::ordered_json json;
  json["pid"] = pid;
  if (!ready.sip.empty()) json["sip"] = ready.sip;
  json["msrp"] = ready.msrp;
  if (!ready.admin.empty()) json["admin"] = ready.admin;
  if (!ready.xcap.empty()) json["xcap"] = ready.xcap;
  return json.dump() + "\n";
}

std::optional<std::string> announce(const std::string& line, const std::string& file, int fd) {
  if (!file.empty()) {
    const std::string beside = file + ".new";
    const int out = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out < 0) return "--ready-file: " + beside + ": " + std::strerror(errno);
    const bool written = write_all(out, line);
    const int error = errno;
    ::close(out);
    if (!written) return "--ready-file: " + beside + ": " + std::strerror(error);
    if (::rename(beside.c_str(), file.c_str()) != 0) return "--ready-file: " + file + ": " + std::strerror(errno);
  }
  if (fd >= 0) {
    if (!write_all(fd, line)) return "--ready-fd " + std::to_string(fd) + ": " + std::strerror(errno);
    // Readers wait for the end of file; standard output and error stay open for what follows.
    if (fd > STDERR_FILENO) ::close(fd);
  }
  return std::nullopt;
}

}  // namespace parley::parleyd
